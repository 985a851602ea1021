"""What the ground asks of a trajectory: uploads and verbs, judged, answered once, and told.

A verb passes like a command for the autopilot: from the station in command, in its epoch, fresh and
not overtaken, by the role and in the flight state that the policy's table says. A trajectory that
arrives is judged against the fence as the autopilot keeps it at that moment, then by whoever flies;
so is one that is started, with the way to where it begins. Reading the fence takes a moment: until
then a request is open, and another takes its place.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from crypto.generation import Opened
from flightcore.arbiter import MALFORMED
from flightcore.authority import Authority
from flightcore.autopilot import Autopilot
from flightcore.flown import Flown
from flightcore.offboard.frames import offset
from flightcore.offboard.offboard import Offboard
from flightcore.paired import PairedGround
from flightcore.policy import Policy, Reason, Refuse
from flightcore.policy.trajectories import UPLOAD
from flightcore.tasking.fence_reader import FenceReader, Reading
from flightcore.tasking.judgement import Judgement
from flightcore.tasking.stored_fence import StoredFence, UnreadableFenceError
from flightcore.uplink import Context, Stop
from wire.records import TRAJECTORY, encode_record
from wire.tasking import (
    NO_TRAJECTORY,
    UNKNOWN,
    FlyAnswer,
    FlyReason,
    FlyRequest,
    FlyState,
    FlyStatus,
    FlyVerb,
)
from wire.trail import Event, Topic
from wire.trajectory import Document, MalformedTrajectoryError, decode_untrusted, identity_of

TELL_NS: Final = 1_000_000_000
UPLOAD_NS: Final = 20_000_000_000  # for judging one that has arrived
START_NS: Final = 5_000_000_000  # a START that waited longer may not be wanted any more
_STEP_NS: Final = 1_000_000
_MOST_MS: Final = (1 << 32) - 1
_ROLES: Final = frozenset((Reason.OBSERVER, Reason.NEEDS_SUPERVISOR))
_NOT_IN_COMMAND: Final = frozenset((Stop.NOT_HOLDER, Stop.VACANT))
_OVERTAKEN: Final = "another request came after it"
_CHANGED: Final = "another station has taken command"


@dataclass(slots=True)
class _Told:
    """What one station is told. Its numbers hold from one session to the next."""

    due_ns: int = 0
    number: int = 0
    order: tuple[int, int] = (0, -1)  # of a datagram with this number
    answer: FlyAnswer = FlyAnswer.NONE
    refused: bytes = NO_TRAJECTORY
    text: str = ""


class _Work(NamedTuple):
    """Something that waits for the fence: an upload, or a START with its number."""

    station: PairedGround
    document: Document
    identity: bytes
    until_ns: int
    epoch: int
    number: int | None


class Tasking:
    """Of one drone; `stations` is the companion's own. The zero state has been asked for nothing.

    Invariants: what is started has been judged against the fence known then; a request number is
    carried out at most once; of what waits for the fence there is one.
    """

    def __init__(
        self,
        offboard: Offboard,
        fence: FenceReader,
        autopilot: Autopilot,
        authority: Authority,
        policy: Policy,
        stations: Mapping[str, PairedGround],
    ) -> None:
        self._offboard = offboard
        self._fence = fence
        self._autopilot = autopilot
        self._authority = authority
        self._policy = policy
        self._stations = stations
        self._told: defaultdict[str, _Told] = defaultdict(_Told)
        self._document: Document | None = None  # what was loaded
        self._kept: tuple[bytes, StoredFence] | None = None  # what was found to keep which fence
        self._work: _Work | None = None
        self._judgement: Judgement | None = None
        self._judged: StoredFence | None = None
        self._step_ns = 0
        self._shown: tuple[FlyState, FlyReason, bytes] = (
            FlyState.EMPTY,
            FlyReason.NONE,
            NO_TRAJECTORY,
        )
        self._events: list[Event] = []

    def begin_session(self, name: str, now_ns: int) -> None:
        """Let a station that is there again know how things stand."""
        self._told[name].due_ns = now_ns

    def may_upload(
        self, station: PairedGround, opened: Opened, context: Context, now_ns: int
    ) -> bool:
        """Tell whether a chunk of a trajectory is taken; if not, it is counted."""
        return self._refusal(station, UPLOAD, opened, context, now_ns) is None

    def receive_document(self, station: PairedGround, data: bytes, now_ns: int) -> None:
        """Take an upload that has arrived whole."""
        told = self._told[station.name]
        told.refused, told.text, told.due_ns = NO_TRAJECTORY, "", now_ns
        identity = identity_of(data)
        try:
            document = decode_untrusted(data)
        except MalformedTrajectoryError as error:
            self._refuse_upload(station, identity, str(error), now_ns)
            return
        work = _Work(station, document, identity, now_ns + UPLOAD_NS, self._epoch, None)
        self._take_on(work, now_ns)
        self._offboard.prepare()

    def receive_request(
        self, station: PairedGround, opened: Opened, context: Context, value: bytes, now_ns: int
    ) -> None:
        """Take a verb: carry it out, or say why not. The same number again changes nothing."""
        request = FlyRequest.parse(value)
        if request is None:
            station.uplink.dropped[MALFORMED] += 1
            return
        told = self._told[station.name]
        if request.number == told.number and told.answer is not FlyAnswer.STALE:
            told.due_ns = now_ns
            return
        if request.number != told.number and opened.order <= told.order:
            # Overtaken by another request. Were it answered, its number would take the place of
            # that one's, which could come once more and be carried out again.
            return
        refusal = self._refusal(station, request.verb.name, opened, context, now_ns)
        if refusal is not None and refusal.reason == Stop.OUT_OF_ORDER:
            return  # a later command has been executed
        told.order = opened.order
        told.number, told.answer, told.text = request.number, FlyAnswer.NONE, ""
        if refusal is not None:
            self._answer(station, request.verb, _answer_of(refusal), refusal.text, now_ns)
        elif request.verb is FlyVerb.START:
            self._begin_start(station, request, now_ns)
        else:
            self._drop_start(now_ns)
            self._finish(station, request.verb, self._do(request, now_ns), now_ns)

    def deadline_ns(self) -> int | None:
        """Return when `settle` has something to do."""
        times = [
            told.due_ns
            for name, told in self._told.items()
            if self._is_live(name) and self._has_news(told)
        ]
        if self._work is not None:
            is_waiting = self._fence.is_under_way
            times.append(self._work.until_ns if is_waiting else self._step_ns)
        return min(times, default=None)

    def settle(self, now_ns: int) -> None:
        """Go on with what waits, and notice what has changed in the air."""
        if self._work is not None and now_ns >= self._step_ns:
            self._step_ns = now_ns + _STEP_NS
            self._go_on(self._work, now_ns)
        said = self._offboard.describe(now_ns)
        shown = said.state, said.reason, said.identity
        if shown == self._shown:
            return
        before, self._shown = self._shown, shown
        text = f"trajectory {said.identity.hex()}: {said.state.name.lower()}"
        if said.state is FlyState.HANDED_BACK:
            text += f": {said.text}"
        if said.state is not before[0] and said.state is not FlyState.EMPTY:
            self._events.append(Event(Topic.TRAJECTORY, text))
        for name in self._stations:
            told = self._told[name]
            told.due_ns = now_ns
            if said.state is FlyState.HANDED_BACK:
                told.text = said.text

    def outgoing(self, now_ns: int) -> list[tuple[PairedGround, bytes]]:
        """Return the records to send, each to one station."""
        records = []
        for name, station in self._stations.items():
            told = self._told[name]
            if now_ns >= told.due_ns and self._is_live(name) and self._has_news(told):
                told.due_ns = now_ns + TELL_NS
                value = self._status(told, now_ns).encode()
                records.append((station, encode_record(TRAJECTORY, value)))
        return records

    def outgoing_events(self) -> list[Event]:
        """Return what the log should say."""
        out, self._events = self._events, []
        return out

    @property
    def _epoch(self) -> int:
        return self._authority.state.epoch

    def _is_live(self, name: str) -> bool:
        station = self._stations.get(name)
        return station is not None and station.peer.live is not None

    def _has_news(self, told: _Told) -> bool:
        is_empty = self._shown[0] is FlyState.EMPTY
        return not is_empty or bool(told.number) or told.refused != NO_TRAJECTORY

    def _refusal(
        self, station: PairedGround, what: str, opened: Opened, context: Context, now_ns: int
    ) -> Refuse | None:
        """Return why a station may not ask for this; what is refused is counted."""
        state = self._autopilot.flight_state(now_ns)
        verdict = self._policy.judge_trajectory(what, station.uplink.role, state)
        if not isinstance(verdict, Refuse):
            refusal = station.uplink.check(opened, verdict.freshness, context)
            if refusal is None:
                return None
            verdict = refusal
        station.uplink.dropped[verdict.reason] += 1
        return verdict

    def _begin_start(self, station: PairedGround, request: FlyRequest, now_ns: int) -> None:
        document = self._document
        if document is None or self._offboard.identity != request.identity:
            text = f"aboard is {self._offboard.identity.hex()}" if document else "none is aboard"
            self._finish(station, request.verb, text, now_ns)
            return
        until_ns = now_ns + START_NS
        self._take_on(
            _Work(station, document, request.identity, until_ns, self._epoch, request.number),
            now_ns,
        )

    def _do(self, request: FlyRequest, now_ns: int) -> str:
        """Carry out any verb but START; return why not."""
        offboard = self._offboard
        if request.identity not in (NO_TRAJECTORY, offboard.identity):
            return f"aboard is {offboard.identity.hex()}"
        match request.verb:
            case FlyVerb.PAUSE:
                return offboard.pause(now_ns)
            case FlyVerb.RESUME:
                return offboard.resume(now_ns)
            case FlyVerb.ABORT:
                return offboard.abort(FlyReason.ABORTED, now_ns)
            case _:
                return offboard.clear()

    def _take_on(self, work: _Work, now_ns: int) -> None:
        if self._work is not None:
            self._end(self._work, _OVERTAKEN, now_ns)
        self._work, self._judgement, self._step_ns = work, None, now_ns
        self._fence.begin(now_ns)

    def _drop_start(self, now_ns: int) -> None:
        """Begin nothing any more: the operator has asked for something else since."""
        if self._work is not None and self._work.number is not None:
            self._end(self._work, _OVERTAKEN, now_ns)

    def _go_on(self, work: _Work, now_ns: int) -> None:
        if work.station.name not in self._stations or self._epoch != work.epoch:
            self._end(work, _CHANGED, now_ns)
            return
        stored = self._fence.fence(now_ns)
        if self._fence.reading is Reading.FAILED:
            self._end(work, f"the fence could not be read: {self._fence.why}", now_ns)
        elif now_ns >= work.until_ns:
            self._end(work, "it could not be judged against the fence in time", now_ns)
        elif stored is None:
            self._judgement = None
            self._fence.begin(now_ns)
        else:
            self._judge(work, stored, now_ns)

    def _judge(self, work: _Work, stored: StoredFence, now_ns: int) -> None:
        if self._judgement is None or self._judged != stored:
            try:
                self._judgement = self._judgement_of(work, stored)
            except UnreadableFenceError as error:
                self._end(work, f"the fence is not understood: {error}", now_ns)
                return
            if self._judgement is None:
                self._end(work, "the autopilot has not said where it is", now_ns)
                return
            self._judged = stored
        found = self._judgement.step()
        if found is None:
            return
        if not found:
            self._kept = work.identity, stored
        self._end(work, found or self._hand_on(work, now_ns), now_ns)

    def _judgement_of(self, work: _Work, stored: StoredFence) -> Judgement | None:
        """Return what looks at it: at a START, from where the vehicle is; None if that is unknown.

        The frame is the estimator's own then, in which the autopilot says where it is. What has
        been found to keep the same fence is not looked at again.
        """
        if work.number is None:
            reference = work.document.reference
            return Judgement(stored.around(reference), Flown(work.document))
        origin, motion = self._offboard.sight.origin, self._offboard.sight.motion
        if origin is None or motion is None:
            return None
        flown = Flown(work.document, offset(work.document.reference, origin))
        is_kept = self._kept == (work.identity, stored)
        fence = stored.around(origin)
        return Judgement(fence, flown, from_n=motion.position_n, is_kept=is_kept)

    def _hand_on(self, work: _Work, now_ns: int) -> str:
        """Let it be flown, or be taken aboard; return why not."""
        if work.number is not None:
            if self._offboard.identity != work.identity:
                return f"aboard is {self._offboard.identity.hex()}"
            return self._offboard.start(work.identity, now_ns)
        refusal = self._offboard.load(work.document, now_ns)
        if not refusal:
            self._document = work.document
        return refusal

    def _end(self, work: _Work, why: str, now_ns: int) -> None:
        self._work = self._judgement = None
        station = work.station
        if work.number is not None:
            if self._told[station.name].number == work.number:
                self._finish(station, FlyVerb.START, why, now_ns)
        elif why:
            self._refuse_upload(station, work.identity, why, now_ns)
        else:
            told = self._told[station.name]
            told.refused, told.text, told.due_ns = NO_TRAJECTORY, "", now_ns
            what = f"{station.name}: trajectory {work.identity.hex()}"
            text = f"{what}: taken aboard, {work.document.duration:.1f} s"
            self._events.append(Event(Topic.TRAJECTORY, text, by=station.name))

    def _refuse_upload(self, station: PairedGround, identity: bytes, why: str, now_ns: int) -> None:
        told = self._told[station.name]
        told.refused, told.text, told.due_ns = identity, why, now_ns
        station.uplink.dropped[Reason.TRAJECTORY] += 1
        text = f"{station.name}: trajectory {identity.hex()}: refused: {why}"
        self._events.append(Event(Topic.TRAJECTORY, text, by=station.name))

    def _finish(self, station: PairedGround, verb: FlyVerb, why: str, now_ns: int) -> None:
        answer = FlyAnswer.REFUSED if why else FlyAnswer.DONE
        self._answer(station, verb, answer, why, now_ns)

    def _answer(
        self, station: PairedGround, verb: FlyVerb, answer: FlyAnswer, why: str, now_ns: int
    ) -> None:
        told = self._told[station.name]
        told.answer, told.text, told.due_ns = answer, why, now_ns
        text = f"{station.name}: trajectory {verb.name}: {answer.name.lower()}"
        said = f"{text}: {why}" if why else text
        self._events.append(Event(Topic.TRAJECTORY, said, by=station.name))

    def _status(self, told: _Told, now_ns: int) -> FlyStatus:
        said = self._offboard.describe(now_ns)
        return FlyStatus(
            number=told.number,
            answer=told.answer,
            state=said.state,
            reason=said.reason,
            identity=said.identity,
            refused=told.refused,
            elapsed_ms=min(round(said.elapsed_s * 1e3), _MOST_MS),
            duration_ms=min(round(said.duration_s * 1e3), _MOST_MS),
            error_cm=UNKNOWN if said.error_m is None else _bounded(said.error_m * 1e2),
            lateness_us=UNKNOWN if said.lateness_us is None else _bounded(said.lateness_us),
            text=told.text,
        )


def _answer_of(refusal: Refuse) -> FlyAnswer:
    if refusal.reason in _ROLES:
        return FlyAnswer.NOT_ALLOWED
    if refusal.reason in _NOT_IN_COMMAND:
        return FlyAnswer.NOT_HOLDER
    is_stop = refusal.reason in tuple(Stop)
    return FlyAnswer.STALE if is_stop else FlyAnswer.REFUSED


def _bounded(value: float) -> int:
    return min(round(value), UNKNOWN - 1)
