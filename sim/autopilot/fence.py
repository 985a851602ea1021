"""The fence: ceiling, floor, circle and polygons, and which of them are breached.

As AC_Fence does it: a breach counts when it begins, and anew twenty metres further out; the floor
is guarded only once the vehicle has been above it, and never on the way down to land.
"""

import math
from enum import IntFlag
from typing import Final, TypeAlias

from sim.autopilot.frame import Ground
from sim.autopilot.items import Item
from sim.autopilot.parameters import Parameters
from sim.autopilot.zones import Point, Zone, zones_of
from sim.control.vector import Vec3

_BACKUP_M: Final = 20.0
_RECOVERY_S: Final = 10.0
_INCLUSION_UNION: Final = 1 << 1
_NO_MODE_CHANGE: Final = 1 << 0


class Bound(IntFlag):
    """Kinds of fence, as FENCE_TYPE numbers them."""

    MAX_ALT = 1
    CIRCLE = 2
    POLYGON = 4
    MIN_ALT = 8


# As plain numbers: flags are compared by a dozen calls.
_MAX_ALT, _CIRCLE = Bound.MAX_ALT.value, Bound.CIRCLE.value
_POLYGON, _MIN_ALT = Bound.POLYGON.value, Bound.MIN_ALT.value
_NOTHING: Final = Bound(0)
_Outside: TypeAlias = list[tuple[Bound, float]]

EVERY_BOUND: Final = Bound.MAX_ALT | Bound.CIRCLE | Bound.POLYGON | Bound.MIN_ALT
# FENCE_AUTOENABLE.
_ON_TAKEOFF: Final = 1
_FLOOR_OFF_TO_LAND: Final = 2
_WHEN_ARMED: Final = 3
_NAMES: Final = {
    Bound.MAX_ALT: "Max Alt",
    Bound.CIRCLE: "Circle",
    Bound.POLYGON: "Polygon",
    Bound.MIN_ALT: "Min Alt",
}


class Fence:
    """One vehicle's fence. The zero state has no zones and nothing breached.

    FENCE_ENABLE puts every kind in force when it is changed; commands and FENCE_AUTOENABLE do so
    without touching the parameter.

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
        self._in_force = _NOTHING
        self._watched = 0  # what is selected and in force, as a plain number
        self._followed = (0.0, 0.0)
        self._changes = -1
        self._above_floor = False
        self._recovery_until_s = -math.inf
        self.breached = _NOTHING
        self.count = 0
        self.time_ms = 0
        self.valid = True
        self.outside_m = 0.0

    @property
    def enabled(self) -> bool:
        """Tell whether any kind is in force."""
        return bool(self._in_force)

    @property
    def needs_position(self) -> bool:
        """Tell whether a bound in force is a place."""
        self.follow()
        return bool(self._watched & (_CIRCLE | _POLYGON))

    @property
    def holds_mode(self) -> bool:
        """Tell whether modes may not be changed until a breach is over (FENCE_OPTIONS bit 0)."""
        return self.enabled and bool(
            self.breached and self._parameters.bits("FENCE_OPTIONS") & _NO_MODE_CHANGE
        )

    def follow(self) -> None:
        """Notice that FENCE_ENABLE, FENCE_AUTOENABLE or FENCE_TYPE was changed."""
        if self._parameters.changes == self._changes:
            return
        self._changes = self._parameters.changes
        now = (self._parameters["FENCE_ENABLE"], self._parameters["FENCE_AUTOENABLE"])
        if now != self._followed:
            self._followed = now
            self._in_force = EVERY_BOUND if now[0] > 0.0 else _NOTHING
        self._watched = self._kinds().value

    def enable(self, kinds: Bound, *, on: bool) -> Bound:
        """Put kinds in force, or out of it; return those selected that changed."""
        before = self._in_force
        self._in_force = before | kinds if on else before & ~kinds
        self._watched = self._kinds().value
        if not on:
            self.breached &= ~kinds
        return (before ^ self._in_force) & self._selected()

    def after_takeoff(self) -> Bound:
        """Do what FENCE_AUTOENABLE asks for after a take-off; return what changed."""
        wanted = self._auto in (_ON_TAKEOFF, _FLOOR_OFF_TO_LAND)
        return self.enable(EVERY_BOUND, on=True) if wanted else _NOTHING

    def before_landing(self) -> Bound:
        """Do what it asks for in a landing; return what changed."""
        return self.enable(EVERY_BOUND, on=False) if self._auto == _ON_TAKEOFF else _NOTHING

    def armed(self, *, armed: bool) -> Bound:
        """Do what it asks for on arming and disarming; return what changed."""
        wanted = self._auto == _WHEN_ARMED
        return self.enable(EVERY_BOUND, on=armed) if wanted else _NOTHING

    @property
    def _auto(self) -> int:
        return self._parameters.bits("FENCE_AUTOENABLE")

    def load(self, items: list[Item]) -> None:
        """Take zones that were uploaded."""
        zones = zones_of(items, self._ground)
        self.valid = zones is not None
        self._zones = zones or []

    def recover(self, now_s: float) -> bool:
        """Give a mode change during a breach ten seconds to bring the vehicle back."""
        if self.breached:
            self._recovery_until_s = now_s + _RECOVERY_S
        return bool(self.breached)

    def step(self, position_n: Vec3, now_s: float, *, landing: bool) -> Bound:
        """Look where the vehicle is; return what has just been breached."""
        self.follow()
        if not self.enabled:
            self.breached = _NOTHING
            return _NOTHING
        off = self._off(position_n, landing=landing)
        if not self._backup and not self.breached and all(outside < 0.0 for _, outside in off):
            self.outside_m = 0.0
            return _NOTHING
        return self._judge(off, now_s)

    def _judge(self, off: _Outside, now_s: float) -> Bound:
        """Note by how much the vehicle is outside each bound; return what is breached anew."""
        fresh = _NOTHING
        for bound, outside in off:
            if outside < 0.0:
                if self.breached:
                    self.breached &= ~bound
                self._backup.pop(bound, None)
            elif bound not in self.breached or outside >= self._backup[bound]:
                fresh |= bound
                self._backup[bound] = outside + _BACKUP_M
        if self.breached:
            self.breached &= Bound(sum(bound for bound, _ in off))
        if now_s < self._recovery_until_s and self.breached:
            fresh &= ~self.breached
        if fresh:
            if not self.breached:
                self.time_ms = round(now_s * 1e3)
            self.count = min(self.count + 1, 0xFFFF)
            self.breached |= fresh
        breached = self.breached
        self.outside_m = (
            max((outside for bound, outside in off if bound in breached), default=0.0)
            if breached
            else 0.0
        )
        return fresh

    def contains(self, north: float, east: float, down: float) -> bool:
        """Tell whether the vehicle may be sent to a place. NED [m]."""
        self.follow()
        off = self._off((north, east, down), landing=False)
        return all(outside <= 0.0 for _, outside in off)

    def sides(self, at: Point) -> list[tuple[Point, float]]:
        """Return the boundaries in the plane that are in force: the way out, and how far it is."""
        kinds = self._kinds()
        zones = list(self._zones) if Bound.POLYGON in kinds else []
        if Bound.CIRCLE in kinds:
            home = self._ground.home_north_east()
            zones.append(
                Zone(inclusion=True, corners=(home,), radius=self._parameters["FENCE_RADIUS"])
            )
        return [zone.side(at) for zone in zones]

    def headroom(self, down: float) -> float | None:
        """Return how far the ceiling is above an NED down, None if there is none [m]."""
        if Bound.MAX_ALT not in self._kinds():
            return None
        return self._parameters["FENCE_ALT_MAX"] - (self._ground.home_down - down)

    def reasons(self) -> list[str]:
        """Return why the vehicle must not arm, in AC_Fence's words."""
        self.follow()
        p = self._parameters
        if not self.enabled and not self._auto:
            return []
        kinds = self._selected()
        if not self._zones and self.valid:
            kinds &= ~Bound.POLYGON
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

    def _selected(self) -> Bound:
        return Bound(self._parameters.bits("FENCE_TYPE") & 0xF)

    def _kinds(self) -> Bound:
        return self._selected() & self._in_force

    def _off(self, position_n: Vec3, *, landing: bool) -> _Outside:
        """Return by how much a place is outside each bound in force [m]."""
        p, kinds = self._parameters, self._watched
        height = self._ground.home_down - position_n[2]
        at = (position_n[0], position_n[1])
        off: _Outside = []
        if kinds & _MAX_ALT:
            off.append((Bound.MAX_ALT, height - p["FENCE_ALT_MAX"]))
        if kinds & _CIRCLE:
            away = math.dist(at, self._ground.home_north_east())
            off.append((Bound.CIRCLE, away - p["FENCE_RADIUS"]))
        if kinds & _POLYGON and self._zones:
            off.append((Bound.POLYGON, self._off_zones(at)))
        if kinds & _MIN_ALT:
            self._above_floor = not landing and (
                self._above_floor or height > p["FENCE_ALT_MIN"] + p["FENCE_MARGIN"]
            )
            if self._above_floor:
                off.append((Bound.MIN_ALT, p["FENCE_ALT_MIN"] - height))
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
