"""Sensors: their noise is what was asked for, and each deception shows as it should.

To be tried again, since one vehicle is sensed in plain numbers: a walk scaled by dt instead of its
root; wander without its decay; lag taken from the future; a pull-off whose velocity does not belong
to its place; a freeze that thaws; vibration at twice the frequency; clipping on one side only; a
slant range that shrinks with tilt.
"""

import math

import numpy as np
import pytest

from sim.airframe import QUAD_X
from sim.control.vector import ZERO
from sim.sensors.gnss import Deception, Family, Gnss, Receiver
from sim.sensors.inertial import Imu, ImuFaults
from sim.sensors.normals import Normals
from sim.sensors.suite import Faults, Sensors, Truth
from sim.sensors.surroundings import BaroFaults, Barometer, Magnetometer, Rangefinder, pressure

PERFECT = Receiver(lag_s=0.0, white=0.0)
FAST = np.array([4.0, -2.0, 0.5])


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def gnss_of(*deceptions: Deception, seed: int = 3) -> Gnss:
    noise = rng(seed)
    return Gnss(noise, Normals(noise), deceptions)


def imu_of(seed: int = 3) -> Imu:
    noise = rng(seed)
    return Imu(noise, Normals(noise))


def flown(gnss: Gnss, receiver: Receiver, seconds: float, per_s: int = 5):
    """Fly straight on; return times and what was reported."""
    times, fixes = [], []
    for k in range(round(seconds * 100)):
        now = k * 0.01
        gnss.remember(now, tuple((FAST * now).tolist()), tuple(FAST.tolist()))
        if k % (100 // per_s) == 0:
            times.append(now)
            fixes.append(gnss.measure(now, receiver))
    return np.array(times), fixes


def errors(fixes):
    return np.array([f.position_error_n for f in fixes]), np.array(
        [f.velocity_error_n for f in fixes]
    )


def test_numbers_come_in_the_order_of_the_generator():
    normals, wanted = Normals(rng()), rng().standard_normal(1_000).tolist()
    taken = []
    for count in (1, 6, 256, 255, 3, 100, 200):
        piece = normals.take(count)
        assert len(piece) == count
        taken += piece
    assert taken == wanted[: len(taken)]


def test_a_fix_is_as_old_as_the_lag():
    times, fixes = flown(gnss_of(), Receiver(lag_s=0.25, white=0.0), 3.0)
    reported = np.array([f.position_n for f in fixes])
    assert np.allclose(reported[5:], np.outer(times[5:] - 0.25, FAST))
    assert np.allclose(errors(fixes)[0], 0.0)  # a known lag is no error
    assert [f.epoch for f in fixes] == list(range(len(fixes)))


@pytest.mark.slow
def test_white_noise_and_wander():
    receiver = Receiver(lag_s=0.0, white=0.4, wander=1.5, wander_s=20.0, velocity_noise=0.1)
    place, speed = np.zeros((60, 3_000, 3)), np.zeros((60, 3_000, 3))
    for i in range(3_000):
        gnss = gnss_of(seed=i)
        for k in range(60):
            gnss.remember(float(k), ZERO, ZERO)
            fix = gnss.measure(float(k), receiver)
            place[k, i], speed[k, i] = fix.position_error_n, fix.velocity_error_n
    assert place.std(axis=(0, 1)) == pytest.approx([math.hypot(0.4, 1.5)] * 3, rel=0.05)
    alike = (place[0] * place[10]).mean(axis=0)
    assert alike == pytest.approx([1.5**2 * math.exp(-0.5)] * 3, rel=0.1)
    assert speed.std() == pytest.approx(0.1, rel=0.02)


def test_the_same_seed_measures_the_same():
    first = flown(gnss_of(seed=9), Receiver(wander=1.0, jammed=True), 8.0)[1]
    second = flown(gnss_of(seed=9), Receiver(wander=1.0, jammed=True), 8.0)[1]
    assert first == second


def test_an_outage_and_jamming():
    _, fixes = flown(gnss_of(), Receiver(enabled=False), 1.0)
    assert not any(f.locked for f in fixes)
    fleet = [flown(gnss_of(seed=i), Receiver(jammed=True), 30.0)[1] for i in range(50)]
    locked = np.array([[f.locked for f in fixes] for fixes in fleet])
    assert not locked[:, :5].any()  # drowned at first
    assert 0.1 < locked[:, 50:].mean() < 0.6  # then by chance
    far = np.abs([fixes[-1].position_error_n[:2] for fixes in fleet]).max()
    assert far > 100.0


def attacked(deception: Deception, seconds: float = 30.0):
    times, fixes = flown(gnss_of(deception), PERFECT, seconds)
    place, speed = errors(fixes)
    return times, place, speed, fixes


def test_jump():
    times, place, speed, _ = attacked(Deception(Family.JUMP, 10.0, 20.0, offset_n=(30.0, 0, -5.0)))
    inside = (times >= 10.0) & (times < 20.0)
    assert np.allclose(place[inside], [30.0, 0.0, -5.0])
    assert np.allclose(place[~inside], 0.0)
    assert np.allclose(speed, 0.0)


def test_ramp_moves_the_place_and_not_the_velocity():
    times, place, speed, _ = attacked(Deception(Family.RAMP, 10.0, velocity_n=(0.0, 2.0, 0.0)))
    assert place[-1, 1] == pytest.approx(2.0 * (times[-1] - 10.0))
    assert np.allclose(speed, 0.0)


def test_pull_off_is_consistent():
    attack = Deception(Family.PULL_OFF, 5.0, velocity_n=(1.2, -1.6, 0.0), acceleration=0.2)
    times, place, speed, _ = attacked(attack)
    steps = np.diff(place, axis=0) / np.diff(times)[:, None]
    assert np.abs(steps - 0.5 * (speed[1:] + speed[:-1])).max() < 0.02
    assert np.abs(np.diff(speed, axis=0) / 0.2).max() < 0.2 + 1e-9
    assert speed[-1] == pytest.approx([1.2, -1.6, 0.0])


def test_delay_plays_the_true_signals_late_with_their_time():
    times, place, speed, fixes = attacked(Deception(Family.DELAY, 5.0, delay_s=1.5))
    assert place[-1] == pytest.approx(-1.5 * FAST)
    assert fixes[-1].late_s == 1.5
    assert np.allclose(speed, 0.0)  # it flies straight on
    growing = (times > 5.0) & (times < 20.0)
    assert np.all(np.diff(place[growing, 0]) < 0.0)


def test_freeze():
    _, _, _, fixes = attacked(Deception(Family.FREEZE, 5.0, 20.0))
    frozen = np.array([f.position_n for f in fixes[25:100]])
    assert np.ptp(frozen, axis=0).max() == 0.0
    assert np.allclose(fixes[-1].position_error_n, 0.0)


def sampled(faults: ImuFaults, steps: int, rotor_rate, dt_s: float = 0.01, count: int = 1):
    """Return what `count` units measure at rest. Shape (steps, count, 3)."""
    kept = np.zeros((steps, count, 3))
    for i in range(count):
        imu = imu_of(seed=i)
        for k in range(steps):
            imu.sample(dt_s, STILL_FORCE, ZERO, rotor_rate, faults, 880.0)
            kept[k, i] = imu.force_b
    return kept


STILL_FORCE = (0.0, 0.0, -9.80665)
STILL_ROTORS = (0.0,) * 4


@pytest.mark.slow
def test_imu_noise_and_walk():
    white = sampled(ImuFaults(force_noise=0.1), 50, STILL_ROTORS, count=400)
    assert white.std(axis=(0, 1)) == pytest.approx([0.1] * 3, rel=0.03)
    walking = ImuFaults(force_noise=0.0, force_walk=0.02)
    for dt_s, steps in ((0.01, 900), (0.09, 100)):  # 9 s either way
        walked = sampled(walking, steps, STILL_ROTORS, dt_s, 400)
        assert (walked[-1] - STILL_FORCE).std() == pytest.approx(0.02 * 3.0, rel=0.1)
    biased = ImuFaults(force_noise=0.0, force_bias=(0.3, 0.0, 0.0))
    assert np.allclose(sampled(biased, 1, STILL_ROTORS)[0, 0, 0], 0.3)


def test_imu_clips_on_both_sides():
    imu = imu_of()
    for pull in (400.0, -400.0):
        imu.sample(0.01, (pull, 0.0, 0.0), (0.0, 0.0, pull), STILL_ROTORS, ImuFaults(), 880.0)
        assert imu.force_b[0] == pytest.approx(math.copysign(16 * 9.80665, pull))
        assert imu.rate_b[2] == pytest.approx(math.copysign(math.radians(2000), pull))
    assert imu.clipped == 2


def test_vibration_shows_where_sampling_folds_it():
    """A rotor at 130 Hz, sampled at 100 Hz, shakes at 30 Hz."""
    rate = 2.0 * math.pi * 130.0
    faults = ImuFaults(force_noise=0.0, vibration=3.0)
    force = sampled(faults, 1_000, (rate,))[:, 0, 0]
    spectrum = np.abs(np.fft.rfft(force))
    assert np.fft.rfftfreq(1_000, 0.01)[spectrum.argmax()] == pytest.approx(30.0)
    assert force.std() == pytest.approx(3.0 * (rate / 880.0) ** 2 / math.sqrt(2), rel=0.01)


def test_barometer():
    baro = Barometer(Normals(rng()))
    for _ in range(100):
        baro.sample(0.1, 40.0, BaroFaults(noise=0.0, drift=0.2, glitch=1.0))
    assert baro.height == pytest.approx(40.0 + 2.0 + 1.0)
    baro.sample(0.1, 50.0, BaroFaults(noise=0.0, frozen=True))
    assert baro.height == pytest.approx(43.0)
    assert baro.error == pytest.approx(-7.0)


def test_pressure_is_the_standard_atmospheres():
    for altitude, hectopascal in ((0.0, 1013.25), (1000.0, 898.75), (5000.0, 540.20)):
        assert pressure(altitude) == pytest.approx(hectopascal, rel=2e-4)
    assert pressure(1e6) == 0.0  # where the formula ends


def test_magnetometer_and_rangefinder():
    magnetometer, fields = Magnetometer(Normals(rng())), []
    for _ in range(200):
        magnetometer.sample((300.0, 0.0, 350.0), 5.0, (10.0, 0.0, 0.0))
        fields.append(magnetometer.field_b)
    assert np.mean(fields, axis=0) == pytest.approx([310.0, 0.0, 350.0], abs=1.5)
    assert np.std(fields, axis=0) == pytest.approx([5.0] * 3, rel=0.2)
    finder = Rangefinder(Normals(rng()))
    for height, upright, distance in (
        (10.0, 1.0, 10.0), (10.0, 0.5, 20.0), (60.0, 1.0, None), (5.0, -0.9, None)
    ):  # fmt: skip
        finder.sample(height, upright, 0.0, 0.0)
        assert finder.distance == (None if distance is None else pytest.approx(distance))


def test_a_tilted_vehicle_measures_in_its_own_axes():
    """A bank of 90 degrees to the right turns NED down to FRD left, and east to down."""
    sensors, half = Sensors(QUAD_X, rng()), math.sqrt(0.5)
    truth = Truth((0.0, 0.0, -9.0), ZERO, ZERO, (half, half, 0.0, 0.0), ZERO, STILL_ROTORS)
    imu = ImuFaults(force_noise=0.0, rate_noise=0.0, force_bias=(0.0, 0.2, 0.0))
    readings = sensors.sample(0.0, 0.01, truth, Faults(imu=imu, magnetic_noise=0.0))
    assert readings.force_b == pytest.approx((0.0, -9.80665 + 0.2, 0.0), abs=1e-4)
    assert readings.field_b == pytest.approx((300.0, 350.0, 40.0))
    assert readings.force_error_n == pytest.approx((0.0, 0.0, 0.2))
    assert readings.distance is None
