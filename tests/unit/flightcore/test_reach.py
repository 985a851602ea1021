"""Motions within reach: within it, as near as can be, and what is in reach stays as it is.

Mutants killed: gravity with the wrong sign; drag left out of the thrust; a window that does not
continue the last one; multipliers that are not kept; derivatives not divided by the knots' time.
"""

import math

import numpy as np
import pytest
from scipy.interpolate import BSpline

from flightcore.control.vehicle import Rotor, Vehicle
from flightcore.trajectory.harmonic import SINE, Harmonic, Wave, orbit
from flightcore.trajectory.reach import _PIECE, within_reach

ARMS = ((0.1, 0.1, 0.016), (-0.1, -0.1, 0.016), (0.1, -0.1, -0.016), (-0.1, 0.1, -0.016))
VEHICLE = Vehicle(
    0.75, (2.5e-3, 2.1e-3, 4.3e-3), tuple(Rotor(*a) for a in ARMS), 0.0, 8.5, (0.3,) * 3
)
MOST = 4.0 * 8.5 / 0.75


def thrust(flat):
    """Thrust per mass, by Newton: all that is not weight and drag."""
    gravity = np.array([[0.0], [0.0], [VEHICLE.gravity]])
    return np.linalg.norm(flat[6:9] - gravity + 0.3 / 0.75 * flat[3:6], axis=0)


def circle(acceleration, speed, duration=12.0):
    radius = speed**2 / acceleration
    wave, other = Wave(radius, speed / radius), Wave(radius, speed / radius, SINE)
    return Harmonic((0.0, 0.0, -5.0), ((wave,), (other,), ()), duration)


def test_the_pieces_are_those_of_a_b_spline():
    """The sixth basis spline over knots 0, 1, ... by scipy, piece by piece."""
    spline = BSpline.basis_element(np.arange(7.0))
    for j in range(6):
        for u in (0.0, 0.3, 0.9):
            ours = _PIECE[5 - j] @ u ** np.arange(6)
            assert ours == pytest.approx(float(spline(j + u)), abs=1e-12)


def test_what_can_be_flown_is_left_as_it_is():
    slow = orbit((3.0, -2.0, -8.0), 10.0, 5.0, turns=2.0)
    found = within_reach(slow, VEHICLE)
    times = np.linspace(0.0, slow.duration, 1_001)
    flat, reached = slow.sample(times), found.sample(times)
    assert np.abs(reached[:3] - flat[:3]).max() < 2e-3
    assert np.abs(reached[6:9] - flat[6:9]).max() < 0.02
    assert np.array_equal(reached[15:], flat[15:])
    assert found.duration == slow.duration


def test_a_circle_too_fast_becomes_the_largest_that_thrust_can_hold():
    """At the same rate the same force holds a smaller circle: that is the nearest there is."""
    fast = circle(60.0, 20.0)
    times = np.linspace(4.0, 8.0, 1_001)  # after its beginning, and far from its end
    reached = within_reach(fast, VEHICLE, share=0.95).sample(times)
    assert thrust(reached).max() < 0.952 * MOST
    radius = np.hypot(reached[0], reached[1])
    # Of the thrust, weight and drag across take their part; the rest is centripetal.
    rate, level = 3.0, math.sqrt((0.95 * MOST) ** 2 - VEHICLE.gravity**2)
    largest = level / rate**2 / math.hypot(1.0, 0.3 / 0.75 / rate)
    assert np.abs(radius - largest).max() < 0.05
    assert np.abs(reached[2] + 5.0).max() < 0.05
    behind = np.arctan2(reached[1], reached[0]) - rate * times
    assert np.abs(np.sin(0.5 * behind)).max() < 0.05  # in phase


def test_a_loop_gives_way_below_where_weight_adds_to_the_pull():
    """40 m/s2 are within reach at the top, where weight helps, and not at the bottom."""
    wave, other = Wave(5.625, 8.0 / 3.0), Wave(5.625, 8.0 / 3.0, SINE)
    loop = Harmonic((0.0, 0.0, -20.0), ((other,), (), (wave,)), 9.0)
    times = np.linspace(2.0, 7.0, 1_001)
    flat, reached = loop.sample(times), within_reach(loop, VEHICLE, share=0.95).sample(times)
    assert thrust(flat).max() > 1.08 * MOST
    assert thrust(reached).max() < 0.955 * MOST
    missed = np.linalg.norm(reached[:3] - flat[:3], axis=0)
    assert missed.max() < 1.0


def test_windows_join_up_to_snap():
    reached = within_reach(circle(60.0, 15.0), VEHICLE).motion
    for t in reached.breaks[1:-1]:
        before, after = reached.sample(np.array([t - 1e-9, t + 1e-9])).T
        assert np.allclose(before[:15], after[:15], atol=1e-3)


def test_it_begins_where_the_trajectory_begins_and_as_fast():
    fast = circle(60.0, 20.0)
    start, wanted = (t.sample(np.array([0.0]))[:6] for t in (within_reach(fast, VEHICLE), fast))
    assert np.allclose(start[:3], wanted[:3], atol=0.05)
    assert np.allclose(start[3:], wanted[3:], atol=0.2)


@pytest.mark.parametrize("duration", [0.01, 0.05, 0.12, 4.0, 4.05, 5.0])
def test_any_duration_will_do(duration):
    slow = circle(5.0, 3.0, duration)
    times = np.linspace(0.0, duration, 30)
    assert (
        np.abs(within_reach(slow, VEHICLE).sample(times)[:3] - slow.sample(times)[:3]).max() < 0.01
    )
