"""What of a draft the companion's own control core can fly: a way from place to place, as a value.

Take-off, return, landing and actions are not flown by it; the text says what is left out. What
would change the way if it were left out (a jump, a hold, a landing on the way) is refused.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple

from groundstation.plan.check import above_home
from groundstation.plan.geometry import distance
from groundstation.plan.model import JUMP, Flown, Home, Plan, PlanError, Point, Zone, flown
from groundstation.plan.onboard import command_name
from wire.mavlink import dialect

SAME_PLACE: Final = 0.1  # m: what is closer than this is one place
MAX_CURVE: Final = 200  # places
CHORD: Final = 0.05  # m
MAX_CHORDS: Final = 2000
_PLACES: Final = frozenset(
    (dialect.MAV_CMD_NAV_WAYPOINT, dialect.MAV_CMD_NAV_SPLINE_WAYPOINT),
)
_BEFORE: Final = frozenset((dialect.MAV_CMD_NAV_TAKEOFF, dialect.MAV_CMD_NAV_VTOL_TAKEOFF))
_AFTER: Final = frozenset(
    (
        dialect.MAV_CMD_NAV_RETURN_TO_LAUNCH,
        dialect.MAV_CMD_NAV_LAND,
        dialect.MAV_CMD_NAV_VTOL_LAND,
    )
)
_LAST_NAVIGATION: Final = dialect.MAV_CMD_NAV_LAST


class Shape(StrEnum):
    """How it goes from place to place."""

    LEGS = "legs"  # straight, with a rest at each place
    CURVE = "curve"  # the smoothest curve through all of them, without a rest


class Place(NamedTuple):
    """Where to be: degrees, metres above home, and the number of the item that says so."""

    lat: float
    lon: float
    altitude: float
    number: int


class Route(NamedTuple):
    """A way from rest to rest; greatest speed [m/s] and acceleration [m/s2].

    It has to keep to the zones of `fence`, and below `ceiling` [m above home].

    Invariant: two places or more, neighbours `SAME_PLACE` apart; `home` is the drone's own word.
    """

    home: Home
    places: tuple[Place, ...]
    speed: float
    acceleration: float
    shape: Shape
    fence: tuple[Zone, ...]
    ceiling: float


class Made(NamedTuple):
    """A trajectory of a route: its bytes and name, length [m], greatest speed, heights above home.

    The name is hexadecimal. `ways` has for each place but the last the way to the next one, as the
    ends of chords that are nowhere farther than `CHORD` from the way itself; on a trajectory that
    would need more than `MAX_CHORDS` of them they are all that much longer.
    """

    data: bytes
    identity: str
    length: float
    duration_s: float
    speed: float
    lowest: float
    highest: float
    ways: tuple[tuple[Point, ...], ...]


Make = Callable[[Route], Made]
"""Makes a trajectory of a route. Raises PlanError if it cannot be flown, or not carried."""


class LeftOut(NamedTuple):
    """What of a draft is not flown: the command, its name, the numbers of the items."""

    command: int
    name: str
    numbers: list[int]


class Taken(NamedTuple):
    """What of a draft is flown, and what not; `waits` are items that would hold there."""

    places: tuple[Place, ...]
    left_out: tuple[LeftOut, ...]
    waits: tuple[int, ...]


def taken(plan: Plan) -> Taken:
    """Return what of a draft the companion can fly; the plan's home must be the drone's own.

    Raises:
        PlanError: It cannot be flown; the text names the item.
    """
    places: list[Place] = []
    left_out: dict[int, LeftOut] = {}
    waits: list[int] = []
    end = ""
    for one in flown(plan):
        command, name = one.item.command, command_name(one.item.command)
        if command in _PLACES:
            if end:
                raise PlanError(f"Item {one.number} comes after {end}, which is not flown by it")
            place = _place(plan, one)
            if not places or not _is_near(places[-1], place):
                places.append(place)
            if (one.item.params[0] or 0.0) > 0.0:
                waits.append(one.number)
            continue
        if command == JUMP:
            raise PlanError(f"Item {one.number} jumps: the companion flies from first to last")
        is_start = command in _BEFORE and not places
        if command <= _LAST_NAVIGATION and not (is_start or command in _AFTER):
            raise PlanError(f"Item {one.number}, {name}: the companion flies waypoints only")
        if command in _AFTER:
            end = f"{name}, item {one.number}"
        left_out.setdefault(command, LeftOut(command, name, [])).numbers.append(one.number)
    if len(places) < 2:
        raise PlanError(f"{_counted(len(places))} to fly to; allowed: two or more")
    return Taken(tuple(places), tuple(left_out.values()), tuple(waits))


def _place(plan: Plan, one: Flown) -> Place:
    if one.item.place is None:
        raise PlanError(f"Item {one.number} has no place")
    altitude = above_home(plan, one)
    if altitude is None:
        raise PlanError(f"Item {one.number}: how high above home is not known")
    return Place(*one.item.place, altitude, one.number)


def _is_near(a: Place, b: Place) -> bool:
    across = distance(a[:2], b[:2])
    return max(across, abs(a.altitude - b.altitude)) < SAME_PLACE


def _counted(count: int) -> str:
    return {0: "No place", 1: "Only one place"}[count]
