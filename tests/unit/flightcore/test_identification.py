"""Identification of simulated vehicles whose coefficients are known, and of what logs may lack.

The vehicle is the simulator's, the controller flies it, the messages are ArduPilot's with its
units, rounding, a noisy accelerometer, a sinking voltage and a wind that no message tells.

Mutants killed: velocity not turned into the body frame; wind left out of the fit; thrust by the
voltage instead of its square; the curve's basis without its straight part; milli-g taken for m/s2;
the motors' range not taken out of the pulses; the servos' clock not unwrapped.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from flightcore.control.tracking import MEMORY_ROWS, SIZES, tracking
from flightcore.control.vehicle import Gains, Limits, Rotor, Vehicle
from flightcore.flight_log import FlightLog, LogError
from flightcore.identification import identify
from flightcore.trajectory.harmonic import Harmonic, Wave
from sim.airframe import QUAD_X
from sim.rigid_body import RigidBody
from tracing.executors import floats
from wire.mavlink import dialect

DT, EVERY = 0.0025, 16
SPIN = (0.12, 0.97)
WIND = (2.0, -1.0, 0.0)
# What the model has no name for is left out: drag of the frame, lift of the rotors.
FRAME = replace(QUAD_X, translational_lift=0.0, frame_drag=(0.0, 0.0, 0.0))
ROTORS = tuple(Rotor(x, y, spin * FRAME.torque_per_thrust) for x, y, spin in FRAME.rotors)
MODEL = Vehicle(FRAME.mass, FRAME.inertia, ROTORS, 0.0, FRAME.thrust_max, FRAME.hover_drag)
LIVELY = Harmonic(
    (0.0, 0.0, -30.0),
    (
        (Wave(9.0, 0.6), Wave(1.5, 1.7)),
        (Wave(7.0, 0.75), Wave(1.5, 1.5)),
        (Wave(4.0, 0.5), Wave(0.6, 1.9)),
    ),
    120.0,
)
EVEN = Harmonic((0.0, 0.0, -30.0), ((Wave(12.0, 0.3),), (), ()), 40.0)


def motion(trajectory, seconds, seed=1):
    """Fly; yield (time, body, share of full speed of each rotor, felt in the body frame)."""
    body = RigidBody(FRAME, dt_s=DT)
    times = np.arange(round(seconds / DT)) * DT
    flat = trajectory.sample(times)
    body.position_n[0], body.velocity_n[0] = flat[:3, 0], flat[3:6, 0]
    body.on_ground[:] = False
    body.rotor_speed[:] = math.sqrt(FRAME.hover_thrust_fraction)
    gains = Gains((6.0,) * 3, (4.0,) * 3, 200.0, 10.0, (20.0, 20.0, 6.0), (1.0,) * 3)
    program = floats(tracking(MODEL, gains, Limits(), None, DT), SIZES)
    memory = (0.0,) * MEMORY_ROWS
    for k, t in enumerate(times):
        state = (*body.position_n[0], *body.velocity_n[0], *body.q_nb[0], *body.rate_b[0])
        command, memory = program(
            tuple(map(float, state)), tuple(flat[:, k].tolist()), (0.0,) * 7, memory
        )
        share = np.sqrt(np.maximum(np.array(command) / FRAME.thrust_max, 0.0))
        body.step(share[None], np.array([WIND]))
        if k % EVERY == 0:
            yield float(t), body, body.rotor_speed[0].copy()


def frames(trajectory, seconds, *, leave_out=(), sag=1.2, seed=1):
    """A recording: messages as ArduPilot sends them."""
    rng = np.random.default_rng(seed)
    pack = dialect.MAVLink(None, srcSystem=7, srcComponent=1)
    names = {"MOT_PWM_MIN": 1000, "MOT_PWM_MAX": 2000, "MOT_SPIN_MIN": SPIN[0],
             "MOT_SPIN_MAX": SPIN[1], "MOT_THST_EXPO": 0.65}  # fmt: skip
    messages = [
        dialect.MAVLink_param_value_message(name.encode(), value, 9, 900, i)
        for i, (name, value) in enumerate(names.items())
    ]
    ground = dialect.MAVLink_local_position_ned_message(1_000, 0, 0, 0.0, 0, 0, 0)
    messages.append(ground)
    for t, body, share in motion(trajectory, seconds):
        ms, us = round(1e3 * (t + 2.0)), round(1e6 * (t + 2.0))
        volts = 16.8 - sag * t / seconds
        # Less voltage, more command for the same speed.
        command = share * 16.8 / volts
        pulses = [round(1000 + 1000 * (SPIN[0] + c * (SPIN[1] - SPIN[0]))) for c in command]
        w, x, y, z = body.q_nb[0]
        roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
        pitch = math.asin(2 * (w * y - z * x))
        yaw = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
        matrix = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )
        felt = matrix.T @ (body.acceleration_n[0] - [0, 0, 9.80665]) + rng.normal(0, 0.05, 3)
        milli_g = [round(f / 9.80665e-3) for f in felt]
        position, velocity = body.position_n[0].tolist(), body.velocity_n[0].tolist()
        messages += [
            dialect.MAVLink_raw_imu_message(us, *milli_g, 0, 0, 0, 0, 0, 0),
            dialect.MAVLink_attitude_message(ms, roll, pitch, yaw, 0, 0, 0),
            dialect.MAVLink_local_position_ned_message(ms, *position, *velocity),
            dialect.MAVLink_servo_output_raw_message(us & 0xFFFFFFFF, 0, *pulses, 0, 0, 0, 0),
            dialect.MAVLink_battery_status_message(
                0, 0, 0, 0, [round(1e3 * volts), *[0xFFFF] * 9], 0, 0, 0, 50
            ),
        ]
    return [m.pack(pack) for m in messages if m.get_type() not in leave_out]


def recorded(*args, **kwargs):
    log = FlightLog()
    for frame in frames(*args, **kwargs):
        log.receive_untrusted(frame)
    return log


def flown_drag(flight, axis):
    """Rotor drag goes with the rotors' speed: its mean over the flight, by speed squared [1/s]."""
    through = flight.velocity_n - np.array([WIND]).T
    speed = np.einsum("in,in->n", flight.axes[:, axis], through)
    turning = (flight.rotors * flight.volts / 16.8).sum(axis=0)
    each = FRAME.axial_drag if axis == 2 else FRAME.rotor_drag
    return each / FRAME.mass * float((turning * speed**2).sum() / (speed**2).sum())


def within(estimate, truth, share):
    """The truth lies in three standard errors, and they are narrow enough to say something."""
    assert abs(estimate.value - truth) <= 3.0 * estimate.error + 0.01 * truth, (estimate, truth)
    assert estimate.error < share * truth, (estimate, truth)


@pytest.fixture(scope="module")
def lively():
    return recorded(LIVELY, 90.0)


@pytest.mark.slow
def test_a_lively_flight_tells_thrust_curve_drag_and_wind(lively):
    flight = lively.flight()
    assert flight.assumed == ()
    found = identify(flight)
    middle = 16.8 - 0.6
    assert found.volts == pytest.approx(middle, abs=0.02)
    full = 4.0 * FRAME.thrust_max / FRAME.mass * (middle / 16.8) ** 2
    within(found.full, full, 0.05)
    within(found.hover, 9.80665 / full, 0.05)
    assert not found.curve_assumed
    within(found.curve, 1.0, 0.1)  # the simulator's command is a speed: thrust is its square
    for axis, drag in enumerate(found.drag):
        within(drag, flown_drag(flight, axis), 0.05 if axis < 2 else 0.3)
    assert found.lift is None
    assert found.wind_n == pytest.approx(WIND[:2], abs=0.15)
    assert max(found.residual) < 0.1
    assert found.lag_s <= 0.05


@pytest.mark.slow
def test_an_even_flight_tells_less_and_says_so():
    flight = recorded(EVEN, 40.0, sag=0.0).flight()
    found = identify(flight)
    assert found.curve_assumed
    assert found.curve.value == pytest.approx(0.65)
    assert found.drag[0] is not None
    within(found.drag[0], flown_drag(flight, 0), 0.1)
    assert found.drag[1] is None
    assert found.drag[2] is None


def fed(messages):
    log = FlightLog()
    for frame in messages:
        log.receive_untrusted(frame)
    return log


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("RAW_IMU", "no accelerometer: one of RAW_IMU"),
        ("ATTITUDE", "no ATTITUDE"),
        ("LOCAL_POSITION_NED", "no LOCAL_POSITION_NED"),
        ("SERVO_OUTPUT_RAW", "no SERVO_OUTPUT_RAW"),
    ],
)
def test_what_is_missing_is_named(missing, said):
    with pytest.raises(LogError, match=said):
        fed(frames(EVEN, 1.0, leave_out=(missing,))).flight()


def test_too_little_flight_is_said():
    with pytest.raises(LogError, match=r"25 samples more than 1\.5 m above .* 200 are needed"):
        fed(frames(EVEN, 1.0)).flight()


def test_messages_that_come_too_rarely_are_named():
    clean = frames(EVEN, 12.0)
    attitudes = [f for f in clean if f[7] == dialect.MAVLINK_MSG_ID_ATTITUDE]
    rare = [f for f in clean if f not in attitudes or f in attitudes[::8]]
    with pytest.raises(LogError, match=r"ATTITUDE comes .* times a second; 4 are needed"):
        fed(rare).flight()


def test_damaged_frames_and_other_systems_are_left_out():
    clean = frames(EVEN, 10.0)
    other = dialect.MAVLink(None, srcSystem=255, srcComponent=190)
    stranger = dialect.MAVLink_attitude_message(5_000, 3.0, 1.0, 0, 0, 0, 0).pack(other)
    broken = bytes(clean[-3][:-1]) + bytes([clean[-3][-1] ^ 1])
    with_more = fed([*clean[:800], stranger, broken, *clean[800:]]).flight()
    assert np.array_equal(with_more.axes, fed(clean).flight().axes)


def test_the_servos_clock_wraps():
    """It counts microseconds in 32 bits: 71 minutes."""
    log = FlightLog()
    pack = dialect.MAVLink(None, srcSystem=1, srcComponent=1)
    after = 4_300.0  # 5 s past the wrap
    for message in (
        dialect.MAVLink_attitude_message(round(after * 1e3), 0, 0, 0, 0, 0, 0),
        dialect.MAVLink_servo_output_raw_message(round(after * 1e6) % 2**32, 0, *[1500] * 8),
    ):
        log.receive_untrusted(message.pack(pack))
    assert log._series["SERVO_OUTPUT_RAW"][0][0] == pytest.approx(after)
