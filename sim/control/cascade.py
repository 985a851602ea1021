"""The outer half of the control cascade: position and velocity.

It turns the error to the reference into an acceleration, and that into an attitude and a thrust;
the inner half (`sim.control.inner`) turns the attitude error into rates, rates into torques,
torques and thrust into throttles. Gains are per second and per second squared of the closed loops;
the vehicle's mass and inertia scale them, so they hold for any airframe.
"""

import math

import msgspec

from sim.airframe import GRAVITY
from sim.control.reference import Reference
from sim.control.vector import ZERO, Quat, Vec3, clamp, limit, multiply

_POSITION_P = 1.2
_VELOCITY_P = 2.5
_VELOCITY_I = 0.8
_CLIMB_P = 4.0
_CLIMB_I = 1.0
_INTEGRAL_MAX = 4.0


class Motion(msgspec.Struct, frozen=True, gc=False):
    """What the controllers know of the vehicle. NED, FRD, SI units."""

    position_n: Vec3
    velocity_n: Vec3
    q_nb: Quat
    rate_b: Vec3


class OuterLoop:
    """Position and velocity control; holds the integral that carries wind and drag."""

    def __init__(self, tilt_max: float) -> None:
        self._tilt_max = tilt_max
        self._integral: Vec3 = ZERO

    def reset(self) -> None:
        """Forget the integral, as at take-off."""
        self._integral = ZERO

    def accelerate(self, motion: Motion, reference: Reference, dt_s: float) -> Vec3:
        """Return the acceleration that brings the vehicle onto the reference. NED [m/s2]."""
        p, v = motion.position_n, motion.velocity_n
        rp, rv, ra = reference.position_n, reference.velocity_n, reference.acceleration_n
        ex, ey = limit(rp[0] - p[0], rp[1] - p[1], 4.0)
        evx = rv[0] + _POSITION_P * ex - v[0]
        evy = rv[1] + _POSITION_P * ey - v[1]
        evz = rv[2] + _POSITION_P * clamp(rp[2] - p[2], -3.0, 3.0) - v[2]
        ix, iy, iz = self._integral
        ix, iy = limit(ix + _VELOCITY_I * evx * dt_s, iy + _VELOCITY_I * evy * dt_s, _INTEGRAL_MAX)
        iz = clamp(iz + _CLIMB_I * evz * dt_s, -_INTEGRAL_MAX, _INTEGRAL_MAX)
        self._integral = (ix, iy, iz)
        return (
            ra[0] + _VELOCITY_P * evx + ix,
            ra[1] + _VELOCITY_P * evy + iy,
            ra[2] + _CLIMB_P * evz + iz,
        )

    def attitude(self, acceleration_n: Vec3, yaw: float) -> tuple[Quat, float]:
        """Return the attitude and the specific thrust that give an acceleration.

        Args:
            acceleration_n: Wanted acceleration, NED. [m/s2]
            yaw: Wanted heading. [rad]

        Returns:
            q_nb setpoint, and thrust over mass. [-], [m/s2]
        """
        up = max(GRAVITY - acceleration_n[2], 0.25 * GRAVITY)
        ax, ay = limit(acceleration_n[0], acceleration_n[1], up * math.tan(self._tilt_max))
        thrust = math.sqrt(ax * ax + ay * ay + up * up)
        # Body z (down) points against the thrust; tilt first, heading second, so that a wrong
        # heading never tips the thrust.
        zx, zy, zz = -ax / thrust, -ay / thrust, up / thrust
        w = math.sqrt(0.5 * (1.0 + zz))
        tilt: Quat = (w, -zy / (2.0 * w), zx / (2.0 * w), 0.0)
        return multiply(tilt, (math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2))), thrust
