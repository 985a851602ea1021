"""Laws the physics may not break."""

from dataclasses import replace

import numpy as np
import pytest

from sim.airframe import GRAVITY, QUAD_X
from sim.rigid_body import RigidBody
from sim.simulation import TICK_S

STILL = np.zeros((1, 3))
NO_DRAG = replace(QUAD_X, rotor_drag=0.0, axial_drag=0.0)


def aloft(airframe=QUAD_X, count: int = 1, height: float = 500.0) -> RigidBody:
    body = RigidBody(airframe, count)
    body.position_n[:, 2] = -height
    body.on_ground[:] = False
    return body


def test_free_fall_keeps_energy():
    body = aloft(NO_DRAG)
    body.velocity_n[0] = (3.0, -2.0, -5.0)

    def energy() -> float:
        speed = float((body.velocity_n**2).sum())
        return 0.5 * speed - GRAVITY * float(body.position_n[0, 2])

    before = energy()
    for _ in range(2000):
        body.step(np.zeros((1, 4)), STILL, TICK_S)
    assert float(body.velocity_n[0, 2]) > 40.0
    assert energy() == pytest.approx(before, rel=1e-9)


def test_free_fall_with_drag_meets_its_terminal_velocity():
    body = aloft(height=20_000.0)
    for _ in range(5_000):
        body.step(np.zeros((1, 4)), STILL, 8.0 * TICK_S)
    terminal = QUAD_X.mass * GRAVITY / QUAD_X.axial_drag
    assert float(body.velocity_n[0, 2]) == pytest.approx(terminal, rel=0.01)


def test_hover_is_an_equilibrium():
    body = aloft()
    throttle = np.full((1, 4), np.sqrt(QUAD_X.hover_thrust_fraction))
    body.rotor_speed[:] = throttle
    for _ in range(400):
        body.step(throttle, STILL, TICK_S)
    assert np.allclose(body.velocity_n, 0.0, atol=1e-9)
    assert np.allclose(body.rate_b, 0.0, atol=1e-12)
    assert np.allclose(body.q_nb, [[1.0, 0.0, 0.0, 0.0]])


def test_gyroscopic_torque_does_no_work():
    body = aloft(replace(QUAD_X, inertia=(0.01, 0.02, 0.035)), count=100)
    body.rate_b[:] = np.random.default_rng(1).normal(0.0, 10.0, (100, 3))
    torque = body.gyroscopic_torque()
    inertia = np.array([0.01, 0.02, 0.035])
    assert np.allclose(torque, np.cross(body.rate_b, inertia * body.rate_b))
    assert np.allclose((torque * body.rate_b).sum(axis=1), 0.0, atol=1e-9)


def test_attitude_stays_unit_and_follows_a_constant_rate():
    body = aloft(NO_DRAG)
    body.rate_b[0] = (0.0, 0.0, 2.0)
    for _ in range(400):
        body.step(np.zeros((1, 4)), STILL, TICK_S)
        assert abs(float((body.q_nb**2).sum()) - 1.0) < 1e-12
    yaw = 2.0 * np.arctan2(body.q_nb[0, 3], body.q_nb[0, 0])
    assert yaw == pytest.approx(2.0, abs=1e-9)


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
        body.step(throttle, STILL, TICK_S)
    rate = body.rate_b[0]
    assert np.sign(rate[axis]) == sign
    assert abs(rate[axis]) > 10 * max(abs(np.delete(rate, axis)))


def test_wind_carries_a_falling_vehicle():
    body = aloft()
    wind = np.array([[5.0, -3.0, 0.0]])
    for _ in range(2000):
        body.step(np.zeros((1, 4)), wind, 4.0 * TICK_S)
        body.position_n[0, 2] = -500.0
    assert np.allclose(body.velocity_n[0, :2], [5.0, -3.0], atol=0.15)


def test_the_ground_holds_a_vehicle_until_it_lifts():
    body = RigidBody(QUAD_X)
    low, high = np.full((1, 4), 0.5), np.full((1, 4), 0.7)
    for _ in range(400):
        body.step(low, np.array([[8.0, 0.0, 0.0]]), TICK_S)
    assert np.allclose(body.position_n, 0.0)
    for _ in range(400):
        body.step(high, STILL, TICK_S)
    assert float(body.position_n[0, 2]) < -0.5


def test_batch_equals_single():
    rng = np.random.default_rng(5)
    throttle = rng.uniform(0.3, 0.9, (7, 4))
    rate = rng.normal(0.0, 2.0, (7, 3))
    together = aloft(count=7)
    together.rate_b[:] = rate
    for _ in range(200):
        together.step(throttle, STILL, TICK_S)
    for i in range(7):
        alone = aloft()
        alone.rate_b[:] = rate[i]
        for _ in range(200):
            alone.step(throttle[i : i + 1], STILL, TICK_S)
        assert np.allclose(alone.q_nb[0], together.q_nb[i], atol=1e-12)
        assert np.allclose(alone.position_n[0], together.position_n[i], atol=1e-9)
