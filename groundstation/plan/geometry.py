"""Distances on the ground, and on which side of a fence a leg is.

Near each other places are taken as flat: metres north and east of one of them. The answer to on
which side of a polygon something is comes from whole numbers of 1e-7 degrees, as the autopilot has
them, so that no rounding can put it on another.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from groundstation.plan.model import Circle, Point, Polygon, Zone

METRES_PER_DEGREE: Final = 111_319.490793
_SCALE: Final = 10_000_000

Grid = tuple[int, int]


def offset(origin: Point, point: Point) -> tuple[float, float]:
    """Return how far north and east of `origin` a point is [m]."""
    east = math.remainder(point[1] - origin[1], 360.0)
    cosine = math.cos(math.radians(origin[0]))
    return (point[0] - origin[0]) * METRES_PER_DEGREE, east * METRES_PER_DEGREE * cosine


def moved(origin: Point, north: float, east: float) -> Point:
    """Return the point so far from `origin` [m], to the 1e-7 degree."""
    cosine = math.cos(math.radians(origin[0]))
    lon = origin[1] + east / METRES_PER_DEGREE / max(cosine, 1e-6)
    return round(origin[0] + north / METRES_PER_DEGREE, 7), round(math.remainder(lon, 360.0), 7)


def distance(a: Point, b: Point) -> float:
    """Return the distance along the ground [m]."""
    middle = (a[0] + b[0]) / 2, a[1]
    return math.dist(offset(middle, a), offset(middle, b))


def breaches(zone: Zone, a: Point, b: Point) -> bool:
    """Tell whether the straight way from `a` to `b` leaves what is to be kept to by a zone.

    A way that touches the edge does.
    """
    if isinstance(zone, Circle):
        return _breaches_circle(zone, a, b)
    corners = [_grid(point, a) for point in zone.points]
    start, end = _grid(a, a), _grid(b, a)
    edges = list(pairwise([*corners, corners[0]]))
    if any(_touch(start, end, *edge) for edge in edges):
        return True
    return is_inside(start, corners) is not zone.inclusion


def crosses_itself(polygon: Polygon) -> bool:
    """Tell whether two edges that are no neighbours touch, or a corner is there twice."""
    corners = [_grid(point, polygon.points[0]) for point in polygon.points]
    if len(set(corners)) < len(corners):
        return True
    edges = list(pairwise([*corners, corners[0]]))
    last = len(edges) - 1
    return any(
        _touch(*edges[i], *edges[j])
        for i in range(len(edges))
        for j in range(i + 2, len(edges))
        if (i, j) != (0, last)
    )


def is_inside(at: Grid, corners: Sequence[Grid]) -> bool:
    """Tell whether a point that is on no edge is inside: an odd number of edges is east of it."""
    inside = False
    for a, b in pairwise([*corners, corners[0]]):
        if (a[0] > at[0]) != (b[0] > at[0]):
            inside ^= (_side(a, b, at) > 0) == (b[0] > a[0])
    return inside


def _breaches_circle(zone: Circle, a: Point, b: Point) -> bool:
    centre = (zone.lat, zone.lon)
    start, end = offset(centre, a), offset(centre, b)
    if zone.inclusion:
        return max(math.hypot(*start), math.hypot(*end)) >= zone.radius
    along = (end[0] - start[0], end[1] - start[1])
    length = along[0] ** 2 + along[1] ** 2
    at = 0.0 if length == 0 else -(start[0] * along[0] + start[1] * along[1]) / length
    at = min(1.0, max(0.0, at))
    return math.hypot(start[0] + at * along[0], start[1] + at * along[1]) <= zone.radius


def _grid(point: Point, near: Point) -> Grid:
    """Return a point in 1e-7 degrees, its longitude on the same side of the date line as `near`."""
    lon = near[1] + math.remainder(point[1] - near[1], 360.0)
    return round(point[0] * _SCALE), round(lon * _SCALE)


def _side(a: Grid, b: Grid, at: Grid) -> int:
    return (b[0] - a[0]) * (at[1] - a[1]) - (b[1] - a[1]) * (at[0] - a[0])


def _touch(a: Grid, b: Grid, c: Grid, d: Grid) -> bool:
    """Tell whether two segments have a point in common, their ends included."""
    near = _side(a, b, c), _side(a, b, d)
    if near[0] * near[1] > 0:  # both on one side: nearly all that are asked about
        return False
    sides = *near, _side(c, d, a), _side(c, d, b)
    signs = [(side > 0) - (side < 0) for side in sides]
    if signs[0] * signs[1] < 0 and signs[2] * signs[3] < 0:
        return True
    triples = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(
        sign == 0 and _is_between(*triple) for sign, triple in zip(signs, triples, strict=True)
    )


def _is_between(a: Grid, b: Grid, at: Grid) -> bool:
    """Tell whether a point on the line through `a` and `b` is between them, or is one of them."""
    return all(min(a[n], b[n]) <= at[n] <= max(a[n], b[n]) for n in (0, 1))
