"""Writes parameters one by one: sent, announced by the drone, read back, and only then the next.

The drone may refuse one, or ask back whether it is meant; then the next waits for the operator.
What is not done when the link is lost or nobody is present any more is not done later.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from groundstation.parameters.table import Parameter, as_sent, shown
from wire.mavlink import HEADER_BYTES, dialect

ANSWER_NS: Final = 1_500_000_000
TRIES: Final = 4
NOT_CONFIRMED: Final = "not confirmed in time"
_NAME: Final = slice(4, 20)  # of PARAM_ERROR's payload
_ERROR_AT: Final = 20
_ERRORS: Final = {
    dialect.MAV_PARAM_ERROR_DOES_NOT_EXIST: "the drone knows no such parameter",
    dialect.MAV_PARAM_ERROR_VALUE_OUT_OF_RANGE: "out of range",
    dialect.MAV_PARAM_ERROR_PERMISSION_DENIED: "the drone's policy does not allow it now",
    dialect.MAV_PARAM_ERROR_COMPONENT_NOT_FOUND: "no such component",
    dialect.MAV_PARAM_ERROR_READ_ONLY: "read only",
}

Pack = Callable[[dialect.MAVLink_message], bytes]


class Outcome(StrEnum):
    """What became of one write."""

    WAITING = "waiting"
    SENT = "sent"
    ASKED_BACK = "asked back"  # the drone wants it confirmed
    CHECKING = "reading back"
    DONE = "written"
    REFUSED = "refused"
    LEFT = "not sent"


OPEN: Final = frozenset((Outcome.SENT, Outcome.ASKED_BACK, Outcome.CHECKING))


class Write(msgspec.Struct):
    """One write: from what to what, and what became of it."""

    name: str
    old: float
    new: float
    kind: int
    outcome: Outcome = Outcome.WAITING
    why: str = ""


class Writer:
    """One batch of writes. The zero state has nothing to do.

    Invariant: at most one write is open; a write is DONE only after the drone has announced the new
    value and has then been asked for it and given it once more.
    """

    def __init__(self, changes: Sequence[tuple[Parameter, float]]) -> None:
        self.writes = [
            Write(parameter.name, parameter.value, as_sent(value), parameter.kind)
            for parameter, value in changes
        ]
        self._at = 0
        self._frames: list[bytes] = []
        self._due_ns = 0
        self._tries = 0
        self._still: float | None = None  # what the drone has said meanwhile
        self._was_asked_back = False

    @property
    def current(self) -> Write | None:
        """The write that is under way or comes next."""
        return self.writes[self._at] if self._at < len(self.writes) else None

    def is_asked_for(self, operation: bytes) -> bool:
        """Tell whether the drone asks back exactly what the open write has sent."""
        return operation in self._frames

    def receive_value(self, said: Parameter, now_ns: int) -> None:
        """Take what the drone says a parameter is."""
        write = self.current
        if write is None or said.name != write.name or write.outcome not in OPEN:
            return
        if write.outcome is Outcome.CHECKING:
            if said.value == write.new:
                self._end(Outcome.DONE, "")
            elif self._was_asked_back:
                self._still = said.value  # what confirms it may come after this question
            else:
                self._end(Outcome.REFUSED, f"read back as {shown(said.value)}")
        elif said.value == write.new:
            write.outcome, self._due_ns, self._tries = Outcome.CHECKING, now_ns, 0
        else:
            self._still = said.value  # refused, or on its way before: another try tells

    def receive_error_untrusted(self, frame: bytes) -> None:
        """Take a PARAM_ERROR."""
        payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(_ERROR_AT + 1, b"\0")
        name = payload[_NAME].rstrip(b"\0").decode("ascii", "replace")
        write, error = self.current, payload[_ERROR_AT]
        if write is None or name != write.name or write.outcome not in OPEN:
            return
        why = _ERRORS.get(error, f"error {error}")
        # The drone says so when the time for the second step is over.
        self._end(Outcome.REFUSED, NOT_CONFIRMED if self._was_asked_back else why)

    def outgoing(self, sysid: int, operation: bytes | None, now_ns: int, pack: Pack) -> list[bytes]:
        """Return the frames to send now.

        Args:
            sysid: The autopilot.
            operation: What the drone wants confirmed at present, None if nothing.
            now_ns: The time.
            pack: Makes a frame of a message.
        """
        write = self.current
        if write is None:
            return []
        if operation is not None and operation in self._frames:
            write.outcome, self._due_ns = Outcome.ASKED_BACK, now_ns + ANSWER_NS
            self._was_asked_back = True
            return []
        if now_ns < self._due_ns:
            return []
        if write.outcome is Outcome.ASKED_BACK:
            # Confirmed or not: the drone knows, and its answer may be late or lost.
            write.outcome, self._tries = Outcome.CHECKING, 0
        if self._tries == TRIES:
            self._end(Outcome.REFUSED, self._why_not())
            return []
        self._tries += 1
        self._due_ns = now_ns + ANSWER_NS
        to, name = (sysid, dialect.MAV_COMP_ID_AUTOPILOT1), write.name.encode()
        if write.outcome is Outcome.CHECKING:
            return [pack(dialect.MAVLink_param_request_read_message(*to, name, -1))]
        write.outcome = Outcome.SENT
        frame = pack(dialect.MAVLink_param_set_message(*to, name, write.new, write.kind))
        self._frames.append(frame)
        return [frame]

    def stop(self, why: str) -> None:
        """Do nothing more; what has been sent may have been done."""
        if self.current is None:
            return
        if self.current.outcome in OPEN:
            self._end(Outcome.REFUSED, f"{why}: read it again to see what it is")
        for write in self.writes[self._at :]:
            write.outcome, write.why = Outcome.LEFT, why
        self._at = len(self.writes)

    def _why_not(self) -> str:
        if self._still is None:
            return "no answer"
        return NOT_CONFIRMED if self._was_asked_back else f"it is still {shown(self._still)}"

    def _end(self, outcome: Outcome, why: str) -> None:
        write = self.writes[self._at]
        write.outcome, write.why = outcome, why
        self._at += 1
        self._frames, self._due_ns, self._tries, self._still = [], 0, 0, None
        self._was_asked_back = False
