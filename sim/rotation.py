"""Quaternion arithmetic of the simulator, on arrays whose last axis is (w, x, y, z).

The flight code has its own: plant and controller must not share a sign error. scipy referees both
in the tests. Convention: Hamilton product, unit, `q_nb` takes FRD body vectors to NED.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def multiply(q_ab: Array, q_bc: Array) -> Array:
    """Return q_ac = q_ab q_bc. Shapes (N, 4) [-]."""
    aw, ax, ay, az = q_ab.T
    bw, bx, by, bz = q_bc.T
    out = np.empty_like(q_ab)
    out[:, 0] = aw * bw - ax * bx - ay * by - az * bz
    out[:, 1] = aw * bx + ax * bw + ay * bz - az * by
    out[:, 2] = aw * by - ax * bz + ay * bw + az * bx
    out[:, 3] = aw * bz + ax * by - ay * bx + az * bw
    return out


def exponential(angle_b: Array) -> Array:
    """Return the rotation by the vector `angle_b`. Shape (N, 3) to (N, 4) [rad] to [-]."""
    half = 0.5 * angle_b
    angle = np.sqrt((half * half).sum(axis=1, keepdims=True))
    return np.concatenate([np.cos(angle), np.sinc(angle / np.pi) * half], axis=1)


def down_axis(q_nb: Array) -> Array:
    """Return the body z axis in NED, the third column of R_nb. Shape (N, 4) to (N, 3) [-]."""
    w, x, y, z = q_nb.T
    out = np.empty((q_nb.shape[0], 3))
    out[:, 0] = 2.0 * (x * z + w * y)
    out[:, 1] = 2.0 * (y * z - w * x)
    out[:, 2] = w * w - x * x - y * y + z * z
    return out


def heading_only(q_nb: Array) -> Array:
    """Return the level attitude with the same heading. Shapes (N, 4) [-]."""
    w, x, y, z = q_nb.T
    half = 0.5 * np.arctan2(2.0 * (w * z + x * y), w * w + x * x - y * y - z * z)
    out = np.zeros_like(q_nb)
    out[:, 0] = np.cos(half)
    out[:, 3] = np.sin(half)
    return out
