"""Three-vectors and quaternions as tuples of floats, for one vehicle.

Tuples, not arrays: a numpy call on three numbers costs ten times the arithmetic.
"""

import math

Vec3 = tuple[float, float, float]
Quat = tuple[float, float, float, float]

ZERO: Vec3 = (0.0, 0.0, 0.0)


def wrap_pi(angle: float) -> float:
    """Return `angle` in [-pi, pi). [rad]"""
    return (angle + math.pi) % (2.0 * math.pi) - math.pi


def clamp(value: float, low: float, high: float) -> float:
    """Return `value` limited to [low, high]."""
    return low if value < low else high if value > high else value


def limit(x: float, y: float, longest: float) -> tuple[float, float]:
    """Return the vector (x, y), shortened to `longest` if it is longer."""
    length = math.hypot(x, y)
    if length <= longest:
        return x, y
    return x * longest / length, y * longest / length


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


def conjugate(q: Quat) -> Quat:
    """Return the inverse of a unit quaternion."""
    return q[0], -q[1], -q[2], -q[3]


def from_euler(roll: float, pitch: float, yaw: float) -> Quat:
    """Return the attitude of the Tait-Bryan angles yaw, pitch, roll (z, y', x''). [rad]"""
    cr, sr = math.cos(roll / 2), math.sin(roll / 2)
    cp, sp = math.cos(pitch / 2), math.sin(pitch / 2)
    cy, sy = math.cos(yaw / 2), math.sin(yaw / 2)
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def to_euler(q: Quat) -> Vec3:
    """Return (roll, pitch, yaw). [rad]"""
    w, x, y, z = q
    return (
        math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y)),
        math.asin(clamp(2 * (w * y - z * x), -1.0, 1.0)),
        math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)),
    )


def rotate_inverse(q: Quat, v: Vec3) -> Vec3:
    """Return `v`, given in the outer frame of `q`, in its inner frame (NED to FRD for q_nb)."""
    w, x, y, z = q
    vx, vy, vz = v
    tx, ty, tz = 2 * (z * vy - y * vz), 2 * (x * vz - z * vx), 2 * (y * vx - x * vy)
    return (
        vx + w * tx + z * ty - y * tz,
        vy + w * ty + x * tz - z * tx,
        vz + w * tz + y * tx - x * ty,
    )
