"""A satellite receiver: delay, noise, outage, jamming, and what a deceiver makes of it.

A receiver reports where it was a moment ago. Its error is a slow wander (first-order Gauss-Markov,
as of ionosphere and multipath) and white noise. A deceiver replaces the signals in the air, so
that position, velocity and time come out as he wants: each family of `Deception` says how.
"""

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

from sim.control.vector import ZERO, Vec3
from sim.sensors.normals import Normals
from sim.sensors.readings import Fix

_REMEMBERED_S: Final = 20.0
# Jamming as ArduPilot's simulator does it: first no signal, then fixes at random.
_SILENCE_S: Final = (1.0, 6.0)
_JAM_SPEED: Final = 400.0
_JAM_STEP: Final = 200.0
_SATELLITES_LEAST: Final = 4
_SPEED_ACCURACY: Final = 0.04  # as ArduPilot's simulated receiver claims [m/s]


class Family(StrEnum):
    """What a deceiver does from `start_s` on.

    JUMP: another place at once. RAMP: the place moves away, velocity stays honest. PULL_OFF: place
    and velocity move away together, gently: the one that a filter follows. DELAY: the true signals
    played back late, as a repeater does; place, velocity and time are old. FREEZE: the last fix
    again and again.
    """

    JUMP = "jump"
    RAMP = "ramp"
    PULL_OFF = "pull-off"
    DELAY = "delay"
    FREEZE = "freeze"


@dataclass(frozen=True, slots=True)
class Deception:
    """One attack.

    Attributes:
        family: What is done.
        start_s: When it begins, after power-up. [s]
        end_s: When it ends; the receiver then finds the true signals again. [s]
        offset_n: Of JUMP: how far away, NED. [m]
        velocity_n: Of RAMP and PULL_OFF: how fast the false place moves in the end, NED. [m/s]
        acceleration: Of PULL_OFF: how gently. [m/s2]
        delay_s: Of DELAY: how late in the end; it grows by a tenth of a second per second. [s]
    """

    family: Family
    start_s: float
    end_s: float = math.inf
    offset_n: tuple[float, float, float] = (0.0, 0.0, 0.0)
    velocity_n: tuple[float, float, float] = (0.0, 0.0, 0.0)
    acceleration: float = 0.2
    delay_s: float = 0.0

    def displacement(self, now_s: float) -> tuple[Vec3, Vec3]:
        """Return what is added to place [m] and velocity [m/s] while it lasts."""
        since = now_s - self.start_s
        match self.family:
            case Family.JUMP:
                return self.offset_n, ZERO
            case Family.RAMP:
                return _times(since, self.velocity_n), ZERO
            case Family.PULL_OFF:
                speed = math.hypot(*self.velocity_n)
                if speed == 0.0:
                    return ZERO, ZERO
                rising = min(since, speed / self.acceleration)
                along = 0.5 * self.acceleration * rising**2 + speed * (since - rising)
                way = _times(1.0 / speed, self.velocity_n)
                return _times(along, way), _times(self.acceleration * rising, way)
            case Family.DELAY | Family.FREEZE:
                return ZERO, ZERO

    def late_s(self, now_s: float) -> float:
        """Return how old the signals are that the deceiver plays [s]."""
        if self.family is Family.DELAY:
            return min(self.delay_s, 0.1 * (now_s - self.start_s))
        return 0.0


@dataclass(frozen=True, slots=True)
class Receiver:
    """How good the receiver is, and what is wrong with it now.

    Attributes:
        enabled: Whether it gives anything at all.
        jammed: Whether it is drowned in noise.
        lag_s: Age of a fix when it is reported. [s]
        white: Standard deviation of each fix by itself, per axis. [m]
        wander: Standard deviation of the slow error, per axis. [m]
        wander_s: Its correlation time. [s]
        velocity_noise: Standard deviation of velocity, per axis. [m/s]
        offset_n: Fixed error, NED. [m]
        velocity_offset_n: Fixed error of velocity, NED. [m/s]
        satellites: In view.
        accuracy: What it claims. [m]
    """

    enabled: bool = True
    jammed: bool = False
    lag_s: float = 0.1
    white: float = 0.01
    wander: float = 0.0
    wander_s: float = 60.0
    velocity_noise: float = 0.0
    offset_n: tuple[float, float, float] = (0.0, 0.0, 0.0)
    velocity_offset_n: tuple[float, float, float] = (0.0, 0.0, 0.0)
    satellites: int = 10
    accuracy: float = 0.3


class Gnss:
    """One receiver. `remember` what is true, often; `measure` at the receiver's rate."""

    def __init__(
        self,
        noise: np.random.Generator,
        normals: Normals,
        deceptions: tuple[Deception, ...] = (),
    ) -> None:
        self._noise = noise
        self._normals = normals
        self._deceptions = deceptions
        self._past: deque[_Truth] = deque()
        self._wander = ZERO
        self._measured_s = -math.inf
        self._epoch = -1
        self._frozen: tuple[Vec3, Vec3] | None = None
        self._jam: _Jam | None = None

    def remember(self, now_s: float, position_n: Vec3, velocity_n: Vec3) -> None:
        """Note the truth of this moment."""
        past = self._past
        past.append(_Truth(now_s, position_n, velocity_n))
        while past[0].at_s < now_s - _REMEMBERED_S:
            past.popleft()

    def measure(self, now_s: float, receiver: Receiver) -> Fix:
        """Return what the receiver reports at `now_s`."""
        attack = next((d for d in self._deceptions if d.start_s <= now_s < d.end_s), None)
        late_s = attack.late_s(now_s) if attack is not None else 0.0
        true = self._truth(now_s - receiver.lag_s)
        heard = self._truth(now_s - receiver.lag_s - late_s) if late_s else true
        position, velocity = self._disturbed(heard, now_s, receiver)
        if attack is not None:
            away, faster = attack.displacement(now_s)
            position, velocity = _plus(position, away), _plus(velocity, faster)
            if attack.family is Family.FREEZE:
                self._frozen = self._frozen or (position, velocity)
                position, velocity = self._frozen
        else:
            self._frozen = None
        locked = receiver.enabled and receiver.satellites >= _SATELLITES_LEAST
        satellites = receiver.satellites if receiver.enabled else 0
        accuracy, speed_accuracy = receiver.accuracy, _SPEED_ACCURACY
        if receiver.jammed:
            jam = self._jam = self._jam or _Jam(now_s, position, self._noise)
            jam.step(now_s)
            locked, satellites = locked and jam.locked, jam.satellites
            position, velocity = jam.position_n, jam.velocity_n
            accuracy, speed_accuracy = jam.accuracy, jam.accuracy / 6.0
        else:
            self._jam = None
        self._epoch += 1
        return Fix(
            self._epoch, now_s, locked, position, velocity,
            _minus(position, true.position_n), _minus(velocity, true.velocity_n),
            satellites, accuracy, speed_accuracy, late_s,
        )  # fmt: skip

    def _disturbed(self, heard: "_Truth", now_s: float, receiver: Receiver) -> tuple[Vec3, Vec3]:
        """Return place and velocity with the errors of an honest receiver."""
        kept = math.exp(-(now_s - self._measured_s) / receiver.wander_s)
        self._measured_s = now_s
        nx, ny, nz, mx, my, mz, kx, ky, kz = self._normals.take(9)
        fresh = receiver.wander * math.sqrt(1.0 - kept * kept)
        wx, wy, wz = self._wander
        wx, wy, wz = kept * wx + fresh * nx, kept * wy + fresh * ny, kept * wz + fresh * nz
        self._wander = (wx, wy, wz)
        white, (ox, oy, oz) = receiver.white, receiver.offset_n
        error = (wx + white * mx + ox, wy + white * my + oy, wz + white * mz + oz)
        white, (ox, oy, oz) = receiver.velocity_noise, receiver.velocity_offset_n
        faster = (white * kx + ox, white * ky + oy, white * kz + oz)
        return _plus(heard.position_n, error), _plus(heard.velocity_n, faster)

    def _truth(self, when_s: float) -> "_Truth":
        """Return what was true at a moment of the past."""
        past = self._past
        for index in range(len(past) - 1, 0, -1):
            before = past[index - 1]
            if before.at_s <= when_s:
                after = past[index]
                share = min((when_s - before.at_s) / (after.at_s - before.at_s), 1.0)
                return _Truth(
                    when_s,
                    _between(before.position_n, after.position_n, share),
                    _between(before.velocity_n, after.velocity_n, share),
                )
        return past[0]


class _Truth(msgspec.Struct, frozen=True, gc=False):
    """Where a receiver was, and how fast, at a moment. NED."""

    at_s: float
    position_n: Vec3
    velocity_n: Vec3


class _Jam:
    """What a drowned receiver says: nothing for some seconds, then fixes at random."""

    def __init__(self, now_s: float, position_n: Vec3, noise: np.random.Generator) -> None:
        self.position_n = position_n
        self.velocity_n = ZERO
        self.locked = False
        self.satellites = 0
        self.accuracy = 300.0
        self._noise = noise
        self._silent_until_s = now_s + noise.uniform(*_SILENCE_S)
        self._before_s = now_s

    def step(self, now_s: float) -> None:
        period, self._before_s = now_s - self._before_s, now_s
        heard = now_s >= self._silent_until_s
        rng = self._noise

        def changes(per_s: float) -> bool:
            return rng.uniform() < per_s * period and heard

        if changes(3.0):
            self.satellites = int(rng.integers(2, 17))
            self.locked = self.satellites >= _SATELLITES_LEAST and rng.uniform() < 0.5
        if changes(3.0):
            self.accuracy = rng.uniform(0.0, 300.0)
        north, east, down = self.velocity_n
        if changes(0.8):
            north, east = rng.uniform(-_JAM_SPEED, _JAM_SPEED, 2).tolist()
        if changes(0.5):
            down = rng.uniform(-_JAM_SPEED, _JAM_SPEED)
        self.velocity_n = (north, east, down)
        if changes(1.1):
            north, east = rng.uniform(-_JAM_STEP, _JAM_STEP, 2).tolist()
            self.position_n = _plus(self.position_n, (north, east, 0.0))


def _plus(a: Vec3, b: Vec3) -> Vec3:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _minus(a: Vec3, b: Vec3) -> Vec3:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def _times(factor: float, a: Vec3) -> Vec3:
    return factor * a[0], factor * a[1], factor * a[2]


def _between(a: Vec3, b: Vec3, share: float) -> Vec3:
    """Return the point that lies a share of the way from one to the other."""
    return _plus(a, _times(share, _minus(b, a)))
