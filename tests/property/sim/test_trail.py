"""The way back of SmartRTL, and slowing down before the fence.

Mutants killed: the straightened way without its last point, a tolerance of twice SRTL_ACCURACY,
the way out of an excluded circle turned round, the margin added instead of taken away.
"""

import itertools
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sim.autopilot.avoid import slowed
from sim.autopilot.fence import Fence
from sim.autopilot.frame import Ground
from sim.autopilot.parameters import Parameters
from sim.autopilot.trail import Trail, straightened
from sim.autopilot.zones import Zone
from sim.geodesy import Place

metres = st.floats(-60, 60)
places = st.tuples(metres, metres, st.floats(-30, 0))
HOME = Place(356585999, 1397454001, 20.0)


def away_from_stretch(at, a, b):
    """Slow and plain: the least distance to many points of the stretch."""
    return min(
        math.dist(at, tuple(a[k] + share / 100 * (b[k] - a[k]) for k in range(3)))
        for share in range(101)
    )


@settings(max_examples=50)
@given(st.lists(places, min_size=1, max_size=12), st.floats(0.5, 10))
def test_a_straightened_way_keeps_its_ends_and_stays_near(points, within):
    kept = straightened(points, within)
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    for point in points:
        stretches = itertools.pairwise(kept) if len(kept) > 1 else [(kept[0], kept[0])]
        assert min(away_from_stretch(point, a, b) for a, b in stretches) <= 0.5 * within + 1.5


@settings(max_examples=50)
@given(st.lists(places, min_size=1, max_size=60))
def test_the_way_back_ends_where_it_began_within_its_room(points):
    parameters = Parameters()
    parameters.store("SRTL_POINTS", 20)
    trail = Trail(parameters)
    trail.begin(points[0])
    for second, point in enumerate(points):
        trail.step(point, float(second))
    back = trail.back()
    assert len(back) < 20
    if trail.usable:
        assert back[-1] == points[0]


def test_a_loop_is_not_flown_again():
    trail = Trail(Parameters())
    trail.begin((0.0, 0.0, -10.0))
    way = [(10.0, 0.0), (20.0, 0.0), (20.0, 20.0), (10.0, 20.0), (10.0, 0.5), (30.0, -10.0)]
    for second, (north, east) in enumerate(way):
        trail.step((north, east, -10.0), float(second))
    assert not any(east > 10.0 for _, east, _ in trail.back())


def guarded():
    parameters = Parameters()
    for name, value in (("FENCE_ENABLE", 1), ("FENCE_TYPE", 3), ("FENCE_RADIUS", 40)):
        parameters.store(name, value)
    ground = Ground(HOME, origin=HOME, home=HOME)
    fence = Fence(parameters, ground)
    fence.follow()
    return fence, parameters


CORNERS = ((0.0, 0.0), (0.0, 20.0), (30.0, 20.0), (30.0, 0.0))


@pytest.mark.parametrize(
    ("zone", "at", "out"),
    [
        (Zone(inclusion=True, corners=((0.0, 0.0),), radius=40.0), (0.0, 40.0), (0.0, 1.0)),
        (Zone(inclusion=False, corners=((0.0, 0.0),), radius=40.0), (0.0, 40.0), (0.0, -1.0)),
        (Zone(inclusion=True, corners=CORNERS), (10.0, 20.0), (0.0, 1.0)),
        (Zone(inclusion=True, corners=CORNERS[::-1]), (10.0, 20.0), (0.0, 1.0)),
        (Zone(inclusion=False, corners=CORNERS), (10.0, 20.0), (0.0, -1.0)),
    ],
)
def test_on_the_boundary_there_is_a_way_out_as_well(zone, at, out):
    way, left = zone.side(at)
    assert way == pytest.approx(out)
    assert left == pytest.approx(0.0)


@settings(max_examples=50)
@example((0.0, 40.0, -5.0), (0.0, 10.0, 0.0))
@given(places, st.tuples(metres, metres, metres))
def test_following_the_slowed_velocity_never_leaves_the_fence(at, velocity):
    fence, parameters = guarded()
    if not fence.contains(*at):
        return
    north, east, down = at
    for _ in range(200):
        vn, ve, vd = slowed(velocity, (north, east, down), fence, parameters)
        north, east, down = north + 0.05 * vn, east + 0.05 * ve, down + 0.05 * vd
    # Along the circle each of the 200 straight steps ends outside by its square over 2 R.
    straight = 200 * (0.05 * math.hypot(*velocity[:2])) ** 2 / 80
    assert math.hypot(north, east) < 40.5 + straight
    assert -down < parameters["FENCE_ALT_MAX"] + 0.5


@settings(max_examples=50)
@given(metres, metres)
def test_the_way_out_of_a_zone_leads_to_its_boundary(north, east):
    corners = ((30.0, 30.0), (30.0, -30.0), (-30.0, -30.0), (-30.0, 30.0))
    for zone in (
        Zone(inclusion=True, corners=corners),
        Zone(inclusion=False, corners=corners),
        Zone(inclusion=True, corners=((5.0, 5.0),), radius=20.0),
        Zone(inclusion=False, corners=((5.0, 5.0),), radius=20.0),
    ):
        (out_north, out_east), left = zone.side((north, east))
        there = (north + left * out_north, east + left * out_east)
        assert abs(zone.breached_by(there)) < 1e-6
