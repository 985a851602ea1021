"""Each detector on a hand-made flight, and what must not alarm.

Mutants killed here: an alarm overwritten by a later one, a `clear` that does not learn again, the
ground factor dropped, leap seconds of any size let pass, a reboot that keeps what was learnt,
frames of any component, a longitude not wrapped, the sign of the way flown, the receiver's lag
left out.
"""

import cmath
import math
import random

import pytest

from flightcore.monitor.alarm import State
from flightcore.monitor.gnss import WATCHED, GnssMonitor, _moved
from flightcore.monitor.messages import Fix
from flightcore.monitor.position import PositionTests
from flightcore.monitor.table import TABLE, Detector
from tests.gnss_flight import FAULT_S, Vehicle, after, dialect, feed
from wire.mavlink import message_id

EAST = 1j


def steps(metres):
    return after(FAULT_S, position=lambda dt, told: told.position + metres * EAST)


def frozen(value):
    kept = []

    def hold(dt, told):
        kept.append(getattr(told, value))
        return kept[0]

    return hold


FAULTS = {
    "jump": (steps(8.0), {Detector.POSITION_JUMP}, 0.3),
    "ramp": (
        after(FAULT_S, position=lambda dt, told: told.position + 1.0 * dt * EAST),
        {Detector.POSITION_DRIFT, Detector.POSITION_JUMP},
        5.0,
    ),
    "velocity": (
        after(FAULT_S, velocity=lambda dt, told: told.velocity + 2.0 * EAST),
        {Detector.VELOCITY_INNOVATION},
        0.3,
    ),
    "pull-off": (
        after(
            FAULT_S,
            position=lambda dt, told: told.position + 0.15 * dt * dt * EAST,
            velocity=lambda dt, told: told.velocity + 0.3 * dt * EAST,
        ),
        {Detector.VELOCITY_CUSUM, Detector.VELOCITY_WINDOW},
        3.0,
    ),
    "silence": (
        after(FAULT_S, stamp_s=lambda dt, told: FAULT_S),
        {Detector.SILENCE},
        2.5,
    ),
    "fix lost": (after(FAULT_S, fix_type=1), {Detector.FIX_LOST}, 2.0),
    "satellites": (after(FAULT_S, satellites=3), {Detector.SATELLITES}, 0.8),
    "half of the satellites": (after(FAULT_S, satellites=7), {Detector.SATELLITES}, 0.8),
    "accuracy": (after(FAULT_S, h_acc=9.0), {Detector.ACCURACY}, 0.8),
    "speed accuracy": (after(FAULT_S, vel_acc=3.0), {Detector.ACCURACY}, 0.8),
    "EKF ratio": (after(FAULT_S, ratio=0.9), {Detector.EKF_RATIO}, 0.3),
    "EKF ratio for long": (after(FAULT_S, ratio=0.6), {Detector.EKF_RATIO_MEAN}, 2.5),
    "EKF glitch flag": (after(FAULT_S, flags=831 | 1 << 15), {Detector.EKF_GLITCH}, 0.3),
    "EKF reset": (after(FAULT_S, local_step=5 + 0j), {Detector.EKF_RESET}, 0.2),
    "height": (after(FAULT_S, alt=62.0), {Detector.HEIGHT}, 0.3),
    "height ramp": (
        after(FAULT_S, alt=lambda dt, told: 50.0 + 1.5 * dt), {Detector.HEIGHT}, 10.0,
    ),
    "time": (after(FAULT_S, unix_step_s=2.5), {Detector.TIME}, 1.1),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named_by_its_detector_in_time(name):
    spoil, expected, within_s = FAULTS[name]
    monitor = GnssMonitor()
    alarm = feed(monitor, Vehicle(spoil=spoil).frames(end_s=FAULT_S + 15))
    assert alarm is not None
    assert alarm.detector in expected
    assert 0.0 <= alarm.vehicle_s - FAULT_S <= within_s
    assert alarm.onset_s <= alarm.vehicle_s
    assert alarm.value >= alarm.threshold
    assert dict(alarm.evidence)[alarm.detector.value] >= 1.0
    assert alarm.text.startswith("GNSS: ")
    assert len(alarm.text.encode()) <= 50
    assert monitor.state(alarm.alarm_ns) is State.ALARM
    assert monitor.status(alarm.alarm_ns).alarm == alarm.text


def test_a_frozen_receiver_is_found_by_what_the_accelerometer_says():
    spoil = after(FAULT_S, position=frozen("position"), velocity=frozen("velocity"))
    alarm = feed(GnssMonitor(), Vehicle(spoil=spoil).frames())
    assert alarm is not None
    assert alarm.vehicle_s - FAULT_S < 6.0


def test_identical_positions_under_a_reported_speed_are_a_freeze():
    tests = PositionTests()
    values = []
    for k in range(20):
        fix = Fix(0.2 * k, 3, 350000000, 1390000000, 50.0, 3 + 0j, 0.9, 14, 0.8, 1.2, 0.1)
        found = tests.step(0.2 * k, fix, 0j, 3 + 0j, 0.01, None)
        values += [value for detector, value, _ in found if detector is Detector.FREEZE]
    assert max(values) > TABLE[Detector.FREEZE].threshold
    assert values[:2] == [0.0, 0.0]


@pytest.mark.parametrize(
    "acceleration",
    [
        lambda t: 0j,
        lambda t: 3.0 * cmath.exp(0.7j * t),
        lambda t: (4.0 if int(t / 3) % 2 else -4.0) * cmath.exp(0.3j),
        lambda t: 2.0 * math.sin(t) + 1.5j * math.cos(0.4 * t),
    ],
    ids=["hover", "circle", "full stops", "mixed"],
)
@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_flying_is_no_deception(acceleration, loss):
    draw = random.Random(7)
    frames = [f for f in Vehicle(acceleration).frames(end_s=60) if draw.random() >= loss]
    monitor = GnssMonitor()
    assert feed(monitor, frames) is None
    assert monitor.status(round(60e9)).epochs > 200


def test_a_slow_link_and_a_missing_accelerometer_still_find_a_jump():
    for without in ({"RAW_IMU"}, {"ATTITUDE"}, {"LOCAL_POSITION_NED", "EKF_STATUS_REPORT"}):
        monitor = GnssMonitor()
        alarm = feed(monitor, Vehicle(spoil=steps(8.0)).frames(without=without))
        assert alarm is not None
        assert alarm.detector is Detector.POSITION_JUMP
        assert set(monitor.missing(round(45e9))) >= without


def test_state_goes_from_learning_to_ok_and_names_what_is_missing():
    monitor = GnssMonitor()
    assert monitor.state(0) is State.DEGRADED
    seen = []
    for at_s, frame in Vehicle().frames(end_s=20):
        monitor.receive(frame, round(at_s * 1e9))
        state = monitor.state(round(at_s * 1e9))
        if not seen or seen[-1] is not state:
            seen.append(state)
    assert seen == [State.DEGRADED, State.LEARNING, State.OK]
    later_ns = round((20 + 1.0) * 1e9)
    assert monitor.state(later_ns) is State.DEGRADED
    assert monitor.missing(later_ns) == ("ATTITUDE", "RAW_IMU")


def test_the_alarm_is_latched_until_it_is_cleared_and_then_rises_again():
    monitor = GnssMonitor()
    vehicle = Vehicle(
        spoil=lambda t, told: after(47.0, satellites=3)(t, steps(20.0)(t, told)),
    )
    alarms = []
    cleared = False
    for at_s, frame in vehicle.frames(end_s=50):
        if at_s > 33 and not cleared:
            assert monitor.alarm is alarms[0]
            monitor.clear(round(at_s * 1e9))
            assert monitor.alarm is None
            assert monitor.state(round(at_s * 1e9)) is State.LEARNING
            cleared = True
        alarm = monitor.receive(frame, round(at_s * 1e9))
        if alarm is not None:
            alarms.append(alarm)
    assert [alarm.detector for alarm in alarms] == [Detector.POSITION_JUMP, Detector.SATELLITES]


def test_a_reboot_begins_anew_and_keeps_the_alarm():
    monitor = GnssMonitor()
    first = feed(monitor, Vehicle(spoil=steps(20.0)).frames(end_s=35))
    assert first is not None
    again = list(Vehicle(boot_s=70.0).frames(end_s=30))
    assert feed(monitor, again) is None
    assert monitor.alarm is first
    assert monitor.status(0).epochs < 151
    monitor.clear(0)
    assert monitor.alarm is None


def test_a_reboot_in_flight_is_no_alarm():
    monitor = GnssMonitor()
    assert feed(monitor, Vehicle().frames(end_s=35)) is None
    elsewhere = Vehicle(
        boot_s=70.0, spoil=after(0.0, position=lambda dt, told: told.position + 500)
    )
    assert feed(monitor, elsewhere.frames(end_s=30)) is None


@pytest.mark.parametrize(("metres", "alarms"), [(8.0, False), (60.0, True)])
def test_on_the_ground_only_the_gross_is_judged(metres, alarms):
    alarm = feed(GnssMonitor(), Vehicle(armed=False, spoil=steps(metres)).frames(end_s=40))
    assert (alarm is not None) == alarms


def test_jamming_on_the_ground_is_no_alarm():
    spoil = after(FAULT_S, satellites=2, fix_type=1)
    assert feed(GnssMonitor(), Vehicle(armed=False, spoil=spoil).frames(end_s=40)) is None


def test_time_may_settle_by_whole_seconds_at_boot_only():
    leap = after(FAULT_S, unix_step_s=-2.0)
    assert feed(GnssMonitor(), Vehicle(spoil=leap).frames(end_s=40)) is None
    late = Vehicle(spoil=lambda t, told: after(FAULT_S, unix_step_s=-19.0)(t, told))
    alarm = feed(GnssMonitor(), late.frames(end_s=40))
    assert alarm is not None
    assert alarm.detector is Detector.TIME


def test_a_receiver_without_boot_time_is_judged_by_arrival():
    def unix(t, told):
        return after(0.0, stamp_s=lambda dt, told: 1.8e9 + t)(t, steps(8.0)(t, told))

    alarm = feed(GnssMonitor(), Vehicle(spoil=unix).frames(end_s=40))
    assert alarm is not None
    assert alarm.detector is Detector.POSITION_JUMP


def test_the_antimeridian_is_no_jump():

    west = Fix(0.0, 3, 0, 1_799_999_990, 0.0, 0j, None, None, None, None, None)
    east = west._replace(lon_deg_e7=-1_799_999_990)
    assert abs(_moved(west, east) - 0.2226j) < 0.001
    assert abs(_moved(east, west) + 0.2226j) < 0.001


def test_frames_of_other_components_are_not_the_vehicle():
    gimbal = dialect.MAVLink(None, 1, 154)
    monitor = GnssMonitor()
    vehicle = Vehicle()
    for at_s, frame in vehicle.frames(end_s=30):
        assert message_id(frame) in WATCHED
        attitude = dialect.MAVLink_attitude_message(round(at_s * 1000) + 1, 1.0, 1.0, 1.0, 0, 0, 0)
        monitor.receive(attitude.pack(gimbal), round(at_s * 1e9))
        assert monitor.receive(frame, round(at_s * 1e9)) is None


def test_every_detector_has_a_row_with_a_short_text():
    assert set(TABLE) == set(Detector)
    assert all(len(row.text) <= 44 for row in TABLE.values())


def test_a_second_fault_does_not_replace_the_first():
    def spoil(t, told):
        return after(33.0, satellites=2, fix_type=1)(t, steps(20.0)(t, told))

    monitor = GnssMonitor()
    vehicle = Vehicle(spoil=spoil)
    alarms = [monitor.receive(frame, round(t * 1e9)) for t, frame in vehicle.frames(end_s=40)]
    (alarm,) = [alarm for alarm in alarms if alarm is not None]
    assert monitor.alarm is alarm
    assert alarm.detector is Detector.POSITION_JUMP
