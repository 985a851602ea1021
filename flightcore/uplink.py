"""The order of trust after the tag: records, freshness, authority, role, policy, then the line.

A frame passes whole or not at all, and everything that does not pass is counted by reason.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from crypto.confirmation import NONCE_BYTES
from crypto.generation import Opened
from crypto.pair import Role
from flightcore.answers import acknowledgement, denial, say
from flightcore.autopilot import Autopilot
from flightcore.policy import (
    BUILT_IN,
    COMMAND_MESSAGES,
    AgeLimits,
    FlightState,
    Freshness,
    Policy,
    Refuse,
    TwoStep,
    Verdict,
)
from wire.fragments import MAX_RECORD_BYTES
from wire.mavlink import dialect, is_valid_frame, message_id
from wire.records import RECORD_HEADER_BYTES

_MAX_REFUSED: Final = 64
REPORT_INTERVAL_NS = 1_000_000_000
# An operation goes back down in a CHALLENGE, which is one record, on the radio too.
MAX_OPERATION_BYTES: Final = MAX_RECORD_BYTES - RECORD_HEADER_BYTES - NONCE_BYTES


class Stop(StrEnum):
    """Why an authenticated frame was refused before the policy was asked."""

    BAD_FRAME = "bad_frame"
    TOO_LONG = "too_long_to_confirm"
    VACANT = "nobody_in_command"
    NOT_HOLDER = "not_holder"
    STALE_EPOCH = "stale_epoch"
    STALE = "stale"
    OUT_OF_ORDER = "out_of_order"


_TEXTS = {
    # Not for longer than a write takes, if the disk can be written.
    Stop.VACANT: "nobody is in command: see the drone's log",
    Stop.TOO_LONG: "too long to be asked back",
    Stop.NOT_HOLDER: "another station is in command",
    Stop.STALE_EPOCH: "given before command was taken: try again",
    Stop.STALE: "command is too old",
    Stop.OUT_OF_ORDER: "a later command has been executed",
}


class Context(NamedTuple):
    """What the frames of one datagram are judged against.

    Who commands now and since when, how old a frame may be, and the `order` of what was last
    executed before this datagram: what comes in one datagram passes together.
    """

    epoch: int
    is_held: bool
    is_holder: bool
    held_for_ns: int
    limits: AgeLimits
    last_order: tuple[int, int]


class Passed(NamedTuple):
    """What one opened datagram leads to."""

    frames: list[bytes]  # for the autopilot
    unconfirmed: list[tuple[bytes, str]]  # frames that need a second step, and what they would do
    answers: list[bytes]  # for the sender


Gate = Callable[[bytes, FlightState, int], Refuse | None]
"""What has the last word on a frame that may otherwise pass: the pre-arm gate."""


class Uplink:
    """Judge the frames of one paired ground station.

    Invariant: of the frames that are not mere transfers, those that pass have ever greater
    (generation, counter). The zero state has passed nothing.
    """

    def __init__(self, role: Role, gate: Gate, policy: Policy = BUILT_IN) -> None:
        self.role = role
        self._gate = gate
        self._policy = policy
        self.dropped: Counter[str] = Counter()
        self.forwarded = 0
        self.last_order = (0, -1)
        self.refused: deque[tuple[bytes, str]] = deque(maxlen=_MAX_REFUSED)  # and why
        self._reported_ns: dict[str, int] = {}

    def begin_session(self, number: int) -> None:
        """Refuse commands of every earlier session from now on."""
        self.last_order = (number, -1)

    def receive(
        self,
        frames: Sequence[bytes],
        opened: Opened,
        autopilot: Autopilot,
        context: Context,
        now_ns: int,
    ) -> Passed:
        """Judge the frames of one authenticated datagram."""
        passed = Passed([], [], [])
        for frame in frames:
            verdict = self._judge(frame, autopilot, now_ns)
            if not isinstance(verdict, Refuse):
                verdict = (
                    self.check(opened, verdict.freshness, context)
                    or self._gate(frame, autopilot.flight_state(now_ns), now_ns)
                    or verdict
                )
            match verdict:
                case Refuse():
                    passed.answers.extend(self.refuse(frame, verdict, autopilot, now_ns))
                case TwoStep(text=text):
                    passed.unconfirmed.append((frame, text))
                case _:
                    passed.frames.append(frame)
        self.forwarded += len(passed.frames)
        return passed

    def check(self, opened: Opened, freshness: Freshness, context: Context) -> Refuse | None:
        """Refuse what is not the present holder's, too old or overtaken; else count it as last."""
        if not context.is_holder:
            return _stop(Stop.NOT_HOLDER if context.is_held else Stop.VACANT)
        return self.check_order(opened, freshness, context)

    def check_order(self, opened: Opened, freshness: Freshness, context: Context) -> Refuse | None:
        """Refuse what belongs to another epoch, is too old or overtaken; else count it as last."""
        if opened.epoch != context.epoch & 0xFF:
            return _stop(Stop.STALE_EPOCH)
        if not self.is_fresh(opened, freshness, context):
            return _stop(Stop.STALE)
        if opened.age_bound_ns is None or opened.age_bound_ns > context.held_for_ns:
            return _stop(Stop.STALE_EPOCH)
        if freshness is not Freshness.TRANSFER:
            if opened.order <= context.last_order:
                return _stop(Stop.OUT_OF_ORDER)
            self.last_order = opened.order
        return None

    def is_fresh(self, opened: Opened, freshness: Freshness, context: Context) -> bool:
        """Tell whether a datagram is of the present epoch and no older than a class may be."""
        return (
            opened.epoch == context.epoch & 0xFF
            and opened.age_bound_ns is not None
            and opened.age_bound_ns <= context.limits[freshness]
        )

    def confirmed(self, frame: bytes, autopilot: Autopilot, now_ns: int) -> Passed:
        """Judge a frame whose second step has come: the flight state may have changed since."""
        verdict = self._judge(frame, autopilot, now_ns)
        if not isinstance(verdict, Refuse):
            verdict = self._gate(frame, autopilot.flight_state(now_ns), now_ns) or verdict
        if isinstance(verdict, Refuse):
            return Passed([], [], self.refuse(frame, verdict, autopilot, now_ns))
        self.forwarded += 1
        return Passed([frame], [], [])

    def refuse(
        self, frame: bytes, refusal: Refuse, autopilot: Autopilot, now_ns: int
    ) -> list[bytes]:
        """Count a refusal, and return what tells the operator's software of it."""
        self.dropped[refusal.reason] += 1
        if refusal.text:
            self.refused.append((frame, refusal.reason))
        return self._answers(frame, refusal, autopilot, now_ns)

    def _judge(self, frame: bytes, autopilot: Autopilot, now_ns: int) -> Verdict:
        if not is_valid_frame(frame):
            return Refuse(Stop.BAD_FRAME, "")
        state = autopilot.flight_state(now_ns)
        verdict = self._policy.judge(frame, self.role, autopilot.sysid, state)
        # No message of the dialect is; a checksum can be right over a payload of any length.
        if isinstance(verdict, TwoStep) and len(frame) > MAX_OPERATION_BYTES:
            return _stop(Stop.TOO_LONG)
        return verdict

    def ask_back(self, frame: bytes, text: str, autopilot: Autopilot) -> list[bytes]:
        """Tell the operator's software that a second step is awaited."""
        answers = [say(f"Confirm: {text}", autopilot)]
        if message_id(frame) in COMMAND_MESSAGES:
            answers.insert(0, acknowledgement(frame, dialect.MAV_RESULT_IN_PROGRESS, autopilot))
        return answers

    def _answers(
        self, frame: bytes, refusal: Refuse, autopilot: Autopilot, now_ns: int
    ) -> list[bytes]:
        """Tell the operator's software what was refused and why: a denial for each request."""
        if autopilot.sysid is None or not refusal.text:
            return []
        answers = denial(frame, autopilot)
        reported_ns = self._reported_ns.get(refusal.reason)
        if reported_ns is None or now_ns - reported_ns >= REPORT_INTERVAL_NS:
            self._reported_ns[refusal.reason] = now_ns
            answers.append(say(f"Refused: {refusal.text}", autopilot))
            answers += [say(text, autopilot) for text in refusal.more]
        return answers


def _stop(reason: Stop) -> Refuse:
    return Refuse(reason, _TEXTS[reason])
