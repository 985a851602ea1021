"""What a flat output implies, against finite differences and Newton's law.

Mutants killed: a sign in `_unit`; half the middle term in `_cross` and in `_unit`; the drag of x
and y exchanged; lift added instead of subtracted; z taken for y in a rate; a product of first
derivatives left out.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from flightcore.control.flatness import FLAT_ROWS, FlatOutput, implied
from flightcore.control.position import drag
from flightcore.control.vectors import Axes
from flightcore.control.vehicle import Limits, Rotor, Vehicle
from flightcore.trajectory.harmonic import SINE, Harmonic, Wave, orbit
from tracing.executors import Rows

D = 0.12
VEHICLE = Vehicle(
    0.75,
    (2.5e-3, 2.1e-3, 4.3e-3),
    (Rotor(D, D, 0.016), Rotor(-D, -D, 0.016), Rotor(D, -D, -0.016), Rotor(-D, D, -0.016)),
    0.0,
    8.5,
    drag=(0.26, 0.40, 0.42),
    lift=0.01,
)
LIMITS = Limits(hold=1e-3, rate=math.inf, angular_acceleration=math.inf)
SPATIAL = Harmonic(
    (1.0, 2.0, -5.0),
    (
        (Wave(3.0, 1.1), Wave(0.4, 2.7, 0.3)),
        (Wave(2.0, 1.3, SINE),),
        (Wave(0.8, 1.7, 1.0),),
    ),
    4.0,
    0.4,
)
LOOP = Harmonic((0, 0, -9), ((Wave(2.0, 3.5, SINE),), (), (Wave(-2.0, 3.5),)), 4.0)
CURVES = [SPATIAL, LOOP, orbit((3.0, -1.0, -4.0), 4.0, 5.0), orbit((0, 0, -4.0), 2.0, -4.0)]


def over(trajectory, times, vehicle=VEHICLE):
    def text(flat):
        found = implied(FlatOutput.of(flat), vehicle, LIMITS)
        numbers = (*found.axes, found.rate_b, found.acceleration_b)
        return (tuple(x for v in numbers for x in v), (found.thrust,))

    rows = Rows(text, (FLAT_ROWS,), len(times))
    flat = trajectory.sample(times)
    rows.inputs[0][:] = flat
    rows.run()
    found, thrust = rows.outputs
    matrices = found[:9].reshape(3, 3, -1).transpose(2, 1, 0)
    return flat, Rotation.from_matrix(matrices), found[9:12].T, found[12:15].T, thrust[0]


@pytest.mark.parametrize("curve", CURVES)
def test_trajectories_differentiate_what_they_say(curve):
    h = 1e-4
    times = np.linspace(0.3, 2.0, 40)
    before, now, after = (curve.sample(times + s) for s in (-h, 0.0, h))
    slope = (after - before) / (2 * h)
    assert np.allclose(slope[:12], now[3:15], atol=2e-5 * np.abs(now).max())
    assert np.allclose(slope[15:17], now[16:18], atol=1e-5)


@pytest.mark.parametrize("curve", CURVES)
def test_rate_and_acceleration_are_derivatives_of_the_attitude(curve):
    h = 1e-4
    times = np.linspace(0.3, 2.0, 40)
    _, before, rate_before, _, _ = over(curve, times - h)
    _, _, rate, acceleration, _ = over(curve, times)
    _, after, rate_after, _, _ = over(curve, times + h)
    turned = (before.inv() * after).as_rotvec() / (2 * h)
    assert np.allclose(turned, rate, atol=1e-5)
    assert np.allclose((rate_after - rate_before) / (2 * h), acceleration, atol=1e-4)


@pytest.mark.parametrize("curve", CURVES)
def test_thrust_drag_and_weight_give_the_acceleration(curve):
    times = np.linspace(0.0, 2.0, 50)
    flat, attitude, _, _, thrust = over(curve, times)
    for k in range(len(times)):
        axes = Axes(*(tuple(c) for c in attitude[k].as_matrix().T))
        body = np.array(drag(axes, tuple(flat[3:6, k]), VEHICLE)) - [0.0, 0.0, thrust[k]]
        given = attitude[k].apply(body) / VEHICLE.mass + [0.0, 0.0, VEHICLE.gravity]
        assert np.allclose(given, flat[6:9, k], atol=1e-9)


def test_the_nose_of_an_orbit_points_to_its_centre():
    curve = orbit((3.0, -1.0, -4.0), 4.0, 2.0)
    slow = replace(VEHICLE, drag=(0.0, 0.0, 0.0), lift=0.0)
    flat, attitude, _, _, _ = over(curve, np.linspace(0.0, curve.duration, 60), slow)
    to_centre = np.array([[3.0], [-1.0]]) - flat[:2]
    nose = attitude.apply([1.0, 0.0, 0.0])[:, :2].T
    cosine = (to_centre * nose).sum(axis=0) / np.linalg.norm(to_centre, axis=0)
    assert (cosine / np.linalg.norm(nose, axis=0) > 0.9999).all()


def test_a_loop_flies_inverted_without_a_jump():
    _, attitude, rate, _, _ = over(LOOP, np.linspace(0.0, 4.0, 2_000))
    assert attitude.apply([0, 0, 1])[:, 2].min() < -0.5
    steps = (attitude[:-1].inv() * attitude[1:]).magnitude()
    assert steps.max() < 1.1 * np.abs(rate).max() * 4.0 / 2_000
