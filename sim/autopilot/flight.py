"""Flying: tasks that any mode is made of, and the control cascade under them.

A mode says what to do next (take off, track a target, descend, follow the sticks); this module
does it and watches for the ground. It knows neither MAVLink nor modes.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from sim.airframe import GRAVITY, Airframe
from sim.control.cascade import Motion, OuterLoop
from sim.control.inner import Aim
from sim.control.reference import Limits, Reference, Target
from sim.control.vector import ZERO, Quat, Vec3, clamp, from_euler, to_euler, wrap_pi
from sim.sensors.readings import Readings

_IDLE_THROTTLE: Final = 0.10
_FLYING: Final = -1.0  # no throttle is held
_SPOOL_UP_S: Final = 0.5
# From the command to the first movement of the recorded vehicle, which ramps its thrust up.
_RUN_UP_S: Final = 1.8
_LAND_DETECT_S: Final = 1.0
_TAKEOFF_DONE_M: Final = 0.1
_YAW_SLEW: Final = math.radians(60.0)
_LOOK_AHEAD_M: Final = 3.0


class Task(StrEnum):
    """What the vehicle is doing. Grounded is the state of a vehicle that never took off."""

    GROUNDED = "grounded"
    RUN_UP = "run_up"
    TAKEOFF = "takeoff"
    TRACK = "track"
    DESCEND = "descend"
    ATTITUDE = "attitude"


class Sensed(msgspec.Struct, frozen=True, gc=False):
    """What the sensors and the estimator give, once per period. NED, FRD, SI units.

    `motion` is the truth as the physics gives it, and what is believed of it from the estimator
    on; `truth` stays what it is, for those that report it.
    """

    motion: Motion
    truth: Motion
    readings: Readings
    acceleration_n: Vec3
    on_ground: bool
    impact_speed: float
    volts: float
    volts_ratio: float
    current: float
    consumed_mah: float
    consumed_wh: float
    remaining: float
    throttles: tuple[float, ...]


class YawAim(StrEnum):
    """Where the nose should point."""

    HOLD = "hold"
    ANGLE = "angle"
    RATE = "rate"
    AHEAD = "ahead"
    PLACE = "place"


@dataclass(frozen=True, slots=True)
class Yaw:
    """A heading demand.

    Attributes:
        aim: Which of the following counts.
        angle: Heading, from north, clockwise. [rad]
        rate: Rate, or the slew to `angle`. [rad/s]
        direction: +1 clockwise, -1 counter-clockwise, 0 the shorter way.
        place_n: Point to look at, NED north and east. [m]
    """

    aim: YawAim
    angle: float = 0.0
    rate: float = _YAW_SLEW
    direction: int = 0
    place_n: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class AttitudeDemand:
    """An attitude flown directly, with a climb rate or a raw thrust.

    Attributes:
        q_nb: Attitude, or None to turn at `rate_b` alone.
        rate_b: Rates, added to those that hold the attitude. FRD. [rad/s]
        climb: Climb rate, positive up; None if `thrust` is given. [m/s]
        thrust: Share of full thrust; None if `climb` is given. [-]
    """

    q_nb: Quat | None
    rate_b: Vec3 = ZERO
    climb: float | None = 0.0
    thrust: float | None = None


class Flight:
    """The flown vehicle. The zero state is disarmed on the ground."""

    def __init__(self, airframe: Airframe, limits: Limits, tilt_max: float) -> None:
        self.armed = False
        self.landed = True
        self.task = Task.GROUNDED
        self.target = Target()
        self.yaw = Yaw(YawAim.HOLD)
        self.land_speed = 0.5
        self.reference = Reference(limits)
        # Without a position only height and heading can be held: level, it drifts.
        self.blind = False
        self.rotors = len(airframe.rotors)
        self.attitude_sp: Quat = (1.0, 0.0, 0.0, 0.0)
        self.heading_sp = 0.0
        self._airframe = airframe
        self._outer = OuterLoop(tilt_max)
        self._demand = AttitudeDemand(None)
        self._specific_thrust = 0.0
        self._feed_forward: Vec3 = ZERO
        self._spool_s = 0.0
        self._run_up_s = 0.0
        self._touching_s = 0.0

    @property
    def collective(self) -> float:
        """Return the thrust demand over full thrust [-]."""
        if not self.armed or self.task in (Task.GROUNDED, Task.RUN_UP):
            return 0.0
        hover = self._airframe.hover_thrust_fraction
        return clamp(self._specific_thrust / GRAVITY * hover, 0.0, 1.0)

    @property
    def spooled(self) -> bool:
        """Tell whether the motors have run up since arming."""
        return self._spool_s >= _SPOOL_UP_S

    def arm(self) -> None:
        """Start the motors."""
        self.armed = True
        self.landed = True
        self._ground()

    def disarm(self) -> None:
        """Stop the motors, wherever the vehicle is."""
        self.armed = False
        self.landed = True
        self._ground()

    def _ground(self) -> None:
        self.task = Task.GROUNDED
        self._spool_s = 0.0
        self._touching_s = 0.0
        self._outer.reset()

    def begin_takeoff(self, down: float, motion: Motion) -> None:
        """Run the motors up, then climb straight up to NED `down` [m]."""
        self._outer.reset()
        self.task = Task.RUN_UP
        self._run_up_s = 0.0
        position = motion.position_n
        self.target = Target(position_n=(position[0], position[1]), down=down)
        self.yaw = Yaw(YawAim.HOLD)

    def abort_takeoff(self) -> None:
        """Stay on the ground after all, if the vehicle has not left it."""
        if self.task is Task.RUN_UP:
            self.task = Task.GROUNDED

    def track(self, target: Target, yaw: Yaw | None = None) -> None:
        """Move to, or along, `target`. A vehicle on the ground stays there."""
        if self.task is Task.RUN_UP:
            return
        self.target = target
        if yaw is not None:
            self.yaw = yaw
        if self.task is not Task.GROUNDED:
            self.task = Task.TRACK

    def lift_off(self, motion: Motion) -> None:
        """Leave the ground under the present target, as the sticks ask for."""
        if self.task is Task.GROUNDED and self.armed and self.spooled:
            self._settle_reference(motion)
            self.landed = False
            self.task = Task.TRACK

    def hold(self) -> None:
        """Brake and stay: a reference without velocity is a place."""
        self.track(Target(), Yaw(YawAim.HOLD))

    def descend(self, speed: float, *, north_east: tuple[float, float] | None) -> None:
        """Sink to the ground at `speed`, over a point if one is given [m/s]."""
        self.land_speed = speed
        self.target = Target(position_n=north_east, velocity_n=(0.0, 0.0, speed))
        if self.task not in (Task.GROUNDED, Task.RUN_UP):
            self.task = Task.DESCEND

    def demand_attitude(self, demand: AttitudeDemand) -> None:
        """Fly an attitude directly."""
        self._demand = demand
        if demand.climb is not None:
            self.target = Target(velocity_n=(0.0, 0.0, -demand.climb))
        rising = (demand.climb or 0.0) > 0.0 or (demand.thrust or 0.0) > 0.0
        if self.task not in (Task.GROUNDED, Task.RUN_UP):
            self.task = Task.ATTITUDE
        elif rising and self.armed and self.spooled:
            self.landed = False
            self.task = Task.ATTITUDE

    def shift(self, by_n: Vec3) -> None:
        """Move the reference with an estimate that has jumped: the vehicle must not lurch [m]."""
        (x, y, z), (dx, dy, dz) = self.reference.position_n, by_n
        self.reference.position_n = (x + dx, y + dy, z + dz)

    def takeoff_done(self) -> bool:
        """Tell whether the reference of a take-off has arrived."""
        down = self.target.down
        return (
            self.task is Task.TAKEOFF
            and down is not None
            and abs(self.reference.position_n[2] - down) < _TAKEOFF_DONE_M
        )

    def distance_to_target(self, motion: Motion) -> float:
        """Return the horizontal distance from the vehicle to the target, 0 without one [m]."""
        if self.target.position_n is None:
            return 0.0
        north, east = self.target.position_n
        return math.hypot(north - motion.position_n[0], east - motion.position_n[1])

    def step(self, sensed: Sensed, dt_s: float) -> Aim:
        """Control for one period; return what the inner loop is to hold meanwhile."""
        if not self.armed:
            self._settle_reference(sensed.motion)
            return self._aim(sensed, 0.0)
        self._spool_s += dt_s
        if self.task is Task.RUN_UP:
            self._run_up_s += dt_s
            if self._run_up_s >= _RUN_UP_S and self.spooled:
                self.task = Task.TAKEOFF
                self._settle_reference(sensed.motion)
        if self.task in (Task.GROUNDED, Task.RUN_UP) or not self.spooled:
            self._settle_reference(sensed.motion)
            return self._aim(sensed, _IDLE_THROTTLE)
        self._outer_step(sensed, dt_s)
        return self._aim(sensed, _FLYING)

    def _aim(self, sensed: Sensed, held: float) -> Aim:
        rates = self._feed_forward
        weight = 1.0
        if self.task is Task.ATTITUDE and self._demand.q_nb is None:
            rates, weight = self._demand.rate_b, 0.0
        thrust, volts = self._specific_thrust, sensed.volts_ratio
        return Aim(self.attitude_sp, rates, weight, thrust, volts, held)

    def _settle_reference(self, motion: Motion) -> None:
        self.reference.reset(motion.position_n, ZERO if self.landed else motion.velocity_n)
        self.heading_sp = to_euler(motion.q_nb)[2]
        self.attitude_sp = from_euler(0.0, 0.0, self.heading_sp)
        self._specific_thrust = 0.0

    def _outer_step(self, sensed: Sensed, dt_s: float) -> None:
        motion = sensed.motion
        if self.task is Task.TAKEOFF and not sensed.on_ground:
            self.landed = False
        self._turn(motion, dt_s)
        target = self.target
        if self.task is Task.ATTITUDE or self.blind:
            # Follow horizontally without pulling, so that leaving the task starts from here.
            self.reference.follow_level(motion.position_n, motion.velocity_n)
        self.reference.step(target, dt_s)
        acceleration = self._outer.accelerate(motion, self.reference, dt_s)
        if self.blind:
            acceleration = (0.0, 0.0, acceleration[2])
        self.attitude_sp, self._specific_thrust = self._outer.attitude(
            acceleration, self.heading_sp
        )
        self._feed_forward = ZERO
        if self.task is Task.ATTITUDE:
            self._apply_demand(motion, acceleration)
        self._watch_ground(sensed, dt_s)

    def _apply_demand(self, motion: Motion, acceleration_n: Vec3) -> None:
        demand = self._demand
        if demand.q_nb is not None:
            self.attitude_sp = demand.q_nb
            self.heading_sp = to_euler(demand.q_nb)[2]
            self._feed_forward = demand.rate_b
        if demand.thrust is not None:
            full = GRAVITY / self._airframe.hover_thrust_fraction
            boost = 1.0 if demand.q_nb is None else 1.0 / max(_uprightness(demand.q_nb), 0.1)
            self._specific_thrust = max(0.0, demand.thrust) * boost * full
            return
        upright = max(_uprightness(motion.q_nb), 0.5)
        self._specific_thrust = max(GRAVITY - acceleration_n[2], 0.0) / upright

    def _turn(self, motion: Motion, dt_s: float) -> None:
        """Move the heading setpoint towards what is asked, at a bounded rate."""
        yaw = self.yaw
        if yaw.aim is YawAim.HOLD:
            return
        if yaw.aim is YawAim.RATE:
            self.heading_sp = wrap_pi(self.heading_sp + yaw.rate * dt_s)
            return
        wanted = self._wanted_heading(yaw, motion)
        if wanted is None:
            return
        error = wrap_pi(wanted - self.heading_sp)
        if yaw.direction > 0 and error < -0.01:
            error += 2.0 * math.pi
        elif yaw.direction < 0 and error > 0.01:
            error -= 2.0 * math.pi
        slew = (yaw.rate if yaw.rate > 0.0 else _YAW_SLEW) * dt_s
        self.heading_sp = wrap_pi(self.heading_sp + clamp(error, -slew, slew))

    def _wanted_heading(self, yaw: Yaw, motion: Motion) -> float | None:
        if yaw.aim is YawAim.ANGLE:
            return yaw.angle
        place = self.target.position_n if yaw.aim is YawAim.AHEAD else yaw.place_n
        if place is None:
            return None
        north, east = place[0] - motion.position_n[0], place[1] - motion.position_n[1]
        if math.hypot(north, east) < _LOOK_AHEAD_M:
            return None
        return math.atan2(east, north)

    def _watch_ground(self, sensed: Sensed, dt_s: float) -> None:
        """Count contact time; a vehicle that rests while it is sent down has landed."""
        sinking = self.reference.velocity_n[2] > 0.05 or self.task is Task.DESCEND
        idle = self.task is Task.ATTITUDE and self._specific_thrust < 0.5 * GRAVITY
        if sensed.on_ground and (sinking or idle):
            self._touching_s += dt_s
        else:
            self._touching_s = 0.0
        if self._touching_s >= _LAND_DETECT_S:
            self.landed = True
            self._ground_keep_armed()

    def _ground_keep_armed(self) -> None:
        spool = self._spool_s
        self._ground()
        self._spool_s = spool


def _uprightness(q_nb: Quat) -> float:
    """Return the cosine of the tilt: ArduCopter's angle boost divides a thrust by it."""
    _, x, y, _ = q_nb
    return 1.0 - 2.0 * (x * x + y * y)
