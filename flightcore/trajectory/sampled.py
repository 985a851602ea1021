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


def face(flat: Array, north: float, east: float) -> None:
    """Turn the heading of `flat` towards a point [m].

    Invariant:
        Yaw is continuous along the samples (it is not wrapped); rates are exact derivatives.
    """
    x, y = north - flat[0], east - flat[1]
    vx, vy, ax, ay = -flat[3], -flat[4], -flat[6], -flat[7]
    squared = x * x + y * y
    flat[15] = np.unwrap(np.arctan2(y, x))
    flat[16] = (x * vy - y * vx) / squared
    flat[17] = (x * ay - y * ax) / squared - 2.0 * (x * vx + y * vy) / squared * flat[16]
