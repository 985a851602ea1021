"""Carries out the orders of one drone: sends, repeats, waits for the answer, keeps the result."""

from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from groundstation.orders import Action, Step
from wire.mavlink import HEADER_BYTES, dialect

OPERATOR_SYSID: Final = 255
OPERATOR_COMPID: Final = 190
REPEAT_NS: Final = 1_000_000_000
GIVE_UP_NS: Final = 5_000_000_000
MAX_RESULTS: Final = 20
_ACK_BYTES: Final = 10
_SCALE: Final = 10_000_000


class Outcome(StrEnum):
    """What became of an order."""

    SENT = "sent"
    IN_PROGRESS = "in progress"
    DONE = "accepted"
    REFUSED = "refused"
    SILENCE = "no answer"
    REPLACED = "replaced"


_OPEN: Final = frozenset((Outcome.SENT, Outcome.IN_PROGRESS))


class Order(msgspec.Struct):
    """One order and its result; `result` is the name of the MAV_RESULT that came last."""

    number: int
    action: Action
    text: str
    operator: str
    asked_ns: int
    changed_ns: int
    version: int
    outcome: Outcome = Outcome.SENT
    result: str = ""


class Orderly:
    """One drone's orders, one at a time. The zero state has none.

    Invariant: an order sends nothing later than `GIVE_UP_NS` after each of its steps began, and a
    later step only after the drone has accepted the one before.
    """

    def __init__(self) -> None:
        self.orders: deque[Order] = deque(maxlen=MAX_RESULTS)
        self.version = 0
        self._mavlink = dialect.MAVLink(None, OPERATOR_SYSID, OPERATOR_COMPID)
        self._target = 0
        self._steps: list[Step] = []
        self._sent = 0
        self._repeat_ns = self._give_up_ns = 0
        self._frames: list[bytes] = []

    def give(self, order: Order, steps: Sequence[Step], sysid: int, now_ns: int) -> None:
        """Carry out an order; it takes the place of one that is not finished."""
        assert steps
        if self._steps:
            self._finish(Outcome.REPLACED, "", now_ns)
        self.version += 1
        order.version = self.version
        self.orders.append(order)
        self._frames.clear()
        self._target = sysid
        self._steps = list(steps)
        self._begin_step(now_ns)

    def receive_ack(self, frame: bytes, now_ns: int) -> None:
        """Take a COMMAND_ACK of the drone; only one for the present step and for us counts."""
        payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(_ACK_BYTES, b"\0")
        command, result = int.from_bytes(payload[:2], "little"), payload[2]
        for_us = payload[8] in (0, OPERATOR_SYSID) and payload[9] in (0, OPERATOR_COMPID)
        if not self._steps or command != self._steps[0].command or not for_us or not self._sent:
            return
        name = result_name(result)
        if result == dialect.MAV_RESULT_IN_PROGRESS:
            self._change(Outcome.IN_PROGRESS, name, now_ns)
            self._give_up_ns = now_ns + GIVE_UP_NS
        elif result != dialect.MAV_RESULT_ACCEPTED:
            self._finish(Outcome.REFUSED, name, now_ns)
        elif len(self._steps) == 1:
            self._finish(Outcome.DONE, name, now_ns)
        else:
            del self._steps[0]
            self._begin_step(now_ns)

    def is_asked_for(self, operation: bytes) -> bool:
        """Tell whether the drone asks back exactly what the open order has sent."""
        return operation in self._frames

    @property
    def open_action(self) -> Action | None:
        """What is being carried out."""
        return self.orders[-1].action if self._steps else None

    def outgoing(self, now_ns: int) -> list[bytes]:
        """Return the frames to send now."""
        if self._steps and now_ns >= self._give_up_ns:
            self._finish(Outcome.SILENCE, "", now_ns)
        if not self._steps or now_ns < self._repeat_ns:
            return []
        if self._sent and self.orders[-1].outcome is Outcome.IN_PROGRESS:
            return []
        self._repeat_ns = now_ns + REPEAT_NS
        frame = self.pack(message_of(self._steps[0], self._target, self._sent))
        self._sent += 1
        self._frames.append(frame)
        return [frame]

    def pack(self, message: dialect.MAVLink_message) -> bytes:
        """Return a message as this console's frame."""
        frame = bytes(message.pack(self._mavlink))
        self._mavlink.seq = (self._mavlink.seq + 1) % 256
        return frame

    def _begin_step(self, now_ns: int) -> None:
        self._sent = 0
        self._repeat_ns, self._give_up_ns = now_ns, now_ns + GIVE_UP_NS

    def _finish(self, outcome: Outcome, result: str, now_ns: int) -> None:
        self._steps = []
        self._change(outcome, result, now_ns)

    def _change(self, outcome: Outcome, result: str, now_ns: int) -> None:
        self.version += 1
        order = self.orders[-1]
        order.outcome, order.result = outcome, result
        order.changed_ns, order.version = now_ns, self.version


def result_name(result: int) -> str:
    """Return the name of a MAV_RESULT."""
    known = dialect.enums["MAV_RESULT"].get(result)
    return f"MAV_RESULT {result}" if known is None else str(known.name)


def message_of(step: Step, sysid: int, sent: int) -> dialect.MAVLink_message:
    """Return the MAVLink message of a step that has been sent so many times before."""
    params = (*step.params, *(0.0,) * (7 - len(step.params)))
    autopilot = dialect.MAV_COMP_ID_AUTOPILOT1
    if step.position is None:
        confirmation = min(sent, 255)
        return dialect.MAVLink_command_long_message(
            sysid, autopilot, step.command, confirmation, *map(float, params)
        )
    lat, lon, altitude = step.position
    frame = dialect.MAV_FRAME_GLOBAL_RELATIVE_ALT_INT
    return dialect.MAVLink_command_int_message(
        sysid,
        autopilot,
        frame,
        step.command,
        0,
        0,
        *map(float, params[:4]),
        round(lat * _SCALE),
        round(lon * _SCALE),
        float(altitude),
    )
