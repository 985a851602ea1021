"""One drone as the ground sees it, sans-I/O: secure link on one side, plain MAVLink on the other.

Down: datagram -> opened -> MAVLink bytes for the tools. Up: whole frames from the tools -> sealed
and sent at once, never held for company.
"""

from collections import Counter
from typing import Final

import msgspec

from crypto.generation import CounterExhaustedError, Opened
from crypto.initiator import Established, Initiator
from crypto.messages import UP_OVERHEAD, Drop
from crypto.pair import PairRecord
from crypto.primitives import RandomBytes
from wire.records import STATUS, DroneStatus, MalformedRecordsError, parse_records
from wire.summary import LinkSummary, merge_drops

KEEPALIVE_NS: Final = 200_000_000
MAX_DATAGRAM_BYTES: Final = 1200
_MAX_RECORDS = MAX_DATAGRAM_BYTES - UP_OVERHEAD
_MALFORMED = "malformed_records"


class StationStatus(msgspec.Struct):
    """One drone for `sekisho status`."""

    state: str
    heard_s: float | None
    telemetry_age_s: float | None
    link: LinkSummary
    authority: dict[str, int | bool]
    drone_boot_count: int | None


class Station:
    """Bytes and time in; bytes, datagrams and a deadline out. The zero state has no session."""

    def __init__(self, pair: PairRecord, boot_count: int, random_bytes: RandomBytes) -> None:
        self.dropped: Counter[str] = Counter()
        self.is_holder = False
        self.drone_boot_count: int | None = None
        self._link = Initiator(pair, boot_count, random_bytes)
        self._summary = LinkSummary()
        self._status_order = (0, -1)
        self._made_after_ns: int | None = None  # what is shown was made no earlier than this
        self._outgoing: list[bytes] = []
        self._keepalive_ns = 0

    def is_live(self, now_ns: int) -> bool:
        """Tell whether the drone is being heard: a session, and a frame in the last second."""
        return self._link.is_established and not self._link.is_silent(now_ns)

    def receive_link(self, datagram: bytes, now_ns: int) -> bytes:
        """Take a datagram from the drone's address; return the MAVLink bytes in it, if any."""
        out = b""
        had_session = self._link.session
        for event in self._link.receive(datagram, now_ns):
            match event:
                case Opened():
                    out += self._receive_opened(event, len(datagram), now_ns)
                case Established():
                    self.is_holder = event.is_holder
                    self.drone_boot_count = event.drone_boot_count
        if self._link.session is not had_session:
            self._keepalive_ns = now_ns  # a new session is adopted by its first frame: send one
        return out

    def send(self, frames: list[bytes], now_ns: int) -> None:
        """Seal frames from the operator's tools, in order."""
        batch: list[bytes] = []
        size = 0
        for frame in frames:
            if size + len(frame) > _MAX_RECORDS:
                self._seal(batch, now_ns)
                batch, size = [], 0
            batch.append(frame)
            size += len(frame)
        if batch:
            self._seal(batch, now_ns)

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do."""
        handshake = self._link.deadline_ns()
        if self._link.session is None:
            return handshake
        return self._keepalive_ns if handshake is None else min(handshake, self._keepalive_ns)

    def tick(self, now_ns: int) -> None:
        """Do what is due: handshake, keepalive."""
        self._outgoing += self._link.outgoing(now_ns)
        if self._link.session is not None and now_ns >= self._keepalive_ns:
            self._seal([], now_ns)

    def outgoing(self) -> list[bytes]:
        """Return the datagrams to send to the drone."""
        out, self._outgoing = self._outgoing, []
        return out

    def status(self, now_ns: int) -> StationStatus:
        """Describe everything that is counted."""
        link = self._link
        summary = self._summary
        summary.dropped = merge_drops(link.dropped, self.dropped)
        summary.handshakes = link.handshakes
        summary.generation = 0 if link.session is None else link.session.number
        heard = link.heard_ns
        made_after = self._made_after_ns
        return StationStatus(
            state="live" if self.is_live(now_ns) else "lost" if link.handshakes else "none",
            heard_s=None if heard is None else (now_ns - heard) / 1e9,
            telemetry_age_s=None if made_after is None else (now_ns - made_after) / 1e9,
            link=summary,
            authority={"epoch": link.authority_epoch, "is_holder": self.is_holder},
            drone_boot_count=self.drone_boot_count,
        )

    def _receive_opened(self, opened: Opened, size: int, now_ns: int) -> bytes:
        summary = self._summary
        summary.datagrams_down += 1
        summary.bytes_down += size
        try:
            frames, records = parse_records(opened.payload)
            for kind, value in records:
                if kind == STATUS:
                    self._receive_status(DroneStatus.parse(value), opened.order, now_ns)
        except MalformedRecordsError:
            self.dropped[_MALFORMED] += 1
            return b""
        summary.frames_down += len(frames)
        return b"".join(frames)

    def _receive_status(self, status: DroneStatus, order: tuple[int, int], now_ns: int) -> None:
        if order <= self._status_order:
            return  # held back on the way: it says how things were
        self._status_order = order
        self._link.authority_epoch = status.authority_epoch
        self.is_holder = status.is_holder
        session = self._link.session
        # An acknowledgement counts frames of its own generation, and says nothing of another.
        if session is not None and session.number == order[0]:
            age_ns = session.sent.age_bound_ns(status.ack, now_ns)
            self._made_after_ns = None if age_ns is None else now_ns - age_ns

    def _seal(self, frames: list[bytes], now_ns: int) -> None:
        try:
            sealed = self._link.seal(b"".join(frames), now_ns)
        except CounterExhaustedError:
            self.dropped[Drop.COUNTER_LIMIT] += len(frames)
            return
        if sealed is None:
            self.dropped[Drop.NO_SESSION] += len(frames)
            return
        self._outgoing.append(sealed)
        self._keepalive_ns = now_ns + KEEPALIVE_NS
        summary = self._summary
        summary.frames_up += len(frames)
        summary.datagrams_up += 1
        summary.bytes_up += len(sealed)
