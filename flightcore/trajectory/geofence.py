"""The fence that a trajectory must stay within, as the autopilot keeps it: zones, ceiling, floor.

ArduPilot breaches when a position is outside any inclusion, inside any exclusion, above the ceiling
or below the floor, and warns `FENCE_MARGIN` before. A trajectory is looked at in samples so close
that between two of them it cannot go farther than `slack`; each must keep margin and slack.

Source: ArduPilot's AC_Fence and AC_PolyFence_loader, Copter 4.6.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flightcore.trajectory.sampled import Array

Corner: TypeAlias = tuple[float, float]  # north, east [m]


@dataclass(frozen=True, slots=True)
class Polygon:
    """A zone by its corners, three or more, in either sense; it need not be convex. [m]."""

    corners: tuple[Corner, ...]

    def outside_by(self, places: Array) -> Array:
        """Return how far places of shape (2, n) are outside, negative inside. Shape (n,). [m]."""
        a = np.array(self.corners)
        b = np.roll(a, -1, axis=0)
        distance = np.full(places.shape[1], math.inf)
        inside = np.zeros(places.shape[1], dtype=bool)
        north, east = places
        for (an, ae), (bn, be) in zip(a, b, strict=True):
            dn, de = bn - an, be - ae
            squared = max(dn * dn + de * de, 1e-12)
            along = np.clip(((north - an) * dn + (east - ae) * de) / squared, 0.0, 1.0)
            away = np.hypot(north - an - along * dn, east - ae - along * de)
            distance = np.minimum(distance, away)
            if ae != be:
                crosses = (ae <= east) != (be <= east)
                inside ^= crosses & (north < an + (east - ae) * (dn / de))
        return np.where(inside, -distance, distance)


@dataclass(frozen=True, slots=True)
class Circle:
    """A round zone. [m]."""

    centre: Corner
    radius: float

    def outside_by(self, places: Array) -> Array:
        """Return how far places of shape (2, n) are outside, negative inside. Shape (n,). [m]."""
        distance: Array = np.hypot(places[0] - self.centre[0], places[1] - self.centre[1])
        return distance - self.radius


Zone: TypeAlias = Polygon | Circle


class Breach(NamedTuple):
    """The first sample that does not keep its distance.

    Attributes:
        sample: Which one.
        bound: Of what.
        by: How far it is beyond where it may be. [m]
    """

    sample: int
    bound: str
    by: float


@dataclass(frozen=True, slots=True)
class Fence:
    """Where the vehicle may be, in the local frame of the trajectory. The zero state is no fence.

    Attributes:
        inclusions: To stay inside: of all of them, or of one if `is_union`.
        exclusions: To stay outside.
        is_union: FENCE_OPTIONS bit 1.
        down_min: The ceiling, NED down, so mostly negative. [m]
        down_max: The floor. [m]
        margin: To keep from each of them. [m]
    """

    inclusions: tuple[Zone, ...] = ()
    exclusions: tuple[Zone, ...] = ()
    is_union: bool = False
    down_min: float = -math.inf
    down_max: float = math.inf
    margin: float = 0.0

    def breach(self, positions: Array, slack: float) -> Breach | None:
        """Return where the fence is first not kept; None if it is throughout.

        Args:
            positions: NED, shape (3, n). What is not a number breaches. [m]
            slack: Farthest from the nearest sample that it gets in between. [m]
        """
        places, down = positions[:2], positions[2]
        beyond: list[tuple[str, Array]] = [
            ("the ceiling", self.down_min - down),
            ("the floor", down - self.down_max),
        ]
        beyond += [("an exclusion zone", -zone.outside_by(places)) for zone in self.exclusions]
        inside = [zone.outside_by(places) for zone in self.inclusions]
        if self.is_union and inside:
            inside = [np.minimum.reduce(inside)]
        beyond += [("an inclusion zone", outside) for outside in inside]
        found = (_first(bound, by + self.margin + slack) for bound, by in beyond)
        return min((breach for breach in found if breach is not None), default=None)


def _first(bound: str, by: Array) -> Breach | None:
    wrong: NDArray[np.bool_] = ~(by <= 0.0)  # nor is what is not a number right
    if not wrong.any():
        return None
    index = int(np.argmax(wrong))
    return Breach(index, bound, float(by[index]))
