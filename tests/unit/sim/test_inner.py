"""The inner loop against mechanics: what the throttles it gives do to the vehicle.

Mutants killed: the attitude error the longer way round; pitch and roll exchanged; the yaw torque
against its spin; thrust before tilt when there is too little of both.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from scipy.spatial.transform import Rotation

from sim.airframe import airframe, airframes
from sim.control.inner import AIM, Aim, throttles
from tracing.executors import Rows, floats

LEVEL = (1.0, 0.0, 0.0, 0.0)
STILL = (0.0, 0.0, 0.0)
G = 9.80665
small = st.floats(-0.02, 0.02)


def forces(frame, speeds):
    """Thrust [N] and torque [N m], FRD, of rotors at these speeds: a sum over rotors."""
    thrust, torque = 0.0, np.zeros(3)
    for (x, y, spin), speed in zip(frame.rotors, speeds, strict=True):
        each = frame.thrust_max * speed**2
        thrust += each
        torque += np.cross((x, y, 0.0), (0.0, 0.0, -each))
        torque[2] += spin * each * frame.torque_per_thrust
    return thrust, torque


def flown(frame, q=LEVEL, rate=STILL, **changes):
    aim = replace(Aim(LEVEL, STILL, 1.0, G, 1.0, -1.0), **changes)
    return throttles(frame, q, rate, aim.numbers())


@pytest.mark.parametrize("name", airframes())
@given(error=st.tuples(small, small, small))
def test_small_errors_of_rate_give_the_torque_that_corrects_them(name, error):
    frame = airframe(name)
    speeds = flown(frame, rate=error)
    thrust, torque = forces(frame, speeds)
    assert thrust == pytest.approx(frame.mass * G)
    wanted = -np.array(frame.inertia) * (18.0, 18.0, 9.0) * error
    assert torque == pytest.approx(wanted, abs=1e-9)


@given(st.tuples(small, small, small), st.tuples(*[st.floats(-1, 1)] * 3), st.booleans())
def test_small_errors_of_attitude_turn_back_the_shorter_way(turn, attitude, flipped):
    """Measured by scipy: the torque is along the rotation that is left, whatever the sign of q."""
    frame = airframe("quad")
    now = Rotation.from_rotvec(attitude)
    aim = now * Rotation.from_rotvec(turn)
    q = now.as_quat(scalar_first=True) * (-1.0 if flipped else 1.0)
    q_sp = tuple(aim.as_quat(scalar_first=True).tolist())
    _, torque = forces(frame, flown(frame, tuple(q.tolist()), q_nb=q_sp))
    wanted = np.array(frame.inertia) * (18.0, 18.0, 9.0) * 7.0 * turn * (1.0, 1.0, 0.5)
    assert torque == pytest.approx(wanted, abs=3e-3 * np.abs(wanted).max() + 1e-6)


@given(
    st.tuples(*[st.floats(-3.0, 3.0)] * 3),
    st.tuples(*[st.floats(-20.0, 20.0)] * 3),
    st.floats(0.0, 60.0),
    st.floats(0.5, 1.0),
)
def test_throttles_are_possible_and_tilt_comes_first(turn, rate, thrust, volts):
    frame = airframe("quad")
    q = tuple(Rotation.from_rotvec(turn).as_quat(scalar_first=True).tolist())
    speeds = flown(frame, q, rate, specific_thrust=thrust, volts_ratio=volts)
    assert all(0.0 <= speed <= volts for speed in speeds)
    _, torque = forces(frame, flown(frame, q, rate, specific_thrust=thrust))
    _, alone = forces(frame, flown(frame, q, rate, specific_thrust=0.0))
    assert torque[:2] == pytest.approx(alone[:2], abs=1e-9)


@given(st.floats(0.0, 1.0), st.tuples(*[st.floats(-20.0, 20.0)] * 3))
def test_what_is_held_is_held(held, rate):
    assert flown(airframe("hexa"), rate=rate, held=held) == (held,) * 6


def test_many_are_each():
    frame = airframe("octo")
    sizes = (4, 3, AIM)

    def text(q, rate, aim):
        return (throttles(frame, q, rate, aim),)

    rng = np.random.default_rng(1)
    rows, one = Rows(text, sizes, 200), floats(text, sizes)
    for array in rows.inputs:
        array[:] = rng.normal(0.0, 2.0, array.shape)
    rows.inputs[0][:] /= np.linalg.norm(rows.inputs[0], axis=0)
    rows.inputs[2][:4] /= np.linalg.norm(rows.inputs[2][:4], axis=0)
    rows.inputs[2][9] = rng.uniform(0.6, 1.0, 200)
    rows.run()
    for i in range(200):
        (expected,) = one(*(tuple(array[:, i].tolist()) for array in rows.inputs))
        assert tuple(rows.outputs[0][:, i].tolist()) == expected
    assert math.isfinite(float(rows.outputs[0].sum()))
