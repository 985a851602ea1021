"""Pace, track, forecast and frames against slow and obvious models.

Mutants killed: the ramp's integral off a little; a pace that begins before the last one ends;
Taylor without its jerk term; acceleration without the change of pace; a clock that believes the
greatest delay; a forecast whose integrals are taken over another time than their ticks (it drifts
in a steady wind); one that leaves out the delay; the disturbance not led; longitude across the
date line; a rotation turned the other way; a heading mirrored; an order that takes effect at
once.
"""

import math
import struct
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from flightcore.control.vehicle import GRAVITY
from flightcore.offboard.aboard import PACE, take
from flightcore.offboard.estimate import Delays, Forecast
from flightcore.offboard.frames import offset, origin_untrusted
from flightcore.offboard.motion import Motion, MotionReader, VehicleClock, turned
from flightcore.offboard.outer import Craft, Outer, quaternion_of
from flightcore.offboard.pilot import Form, Orders, Pilot, Tuning
from flightcore.offboard.schedule import STEEPEST, Along, Schedule, standing
from flightcore.offboard.setpoints import AttitudeTarget
from flightcore.offboard.track import table, track_of
from flightcore.offboard.worth import Ability
from flightcore.trajectory.harmonic import lemniscate, orbit
from flightcore.trajectory.polynomial import line
from sim.geodesy import Place
from wire.mavlink import dialect
from wire.trajectory import Reference

LEMNISCATE = lemniscate((5.0, -3.0, -12.0), 12.0, 12.0, 0.25, 25.0)
rate = st.sampled_from([0.0, 1.0])
schedules = st.builds(
    Schedule, st.floats(0, 10), st.floats(0, 5), rate, rate, st.sampled_from([0.0, 0.5, 3.0])
)


@given(schedules)
@settings(max_examples=60)
def test_pace_is_the_derivative_of_time_along_and_its_change_that_of_pace(schedule):
    times = np.arange(schedule.begin_s - 1.0, schedule.ends_s() + 1.0, 1e-3)
    along = np.array([schedule.at(t) for t in times])
    middle = 0.5 * (along[1:, 1] + along[:-1, 1])
    is_smooth = np.full(len(middle), True)
    if schedule.ramp_s == 0.0:  # a step, where the trajectory itself stands still
        is_smooth = np.abs(times[1:] - schedule.begin_s) > 2e-3
    assert np.allclose(np.diff(along[:, 0])[is_smooth], 1e-3 * middle[is_smooth], atol=1e-6)
    change = 0.5 * (along[1:, 2] + along[:-1, 2])
    assert np.allclose(np.diff(along[:, 1])[is_smooth], 1e-3 * change[is_smooth], atol=1e-5)
    if schedule.ramp_s > 0.0:
        assert np.abs(along[:, 2]).max() <= STEEPEST / schedule.ramp_s + 1e-9
    assert schedule.at(schedule.ends_s() + 1.0).rate == schedule.to_rate


@settings(max_examples=40)
@given(schedules, st.floats(0, 10), st.sampled_from([0.0, 2.0]))
def test_one_pace_follows_the_other_without_a_jump(schedule, at_s, ramp_s):
    following = schedule.then(at_s, 0.0, ramp_s)
    assert following.begin_s >= schedule.ends_s()
    before = schedule.at(following.begin_s)
    after = following.at(following.begin_s)
    assert after.time == pytest.approx(before.time, abs=1e-9)
    assert after.rate == schedule.to_rate


@given(st.floats(0.0, 25.0), st.floats(0.0, 1.0), st.floats(-0.5, 0.5))
@settings(max_examples=60)
def test_a_track_is_the_trajectory_at_any_pace(time, pace, change):
    shift = (1.0, 2.0, 3.0)
    track = track_of(table(LEMNISCATE, shift), LEMNISCATE.duration)
    got = track.at(Along(time, pace, change))
    flat = LEMNISCATE.sample(np.array([time]))[:, 0]
    assert np.allclose(got.position_n, flat[:3] + shift, atol=1e-7)
    assert np.allclose(got.velocity_n, flat[3:6] * pace, atol=1e-6)
    expected = flat[6:9] * pace**2 + flat[3:6] * change
    assert np.allclose(got.acceleration_n, expected, atol=1e-5)


def test_beyond_its_ends_a_track_stands_still():
    track = track_of(table(LEMNISCATE, (0.0, 0.0, 0.0)), LEMNISCATE.duration)
    for time, at in ((-1.0, 0.0), (26.0, LEMNISCATE.duration)):
        got = track.at(Along(time, 1.0, 0.0))
        assert np.allclose(got.position_n, LEMNISCATE.sample(np.array([at]))[:3, 0], atol=1e-6)
        assert got.velocity_n == got.acceleration_n == (0.0, 0.0, 0.0)


@settings(max_examples=40)
@given(st.lists(st.floats(0.0, 0.3), min_size=60, max_size=60))
def test_the_vehicles_clock_is_read_by_its_quickest_message(delays):
    delays = [0.0 if i % 20 == 0 else d for i, d in enumerate(delays)]
    clock = VehicleClock()
    for i, delay in enumerate(delays):
        boot_ms, now_s = 5000 + 20 * i, 1000.0 + 0.02 * i + delay
        assert clock.local_s(boot_ms, now_s) <= now_s + 1e-9
        if i > 20:
            assert clock.local_s(boot_ms, now_s) == pytest.approx(1000.0 + 0.02 * i, abs=1e-6)


def frame(message):
    return bytes(message.pack(dialect.MAVLink(None, 1, 1)))


def attitude(ms, q, rates=(0.0, 0.0, 0.0)):
    return frame(dialect.MAVLink_attitude_quaternion_message(ms, *q, *rates))


def position(ms, values):
    return frame(dialect.MAVLink_local_position_ned_message(ms, *values))


@settings(max_examples=40)
@given(
    st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: math.hypot(*q) > 0.1),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.integers(-50, 50),
)
def test_an_attitude_is_turned_to_the_time_of_its_position(q, rates, apart_ms):
    q = tuple(c / math.hypot(*q) for c in q)
    reader = MotionReader(Counter())
    assert reader.receive(attitude(1000, q, rates), 10**12) is None
    motion = reader.receive(position(1000 + apart_ms, range(6)), 10**12 + 10**9)
    w, x, y, z = q
    there = Rotation.from_quat((x, y, z, w))
    turn = Rotation.from_rotvec(np.array(rates) * apart_ms * 1e-3)
    x, y, z, w = (there * turn).as_quat()
    assert abs(np.dot(motion.q_nb, (w, x, y, z))) == pytest.approx(1.0, abs=1e-6)
    assert motion.position_n == (0.0, 1.0, 2.0)
    assert motion.velocity_n == (3.0, 4.0, 5.0)
    assert np.allclose(turned(q, (0.0, 0.0, 0.0), 1.0), q)


def test_what_is_no_motion_is_counted_and_dropped():
    reader = MotionReader(Counter())
    nan = math.nan
    assert reader.receive(attitude(1000, (1, 0, 0, 0)), 10**9) is None
    assert reader.receive(position(1020, (nan, 0, 0, 0, 0, 0)), 10**9) is None
    assert reader.receive(attitude(1020, (0, 0, 0, 0)), 10**9) is None
    assert reader.receive(position(5000, (0,) * 6), 10**9) is None
    assert reader.dropped == {"motion_not_finite": 1, "motion_no_attitude": 1, "motion_apart": 1}


def body(asked, disturbance, delays, seconds, dt, forecast):
    """A point mass that does what it was asked a delay ago; its motion every 20 ms, 30 ms old."""
    p, v = np.zeros(3), np.zeros(3)
    history, sent = [], []
    steps = round(seconds / dt)
    for i in range(steps):
        now = 100.0 + i * dt
        a = asked(now)
        forecast.ask(tuple(a), now)
        history.append(a)
        flown = [history[max(0, i - round(d / dt))][axis] for axis, d in enumerate(delays)]
        acceleration = np.array(flown) + disturbance(now)
        if i % round(0.02 / dt) == 0:
            up = GRAVITY - flown[2]
            x, y = -flown[0] / up, -flown[1] / up
            z = np.array((x, y, 1.0)) / math.sqrt(x * x + y * y + 1.0)
            axis = np.cross((0.0, 0.0, 1.0), z)
            sine = np.linalg.norm(axis)
            turn = axis / sine * math.asin(sine) if sine > 1e-9 else np.zeros(3)
            qx, qy, qz, qw = Rotation.from_rotvec(turn).as_quat()
            sent.append((now + 0.03, Motion(now, tuple(p), tuple(v), (qw, qx, qy, qz))))
        while sent and sent[0][0] <= now:
            forecast.receive(sent.pop(0)[1])
        p = p + dt * v + 0.5 * dt * dt * acceleration
        v = v + dt * acceleration
        yield now, p, v


@pytest.mark.parametrize("dt", [0.0025, 0.01])
def test_the_state_is_known_when_what_is_asked_takes_effect(dt):
    delays = Delays(level=0.1811, down=0.06)  # no whole number of ticks
    forecast = Forecast(delays, 6.0, dt)
    wind = np.array((1.5, -0.5, 0.3))

    def asked(now):
        t = now - 100.0
        return np.array((math.sin(t), 1.2 * math.cos(0.7 * t), 0.5 * math.sin(0.5 * t))) - wind

    trace, known = [], []
    lags = delays.level, delays.level, delays.down
    for now, p, v in body(asked, lambda now: wind, lags, 60.0, dt, forecast):
        trace.append((p, v))
        if forecast.motion is not None:
            known.append((len(trace) - 1, forecast.state(forecast.motion, now)))
    late = [entry for entry in known if 45.0 / dt < entry[0] < 59.0 / dt]
    for i, (p, v) in late[::50]:
        for axis, lag in enumerate(lags):
            then = i + round(lag / dt)
            assert p[axis] == pytest.approx(trace[then][0][axis], abs=0.02)
            assert v[axis] == pytest.approx(trace[then][1][axis], abs=0.03)
    assert np.allclose(forecast.disturbance_n, wind, atol=0.05)


def test_a_disturbance_that_turns_is_led():
    delays = Delays(level=0.18, down=0.06)
    forecast = Forecast(delays, 6.0, 0.01)

    def wind(now):
        return np.array((2.0 * math.cos(0.5 * now), 2.0 * math.sin(0.5 * now), 0.0))

    lags = delays.level, delays.level, delays.down
    *_, (now, _, _) = body(lambda now: np.zeros(3), wind, lags, 20.0, 0.01, forecast)
    assert np.linalg.norm(np.array(forecast.disturbance_n) - wind(now + 0.18)) < 0.12


@settings(max_examples=40)
@given(st.integers(-800_000_000, 800_000_000), st.integers(-1_800_000_000, 1_800_000_000))
@example(100_000_000, 1_799_999_500)
@example(-450_000_000, -1_799_999_500)
def test_a_place_lies_where_the_simulators_geodesy_puts_it(lat, lon):
    origin = Reference(lat, lon, 584_000)
    there = Place(lat, lon, 584.0)
    for north, east, up in ((120.0, -80.0, 15.0), (-300.0, 200.0, -3.0)):
        metres = 0.011131884502145034
        dlat = round(north / metres)
        dlon = round(east / metres / math.cos(math.radians((lat + 0.5 * dlat) * 1e-7)))
        wrapped = (lon + dlon + 1_800_000_000) % 3_600_000_000 - 1_800_000_000
        place = Reference(lat + dlat, wrapped, 584_000 + round(up * 1000))
        assert offset(place, origin) == pytest.approx((north, east, -up), abs=0.02)
        if abs(lon) < 1_700_000_000 and abs(lat) < 600_000_000:
            theirs = there.north_east(place.latitude_e7, place.longitude_e7)
            assert theirs == pytest.approx((north, east), abs=0.3)


def test_an_origin_that_is_no_place_is_not_believed():
    message = dialect.MAVLink_gps_global_origin_message(900_000_001, 0, 0)
    assert origin_untrusted(frame(message)) is None
    message = dialect.MAVLink_gps_global_origin_message(-353632620, 1491652370, 584_000)
    assert origin_untrusted(frame(message)) == Reference(-353632620, 1491652370, 584_000)
    assert struct.calcsize("<iii") == 12


@settings(max_examples=40)
@given(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: math.hypot(*q) > 0.1))
def test_axes_become_the_quaternion_that_scipy_finds(q):
    matrix = Rotation.from_quat(q).as_matrix()
    found = quaternion_of(*(tuple(column) for column in matrix.T))
    x, y, z, w = Rotation.from_matrix(matrix).as_quat()
    assert abs(np.dot(found, (w, x, y, z))) == pytest.approx(1.0, abs=1e-9)
    assert found[0] >= 0.0


@settings(max_examples=40)
@given(
    st.tuples(*[st.floats(-6, 6)] * 3),
    st.tuples(*[st.floats(-10, 10)] * 3),
    st.tuples(*[st.floats(-6, 6)] * 3),
    st.floats(-7, 7),
)
def test_the_wish_points_where_thrust_is_needed_and_never_beyond_the_tilt(error, speed, feed, yaw):
    tuning = Tuning()
    outer = Outer(tuning.gains, tuning.limits)
    wish = outer.wish(error, speed, feed, (0.0, 0.0, 0.0), yaw)
    w, x, y, z = wish.q_nb
    turn = Rotation.from_quat((x, y, z, w))
    down = -np.array(wish.thrust_n) / np.linalg.norm(wish.thrust_n)
    assert np.allclose(turn.apply((0.0, 0.0, 1.0)), down, atol=1e-9)
    assert math.acos(min(1.0, down[2])) <= tuning.limits.tilt + 1e-6
    # The nose lies over the heading.
    nose = turn.apply((1.0, 0.0, 0.0))
    assert abs(np.dot(nose, (-math.sin(yaw), math.cos(yaw), 0.0))) < 1e-9
    assert np.dot(nose, (math.cos(yaw), math.sin(yaw), 0.0)) > 0.0


def test_at_rest_on_the_track_it_asks_for_hover():
    hover = Craft(hover=0.36, gives_thrust=True)
    trajectory = line((0.0, 0.0, -10.0), (20.0, 0.0, -10.0), 2.0, 1.0, 0.5)
    aboard = take(trajectory, (0.0, 0.0, 0.0), bytes(8), Ability(), Form.ATTITUDE, hover)
    track = track_of(aboard.rows, aboard.duration_s)
    pilot = Pilot(track, Form.ATTITUDE, hover, Tuning())
    assert pilot.step(100.0, Orders()).setpoint is None  # without telemetry nothing
    pilot.receive(Motion(100.0, (0.0, 0.0, -10.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)))
    step = pilot.step(100.0, Orders(standing(0.0), is_flying=True))
    assert step.error == pytest.approx(0.0, abs=1e-9)
    assert isinstance(step.setpoint, AttitudeTarget)
    assert step.setpoint.q_nb == pytest.approx((math.cos(0.25), 0.0, 0.0, math.sin(0.25)))
    assert step.setpoint.thrust == pytest.approx(0.36)
    climbing = Pilot(track, Form.ATTITUDE, Craft(), Tuning())
    climbing.receive(Motion(100.0, (0.0, 0.0, -9.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)))
    thrust = climbing.step(100.0, Orders(standing(0.0), is_flying=True)).setpoint.thrust
    assert thrust == pytest.approx(0.5 + 0.5 * 1.5 / 2.5)  # a metre low: up at 1.5 m/s


@given(st.floats(0.5, 5.0), st.floats(4.0, 15.0))
@settings(max_examples=20)
def test_a_pace_changes_no_faster_than_it_may(speed, radius):
    flown = orbit((0.0, 0.0, -10.0), radius, speed, turns=4.0)
    aboard = take(flown, (0.0, 0.0, 0.0), bytes(8), Ability(), Form.ATTITUDE, Craft())
    if isinstance(aboard, str):
        assert speed**2 / radius > 6.0 * 0.99
        return
    schedule = aboard.begin(10.0)
    track = track_of(aboard.rows, aboard.duration_s)
    begun = track.at(schedule.at(schedule.begin_s))
    assert begun.velocity_n == (0.0, 0.0, 0.0)
    # What is ordered comes after all that the loop has looked at.
    late = schedule.ends_s() + 1.0
    assert aboard.change(schedule, 0.0, late).begin_s > late + Tuning().delays.level + 0.1
    hardest, now = 0.0, 10.0
    while not aboard.is_over(schedule, now):
        schedule = aboard.ending(schedule, now, 0.05)
        ref = track.at(schedule.at(now))
        along = np.dot(ref.acceleration_n, ref.velocity_n) / max(np.linalg.norm(ref.velocity_n), 1)
        hardest = max(hardest, abs(along))
        now += 0.05
    assert hardest <= PACE + 1e-6
    end = track.at(schedule.at(now + 5.0))
    assert end.velocity_n == (0.0, 0.0, 0.0)
    assert np.allclose(end.position_n, aboard.last.position_n, atol=1e-6)
