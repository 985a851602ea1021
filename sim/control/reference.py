"""The path reference: a point that moves to its target within speed, acceleration and jerk.

Setpoints jump; the vehicle should not. The controllers follow this point, whose velocity comes
from the square-root law v = sqrt(2 a s) far from the target and v = p s close to it, so that it
brakes within `a` and stops without overshoot.
"""

import math
from dataclasses import dataclass, replace

from sim.control.vector import Vec3, clamp, limit

_POSITION_GAIN = 1.0
_VELOCITY_GAIN = 3.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What the reference may do. SI units; speeds are magnitudes."""

    speed: float
    speed_up: float
    speed_down: float
    acceleration: float = 2.5
    acceleration_z: float = 1.0
    jerk: float = 5.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where the reference is to go; None leaves an axis group to velocity alone.

    Attributes:
        position_n: North and east, NED from the origin. [m]
        down: NED down from the origin. [m]
        velocity_n: Velocity wanted at the target, or alone. NED. [m/s]
        acceleration_n: Feed-forward acceleration. NED. [m/s2]
    """

    position_n: tuple[float, float] | None = None
    down: float | None = None
    velocity_n: Vec3 = (0.0, 0.0, 0.0)
    acceleration_n: Vec3 = (0.0, 0.0, 0.0)


def approach_speed(distance: float, acceleration: float) -> float:
    """Return the speed from which the remaining distance still suffices to stop [m/s]."""
    knee = acceleration / _POSITION_GAIN**2
    if distance <= knee:
        return _POSITION_GAIN * distance
    return math.sqrt(2.0 * acceleration * (distance - 0.5 * knee))


class Reference:
    """The moving point. Its zero state must be set with `reset` before it is followed."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.position_n: Vec3 = (0.0, 0.0, 0.0)
        self.velocity_n: Vec3 = (0.0, 0.0, 0.0)
        self.acceleration_n: Vec3 = (0.0, 0.0, 0.0)

    def reset(self, position_n: Vec3, velocity_n: Vec3) -> None:
        """Put the point onto the vehicle, so that the next step makes no jump."""
        self.position_n, self.velocity_n = position_n, velocity_n
        self.acceleration_n = (0.0, 0.0, 0.0)

    def follow_level(self, position_n: Vec3, velocity_n: Vec3) -> None:
        """Put the point above or below the vehicle; height goes on as it was."""
        self.position_n = (position_n[0], position_n[1], self.position_n[2])
        self.velocity_n = (velocity_n[0], velocity_n[1], self.velocity_n[2])
        self.acceleration_n = (0.0, 0.0, self.acceleration_n[2])

    def change_speed(
        self, *, speed: float | None = None, up: float | None = None, down: float | None = None
    ) -> None:
        """Change the speed limits that are given [m/s]."""
        kept = self.limits
        self.limits = replace(
            kept,
            speed=kept.speed if speed is None else speed,
            speed_up=kept.speed_up if up is None else up,
            speed_down=kept.speed_down if down is None else down,
        )

    def stopping_point(self) -> Vec3:
        """Return where the point comes to rest if it brakes now. NED [m]."""
        px, py, pz = self.position_n
        vx, vy, vz = self.velocity_n
        speed = math.hypot(vx, vy)
        away = _stopping_distance(speed, 0.5 * self.limits.acceleration)
        scale = away / speed if speed > 1e-6 else 0.0
        dz = math.copysign(_stopping_distance(abs(vz), 0.5 * self.limits.acceleration_z), vz)
        return px + vx * scale, py + vy * scale, pz + dz

    def step(self, target: Target, dt_s: float) -> None:
        """Move the point one period towards `target`."""
        lim = self.limits
        px, py, pz = self.position_n
        vx, vy, vz = self.velocity_n
        ax, ay, az = self.acceleration_n
        wx, wy, wz = self._approach(target)
        wx, wy = limit(wx, wy, lim.speed)
        wz = clamp(wz, -lim.speed_up, lim.speed_down)
        fx, fy, fz = target.acceleration_n
        dx, dy = limit(
            _VELOCITY_GAIN * (wx - vx) + fx, _VELOCITY_GAIN * (wy - vy) + fy, lim.acceleration
        )
        dz = clamp(_VELOCITY_GAIN * (wz - vz) + fz, -lim.acceleration_z, lim.acceleration_z)
        jx, jy = limit(dx - ax, dy - ay, lim.jerk * dt_s)
        jz = clamp(dz - az, -lim.jerk * dt_s, lim.jerk * dt_s)
        ax, ay, az = ax + jx, ay + jy, az + jz
        vx, vy, vz = vx + ax * dt_s, vy + ay * dt_s, vz + az * dt_s
        self.acceleration_n = (ax, ay, az)
        self.velocity_n = (vx, vy, vz)
        self.position_n = (px + vx * dt_s, py + vy * dt_s, pz + vz * dt_s)

    def _approach(self, target: Target) -> Vec3:
        """Return the velocity that closes in on the target. NED [m/s].

        With a place and a height the way is one straight line, so a long way climbs slowly; the
        axis whose limit binds first sets the speed.
        """
        lim = self.limits
        px, py, pz = self.position_n
        place, down = target.position_n, target.down
        ex, ey = (place[0] - px, place[1] - py) if place is not None else (0.0, 0.0)
        ez = down - pz if down is not None else 0.0
        away = math.sqrt(ex * ex + ey * ey + ez * ez)
        vx, vy, vz = target.velocity_n
        if away < 1e-9:
            return vx, vy, vz
        level, rise = math.hypot(ex, ey) / away, abs(ez) / away
        vertical = lim.speed_down if ez > 0.0 else lim.speed_up
        fastest = min(lim.speed / max(level, 1e-3), vertical / max(rise, 1e-3))
        braking = min(lim.acceleration / max(level, 1e-3), lim.acceleration_z / max(rise, 1e-3))
        scale = min(fastest, approach_speed(away, 0.6 * braking)) / away
        return vx + ex * scale, vy + ey * scale, vz + ez * scale


def _stopping_distance(speed: float, acceleration: float) -> float:
    knee_speed = acceleration / _POSITION_GAIN
    if speed <= knee_speed:
        return speed / _POSITION_GAIN
    return 0.5 * (speed * speed + knee_speed * knee_speed) / acceleration
