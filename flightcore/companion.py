"""The whole companion, sans-I/O: autopilot on one side, paired ground stations on the other.

Down: bytes of the line -> frames -> batches -> sealed for every live station. Up: datagram ->
opened by its pair's keys -> judged -> the line. Nothing is decoded before it is authenticated.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from crypto.generation import CounterExhaustedError, Opened
from crypto.messages import DOWN_OVERHEAD, Drop
from crypto.pair import PairRecord, Role
from crypto.primitives import RandomBytes
from crypto.responder import Established, Path, Reply, Responder
from flightcore.autopilot import Autopilot
from flightcore.downlink import MAX_DATAGRAM_BYTES, Downlink
from flightcore.uplink import Uplink
from wire.records import DroneStatus
from wire.summary import LinkSummary, merge_drops

STATUS_INTERVAL_NS: Final = 200_000_000
LINK_LOST_NS: Final = 1_000_000_000
LEASE_NS: Final = 15_000_000_000
_STATUS_BYTES = 10


class _Station:
    """One paired ground station, as the companion counts it."""

    __slots__ = ("heard_ns", "status_due_ns", "summary", "uplink")

    def __init__(self, role: Role) -> None:
        self.uplink = Uplink(role)
        self.summary = LinkSummary()
        self.heard_ns: int | None = None
        self.status_due_ns = 0


class PeerStatus(msgspec.Struct):
    """One paired ground station for `sekisho status`."""

    role: str
    state: str
    heard_s: float | None
    address: str | None
    link: LinkSummary


class CompanionStatus(msgspec.Struct):
    """The companion for `sekisho status`; `link` adds up all peers and what no peer sent."""

    link: LinkSummary
    peers: dict[str, PeerStatus]
    authority: dict[str, str | int | None]
    failsafe: dict[str, str | float | None]
    autopilot: dict[str, str | int | float | dict[str, int] | None]
    monitor: dict[str, str]
    recorder: dict[str, str]


class Companion:
    """Bytes and time in; bytes, datagrams and a deadline out. The zero state knows no autopilot."""

    def __init__(
        self, pairs: Sequence[PairRecord], boot_count: int, random_bytes: RandomBytes
    ) -> None:
        self.autopilot = Autopilot()
        self.dropped: Counter[str] = Counter()
        self._link = Responder(pairs, boot_count, random_bytes)
        self._downlink = Downlink(MAX_DATAGRAM_BYTES - DOWN_OVERHEAD - _STATUS_BYTES)
        self._stations = {name: _Station(peer.role) for name, peer in self._link.peers.items()}
        self._to_line: list[bytes] = []
        self._to_link: list[tuple[bytes, Path]] = []

    def receive_line(self, data: bytes, now_ns: int) -> None:
        """Take bytes from the autopilot."""
        frames = self.autopilot.receive(data, now_ns)
        for batch in self._downlink.queue(frames, now_ns):
            self._send_batch(batch, now_ns)

    def receive_link(self, datagram: bytes, path: Path, now_ns: int) -> None:
        """Take a datagram that came over `path` from anyone."""
        for event in self._link.receive(datagram, path, now_ns):
            match event:
                case Opened():
                    self._receive_opened(event, len(datagram), now_ns)
                case Reply(datagram=reply):
                    self._to_link.append((reply, event.path))
                case Established(peer=name):
                    self._grant_if_vacant(name, now_ns)
                    self._stations[name].status_due_ns = now_ns

    def line_lost(self) -> None:
        """Forget the autopilot: its line is gone."""
        self.autopilot.forget()
        self._to_line.clear()

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do."""
        times = [
            self._stations[name].status_due_ns
            for name, peer in self._link.peers.items()
            if peer.live is not None
        ]
        for time in (self._link.deadline_ns(), self._downlink.due_ns):
            if time is not None:
                times.append(time)
        return min(times, default=None)

    def tick(self, now_ns: int) -> None:
        """Do what is due: flush telemetry, report status."""
        self._link.tick(now_ns)
        if self._downlink.due_ns is not None and now_ns >= self._downlink.due_ns:
            self._send_batch(self._downlink.flush(), now_ns)
        for name, station in self._stations.items():
            if self._link.peers[name].live is not None and now_ns >= station.status_due_ns:
                self._send(name, station, [], now_ns)

    def outgoing_link(self) -> list[tuple[bytes, Path]]:
        """Return the datagrams to send, each with its path."""
        out, self._to_link = self._to_link, []
        return out

    def outgoing_line(self) -> bytes:
        """Return the bytes to write to the autopilot."""
        out = b"".join(self._to_line)
        self._to_line.clear()
        return out

    def status(self, now_ns: int) -> CompanionStatus:
        """Describe everything that is counted."""
        peers = {name: self._peer_status(name, now_ns) for name in self._stations}
        noise = {f"autopilot_{k}": v for k, v in self.autopilot.splitter.dropped.items()}
        total = LinkSummary.total([peer.link for peer in peers.values()])
        total.dropped = merge_drops(total.dropped, self._link.dropped, self.dropped, noise)
        heard = self._holder_heard_ns()
        lost = heard is not None and now_ns - heard >= LINK_LOST_NS
        autopilot = self.autopilot
        return CompanionStatus(
            link=total,
            peers=peers,
            authority={"holder": self._link.holder, "epoch": self._link.authority_epoch},
            failsafe={
                "link": "never_up" if heard is None else "lost" if lost else "ok",
                "heard_s": None if heard is None else (now_ns - heard) / 1e9,
            },
            autopilot={
                "state": autopilot.state.value if autopilot.is_heard(now_ns) else "silent",
                "sysid": autopilot.sysid,
                "mode": autopilot.custom_mode,
                "frames": autopilot.frames,
                "dropped": merge_drops(autopilot.splitter.dropped),
            },
            monitor={"state": "absent"},
            recorder={"state": "absent"},
        )

    def _receive_opened(self, opened: Opened, size: int, now_ns: int) -> None:
        station = self._stations[opened.peer]
        station.heard_ns = now_ns
        station.summary.datagrams_up += 1
        station.summary.bytes_up += size
        self._grant_if_vacant(opened.peer, now_ns)
        if not opened.payload:
            return
        passed = station.uplink.receive(
            opened,
            self.autopilot,
            now_ns,
            epoch=self._link.authority_epoch,
            is_holder=self._link.holder == opened.peer,
        )
        self._to_line += passed.frames
        if passed.answers:
            self._send(opened.peer, station, passed.answers, now_ns)

    def _grant_if_vacant(self, name: str, now_ns: int) -> None:
        """Give command to the first commander, or to another once the holder has been lost 15 s."""
        if self._link.holder == name or self._stations[name].uplink.role is Role.OBSERVER:
            return
        heard = self._holder_heard_ns()
        if heard is not None and now_ns - heard < LEASE_NS:
            return
        if self._link.holder is not None:
            # The new epoch fences off what the last holder sent and the link still holds back.
            self._link.authority_epoch = (self._link.authority_epoch + 1) & 0xFFFFFFFF
        self._link.holder = name
        for station in self._stations.values():
            station.status_due_ns = now_ns

    def _holder_heard_ns(self) -> int | None:
        holder = self._link.holder
        return None if holder is None else self._stations[holder].heard_ns

    def _send_batch(self, frames: list[bytes], now_ns: int) -> None:
        sent = False
        for name, station in self._stations.items():
            if self._link.peers[name].live is not None:
                self._send(name, station, frames, now_ns)
                sent = True
        if not sent:
            self.dropped[Drop.NO_SESSION] += len(frames)

    def _send(self, name: str, station: _Station, frames: list[bytes], now_ns: int) -> None:
        live = self._link.peers[name].live
        assert live is not None
        records = b"".join(frames)
        if now_ns >= station.status_due_ns:
            is_holder = self._link.holder == name
            status = DroneStatus(live.ack, self._link.authority_epoch, is_holder)
            records = status.encode() + records
            station.status_due_ns = now_ns + STATUS_INTERVAL_NS
        try:
            sealed = self._link.seal(name, records, now_ns)
        except CounterExhaustedError:
            self.dropped[Drop.COUNTER_LIMIT] += len(frames)
            return
        assert sealed is not None
        self._to_link.append(sealed)
        summary = station.summary
        summary.frames_down += len(frames)
        summary.datagrams_down += 1
        summary.bytes_down += len(sealed[0])

    def _peer_status(self, name: str, now_ns: int) -> PeerStatus:
        station, peer = self._stations[name], self._link.peers[name]
        heard = station.heard_ns
        link = station.summary
        link.frames_up = station.uplink.forwarded
        link.dropped = merge_drops(station.uplink.dropped)
        link.handshakes = peer.adopted
        link.generation = 0 if peer.live is None else peer.live.number
        return PeerStatus(
            role=peer.role.value,
            state="live" if peer.live is not None else "none",
            heard_s=None if heard is None else (now_ns - heard) / 1e9,
            address=None if peer.path is None else f"{peer.path[0]}:{peer.path[1]}",
            link=link,
        )
