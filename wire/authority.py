"""Who commands, as ground and drone say it to each other: requests up, the state down."""

from enum import IntEnum, IntFlag
from typing import Final, NamedTuple

ID_BYTES: Final = 16
NOBODY: Final = bytes(ID_BYTES)
_REQUEST_BYTES = 2 + ID_BYTES
_STATE_BYTES = 4 + ID_BYTES + 1 + 2 + 4


class Verb(IntEnum):
    """What a ground station asks of the drone."""

    HAND_OVER = 1  # the holder offers command to another station
    ACCEPT = 2  # that station takes it
    CLAIM = 3  # a commander takes it from a holder that is lost; in two steps
    PREEMPT = 4  # a supervisor takes it
    SUSPEND = 5  # a supervisor shuts a station out until the drone restarts
    CLEAR_ALARM = 6  # the holder has seen the navigation alarm and takes it back


class Answer(IntEnum):
    """What became of the last request of this station."""

    NONE = 0
    DONE = 1
    OFFERED = 2
    CONFIRM = 3  # a challenge is on its way
    NOT_HOLDER = 4
    NOT_OFFERED = 5
    HOLDER_PRESENT = 6
    NOT_ALLOWED = 7
    UNKNOWN_STATION = 8
    STALE = 9
    NOT_SAVED = 10
    WRITING = 11  # granted, and not yet on disk: nothing has changed
    BUSY = 12


class Flag(IntFlag):
    """What the state means for the station it is sent to."""

    HOLDER = 1
    OFFERED_TO_YOU = 2
    HOLDER_LOST = 4
    NAVIGATION_SUSPECT = 8  # the same for every station


class Request(NamedTuple):
    """One request; `number` tells a repetition from the next, `station` is all zeros if none."""

    verb: Verb
    number: int
    station: bytes

    def encode(self) -> bytes:
        """Return the record's value."""
        return bytes((self.verb, self.number)) + self.station

    @classmethod
    def parse(cls, value: bytes) -> "Request | None":
        """Parse a request; None if it is not one."""
        if len(value) != _REQUEST_BYTES or value[0] not in _VERBS:
            return None
        return cls(Verb(value[0]), value[1], value[2:])


class State(NamedTuple):
    """Who commands, for one station; with the answer to its request and the revocation serial."""

    epoch: int
    holder: bytes
    flags: Flag
    number: int
    answer: Answer
    revocation_serial: int

    def encode(self) -> bytes:
        """Return the record's value."""
        return (
            self.epoch.to_bytes(4, "big")
            + self.holder
            + bytes((self.flags, self.number, self.answer))
            + self.revocation_serial.to_bytes(4, "big")
        )

    @classmethod
    def parse(cls, value: bytes) -> "State | None":
        """Parse a state; None if it is not one."""
        if len(value) != _STATE_BYTES or value[22] not in _ANSWERS:
            return None
        return cls(
            epoch=int.from_bytes(value[:4], "big"),
            holder=value[4:20],
            flags=Flag(value[20] & _ALL_FLAGS),
            number=value[21],
            answer=Answer(value[22]),
            revocation_serial=int.from_bytes(value[23:], "big"),
        )


_VERBS = frozenset(map(int, Verb))
_ANSWERS = frozenset(map(int, Answer))
_ALL_FLAGS = 15
