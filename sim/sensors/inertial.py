"""Accelerometers and gyroscopes: white noise, a bias that walks, a range, vibration.

Vibration shakes with each rotor's own frequency and reaches the sensor as a sine of its phase at
the moment of sampling; a rate below twice that frequency therefore shows it where it is not:
aliasing needs no model of its own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.control.vector import ZERO, Vec3, clamp
from sim.sensors.normals import Normals

STANDARD_GRAVITY: Final = 9.80665


@dataclass(frozen=True, slots=True)
class ImuFaults:
    """How good the sensors are.

    Attributes:
        force_noise: Standard deviation of one sample of specific force. [m/s2]
        rate_noise: Of one sample of angular rate. [rad/s]
        force_walk: How the bias walks, per root of time. [m/s2 / sqrt(s)]
        rate_walk: The same of angular rate. [rad/s / sqrt(s)]
        force_bias: Added for ever, FRD. [m/s2]
        rate_bias: Added for ever, FRD. [rad/s]
        vibration: Amplitude one rotor at full speed shakes with; grows with speed squared. [m/s2]
        force_range: Beyond this it clips. [m/s2]
        rate_range: Beyond this it clips. [rad/s]
    """

    force_noise: float = 0.0196
    rate_noise: float = 0.001
    force_walk: float = 0.0
    rate_walk: float = 0.0
    force_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rate_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    vibration: float = 0.0
    force_range: float = 16.0 * STANDARD_GRAVITY
    rate_range: float = math.radians(2000.0)


class Imu:
    """One inertial unit. The zero state has walked nowhere.

    Attributes:
        force_b: Specific force measured, FRD. [m/s2]
        rate_b: Angular rate measured, FRD. [rad/s]
        force_bias: Of specific force now, walked and fixed, FRD. [m/s2]
        clipped: Samples that were out of range.
        shaking: Root mean square of the vibration. [m/s2]
    """

    def __init__(self, noise: np.random.Generator, normals: Normals) -> None:
        self.force_b = ZERO
        self.rate_b = ZERO
        self.force_bias = ZERO
        self.clipped = 0
        self.shaking = 0.0
        self._walked = [0.0] * 6
        self._phase: list[float] = []
        self._noise = noise
        self._normals = normals

    def sample(
        self, dt_s: float, force_b: Vec3, rate_b: Vec3, rotor_rate: Sequence[float],
        faults: ImuFaults, full_rate: float,
    ) -> None:  # fmt: skip
        """Measure.

        Args:
            dt_s: Since the last sample. [s]
            force_b: True specific force, FRD. [m/s2]
            rate_b: True angular rate, FRD. [rad/s]
            rotor_rate: Of each rotor. [rad/s]
            faults: How good the sensors are now.
            full_rate: Of a rotor at full speed. [rad/s]
        """
        steps, white = self._normals.take(6), self._normals.take(6)
        if faults.force_walk or faults.rate_walk:
            root = math.sqrt(dt_s)
            walks = [faults.force_walk * root] * 3 + [faults.rate_walk * root] * 3
            self._walked = [
                w + walk * n for w, walk, n in zip(self._walked, walks, steps, strict=True)
            ]
        px, py, pz, pp, pq, pr = self._walked
        bx, by, bz = faults.force_bias
        self.force_bias = bx, by, bz = px + bx, py + by, pz + bz
        shake = self._shake(dt_s, rotor_rate, faults.vibration, full_rate)
        size, most = faults.force_noise, faults.force_range
        fx = force_b[0] + bx + size * white[0] + shake
        fy = force_b[1] + by + size * white[1] + shake
        fz = force_b[2] + bz + size * white[2] + shake
        if max(abs(fx), abs(fy), abs(fz)) > most:
            self.clipped += 1
        self.force_b = clamp(fx, -most, most), clamp(fy, -most, most), clamp(fz, -most, most)
        size, most = faults.rate_noise, faults.rate_range
        bp, bq, br = faults.rate_bias
        p = rate_b[0] + pp + bp + size * white[3]
        q = rate_b[1] + pq + bq + size * white[4]
        r = rate_b[2] + pr + br + size * white[5]
        self.rate_b = clamp(p, -most, most), clamp(q, -most, most), clamp(r, -most, most)

    def _shake(
        self, dt_s: float, rotor_rate: Sequence[float], vibration: float, full_rate: float
    ) -> float:
        """Return what the rotors add to every axis now [m/s2]."""
        if vibration <= 0.0:
            self.shaking = 0.0
            return 0.0
        turn = 2.0 * math.pi
        if not self._phase:
            self._phase = self._noise.uniform(0.0, turn, len(rotor_rate)).tolist()
        turned = zip(self._phase, rotor_rate, strict=True)
        self._phase = [(phase + rate * dt_s) % turn for phase, rate in turned]
        sizes = [vibration * (rate / full_rate) ** 2 for rate in rotor_rate]
        self.shaking = math.sqrt(0.5 * sum(size * size for size in sizes))
        return sum(a * math.sin(phase) for a, phase in zip(sizes, self._phase, strict=True))
