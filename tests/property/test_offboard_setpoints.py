"""GUIDED setpoints against the embedded autopilot's own reading of them, and what cannot be said.

Mutants killed: acceleration's bits in place of velocity's; an attitude with rates; a quaternion
that misses its length by a hundredth let pass; velocities not looked at; a brake with a place.
"""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightcore.offboard.setpoints import (
    AttitudeTarget,
    Brake,
    MotionTarget,
    PositionTarget,
    encode,
    is_sound,
)
from sim.autopilot.flight import YawAim
from sim.autopilot.guided import attitude_setpoint, local_setpoint
from sim.control.cascade import Motion
from wire.mavlink import dialect, is_valid_frame

ANYWHERE = Motion((5.0, -3.0, -20.0), (1.0, 2.0, 0.0), (0.8, 0.0, 0.0, 0.6), (0.0, 0.0, 0.0))
number = st.floats(-50, 50, allow_nan=False, width=32)
vector = st.tuples(number, number, number)
angle = st.floats(-10, 10, allow_nan=False, width=32)
BAD = (math.nan, math.inf, -math.inf)


def over_the_line(setpoint):
    """What the autopilot decodes: through bytes, with floats of four."""
    frame = bytes(encode(setpoint, 1).pack(dialect.MAVLink(None, 1, 191)))
    assert is_valid_frame(frame)
    return dialect.MAVLink(None).decode(bytearray(frame))


@settings(max_examples=40)
@given(vector, angle)
def test_a_position_is_a_place_and_never_expires(position, yaw):
    read = local_setpoint(over_the_line(PositionTarget(position, yaw)), ANYWHERE)
    assert read is not None
    assert (*read.target.position_n, read.target.down) == position
    assert not read.expires
    assert (read.yaw.aim, read.yaw.angle) == (YawAim.ANGLE, yaw)


@settings(max_examples=40)
@given(vector, vector, vector, angle, angle)
def test_a_motion_is_all_three(position, velocity, acceleration, yaw, rate):
    message = over_the_line(MotionTarget(position, velocity, acceleration, yaw, rate))
    read = local_setpoint(message, ANYWHERE)
    assert read is not None
    assert (*read.target.position_n, read.target.down) == position
    assert read.target.velocity_n == velocity
    assert read.target.acceleration_n == acceleration
    assert read.expires
    assert read.yaw.angle == yaw
    assert message.yaw_rate == rate


@settings(max_examples=40)
@given(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: math.hypot(*q) > 0.1), st.floats(0, 1))
def test_an_attitude_is_unit_and_without_rates(q, thrust):
    length = math.hypot(*q)
    target = AttitudeTarget(tuple(c / length for c in q), thrust)
    message = over_the_line(target)
    read = attitude_setpoint(message, thrust_as_thrust=True, speed_up=2.5, speed_down=1.5)
    assert read is not None
    assert read.rate_b == (0.0, 0.0, 0.0)
    assert message.type_mask == 7
    assert read.q_nb == pytest.approx(target.q_nb, abs=1e-6)
    assert read.thrust == pytest.approx(thrust, abs=1e-6)


def test_a_brake_is_a_velocity_of_zero():
    read = local_setpoint(over_the_line(Brake()), ANYWHERE)
    assert read.target.position_n is None
    assert read.target.velocity_n == (0.0, 0.0, 0.0)
    assert read.expires
    assert read.yaw.aim is YawAim.HOLD


UNIT = (1.0, 0.0, 0.0, 0.0)
ZERO = (0.0, 0.0, 0.0)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("axis", range(3))
def test_what_is_no_number_is_never_said(bad, axis):
    vec = tuple(bad if i == axis else 0.0 for i in range(3))
    unsound = [
        PositionTarget(vec, 0.0),
        PositionTarget(ZERO, bad),
        MotionTarget(vec, ZERO, ZERO, 0.0, 0.0),
        MotionTarget(ZERO, vec, ZERO, 0.0, 0.0),
        MotionTarget(ZERO, ZERO, vec, 0.0, 0.0),
        MotionTarget(ZERO, ZERO, ZERO, bad, 0.0),
        MotionTarget(ZERO, ZERO, ZERO, 0.0, bad),
        AttitudeTarget((bad, *vec), 0.5),
        AttitudeTarget(UNIT, bad),
    ]
    for setpoint in unsound:
        assert not is_sound(setpoint)
        with pytest.raises(AssertionError):
            encode(setpoint, 1)


@pytest.mark.parametrize(
    "setpoint",
    [
        MotionTarget(ZERO, (51.0, 0.0, 0.0), ZERO, 0.0, 0.0),
        MotionTarget(ZERO, ZERO, (0.0, -51.0, 0.0), 0.0, 0.0),
        AttitudeTarget((1.002, 0.0, 0.0, 0.0), 0.5),
        AttitudeTarget((0.0, 0.0, 0.0, 0.0), 0.5),
        AttitudeTarget(UNIT, -0.01),
        AttitudeTarget(UNIT, 1.01),
    ],
)
def test_what_would_stop_or_overturn_the_vehicle_is_never_said(setpoint):
    assert not is_sound(setpoint)
