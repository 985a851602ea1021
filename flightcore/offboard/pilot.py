"""The arithmetic of flying a track: motion and time in, a setpoint out."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from flightcore.control.vehicle import GRAVITY, Gains, Limits
from flightcore.offboard.estimate import Delays, Forecast
from flightcore.offboard.motion import Motion
from flightcore.offboard.outer import Craft, Outer
from flightcore.offboard.schedule import Schedule, standing
from flightcore.offboard.setpoints import (
    AttitudeTarget,
    MotionTarget,
    PositionTarget,
    Setpoint,
    Vec,
)
from flightcore.offboard.track import Reference, Track

PERIOD_S: Final = 0.0025
STALE_S: Final = 0.5  # telemetry older than this is flown by no longer


_UNUSED: Final = (0.0, 0.0, 0.0)
_GAINS: Final = Gains((2.5, 2.5, 3.0), (3.0, 3.0, 3.0), 0.0, 0.0, _UNUSED)
_LIMITS: Final = Limits(position_error=3.0, velocity_error=5.0, tilt=0.75, hold=2.0)
_DELAYS: Final = Delays(level=0.18, down=0.06)


class Form(IntEnum):
    """What setpoints say, from least to most of the control."""

    POSITION = 0
    MOTION = 1
    ATTITUDE = 2


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the pilot steers.

    Attributes:
        gains: Position and velocity; the others are not used.
        limits: Errors acted on, and the tilt.
        delays: Of an attitude and of a thrust, from the setpoint to the flown acceleration. [s]
        motion_lead: By how much setpoints of motion look ahead. [s]
        yaw_lead: By how much the heading looks ahead. [s]
        climb_gain: Climb rate per error of height, where thrust means climb rate. [1/s]
        bandwidth: How fast disturbances are believed. [rad/s]
    """

    gains: Gains = _GAINS
    limits: Limits = _LIMITS
    delays: Delays = _DELAYS
    motion_lead: float = 0.1
    yaw_lead: float = 0.2
    climb_gain: float = 1.5
    bandwidth: float = 6.0


class Orders(NamedTuple):
    """What the pilot is to do. While it is not in command it follows and asks for nothing."""

    schedule: Schedule = standing(0.0)
    is_flying: bool = False


class Step(NamedTuple):
    """What one step gives: None if nothing can be flown; the distance to the reference now [m]."""

    setpoint: Setpoint | None
    error: float


class Pilot:
    """Flies one track in one form. Invariant: setpoints rest on motion not older than `STALE_S`."""

    def __init__(
        self,
        track: Track,
        form: Form,
        craft: Craft,
        tuning: Tuning,
        period_s: float = PERIOD_S,
    ) -> None:
        self._track = track
        self._form = form
        self._craft = craft
        self._tuning = tuning
        self._outer = Outer(tuning.gains, tuning.limits)
        self.forecast = Forecast(tuning.delays, tuning.bandwidth, period_s)

    def receive(self, motion: Motion) -> None:
        """Take the vehicle's motion."""
        self.forecast.receive(motion)

    def step(self, now_s: float, orders: Orders) -> Step:
        """Return what to ask for now."""
        motion = self.forecast.motion
        if motion is None or now_s - motion.time_s > STALE_S:
            self.forecast.ask((0.0, 0.0, 0.0), now_s)
            return Step(None, 0.0)
        schedule, lead = orders.schedule, self._tuning.motion_lead
        if self._form is Form.ATTITUDE:
            setpoint: Setpoint = self._attitude(motion, orders, now_s)
        else:
            self.forecast.ask((0.0, 0.0, 0.0), now_s)
            if self._form is Form.MOTION:
                ref = self._track.at(schedule.at(now_s + lead))
                setpoint = MotionTarget(*ref)
            else:
                ref = self._track.at(schedule.at(now_s))
                setpoint = PositionTarget(ref.position_n, ref.yaw)
        then = self._track.at(schedule.at(motion.time_s)).position_n
        return Step(setpoint, _distance(then, motion.position_n))

    def _attitude(self, motion: Motion, orders: Orders, now_s: float) -> AttitudeTarget:
        tuning, schedule, at = self._tuning, orders.schedule, self._track.at
        level = at(schedule.at(now_s + tuning.delays.level))
        down = at(schedule.at(now_s + tuning.delays.down))
        yaw = at(schedule.at(now_s + tuning.yaw_lead)).yaw
        position, velocity = self.forecast.state(motion, now_s)
        wish = self._outer.wish(
            _less(_joined(level.position_n, down.position_n), position),
            _less(_joined(level.velocity_n, down.velocity_n), velocity),
            _joined(level.acceleration_n, down.acceleration_n),
            self.forecast.disturbance_n,
            yaw,
        )
        x, y, z = wish.thrust_n
        if self._craft.gives_thrust:
            thrust = self._craft.throttle(-z)
            asked = (x, y, z + GRAVITY)
        else:
            thrust = self._craft.climb(self._climb(down, position[2]))
            # The autopilot keeps the height by itself; the level part follows from the tilt.
            asked = (x * GRAVITY / -z, y * GRAVITY / -z, 0.0)
        self.forecast.ask(asked if orders.is_flying else (0.0, 0.0, 0.0), now_s)
        return AttitudeTarget(wish.q_nb, thrust)

    def _climb(self, down: Reference, height_n: float) -> float:
        error = down.position_n[2] - height_n
        return -(down.velocity_n[2] + self._tuning.climb_gain * error)


def _joined(level: Vec, down: Vec) -> Vec:
    return level[0], level[1], down[2]


def _less(a: Vec, b: Vec) -> Vec:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def _distance(a: Vec, b: Vec) -> float:
    x, y, z = _less(a, b)
    return float((x * x + y * y + z * z) ** 0.5)
