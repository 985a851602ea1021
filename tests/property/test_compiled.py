"""The compiled program against the floats: every operation, the closed loop, the controller.

Without numba (extra `jit`) these are skipped. Mutants killed: rows one off; the count of vehicles
left out of a row's place; what is fed back not copied; `min` and `max` exchanged; fast arithmetic
allowed (differs after 800 steps).
"""

import math

import numpy as np
import pytest

from benchmarks import w1
from flightcore.control.indi import Rejection
from flightcore.control.tracking import SIZES, tracking
from flightcore.control.vehicle import Gains, Limits, Rotor, Vehicle
from sim.airframe import QUAD_X
from sim.rigid_body import RigidBody
from tracing.executors import EXPRESSIONS, Trace, floats
from tracing.terms import choose, cos, maximum, minimum, sin, sqrt

compiled = pytest.importorskip("tracing.compiled", reason="needs numba: the extra `jit`")
pytestmark = pytest.mark.slow  # compiling takes seconds

EDGES = [0.0, -0.0, 1.0, -1.0, 1e-300, 1e9, -2.5, math.inf, -math.inf, math.nan]


def every_operation(group):
    a, b, c = group
    return (
        (a + b, a - b, a * b, a / (1.0 + b * b), -a, sqrt(a * a), sin(c), cos(c)),
        (minimum(a, b), maximum(a, b), choose(a, b, c), 2.5, a),
    )


def test_every_operation_at_every_edge():
    vehicles = [(a, b, c) for a in EDGES for b in EDGES for c in (0.0, -3.0, 1e5)]
    program = compiled.Compiled(every_operation, (3,), len(vehicles))
    program.inputs[0][:] = np.array(vehicles).T
    program.run()
    alone = floats(every_operation, (3,))
    used = {term.operation for term in Trace(every_operation, (3,)).terms}
    assert used >= set(EXPRESSIONS)
    for i, vehicle in enumerate(vehicles):
        if math.isfinite(vehicle[0]) and math.isfinite(vehicle[1]):  # math refuses what numpy gives
            for got, expected in zip(program.outputs, alone(vehicle), strict=True):
                np.testing.assert_array_equal(got[:, i], expected)
        elif math.isnan(vehicle[0]):
            assert np.isnan(program.outputs[1][:2, i]).all()


def test_the_closed_loop_is_the_floats_to_the_last_place(tmp_path):
    """Kept machine code gives the same; 13 vehicles do not fill the processor's registers."""
    program = floats(w1.step, w1.SIZES)
    ends = []
    for start, circle in zip(*(a.T.tolist() for a in w1.start(13)), strict=True):
        state, now = tuple(start), (0.0,)
        for _ in range(800):
            state, now = program(state, tuple(circle), now)
        ends.append(state)
    for _ in range(2):
        batch = compiled.Compiled(
            w1.step, w1.SIZES, 13, feedback=((0, 0), (1, 2)), kept_in=tmp_path / "kept"
        )
        batch.inputs[0][:], batch.inputs[1][:] = w1.start(13)
        for _ in range(800):
            batch.run()
        assert np.abs(batch.inputs[0] - np.array(ends).T).max() <= 1e-12
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
    assert len(list((tmp_path / "kept").glob("*.py"))) == 1


def test_the_tracking_controller_is_the_floats():
    rotors = tuple(Rotor(x, y, spin * QUAD_X.torque_per_thrust) for x, y, spin in QUAD_X.rotors)
    vehicle = Vehicle(QUAD_X.mass, QUAD_X.inertia, rotors, 0.0, QUAD_X.thrust_max)
    gains = Gains((6.0,) * 3, (4.0,) * 3, 200.0, 10.0, (20.0, 20.0, 6.0), (1.0,) * 3)
    text = tracking(vehicle, gains, Limits(tilt=0.8), Rejection(), 0.0025)
    rng = np.random.default_rng(5)
    groups = [rng.normal(size=(size, 50)) for size in SIZES]
    groups[0][6:10] /= np.linalg.norm(groups[0][6:10], axis=0)
    batch = compiled.Compiled(text, SIZES, 50)
    for array, values in zip(batch.inputs, groups, strict=True):
        array[:] = values
    batch.run()
    program = floats(text, SIZES)
    for i in range(50):
        alone = program(*(tuple(values[:, i].tolist()) for values in groups))
        for got, expected in zip(batch.outputs, alone, strict=True):
            assert np.allclose(got[:, i], expected, rtol=1e-12, atol=1e-12)


def test_the_simulator_flies_compiled_as_it_flies_in_rows():
    rows = RigidBody(QUAD_X, 14, dt_s=0.0025)
    fast = RigidBody(QUAD_X, 14, dt_s=0.0025, executor=compiled.Compiled)
    throttle = np.random.default_rng(1).uniform(0.4, 0.9, (14, 4))
    for _ in range(400):
        rows.step(throttle, np.array([[3.0, -2.0, 0.5]]))
        fast.step(throttle, np.array([[3.0, -2.0, 0.5]]))
    assert np.abs(rows.position_n).max() > 1.0
    for name in ("position_n", "q_nb", "rate_b", "rotor_speed", "on_ground"):
        assert np.allclose(getattr(rows, name), getattr(fast, name), rtol=0.0, atol=1e-12)
