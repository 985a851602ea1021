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

import numpy as np
from numpy.typing import NDArray

from tracing.executors import Array

_REMEMBERED_S: Final = 20.0
# Jamming as ArduPilot's simulator does it: first no signal, then fixes at random.
_SILENCE_S: Final = (1.0, 6.0)
_JAM_SPEED: Final = 400.0
_JAM_STEP: Final = 200.0


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

    def displacement(self, now_s: float) -> tuple[Array, Array]:
        """Return what is added to place [m] and velocity [m/s] while it lasts."""
        since = now_s - self.start_s
        final = np.array(self.velocity_n)
        match self.family:
            case Family.JUMP:
                return np.array(self.offset_n), np.zeros(3)
            case Family.RAMP:
                return final * since, np.zeros(3)
            case Family.PULL_OFF:
                speed = float(np.linalg.norm(final))
                if speed == 0.0:
                    return np.zeros(3), np.zeros(3)
                rising = min(since, speed / self.acceleration)
                along = 0.5 * self.acceleration * rising**2 + speed * (since - rising)
                return final / speed * along, final / speed * self.acceleration * rising
            case Family.DELAY | Family.FREEZE:
                return np.zeros(3), np.zeros(3)

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


@dataclass(frozen=True, slots=True)
class Fixes:
    """What N receivers report. Arrays of shape (N, 3) or (N,); NED, SI units.

    Attributes:
        locked: Whether there is a fix.
        position_n: Place reported, as of `lag_s` ago.
        velocity_n: Velocity reported.
        position_error_n: By how much the place is off from that of `lag_s` ago.
        velocity_error_n: The same of velocity.
        satellites: In use.
        accuracy: Horizontal accuracy claimed. [m]
        speed_accuracy: Accuracy of velocity claimed. [m/s]
        late_s: By how much its clock is wrong: a deceiver's delay. [s]
    """

    locked: NDArray[np.bool_]
    position_n: Array
    velocity_n: Array
    position_error_n: Array
    velocity_error_n: Array
    satellites: NDArray[np.int64]
    accuracy: Array
    speed_accuracy: Array
    late_s: float


class Gnss:
    """N receivers. `remember` what is true, often; `measure` at the receivers' rate."""

    def __init__(
        self, count: int, noise: np.random.Generator, deceptions: tuple[Deception, ...] = ()
    ) -> None:
        self._noise = noise
        self._deceptions = deceptions
        self._past: deque[tuple[float, Array]] = deque()
        self._wander = np.zeros((count, 3))
        self._measured_s: float | None = None
        self._frozen: tuple[Array, Array] | None = None
        self._jam: _Jam | None = None
        self._count = count

    def remember(self, now_s: float, position_n: Array, velocity_n: Array) -> None:
        """Note the truth of this moment. Shapes (N, 3)."""
        past = self._past
        past.append((now_s, np.concatenate([position_n, velocity_n], axis=1)))
        while past[0][0] < now_s - _REMEMBERED_S:
            past.popleft()

    def measure(self, now_s: float, receiver: Receiver) -> Fixes:
        """Return what the receivers report at `now_s`."""
        attack = next((d for d in self._deceptions if d.start_s <= now_s < d.end_s), None)
        late_s = attack.late_s(now_s) if attack is not None else 0.0
        true = self._truth(now_s - receiver.lag_s)
        heard = self._truth(now_s - receiver.lag_s - late_s) if late_s else true
        position, velocity = heard[:, :3].copy(), heard[:, 3:].copy()
        self._disturb(position, velocity, now_s, receiver)
        if attack is not None:
            away, faster = attack.displacement(now_s)
            position += away
            velocity += faster
            if attack.family is Family.FREEZE:
                self._frozen = self._frozen or (position.copy(), velocity.copy())
                position, velocity = self._frozen[0].copy(), self._frozen[1].copy()
        else:
            self._frozen = None
        locked = np.full(self._count, receiver.enabled and receiver.satellites >= 4)
        satellites = np.full(self._count, receiver.satellites if receiver.enabled else 0)
        accuracy = np.full(self._count, receiver.accuracy)
        speed_accuracy = np.full(self._count, 0.04)
        if receiver.jammed:
            self._jam = self._jam or _Jam(now_s, position, self._noise)
            jam = self._jam
            jam.step(now_s)
            locked, satellites = locked & jam.locked, jam.satellites
            position, velocity = jam.position_n.copy(), jam.velocity_n.copy()
            accuracy, speed_accuracy = jam.accuracy, jam.accuracy / 6.0
        else:
            self._jam = None
        return Fixes(
            locked, position, velocity, position - true[:, :3], velocity - true[:, 3:],
            satellites, accuracy, speed_accuracy, late_s,
        )  # fmt: skip

    def _disturb(self, position: Array, velocity: Array, now_s: float, receiver: Receiver) -> None:
        before = self._measured_s if self._measured_s is not None else -math.inf
        kept = math.exp(-(now_s - before) / receiver.wander_s)
        self._measured_s = now_s
        n1, n2, n3 = self._noise.standard_normal((3, self._count, 3))
        fresh = receiver.wander * math.sqrt(1.0 - kept * kept)
        self._wander = kept * self._wander + fresh * n1
        position += self._wander + receiver.white * n2 + receiver.offset_n
        velocity += receiver.velocity_noise * n3 + receiver.velocity_offset_n

    def _truth(self, when_s: float) -> Array:
        """Return place and velocity at a moment of the past. Shape (N, 6)."""
        past = self._past
        for index in range(len(past) - 1, 0, -1):
            before_s, before = past[index - 1]
            if before_s <= when_s:
                after_s, after = past[index]
                share = min((when_s - before_s) / (after_s - before_s), 1.0)
                between: Array = before + share * (after - before)
                return between
        return past[0][1]


class _Jam:
    """What N drowned receivers say: nothing for some seconds, then fixes at random."""

    def __init__(self, now_s: float, position_n: Array, noise: np.random.Generator) -> None:
        count = len(position_n)
        self.position_n = position_n.copy()
        self.velocity_n = np.zeros((count, 3))
        self.locked = np.zeros(count, dtype=np.bool_)
        self.satellites = np.zeros(count, dtype=np.int64)
        self.accuracy = np.full(count, 300.0)
        self._noise = noise
        self._silent_until_s = now_s + noise.uniform(*_SILENCE_S, count)
        self._before_s = now_s

    def step(self, now_s: float) -> None:
        period, self._before_s = now_s - self._before_s, now_s
        heard = now_s >= self._silent_until_s
        rng, count = self._noise, len(heard)

        def changes(per_s: float) -> NDArray[np.bool_]:
            return heard & (rng.uniform(size=count) < per_s * period)

        anew = changes(3.0)
        self.satellites = np.where(anew, rng.integers(2, 17, count), self.satellites)
        lucky = (self.satellites >= 4) & (rng.uniform(size=count) < 0.5)
        self.locked = np.where(anew, lucky, self.locked)
        self.accuracy = np.where(changes(3.0), rng.uniform(0.0, 300.0, count), self.accuracy)
        speeds = rng.uniform(-_JAM_SPEED, _JAM_SPEED, (count, 3))
        turned = np.stack([changes(0.8)] * 2 + [changes(0.5)], 1)
        self.velocity_n = np.where(turned, speeds, self.velocity_n)
        steps = rng.uniform(-_JAM_STEP, _JAM_STEP, (count, 2))
        self.position_n[:, :2] += np.where(changes(1.1)[:, None], steps, 0.0)
