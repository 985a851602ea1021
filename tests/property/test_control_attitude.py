"""Attitude errors against scipy, and in closed loop from many attitudes.

Mutants killed: the sign of either tilt component; sin(a) instead of sin(a/2); no kick at half a
turn (stays upside down); the sine of the heading not made good for the tilt; `to_outer` in the
place of `to_body`; w x Jw with the sign changed; a sign in `axes_of`; no hold without thrust;
nothing in the place of a heading that lies along the thrust.
"""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from flightcore.control.attitude import (
    angular_acceleration,
    axes_from_thrust,
    matrix_error,
    tilt_and_heading_error,
    torque_for,
)
from flightcore.control.vectors import (
    Axes,
    axes_of,
    conjugate,
    cross,
    dot,
    multiply,
    to_body,
    to_outer,
)
from tracing.executors import Rows

ANGLES = st.one_of(
    st.sampled_from([0.0, 1e-8, math.pi / 2, math.pi - 1e-7, math.pi, 3.0]),
    st.floats(0.0, math.pi),
)
DIRECTIONS = st.one_of(
    st.sampled_from([(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, -1), (1, 1, 0)]),
    st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1),
)
ROTATIONS = st.builds(
    lambda axis, angle: Rotation.from_rotvec(np.array(axis) / np.linalg.norm(axis) * angle),
    DIRECTIONS,
    ANGLES,
)
VECTORS = st.tuples(*[st.floats(-5, 5)] * 3)


def quat(rotation):
    x, y, z, w = rotation.as_quat().tolist()
    return w, x, y, z


def axes(rotation):
    return Axes(*(tuple(column) for column in rotation.as_matrix().T.tolist()))


def close(a, b, tolerance=1e-9):
    return np.allclose(np.array(a, dtype=float), np.array(b, dtype=float), atol=tolerance)


@settings(max_examples=200)
@given(ROTATIONS, ROTATIONS, VECTORS)
def test_rotations_are_scipys(a, b, v):
    assert close(axes_of(quat(a)), axes(a))
    assert close(to_outer(axes(a), v), a.apply(v))
    assert close(to_body(axes(a), v), a.inv().apply(v))
    product = multiply(quat(a), quat(b))
    assert close(axes_of(product), axes(a * b))
    assert close(axes_of(conjugate(quat(a))), axes(a.inv()))


@settings(max_examples=300)
@given(ROTATIONS, ROTATIONS)
def test_the_error_is_the_tilt_then_the_heading(a, b):
    """Turned by what the error says, tilt first, the body meets its setpoint."""
    ex, ey, ez = tilt_and_heading_error(axes(a), axes(b))
    tilt = 2.0 * math.asin(min(1.0, math.hypot(ex, ey)))
    near = np.linalg.norm(a.apply([0, 0, 1]) + b.apply([0, 0, 1]))  # 2 cos of half the tilt
    if near < 1e-4:
        assert math.hypot(ex, ey) > 0.9  # any axis will do, but one must be named
        return
    clear = near > 1e-2
    unit = np.array([ex, ey, 0.0]) / max(math.hypot(ex, ey), 1e-300)
    tipped = a * Rotation.from_rotvec(unit * tilt)
    # Near half a turn the sine is flat: the last bit of 1 + zz is this much of an angle.
    rounding = 4e-15 / near**3
    assert close(tipped.apply([0, 0, 1]), b.apply([0, 0, 1]), 1e-6 + rounding)
    turned = tipped * Rotation.from_rotvec([0, 0, 2.0 * math.asin(max(-1.0, min(1.0, ez)))])
    apart = (turned.inv() * b).magnitude()
    # Where tilt and heading are both half a turn off, rounding decides what the heading is.
    assert apart < 1e-3 + rounding or abs(ez) > (0.9 if clear else 0.0)


@settings(max_examples=200)
@given(ROTATIONS, ROTATIONS)
def test_the_matrix_error_is_the_sine_of_the_angle(a, b):
    turn = (a.inv() * b).as_rotvec()
    angle = np.linalg.norm(turn)
    expected = np.sin(angle) * turn / max(angle, 1e-300)
    assert close(matrix_error(axes(a), axes(b)), expected, 1e-7)


def settle(start, setpoint, *, flip, inertia=(0.0025, 0.0021, 0.0043)):
    """Return the angle to the setpoint over three seconds; scipy turns the body."""
    attitude, rate, dt = start, np.zeros(3), 0.002
    apart = [(attitude.inv() * setpoint).magnitude()]
    for k in range(1_500):
        q = quat(attitude)
        if flip and k % 2:
            q = tuple(-c for c in q)
        error = tilt_and_heading_error(axes_of(q), axes(setpoint))
        turning = angular_acceleration(
            error, tuple(rate), (0, 0, 0), (0, 0, 0), (150.0, 150.0, 100.0), (30.0, 30.0, 20.0)
        )
        torque = np.array(torque_for(turning, tuple(rate), inertia))
        j = np.array(inertia)
        rate = rate + (torque - np.cross(rate, j * rate)) / j * dt
        attitude = attitude * Rotation.from_rotvec(rate * dt)
        apart.append((attitude.inv() * setpoint).magnitude())
    return np.array(apart)


@pytest.mark.slow
@settings(max_examples=25)
@given(ROTATIONS, ROTATIONS)
@example(Rotation.from_rotvec([math.pi, 0, 0]), Rotation.identity())
@example(Rotation.from_rotvec([0, 0, math.pi]), Rotation.identity())
def test_no_unwinding_and_no_rest_but_at_the_setpoint(start, setpoint):
    """The sign of the quaternion changes nothing, and every start ends at the setpoint."""
    apart = settle(start, setpoint, flip=True)
    assert np.array_equal(apart, settle(start, setpoint, flip=False))
    assert apart[-1] < 0.02


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, -1, 0)])
@pytest.mark.parametrize("angle", [0.3, 1.5, 3.0, math.pi])
def test_the_error_only_falls(axis, angle):
    start = Rotation.from_rotvec(np.array(axis) / np.linalg.norm(axis) * angle)
    apart = settle(start, Rotation.identity(), flip=True)
    assert (np.diff(apart) < 1e-9).all()


SPRINGS = ((150.0, 150.0, 100.0), (30.0, 30.0, 20.0)), ((800.0, 800.0, 12.0), (40.0, 40.0, 8.0))
INERTIA = (0.0025, 0.0021, 0.0043)


def turning_text(stiffness, damping):
    """(attitude, rate), setpoint -> torque, error, cosine of the tilt between them."""

    def text(state, setpoint):
        body, wanted = axes_of(state[:4]), axes_of(setpoint)
        error = tilt_and_heading_error(body, wanted)
        zero = (0.0, 0.0, 0.0)
        turning = angular_acceleration(error, state[4:], zero, zero, stiffness, damping)
        return ((*torque_for(turning, state[4:], INERTIA), *error, dot(body.z, wanted.z)),)

    return text


HALF_TURNS = 6


def many_attitudes(count):
    """Random starts and setpoints, and among them half turns, exact and nearly."""
    starts = Rotation.random(count, random_state=1).as_quat()
    setpoints = Rotation.random(count, random_state=2)
    half_turns = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [1e-9, 1, 1]]
    assert len(half_turns) == HALF_TURNS
    for i, axis in enumerate(half_turns):
        turn = Rotation.from_rotvec(np.array(axis) / np.linalg.norm(axis) * (math.pi - 1e-6 * i))
        starts[i] = (setpoints[i] * turn).as_quat()
    return Rotation.from_quat(starts), setpoints


@pytest.mark.slow
@pytest.mark.parametrize(("stiffness", "damping"), SPRINGS)
@pytest.mark.parametrize("spin", [0.0, 6.0])
def test_from_rest_energy_angle_and_tilt_only_fall(stiffness, damping, spin):
    """200 attitudes at once, the sign of each quaternion drawn anew at each step.

    Energy is that of the turning and of springs whose force the error is. From rest none of the
    three ever rises; a start that spins may carry the angle over, and must end at rest and level.
    """
    attitude, setpoint = many_attitudes(200)
    rng = np.random.default_rng(3)
    rate, dt, j = spin * rng.normal(size=(3, 200)), 0.002, np.array(INERTIA)[:, None]
    rows = Rows(turning_text(stiffness, damping), (7, 4), 200)
    rows.inputs[1][:] = setpoint.as_quat(scalar_first=True).T
    last, tilt = np.full((3, 200), np.inf), np.zeros(200)
    for _ in range(1_250):
        signs = rng.choice([-1.0, 1.0], 200)
        rows.inputs[0][:] = [*(signs * attitude.as_quat(scalar_first=True).T), *rate]
        rows.run()
        torque, error, upright = np.split(rows.outputs[0], [3, 6])
        tilt = np.arccos(np.clip(upright[0], -1.0, 1.0))
        # The error's heading is the sine of half the angle; its spring stores 1 - cosine.
        stored = stiffness[0] * (1.0 - np.cos(0.5 * tilt))
        stored += stiffness[2] * (1.0 - np.sqrt(np.maximum(1.0 - error[2] ** 2, 0.0)))
        energy = 0.5 * (rate**2).sum(axis=0) + 2.0 * stored
        now = np.array([energy, (attitude.inv() * setpoint).magnitude(), tilt])
        if spin == 0.0:
            assert (now[1:] <= last[1:] + 1e-6).all()
            # Where the heading is half a turn off too, rounding decides which way it goes.
            assert (now[0, HALF_TURNS:] <= last[0, HALF_TURNS:] + 1e-6).all()
        last = now
        rate = rate + (torque - np.cross(rate.T, (j * rate).T).T) / j * dt
        attitude = attitude * Rotation.from_rotvec((rate * dt).T)
    assert tilt.max() < 0.01
    if stiffness[2] > 20.0:  # the heading of the other one is slow by choice
        assert last[1].max() < 0.02


@settings(max_examples=200)
@given(VECTORS, VECTORS)
def test_gyroscopic_torque_does_no_work(rate, inertia):
    torque = torque_for((0.0, 0.0, 0.0), rate, inertia)
    assert abs(dot(torque, rate)) < 1e-9
    assert close(torque, np.cross(rate, np.array(inertia) * np.array(rate)))


@settings(max_examples=300)
@given(VECTORS, st.floats(-7, 7), ROTATIONS)
@example((0.0, 0.0, 0.0), 0.0, Rotation.identity())
@example((0.0, 5.0, 0.0), 0.0, Rotation.identity())
@example((0.0, 0.0, -1.0), 0.0, Rotation.identity())
def test_thrust_axes_are_a_rotation_whatever_is_asked(down, yaw, present):
    right = (-math.sin(yaw), math.cos(yaw), 0.0)
    found, length = axes_from_thrust(down, right, axes(present), 1.0)
    matrix = np.array(found).T
    assert close(matrix.T @ matrix, np.eye(3), 1e-7)
    assert np.linalg.det(matrix) > 0.999999
    if length >= 1.0:
        assert close(found.z, np.array(down) / length, 1e-7)
        if np.linalg.norm(cross(right, found.z)) > 0.05:
            assert abs(dot(found.x, right)) < 1e-7  # the heading lies across


def test_without_thrust_the_direction_is_held():
    present = axes(Rotation.from_rotvec([0.7, -0.4, 0.2]))
    found, _ = axes_from_thrust((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), present, 1.0)
    assert close(found.z, present.z)
