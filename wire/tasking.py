"""Flying a trajectory, as ground and drone say it to each other: requests up, the status down."""

import struct
from enum import IntEnum
from typing import Final, NamedTuple

from wire.trajectory import IDENTITY_BYTES

NO_TRAJECTORY: Final = bytes(IDENTITY_BYTES)
MAX_TEXT_BYTES: Final = 120
UNKNOWN: Final = 0xFFFF
_REQUEST: Final = struct.Struct(f">BI{IDENTITY_BYTES}s")
_STATUS: Final = struct.Struct(f">IBBB{IDENTITY_BYTES}s{IDENTITY_BYTES}sIIHH")


class FlyVerb(IntEnum):
    """What a ground station asks of a trajectory."""

    START = 1  # fly the one that is named
    PAUSE = 2  # hold where it is
    RESUME = 3
    ABORT = 4  # stop, hold, and fly it no more
    CLEAR = 5  # forget it


class FlyAnswer(IntEnum):
    """What became of the last request of this station."""

    NONE = 0
    DONE = 1
    REFUSED = 2  # the text says why
    NOT_HOLDER = 3
    NOT_ALLOWED = 4
    STALE = 5


class FlyState(IntEnum):
    """How far the trajectory aboard has come."""

    EMPTY = 0
    LOADED = 1
    APPROACHING = 2  # flies to where it begins
    RUNNING = 3
    PAUSED = 4  # holds
    FINISHED = 5  # holds where it ends
    HANDED_BACK = 6  # the companion steers no more; the reason is told


class FlyReason(IntEnum):
    """Why the companion steers no more."""

    NONE = 0
    ABORTED = 1
    OPERATOR = 2  # a mode, a setpoint, the sticks
    COMMAND_CHANGED = 3  # another station is in command
    LINK_LOST = 4
    NAVIGATION = 5  # the alarm is raised
    AUTOPILOT = 6  # it left GUIDED, disarmed or fell silent
    LOOP = 7  # the loop died or was late


class FlyRequest(NamedTuple):
    """One request; `number`, of four bytes and not 0, tells a repetition from the next.

    Numbers begin anywhere, so that a ground that has restarted is not taken to repeat itself; so
    they hold from one session to the next.

    `identity` names the trajectory that is meant; all zeros: whichever is aboard, but for `START`.
    """

    verb: FlyVerb
    number: int
    identity: bytes

    def encode(self) -> bytes:
        """Return the record's value."""
        return _REQUEST.pack(*self)

    @classmethod
    def parse(cls, value: bytes) -> "FlyRequest | None":
        """Parse a request; None if it is not one."""
        if len(value) != _REQUEST.size or value[0] not in _VERBS:
            return None
        verb, number, identity = _REQUEST.unpack(value)
        return cls(FlyVerb(verb), number, identity) if number else None


class FlyStatus(NamedTuple):
    """How a trajectory stands, for one station, with the answer to its last request.

    Attributes:
        number: Of the station's last request; 0 if it has made none.
        answer: What became of it.
        state: Of what is aboard.
        reason: Why it was handed back.
        identity: The trajectory aboard; all zeros if there is none.
        refused: The last one that was uploaded and refused since one was accepted; all zeros.
        elapsed_ms: Of the trajectory, not of the clock.
        duration_ms: Of the trajectory.
        error_cm: Between where it is and where it should be; `UNKNOWN`.
        lateness_us: Of the control loop, 99th percentile; `UNKNOWN`.
        text: Why something was refused or handed back, in words; empty if nothing was.
    """

    number: int
    answer: FlyAnswer
    state: FlyState
    reason: FlyReason
    identity: bytes
    refused: bytes
    elapsed_ms: int
    duration_ms: int
    error_cm: int
    lateness_us: int
    text: str

    def encode(self) -> bytes:
        """Return the record's value; a text that is too long is cut."""
        text = self.text.encode()[:MAX_TEXT_BYTES].decode(errors="ignore")
        return _STATUS.pack(*self[:-1]) + text.encode()

    @classmethod
    def parse(cls, value: bytes) -> "FlyStatus | None":
        """Parse a status; None if it is not one."""
        if not _STATUS.size <= len(value) <= _STATUS.size + MAX_TEXT_BYTES:
            return None
        number, answer, state, reason, *rest = _STATUS.unpack_from(value)
        known = answer in _ANSWERS and state in _STATES and reason in _REASONS
        try:
            text = value[_STATUS.size :].decode()
        except UnicodeDecodeError:
            return None
        if not known or not all(map(str.isprintable, text)):  # it is shown on a terminal
            return None
        first = number, FlyAnswer(answer), FlyState(state), FlyReason(reason)
        return cls._make((*first, *rest, text))


_VERBS = frozenset(map(int, FlyVerb))
_ANSWERS = frozenset(map(int, FlyAnswer))
_STATES = frozenset(map(int, FlyState))
_REASONS = frozenset(map(int, FlyReason))
