"""The fence against shapely: what passes stays in, what stays in by a little more passes.

Zones are drawn with edges of the same lengths as the corners are apart, lying, standing and slanted
ones, so that samples fall on corners and edges. The trajectory is compared as a line of many more
points than the product looks at.

Mutants killed: margin left out; slack left out, or halved; distance to the edge's line instead of
the edge; half-open edges closed; inside and outside of an exclusion exchanged; an intersection
taken for a union; the ceiling's sign; the speed bound of its first Bernstein coefficient alone; of
waves without two axes; no number taken for a place inside.
"""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from shapely import Point, prepare
from shapely.geometry import LineString
from shapely.geometry import Polygon as Shape

from flightcore.flown import Flown, _fastest, closely, document_of
from flightcore.trajectory.geofence import Circle, Fence, Polygon
from flightcore.trajectory.harmonic import lemniscate, orbit
from flightcore.trajectory.polynomial import line, through
from wire.trajectory import Facing as Towards
from wire.trajectory import Polynomial, Reference, Turning, Wave, Waves

HERE = Reference(-353_632_610, 1_491_652_300, 584_090)
GRID = st.integers(-6, 6).map(lambda k: 5.0 * k)
CORNERS = st.lists(st.tuples(GRID, GRID), min_size=3, max_size=7, unique=True)
ROUGH = st.sampled_from([-30.0, -15.0, -5.0, 0.0, 2.5, 5.0, 30.0]) | st.floats(-40.0, 40.0)
MARGINS = st.sampled_from([0.0, 0.5, 2.0])
FINE = 1e-6


def shape_of(corners):
    shape = Shape(corners)
    assume(shape.is_valid)
    assume(shape.area > 1.0)
    return shape


def one(corners, **more):
    return Fence(inclusions=(Polygon(tuple(corners)),), **more)


@given(CORNERS, st.tuples(ROUGH, ROUGH), MARGINS)
def test_place_against_shapely(corners, place, margin):
    shape, point = shape_of(corners), Point(place)
    away = shape.exterior.distance(point)
    is_inside = shape.contains(point)
    at = np.array([[place[0]], [place[1]], [-5.0]])
    assume(abs(away - margin) > FINE)
    kept = one(corners, margin=margin).breach(at, 0.0) is None
    assert kept == (is_inside and away >= margin)
    out = Fence(exclusions=(Polygon(tuple(corners)),), margin=margin).breach(at, 0.0) is None
    assert out == (not is_inside and away >= margin)


MOTIONS = st.one_of(
    st.builds(
        lambda a, b: line((*a, -5.0), (*b, -6.0), 4.0, 2.0, 0.0),
        st.tuples(GRID, GRID),
        st.tuples(ROUGH, ROUGH).filter(lambda p: abs(p[0]) + abs(p[1]) > 0.1),
    ).filter(lambda m: np.isfinite(m.breaks).all()),
    st.builds(
        lambda points: through([(*p, -5.0) for p in points], 5.0, 3.0, 0.0),
        st.lists(st.tuples(GRID, GRID), min_size=2, max_size=5, unique=True),
    ),
    st.builds(
        lambda c, r: orbit((*c, -5.0), r, 3.0), st.tuples(GRID, GRID), st.sampled_from([2.0, 9.0])
    ),
    st.builds(lambda c: lemniscate((*c, -5.0), 12.0, 9.0, 0.3, 21.0), st.tuples(GRID, GRID)),
)


@pytest.mark.slow
@given(CORNERS, MOTIONS, MARGINS, st.booleans())
@settings(max_examples=150)
def test_way_against_shapely(corners, motion, margin, is_exclusion):
    shape = shape_of(corners)
    flown = Flown(document_of([motion], HERE))
    fine = flown.sample(np.linspace(0.0, flown.duration, 3000))[:2].T
    way = LineString(fine)
    prepare(shape)
    away = shape.exterior.distance(way)
    is_right = shape.disjoint(way) if is_exclusion else shape.contains(way)
    zone = Polygon(tuple(corners))
    zones = {"exclusions": (zone,)} if is_exclusion else {"inclusions": (zone,)}
    fence = Fence(**zones, margin=margin)
    stretches = list(closely(flown))
    found = [fence.breach(s.positions, s.slack) for s in stretches]
    slack = max(s.slack for s in stretches)
    if all(breach is None for breach in found):
        assert is_right
        assert away >= margin - FINE
    elif is_right:
        assert away <= margin + 2 * slack + FINE


@pytest.mark.slow
@given(MOTIONS)
@settings(max_examples=60)
def test_samples_miss_nothing(motion):
    flown = Flown(document_of([motion], HERE))
    stretches = list(closely(flown))
    assert stretches[0].times[0] == 0.0
    assert math.isclose(stretches[-1].times[-1], flown.duration)
    for stretch, after in pairwise(stretches):
        assert math.isclose(stretch.times[-1], after.times[0], abs_tol=1e-9)
    for stretch in stretches:
        between = np.linspace(stretch.times[0], stretch.times[-1], 1000)[1:-1]
        if not len(between):
            continue
        nearest = np.abs(stretch.times[:, None] - between).argmin(axis=0)
        gap = np.linalg.norm(
            flown.sample(between)[:3] - stretch.positions[:, nearest], axis=0
        ).max()
        assert gap <= stretch.slack + 1e-6
        assert stretch.slack <= 0.11


NUMBERS = st.sampled_from([0.0, 1.0, -1.0, 3.0]) | st.floats(-5.0, 5.0)
ROWS = st.lists(NUMBERS, max_size=9).map(tuple)
WAVES = st.lists(st.builds(Wave, NUMBERS, NUMBERS, NUMBERS), max_size=3).map(tuple)
PIECES = st.one_of(
    st.builds(Polynomial, st.floats(0.1, 3.0), st.just(Turning()), st.tuples(ROWS, ROWS, ROWS)),
    st.builds(
        Waves,
        st.floats(0.1, 9.0),
        st.just(Towards(900.0, 900.0)),
        st.just((0.0, 0.0, 0.0)),
        st.tuples(WAVES, WAVES, WAVES),
    ),
)


@given(PIECES)
@example(Polynomial(2.0, Turning(), ((0.0, 1.0, -2.0, 3.0), (), ())))
def test_speed_is_bounded(piece):
    document = document_of([], HERE)
    flown = Flown(type(document)(HERE, (piece,)))
    flat = flown.sample(np.linspace(0.0, piece.duration, 500))
    fastest = np.linalg.norm(flat[3:6], axis=0).max()
    assert fastest <= _fastest(piece) * (1 + 1e-9) + 1e-9


def places(*points):
    return np.array(points, dtype=float).T


SQUARE = Polygon(((-10.0, -10.0), (-10.0, 10.0), (10.0, 10.0), (10.0, -10.0)))
EAST = Polygon(((-10.0, 5.0), (-10.0, 30.0), (10.0, 30.0), (10.0, 5.0)))


def test_inclusions_are_all_or_one():
    both = places((0, 7, -5))
    left, right = places((0, 0, -5)), places((0, 20, -5))
    every = Fence(inclusions=(SQUARE, EAST), margin=1.0)
    either = Fence(inclusions=(SQUARE, EAST), margin=1.0, is_union=True)
    assert every.breach(both, 0.0) is None
    assert every.breach(left, 0.0) is not None
    assert every.breach(right, 0.0) is not None
    for at in both, left, right:
        assert either.breach(at, 0.0) is None
    assert either.breach(places((0, 40, -5)), 0.0) is not None


@pytest.mark.parametrize(
    ("fence", "at", "expected"),
    [
        (Fence(down_min=-50.0, margin=2.0), (0, 0, -48.0), None),
        (Fence(down_min=-50.0, margin=2.0), (0, 0, -48.1), "the ceiling"),
        (Fence(down_max=-10.0, margin=2.0), (0, 0, -12.0), None),
        (Fence(down_max=-10.0, margin=2.0), (0, 0, -11.9), "the floor"),
        (Fence(inclusions=(Circle((0.0, 0.0), 30.0),), margin=2.0), (28, 0, 0), None),
        (Fence(inclusions=(Circle((0.0, 0.0), 30.0),), margin=2.0), (0, 28.1, 0), "an inclusion"),
        (Fence(exclusions=(Circle((0.0, 0.0), 3.0),), margin=2.0), (5, 0, 0), None),
        (Fence(exclusions=(Circle((0.0, 0.0), 3.0),), margin=2.0), (0, 4.9, 0), "an exclusion"),
        (Fence(inclusions=(Circle((0.0, 0.0), 9e9),)), (math.nan, 0, 0), "an inclusion"),
        (Fence(down_max=0.0), (0, 0, math.nan), "the "),
        (Fence(), (1e6, 1e6, 1e6), None),
    ],
)
def test_bounds_and_margins(fence, at, expected):
    breach = fence.breach(places(at), 0.0)
    if expected is None:
        assert breach is None
    else:
        assert breach is not None
        assert breach.bound.startswith(expected)
    if fence.margin:
        assert fence.breach(places(at), 0.2) is not None


def test_first_breach_is_named():
    fence = Fence(inclusions=(SQUARE,), down_min=-50.0)
    breach = fence.breach(places((0, 0, -5), (0, 12, -5), (0, 0, -60)), 0.5)
    assert breach == (1, "an inclusion zone", 2.5)
