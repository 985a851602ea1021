"""Who decides what the stations ask of the companion itself: authority, and second steps.

It says what to tell whom, what to write and what to shut out; sending, writing and closing are the
companion's.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from crypto.confirmation import Challenge, Confirmations, UnconfirmedError
from crypto.generation import Opened
from crypto.pair import Role
from crypto.primitives import RandomBytes
from flightcore.audit import describe_operation
from flightcore.authority import Authority, AuthorityState
from flightcore.paired import PairedGround
from flightcore.policy import Freshness
from flightcore.uplink import Context
from wire.authority import Answer, Flag, Request, State, Verb
from wire.mavlink import MAGIC_V2
from wire.records import AUTHORITY, CHALLENGE, encode_record
from wire.trail import Event, Topic

MALFORMED: Final = "malformed_records"


class Asked(NamedTuple):
    """A MAVLink frame whose second step has come, or will not come any more."""

    asker: PairedGround
    frame: bytes


class Arbiter:
    """Authority and second steps of one drone.

    `stations` is the companion's own table. Invariant: of what it hands out to be written only the
    last is not on disk yet.
    """

    def __init__(
        self,
        stations: Mapping[str, PairedGround],
        state: AuthorityState,
        random_bytes: RandomBytes,
        *,
        dual_control: bool,
    ) -> None:
        self.authority = Authority(state)
        self._stations = stations
        self._confirmations = Confirmations(random_bytes, dual=dual_control)
        self._dual_control = dual_control
        self._is_navigation_suspect = False
        self._cleared_ns: int | None = None
        self._is_writing = False
        self._records: list[tuple[PairedGround, bytes]] = []
        self._events: list[Event] = []

    def deadline_ns(self) -> int | None:
        """Return when `expired` has something to say."""
        return self._confirmations.deadline_ns()

    def outgoing(self) -> list[tuple[PairedGround, bytes]]:
        """Return the challenges to send, to stations that have not been shut out meanwhile."""
        out, self._records = self._records, []
        return [(station, record) for station, record in out if station.name in self._stations]

    def outgoing_events(self) -> list[Event]:
        """Return what the log should say."""
        out, self._events = self._events, []
        return out

    def show_navigation(self, is_suspect: bool, now_ns: int) -> None:  # noqa: FBT001 - a state
        """Let the stations know whether the navigation alarm is raised, at once if it changes."""
        if is_suspect != self._is_navigation_suspect:
            self._is_navigation_suspect = is_suspect
            for station in self._stations.values():
                station.authority_due_ns = now_ns

    def alarm_cleared_ns(self) -> int | None:
        """Return, once, when the holder asked to clear the alarms raised before."""
        cleared_ns, self._cleared_ns = self._cleared_ns, None
        return cleared_ns

    def to_save(self) -> AuthorityState | None:
        """Return a change that has to be written, once; `saved` or `not_saved` must follow."""
        if self._is_writing or self.authority.to_save is None:
            return None
        self._is_writing = True
        return self.authority.to_save

    def heard(self, station: PairedGround, opened: Opened, context: Context, now_ns: int) -> None:
        """Note a frame of a station; only a fresh one shows that it is there."""
        if station.uplink.is_fresh(opened, Freshness.COMMAND, context):
            self.authority.heard(station.station, station.uplink.role, now_ns)

    def ask(self, station: PairedGround, operation: bytes, now_ns: int) -> None:
        """Ask a station, or under dual control any commander, to confirm an operation."""
        challenge = self._confirmations.ask(station.name, operation, now_ns)
        record = encode_record(CHALLENGE, challenge.encode())
        for other in self._stations.values():
            is_asked = self._dual_control and other.uplink.role is not Role.OBSERVER
            if other.peer.live is not None and (other is station or is_asked):
                self._records.append((other, record))

    def expired(self, now_ns: int) -> list[Asked]:
        """Return the frames that nobody confirmed in time."""
        late = self._confirmations.expired(now_ns)
        return [asked for challenge in late if (asked := self._frame_of(challenge)) is not None]

    def receive_confirmation(
        self, station: PairedGround, opened: Opened, context: Context, value: bytes, now_ns: int
    ) -> Asked | None:
        """Take a second step; return the frame that it confirms, if it is one."""
        dropped = station.uplink.dropped
        refusal = station.uplink.check_order(opened, Freshness.COMMAND, context)
        if refusal is not None or station.uplink.role is Role.OBSERVER:
            dropped["observer" if refusal is None else refusal.reason] += 1
            return None
        suite = station.peer.record.profile
        try:
            challenge = self._confirmations.confirm(station.name, suite, value, now_ns)
        except UnconfirmedError as error:
            dropped[error.reason] += 1
            return None
        operation = challenge.operation
        what = describe_operation(operation)
        text = f"{station.name} confirms for {challenge.requester}: {what}"
        self._events.append(
            Event(Topic.CONFIRMED, text, by=challenge.requester, confirmed_by=station.name)
        )
        asker = self._stations.get(challenge.requester)
        if asker is not None and operation[0] != MAGIC_V2:
            request = Request.parse(operation[2:])
            assert request is not None
            self._answer(asker, request, now_ns, made_ns=now_ns, is_confirmed=True)
        return self._frame_of(challenge)

    def receive_request(
        self, station: PairedGround, opened: Opened, context: Context, value: bytes, now_ns: int
    ) -> PairedGround | None:
        """Take a request; return the station that is to be shut out, if it asks for that."""
        request = Request.parse(value)
        if request is None:
            station.uplink.dropped[MALFORMED] += 1
            return None
        if station.is_repeated(request.number):
            station.authority_due_ns = now_ns
            return None
        if request.number != station.request_number and opened.order <= station.request_order:
            return None  # overtaken: it must not make another, that was carried out, look new
        station.request_order = opened.order
        if station.uplink.check_order(opened, Freshness.COMMAND, context) is not None:
            station.request_number, station.request_answer = request.number, Answer.STALE
            station.authority_due_ns = now_ns
            return None
        assert opened.age_bound_ns is not None  # or it would have been stale
        made_ns = now_ns - opened.age_bound_ns
        return self._answer(station, request, now_ns, made_ns=made_ns, is_confirmed=False)

    def saved(self, state: AuthorityState, now_ns: int) -> None:
        """Let a change hold: it is on disk. What was asked for before is forgotten."""
        self._is_writing = False
        previous = self._named_holder()
        self.authority.saved(state, now_ns)
        self._confirmations.clear()
        text = f"command: {self.holder()}, epoch {state.epoch}"
        self._events.append(
            Event(Topic.AUTHORITY, text, by=self._named_holder(), previous=previous)
        )
        self._settle(Answer.DONE, now_ns)

    def not_saved(self, now_ns: int) -> None:
        """Give up a change that could not be written."""
        self._is_writing = False
        self.authority.not_saved(now_ns)
        self._settle(Answer.NOT_SAVED, now_ns)

    def holder(self) -> str | None:
        """Return the name of the station in command; None if nobody is, or one not known here."""
        names = (s.name for s in self._stations.values() if self.authority.is_holder(s.station))
        return next(names, None)

    def _named_holder(self) -> str | None:
        """Return who is in command: by id, if it is a station that is not known here any more."""
        if not self.authority.is_held():
            return None
        return self.holder() or self.authority.state.holder.hex()

    def state_record(self, station: PairedGround, revocation_serial: int, now_ns: int) -> bytes:
        """Return what to tell a station of authority."""
        state = State(
            epoch=self.authority.state.epoch,
            holder=self.authority.state.holder,
            flags=self._flags(station, now_ns),
            number=station.request_number,
            answer=station.request_answer,
            revocation_serial=revocation_serial,
        )
        return encode_record(AUTHORITY, state.encode())

    def _answer(
        self,
        station: PairedGround,
        request: Request,
        now_ns: int,
        *,
        made_ns: int,
        is_confirmed: bool,
    ) -> PairedGround | None:
        if (
            request.verb is Verb.HAND_OVER
            and self.authority.is_holder(station.station)
            and not self._knows_other(request.station, station)
        ):
            self._tell(station, request, Answer.UNKNOWN_STATION, now_ns)
            return None
        if request.verb is Verb.CLEAR_ALARM:
            self._clear_alarm(station, request, now_ns, made_ns=made_ns)
            return None
        answer = self.authority.request(
            request,
            station.station,
            station.uplink.role,
            now_ns,
            made_ns=made_ns,
            is_confirmed=is_confirmed,
        )
        if answer is Answer.CONFIRM:
            self.ask(station, encode_record(AUTHORITY, request.encode()), now_ns)
        shut_out = None
        if request.verb is Verb.SUSPEND and answer is Answer.DONE:
            others = (s for s in self._stations.values() if s is not station)
            shut_out = next((s for s in others if s.station == request.station), None)
            answer = Answer.UNKNOWN_STATION if shut_out is None else answer
        self._tell(station, request, answer, now_ns)
        return shut_out

    def _clear_alarm(
        self, station: PairedGround, request: Request, now_ns: int, *, made_ns: int
    ) -> None:
        """Take back what was raised before the request was made: the operator saw no later one."""
        if station.uplink.role is Role.OBSERVER:
            self._tell(station, request, Answer.NOT_ALLOWED, now_ns)
        elif not self.authority.is_holder(station.station):
            self._tell(station, request, Answer.NOT_HOLDER, now_ns)
        else:
            self._cleared_ns = made_ns
            self._tell(station, request, Answer.DONE, now_ns)

    def _flags(self, station: PairedGround, now_ns: int) -> Flag:
        flags = self.authority.flags(station.station, now_ns)
        return flags | Flag.NAVIGATION_SUSPECT if self._is_navigation_suspect else flags

    def _knows_other(self, named: bytes, station: PairedGround) -> bool:
        others = (other for other in self._stations.values() if other is not station)
        return any(other.station == named for other in others)

    def _tell(self, station: PairedGround, request: Request, answer: Answer, now_ns: int) -> None:
        station.request_number, station.request_answer = request.number, answer
        text = f"{station.name}: {request.verb.name}: {answer.name}"
        self._events.append(Event(Topic.AUTHORITY, text, by=station.name))
        # A refusal concerns nobody else: no station can make the drone talk to the others.
        is_news = answer in (Answer.OFFERED, Answer.DONE)
        for other in self._stations.values() if is_news else (station,):
            other.authority_due_ns = now_ns

    def _frame_of(self, challenge: Challenge) -> Asked | None:
        asker = self._stations.get(challenge.requester)
        if asker is None or challenge.operation[0] != MAGIC_V2:
            return None
        return Asked(asker, challenge.operation)

    def _settle(self, answer: Answer, now_ns: int) -> None:
        for station in self._stations.values():
            station.status_due_ns = station.authority_due_ns = now_ns
            if station.request_answer is Answer.WRITING:
                station.request_answer = answer
