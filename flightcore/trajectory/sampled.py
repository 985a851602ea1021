"""What every trajectory gives: flat outputs at chosen times, in rows.

Rows are those of `flightcore.control.flatness.FlatOutput`: position, velocity, acceleration, jerk,
snap in NED, then yaw, yaw rate and yaw acceleration; 18 in all, SI units.
"""

from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flightcore.control.flatness import FLAT_ROWS

Array: TypeAlias = NDArray[np.float64]

POSITION: Final = slice(0, 3)
VELOCITY: Final = slice(3, 6)
ACCELERATION: Final = slice(6, 9)
HEADING: Final = slice(15, 18)
DERIVATIVES: Final = 5  # position and four derivatives
ROWS: Final = FLAT_ROWS


class Trajectory(Protocol):
    """A motion with a beginning and an end."""

    @property
    def duration(self) -> float:
        """Return how long it lasts [s]."""

    def sample(self, times: Array) -> Array:
        """Return flat outputs. Shape (18, n) for times of shape (n,) in [0, duration] [s]."""


NEAR: Final = 0.05  # closer than this to a place, or slower than this, there is no direction


def face(flat: Array, north: float, east: float) -> None:
    """Turn the heading of `flat` towards a point [m].

    Invariant:
        Yaw is continuous along the samples (it is not wrapped); rates are exact derivatives. Within
        `NEAR` of the point it is not a number.
    """
    _point(flat, (north - flat[0], east - flat[1]), -flat[3:5], -flat[6:8])


def face_course(flat: Array) -> None:
    """Turn the heading of `flat` the way it goes; slower than `NEAR` it is not a number [m/s].

    Invariant:
        As for `face`.
    """
    _point(flat, (flat[3].copy(), flat[4].copy()), flat[6:8], flat[9:11])


def _point(flat: Array, way: tuple[Array, Array], first: Array, second: Array) -> None:
    """Turn the heading along a vector, of which two derivatives with respect to time are given."""
    x, y = way
    (vx, vy), (ax, ay) = first, second
    squared = x * x + y * y
    squared[squared < NEAR * NEAR] = np.nan
    flat[15] = np.where(np.isnan(squared), np.nan, np.unwrap(np.arctan2(y, x)))
    flat[16] = (x * vy - y * vx) / squared
    flat[17] = (x * ay - y * ax) / squared - 2.0 * (x * vx + y * vy) / squared * flat[16]
