"""The fence: ceiling, floor, circle and polygons, and which of them are breached.

As AC_Fence does it: a breach counts when it begins, and anew twenty metres further out; the floor
is guarded only once the vehicle has been above it, and never on the way down to land.
"""

import math
from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.frame import Ground
from sim.autopilot.mission import Item
from sim.autopilot.parameters import Parameters
from sim.control.vector import Vec3

_BACKUP_M: Final = 20.0
_RECOVERY_S: Final = 10.0
_INCLUSION_UNION: Final = 1 << 1
_NO_MODE_CHANGE: Final = 1 << 0
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

Point = tuple[float, float]


class Bound(IntFlag):
    """Kinds of fence, as FENCE_TYPE numbers them."""

    MAX_ALT = 1
    CIRCLE = 2
    POLYGON = 4
    MIN_ALT = 8


_NAMES: Final = {
    Bound.MAX_ALT: "Max Alt",
    Bound.CIRCLE: "Circle",
    Bound.POLYGON: "Polygon",
    Bound.MIN_ALT: "Min Alt",
}


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


class Fence:
    """One vehicle's fence. The zero state has no zones and nothing breached.

    Attributes:
        breached: What is breached now.
        count: Breaches so far.
        time_ms: When the last one began, vehicle time. [ms]
        valid: Whether the zones uploaded make sense.
        outside_m: How far beyond what is breached the vehicle is. [m]
    """

    def __init__(self, parameters: Parameters, ground: Ground) -> None:
        self._parameters = parameters
        self._ground = ground
        self._zones: list[Zone] = []
        self._backup: dict[Bound, float] = {}
        self._above_floor = False
        self._recovery_until_s = -math.inf
        self.breached = Bound(0)
        self.count = 0
        self.time_ms = 0
        self.valid = True
        self.outside_m = 0.0

    @property
    def enabled(self) -> bool:
        """Tell whether FENCE_ENABLE is set."""
        return self._parameters["FENCE_ENABLE"] > 0.0

    @property
    def needs_position(self) -> bool:
        """Tell whether a bound in force is a place."""
        return self.enabled and bool(self._kinds() & (Bound.CIRCLE | Bound.POLYGON))

    @property
    def holds_mode(self) -> bool:
        """Tell whether modes may not be changed until a breach is over (FENCE_OPTIONS bit 0)."""
        return self.enabled and bool(
            self.breached and self._parameters.bits("FENCE_OPTIONS") & _NO_MODE_CHANGE
        )

    def load(self, items: list[Item]) -> None:
        """Take zones that were uploaded."""
        zones = zones_of(items, self._ground)
        self.valid = zones is not None
        self._zones = zones or []

    def recover(self, now_s: float) -> None:
        """Give a mode change during a breach ten seconds to bring the vehicle back."""
        if self.breached:
            self._recovery_until_s = now_s + _RECOVERY_S

    def step(self, position_n: Vec3, now_s: float, *, landing: bool) -> Bound:
        """Look where the vehicle is; return what has just been breached."""
        if not self.enabled:
            self.breached = Bound(0)
            return Bound(0)
        fresh = Bound(0)
        off = self._off(position_n, landing=landing)
        for bound, outside in off.items():
            if outside < 0.0:
                if self.breached:
                    self.breached &= ~bound
                self._backup.pop(bound, None)
            elif bound not in self.breached or outside >= self._backup[bound]:
                fresh |= bound
                self._backup[bound] = outside + _BACKUP_M
        if self.breached:
            self.breached &= Bound(sum(off)) if off else Bound(0)
        if now_s < self._recovery_until_s and self.breached:
            fresh &= ~self.breached
        if fresh:
            if not self.breached:
                self.time_ms = round(now_s * 1e3)
            self.count = min(self.count + 1, 0xFFFF)
            self.breached |= fresh
        breached = self.breached
        self.outside_m = (
            max((off[b] for b in off if b in breached), default=0.0) if breached else 0.0
        )
        return fresh

    def contains(self, north: float, east: float, down: float) -> bool:
        """Tell whether the vehicle may be sent to a place. NED [m]."""
        off = self._off((north, east, down), landing=False) if self.enabled else {}
        return all(outside <= 0.0 for outside in off.values())

    def reasons(self) -> list[str]:
        """Return why the vehicle must not arm, in AC_Fence's words."""
        p = self._parameters
        if not self.enabled:
            return []
        kinds = self._kinds()
        if not kinds:
            return ["Fences enabled, but none selected"]
        if not self.valid and Bound.POLYGON in kinds:
            return ["Polygon fence(s) invalid"]
        if p["FENCE_RADIUS"] < p["FENCE_MARGIN"]:
            return ["Circle FENCE_MARGIN is greater than FENCE_RADIUS"]
        if p["FENCE_ALT_MAX"] < 0.0:
            return ["Invalid FENCE_ALT_MAX value"]
        if self.breached:
            return [f"Vehicle breaching {fence_names(self.breached)}"]
        if p["FENCE_ALT_MAX"] < p["FENCE_ALT_MIN"]:
            return ["FENCE_ALT_MAX < FENCE_ALT_MIN"]
        if p["FENCE_ALT_MAX"] - p["FENCE_ALT_MIN"] <= 2.0 * p["FENCE_MARGIN"]:
            return ["FENCE_MARGIN too big"]
        return []

    def _kinds(self) -> Bound:
        return Bound(self._parameters.bits("FENCE_TYPE") & 0xF)

    def _off(self, position_n: Vec3, *, landing: bool) -> dict[Bound, float]:
        """Return by how much a place is outside each bound in force [m]."""
        p, kinds = self._parameters, self._parameters.bits("FENCE_TYPE")
        height = self._ground.home_down - position_n[2]
        at = (position_n[0], position_n[1])
        off: dict[Bound, float] = {}
        if kinds & Bound.MAX_ALT.value:
            off[Bound.MAX_ALT] = height - p["FENCE_ALT_MAX"]
        if kinds & Bound.CIRCLE.value:
            away = math.dist(at, self._ground.home_north_east())
            off[Bound.CIRCLE] = away - p["FENCE_RADIUS"]
        if kinds & Bound.POLYGON.value and self._zones:
            off[Bound.POLYGON] = self._off_zones(at)
        if kinds & Bound.MIN_ALT.value:
            self._above_floor = not landing and (
                self._above_floor or height > p["FENCE_ALT_MIN"] + p["FENCE_MARGIN"]
            )
            if self._above_floor:
                off[Bound.MIN_ALT] = p["FENCE_ALT_MIN"] - height
        return off

    def _off_zones(self, at: Point) -> float:
        inside = [z.breached_by(at) for z in self._zones if z.inclusion]
        outside = [z.breached_by(at) for z in self._zones if not z.inclusion]
        union = self._parameters.bits("FENCE_OPTIONS") & _INCLUSION_UNION
        if union and inside:
            inside = [min(inside)]
        return max([*inside, *outside])


def fence_names(bounds: Bound) -> str:
    """Return kinds of fence as AC_Fence names them in its texts."""
    names = [name for bound, name in _NAMES.items() if bound in bounds]
    listed = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
    return f"{listed} fence{'s' if len(names) > 1 else ''}"


def _crosses(at: Point, a: Point, b: Point) -> bool:
    """Tell whether the ray from a point to the north meets a side."""
    (x, y), (ax, ay), (bx, by) = at, a, b
    if (ay > y) == (by > y):
        return False
    return x < ax + (bx - ax) * (y - ay) / (by - ay)


def _distance_to_side(at: Point, a: Point, b: Point) -> float:
    dx, dy = b[0] - a[0], b[1] - a[1]
    square = dx * dx + dy * dy
    along = ((at[0] - a[0]) * dx + (at[1] - a[1]) * dy) / square if square > 0.0 else 0.0
    share = min(max(along, 0.0), 1.0)
    return math.dist(at, (a[0] + share * dx, a[1] + share * dy))
