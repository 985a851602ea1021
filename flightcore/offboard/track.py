"""A trajectory as rows of numbers, which the control loop reads without making anything.

Rows are flat outputs `STEP_S` apart; in between the five derivatives of the nearest row are a
Taylor series that is exact far below a millimetre. Heading is interpolated likewise.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from flightcore.offboard.schedule import Along
from flightcore.offboard.setpoints import Vec
from flightcore.trajectory.sampled import ROWS, Array, Trajectory

STEP_S: Final = 0.05
LONGEST_S: Final = 3600.0


class Reference(NamedTuple):
    """What the vehicle should do at an instant. NED; [m], [m/s], [m/s2], [rad], [rad/s]."""

    position_n: Vec
    velocity_n: Vec
    acceleration_n: Vec
    yaw: float
    yaw_rate: float


def table(trajectory: Trajectory, shift_n: Vec) -> Array:
    """Return the rows of a trajectory, its frame's zero moved to `shift_n`. Shape (n, 18)."""
    count = math.ceil(trajectory.duration / STEP_S) + 1
    flat = trajectory.sample(np.minimum(np.arange(count) * STEP_S, trajectory.duration))
    flat[:3] += np.array(shift_n)[:, None]
    return np.ascontiguousarray(flat.T)


def track_of(rows: Array, duration_s: float) -> "Track":
    """Return the track of rows as `table` gives them."""
    return Track(rows.reshape(-1).data, duration_s)


class Track:
    """Rows of a table, one after the other, and how long they last."""

    def __init__(self, rows: Sequence[float] | memoryview, duration_s: float) -> None:
        self._rows = rows
        self._last = len(rows) // ROWS - 1
        self.duration_s = duration_s

    def at(self, along: Along) -> Reference:
        """Return the reference; before the beginning and after the end it stands still."""
        time, rate, change = along
        if not 0.0 <= time <= self.duration_s:
            time, rate, change = min(max(time, 0.0), self.duration_s), 0.0, 0.0
        row = min(round(time / STEP_S), self._last)
        t = time - min(row * STEP_S, self.duration_s)
        r = self._rows[row * ROWS : (row + 1) * ROWS]
        squared = rate * rate
        position, velocity, acceleration = [], [], []
        for i in range(3):
            v, a, j, s = r[3 + i], r[6 + i], r[9 + i], r[12 + i]
            speed = v + t * (a + t * (0.5 * j + t * s / 6.0))
            position.append(r[i] + t * (v + t * (0.5 * a + t * (j / 6.0 + t * s / 24.0))))
            velocity.append(speed * rate)
            acceleration.append((a + t * (j + 0.5 * t * s)) * squared + speed * change)
        turning = r[16] + t * r[17]
        yaw = r[15] + t * (r[16] + 0.5 * t * r[17])
        return Reference(_vec(position), _vec(velocity), _vec(acceleration), yaw, turning * rate)


def _vec(values: list[float]) -> Vec:
    return values[0], values[1], values[2]
