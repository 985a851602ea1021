"""Allocation against linear programmes solved one after the other, in the order of importance.

Mutants killed: thrust bounded by the wider pair alone, as if yaw might not give way; tilt shortened
without need; the differences of the two pairs clipped one by one; the wider pair taken for the
narrower in yaw's room; the lower limit taken for zero there.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from flightcore.control.allocation import allocate, effectiveness, wrench
from flightcore.control.vehicle import Rotor, Vehicle
from tracing.executors import floats

_S, _C = 0.14 * math.sin(math.radians(56)), 0.14 * math.cos(math.radians(56))
VEHICLE = Vehicle(
    0.75,
    (2.5e-3, 2.1e-3, 4.3e-3),
    (
        Rotor(_C, _S, 0.0157),
        Rotor(-_C, -_S, 0.0157),
        Rotor(_C, -_S, -0.0157),
        Rotor(-_C, _S, -0.0157),
    ),
    0.3,
    8.5,
)
EDGES = st.sampled_from([-5.0, -0.5, 0.0, 0.05, 0.5, 5.0])
TORQUES = st.tuples(*[st.one_of(EDGES, st.floats(-2.5, 2.5))] * 3)
THRUSTS = st.one_of(st.sampled_from([-3.0, 0.0, 1.2, 17.0, 34.0, 60.0]), st.floats(-5, 50))
compiled = floats(
    lambda asked: (allocate(asked[0], (asked[1], asked[2], asked[3]), VEHICLE),), (4,)
)


def nearest(row, wanted, equal):
    """Return the value of `row` @ rotors closest to `wanted` while `equal` pairs hold, by LP."""
    # Variables: four thrusts and the deviation, which is made least.
    rows, values = [[*r, 0.0] for r, _ in equal], [v for _, v in equal]
    found = linprog(
        [0, 0, 0, 0, 1],
        A_ub=[[*row, -1.0], [*(-x for x in row), -1.0]],
        b_ub=[wanted, -wanted],
        A_eq=rows,
        b_eq=values,
        bounds=[(0.3, 8.5)] * 4 + [(0, None)],
    )
    assert found.status == 0, found.message
    return float(np.dot(row, found.x[:4]))


@settings(max_examples=400)
@given(THRUSTS, TORQUES)
@example(17.0, (0.0, 0.0, 5.0))
@example(34.0, (0.3, 0.0, 0.0))
def test_the_order_is_tilt_thrust_yaw(thrust, torque):
    (rotors,) = compiled((thrust, *torque))
    assert all(0.3 - 1e-12 <= f <= 8.5 + 1e-12 for f in rotors)
    total, (roll, pitch, yaw) = wrench(rotors, VEHICLE)
    roll_share, pitch_share = 0.25 * torque[0] / _S, 0.25 * torque[1] / _C
    if max(abs(roll_share + pitch_share), abs(roll_share - pitch_share)) > 4.1 - 1e-9:
        # More tilt than the whole range: its direction must stay.
        assert abs(roll * torque[1] - pitch * torque[0]) < 1e-9
        assert roll * torque[0] >= -1e-12
        assert pitch * torque[1] >= -1e-12
        assert max(rotors) - min(rotors) > 8.2 - 1e-6
        return
    lift, across, along, turn = effectiveness(VEHICLE)
    tilt = [(across, torque[0]), (along, torque[1])]
    assert np.allclose([roll, pitch], torque[:2], atol=1e-9)
    expected = nearest(lift, thrust, tilt)
    assert abs(total - expected) < 1e-6
    assert abs(yaw - nearest(turn, torque[2], [*tilt, (lift, total)])) < 1e-6


@given(st.floats(8, 24), st.tuples(*[st.floats(-0.05, 0.05)] * 3))
def test_what_can_be_had_is_had(thrust, torque):
    total, found = wrench(compiled((thrust, *torque))[0], VEHICLE)
    assert np.allclose([total, *found], [thrust, *torque], atol=1e-9)


def test_rotors_that_are_not_two_opposite_pairs_are_refused():
    front = (Rotor(0.2, 0.1, 0.01), *VEHICLE.rotors[1:])
    with pytest.raises(ValueError, match="two opposite pairs"):
        allocate(10.0, (0.0, 0.0, 0.0), replace(VEHICLE, rotors=front))
