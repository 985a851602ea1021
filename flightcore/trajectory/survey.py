"""Survey patterns: a polygon mown in parallel lanes."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

from flightcore.trajectory.polynomial import Piecewise, Point, joined, line

Corner: TypeAlias = tuple[float, float]  # north, east [m]


def lanes(polygon: Sequence[Corner], spacing: float, heading: float) -> list[tuple[Corner, Corner]]:
    """Return the lanes over a polygon, in the order and sense in which they are flown.

    Args:
        polygon: Its corners in either sense, three or more; it need not be convex. [m]
        spacing: Between lanes; the outermost lie half as far from its edge. [m]
        heading: Of the first lane. [rad]

    Returns:
        Start and end of each lane, every other one against `heading`. A lane that leaves the
        polygon and comes back is several.
    """
    if len(polygon) < 3 or spacing <= 0.0:
        raise ValueError(
            f"{len(polygon)} corners, spacing = {spacing}: allowed: 3 or more, above 0"
        )
    c, s = math.cos(heading), math.sin(heading)
    turned = [(c * n + s * e, c * e - s * n) for n, e in polygon]  # along and across the lanes
    low, high = min(across for _, across in turned), max(across for _, across in turned)
    count = max(1, math.ceil((high - low) / spacing - 1e-9))
    first = low + 0.5 * ((high - low) - (count - 1) * spacing)
    found: list[tuple[Corner, Corner]] = []
    for i in range(count):
        across = first + i * spacing
        cuts = sorted(_cuts(turned, across))
        pairs = [((a, across), (b, across)) for a, b in zip(cuts[::2], cuts[1::2], strict=True)]
        found += pairs if i % 2 == 0 else [(end, start) for start, end in reversed(pairs)]

    def back(point: Corner) -> Corner:
        along, across = point
        return c * along - s * across, s * along + c * across

    return [(back(start), back(end)) for start, end in found]


def survey(
    polygon: Sequence[Corner],
    down: float,
    spacing: float,
    heading: float,
    speed: float,
    acceleration: float,
) -> Piecewise:
    """Return a flight over all lanes at a height, stopping at the corners, heading kept.

    Between lanes the way is straight: over a polygon that is not convex it may cross the outside.

    Args:
        polygon: As for `lanes`. [m]
        down: NED. [m]
        spacing: Between lanes. [m]
        heading: Of the first lane and of the nose. [rad]
        speed: Greatest. [m/s]
        acceleration: Greatest. [m/s2]
    """
    corners: list[Point] = [
        (north, east, down) for lane in lanes(polygon, spacing, heading) for north, east in lane
    ]
    legs = [(a, b) for a, b in pairwise(corners) if a != b]
    return joined([line(a, b, speed, acceleration, heading) for a, b in legs])


def _cuts(polygon: Sequence[Corner], across: float) -> list[float]:
    """Return where a lane crosses the edges; half-open edges make the number even."""
    cuts = []
    for (a0, c0), (a1, c1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (c0 <= across) != (c1 <= across):
            cuts.append(a0 + (a1 - a0) * (across - c0) / (c1 - c0))
    return cuts
