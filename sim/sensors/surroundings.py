"""Barometer, magnetometer and rangefinder: what the surroundings say about height and heading."""

from dataclasses import dataclass
from typing import Final

from sim.control.vector import ZERO, Vec3
from sim.sensors.normals import Normals

# International standard atmosphere, troposphere.
_SEA_LEVEL_HPA: Final = 1013.25
_LAPSE: Final = 2.25577e-5
_EXPONENT: Final = 5.25588
_RANGE_M: Final = (0.2, 40.0)
_FACING: Final = 0.1  # cosine of the tilt from which on the ground is out of sight


def pressure(altitude: float) -> float:
    """Return the air pressure at an altitude above mean sea level [m] to [hPa]."""
    left: float = max(1.0 - _LAPSE * altitude, 0.0) ** _EXPONENT
    return _SEA_LEVEL_HPA * left


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
    """One barometer; `height` is measured, `error` is by how much it is off [m]."""

    def __init__(self, normals: Normals) -> None:
        self.height = 0.0
        self.error = 0.0
        self._drifted = 0.0
        self._normals = normals

    def sample(self, dt_s: float, height: float, faults: BaroFaults) -> None:
        """Measure the height above some level [m]."""
        self._drifted += faults.drift * dt_s
        (noise,) = self._normals.take(1)
        if faults.frozen:
            self.error = self.height - height
        else:
            self.error = self._drifted + faults.glitch
            self.height = height + self.error + faults.noise * noise


class Magnetometer:
    """One magnetometer with noise and iron that turns with the vehicle [mG]."""

    def __init__(self, normals: Normals) -> None:
        self.field_b = ZERO
        self._normals = normals

    def sample(self, field_b: Vec3, noise: float, iron_b: Vec3) -> None:
        """Measure the field of Earth, given in body axes [mG]."""
        (x, y, z), (ix, iy, iz), (nx, ny, nz) = field_b, iron_b, self._normals.take(3)
        self.field_b = x + ix + noise * nx, y + iy + noise * ny, z + iz + noise * nz


class Rangefinder:
    """A rangefinder looking along body z. `distance` is None where nothing comes back [m]."""

    def __init__(self, normals: Normals) -> None:
        self.distance: float | None = None
        self._normals = normals

    def sample(self, height: float, upright: float, noise: float, glitch: float) -> None:
        """Measure a flat ground.

        Args:
            height: Above it. [m]
            upright: Cosine of the tilt. [-]
            noise: Standard deviation. [m]
            glitch: Added. [m]
        """
        (fresh,) = self._normals.take(1)
        self.distance = None
        if upright > _FACING:
            slant = height / upright + glitch + noise * fresh
            if _RANGE_M[0] <= slant <= _RANGE_M[1]:
                self.distance = slant
