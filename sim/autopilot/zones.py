"""Fence zones: polygons and circles, in and out, and how far a place is on their wrong side."""

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.frame import Ground
from sim.autopilot.items import Item
from sim.autopilot.outbox import Severity

Point: TypeAlias = tuple[float, float]

_TINY: Final = 1e-6
_ACROSS: Final = 1e-3  # m
_CORNERS_LEAST: Final = 3
# ArduPilot numbers the kinds of its own storage, which its texts show.
_OWN_NUMBER: Final = {
    dialect.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_INCLUSION: 98,
    dialect.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_EXCLUSION: 97,
}

_INCLUSION: Final = frozenset(
    {
        dialect.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_INCLUSION,
        dialect.MAV_CMD_NAV_FENCE_CIRCLE_INCLUSION,
    }
)
_POLYGON: Final = frozenset(
    {
        dialect.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_INCLUSION,
        dialect.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_EXCLUSION,
    }
)
_CIRCLE: Final = frozenset(
    {
        dialect.MAV_CMD_NAV_FENCE_CIRCLE_INCLUSION,
        dialect.MAV_CMD_NAV_FENCE_CIRCLE_EXCLUSION,
    }
)


@dataclass(frozen=True, slots=True)
class Zone:
    """A stored zone: a polygon of corners, or a circle around the only one, NED in metres."""

    inclusion: bool
    corners: tuple[Point, ...]
    radius: float | None = None

    def outside_by(self, at: Point) -> float:
        """Return how far a point is outside, negative inside [m]."""
        if self.radius is not None:
            return math.dist(at, self.corners[0]) - self.radius
        sides = list(zip(self.corners, self.corners[1:] + self.corners[:1], strict=True))
        away = min(_distance_to_side(at, a, b) for a, b in sides)
        crossings = sum(_crosses(at, a, b) for a, b in sides)
        return -away if crossings % 2 else away

    def side(self, at: Point) -> tuple[Point, float]:
        """Return the way to the nearest boundary, outwards of what is allowed, and how far it is.

        The way is a vector of length one; the distance is negative on the wrong side. [m]
        """
        if self.radius is not None:
            nearest = _on_circle(at, self.corners[0], self.radius)
        else:
            sides = zip(self.corners, self.corners[1:] + self.corners[:1], strict=True)
            feet = [_foot(at, a, b) for a, b in sides]
            nearest = min(feet, key=lambda foot: math.dist(at, foot))
        left = -self.breached_by(at)
        away = math.dist(at, nearest)
        if away < _TINY:
            return self._out(at), left
        sign = 1.0 if left > 0.0 else -1.0
        return (sign * (nearest[0] - at[0]) / away, sign * (nearest[1] - at[1]) / away), left

    def _out(self, at: Point) -> Point:
        """Return the way out from the boundary itself: of those across it, the worse one."""
        if self.radius is not None:
            along = (at[1] - self.corners[0][1], self.corners[0][0] - at[0])
        else:
            sides = zip(self.corners, self.corners[1:] + self.corners[:1], strict=True)
            a, b = min(sides, key=lambda side: math.dist(at, _foot(at, *side)))
            along = (b[0] - a[0], b[1] - a[1])
        size = math.hypot(*along)
        if size < _TINY:
            return 0.0, 0.0
        north, east = -along[1] / size, along[0] / size
        return max(
            ((north, east), (-north, -east)),
            key=lambda way: self.breached_by((at[0] + _ACROSS * way[0], at[1] + _ACROSS * way[1])),
        )

    def breached_by(self, at: Point) -> float:
        """Return how far a point is on the wrong side, negative on the right one [m]."""
        return self.outside_by(at) if self.inclusion else -self.outside_by(at)


def zones_of(items: list[Item], ground: Ground) -> list[Zone] | None:
    """Return the zones that uploaded items describe, None if they describe none."""
    zones: list[Zone] = []
    rest = [i for i in items if i.command != dialect.MAV_CMD_NAV_FENCE_RETURN_POINT]
    while rest:
        item = rest[0]
        inclusion = item.command in _INCLUSION
        size = 1
        if item.command in _CIRCLE:
            place = ground.start.north_east(item.x, item.y)
            zones.append(Zone(inclusion, (place,), item.param1))
        elif item.command in _POLYGON:
            size = int(item.param1)
            corners = rest[:size]
            if size < 3 or len(corners) < size or any(c.command != item.command for c in corners):
                return None
            places = tuple(ground.start.north_east(c.x, c.y) for c in corners)
            zones.append(Zone(inclusion, places))
        else:
            return None
        rest = rest[size:]
    return zones


def fault_of_zones(items: list[Item]) -> list[tuple[Severity, str]] | None:
    """Return what is wrong with uploaded zones, in AC_Fence's words; None if nothing is."""
    index = 0
    while index < len(items):
        item = items[index]
        size = 1
        text: tuple[Severity, str] | None = None
        if item.command in _CIRCLE and item.param1 <= 0.0:
            text = (Severity.WARNING, "Non-positive circle radius")
        elif item.command in _POLYGON:
            size = int(item.param1)
            corners = items[index : index + size]
            other = next((c.command for c in corners if c.command != item.command), None)
            if size < _CORNERS_LEAST:
                text = (Severity.WARNING, f"Invalid vertex count ({size})")
            elif other is not None:
                told = f"(want={_OWN_NUMBER[item.command]} got={_OWN_NUMBER.get(other, 0)})"
                text = (Severity.WARNING, f"Received incorrect vertex type {told}")
            elif len(corners) < size:
                text = (Severity.INFO, "Incorrect item count")
        if text is not None:
            return [text, (Severity.WARNING, "Fence validation failed")]
        index += size
    return None


def _crosses(at: Point, a: Point, b: Point) -> bool:
    """Tell whether the ray from a point to the north meets a side."""
    (x, y), (ax, ay), (bx, by) = at, a, b
    if (ay > y) == (by > y):
        return False
    return x < ax + (bx - ax) * (y - ay) / (by - ay)


def _distance_to_side(at: Point, a: Point, b: Point) -> float:
    return math.dist(at, _foot(at, a, b))


def _foot(at: Point, a: Point, b: Point) -> Point:
    """Return the point of a side that is nearest."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    square = dx * dx + dy * dy
    along = ((at[0] - a[0]) * dx + (at[1] - a[1]) * dy) / square if square > 0.0 else 0.0
    share = min(max(along, 0.0), 1.0)
    return a[0] + share * dx, a[1] + share * dy


def _on_circle(at: Point, centre: Point, radius: float) -> Point:
    """Return the point of a circle that is nearest; from the centre, the northernmost."""
    away = math.dist(at, centre)
    if away < _TINY:
        return centre[0] + radius, centre[1]
    scale = radius / away
    return centre[0] + scale * (at[0] - centre[0]), centre[1] + scale * (at[1] - centre[1])
