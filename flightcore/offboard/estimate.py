"""Where the vehicle will be when a setpoint takes effect, and what pushes it besides the rotors.

Telemetry is old when it comes, and an attitude is not flown before the autopilot has turned the
vehicle there. Both together are a delay in which the vehicle obeys what was asked before; that is
known, so the state is carried forward through it and the law acts on the future. What moves the
vehicle beyond what its attitude explains (wind, drag, a mistrimmed hover) is an acceleration that
an observer finds from the velocity, as incremental inversion does from the accelerometer.
"""

import math
from dataclasses import dataclass
from typing import Final

from flightcore.control.vehicle import GRAVITY
from flightcore.offboard.motion import Motion
from flightcore.offboard.setpoints import Vec

HISTORY_S: Final = 1.0
_GREATEST: Final = 6.0  # of a disturbance, per axis [m/s2]
_GAP_S: Final = 0.3  # telemetry further apart starts the observer anew


@dataclass(frozen=True, slots=True)
class Delays:
    """How long what is asked takes to be flown, as a pure delay [s]."""

    level: float
    down: float


class Forecast:
    """The observer, and the accelerations asked for lately. NED throughout.

    The zero state has heard nothing.
    """

    def __init__(self, delays: Delays, bandwidth: float, period_s: float) -> None:
        self._delays = (delays.level, delays.level, delays.down)
        self._bandwidth = bandwidth
        self._period_s = period_s
        self._size = math.ceil(HISTORY_S / period_s)
        self._asked = [[0.0] * self._size for _ in range(3)]
        self._speed = [[0.0] * self._size for _ in range(3)]  # its integral
        self._way = [[0.0] * self._size for _ in range(3)]  # and the integral of that
        self._tick = 0
        self._tick_s = 0.0  # when that tick was
        self.motion: Motion | None = None
        self._velocity = [0.0, 0.0, 0.0]
        self._disturbance = [0.0, 0.0, 0.0]
        self._drift = [0.0, 0.0, 0.0]  # of the disturbance, per second

    @property
    def disturbance_n(self) -> Vec:
        """Return the acceleration that nobody asked for, when what is asked now is flown [m/s2]."""
        (x, y, z), (dx, dy, dz), delays = self._disturbance, self._drift, self._delays
        return x + delays[0] * dx, y + delays[1] * dy, z + delays[2] * dz

    def ask(self, acceleration_n: Vec, now_s: float) -> None:
        """Note what acceleration is asked for from now to the next tick [m/s2]."""
        before, self._tick = self._tick % self._size, self._tick + 1
        at, dt, self._tick_s = self._tick % self._size, self._period_s, now_s
        for axis in range(3):
            asked, speed, way = self._asked[axis], self._speed[axis], self._way[axis]
            old = asked[before]
            speed[at] = speed[before] + dt * old
            way[at] = way[before] + dt * (speed[before] + 0.5 * dt * old)
            asked[at] = acceleration_n[axis]

    def receive(self, motion: Motion) -> None:
        """Take what the autopilot says of its motion."""
        last, self.motion = self.motion, motion
        dt = 0.0 if last is None else motion.time_s - last.time_s
        if not 0.0 < dt < _GAP_S:
            self._velocity = list(motion.velocity_n)
            return
        flown = self._flown(motion)
        speed, push, more = self._shares(dt)
        for axis in range(3):
            pushed = self._disturbance[axis]
            drift = self._drift[axis]
            expected = self._velocity[axis] + dt * (flown[axis] + pushed + 0.5 * dt * drift)
            surprise = motion.velocity_n[axis] - expected
            self._velocity[axis] = expected + speed * surprise
            grown = pushed + dt * drift + push * surprise
            self._disturbance[axis] = min(max(grown, -_GREATEST), _GREATEST)
            faster = drift + more * surprise
            self._drift[axis] = min(max(faster, -_GREATEST), _GREATEST)

    def _shares(self, dt_s: float) -> tuple[float, float, float]:
        """Return what the observer learns from a surprise: three equal poles at its bandwidth."""
        kept = math.exp(-self._bandwidth * dt_s)
        lost = 1.0 - kept
        speed = 1.0 - kept**3
        push = 1.5 * lost * lost * (1.0 + kept) / dt_s
        return speed, push, lost**3 / (dt_s * dt_s)

    def state(self, motion: Motion, now_s: float) -> tuple[Vec, Vec]:
        """Return position [m] and velocity [m/s] when what is asked now takes effect, per axis."""
        position, velocity = [], []
        now = self._tick % self._size
        for axis, delay in enumerate(self._delays):
            ahead = now_s + delay - motion.time_s
            ticks = self._ago(motion.time_s - delay)
            since = (self._tick - ticks) % self._size
            speed, way = self._speed[axis], self._way[axis]
            # Over whole ticks, not `ahead`: the integrals grow without bound in a steady wind.
            gained = way[now] - way[since] - speed[since] * ticks * self._period_s
            pushed = self._disturbance[axis]
            v = motion.velocity_n[axis]
            velocity.append(v + speed[now] - speed[since] + pushed * ahead)
            position.append(motion.position_n[axis] + v * ahead + gained + 0.5 * pushed * ahead**2)
        return (position[0], position[1], position[2]), (velocity[0], velocity[1], velocity[2])

    def _flown(self, motion: Motion) -> Vec:
        """Return the acceleration that attitude and thrust explain [m/s2]."""
        ticks = self._ago(motion.time_s - self._delays[2])
        down = self._asked[2][(self._tick - ticks) % self._size]
        w, x, y, z = motion.q_nb
        zx, zy, zz = 2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y)
        up = (GRAVITY - down) / max(zz, 0.3)
        return -up * zx, -up * zy, down

    def _ago(self, at_s: float) -> int:
        """Return how many ticks ago a time was, of those that are kept."""
        ago = round((self._tick_s - at_s) / self._period_s)
        return min(max(ago, 0), self._size - 1, self._tick)
