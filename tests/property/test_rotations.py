"""Every function that handles a rotation has scipy as its referee, and none can be forgotten.

Functions are found by what rotations look like in source: the types they take or return, what they
call their arguments, a quaternion taken apart into w, x, y, z, products of sines and cosines, or
their name. Each one found must be in `REFEREES`, with a check here or the test elsewhere that holds
it against scipy or against what follows from it; a new one fails this module until somebody says
how it is checked.

Mutants killed: a function taken out of `REFEREES`; the sign of one term of each of `multiply`,
`from_euler`, `to_euler`, `rotate_inverse`, `_axes`, `_turned`, `attitude`, and of the prediction's
gyroscopic torque.
"""

import ast
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from flightcore.control.position import collective, drag, thrust_vector
from flightcore.control.prediction import prediction
from flightcore.control.vectors import Axes
from flightcore.control.vehicle import Rotor, Vehicle
from flightcore.flight_log import _axes
from flightcore.monitor.inertial import DeadReckoning
from flightcore.monitor.messages import Attitude, Imu
from sim.autopilot.flight import _uprightness
from sim.autopilot.guided import _turned
from sim.autopilot.logbook import _degrees
from sim.control import vector
from sim.control.cascade import OuterLoop
from sim.control.inner import _rates

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"quat|euler|rotat|axes|turned", re.IGNORECASE)
TYPES = {"Quat", "Axes", "Quaternion"}
ARMS = ((0.1, 0.1, 0.02), (-0.1, -0.1, 0.02), (0.1, -0.1, -0.02), (-0.1, 0.1, -0.02))
VEHICLE = Vehicle(
    0.8, (3e-3, 2e-3, 4e-3), tuple(Rotor(*arm) for arm in ARMS), 0.0, 8.0, (0.3, 0.2, 0.4), 0.02
)
UNITS = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1)
ROTATIONS = st.builds(
    Rotation.from_quat,
    st.one_of(UNITS, st.sampled_from([(0, 0, 0, 1), (1, 0, 0, 0), (0, 0, 1, 1), (1, 1, 1, 1)])),
)
VECTORS = st.tuples(*[st.floats(-5, 5)] * 3)
ANGLES = st.one_of(st.sampled_from([0.0, 1.5, -1.5, 3.1, -3.1]), st.floats(-3.14, 3.14))


def quat(rotation):
    return tuple(rotation.as_quat(scalar_first=True).tolist())


def columns(rotation):
    return Axes(*(tuple(column) for column in rotation.as_matrix().T.tolist()))


def same(q, rotation, tolerance=1e-7):
    assert (Rotation.from_quat(q, scalar_first=True).inv() * rotation).magnitude() < tolerance


def close(a, b, tolerance=1e-9):
    assert np.allclose(np.array(a, dtype=float), np.array(b, dtype=float), atol=tolerance)


def check_products(a, b, v, roll, pitch, yaw):
    same(vector.multiply(quat(a), quat(b)), a * b)
    same(vector.conjugate(quat(a)), a.inv())
    close(vector.rotate_inverse(quat(a), v), a.inv().apply(v))


def check_euler(a, b, v, roll, pitch, yaw):
    pitch *= 0.45  # short of the vertical, where roll and yaw are one
    same(vector.from_euler(roll, pitch, yaw), Rotation.from_euler("ZYX", [yaw, pitch, roll]))
    back = vector.to_euler(quat(Rotation.from_euler("ZYX", [yaw, pitch, roll])))
    same(vector.from_euler(*back), Rotation.from_euler("ZYX", [yaw, pitch, roll]), 1e-6)


def check_degrees(a, b, v, roll, pitch, yaw):
    turned = Rotation.from_euler("ZYX", [yaw, 0.49 * pitch, roll])  # short of the poles
    found = _degrees(quat(turned))
    same(quat(Rotation.from_euler("ZYX", found[::-1], degrees=True)), turned, 1e-6)
    assert 0.0 <= found[2] <= 360.0


def check_log(a, b, v, roll, pitch, yaw):
    rows = np.array([[0.0, roll, pitch, yaw], [1.0, roll, pitch, yaw]])
    matrix = _axes(np.array([0.5]), rows)[:, :, 0]
    close(matrix, Rotation.from_euler("ZYX", [yaw, pitch, roll]).as_matrix())


def check_heading(a, b, v, roll, pitch, yaw):
    close(_turned(v, yaw), Rotation.from_rotvec([0, 0, yaw]).apply(v))


def check_forces(a, b, v, roll, pitch, yaw):
    """Drag in body axes, and thrust that makes up for it, by scipy's rotations."""
    through = a.inv().apply(v)
    felt = -np.array(VEHICLE.drag) * through
    felt[2] -= VEHICLE.lift * (through[0] ** 2 + through[1] ** 2)
    close(drag(columns(a), v, VEHICLE), felt)
    wanted = b.apply([1.0, 2.0, 3.0])
    thrust = wanted - a.apply(felt) / VEHICLE.mass - [0, 0, VEHICLE.gravity]
    found = thrust_vector(tuple(wanted), columns(a), v, (0.0, 0.0, 0.0), VEHICLE)
    close(found, thrust)
    along = -VEHICLE.mass * thrust @ a.apply([0, 0, 1])
    close(collective(found, columns(a), VEHICLE), along)


def check_simulated_attitude(a, b, v, roll, pitch, yaw):
    """The setpoint's z axis lies against the thrust, and its heading is what was asked for."""
    up = max(9.80665 - v[2], 0.25 * 9.80665)
    level = np.array(v[:2])
    outer = OuterLoop(math.radians(60.0))
    most = up * math.tan(math.radians(60.0))
    level *= most / max(np.linalg.norm(level), most)
    q, thrust = outer.attitude(v, yaw)
    found = Rotation.from_quat(q, scalar_first=True)
    close(-thrust * found.apply([0, 0, 1]), [*level, -up], 1e-8)
    tilt = np.cross([0, 0, 1], found.apply([0, 0, 1]))
    angle = math.asin(min(1.0, float(np.linalg.norm(tilt))))
    axis = tilt / max(float(np.linalg.norm(tilt)), 1e-300)
    same(q, Rotation.from_rotvec(angle * axis) * Rotation.from_rotvec([0, 0, yaw]), 1e-6)


def check_uprightness(a, b, v, roll, pitch, yaw):
    close(_uprightness(quat(a)), a.apply([0, 0, 1])[2])


def check_simulated_rates(a, b, v, roll, pitch, yaw):
    """A small step along the rates comes nearer, whatever the signs of the quaternions."""
    rates = _rates(quat(a), quat(b), (0.0, 0.0, 0.0), 1.0)
    before = (a.inv() * b).magnitude()
    if 1e-3 < before < math.pi - 1e-3:  # at half a turn either way is right
        flipped = _rates(quat(a), tuple(-c for c in quat(b)), (0.0, 0.0, 0.0), 1.0)
        close(flipped, rates)
        stepped = a * Rotation.from_rotvec(1e-4 * np.array(rates))
        assert (stepped.inv() * b).magnitude() < before


def check_prediction(a, b, v, roll, pitch, yaw):
    """Against scipy's rotations in steps a sixtieth as long."""
    thrusts = np.array([2.0, 2.2, 1.9, 2.1])
    rate = np.array([roll, pitch, yaw])
    x, y, k = np.array(ARMS).T
    torque, j = np.array([-y @ thrusts, x @ thrusts, k @ thrusts]), np.array(VEHICLE.inertia)
    place, speed, turn, w, dt = np.array([1.0, 2.0, -3.0]), np.array(v), a, rate, 0.003 / 60
    for _ in range(60):
        through = turn.inv().apply(speed)
        force = -np.array(VEHICLE.drag) * through
        force[2] -= VEHICLE.lift * (through[0] ** 2 + through[1] ** 2) + thrusts.sum()
        after = speed + dt * (turn.apply(force) / VEHICLE.mass + [0, 0, VEHICLE.gravity])
        place, speed = place + dt * 0.5 * (speed + after), after
        later = w + dt * (torque - np.cross(w, j * w)) / j
        turn, w = turn * Rotation.from_rotvec(dt * 0.5 * (w + later)), later
    state = (1.0, 2.0, -3.0, *v, *quat(a), *rate.tolist())
    (found,) = prediction(VEHICLE, 0.003)(state, tuple(thrusts))
    close(found[:3], place, 1e-5)
    close(found[3:6], speed, 2e-3)
    same(found[6:10], turn, 1e-4)
    close(found[10:], w, 1e-3)


def check_dead_reckoning(a, b, v, roll, pitch, yaw):
    """A specific force is turned to north and east; Euler rates are those of the body's turning."""
    pitch *= 0.4
    turn = Rotation.from_euler("ZYX", [yaw, pitch, roll])
    reckoning = DeadReckoning()
    rate = np.array([0.3, -0.2, 0.1])
    reckoning.receive_attitude(Attitude(1.0, roll, pitch, yaw, *rate.tolist()))
    reckoning.receive_sample(Imu(1.0, *v))
    found = reckoning.at(1.0).acceleration
    close([found.real, found.imag], turn.apply(v)[:2], 1e-9)
    # As the body turns on, the next attitude is no surprise, and a sample half-way is turned too.
    halfway = turn * Rotation.from_rotvec(0.005 * rate)
    reckoning.receive_sample(Imu(1.005, *v))
    found = reckoning.at(1.005).acceleration
    close([found.real, found.imag], halfway.apply(v)[:2], 2e-4)


CHECKS = [
    check_products, check_euler, check_degrees, check_log, check_heading, check_forces,
    check_simulated_attitude, check_simulated_rates, check_prediction, check_dead_reckoning,
    check_uprightness,
]  # fmt: skip
ATTITUDE = "tests/property/test_control_attitude.py::"
BODY = "tests/unit/sim/test_rigid_body.py::"
MOTION = "tests/property/test_offboard_motion.py::"
TRACKING = "tests/unit/flightcore/test_tracking.py::"
REFEREES = {
    "flightcore.control.attitude.axes_from_thrust": ATTITUDE
    + "test_thrust_axes_are_a_rotation_whatever_is_asked",
    "flightcore.control.attitude.matrix_error": ATTITUDE
    + "test_the_matrix_error_is_the_sine_of_the_angle",
    "flightcore.control.attitude.tilt_and_heading_error": ATTITUDE
    + "test_the_error_is_the_tilt_then_the_heading",
    "flightcore.control.flatness.implied": "tests/unit/flightcore/test_flatness.py::"
    "test_rate_and_acceleration_are_derivatives_of_the_attitude",
    "flightcore.control.position.collective": check_forces,
    "flightcore.control.position.drag": check_forces,
    "flightcore.control.position.thrust_vector": check_forces,
    "flightcore.control.prediction.prediction": check_prediction,
    "flightcore.control.prediction.slope": check_prediction,
    "flightcore.control.prediction.text": check_prediction,
    "flightcore.control.tracking._observe": TRACKING
    + "test_rejection_takes_away_what_the_model_lacks",
    "flightcore.control.tracking._turn": TRACKING + "test_signs_of_the_quaternion_change_nothing",
    "flightcore.control.vectors.axes_of": ATTITUDE + "test_rotations_are_scipys",
    "flightcore.control.vectors.conjugate": ATTITUDE + "test_rotations_are_scipys",
    "flightcore.control.vectors.multiply": ATTITUDE + "test_rotations_are_scipys",
    "flightcore.control.vectors.to_body": ATTITUDE + "test_rotations_are_scipys",
    "flightcore.control.vectors.to_outer": ATTITUDE + "test_rotations_are_scipys",
    "flightcore.flight_log._axes": check_log,
    "flightcore.monitor.inertial.receive_attitude": check_dead_reckoning,
    "flightcore.monitor.inertial.receive_sample": check_dead_reckoning,
    "flightcore.offboard.estimate._flown": MOTION
    + "test_the_state_is_known_when_what_is_asked_takes_effect",
    "flightcore.offboard.motion.receive": MOTION
    + "test_an_attitude_is_turned_to_the_time_of_its_position",
    "flightcore.offboard.motion.turned": MOTION
    + "test_an_attitude_is_turned_to_the_time_of_its_position",
    "flightcore.offboard.outer.quaternion_of": MOTION
    + "test_axes_become_the_quaternion_that_scipy_finds",
    "sim.autopilot.flight._uprightness": check_uprightness,
    "sim.autopilot.guided._turned": check_heading,
    "sim.autopilot.logbook._degrees": check_degrees,
    "sim.control.cascade.attitude": check_simulated_attitude,
    "sim.control.inner._rates": check_simulated_rates,
    "sim.control.vector.conjugate": check_products,
    "sim.control.vector.from_euler": check_euler,
    "sim.control.vector.multiply": check_products,
    "sim.control.vector.rotate_inverse": check_products,
    "sim.control.vector.to_euler": check_euler,
    "sim.dynamics.body_axes": BODY + "test_body_axes_are_scipys",
    "sim.dynamics.derivative": BODY + "test_moments_of_the_speeds_are_the_sum_over_the_rotors",
    "sim.dynamics.runge_kutta": BODY + "test_free_rotation_keeps_energy_and_momentum",
}


def rotation_functions(module, source):
    """Return the functions of a module that handle rotations, by what their source looks like."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef):
            continue
        arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        hints = [a.annotation for a in arguments if a.annotation] + [node.returns] * bool(
            node.returns
        )
        types = {n.id for hint in hints for n in ast.walk(hint) if isinstance(n, ast.Name)}
        inside = list(ast.walk(node))
        calls = {getattr(n, "attr", getattr(n, "id", "")) for n in inside}
        products = sum(isinstance(n, ast.Mult) for n in inside)
        unpacked = [
            [getattr(e, "id", "") for e in n.targets[0].elts]
            for n in inside
            if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Tuple)
        ]
        if (
            types & TYPES
            or NAMED.search(node.name)
            or any(argument.arg.startswith("q_") for argument in arguments)
            or any(names[:4] == ["w", "x", "y", "z"] for names in unpacked)
            or (products >= 4 and {"sin", "cos"} <= calls)
        ):
            found.add(f"{module}.{node.name}")
    return found


# Found by their name or their sines, and yet no rotations of vectors.
OTHER = {
    "flightcore.trajectory.survey.lanes",
    "flightcore.monitor.messages._fix",
    "sim.autopilot.piloted.loiter",
    "sim.control.inner.throttles",  # hands the attitude on
    "sim.autopilot.telemetry._attitude_quaternion",
    "sim.wind.step",
}


def test_no_rotation_goes_without_a_referee():
    found = set()
    for package in ("flightcore", "sim", "tracing"):
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found |= rotation_functions(module, path.read_text())
    assert found - OTHER == set(REFEREES)
    assert found >= OTHER


@pytest.mark.parametrize(("name", "referee"), REFEREES.items())
def test_every_referee_is_there(name, referee):
    if isinstance(referee, str):
        path, _, test = referee.partition("::")
        assert f"def {test}(" in (ROOT / path).read_text()
    else:
        assert referee in CHECKS


def test_a_new_rotation_is_found():
    for source in (
        "def turn(q: Quat, v: Vec) -> Vec: ...",
        "def to_quaternion(a): ...",
        "def f(q):\n    w, x, y, z = q\n    return w",
        "def f(a, b):\n    return cos(a) * cos(b) - sin(a) * sin(b) + cos(a) * sin(b) * a",
    ):
        assert rotation_functions("new", source), source
    assert not rotation_functions("old", "def f(x):\n    return 2.0 * x")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@settings(max_examples=40)
@given(ROTATIONS, ROTATIONS, VECTORS, ANGLES, ANGLES, ANGLES)
def test_scipy_agrees(check, a, b, v, roll, pitch, yaw):
    check(a, b, v, roll, pitch, yaw)
