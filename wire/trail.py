"""What is kept as evidence, aboard and on the ground: who did what; bounded, whatever happens.

Each kind of event has a purse of bytes of its own, so that who can cause one kind can fill neither
the disk nor the place of the others. A refusal that repeats itself is counted, and so is everything
that is dropped: sums are written once a minute.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

SUM_NS: Final = 60_000_000_000
PURSE_BYTES: Final = 1 << 14
PURSE_PER_HOUR: Final = 1 << 16
_HOUR_NS: Final = 3600 * 10**9
_MAX_TEXT: Final = 300
_MAX_REPEATING: Final = 64
_STAMP_BYTES: Final = 24


class Topic(StrEnum):
    """What an event is about."""

    SERVICE = "service"
    SESSION = "session"
    KEY = "key"
    AUTHORITY = "authority"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    DROPPED = "dropped"
    PAIRING = "pairing"
    REVOCATION = "revocation"
    ERASURE = "erasure"
    TRAJECTORY = "trajectory"
    NOTE = "note"  # what the companion's own watch, or the gateway, has to say
    LINK = "link"  # the ground's side of it: up, lost, another path
    ATTACK = "attack"
    ORDER = "order"
    FLIGHT = "flight"


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line. `by` asked for it; `previous` is who commanded before.

    `drone` is which of the gateway's drones it is about; aboard there is only one.
    """

    topic: Topic
    text: str
    by: str | None = None
    confirmed_by: str | None = None
    previous: str | None = None
    counts: dict[str, int] = {}
    drone: str | None = None


class Line(NamedTuple):
    """An encoded event, and when it happened."""

    now_ns: int
    text: bytes


class _Purse:
    """What one kind may still write. It starts full."""

    def __init__(self, now_ns: int) -> None:
        self.suppressed = 0
        self._bytes = float(PURSE_BYTES)
        self._filled_ns = now_ns

    def take(self, size: int, now_ns: int) -> bool:
        """Pay for a line, if there is enough."""
        earned = (now_ns - self._filled_ns) * PURSE_PER_HOUR / _HOUR_NS
        self._bytes = min(PURSE_BYTES, self._bytes + earned)
        self._filled_ns = now_ns
        if size > self._bytes:
            return False
        self._bytes -= size
        return True


class Trail:
    """Gather events into lines.

    Invariant: the lines of one kind take no more than `PURSE_BYTES`, and `PURSE_PER_HOUR` in each
    hour; what was left out is counted in a later line. The zero state has seen nothing.
    """

    def __init__(self) -> None:
        self._purses: dict[Topic, _Purse] = {}
        self._repeating: dict[tuple[str, str | None], int] = {}
        self._dropped: Counter[str] = Counter()
        self._sum_ns: int | None = None
        self._out: list[Line] = []

    def add(self, event: Event, now_ns: int) -> None:
        """Take an event; a refusal like one of the same minute is counted only."""
        if len(event.text) > _MAX_TEXT:
            event = msgspec.structs.replace(event, text=event.text[:_MAX_TEXT])
        if event.topic is Topic.REFUSED:
            like = event.text, event.by
            if like in self._repeating:
                self._repeating[like] += 1
                return
            if len(self._repeating) < _MAX_REPEATING:
                self._repeating[like] = 0
        if self._sum_ns is None:
            self._sum_ns = now_ns + SUM_NS
        self._write(event, now_ns)

    def deadline_ns(self) -> int | None:
        """Return when `sum_up` is due."""
        return self._sum_ns

    def sum_up(self, dropped: Mapping[str, int], now_ns: int) -> None:
        """Write what was counted since the last time, `dropped` being sums since the start."""
        self._sum_ns = now_ns + SUM_NS
        new = Counter(dropped) - self._dropped
        self._dropped = Counter(dropped)
        if new:
            self._write(Event(Topic.DROPPED, "dropped", counts=dict(new)), now_ns)
        for (text, by), count in self._repeating.items():
            if count:
                counts = {"repeated": count}
                self._write(Event(Topic.REFUSED, text, by, counts=counts), now_ns)
        self._repeating.clear()
        for topic, purse in self._purses.items():
            if purse.suppressed:
                event = Event(topic, "suppressed", counts={"suppressed": purse.suppressed})
                if self._pay(event, now_ns):
                    purse.suppressed = 0

    def outgoing(self) -> list[Line]:
        """Return what is to be written, in order."""
        out, self._out = self._out, []
        return out

    def _write(self, event: Event, now_ns: int) -> None:
        if not self._pay(event, now_ns):
            self._purses[event.topic].suppressed += 1

    def _pay(self, event: Event, now_ns: int) -> bool:
        text = msgspec.json.encode(event)
        purse = self._purses.setdefault(event.topic, _Purse(now_ns))
        if not purse.take(len(text) + _STAMP_BYTES, now_ns):
            return False
        self._out.append(Line(now_ns, text))
        return True


def encode_lines(lines: Sequence[Line], offset_ns: int) -> bytes:
    """Return lines as files have them, each with the wall clock's microseconds, ``us``."""
    return b"".join(
        b'{"us":%d,%s\n' % ((now_ns + offset_ns) // 1000, text[1:]) for now_ns, text in lines
    )
