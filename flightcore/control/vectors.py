"""Three-vectors and quaternions of `Real`: tuples, so that nothing is paid for their shape.

Frames are written as suffixes: `v_n` in NED, `v_b` in FRD. `q_nb` takes body to NED, Hamilton
(w, x, y, z), unit; subscripts cancel: ``q_ac = q_ab q_bc``.
"""

from typing import NamedTuple, TypeAlias

from tracing.terms import Real, maximum, minimum, sqrt

Vec: TypeAlias = tuple[Real, Real, Real]
Quat: TypeAlias = tuple[Real, Real, Real, Real]

ZERO: Vec = (0.0, 0.0, 0.0)


class Axes(NamedTuple):
    """A rotation as its columns: the body axes, given in the outer frame. Orthonormal."""

    x: Vec
    y: Vec
    z: Vec


def add(a: Vec, b: Vec) -> Vec:
    """Return a + b."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def sub(a: Vec, b: Vec) -> Vec:
    """Return a - b."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def scale(k: Real, a: Vec) -> Vec:
    """Return k a."""
    return k * a[0], k * a[1], k * a[2]


def weigh(k: Vec, a: Vec) -> Vec:
    """Return the product of components."""
    return k[0] * a[0], k[1] * a[1], k[2] * a[2]


def dot(a: Vec, b: Vec) -> Real:
    """Return a . b."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vec, b: Vec) -> Vec:
    """Return a x b."""
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def shorten(a: Vec, longest: Real) -> Vec:
    """Return `a`, brought to the length `longest` > 0 if it is longer; its direction stays."""
    return scale(longest / maximum(sqrt(dot(a, a)), longest), a)


def limit(a: Vec, bound: Vec) -> Vec:
    """Return `a` with each component limited to [-bound, bound]."""
    return (
        minimum(maximum(a[0], -bound[0]), bound[0]),
        minimum(maximum(a[1], -bound[1]), bound[1]),
        minimum(maximum(a[2], -bound[2]), bound[2]),
    )


def to_outer(axes: Axes, v_b: Vec) -> Vec:
    """Return the body vector `v_b` in the outer frame."""
    return (
        axes.x[0] * v_b[0] + axes.y[0] * v_b[1] + axes.z[0] * v_b[2],
        axes.x[1] * v_b[0] + axes.y[1] * v_b[1] + axes.z[1] * v_b[2],
        axes.x[2] * v_b[0] + axes.y[2] * v_b[1] + axes.z[2] * v_b[2],
    )


def to_body(axes: Axes, v_n: Vec) -> Vec:
    """Return the outer vector `v_n` in the body frame."""
    return dot(axes.x, v_n), dot(axes.y, v_n), dot(axes.z, v_n)


def axes_of(q_nb: Quat) -> Axes:
    """Return the axes of a unit quaternion."""
    w, x, y, z = q_nb
    tx, ty, tz = x + x, y + y, z + z
    wx, wy, wz = w * tx, w * ty, w * tz
    xx, xy, xz = x * tx, x * ty, x * tz
    yy, yz, zz = y * ty, y * tz, z * tz
    return Axes(
        (1.0 - (yy + zz), xy + wz, xz - wy),
        (xy - wz, 1.0 - (xx + zz), yz + wx),
        (xz + wy, yz - wx, 1.0 - (xx + yy)),
    )


def conjugate(q: Quat) -> Quat:
    """Return the inverse of a unit quaternion."""
    return q[0], -q[1], -q[2], -q[3]


def multiply(a: Quat, b: Quat) -> Quat:
    """Return the Hamilton product a b."""
    aw, ax, ay, az = a
    bw, bx, by, bz = b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )
