"""The plants of ``control`` against the simulator, conservation laws and the figures expected.

Mutants killed: a sign of a gyroscopic term; Runge-Kutta weights exchanged; drag added; a row of
the quaternion's derivative transposed; roll torque reversed, for plant and controller alike; the
shift of the centre of gravity in the other direction.
"""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.spatial.transform import Rotation

from benchmarks import w1
from benchmarks.__main__ import main
from benchmarks.control_flights import quaternion
from benchmarks.control_plant import Plant, Truth
from benchmarks.control_recovery import PRINTED, PUBLISHED_S, READINGS, lee, ours
from benchmarks.control_sun import SUN
from flightcore.control.vehicle import Rotor, Vehicle
from sim.airframe import QUAD_X
from sim.rigid_body import RigidBody
from tracing.executors import Rows


def test_free_rotation_conserves_energy_and_momentum():
    """In space without air: gyroscopic torque does no work and turns no momentum."""
    plant = Plant(SUN, [Truth(drag=0.0)], 0.0, 0.001)
    plant.state[6:10, 0] = [1.0, 0.0, 0.0, 0.0]
    plant.state[10:13, 0] = [3.0, -5.0, 2.0]
    inertia = np.array(SUN.inertia)

    def conserved():
        w, x, y, z = plant.state[6:10, 0]
        rate = plant.state[10:13, 0]
        momentum = Rotation.from_quat([x, y, z, w]).apply(inertia * rate)
        return np.array([*momentum, 0.5 * inertia @ rate**2])

    before = conserved()
    plant.advance(np.zeros((4, 1)), 1_000)
    assert np.allclose(conserved(), before, rtol=1e-9, atol=1e-12)
    assert plant.state[5, 0] == pytest.approx(SUN.gravity)


def test_it_flies_as_the_simulator_flies():
    """Two rigid bodies by two hands, two integrators: half a second of rolling flight."""
    # The twin's drag does not damp its turning; along the rotor axes that would show most.
    frame = replace(QUAD_X, axial_drag=0.0, translational_lift=0.0, frame_drag=(0.0, 0.0, 0.0))
    rotors = tuple(Rotor(x, y, s * QUAD_X.torque_per_thrust) for x, y, s in QUAD_X.rotors)
    twin = Vehicle(QUAD_X.mass, QUAD_X.inertia, rotors, 0.0, QUAD_X.thrust_max, frame.hover_drag)
    plant = Plant(twin, [Truth()], 0.0, 2e-4)
    body = RigidBody(frame, dt_s=2e-4)
    command = np.array([[3.5], [3.7], [3.6], [3.9]])
    plant.state[:, 0] = [0, 0, -50, 3, -2, 1, 1, 0, 0, 0, 0.4, -0.3, 0.2]
    body.position_n[0], body.velocity_n[0], body.rate_b[0] = (
        [0, 0, -50],
        [3, -2, 1],
        [0.4, -0.3, 0.2],
    )
    body.on_ground[:] = False
    throttle = np.sqrt(command.T / QUAD_X.thrust_max)
    body.rotor_speed[:] = throttle
    for _ in range(2_500):
        body.step(throttle, np.zeros((1, 3)))
    plant.advance(command, 2_500)
    ours = plant.state[:, 0]
    assert np.allclose(ours[:3], body.position_n[0], atol=2e-3)
    assert np.allclose(ours[3:6], body.velocity_n[0], atol=1e-2)
    assert np.allclose(ours[6:10], body.q_nb[0], atol=1e-2)
    assert np.allclose(ours[10:], body.rate_b[0], atol=0.1)


def test_the_accelerometer_feels_all_but_weight():
    plant = Plant(SUN, [Truth(mass=1.3, force_n=(2.0, 0.0, 0.0))], 0.0, 0.001)
    plant.state[6] = 1.0
    plant.advance(np.full((4, 1), 2.0), 1)
    assert np.allclose(plant.specific_force[:, 0] * 1.3 * SUN.mass, [2.0, 0.0, -8.0], atol=0.02)


def test_a_centre_of_gravity_shifted_forward_pitches_down():
    plant = Plant(SUN, [Truth(shift=0.1)], 0.0, 0.001)
    plant.state[6] = 1.0
    plant.advance(np.full((4, 1), 2.0), 1)
    assert plant.state[11, 0] == pytest.approx(-0.1 * 0.14 * 8.0 / SUN.inertia[1] * 0.001)


def test_quaternions_of_matrices_are_scipys():
    turns = Rotation.random(50, random_state=3)
    found = quaternion(turns.as_matrix())
    assert (Rotation.from_quat(found[:, [1, 2, 3, 0]]).inv() * turns).magnitude().max() < 1e-7


def test_w1_follows_its_circles():
    """rotorpy's controller on this workload is off by 0.06 to 0.12 m; so must its equal be."""
    rows = Rows(w1.step, w1.SIZES, 16, feedback=((0, 0), (1, 2)))
    rows.inputs[0][:], rows.inputs[1][:] = w1.start(16)
    squared, steps = np.zeros(16), 0
    radius, turning, height = rows.inputs[1]
    for k in range(2_000):
        rows.run()
        if k > 800:
            t = rows.inputs[2][0]
            due = np.array([radius * np.cos(turning * t), -radius * np.sin(turning * t), -height])
            squared += ((rows.inputs[0][:3] - due) ** 2).sum(axis=0)
            steps += 1
    error = np.sqrt(squared / steps)
    assert error.min() > 0.04
    assert error.max() < 0.12


@pytest.mark.parametrize("reading", [r for r in READINGS if not r.moving])
def test_lees_attitude_alone_takes_as_long_as_its_equation_says(reading):
    """Its over-damped turn from the unstable rest, by integration of the scalar equation."""

    def turn(_, y):
        return [y[1], (-8.81 * math.sin(y[0]) - reading.damping * y[1]) / 0.082]

    def level(_, y):
        return y[0] - math.pi / 2

    level.terminal = True
    slow = solve_ivp(turn, (0, 5), [reading.angle, 0.0], events=level, rtol=1e-10, atol=1e-12)
    assert lee(reading) == pytest.approx(slow.t_events[0][0], abs=0.003)


def test_the_published_recovery_is_reproduced_and_undercut():
    """With the conference paper's damping and the attitude as printed."""
    (reading,) = (
        r for r in READINGS if r.damping == 1.54 and r.moving and r.least < 0 and r.angle == PRINTED
    )
    assert lee(reading) == pytest.approx(PUBLISHED_S, abs=0.02)
    assert ours(reading.damping) < 0.5 * PUBLISHED_S


@pytest.mark.slow
def test_control_writes_what_it_measured(tmp_path, capsys):
    path = tmp_path / "result.json"
    assert main(["control", "--quick", "--json", str(path)]) == 0
    result = json.loads(path.read_text())["results"]["control"]
    assert max(result["w1"]["apart"].values()) <= 1e-12
    flown = result["sun_2022"]
    nominal, ahead = flown["76 feasible"], flown["planned ahead: 68 infeasible"]
    assert nominal["left"] == 0
    assert nominal["mean_m"] <= 0.084
    assert nominal["sd_m"] <= 0.041
    assert ahead["left"] == 0
    assert ahead["mean_m"] <= 0.77
    assert flown["prediction: latency 30 ms"]["mean_m"] < 0.084
    assert flown["rejection: centre of gravity 10 %"]["mean_m"] < 0.099
    assert result["curves_cm"]["Tal & Karaman roulette"][0] <= 9.0
    for curve in ("Faessler circle, 4 m/s", "Faessler lemniscate"):
        with_model, without = (
            result["curves_cm"][curve + suffix][0] for suffix in ("", ", no drag in the model")
        )
        assert with_model < 0.5 * without
    assert "76 feasible" in capsys.readouterr().out
