"""The whole companion, sans-I/O: autopilot on one side, paired ground stations on the other.

Down: bytes of the line -> frames -> batches -> sealed for every live station. Up: datagram ->
opened by its pair's keys -> judged -> the line. Nothing is decoded before it is authenticated.
What must survive a restart is handed out by `outgoing_saves`, and takes effect when `saved` says
that it is on disk.
"""

from collections import Counter
from collections.abc import Sequence, Set
from typing import Final

from crypto.chunks import Kind, Piece
from crypto.generation import Opened
from crypto.messages import DOWN_OVERHEAD
from crypto.pair import PairRecord
from crypto.primitives import RandomBytes
from crypto.responder import Established, PairChanged, Reply, Responder
from crypto.revocation import AuthorityPublic, RevocationList
from crypto.sessions import Path
from flightcore.air import Air
from flightcore.arbiter import MALFORMED, Arbiter
from flightcore.audit import describe_operation
from flightcore.authority import AuthorityState
from flightcore.autopilot import Autopilot
from flightcore.companion_status import CompanionStatus, describe
from flightcore.custody import AcceptedList, Custody, Saved
from flightcore.downlink import MAX_DATAGRAM_BYTES, Downlink
from flightcore.options import DEFAULT_OPTIONS, Options
from flightcore.paired import PairedGround
from flightcore.policy import Freshness, Refuse
from flightcore.signing import Signing, SigningFloor, SigningKeys, stripped
from flightcore.tasking.tasking import Tasking
from flightcore.uplink import Context, Passed
from flightcore.watch import Watch
from wire.locality import RADIO, Address
from wire.mavlink import dialect
from wire.recorder import Recorder
from wire.records import (
    AUTHORITY,
    CHUNK,
    CHUNK_ACK,
    CONFIRM,
    FRAGMENT,
    TRAJECTORY,
    MalformedRecordsError,
    parse_records,
)
from wire.tasking import FlyReason
from wire.trail import Event, Topic, Trail

_STATUS_BYTES = 10
NOBODY_REVOKED: Final = RevocationList()
_UNCONFIRMED: Final = Refuse("unconfirmed", "not confirmed")


Save = Saved | AuthorityState | SigningFloor | SigningKeys


class Companion:
    """Bytes and time in; bytes, datagrams and a deadline out. The zero state knows no autopilot."""

    def __init__(
        self,
        pairs: Sequence[PairRecord],
        boot_count: int,
        random_bytes: RandomBytes,
        authority: AuthorityState | None = None,
        options: Options = DEFAULT_OPTIONS,
        fleet: AuthorityPublic | None = None,
        revocations: RevocationList = NOBODY_REVOKED,
        signing: Signing | None = None,
    ) -> None:
        self.autopilot = Autopilot(signing)
        self.dropped: Counter[str] = Counter()
        self.link = Responder(pairs, boot_count, random_bytes)
        self.watch = Watch(self.autopilot, options)
        self.stations = {
            name: PairedGround(peer, self.watch.prearm.judge, options.policy)
            for name, peer in self.link.peers.items()
        }
        self.arbiter = Arbiter(
            self.stations,
            AuthorityState() if authority is None else authority,
            random_bytes,
            dual_control=options.dual_control,
        )
        self._options = options
        self._boot_count = boot_count
        self._downlink = Downlink(MAX_DATAGRAM_BYTES - DOWN_OVERHEAD - _STATUS_BYTES)
        self._to_line: list[bytes] = []
        self._to_save: list[Save] = []
        self._notes: list[str] = []
        self.custody = Custody(self.link, self.stations, fleet, revocations, self._note)
        self.air = Air(
            self.link,
            self.stations,
            self.arbiter,
            options,
            self.dropped,
            lambda: self.custody.revocations.serial,
        )
        self.tasking = Tasking(
            self.watch.offboard,
            self.watch.fence,
            self.autopilot,
            self.arbiter.authority,
            options.policy,
            self.stations,
        )
        self.recorder = Recorder(options.record, keeps_before=not options.purges)
        self.trail = Trail()
        self._show_authority()

    def start(self, now_ns: int) -> None:
        """Note that the service runs from now on."""
        self.trail.add(Event(Topic.SERVICE, f"start {self._boot_count}"), now_ns)

    def stop(self, now_ns: int) -> None:
        """Complete what is recorded: the service stops."""
        self.recorder.finish()
        self.trail.sum_up(self.status(now_ns).link.dropped, now_ns)
        self.trail.add(Event(Topic.SERVICE, "stop"), now_ns)

    def receive_line(self, data: bytes, now_ns: int) -> None:
        """Take bytes from the autopilot."""
        before = self.autopilot.sysid
        frames = self.autopilot.receive(data, now_ns)
        if before not in (None, self.autopilot.sysid):
            self.watch.line_lost()
        self.recorder.receive(frames, now_ns)
        self.recorder.follow(self.autopilot.is_armed, now_ns)
        self.watch.receive(frames, now_ns)
        for text in self.autopilot.notices():
            self.watch.voice.tell(dialect.MAV_SEVERITY_WARNING, text)
        self._to_line += self.autopilot.challenges(now_ns)
        for batch in self._downlink.queue(self.autopilot.for_ground(frames), now_ns):
            self.air.send_to_all(batch, now_ns)
        self._settle(now_ns)

    def receive_link(self, datagram: bytes, path: Path, now_ns: int) -> bool:
        """Take a datagram that came over `path` from anyone; tell whether it was anything to us."""
        events = self.link.receive(datagram, path, now_ns)
        for event in events:
            match event:
                case Opened():
                    self._receive_opened(event, path, len(datagram), now_ns)
                case Reply(datagram=reply):
                    self.air.reply(reply, event.path, now_ns)
                case PairChanged(record=record):
                    self.custody.changed(record, now_ns)
                case Established(peer=name, number=number):
                    self.stations[name].begin_session(number, now_ns)
                    self.tasking.begin_session(name, now_ns)
                    self._note(Event(Topic.SESSION, f"{name}: session {number}", by=name), now_ns)
        if events:
            self.air.drain_radio(now_ns)
        return bool(events)

    def settle(self, now_ns: int) -> None:
        """Pass on what the control loop has said."""
        self._settle(now_ns)

    def line_lost(self) -> None:
        """Forget the autopilot: its line is gone."""
        self.autopilot.forget()
        self.watch.line_lost()
        self._to_line.clear()

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do."""
        first: int | None = None
        # Asked after every piece of the line: a loop, because a generator costs twice as much.
        for time in (
            self.link.deadline_ns(),
            self._downlink.due_ns,
            self.arbiter.deadline_ns(),
            self.watch.deadline_ns(),
            self.autopilot.signing.deadline_ns(),
            self.recorder.deadline_ns(),
            self.trail.deadline_ns(),
            self.tasking.deadline_ns(),
            self.air.deadline_ns(),
        ):
            if time is not None and (first is None or time < first):
                first = time
        return first

    def tick(self, now_ns: int) -> None:
        """Do what is due: flush telemetry, report status, carry on with transfers."""
        self.link.tick(now_ns)
        if self._downlink.due_ns is not None and now_ns >= self._downlink.due_ns:
            self.air.send_to_all(self._downlink.flush(), now_ns)
        for asker, frame in self.arbiter.expired(now_ns):
            answers = asker.uplink.refuse(frame, _UNCONFIRMED, self.autopilot, now_ns)
            if asker.peer.live is not None:
                self.air.send(asker, answers, now_ns)
        self.watch.tick(now_ns)
        self.autopilot.signing.tick(now_ns)
        self.recorder.tick(now_ns)
        self._settle(now_ns)
        self._sum_up(now_ns)
        self.air.tick(now_ns)

    def live_addresses(self) -> Set[Address]:
        """Return the addresses at which live stations were heard last, the radio left out."""
        peers = (station.peer for station in self.stations.values())
        paths = {peer.path for peer in peers if peer.live is not None and peer.path is not None}
        return paths - {RADIO}

    def outgoing_link(self) -> list[tuple[bytes, Path]]:
        """Return the datagrams to send, each with its path."""
        return self.air.outgoing()

    def outgoing_line(self) -> bytes:
        """Return the bytes to write to the autopilot."""
        out = b"".join(self._to_line)
        self._to_line.clear()
        return out

    def outgoing_saves(self) -> list[Save]:
        """Return what must be written to disk, in this order, each to be followed by `saved`."""
        out, self._to_save = [*self._to_save, *self.custody.to_save()], []
        return out

    def outgoing_notes(self) -> list[str]:
        """Return what the log should say: sessions, keys, and every change of authority."""
        out, self._notes = self._notes, []
        return out

    def saved(self, item: Save, now_ns: int) -> None:
        """Let something take effect: it is on disk."""
        if isinstance(item, AuthorityState):
            self.arbiter.saved(item, now_ns)
            self.watch.offboard.abort(FlyReason.COMMAND_CHANGED, now_ns)
            self._show_authority()
            self._settle(now_ns)
            return
        if isinstance(item, PairRecord | AcceptedList):
            self.custody.saved(item, now_ns)
        # What the line is signed with holds from the moment it was seen.

    def save_failed(self, item: Save, now_ns: int) -> None:
        """Go on with what is on disk: something could not be written."""
        self.dropped["not_saved"] += 1
        if isinstance(item, AuthorityState):
            self.arbiter.not_saved(now_ns)
        elif isinstance(item, SigningFloor | SigningKeys):
            self.autopilot.signing.not_saved(item, now_ns)
        else:
            self.custody.save_failed(item)

    def status(self, now_ns: int) -> CompanionStatus:
        """Describe everything that is counted."""
        status = describe(
            self.stations, self.link, self.arbiter.authority, self.autopilot, self.dropped, now_ns
        )
        status.revocation_serial = self.custody.revocations.serial
        status.policy_override = self._options.policy.fingerprint
        status.failsafe = self.watch.failsafe.describe(now_ns)
        status.flight = self.watch.offboard.describe(now_ns).status()
        status.prearm = self.watch.prearm.describe(now_ns)
        status.monitor = self.watch.navigation.status(now_ns)
        if self.watch.rates is not None:
            status.autopilot["short_rates"] = self.watch.rates.short
        return status

    def _receive_opened(self, opened: Opened, path: Path, size: int, now_ns: int) -> None:
        station = self.stations[opened.peer]
        station.heard_ns = now_ns
        station.summary.datagrams_up += 1
        station.summary.bytes_up += size
        self.air.follow_path(station, now_ns)
        context = self._context(station, path, now_ns)
        self.arbiter.heard(station, opened, context, now_ns)
        if context.is_holder and station.uplink.is_fresh(opened, Freshness.PRESENCE, context):
            self.watch.failsafe.heard(context.limits[Freshness.PRESENCE], now_ns)
        if opened.payload:
            self._receive_payload(station, opened, context, now_ns)
        self._settle(now_ns)

    def _receive_payload(
        self, station: PairedGround, opened: Opened, context: Context, now_ns: int
    ) -> None:
        try:
            frames, records = parse_records(opened.payload)
        except MalformedRecordsError:
            station.uplink.dropped[MALFORMED] += 1
            return
        passed = station.uplink.receive(frames, opened, self.autopilot, context, now_ns)
        self._carry_out(station, passed, now_ns)
        for kind, value in records:
            if station.name in self.stations:  # and has not just shut itself out
                self._receive_record(station, opened, context, kind, value, now_ns)

    def _receive_record(
        self,
        station: PairedGround,
        opened: Opened,
        context: Context,
        kind: int,
        value: bytes,
        now_ns: int,
    ) -> None:
        match kind:
            case _ if kind == AUTHORITY:
                other = self.arbiter.receive_request(station, opened, context, value, now_ns)
                if other is not None:
                    self.custody.shut_out(other.name, now_ns)
            case _ if kind == CONFIRM:
                asked = self.arbiter.receive_confirmation(station, opened, context, value, now_ns)
                if asked is not None:
                    passed = asked.asker.uplink.confirmed(asked.frame, self.autopilot, now_ns)
                    self._carry_out(asked.asker, passed, now_ns)
            case _ if kind == TRAJECTORY:
                self.tasking.receive_request(station, opened, context, value, now_ns)
            case _ if kind in (CHUNK, CHUNK_ACK):
                if station.is_of_session(opened.order):
                    piece = Piece(kind == CHUNK_ACK, value)
                    self._receive_piece(station, opened, context, piece, now_ns)
            case _ if kind == FRAGMENT and opened.age_bound_ns is not None:
                whole = station.reassembler.receive(value, now_ns - opened.age_bound_ns)
                if whole is not None:
                    aged = opened._replace(age_bound_ns=now_ns - whole.made_after_ns)
                    passed = station.uplink.receive(
                        [whole.frame], aged, self.autopilot, context, now_ns
                    )
                    self._carry_out(station, passed, now_ns)
            case _:
                station.uplink.dropped["unknown_record"] += 1

    def _receive_piece(
        self,
        station: PairedGround,
        opened: Opened,
        context: Context,
        piece: Piece,
        now_ns: int,
    ) -> None:
        """Take a piece of a transfer; of a trajectory only from whoever may upload one."""
        is_upload = not piece.is_ack and piece.value[:1] == bytes((Kind.TRAJECTORY,))
        if is_upload and not self.tasking.may_upload(station, opened, context, now_ns):
            return
        blob = station.transfers.receive(piece, now_ns)
        if blob is None:
            return
        if blob.kind is Kind.TRAJECTORY:
            self.tasking.receive_document(station, blob.data, now_ns)
        else:
            self.custody.receive(station, blob, now_ns)

    def _carry_out(self, station: PairedGround, passed: Passed, now_ns: int) -> None:
        self._write_line(passed.frames, now_ns)
        self.watch.passed(passed.frames, now_ns)
        for frame, text in passed.unconfirmed:
            self.arbiter.ask(station, frame, now_ns)
            passed.answers.extend(station.uplink.ask_back(frame, text, self.autopilot))
        if passed.answers:
            self.air.send(station, passed.answers, now_ns)

    def _settle(self, now_ns: int) -> None:
        """Pass on what the arbiter and the watch want written, told and done."""
        cleared_ns = self.arbiter.alarm_cleared_ns()
        if cleared_ns is not None:
            self.watch.navigation.clear(cleared_ns, now_ns)
        self.arbiter.show_navigation(self.watch.navigation.is_suspect, now_ns)
        change = self.arbiter.to_save()
        if change is not None:
            self._to_save.append(change)
        for station, record in self.arbiter.outgoing():
            self.air.send(station, [record], now_ns)
        self.tasking.settle(now_ns)
        for station, record in self.tasking.outgoing(now_ns):
            self.air.send(station, [record], now_ns)
        for event in (*self.arbiter.outgoing_events(), *self.tasking.outgoing_events()):
            self._note(event, now_ns)
        for station in self.stations.values():
            while station.uplink.refused:
                operation, reason = station.uplink.refused.popleft()
                text = f"{describe_operation(operation)}: {reason}"
                self.trail.add(Event(Topic.REFUSED, text, by=station.name), now_ns)
        said = self.watch.outgoing()
        self._write_line(said.to_line, now_ns)
        self._to_save += self.autopilot.signing.to_save()
        for text in said.notes:
            self._note(Event(Topic.NOTE, text), now_ns)
        if said.to_ground:
            self.air.send_to_all(said.to_ground, now_ns)

    def _note(self, event: Event, now_ns: int) -> None:
        """Say something in the log, and keep it as evidence."""
        self._notes.append(event.text)
        self.trail.add(event, now_ns)

    def _sum_up(self, now_ns: int) -> None:
        due_ns = self.trail.deadline_ns()
        if due_ns is not None and now_ns >= due_ns:
            self.trail.sum_up(self.status(now_ns).link.dropped, now_ns)

    def _write_line(self, frames: Sequence[bytes], now_ns: int) -> None:
        plain = [stripped(frame) for frame in frames]
        self._to_line += self.autopilot.signed(plain, now_ns)
        self.recorder.receive(plain, now_ns)

    def tell(self, severity: int, text: str, now_ns: int) -> None:
        """Tell whoever watches something that concerns the machine that this runs on."""
        self.watch.voice.tell(severity, text)
        self._settle(now_ns)

    def _show_authority(self) -> None:
        """Let handshakes say who commands."""
        self.link.authority_epoch = self.arbiter.authority.state.epoch
        self.link.holder = self.arbiter.holder()

    def _context(self, station: PairedGround, path: Path, now_ns: int) -> Context:
        options = self._options
        return Context(
            epoch=self.arbiter.authority.state.epoch,
            is_held=self.arbiter.authority.is_held(),
            is_holder=self.arbiter.authority.is_holder(station.station),
            held_for_ns=self.arbiter.authority.held_for_ns(now_ns),
            limits=options.radio_limits if path == RADIO else options.udp_limits,
            last_order=station.uplink.last_order,
        )
