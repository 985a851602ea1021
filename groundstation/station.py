"""One drone as the ground sees it, sans-I/O: secure link on one side, plain MAVLink on the other.

Down: datagram -> opened -> MAVLink bytes for the tools. Up: whole frames from the tools -> sealed
and sent at once, never held for company; on the radio as soon as the line is free.
"""

from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

import msgspec

from crypto.chunks import Piece
from crypto.generation import CounterExhaustedError, Opened
from crypto.initiator import Established, Initiator, PairChanged
from crypto.messages import UP_OVERHEAD, Drop
from crypto.pair import PairRecord
from crypto.primitives import RandomBytes
from groundstation.command import Command
from groundstation.custody import Custody
from groundstation.paths import Paths
from groundstation.tasking import Task, TaskStatus
from wire.authority import Flag
from wire.cobs_framing import FRAMING_BYTES
from wire.cobs_framing import MAX_DATAGRAM_BYTES as MAX_RADIO_BYTES
from wire.fragments import Reassembler
from wire.locality import RADIO, UDP, Address
from wire.mavlink import HEADER_BYTES, MAGIC_V2
from wire.priority import Priority, priority_of
from wire.records import (
    AUTHORITY,
    CHALLENGE,
    CHUNK,
    CHUNK_ACK,
    FRAGMENT,
    REFUSALS,
    STATUS,
    TRAJECTORY,
    DroneStatus,
    MalformedRecordsError,
    Refusals,
    encode_record,
    padded,
    parse_records,
)
from wire.send_queue import SendQueue
from wire.summary import LinkSummary, merge_drops

KEEPALIVE_NS: Final = 200_000_000
RADIO_KEEPALIVE_NS: Final = 500_000_000
MAX_DATAGRAM_BYTES: Final = 1200
UDP_RATE: Final = 125_000.0  # bytes/s: the slowest that Wi-Fi goes
ROUND_TRIPS: Final = 32  # of the last answers
LATE_NS: Final = 2_000_000_000
_MAX_RECORDS = MAX_DATAGRAM_BYTES - UP_OVERHEAD
_MALFORMED = "malformed_records"
_BASE_MODE = 6  # offset in the payload of HEARTBEAT, whose last bytes are not sent if zero
_ARMED = 0x80


class StationStatus(msgspec.Struct):
    """One drone for `sekisho status`."""

    state: str
    path: str
    heard_s: float | None
    telemetry_age_s: float | None
    link: LinkSummary
    authority: dict[str, str | int | bool | None]
    suite: str
    psk_generation: int
    drone_boot_count: int | None
    log_head: str | None  # how far the drone's recording had come at the last handshake
    revocation_serial: int | None
    radio: dict[str, str | int] = {}
    recorder: dict[str, str | int | None] = {}
    expected_down: int = 0  # datagrams that the drone has sealed up to the newest that came
    round_trip_s: float | None = None  # the least of the last answers
    generation_s: float | None = None
    trajectory: TaskStatus = msgspec.field(default_factory=TaskStatus)
    aboard: dict[str, int] = {}  # what the drone has refused from strangers while we listened


class Station:
    """Bytes and time in; bytes, datagrams and a deadline out. The zero state has no session.

    Args:
        pair: The pair record of the drone.
        boot_count: How often this ground has started.
        random_bytes: Source of randomness.
        paths: The ways to the drone, best first: `UDP`, `RADIO` or both.
        radio_rate: What the radio sends. [byte/s]
    """

    def __init__(
        self,
        pair: PairRecord,
        boot_count: int,
        random_bytes: RandomBytes,
        paths: Sequence[Address] = (UDP,),
        radio_rate: int = 5760,
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self.is_holder = False
        self.drone_boot_count: int | None = None
        self.log_head: str | None = None
        self.command = Command(pair.profile, pair.gcs_id)
        self._link = Initiator(pair, boot_count, random_bytes)
        self._paths = Paths(paths)
        self._queue = SendQueue(radio_rate, dropped=self.dropped) if RADIO in paths else None
        self._radio_rate = radio_rate
        self._reassembler = Reassembler(self.dropped)
        self._summary = LinkSummary()
        self._order = (0, -1)
        self._probe: tuple[int, int, Address] | None = None  # session, counter, way
        self._status_order = (0, -1)
        self._made_after_ns: int | None = None  # what is shown was made no earlier than this
        self._round_trips_ns: deque[int] = deque(maxlen=ROUND_TRIPS)
        self._expected_down = 0
        self._generation_ns = 0
        self._outgoing: list[tuple[bytes, Address]] = []
        self._keepalive_ns = 0
        self.is_armed: bool | None = None  # what the autopilot said last
        self._refused_order = (0, -1)
        self._refused: Refusals | None = None  # as the drone counts since it started
        self.custody = Custody(self._link, random_bytes, self.dropped)
        self.task = Task(self.custody.transfers, random_bytes)
        self.aboard: Counter[str] = Counter()  # what the drone has refused while we listened

    def is_live(self, now_ns: int) -> bool:
        """Tell whether the drone is being heard: a session, and a frame in the last second."""
        return self._link.is_linked and not self._link.is_silent(now_ns)

    def seen_ns(self, now_ns: int) -> int:
        """Return when what comes now may have been made: now, unless it is known to be late."""
        made_after_ns = self._made_after_ns
        is_late = made_after_ns is not None and now_ns - made_after_ns > LATE_NS
        return made_after_ns if made_after_ns is not None and is_late else now_ns

    def receive_link(self, datagram: bytes, now_ns: int, path: Address = UDP) -> bytes:
        """Take a datagram that came by `path`; return the MAVLink bytes in it, if any."""
        out = b""
        had_session = self._link.session
        for event in self._link.receive(datagram, now_ns):
            match event:
                case Opened():
                    out += self._receive_opened(event, path, len(datagram), now_ns)
                case PairChanged(record=record):
                    self.custody.changed(record, now_ns)
                case Established():
                    self.is_holder = event.is_holder
                    if self.drone_boot_count not in (None, event.drone_boot_count):
                        self._refused = Refusals()
                    self.drone_boot_count = event.drone_boot_count
                    self.log_head = event.log_head.hex() if any(event.log_head) else None
        if self._link.session is not had_session:
            self._begin_session(path, now_ns)
        self._drain_radio(now_ns)
        return out

    def send(self, frames: list[bytes], now_ns: int) -> None:
        """Send frames from the operator's tools, in order."""
        if self._is_on_radio:
            if self._link.session is None:
                self.dropped[Drop.NO_SESSION] += len(frames)
                return
            for frame in frames:
                self._put(priority_of(frame), frame, now_ns)
            self._drain_radio(now_ns)
            return
        batch: list[bytes] = []
        size = 0
        for frame in frames:
            if size + len(frame) > _MAX_RECORDS:
                self._seal(batch, UDP, now_ns)
                batch, size = [], 0
            batch.append(frame)
            size += len(frame)
        if batch:
            self._seal(batch, UDP, now_ns)

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do."""
        times = [self._link.deadline_ns(), self._paths.deadline_ns(), self.task.deadline_ns()]
        if self._link.session is not None:
            times += [self._keepalive_due_ns, self.command.deadline_ns(), self.task.send_ns()]
            if self._may_carry:
                times.append(self.custody.transfers.deadline_ns())
            times.append(self.custody.deadline_ns())
            if self._queue is not None and self._is_on_radio:
                times.append(self._queue.deadline_ns())
        due = [time for time in times if time is not None]
        return min(due) if due else None

    def tick(self, now_ns: int) -> None:
        """Do what is due: handshake, keepalive, requests, transfers."""
        if self._paths.settle(now_ns):
            self._keepalive_ns = now_ns  # so that the drone follows
        for handshake in self._link.outgoing(now_ns):
            self._outgoing.append((handshake, self._paths.active))
            if self._is_on_radio and self._queue is not None:
                self._queue.spent(len(handshake) + FRAMING_BYTES, now_ns)
        probe = self._paths.probe(now_ns)
        self.task.settle(now_ns, is_holder=self.is_holder)
        if self._link.session is None:
            return
        self.custody.tick(now_ns)
        for record in (*self.command.outgoing(now_ns), *self.task.outgoing(now_ns)):
            self._send_record(Priority.COMMAND, record, now_ns)
        self._drain_radio(now_ns)
        rate = self._radio_rate if self._is_on_radio else UDP_RATE
        for piece in self.custody.transfers.outgoing(now_ns, rate) if self._may_carry else ():
            record = encode_record(CHUNK_ACK if piece.is_ack else CHUNK, piece.value)
            self._send_record(Priority.BULK, record, now_ns)
        if probe is not None:
            self._probe = (self._link.session.number, self._link.session.next_counter, probe)
            self._seal([], probe, now_ns)
        self._drain_radio(now_ns)
        if now_ns >= self._keepalive_due_ns:
            self._seal([], self._paths.active, now_ns)

    def outgoing(self) -> list[tuple[bytes, Address]]:
        """Return the datagrams to send to the drone, each with its path."""
        out, self._outgoing = self._outgoing, []
        return out

    def status(self, now_ns: int) -> StationStatus:
        """Describe everything that is counted."""
        link = self._link
        summary = self._summary
        summary.dropped = merge_drops(link.dropped, self.dropped)
        summary.handshakes = link.handshakes
        summary.generation = 0 if link.session is None else link.session.number
        heard, state = link.heard_ns, self.command.state
        made_after = self._made_after_ns
        return StationStatus(
            state="live" if self.is_live(now_ns) else "lost" if link.handshakes else "none",
            path=self._paths.active[0],
            heard_s=None if heard is None else (now_ns - heard) / 1e9,
            telemetry_age_s=None if made_after is None else (now_ns - made_after) / 1e9,
            link=summary,
            authority=self._authority_status(now_ns),
            suite=link.pair.profile.name,
            psk_generation=link.pair.psk_generation,
            drone_boot_count=self.drone_boot_count,
            log_head=self.log_head,
            revocation_serial=None if state is None else state.revocation_serial,
            expected_down=self._expected_down,
            round_trip_s=min(self._round_trips_ns) / 1e9 if self._round_trips_ns else None,
            generation_s=None if link.session is None else (now_ns - self._generation_ns) / 1e9,
            trajectory=self.task.describe(now_ns),
            aboard=dict(self.aboard),
        )

    @property
    def _is_on_radio(self) -> bool:
        return self._paths.active == RADIO

    @property
    def _keepalive_due_ns(self) -> int:
        """When an empty frame must leave: on a radio not before the line is free for it."""
        if self._queue is None or not self._is_on_radio:
            return self._keepalive_ns
        return max(self._keepalive_ns, self._queue.free_ns)

    @property
    def _may_carry(self) -> bool:
        """Pieces of a transfer may be asked for: on the radio one waits at a time."""
        return (
            not self._is_on_radio or self._queue is None or not self._queue.waiting(Priority.BULK)
        )

    def _authority_status(self, now_ns: int) -> dict[str, str | int | bool | None]:
        command, state = self.command, self.command.state
        challenge = command.challenge(now_ns)
        flags = Flag(0) if state is None else state.flags
        return {
            "epoch": self._link.authority_epoch,
            "is_holder": self.is_holder,
            "own_id": self._link.pair.gcs_id.hex(),
            "holder_id": None if state is None else state.holder.hex(),
            "holder_lost": Flag.HOLDER_LOST in flags,
            "offered": Flag.OFFERED_TO_YOU in flags,
            "navigation_suspect": Flag.NAVIGATION_SUSPECT in flags,
            "request": "waiting" if command.is_waiting else command.result.name.lower(),
            "challenge": None if challenge is None else challenge.nonce.hex(),
            "operation": None if challenge is None else challenge.operation.hex(),
        }

    def _begin_session(self, path: Address, now_ns: int) -> None:
        """Start over what lives within one session; its first frame is what the drone waits for."""
        self._paths.use(path, now_ns)
        self._probe = None
        self._keepalive_ns = self._generation_ns = now_ns
        self._round_trips_ns.clear()
        self.custody.begin_session()
        self.task.begin_session(now_ns)

    def _receive_opened(self, opened: Opened, path: Address, size: int, now_ns: int) -> bytes:
        summary = self._summary
        summary.datagrams_down += 1
        summary.bytes_down += size
        if opened.order > self._order:
            is_first = opened.order[0] > self._order[0]
            self._expected_down += opened.order[1] - (-1 if is_first else self._order[1])
            self._order = opened.order
            self._paths.heard(path, now_ns)
        try:
            frames, records = parse_records(opened.payload)
            out = [*frames]
            for kind, value in records:
                out += self._receive_record(kind, value, opened.order, path, now_ns)
        except MalformedRecordsError:
            self.dropped[_MALFORMED] += 1
            return b""
        summary.frames_down += len(out)
        for frame in out:
            if frame[7:10] == b"\0\0\0" and frame[6] == 1:
                self._receive_heartbeat(frame)
        return b"".join(out)

    def _receive_record(
        self, kind: int, value: bytes, order: tuple[int, int], path: Address, now_ns: int
    ) -> list[bytes]:
        """Take one typed record; return the MAVLink frame that it completes."""
        match kind:
            case _ if kind == STATUS:
                self._receive_status(DroneStatus.parse(value), order, path, now_ns)
            case _ if kind == AUTHORITY:
                self.command.receive_state(value, order, now_ns)
                if self.command.state is not None:
                    self.custody.revocations_there(self.command.state.revocation_serial, now_ns)
            case _ if kind == REFUSALS:
                self._receive_refusals(value, order)
            case _ if kind == CHALLENGE:
                self.command.receive_challenge(value, now_ns)
            case _ if kind in (CHUNK, CHUNK_ACK):
                self._receive_piece(Piece(kind == CHUNK_ACK, value), order, now_ns)
            case _ if kind == TRAJECTORY:
                self.task.receive_status(value, order, now_ns)
            case _ if kind == FRAGMENT:
                whole = self._reassembler.receive(value, now_ns)
                return [] if whole is None else [whole.frame]
            case _:
                self.dropped["unknown_record"] += 1
        return []

    def _receive_piece(self, piece: Piece, order: tuple[int, int], now_ns: int) -> None:
        """Take a piece of a transfer, which lives within one session."""
        if self._link.session is None or self._link.session.number != order[0]:
            return
        blob = self.custody.transfers.receive(piece, now_ns)
        if blob is not None:
            self.custody.receive(blob, now_ns)
        self.task.acknowledged(order, now_ns)

    def _receive_refusals(self, value: bytes, order: tuple[int, int]) -> None:
        refused = Refusals.parse(value)
        if refused is None or order <= self._refused_order:
            return
        if self._refused is not None:  # what was before we listened is no news
            self.aboard.update(refused.since(self._refused)._asdict())
        self._refused, self._refused_order = refused, order

    def _receive_heartbeat(self, frame: bytes) -> None:
        """Change keys when the autopilot arms, so that each flight has its own."""
        is_armed = frame[1] > _BASE_MODE and bool(frame[HEADER_BYTES + _BASE_MODE] & _ARMED)
        if is_armed and not self.is_armed:
            self._link.rekey()
        self.is_armed = is_armed

    def _receive_status(
        self, status: DroneStatus, order: tuple[int, int], path: Address, now_ns: int
    ) -> None:
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
            if age_ns is not None:
                self._round_trips_ns.append(age_ns)
                self._paths.answered(now_ns - age_ns)
                self._receive_probe_answer(status.ack, order[0], path, now_ns)

    def _receive_probe_answer(self, ack: int, session: int, path: Address, now_ns: int) -> None:
        """Return to a better way once the drone, heard there, acknowledges what was sent there.

        Frames that were under way there before acknowledge less.
        """
        probe = self._probe
        if probe is not None and (session, path) == (probe[0], probe[2]) and ack >= probe[1]:
            self._probe = None
            self._paths.use(path, now_ns)

    def _send_record(self, priority: Priority, record: bytes, now_ns: int) -> None:
        if self._is_on_radio:
            self._put(priority, record, now_ns)
        else:
            self._seal([record], UDP, now_ns)

    def _put(self, priority: Priority, record: bytes, now_ns: int) -> None:
        assert self._queue is not None
        self._queue.put(priority, record, now_ns)

    def _drain_radio(self, now_ns: int) -> None:
        if self._queue is None or not self._is_on_radio or self._link.session is None:
            return
        batch = self._queue.take(MAX_RADIO_BYTES - UP_OVERHEAD, now_ns)
        if batch:
            self._seal(batch, RADIO, now_ns)

    def _seal(self, records: list[bytes], path: Address, now_ns: int) -> None:
        frames = sum(record[0] == MAGIC_V2 for record in records)
        if path == self._paths.active:  # also if nothing can be sealed any more
            interval_ns = RADIO_KEEPALIVE_NS if self._is_on_radio else KEEPALIVE_NS
            self._keepalive_ns = now_ns + interval_ns
        try:
            sealed = self._link.seal(padded(b"".join(records), UP_OVERHEAD), now_ns)
        except CounterExhaustedError:
            self.dropped[Drop.COUNTER_LIMIT] += frames
            return
        if sealed is None:
            self.dropped[Drop.NO_SESSION] += frames
            return
        self._outgoing.append((sealed, path))
        if path == RADIO and self._queue is not None:
            self._queue.spent(len(sealed) + FRAMING_BYTES, now_ns)
        summary = self._summary
        summary.frames_up += frames
        summary.datagrams_up += 1
        summary.bytes_up += len(sealed)
