"""Sensors: their noise is what was asked for, and each deception shows as it should.

Mutants killed: noise scaled by dt instead of its root; wander without its decay; lag taken from
the future; a pull-off whose velocity does not belong to its place; a freeze that thaws; vibration
at twice the frequency; clipping on one side only; a slant range that shrinks with tilt.
"""

import math

import numpy as np
import pytest

from sim.sensors.gnss import Deception, Family, Gnss, Receiver
from sim.sensors.inertial import Imu, ImuFaults
from sim.sensors.surroundings import BaroFaults, Barometer, Magnetometer, Rangefinder, pressure

PERFECT = Receiver(lag_s=0.0, white=0.0)
FAST = np.array([4.0, -2.0, 0.5])


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def flown(gnss: Gnss, receiver: Receiver, seconds: float, count: int = 1, per_s: int = 5):
    """Fly straight on; return times, what was reported and the truth at those times."""
    times, fixes = [], []
    for k in range(round(seconds * 100)):
        now = k * 0.01
        place = np.tile(FAST * now, (count, 1))
        gnss.remember(now, place, np.tile(FAST, (count, 1)))
        if k % (100 // per_s) == 0:
            times.append(now)
            fixes.append(gnss.measure(now, receiver))
    return np.array(times), fixes


def errors(fixes):
    return np.array([f.position_error_n[0] for f in fixes]), np.array(
        [f.velocity_error_n[0] for f in fixes]
    )


def test_a_fix_is_as_old_as_the_lag():
    times, fixes = flown(Gnss(1, rng()), Receiver(lag_s=0.25, white=0.0), 3.0)
    reported = np.array([f.position_n[0] for f in fixes])
    assert np.allclose(reported[5:], np.outer(times[5:] - 0.25, FAST))
    assert np.allclose(errors(fixes)[0], 0.0)  # a known lag is no error


def test_white_noise_and_wander():
    count = 3_000
    receiver = Receiver(lag_s=0.0, white=0.4, wander=1.5, wander_s=20.0, velocity_noise=0.1)
    gnss, kept = Gnss(count, rng()), []
    for k in range(60):
        gnss.remember(float(k), np.zeros((count, 3)), np.zeros((count, 3)))
        kept.append(gnss.measure(float(k), receiver))
    place = np.array([f.position_error_n for f in kept])
    assert place.std(axis=(0, 1)) == pytest.approx([math.hypot(0.4, 1.5)] * 3, rel=0.05)
    alike = (place[0] * place[10]).mean(axis=0)
    assert alike == pytest.approx([1.5**2 * math.exp(-0.5)] * 3, rel=0.1)
    speed = np.array([f.velocity_error_n for f in kept])
    assert speed.std() == pytest.approx(0.1, rel=0.02)


def test_the_same_seed_measures_the_same():
    first = flown(Gnss(2, rng(9)), Receiver(wander=1.0, jammed=True), 8.0, 2)[1]
    second = flown(Gnss(2, rng(9)), Receiver(wander=1.0, jammed=True), 8.0, 2)[1]
    for a, b in zip(first, second, strict=True):
        assert (a.position_n == b.position_n).all()
        assert (a.locked == b.locked).all()


def test_an_outage_and_jamming():
    _, fixes = flown(Gnss(1, rng()), Receiver(enabled=False), 1.0)
    assert not any(f.locked[0] for f in fixes)
    _, fixes = flown(Gnss(50, rng()), Receiver(jammed=True), 30.0, 50)
    early = np.array([f.locked for f in fixes[:5]])
    late = np.array([f.locked for f in fixes[50:]])
    assert not early.any()  # drowned at first
    assert 0.1 < late.mean() < 0.6  # then by chance
    far = np.abs(fixes[-1].position_error_n[:, :2]).max()
    assert far > 100.0


def attacked(deception: Deception, seconds: float = 30.0):
    times, fixes = flown(Gnss(1, rng(), (deception,)), PERFECT, seconds)
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
    frozen = np.array([f.position_n[0] for f in fixes[25:100]])
    assert np.ptp(frozen, axis=0).max() == 0.0
    assert np.allclose(fixes[-1].position_error_n, 0.0)


def sampled(imu: Imu, faults: ImuFaults, steps: int, force, rotor_rate, dt_s: float = 0.01):
    count, kept = len(force), []
    for _ in range(steps):
        imu.sample(dt_s, force, np.zeros((count, 3)), rotor_rate, faults, 880.0)
        kept.append(imu.force_b.copy())
    return np.array(kept)


STILL_FORCE = np.tile([0.0, 0.0, -9.80665], (400, 1))


def test_imu_noise_and_walk():
    rotors = np.zeros((400, 4))
    white = sampled(Imu(400, rng()), ImuFaults(force_noise=0.1), 50, STILL_FORCE, rotors)
    assert white.std(axis=(0, 1)) == pytest.approx([0.1] * 3, rel=0.03)
    walking = ImuFaults(force_noise=0.0, force_walk=0.02)
    for dt_s, steps in ((0.01, 900), (0.09, 100)):  # 9 s either way
        walked = sampled(Imu(400, rng()), walking, steps, STILL_FORCE, rotors, dt_s)
        assert (walked[-1] - STILL_FORCE).std() == pytest.approx(0.02 * 3.0, rel=0.1)
    biased = ImuFaults(force_noise=0.0, force_bias=(0.3, 0.0, 0.0))
    assert np.allclose(sampled(Imu(1, rng()), biased, 1, STILL_FORCE[:1], rotors[:1])[0, 0, 0], 0.3)


def test_imu_clips_on_both_sides():
    imu = Imu(1, rng())
    for pull in (400.0, -400.0):
        imu.sample(0.01, np.array([[pull, 0, 0]]), np.array([[0, 0, pull]]), np.zeros((1, 4)),
                   ImuFaults(), 880.0)  # fmt: skip
        assert imu.force_b[0, 0] == pytest.approx(math.copysign(16 * 9.80665, pull))
        assert imu.rate_b[0, 2] == pytest.approx(math.copysign(math.radians(2000), pull))
    assert imu.clipped[0] == 2


def test_vibration_shows_where_sampling_folds_it():
    """A rotor at 130 Hz, sampled at 100 Hz, shakes at 30 Hz."""
    rate = np.full((1, 1), 2.0 * np.pi * 130.0)
    faults = ImuFaults(force_noise=0.0, vibration=3.0)
    force = sampled(Imu(1, rng()), faults, 1_000, STILL_FORCE[:1], rate)[:, 0, 0]
    spectrum = np.abs(np.fft.rfft(force))
    assert np.fft.rfftfreq(1_000, 0.01)[spectrum.argmax()] == pytest.approx(30.0)
    assert force.std() == pytest.approx(3.0 * (rate[0, 0] / 880.0) ** 2 / math.sqrt(2), rel=0.01)


def test_barometer():
    baro, height = Barometer(1, rng()), np.array([40.0])
    for _ in range(100):
        baro.sample(0.1, height, BaroFaults(noise=0.0, drift=0.2, glitch=1.0))
    assert baro.height[0] == pytest.approx(40.0 + 2.0 + 1.0)
    baro.sample(0.1, np.array([50.0]), BaroFaults(noise=0.0, frozen=True))
    assert baro.height[0] == pytest.approx(43.0)
    assert baro.error[0] == pytest.approx(-7.0)


def test_pressure_is_the_standard_atmospheres():
    assert pressure(np.array([0.0, 1000.0, 5000.0])) == pytest.approx(
        [1013.25, 898.75, 540.20], rel=2e-4
    )


def test_magnetometer_and_rangefinder():
    magnetometer = Magnetometer(200, rng())
    magnetometer.sample(np.tile([300.0, 0.0, 350.0], (200, 1)), 5.0, (10.0, 0.0, 0.0))
    assert magnetometer.field_b.mean(axis=0) == pytest.approx([310.0, 0.0, 350.0], abs=1.5)
    assert magnetometer.field_b.std() > 0.0
    finder = Rangefinder(4, rng())
    heights = np.array([10.0, 10.0, 60.0, 5.0])
    upright = np.array([1.0, 0.5, 1.0, -0.9])
    finder.sample(heights, upright, 0.0, 0.0)
    assert finder.distance[:2] == pytest.approx([10.0, 20.0])
    assert np.isnan(finder.distance[2:]).all()
