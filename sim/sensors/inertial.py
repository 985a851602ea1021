"""Accelerometers and gyroscopes: white noise, a bias that walks, a range, vibration.

Vibration shakes with each rotor's own frequency and reaches the sensor as a sine of its phase at
the moment of sampling; a rate below twice that frequency therefore shows it where it is not:
aliasing needs no model of its own.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracing.executors import Array

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
    """N inertial units. The zero state has walked nowhere.

    Attributes:
        force_b: Specific force measured, FRD. Shape (N, 3). [m/s2]
        rate_b: Angular rate measured, FRD. Shape (N, 3). [rad/s]
        force_bias: Of specific force now, walked and fixed. Shape (N, 3). [m/s2]
        clipped: Samples that were out of range. Shape (N,).
        shaking: Root mean square of the vibration. Shape (N,). [m/s2]
    """

    def __init__(self, count: int, noise: np.random.Generator) -> None:
        self.force_b = np.zeros((count, 3))
        self.rate_b = np.zeros((count, 3))
        self.force_bias = np.zeros((count, 3))
        self.clipped: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        self.shaking = np.zeros(count)
        self._walked = np.zeros((count, 6))
        self._phase: Array = np.zeros((count, 0))
        self._noise = noise

    def sample(
        self, dt_s: float, force_b: Array, rate_b: Array, rotor_rate: Array, faults: ImuFaults,
        full_rate: float,
    ) -> None:  # fmt: skip
        """Measure.

        Args:
            dt_s: Since the last sample. [s]
            force_b: True specific force, FRD. Shape (N, 3). [m/s2]
            rate_b: True angular rate, FRD. Shape (N, 3). [rad/s]
            rotor_rate: Of each rotor. Shape (N, rotors). [rad/s]
            faults: How good the sensors are now.
            full_rate: Of a rotor at full speed. [rad/s]
        """
        count, rotors = rotor_rate.shape
        noise = self._noise.standard_normal((2, count, 6))
        if faults.force_walk or faults.rate_walk:
            walk = np.array([faults.force_walk] * 3 + [faults.rate_walk] * 3)
            self._walked += walk * math.sqrt(dt_s) * noise[0]
        self.force_bias = self._walked[:, :3] + faults.force_bias
        force = force_b + self.force_bias + faults.force_noise * noise[1, :, :3]
        rate = rate_b + self._walked[:, 3:] + faults.rate_bias
        rate += faults.rate_noise * noise[1, :, 3:]
        if faults.vibration > 0.0:
            if not self._phase.shape[1]:
                self._phase = self._noise.uniform(0.0, 2.0 * math.pi, (count, rotors))
            self._phase = (self._phase + rotor_rate * dt_s) % (2.0 * math.pi)
            amplitude = faults.vibration * (rotor_rate / full_rate) ** 2
            force += (amplitude * np.sin(self._phase)).sum(axis=1, keepdims=True)
            self.shaking = np.sqrt(0.5 * (amplitude**2).sum(axis=1))
        elif self.shaking.any():
            self.shaking = np.zeros(count)
        size = np.abs(force)
        if size.max() > faults.force_range:
            self.clipped += (size > faults.force_range).any(axis=1)
        self.force_b = np.minimum(np.maximum(force, -faults.force_range), faults.force_range)
        self.rate_b = np.minimum(np.maximum(rate, -faults.rate_range), faults.rate_range)
