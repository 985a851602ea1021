"""Laws the physics may not break, and numbers of another simulator that it must reproduce.

Mutants killed: a sign of the gyroscopic term, of the roll, pitch or yaw torque, of the quaternion's
derivative; drag against the ground instead of the air; rotor drag without the rotor's own motion;
translational lift once instead of per rotor; Runge-Kutta weights exchanged; a
broken rotor that still drags; contact that lets a landed vehicle slide or turn; the mean
acceleration without its division; `weighted` with a sign of the second half dropped.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from benchmarks import w1
from sim.airframe import GRAVITY, QUAD_X, AirframeError, airframe, airframes
from sim.dynamics import body_axes, derivative, weighted
from sim.rigid_body import RigidBody
from tracing.executors import Rows, floats

DT = 0.0025
STILL = np.zeros((1, 3))
NO_AIR = replace(
    QUAD_X, rotor_drag=0.0, axial_drag=0.0, translational_lift=0.0, frame_drag=(0.0, 0.0, 0.0)
)
W1 = json.loads(Path("tests/data/sim/w1-rotorpy.json").read_text())
RATES = st.tuples(*[st.floats(-12.0, 12.0)] * 3)


def aloft(frame=QUAD_X, count: int = 1, height: float = 500.0, dt_s: float = DT) -> RigidBody:
    body = RigidBody(frame, count, dt_s=dt_s)
    body.position_n[:, 2] = -height
    body.on_ground[:] = False
    return body


@pytest.mark.parametrize("vehicle", W1["states"])
def test_it_flies_rotorpys_model_to_the_last_places(vehicle):
    """800 closed-loop steps: thrust, torque, rotor drag, lift, frame drag, lag, integration."""
    program = floats(w1.step, w1.SIZES)
    states, circles = w1.start(int(vehicle) + 1)
    state, circle, now = tuple(states[:, -1]), tuple(circles[:, -1]), (0.0,)
    for _ in range(W1["steps"]):
        state, now = program(state, circle, now)
    theirs = w1.mirrored(np.array([W1["states"][vehicle]]).T)[:, 0]
    assert np.abs(np.array(state) - theirs).max() < 1e-12


def test_the_batch_flies_it_too():
    rows = Rows(w1.step, w1.SIZES, 12, feedback=((0, 0), (1, 2)))
    rows.inputs[0][:], rows.inputs[1][:] = w1.start(12)
    for _ in range(W1["steps"]):
        rows.run()
    for vehicle, theirs in W1["states"].items():
        ours = rows.inputs[0][:, int(vehicle)]
        assert np.abs(ours - w1.mirrored(np.array([theirs]).T)[:, 0]).max() < 1e-6


def forces_rotor_by_rotor(frame, state, wind, health):
    """The obvious model: every rotor by itself, with scipy's rotations and numpy's products."""
    attitude = Rotation.from_quat(state[6:10], scalar_first=True)
    air = attitude.inv().apply(state[3:6] - wind)
    rate, force, torque = state[10:13], np.zeros(3), np.zeros(3)
    for (x, y, spin), share, whole in zip(frame.rotors, state[13:], health, strict=True):
        hub = np.array([x, y, 0.0])
        through = air + np.cross(rate, hub)
        lift = frame.thrust_max * share**2
        lift += frame.translational_lift * (through[0] ** 2 + through[1] ** 2)
        drag = np.array([frame.rotor_drag, frame.rotor_drag, frame.axial_drag]) * share * through
        pull = whole * (np.array([0.0, 0.0, -lift]) - drag)
        force += pull
        torque += np.cross(hub, pull)
        torque[2] += whole * spin * frame.torque_per_thrust * frame.thrust_max * share**2
    force -= np.array(frame.frame_drag) * np.linalg.norm(air) * air
    acceleration = attitude.apply(force) / frame.mass + [0.0, 0.0, frame.gravity]
    inertia = np.array(frame.inertia)
    return acceleration, (torque - np.cross(rate, inertia * rate)) / inertia


@settings(max_examples=40)
@given(st.sampled_from(airframes()), st.integers(0, 2**32 - 1))
def test_moments_of_the_speeds_are_the_sum_over_the_rotors(name, seed):
    frame, rng = airframe(name), np.random.default_rng(seed)
    n = len(frame.rotors)
    q = rng.normal(size=4)
    state = np.concatenate(
        [rng.normal(size=3), rng.normal(0, 8, 3), q / np.linalg.norm(q), rng.normal(0, 4, 3),
         rng.uniform(0, 1, n)]
    )  # fmt: skip
    wind, health = rng.normal(0, 5, 3), rng.choice([0.0, 0.4, 1.0], n)
    slope = derivative(frame, tuple(state), (0.5,) * n, tuple(wind), tuple(health))
    acceleration, turning = forces_rotor_by_rotor(frame, state, wind, health)
    assert np.allclose(slope[3:6], acceleration, rtol=1e-9, atol=1e-9)
    assert np.allclose(slope[10:13], turning, rtol=1e-9, atol=1e-7)
    # The attitude turns as scipy turns it.
    step = 1e-6
    turned = Rotation.from_quat(q, scalar_first=True) * Rotation.from_rotvec(state[10:13] * step)
    expected = turned.as_quat(scalar_first=True)
    expected *= np.sign(expected @ state[6:10])
    assert np.allclose(state[6:10] + step * np.array(slope[6:10]), expected, atol=1e-9)


@given(st.lists(st.sampled_from([0.0, 1.0, -1.0, 0.3, -0.3, 2.5]), min_size=1, max_size=9))
def test_weighted_sums(weights):
    values = tuple(np.random.default_rng(len(weights)).normal(size=len(weights)).tolist())
    assert weighted(weights, values) == pytest.approx(float(np.dot(weights, values)), abs=1e-12)


def test_body_axes_are_scipys():
    for turn in Rotation.random(50, random_state=2):
        axes = body_axes(tuple(1.7 * turn.as_quat(scalar_first=True)))  # need not be unit
        assert np.allclose(np.array(axes).T, turn.as_matrix(), atol=1e-12)


@settings(max_examples=10)
@given(RATES)
def test_free_rotation_keeps_energy_and_momentum(rate):
    frame = replace(NO_AIR, inertia=(0.010, 0.017, 0.024))
    body = aloft(frame)
    body.rate_b[0] = rate

    def conserved():
        momentum = np.array(frame.inertia) * body.rate_b[0]
        turned = Rotation.from_quat(body.q_nb[0], scalar_first=True).apply(momentum)
        return np.array([*turned, 0.5 * momentum @ body.rate_b[0]])

    before = conserved()
    for _ in range(200):
        body.step(np.zeros((1, 4)), STILL)
        assert abs(float((body.q_nb**2).sum()) - 1.0) < 1e-12
    assert np.allclose(conserved(), before, rtol=2e-6, atol=1e-7)


def test_free_fall_keeps_energy():
    body = aloft(NO_AIR)
    body.velocity_n[0] = (3.0, -2.0, -5.0)

    def energy() -> float:
        speed = float((body.velocity_n**2).sum())
        return 0.5 * speed - GRAVITY * float(body.position_n[0, 2])

    before = energy()
    for _ in range(2000):
        body.step(np.zeros((1, 4)), STILL)
        assert body.acceleration_n[0, 2] == pytest.approx(GRAVITY)
    assert float(body.velocity_n[0, 2]) > 40.0
    assert energy() == pytest.approx(before, rel=1e-9)


@settings(max_examples=30)
@given(RATES, RATES)
def test_air_at_rest_only_takes_energy(velocity, rate):
    """Without thrust and lift, which the motors pay for, rotors that turn are brakes."""
    frame = replace(QUAD_X, translational_lift=0.0, thrust_max=1e-12)
    body, inertia = aloft(frame), np.array(QUAD_X.inertia)
    turning = body.rotor_speed[:] = np.full((1, 4), 0.5)
    body.velocity_n[0], body.rate_b[0] = velocity, rate

    def energy() -> float:
        kinetic = 0.5 * frame.mass * float((body.velocity_n**2).sum())
        spinning = 0.5 * float((inertia * body.rate_b[0]) @ body.rate_b[0])
        return kinetic + spinning - frame.mass * GRAVITY * float(body.position_n[0, 2])

    before = energy()
    for _ in range(40):
        body.step(turning, STILL)
        assert energy() <= before + 1e-9
        before = energy()


def test_hover_is_an_equilibrium():
    for name in airframes():
        frame = airframe(name)
        body = aloft(frame)
        throttle = np.full((1, len(frame.rotors)), np.sqrt(frame.hover_thrust_fraction))
        body.rotor_speed[:] = throttle
        for _ in range(400):
            body.step(throttle, STILL)
        assert np.allclose(body.velocity_n, 0.0, atol=1e-9)
        assert np.allclose(body.rate_b, 0.0, atol=1e-9)
        assert np.allclose(body.q_nb, [[1.0, 0.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("faster", "axis", "sign"),
    [
        ((0, 3), 0, -1),  # the right side lifts: roll left
        ((1, 2), 0, +1),
        ((0, 2), 1, +1),  # the front lifts: nose up
        ((1, 3), 1, -1),
        ((0, 1), 2, +1),  # the counter-clockwise pair pushes the nose clockwise
        ((2, 3), 2, -1),
    ],
)
def test_each_rotor_pair_turns_its_own_way(faster, axis, sign):
    body = aloft()
    throttle = np.full((1, 4), 0.6)
    throttle[0, list(faster)] = 0.65
    for _ in range(20):
        body.step(throttle, STILL)
    rate = body.rate_b[0]
    assert np.sign(rate[axis]) == sign
    assert abs(rate[axis]) > 10 * max(abs(np.delete(rate, axis)))


def test_a_lost_propeller_tips_the_vehicle_towards_it():
    body = aloft()
    body.health[0, 0] = 0.0  # front right
    body.rotor_speed[:] = 0.62
    for _ in range(20):
        body.step(np.full((1, 4), 0.62), STILL)
    assert body.rate_b[0, 0] > 0.5  # right side down
    assert body.rate_b[0, 1] < -0.5  # nose down


def test_wind_carries_a_vehicle_along():
    frame = replace(QUAD_X, translational_lift=0.0)
    body = aloft(frame, height=5000.0)
    wind = np.array([[5.0, -3.0, 0.0]])
    throttle = np.full((1, 4), np.sqrt(frame.hover_thrust_fraction))
    body.rotor_speed[:] = throttle
    for _ in range(10_000):
        body.step(throttle, wind)
    assert np.allclose(body.velocity_n[0, :2], [5.0, -3.0], atol=0.15)


def test_the_ground_holds_a_vehicle_until_it_lifts():
    body = RigidBody(QUAD_X, dt_s=DT, heading=2.0)
    low, high = np.full((1, 4), 0.5), np.full((1, 4), 0.7)
    for _ in range(400):
        body.step(low, np.array([[8.0, 0.0, 0.0]]))
        assert np.allclose(body.acceleration_n, 0.0)
    assert np.allclose(body.position_n, 0.0)
    assert np.allclose(body.q_nb, [[np.cos(1.0), 0.0, 0.0, np.sin(1.0)]])
    assert body.on_ground[0]
    for _ in range(400):
        body.step(high, STILL)
    assert float(body.position_n[0, 2]) < -0.5
    assert not body.on_ground[0]


def test_a_fall_ends_level_on_the_ground_and_tells_its_speed():
    body = aloft(height=2.0)
    roll = Rotation.from_euler("ZYX", [1.0, 0.1, 0.2])
    body.q_nb[0] = roll.as_quat(scalar_first=True)
    impacts = []
    for _ in range(600):
        body.step(np.zeros((1, 4)), STILL)
        impacts += [s for s in body.impact_speed.tolist() if s]
        body.impact_speed[:] = 0.0
    assert impacts == [pytest.approx(np.sqrt(2 * GRAVITY * 2.0), abs=0.1)]
    heading, pitch, tilt = Rotation.from_quat(body.q_nb[0], scalar_first=True).as_euler("ZYX")
    assert (pitch, tilt) == (0.0, 0.0)
    assert heading == pytest.approx(1.0, abs=0.02)  # the nearest level attitude
    assert body.position_n[0, 2] == 0.0


@pytest.mark.parametrize("name", airframes())
def test_rows_equal_floats(name):
    frame, rng = airframe(name), np.random.default_rng(5)
    rotors = len(frame.rotors)
    throttle, rate = rng.uniform(0.3, 0.9, (13, rotors)), rng.normal(0.0, 2.0, (13, 3))
    wind = rng.normal(0.0, 4.0, (13, 3))
    together, few = aloft(frame, 13, 0.4), aloft(frame, 3, 0.4)  # low: some land
    together.health[2, 1] = few.health[2, 1] = 0.0
    together.rate_b[:], few.rate_b[:] = rate, rate[:3]
    for _ in range(200):
        together.step(throttle, wind)
        few.step(throttle[:3], wind[:3])
    assert np.abs(few.q_nb - together.q_nb[:3]).max() < 1e-12
    assert np.abs(few.position_n - together.position_n[:3]).max() < 1e-12
    assert np.abs(few.acceleration_n - together.acceleration_n[:3]).max() < 1e-9
    assert (few.on_ground == together.on_ground[:3]).all()


def test_the_step_is_fine_enough():
    """Aerobatics at 2.5 ms against a step ten times finer: the error of the integration."""
    errors = []
    for dt_s in (DT, DT / 2):
        ends = []
        for fine in (dt_s, DT / 10):
            body = aloft(dt_s=fine)
            body.rotor_speed[:] = 0.62
            rng = np.random.default_rng(3)
            for _ in range(200):
                throttle = 0.62 + rng.normal(0.0, 0.03, (1, 4))
                for _ in range(round(0.01 / fine)):
                    body.step(throttle, np.array([[4.0, 2.0, 0.0]]))
            ends.append(np.concatenate([body.position_n[0], body.q_nb[0]]))
        errors.append(float(np.abs(ends[0] - ends[1]).max()))
    assert errors[0] < 1e-6  # metres and quaternion units after 2 s
    assert errors[1] < errors[0] / 8  # the fourth order shows


def test_an_unknown_airframe_names_those_there_are():
    with pytest.raises(AirframeError, match="quad"):
        airframe("zeppelin")
