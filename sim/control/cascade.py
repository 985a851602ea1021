"""The control cascade: position, velocity, attitude, rate, mixer.

The outer half turns the error to the reference into an acceleration, and that into an attitude
and a thrust; the inner half turns the attitude error into rates, rates into torques, torques and
thrust into throttles. Gains are per second and per second squared of the closed loops; the
vehicle's mass and inertia scale them, so they hold for any airframe.
"""

import math
from dataclasses import dataclass

from sim.airframe import GRAVITY, Airframe
from sim.control.reference import Reference
from sim.control.vector import ZERO, Quat, Vec3, clamp, conjugate, limit, multiply

_POSITION_P = 1.2
_VELOCITY_P = 2.5
_VELOCITY_I = 0.8
_CLIMB_P = 4.0
_CLIMB_I = 1.0
_INTEGRAL_MAX = 4.0
_ATTITUDE_P = 7.0
_RATE_P = 18.0
_RATE_MAX = 3.5
_YAW_RATE_MAX = 1.8
_TORQUE_YAW_SHARE = 0.3
_TILT_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Motion:
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


class InnerLoop:
    """Attitude and rate control and the mixer, for any rotors in one plane."""

    def __init__(self, airframe: Airframe) -> None:
        self._airframe = airframe
        rotors = airframe.rotors
        self._thrust_full = len(rotors) * airframe.thrust_max
        # What each rotor adds for a torque of 1 N m, as a share of its full thrust.
        full = airframe.thrust_max
        reach_x = sum(x * x for x, _, _ in rotors)
        reach_y = sum(y * y for _, y, _ in rotors)
        self._shares = [(-y / (reach_y * full), x / (reach_x * full), s) for x, y, s in rotors]
        self._yaw_share = 1.0 / (self._thrust_full * airframe.torque_per_thrust)

    def rates(self, q_nb: Quat, q_nb_sp: Quat, feed_forward_b: Vec3) -> Vec3:
        """Return the rates that turn the attitude onto its setpoint. FRD [rad/s]."""
        w, x, y, z = multiply(conjugate(q_nb), q_nb_sp)
        gain = 2.0 * _ATTITUDE_P * (1.0 if w >= 0.0 else -1.0)
        rx, ry = limit(gain * x, gain * y, _RATE_MAX)
        rz = clamp(0.5 * gain * z, -_YAW_RATE_MAX, _YAW_RATE_MAX)
        return rx + feed_forward_b[0], ry + feed_forward_b[1], rz + feed_forward_b[2]

    def throttles(
        self, rate_b: Vec3, rate_sp_b: Vec3, specific_thrust: float, volts_ratio: float
    ) -> tuple[float, ...]:
        """Return one throttle per rotor, as its speed over that at full voltage [-].

        Roll and pitch come first, then thrust, then yaw: a multicopter that cannot keep its
        heading still flies, one that cannot keep its tilt does not.
        """
        frame = self._airframe
        jx, jy, jz = frame.inertia
        roll = jx * _RATE_P * (rate_sp_b[0] - rate_b[0])
        pitch = jy * _RATE_P * (rate_sp_b[1] - rate_b[1])
        tilts = [
            clamp(roll * r, -_TILT_SHARE, _TILT_SHARE) + clamp(pitch * p, -_TILT_SHARE, _TILT_SHARE)
            for r, p, _ in self._shares
        ]
        yaw = jz * 0.5 * _RATE_P * (rate_sp_b[2] - rate_b[2])
        yaw = clamp(yaw * self._yaw_share, -_TORQUE_YAW_SHARE, _TORQUE_YAW_SHARE)
        needed = max(map(abs, tilts))
        collective = specific_thrust * frame.mass / self._thrust_full
        ceiling = volts_ratio * volts_ratio
        collective = clamp(collective, min(needed, 0.5 * ceiling), max(ceiling - needed, 0.0))
        room = max(0.0, min(collective, ceiling - collective) - needed)
        yaw = clamp(yaw, -room, room)
        return tuple(
            _speed(collective + tilt + yaw * spin, volts_ratio)
            for tilt, (_, _, spin) in zip(tilts, self._shares, strict=True)
        )


def _speed(thrust_fraction: float, volts_ratio: float) -> float:
    return min(math.sqrt(thrust_fraction), volts_ratio) if thrust_fraction > 0.0 else 0.0
