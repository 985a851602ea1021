"""Dead reckoning from attitude and accelerometer: what the horizontal velocity must have done.

The horizontal plane is the complex plane, north + j east: a heading is a factor exp(j yaw), so a
rotation is one multiplication and the two axes share one variance.
"""

import cmath
import math
from collections import deque
from typing import Final, NamedTuple

from flightcore.monitor.messages import Attitude, Imu

_LONGEST_ATTITUDE_AGE_S: Final = 0.6  # of 5 Hz telemetry with a message lost
_LONGEST_STEP_S: Final = 0.3  # two samples at 10 Hz with one lost; beyond, see `_AGILITY`
_LONGEST_EXTRAPOLATION_S: Final = 0.25
_AGILITY: Final = 4.0  # acceleration a copter may have had unseen, one sigma [m/s2]
_RANDOM_WALK: Final = 0.015**2  # velocity variance per second: noise and aliasing of a good IMU
# Of the trapezoid rule, per sample: with white samples the step's error is their deviation, which
# is 0.7 of the rms difference; with smooth ones it is far less. Half covers turbulence sampled at
# 20 Hz after the autopilot's 10 Hz filter, measured on the simulated and the SITL flights.
_STEP_UNCERTAINTY: Final = 0.4
_KEPT_SAMPLES: Final = 128
# What the rates leave of a step is 0.3 degrees at 10 Hz; a change of EKF lane is a degree or more.
_TILT_STEP: Final = 0.02
_YAW_STEP: Final = 0.05


class Integrals(NamedTuple):
    """Running integrals since the start; only differences mean something.

    Attributes:
        time_s: Vehicle time.
        velocity: Of horizontal acceleration [m/s].
        heading: Of exp(j yaw), which carries a bias fixed in the body [s].
        position: Of `velocity` [m].
        variance: Of the error of `velocity`, each axis [m2/s2].
        effort: Of the square of horizontal acceleration [m2/s3].
        acceleration: Present horizontal acceleration [m/s2].
    """

    time_s: float
    velocity: complex
    heading: complex
    position: complex
    variance: float
    effort: float
    acceleration: complex


class DeadReckoning:
    """Integrates samples as they come; `at` looks up a moment of the last seconds.

    Zero state: knows nothing. Invariant: times of attitudes, and of samples,
    rise strictly; the caller sees to it.
    """

    def __init__(self) -> None:
        self._attitude: Attitude | None = None
        self._rates = (0.0, 0.0, 0.0)
        self._samples: deque[Integrals] = deque(maxlen=_KEPT_SAMPLES)
        self._heading = 1 + 0j
        self._tilt_steps = 0.0
        self._yaw_steps = 0.0

    def receive_attitude(self, attitude: Attitude) -> None:
        """Take an attitude, and note a step that the body rates do not explain."""
        before = self._attitude
        sin_roll, cos_roll = math.sin(attitude.roll), math.cos(attitude.roll)
        cos_pitch = max(math.cos(attitude.pitch), 0.1)  # the rates of Euler angles end at vertical
        yaw_rate = (attitude.q * sin_roll + attitude.r * cos_roll) / cos_pitch
        rates = (
            attitude.p + yaw_rate * math.sin(attitude.pitch),
            attitude.q * cos_roll - attitude.r * sin_roll,
            yaw_rate,
        )
        if before is not None and attitude.time_s - before.time_s < _LONGEST_STEP_S:
            dt_s = attitude.time_s - before.time_s
            roll, pitch, yaw = (
                math.remainder(now - was - 0.5 * dt_s * (rate + rate_was), math.tau)
                for now, was, rate, rate_was in zip(
                    attitude[1:4], before[1:4], rates, self._rates, strict=True
                )
            )
            tilt = math.hypot(roll, pitch)
            if tilt > _TILT_STEP:
                self._tilt_steps += tilt * tilt
            if abs(yaw) > _YAW_STEP:
                self._yaw_steps += yaw * yaw
        self._attitude, self._rates = attitude, rates

    def take_steps(self) -> tuple[float, float]:
        """Return the squares of tilt and yaw that the filter has stepped by since the last call."""
        steps = self._tilt_steps, self._yaw_steps
        self._tilt_steps = self._yaw_steps = 0.0
        return steps

    def receive_sample(self, imu: Imu) -> None:
        """Integrate one accelerometer sample, if the attitude at its time is known."""
        attitude = self._attitude
        last = self._samples[-1] if self._samples else None
        if attitude is None:
            return
        age = imu.time_s - attitude.time_s
        if not -_LONGEST_ATTITUDE_AGE_S < age < _LONGEST_ATTITUDE_AGE_S:
            return
        roll = attitude.roll + age * self._rates[0]
        pitch = attitude.pitch + age * self._rates[1]
        heading = cmath.rect(1.0, attitude.yaw + age * self._rates[2])
        sin_roll, cos_roll = math.sin(roll), math.cos(roll)
        forward = imu.x * math.cos(pitch) + (imu.y * sin_roll + imu.z * cos_roll) * math.sin(pitch)
        across = complex(forward, imu.y * cos_roll - imu.z * sin_roll)
        acceleration = across * heading
        if last is None:
            start = Integrals(imu.time_s, 0j, 0j, 0j, 0.0, 0.0, acceleration)
            self._samples.append(start)
        else:
            self._samples.append(_step(last, imu.time_s, acceleration, self._heading + heading))
        self._heading = heading

    def at(self, time_s: float) -> Integrals | None:
        """Return the integrals at a moment, None if no sample is near it."""
        samples = self._samples
        if not samples or time_s - samples[-1].time_s > _LONGEST_EXTRAPOLATION_S:
            return None
        after: Integrals | None = None
        for sample in reversed(samples):
            if sample.time_s <= time_s:
                if after is None:
                    twice = self._heading + self._heading
                    return _step(sample, time_s, sample.acceleration, twice)
                return _between(sample, after, time_s)
            after = sample
        return None


def _step(last: Integrals, time_s: float, acceleration: complex, headings: complex) -> Integrals:
    dt_s = time_s - last.time_s
    change = acceleration - last.acceleration
    mean = last.acceleration + 0.5 * change
    spread = _STEP_UNCERTAINTY * abs(change)
    if dt_s > _LONGEST_STEP_S:
        spread += _AGILITY
    return Integrals(
        time_s,
        last.velocity + dt_s * mean,
        last.heading + 0.5 * dt_s * headings,
        last.position + dt_s * (last.velocity + dt_s * (last.acceleration / 2 + change / 6)),
        last.variance + dt_s * (_RANDOM_WALK + dt_s * spread * spread),
        last.effort + dt_s * (mean * mean.conjugate()).real,
        acceleration,
    )


def _between(before: Integrals, after: Integrals, time_s: float) -> Integrals:
    step_s = after.time_s - before.time_s
    dt_s = time_s - before.time_s
    part = dt_s / step_s
    slope = (after.acceleration - before.acceleration) / step_s
    start = before.acceleration
    return Integrals(
        time_s,
        before.velocity + dt_s * (start + 0.5 * dt_s * slope),
        before.heading + part * (after.heading - before.heading),
        before.position + dt_s * (before.velocity + dt_s * (0.5 * start + dt_s * slope / 6)),
        before.variance + part * (after.variance - before.variance),
        before.effort + part * (after.effort - before.effort),
        start + dt_s * slope,
    )
