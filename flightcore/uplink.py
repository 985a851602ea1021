"""The order of trust after the tag: records, freshness, authority, role, policy, then the line.

A frame passes whole or not at all, and everything that does not pass is counted by reason.
"""

from collections import Counter
from enum import StrEnum
from typing import NamedTuple

from crypto.generation import Opened
from crypto.pair import Role
from flightcore.autopilot import AUTOPILOT_COMPID, COMPANION_COMPID, Autopilot
from flightcore.policy import COMMAND_MESSAGES, Freshness, Refuse, decode, judge
from wire.mavlink import dialect, is_valid_frame, message_id
from wire.records import MalformedRecordsError, parse_records

REPORT_INTERVAL_NS = 1_000_000_000


class Stop(StrEnum):
    """Why an authenticated frame was refused before the policy was asked."""

    MALFORMED = "malformed_records"
    BAD_FRAME = "bad_frame"
    NOT_HOLDER = "not_holder"
    STALE_EPOCH = "stale_epoch"
    STALE = "stale"
    OUT_OF_ORDER = "out_of_order"


_TEXTS = {
    Stop.NOT_HOLDER: "another station is in command",
    Stop.STALE_EPOCH: "command was given under an earlier authority",
    Stop.STALE: "command is too old",
    Stop.OUT_OF_ORDER: "a later command has been executed",
}


class Passed(NamedTuple):
    """What one opened datagram leads to: frames for the autopilot, answers for its sender."""

    frames: list[bytes]
    answers: list[bytes]


class Uplink:
    """Judge the frames of one paired ground station.

    Invariant: of the frames that are not mere transfers, those that pass have ever greater
    (generation, counter). The zero state has passed nothing.
    """

    def __init__(self, role: Role) -> None:
        self.role = role
        self.dropped: Counter[str] = Counter()
        self.forwarded = 0
        self._last_order = (0, -1)
        self._reported_ns: dict[str, int] = {}

    def receive(
        self, opened: Opened, autopilot: Autopilot, now_ns: int, *, epoch: int, is_holder: bool
    ) -> Passed:
        """Judge one authenticated datagram; `epoch` and `is_holder` say who commands now."""
        try:
            frames, _ = parse_records(opened.payload)
        except MalformedRecordsError:
            self.dropped[Stop.MALFORMED] += 1
            return Passed([], [])
        passed = Passed([], [])
        last_order = self._last_order
        for frame in frames:
            refusal = self._judge(
                frame, opened, autopilot, last_order, now_ns, epoch=epoch, is_holder=is_holder
            )
            if refusal is None:
                passed.frames.append(frame)
            else:
                self.dropped[refusal.reason] += 1
                passed.answers.extend(self._answers(frame, refusal, autopilot, now_ns))
        self.forwarded += len(passed.frames)
        return passed

    def _judge(
        self,
        frame: bytes,
        opened: Opened,
        autopilot: Autopilot,
        last_order: tuple[int, int],
        now_ns: int,
        *,
        epoch: int,
        is_holder: bool,
    ) -> Refuse | None:
        if not is_valid_frame(frame):
            return Refuse(Stop.BAD_FRAME, "")
        verdict = judge(frame, self.role, autopilot.sysid, autopilot.flight_state(now_ns))
        if isinstance(verdict, Refuse):
            return verdict
        if not is_holder:
            return _stop(Stop.NOT_HOLDER)
        if opened.epoch != epoch & 0xFF:
            return _stop(Stop.STALE_EPOCH)
        if opened.age_bound_ns is None or opened.age_bound_ns > verdict.freshness:
            return _stop(Stop.STALE)
        if verdict.freshness is not Freshness.TRANSFER:
            if opened.order <= last_order:
                return _stop(Stop.OUT_OF_ORDER)
            self._last_order = opened.order
        return None

    def _answers(
        self, frame: bytes, refusal: Refuse, autopilot: Autopilot, now_ns: int
    ) -> list[bytes]:
        """Tell the operator's software what was refused and why: a denial for each command."""
        if autopilot.sysid is None or not refusal.text:
            return []
        answers = []
        if message_id(frame) in COMMAND_MESSAGES:
            command = decode(frame)
            ack = dialect.MAVLink_command_ack_message(
                command.command,
                dialect.MAV_RESULT_DENIED,
                target_system=frame[5],
                target_component=frame[6],
            )
            answers.append(autopilot.pack(ack, command.target_component or AUTOPILOT_COMPID))
        reported_ns = self._reported_ns.get(refusal.reason)
        if reported_ns is None or now_ns - reported_ns >= REPORT_INTERVAL_NS:
            self._reported_ns[refusal.reason] = now_ns
            text = dialect.MAVLink_statustext_message(
                dialect.MAV_SEVERITY_WARNING, f"Refused: {refusal.text}"[:50].encode()
            )
            answers.append(autopilot.pack(text, COMPANION_COMPID))
        return answers


def _stop(reason: Stop) -> Refuse:
    return Refuse(reason, _TEXTS[reason])
