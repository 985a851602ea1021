"""The fence that is stored in the autopilot, and what it comes to around a trajectory."""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from flightcore.offboard.frames import offset
from flightcore.trajectory.geofence import Circle, Corner, Fence, Polygon, Zone
from wire.mavlink import dialect
from wire.trajectory import Reference

# Parameters of ArduPilot's AC_Fence. Those that a version may lack are taken for zero then.
NEEDED: Final = (
    "FENCE_ENABLE",
    "FENCE_TYPE",
    "FENCE_ALT_MAX",
    "FENCE_ALT_MIN",
    "FENCE_RADIUS",
    "FENCE_MARGIN",
)
OPTIONAL: Final = ("FENCE_AUTOENABLE", "FENCE_OPTIONS")
CEILING, AROUND_HOME, ZONES, FLOOR = 1, 2, 4, 8  # bits of FENCE_TYPE
_UNION: Final = 2  # of FENCE_OPTIONS
_MIN_CORNERS: Final = 3

_INCLUSION_CORNER: Final = dialect.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_INCLUSION
_EXCLUSION_CORNER: Final = dialect.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_EXCLUSION
_INCLUSION_CIRCLE: Final = dialect.MAV_CMD_NAV_FENCE_CIRCLE_INCLUSION
_EXCLUSION_CIRCLE: Final = dialect.MAV_CMD_NAV_FENCE_CIRCLE_EXCLUSION
_RETURN_POINT: Final = dialect.MAV_CMD_NAV_FENCE_RETURN_POINT  # bounds nothing


class Item(NamedTuple):
    """One stored item; `size` is a polygon's number of corners or a circle's radius [m]."""

    command: int
    size: float
    latitude_e7: int
    longitude_e7: int


class UnreadableFenceError(Exception):
    """What is stored cannot be understood, so nothing can be said to stay within it."""


class StoredFence(NamedTuple):
    """What was read: whether it is in force, parameters, items, and home, if one is about it."""

    is_in_force: bool
    parameters: Mapping[str, float]
    items: tuple[Item, ...] = ()
    home: Reference | None = None

    def around(self, reference: Reference) -> Fence:
        """Return the fence in the local frame of a trajectory.

        Raises:
            UnreadableFenceError: It is none that is known here.
        """
        if not self.is_in_force:
            return Fence()
        value, kinds = self.parameters, int(self.parameters["FENCE_TYPE"])
        inclusions, exclusions = _zones(self.items if kinds & ZONES else (), reference)
        down_min, down_max = -math.inf, math.inf
        if kinds & (CEILING | FLOOR | AROUND_HOME):
            if self.home is None:
                raise UnreadableFenceError("home is not known")
            home_down = (reference.altitude_mm - self.home.altitude_mm) * 1e-3
            if kinds & CEILING:
                down_min = home_down - value["FENCE_ALT_MAX"]
            if kinds & FLOOR:
                down_max = home_down - value["FENCE_ALT_MIN"]
            if kinds & AROUND_HOME:
                north, east, _ = offset(self.home, reference)
                inclusions.append(Circle((north, east), value["FENCE_RADIUS"]))
        # The circle around home is kept beside the zones, never instead of them.
        is_union = bool(int(value["FENCE_OPTIONS"]) & _UNION) and not kinds & AROUND_HOME
        return Fence(
            inclusions=tuple(inclusions),
            exclusions=tuple(exclusions),
            is_union=is_union,
            down_min=down_min,
            down_max=down_max,
            margin=max(0.0, value["FENCE_MARGIN"]),
        )


def _zones(items: Sequence[Item], reference: Reference) -> tuple[list[Zone], list[Zone]]:
    inclusions: list[Zone] = []
    exclusions: list[Zone] = []
    rest = [item for item in items if item.command != _RETURN_POINT]
    while rest:
        first = rest[0]
        place = _place(first, reference)
        count = 1
        zone: Zone
        if first.command in (_INCLUSION_CIRCLE, _EXCLUSION_CIRCLE):
            if not (math.isfinite(first.size) and first.size > 0.0):
                raise UnreadableFenceError(f"a circle of {first.size:g} m")
            zone = Circle(place, first.size)
        elif first.command in (_INCLUSION_CORNER, _EXCLUSION_CORNER):
            count = int(first.size) if math.isfinite(first.size) else 0
            corners = rest[:count]
            if count < _MIN_CORNERS or [c.command for c in corners] != [first.command] * count:
                raise UnreadableFenceError(f"a polygon of {first.size:g} corners")
            zone = Polygon(tuple(_place(corner, reference) for corner in corners))
        else:
            raise UnreadableFenceError(f"an item of command {first.command}")
        is_inclusion = first.command in (_INCLUSION_CIRCLE, _INCLUSION_CORNER)
        (inclusions if is_inclusion else exclusions).append(zone)
        del rest[:count]
    return inclusions, exclusions


def _place(item: Item, reference: Reference) -> Corner:
    at = Reference(item.latitude_e7, item.longitude_e7, reference.altitude_mm)
    north, east, _ = offset(at, reference)
    return north, east
