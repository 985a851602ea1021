"""The way down: what the companion has to say to each live station, sealed and in its turn."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from crypto.generation import CounterExhaustedError
from crypto.messages import DOWN_OVERHEAD, Drop
from crypto.responder import Responder
from crypto.sessions import Path
from flightcore.arbiter import Arbiter
from flightcore.options import Options
from flightcore.paired import PairedGround, encode_piece
from wire.cobs_framing import FRAMING_BYTES
from wire.cobs_framing import MAX_DATAGRAM_BYTES as MAX_RADIO_BYTES
from wire.locality import RADIO
from wire.mavlink import MAGIC_V2
from wire.records import DroneStatus, Refusals, padded
from wire.send_queue import MIN_RATE, SendQueue

STATUS_INTERVAL_NS: Final = 200_000_000
AUTHORITY_INTERVAL_NS: Final = 1_000_000_000
_FORGED: Final = (Drop.BAD_TAG, Drop.BAD_MAC, Drop.BAD_HANDSHAKE)
UDP_RATE: Final = 125_000.0  # bytes/s: the slowest that Wi-Fi goes


class Air:
    """Seal records for stations: at once over UDP, by priority at the line's rate over the radio.

    `stations`, `dropped` are the companion's own. The zero state has sent nothing.
    """

    def __init__(
        self,
        link: Responder,
        stations: Mapping[str, PairedGround],
        arbiter: Arbiter,
        options: Options,
        dropped: Counter[str],
        revocation_serial: Callable[[], int],
    ) -> None:
        self._link = link
        self._stations = stations
        self._arbiter = arbiter
        self._options = options
        self._dropped = dropped
        self._revocation_serial = revocation_serial
        self._out: list[tuple[bytes, Path]] = []

    def outgoing(self) -> list[tuple[bytes, Path]]:
        """Return the datagrams to send, each with its path."""
        out, self._out = self._out, []
        return out

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do."""
        first: int | None = None
        for station in self._stations.values():
            if station.peer.live is None:
                continue
            carries = station.transfers.deadline_ns() if station.may_carry else None
            drains = None if station.queue is None else station.queue.deadline_ns()
            for time in (station.status_due_ns, station.authority_due_ns, carries, drains):
                if time is not None and (first is None or time < first):
                    first = time
        return first

    def tick(self, now_ns: int) -> None:
        """Report status, carry on with transfers, and let out what the radio has room for."""
        self.drain_radio(now_ns)
        for station in self._stations.values():
            if station.peer.live is not None:
                self._report(station, now_ns)
        self.drain_radio(now_ns)

    def reply(self, datagram: bytes, path: Path, now_ns: int) -> None:
        """Send an answer to a handshake; on the radio it takes its room from everyone's."""
        self._out.append((datagram, path))
        for station in self._stations.values():
            if path == RADIO and station.queue is not None:
                station.queue.spent(len(datagram) + FRAMING_BYTES, now_ns)

    def follow_path(self, station: PairedGround, now_ns: int) -> None:
        """Queue for the radio while the station is there; stations there share the line."""
        if station.is_on_radio == (station.queue is not None):
            return
        station.queue = None
        station.status_due_ns = now_ns  # so that the ground hears where its frames arrive
        there = [s for s in self._stations.values() if s.is_on_radio]
        for other in there:
            rate = max(MIN_RATE, self._options.radio_rate // len(there))
            other.queue = SendQueue(rate, dropped=self._dropped)

    def send_to_all(self, frames: list[bytes], now_ns: int) -> None:
        """Send frames to every live station; without one they are lost, and counted."""
        live = [s for s in self._stations.values() if s.peer.live is not None]
        for station in live:
            self.send(station, frames, now_ns)
        if not live:
            self._dropped[Drop.NO_SESSION] += len(frames)

    def _report(self, station: PairedGround, now_ns: int) -> None:
        """Send what the companion itself has to say to one station."""
        if now_ns >= station.authority_due_ns:
            station.authority_due_ns = now_ns + AUTHORITY_INTERVAL_NS
            record = self._arbiter.state_record(station, self._revocation_serial(), now_ns)
            self.send(station, [record, self._refusals().encode()], now_ns)
        rate = self._options.radio_rate if station.is_on_radio else UDP_RATE
        if station.may_carry:
            for piece in station.transfers.outgoing(now_ns, rate):
                self.send(station, [encode_piece(piece)], now_ns)
        if now_ns >= station.status_due_ns:
            self.send(station, [], now_ns)

    def _refusals(self) -> Refusals:
        dropped = self._link.dropped
        return Refusals(
            forged=sum(dropped[reason] for reason in _FORGED),
            replayed=dropped[Drop.REPLAYED],
            unsealed=dropped[Drop.PLAINTEXT_MAVLINK],
        )

    def send(self, station: PairedGround, records: list[bytes], now_ns: int) -> None:
        """Send records to one station: at once, or on the radio when their turn has come."""
        if now_ns >= station.status_due_ns:
            assert station.peer.live is not None
            status = DroneStatus(
                ack=station.peer.live.ack,
                authority_epoch=self._arbiter.authority.state.epoch,
                is_holder=self._arbiter.authority.is_holder(station.station),
            )
            records = [status.encode(), *records]
            station.status_due_ns = now_ns + STATUS_INTERVAL_NS
        if station.queue is None:
            self._seal(station, records, now_ns)
        else:
            for record in records:
                station.put(record, now_ns)

    def drain_radio(self, now_ns: int) -> None:
        """Let out what the radio has room for."""
        for station in self._stations.values():
            if station.queue is not None and station.peer.live is not None:
                batch = station.queue.take(MAX_RADIO_BYTES - DOWN_OVERHEAD, now_ns)
                if batch:
                    size = self._seal(station, batch, now_ns)
                    station.queue.spent(size + FRAMING_BYTES, now_ns)

    def _seal(self, station: PairedGround, records: list[bytes], now_ns: int) -> int:
        payload = b"".join(records)
        if self._options.pads_downlink:
            payload = padded(payload, DOWN_OVERHEAD)
        frames = sum(record[0] == MAGIC_V2 for record in records)
        try:
            sealed = self._link.seal(station.name, payload, now_ns)
        except CounterExhaustedError:
            self._dropped[Drop.COUNTER_LIMIT] += frames
            return 0
        assert sealed is not None
        self._out.append(sealed)
        summary = station.summary
        summary.frames_down += frames
        summary.datagrams_down += 1
        summary.bytes_down += len(sealed[0])
        return len(sealed[0])
