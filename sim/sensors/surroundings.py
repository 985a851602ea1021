"""Barometer, magnetometer and rangefinder: what the surroundings say about height and heading."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracing.executors import Array

# International standard atmosphere, troposphere.
_SEA_LEVEL_HPA: Final = 1013.25
_LAPSE: Final = 2.25577e-5
_EXPONENT: Final = 5.25588
_RANGE_M: Final = (0.2, 40.0)


def pressure(altitude: Array) -> Array:
    """Return the air pressure at an altitude above mean sea level [m] to [hPa]."""
    hectopascal: Array = _SEA_LEVEL_HPA * (1.0 - _LAPSE * altitude) ** _EXPONENT
    return hectopascal


@dataclass(frozen=True, slots=True)
class BaroFaults:
    """What is wrong with a barometer.

    Attributes:
        noise: Standard deviation of one sample. [m]
        drift: How fast the weather changes. [m/s]
        glitch: Added at once. [m]
        frozen: Whether it says the same for ever.
    """

    noise: float = 0.08
    drift: float = 0.0
    glitch: float = 0.0
    frozen: bool = False


class Barometer:
    """N barometers; `height` is measured, `error` is by how much it is off. Shapes (N,) [m]."""

    def __init__(self, count: int, noise: np.random.Generator) -> None:
        self.height = np.zeros(count)
        self.error = np.zeros(count)
        self._drifted = 0.0
        self._noise = noise

    def sample(self, dt_s: float, height: Array, faults: BaroFaults) -> None:
        """Measure the height above some level [m]."""
        self._drifted += faults.drift * dt_s
        self.error = np.zeros_like(self.height) + (self._drifted + faults.glitch)
        noise = faults.noise * self._noise.standard_normal(len(height))
        if not faults.frozen:
            self.height = height + self.error + noise
        else:
            self.error = self.height - height


class Magnetometer:
    """N magnetometers with noise and iron that turns with the vehicle. Shape (N, 3) [mG]."""

    def __init__(self, count: int, noise: np.random.Generator) -> None:
        self.field_b = np.zeros((count, 3))
        self._noise = noise

    def sample(self, field_b: Array, noise: float, iron_b: tuple[float, float, float]) -> None:
        """Measure the field of Earth, given in body axes [mG]."""
        fresh = noise * self._noise.standard_normal(field_b.shape)
        self.field_b = field_b + iron_b + fresh


class Rangefinder:
    """N rangefinders looking along body z. `distance` is NaN where nothing comes back. (N,) [m]."""

    def __init__(self, count: int, noise: np.random.Generator) -> None:
        self.distance = np.full(count, math.nan)
        self._noise = noise

    def sample(self, height: Array, upright: Array, noise: float, glitch: float) -> None:
        """Measure a flat ground.

        Args:
            height: Above it. Shape (N,). [m]
            upright: Cosine of the tilt. Shape (N,). [-]
            noise: Standard deviation. [m]
            glitch: Added. [m]
        """
        facing: NDArray[np.bool_] = upright > 0.1
        slant = height / np.maximum(upright, 0.1)
        slant += glitch + noise * self._noise.standard_normal(len(height))
        inside = facing & (slant >= _RANGE_M[0]) & (slant <= _RANGE_M[1])
        self.distance = np.where(inside, slant, math.nan)
