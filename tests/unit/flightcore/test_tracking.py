"""The tracking controller flies the simulator's rigid body, which knows nothing of it.

Mutants killed: feed-forward rate left out; disturbance torque added instead of subtracted; force
found in the body frame used as NED; an integral that grows against a limit; tilt limited by
shortening height; drag of the model ignored; rotor torque not filtered as the rate is.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from flightcore.control.indi import Rejection, TorqueMemory, share, torque_disturbance
from flightcore.control.position import within_tilt
from flightcore.control.tracking import MEMORY_ROWS, SIZES, tracking
from flightcore.control.vehicle import Gains, Limits, Rotor, Vehicle
from flightcore.trajectory.harmonic import lemniscate
from flightcore.trajectory.polynomial import Piecewise
from sim.airframe import QUAD_X
from sim.rigid_body import RigidBody
from tracing.executors import Rows, floats

DT = 0.0025
# Without what the model has no name for: lift of air across the rotors, drag of the frame.
PLAIN = replace(QUAD_X, translational_lift=0.0, frame_drag=(0.0, 0.0, 0.0))
MODEL = Vehicle(
    QUAD_X.mass,
    QUAD_X.inertia,
    tuple(Rotor(x, y, spin * QUAD_X.torque_per_thrust) for x, y, spin in QUAD_X.rotors),
    0.0,
    QUAD_X.thrust_max,
    QUAD_X.hover_drag,
)
GAINS = Gains((6.0,) * 3, (4.0,) * 3, 200.0, 10.0, (20.0, 20.0, 6.0))
FREE = Limits()
EIGHT = lemniscate((0.0, 0.0, -20.0), 6.0, 6.0, 0.7, 20.0)


def hover(position):
    coefficients = np.zeros((1, 4, 1))
    coefficients[0, :3, 0] = position
    return Piecewise(np.array([0.0, 1e3]), coefficients)


def fly(
    trajectory,
    seconds,
    *,
    airframe=PLAIN,
    model=MODEL,
    gains=GAINS,
    limits=FREE,
    rejection=None,
    wind=(0.0, 0.0, 0.0),
    flip=False,
    weak=1.0,
):
    """Fly from the trajectory's first place at rest; return errors, shape (n, 3), and the body."""
    body = RigidBody(airframe, dt_s=DT)
    steps = round(seconds / DT)
    times = np.arange(steps) * DT
    flat = trajectory.sample(times)
    body.position_n[0], body.velocity_n[0] = flat[:3, 0], flat[3:6, 0]
    body.on_ground[:] = False
    body.rotor_speed[:] = math.sqrt(QUAD_X.hover_thrust_fraction)
    program = floats(tracking(model, gains, limits, rejection, DT), SIZES)
    memory = (0.0,) * MEMORY_ROWS
    errors = []
    for k in range(steps):
        q = body.q_nb[0] * (-1.0 if flip and k % 2 else 1.0)
        state = (*body.position_n[0], *body.velocity_n[0], *q, *body.rate_b[0])
        errors.append(flat[:3, k] - body.position_n[0])
        w, x, y, z = body.q_nb[0]
        rotation = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )
        felt = rotation.T @ (body.acceleration_n[0] - [0.0, 0.0, 9.80665])
        # What rotor speeds say; that the first one is weak is not to be seen from them.
        thrusts = body.rotor_speed[0] ** 2 * airframe.thrust_max / [weak, 1.0, 1.0, 1.0]
        command, memory = program(
            tuple(map(float, state)),
            tuple(flat[:, k].tolist()),
            (*felt.tolist(), *thrusts.tolist()),
            memory,
        )
        throttle = np.sqrt(np.maximum(np.array([command]) / QUAD_X.thrust_max, 0.0))
        throttle[0, 0] *= math.sqrt(weak)
        body.step(throttle, np.array([wind]))
    return np.array(errors), body, memory


def rms(errors):
    return float(np.sqrt((errors[1000:] ** 2).sum(axis=1).mean()))


@pytest.mark.slow
def test_a_lemniscate_is_flown_to_centimetres():
    errors, _, _ = fly(EIGHT, 12.0)
    assert rms(errors) < 0.03


@pytest.mark.slow
def test_knowing_drag_halves_the_error():
    ignorant = replace(MODEL, drag=(0.0, 0.0, 0.0))
    assert rms(fly(EIGHT, 12.0)[0]) < 0.5 * rms(fly(EIGHT, 12.0, model=ignorant)[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong", [{"wind": (4.0, -3.0, 0.0)}, {"airframe": replace(PLAIN, mass=1.3 * QUAD_X.mass)}]
)
def test_rejection_takes_away_what_the_model_lacks(wrong):
    without = rms(fly(EIGHT, 8.0, **wrong)[0])
    with_it = rms(fly(EIGHT, 8.0, rejection=Rejection(), **wrong)[0])
    assert with_it < 0.2 * without


@pytest.mark.slow
def test_a_weak_rotor_is_made_up_for():
    """A tenth of its thrust missing: torque on all axes, and force."""
    there = hover((0.0, 0.0, -9.0))
    without, _, _ = fly(there, 4.0, weak=0.9)
    with_it, _, _ = fly(there, 4.0, weak=0.9, rejection=Rejection())
    assert np.linalg.norm(without[-1]) > 0.05
    assert np.linalg.norm(with_it[-1]) < 1e-3


def test_torque_of_the_model_is_no_disturbance():
    """Rate and torque pass the same filter, so a torque that jumps leaves no trace."""
    inertia, dt, rng = (0.02, 0.03, 0.04), 0.0025, np.random.default_rng(2)
    memory, rate = TorqueMemory((0.0,) * 3, (0.0,) * 3), 0.0
    for _ in range(50):
        torque = float(rng.choice([-1.0, 1.0]))
        rate += torque / inertia[1] * dt
        found, memory = torque_disturbance(
            memory, (0.0, rate, 0.0), (0.0, torque, 0.0), inertia, share(60.0, dt), dt
        )
        assert np.allclose(found, 0.0, atol=1e-12)


@pytest.mark.slow
def test_the_integral_carries_a_steady_wind_and_no_more():
    gains = replace(GAINS, integral=(2.0, 2.0, 2.0))
    errors, _, memory = fly(hover((0.0, 0.0, -9.0)), 15.0, gains=gains, wind=(5.0, 0.0, 0.0))
    assert np.abs(errors[-1]).max() < 0.02
    # What it holds is the drag of the wind per mass.
    assert memory[0] == pytest.approx(-QUAD_X.hover_drag[0] * 5.0 / QUAD_X.mass, rel=0.05)


def test_the_integral_does_not_wind_up_against_a_limit():
    """A storm that the tilt allowed cannot hold: what was stored before it stays, no more comes."""
    gains = replace(GAINS, integral=(2.0, 2.0, 2.0))
    there = hover((0.0, 0.0, -20.0))
    _, body, memory = fly(there, 1.0, gains=gains, limits=Limits(tilt=0.15), wind=(15.0, 0, 0))
    _, later, more = fly(there, 3.0, gains=gains, limits=Limits(tilt=0.15), wind=(15.0, 0, 0))
    assert later.position_n[0, 0] > 2.0 + body.position_n[0, 0]  # it is blown away
    assert -0.2 < more[0] < 0.0
    assert more[0] == pytest.approx(memory[0], abs=0.02)
    assert abs(more[2]) < 0.2


@pytest.mark.slow
def test_signs_of_the_quaternion_change_nothing():
    plain, _, _ = fly(EIGHT, 2.0, rejection=Rejection())
    flipped, _, _ = fly(EIGHT, 2.0, rejection=Rejection(), flip=True)
    assert np.array_equal(plain, flipped)


@pytest.mark.parametrize("thrust", [(3.0, 4.0, -9.8), (0.0, 0.0, 2.0), (50.0, 0.0, -0.1)])
def test_tilt_is_limited_by_giving_up_way(thrust):
    x, y, z = within_tilt(thrust, Limits(tilt=0.3))
    assert math.hypot(x, y) <= -z * math.tan(0.3) + 1e-12
    assert z == min(thrust[2], -1.0)
    assert within_tilt(thrust, Limits()) == thrust


def test_rows_and_floats_fly_alike():
    text = tracking(MODEL, GAINS, Limits(tilt=0.8), Rejection(), DT)
    rng = np.random.default_rng(5)
    groups = [rng.normal(size=(size, 50)) for size in SIZES]
    groups[0][6:10] /= np.linalg.norm(groups[0][6:10], axis=0)
    rows = Rows(text, SIZES, 50)
    for array, values in zip(rows.inputs, groups, strict=True):
        array[:] = values
    rows.run()
    program = floats(text, SIZES)
    for i in range(50):
        alone = program(*(tuple(values[:, i].tolist()) for values in groups))
        for got, expected in zip(alone, rows.outputs, strict=True):
            assert np.allclose(
                got, expected[:, i], rtol=0.0, atol=1e-12 * (1 + np.abs(expected[:, i]))
            )


def test_a_tilt_limit_of_a_right_angle_is_refused():
    with pytest.raises(ValueError, match=r"less than pi/2"):
        Limits(tilt=1.6)
