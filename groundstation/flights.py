"""The console's view of recorded flights, sans-I/O: what a page asks for, and what it is shown.

Reading a disk is for the shell: it takes `wanted`, and gives back `listed`, `opened` or `failed`.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from groundstation.replay import SPEEDS, Recording, Replay

VIEW: Final = "flights"
_MAX_AT_S: Final = 1e7
_MAX_EVENTS: Final = 1000

Reply = dict[str, Any]


class Flights(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="flights"):
    """What a page wants of recorded flights. Nothing of it ever reaches a drone.

    `name` is one of those listed, `at` is seconds since the recording's beginning.
    """

    id: int
    saw: int
    do: Literal["list", "open", "close", "seek", "play", "pause"]
    name: str = ""
    at: float = 0.0
    speed: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.at <= _MAX_AT_S:
            raise ValueError(f"at: allowed: 0 to {_MAX_AT_S:.0f} seconds")
        if self.speed not in SPEEDS:
            raise ValueError(f"speed: allowed: {', '.join(f'{speed:g}' for speed in SPEEDS)}")


class Row(msgspec.Struct, frozen=True):
    """One recording in the list; what needs the key is None without it."""

    name: str
    drone: str
    where: str  # recorded on the ground, or aboard and brought here
    bytes: int
    state: str
    summary: str
    begun_ms: int | None
    seconds: float | None
    is_open: bool  # it is being written now


class FlightsView:
    """One page's flights. The zero state has listed nothing and plays nothing."""

    def __init__(self) -> None:
        self._replay: Replay | None = None
        self._wanted: Flights | None = None
        self._is_reading = False
        self._names: frozenset[str] = frozenset()
        self._out: list[Reply] = []

    def ask(self, said: Flights, now_ns: int) -> str:
        """Do what the page asks for; return why not, "" if it is done or on its way."""
        match said.do:
            case "list" | "open":
                if self._is_reading:
                    return "Still reading"
                if said.do == "open" and said.name not in self._names:
                    return f"No such recording: {said.name!r}"
                self._wanted = said
                self._is_reading = True
                return ""
            case "close":
                self._replay = None
                return ""
            case _:
                return self._steer(said, now_ns)

    def wanted(self) -> Flights | None:
        """Return what the disk is to be asked for; once."""
        wanted, self._wanted = self._wanted, None
        return wanted

    def listed(self, rows: Sequence[Row], note: str) -> None:
        """Show what is there; `note` says what keeps recordings from being opened."""
        self._is_reading = False
        self._names = frozenset(row.name for row in rows)
        self._say("list", rows=msgspec.to_builtins(rows), note=note)

    def failed(self, why: str) -> None:
        """Show why something cannot be read."""
        self._is_reading = False
        self._say("failed", why=why)

    def opened(self, recording: Recording) -> None:
        """Show a recording from its beginning."""
        self._is_reading = False
        self._replay = Replay(recording)
        flight, title = recording.flight, recording.title
        self._say(
            "open",
            name=title.name,
            drone=title.drone,
            summary=title.summary,
            level=title.level,
            begun_ms=(flight.first_us or 0) // 1000,
            length=flight.duration_s,
            home=flight.home,
            track=recording.track(),
            events=[
                # Upwards: who goes there sees what has happened.
                (math.ceil(100 * each.time_s) / 100, each.kind, each.level, each.text)
                for each in sorted(flight.happenings)[:_MAX_EVENTS]
            ],
            armed=flight.armed,
        )

    def outgoing(self, now_ns: int) -> list[Reply]:
        """Return what the page is to be told."""
        if self._replay is not None:
            picture = self._replay.picture(now_ns)
            if picture is not None:
                self._say("picture", **picture)
        out, self._out = self._out, []
        return out

    def _steer(self, said: Flights, now_ns: int) -> str:
        replay = self._replay
        if replay is None:
            return "No recording is open"
        match said.do:
            case "seek":
                replay.seek(round(said.at * 1e9))
            case "play":
                replay.play(said.speed, now_ns)
            case _:
                replay.pause()
        return ""

    def _say(self, what: str, **fields: object) -> None:
        self._out.append({"t": "view", "view": VIEW, "what": what, **fields})
