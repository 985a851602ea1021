"""Judges a plan before it is sent: what forbids it, what to look at, and what it costs."""

import math
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple

from groundstation.plan.geometry import breaches, crosses_itself, distance
from groundstation.plan.model import (
    ABSOLUTE,
    JUMP,
    RELATIVE,
    Circle,
    Flown,
    Foreign,
    Plan,
    Point,
    Polygon,
    flown,
)
from groundstation.plan.onboard import FENCE, MISSION, RALLY, command_name
from wire.mavlink import dialect

MAX_LEG: Final = 10_000.0
MAX_ABOVE_HOME: Final = 500.0
MIN_ABOVE_HOME: Final = 2.0
MAX_ABOARD: Final = 723  # ArduCopter's, without home
CLIMB, DESCENT = 2.5, 1.5  # m/s, ArduCopter's defaults
_MAX_TOLD: Final = 5  # of one kind
_TAKEOFFS: Final = frozenset((dialect.MAV_CMD_NAV_TAKEOFF, dialect.MAV_CMD_NAV_VTOL_TAKEOFF))
_LANDS: Final = frozenset((dialect.MAV_CMD_NAV_LAND, dialect.MAV_CMD_NAV_VTOL_LAND))
_RETURN: Final = dialect.MAV_CMD_NAV_RETURN_TO_LAUNCH
_ENDS: Final = _LANDS | {_RETURN, dialect.MAV_CMD_NAV_LOITER_UNLIM}
_WAITS: Final = frozenset(
    (
        dialect.MAV_CMD_NAV_WAYPOINT,
        dialect.MAV_CMD_NAV_LOITER_TIME,
        dialect.MAV_CMD_NAV_DELAY,
        dialect.MAV_CMD_NAV_SPLINE_WAYPOINT,
    )
)
_SPEED: Final = dialect.MAV_CMD_DO_CHANGE_SPEED
_LAST_NAVIGATION: Final = dialect.MAV_CMD_NAV_LAST


class Level(StrEnum):
    """How bad a finding is: an error keeps the list it is about from being sent."""

    ERROR = "error"
    CAUTION = "caution"


class Finding(NamedTuple):
    """What is wrong: about which list, and which element, 0 if about none alone."""

    level: Level
    kind: int
    element: int
    text: str


class Limits(NamedTuple):
    """What the drone itself keeps to, as far as it is known [m above home]."""

    ceiling: float | None = None
    return_altitude: float | None = None


class Stop(NamedTuple):
    """One place that is flown to: which item, where, how high above home; None if not known."""

    element: int
    number: int
    place: Point
    altitude: float | None
    is_landing: bool


class Statistics(NamedTuple):
    """What a mission costs: items, way [m], duration [s], farthest from home, highest [m]."""

    items: int
    length: float
    duration_s: float
    farthest: float
    highest: float


def check(plan: Plan, limits: Limits) -> list[Finding]:
    """Return everything that is wrong with a plan, errors first."""
    items = flown(plan)
    path = stops(plan, items)
    found = [
        *_check_list(plan, items),
        *_check_altitudes(plan, path, limits),
        *_check_ways(plan, path),
        *_check_zones(plan),
        *_check_fence(plan, path),
        *_check_return(plan, path, limits),
    ]
    return sorted(found, key=lambda finding: finding.level is not Level.ERROR)


def stops(plan: Plan, items: Sequence[Flown]) -> list[Stop]:
    """Return the places of a mission in order, from home if that is known."""
    home = plan.home
    out = [] if home is None else [Stop(0, 0, (home.lat, home.lon), 0.0, is_landing=False)]
    for one in items:
        item = one.item
        if item.command > _LAST_NAVIGATION or not (item.has_place or item.command == _RETURN):
            continue
        if item.command == _RETURN:
            place = None if home is None else (home.lat, home.lon)
        else:
            place = item.place or (out[-1].place if out else None)
        if place is None:
            continue
        is_landing = item.command in _LANDS or item.command == _RETURN
        altitude = 0.0 if is_landing else above_home(plan, one)
        out.append(Stop(one.entry, one.number, place, altitude, is_landing))
    return out


def statistics(plan: Plan) -> Statistics:
    """Return what a mission costs: straight ways at the speeds it sets, and its waits."""
    items = flown(plan)
    path = stops(plan, items)
    by_number = {one.number: one.item for one in items}
    speed, length, duration = plan.hover_speed, 0.0, 0.0
    speeds = {}
    for one in items:
        if one.item.command == _SPEED and (one.item.params[1] or 0) > 0:
            speed = one.item.params[1] or speed
        speeds[one.number] = speed
        if one.item.command in _WAITS:
            duration += max(0.0, one.item.params[0] or 0.0)
    for a, b in pairwise(path):
        across = distance(a.place, b.place)
        # A return, or a landing elsewhere, is flown at height and then descended.
        climb = (b.altitude or 0.0) - (a.altitude or 0.0)
        length += across + abs(climb) if b.is_landing else math.hypot(across, climb)
        # A change of speed acts from the item after the one it is given at.
        at = speeds.get(b.number - 1, plan.hover_speed)
        up = climb / CLIMB if climb > 0 else -climb / DESCENT
        is_apart = b.is_landing or by_number[b.number].command in _TAKEOFFS
        duration += across / at + up if is_apart else max(across / at, up)
    home = path[0].place if path else (0.0, 0.0)
    return Statistics(
        len(items),
        length,
        duration,
        max((distance(home, stop.place) for stop in path), default=0.0),
        max((stop.altitude or 0.0 for stop in path), default=0.0),
    )


def above_home(plan: Plan, one: Flown) -> float | None:
    """Return how high above the plan's home an item is; None if that cannot be told."""
    altitude = one.item.altitude
    if altitude is None or one.item.frame_stored == RELATIVE:
        return altitude
    if one.item.frame_stored == ABSOLUTE and plan.home is not None:
        return altitude - plan.home.altitude
    return None


def _check_list(plan: Plan, items: Sequence[Flown]) -> Iterator[Finding]:
    def error(element: int, text: str) -> Finding:
        return Finding(Level.ERROR, MISSION, element, text)

    if not items:
        text = "The mission is empty: sending it clears the one aboard"
        yield Finding(Level.CAUTION, MISSION, 0, text)
        return
    if len(items) > MAX_ABOARD:
        yield error(0, f"{len(items)} items; ArduCopter keeps up to {MAX_ABOARD}")
    for entry in plan.items:
        if isinstance(entry, Foreign) and entry.items is None:
            yield error(entry.id, f"{entry.kind}: only QGroundControl can lay it out")
    for one in items:
        for text in _faults(one, len(items)):
            yield error(one.entry, f"{one.number} {command_name(one.item.command)}: {text}")
    yield from _check_ends(items)


def _check_ends(items: Sequence[Flown]) -> Iterator[Finding]:
    first = next((one for one in items if one.item.command < _LAST_NAVIGATION), None)
    if first is not None and first.item.command not in _TAKEOFFS:
        text = "The mission does not begin with a take-off"
        yield Finding(Level.CAUTION, MISSION, first.entry, text)
    last = next((o for o in reversed(items) if o.item.command < _LAST_NAVIGATION), None)
    if last is not None and last.item.command not in _ENDS:
        text = "The mission ends in the air: no return, no landing"
        yield Finding(Level.CAUTION, MISSION, last.entry, text)


def _faults(one: Flown, count: int) -> Iterator[str]:
    """Yield what is wrong with one item by itself."""
    item = one.item
    if item.has_place and item.altitude is None:
        yield "its altitude is not known; give it one"
    if item.command == dialect.MAV_CMD_NAV_WAYPOINT and item.place is None:
        yield "has no place"
    target = item.params[0]
    if item.command == JUMP and not (target and 1 <= target <= count):
        yield f"jumps to {target or 0:g}; allowed: 1 to {count}"


def _check_altitudes(plan: Plan, path: Sequence[Stop], limits: Limits) -> Iterator[Finding]:
    ceilings = [
        (plan.ceiling, "the plan's ceiling"),
        (limits.ceiling, "the fence's ceiling aboard"),
    ]
    for stop in path:
        if stop.number == 0 or stop.is_landing:
            continue
        name = f"Item {stop.number}"
        if stop.altitude is None:
            text = f"{name}: how high above home is not known, and not checked"
            yield Finding(Level.CAUTION, MISSION, stop.element, text)
            continue
        for ceiling, whose in ceilings:
            if ceiling is not None and stop.altitude > ceiling:
                text = f"{name}: {stop.altitude:g} m is above {whose}, {ceiling:g} m"
                yield Finding(Level.ERROR, MISSION, stop.element, text)
        if stop.altitude > MAX_ABOVE_HOME:
            text = f"{name}: {stop.altitude:g} m above home; allowed: up to {MAX_ABOVE_HOME:g} m"
            yield Finding(Level.ERROR, MISSION, stop.element, text)
        elif stop.altitude < 0:
            text = f"{name}: {-stop.altitude:g} m below home"
            yield Finding(Level.ERROR, MISSION, stop.element, text)
        elif stop.altitude < MIN_ABOVE_HOME:
            text = f"{name}: only {stop.altitude:g} m above home"
            yield Finding(Level.CAUTION, MISSION, stop.element, text)


def _check_ways(plan: Plan, path: Sequence[Stop]) -> Iterator[Finding]:
    if plan.home is None and path:
        text = "Home is not known: the way from and to it is not checked"
        yield Finding(Level.CAUTION, MISSION, 0, text)
    for a, b in pairwise(path):
        far = distance(a.place, b.place)
        if far > MAX_LEG:
            text = f"Item {b.number}: {far / 1000:.1f} km from the one before; allowed: up to 10 km"
            yield Finding(Level.ERROR, MISSION, b.element, text)


def _check_zones(plan: Plan) -> Iterator[Finding]:
    for number, zone in enumerate(plan.zones, 1):
        if isinstance(zone, Polygon) and crosses_itself(zone):
            yield Finding(Level.ERROR, FENCE, zone.id, f"Zone {number}: its edge crosses itself")
    home = plan.home
    if home is not None:
        yield from _outside(plan, (home.lat, home.lon), "Home", FENCE, 0)
    for number, rally in enumerate(plan.rally, 1):
        place = (rally.lat, rally.lon)
        yield from _outside(plan, place, f"Rally point {number}", RALLY, rally.id)
        if plan.ceiling is not None and rally.altitude > plan.ceiling:
            text = f"Rally point {number}: above the plan's ceiling, {plan.ceiling:g} m"
            yield Finding(Level.ERROR, RALLY, rally.id, text)


def _outside(plan: Plan, place: Point, name: str, kind: int, element: int) -> Iterator[Finding]:
    for number, zone in enumerate(plan.zones, 1):
        if breaches(zone, place, place):
            text = f"{name} is {_side(zone)} zone {number} of the fence"
            yield Finding(Level.ERROR, kind, element, text)


def _check_fence(plan: Plan, path: Sequence[Stop]) -> Iterator[Finding]:
    """Yield every leg that a zone forbids. ArduPilot wants to be inside all it is to stay in."""
    places = [(stop, stop) for stop in path[:1]] if len(path) == 1 else list(pairwise(path))
    for number, zone in enumerate(plan.zones, 1):
        for a, b in places:
            if breaches(zone, a.place, b.place):
                way = f"The way from {_name(a)} to {_name(b)}" if a is not b else _name(a)
                does = "leaves" if zone.inclusion else "enters"
                text = f"{way} {does} zone {number} of the fence"
                yield Finding(Level.ERROR, MISSION, b.element, text)


def _check_return(plan: Plan, path: Sequence[Stop], limits: Limits) -> Iterator[Finding]:
    """Yield from where the straight way home, which a failsafe takes, is forbidden."""
    ceiling = min((c for c in (plan.ceiling, limits.ceiling) if c is not None), default=None)
    back = limits.return_altitude
    if back is not None and ceiling is not None and back > ceiling:
        text = f"The return altitude aboard, {back:g} m, is above the ceiling, {ceiling:g} m"
        yield Finding(Level.ERROR, MISSION, 0, text)
    if plan.home is None:
        return
    home = (plan.home.lat, plan.home.lon)
    told = 0
    for stop in path[1:]:
        across = [n for n, z in enumerate(plan.zones, 1) if breaches(z, stop.place, home)]
        if across and not stop.is_landing and told < _MAX_TOLD:
            told += 1
            text = f"A return from {_name(stop)} would cross zone {across[0]} of the fence"
            yield Finding(Level.CAUTION, MISSION, stop.element, text)


def _name(stop: Stop) -> str:
    return f"item {stop.number}" if stop.number else "home"


def _side(zone: Polygon | Circle) -> str:
    return "outside" if zone.inclusion else "in"
