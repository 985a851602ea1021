"""The vehicle: modes, arming, failsafes, and what each mode makes the flight do."""

import math
from collections.abc import Callable
from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.airframe import Airframe
from sim.autopilot import beacon
from sim.autopilot.auto import Auto
from sim.autopilot.estimator import Estimator
from sim.autopilot.fence import Fence
from sim.autopilot.flight import AttitudeDemand, Flight, Sensed, Task, Yaw, YawAim
from sim.autopilot.frame import Ground
from sim.autopilot.guided import Setpoint
from sim.autopilot.homing import Homing, Stage, land
from sim.autopilot.mission import Mission
from sim.autopilot.modes import TRAITS, Mode, mode_of
from sim.autopilot.outbox import Outbox, Severity
from sim.autopilot.parameters import Parameters
from sim.autopilot.piloted import Piloted
from sim.autopilot.readiness import Readiness
from sim.autopilot.sticks import Sticks
from sim.control.reference import Limits, Target
from sim.control.vector import clamp
from sim.geodesy import Place

# Height at which the recorded estimator aligned its heading again.
_IN_FLIGHT_M: Final = 5.0
_AUTO_ALLOWS_ARMING: Final = 1
_THRUST_AS_THRUST: Final = 1 << 3


class Vehicle:
    """One ArduCopter. The zero state is just powered up: disarmed, STABILIZE, no position."""

    def __init__(
        self,
        airframe: Airframe,
        start: Place,
        parameters: Parameters,
        outbox: Outbox,
        ekf_ready_s: float,
    ) -> None:
        self.parameters = parameters
        self.ground = Ground(start)
        self.fence = Fence(parameters, self.ground)
        self.mission = Mission()
        self.sticks = Sticks()
        self.readiness = Readiness(ekf_ready_s)
        self.estimator = Estimator(parameters)
        self.flight = Flight(
            airframe,
            self._limits(),
            math.radians(clamp(parameters["ANGLE_MAX"] / 100.0, 10.0, 60.0)),
        )
        self.mode = Mode.STABILIZE
        self.now_s = 0.0
        self.terminated = False
        self._outbox = outbox
        self.auto = Auto(self.flight, self.ground, self.mission, parameters, outbox)
        self._homing = Homing(self.flight, self.ground, parameters)
        self._guided_until_s: float | None = None
        self._paused: Target | None = None
        self._idle_s = 0.0
        self._flown = False
        self._sensed: Sensed | None = None
        piloted = Piloted(self.flight, self.sticks, parameters)
        self._run: dict[Mode, Callable[[Sensed, float], None]] = {
            Mode.STABILIZE: lambda _, dt_s: piloted.stabilize(self.now_s, dt_s),
            Mode.ALT_HOLD: lambda _, dt_s: piloted.alt_hold(self.now_s, dt_s),
            Mode.AUTO: self._run_auto,
            Mode.GUIDED: self._run_guided,
            Mode.LOITER: lambda sensed, _: piloted.loiter(sensed, self.now_s),
            Mode.RTL: self._run_rtl,
            Mode.LAND: self._run_land,
            Mode.POSHOLD: lambda sensed, _: piloted.loiter(sensed, self.now_s),
            Mode.BRAKE: lambda _sensed, _dt_s: None,
        }

    @property
    def sensed(self) -> Sensed:
        """Return the last sensor values. There are none before the first step."""
        assert self._sensed is not None
        return self._sensed

    @property
    def position_ok(self) -> bool:
        """Tell whether the estimator has a position."""
        return self.readiness.phase(self.now_s).position_ok and not self.estimator.adrift

    @property
    def landing(self) -> bool:
        """Tell whether the vehicle is on its last descent."""
        return self.mode is Mode.LAND or self.flight.task is Task.DESCEND

    def arming_reasons(self) -> list[str]:
        """Return why the vehicle would not arm in this mode."""
        needs_position = TRAITS[self.mode].needs_position
        reasons = self.readiness.reasons(
            self.now_s,
            checks=self.parameters.bits("ARMING_CHECK"),
            needs_position=needs_position,
        )
        if self.fence.needs_position and not needs_position and not self.position_ok:
            reasons.append("Fence requires position")
        reasons += self.fence.reasons()
        if needs_position and self.estimator.adrift:
            reasons.append("Need Position Estimate")
        if needs_position and self.estimator.glitching:
            reasons.append("GPS glitching")
        return reasons

    def arm(self, *, force: bool) -> bool:
        """Arm, unless a check refuses and `force` does not overrule it. Say why not."""
        if self.terminated:
            return False
        if not force:
            reasons = self.arming_reasons()
            traits = TRAITS[self.mode]
            armable = traits.armable or (
                self.mode is Mode.AUTO
                and self.parameters.bits("AUTO_OPTIONS") & _AUTO_ALLOWS_ARMING
            )
            if not reasons and not armable:
                reasons = [f"{traits.name} mode not armable"]
            for reason in reasons:
                self._outbox.text(Severity.CRITICAL, f"Arm: {reason}")
            if reasons:
                return False
        self.flight.arm()
        self._idle_s = 0.0
        if self.ground.origin is not None and not self.ground.home_locked:
            self.set_home(self.ground.place(self.sensed.motion.position_n), lock=False)
        self._outbox.text(Severity.INFO, "Arming motors")
        self._enter(self.mode)
        return True

    def disarm(self, *, force: bool) -> bool:
        """Disarm; in flight only if forced."""
        if not force and not self.flight.landed:
            return False
        self.flight.disarm()
        self._outbox.text(Severity.INFO, "Disarming motors")
        self._outbox.send_later(self.parameters.message("MOT_THST_HOVER"))
        self.mission.stop()
        return True

    def set_mode_number(self, number: int) -> bool:
        """Change mode by ArduCopter's number; say why not."""
        mode = mode_of(number)
        if mode is None:
            self._outbox.text(Severity.WARNING, f"No such mode {number}")
            return False
        return self.set_mode(mode)

    def set_mode(self, mode: Mode, *, of_own_accord: bool = False) -> bool:
        """Change mode. A disarmed vehicle takes any mode; arming will check it.

        Args:
            mode: The mode to fly.
            of_own_accord: Whether a failsafe wants it, which a breached fence does not hinder.
        """
        if mode is self.mode:
            return True
        if self.flight.armed:
            reason = self._refusal(mode)
            if self.fence.holds_mode and not of_own_accord:
                reason = "in fence recovery"
            if reason is not None:
                text = f"Mode change to {TRAITS[mode].name} failed: {reason}"
                self._outbox.text(Severity.WARNING, text)
                return False
        if self.mode is Mode.AUTO:
            self.auto.leave()
        self.mode = mode
        self.fence.recover(self.now_s)
        self._enter(mode)
        self._outbox.send(self.heartbeat())
        return True

    def set_home(self, place: Place, *, lock: bool) -> None:
        """Set home and tell the link."""
        self.ground.home = place
        self.ground.home_locked = self.ground.home_locked or lock
        for message in beacon.home_and_origin(self.ground, self.now_s):
            self._outbox.send_later(message)

    def takeoff(self, altitude: float) -> bool:
        """Take off to an altitude above home; return whether that was possible [m]."""
        flight = self.flight
        if not flight.armed or not flight.landed:
            return False
        above_home = self.ground.home_down - self.sensed.motion.position_n[2]
        if not altitude > above_home:
            return False
        if self.mode is not Mode.GUIDED:
            return False
        self.flight.begin_takeoff(self.ground.home_down - altitude, self.sensed.motion)
        return True

    def guide(self, setpoint: Setpoint | None) -> bool:
        """Take a GUIDED setpoint; None stops the vehicle. Return whether it was taken.

        A place outside the fence is refused, and the vehicle goes on with what it was doing.
        """
        if self.mode is not Mode.GUIDED:
            return False
        if setpoint is None:
            self._guided_until_s = None
            self.flight.hold()
            return True
        target = setpoint.target
        if target.position_n is not None and target.down is not None:
            north, east = target.position_n
            if not self.fence.contains(north, east, target.down):
                return False
        self._guided_until_s = self.now_s + self._guided_timeout() if setpoint.expires else None
        self.flight.track(target, setpoint.yaw)
        return True

    def guide_attitude(self, demand: AttitudeDemand | None) -> None:
        """Take a GUIDED attitude; None stops the vehicle."""
        if demand is None:
            self.guide(None)
            return
        self._guided_until_s = self.now_s + self._guided_timeout()
        self.flight.demand_attitude(demand)

    def pause(self) -> bool:
        """Hold a GUIDED movement; always possible."""
        self._paused = self.flight.target
        self.flight.hold()
        return True

    def resume(self) -> bool:
        """Go on with a GUIDED movement that was held."""
        if self._paused is not None:
            self.flight.track(self._paused, Yaw(YawAim.AHEAD))
            self._paused = None
        return True

    @property
    def thrust_as_thrust(self) -> bool:
        """Tell whether SET_ATTITUDE_TARGET's thrust is thrust, not climb rate."""
        return bool(self.parameters.bits("GUID_OPTIONS") & _THRUST_AS_THRUST)

    def terminate(self) -> None:
        """Stop the motors for good."""
        if self.flight.armed:
            self.disarm(force=True)
        self.terminated = True

    def step(self, sensed: Sensed, now_s: float, dt_s: float) -> None:
        """Run start-up, the mode and the ground logic for one period of the autopilot."""
        self._sensed = sensed
        self.now_s = now_s
        self._start_up(now_s)
        if not self.flight.armed:
            return
        self._run[self.mode](sensed, dt_s)
        self._after_landing(dt_s)
        if not self._flown and sensed.motion.position_n[2] < -_IN_FLIGHT_M:
            self._flown = True
            for imu in (0, 1):
                text = f"EKF3 IMU{imu} MAG0 in-flight yaw alignment complete"
                self._outbox.text(Severity.INFO, text)

    def heartbeat(self) -> dialect.MAVLink_message:
        """Return the HEARTBEAT of this moment."""
        return beacon.heartbeat(
            self.mode,
            self.flight.rotors,
            armed=self.flight.armed,
            flying=not self.flight.landed,
            aligned=self.readiness.phase(self.now_s).tilt_aligned,
            terminated=self.terminated,
        )

    def _refusal(self, mode: Mode) -> str | None:
        if TRAITS[mode].needs_position and not self.position_ok:
            return "requires position"
        if mode is Mode.AUTO:
            if not self.mission.present:
                return "init failed"
            if self.flight.landed and not self.mission.starts_with_takeoff():
                self._outbox.text(Severity.CRITICAL, "Auto: Missing Takeoff Cmd")
                return "init failed"
        return None

    def _limits(self) -> Limits:
        """Read the limits of movement, held to what can be flown whatever the table says."""

        def metres(name: str, least: float, most: float) -> float:
            return clamp(self.parameters[name] / 100.0, least, most)

        return Limits(
            speed=metres("WPNAV_SPEED", 0.2, 30.0),
            speed_up=metres("WPNAV_SPEED_UP", 0.1, 10.0),
            speed_down=metres("WPNAV_SPEED_DN", 0.1, 5.0),
            acceleration=metres("WPNAV_ACCEL", 0.5, 5.0),
            acceleration_z=metres("WPNAV_ACCEL_Z", 0.5, 5.0),
            jerk=clamp(self.parameters["PSC_JERK_XY"], 1.0, 20.0),
        )

    def _enter(self, mode: Mode) -> None:
        flight = self.flight
        flight.reference.limits = self._limits()
        self._guided_until_s = None
        flight.abort_takeoff()
        if mode is Mode.AUTO:
            flight.hold()
            self.auto.enter()
            return
        if self._sensed is None:
            return
        match mode:
            case Mode.RTL:
                if self.parameters["RTL_SPEED"] > 0.0:
                    flight.reference.change_speed(speed=self.parameters["RTL_SPEED"] / 100.0)
                flight.hold()
                self._homing.begin(self.sensed)
            case Mode.LAND:
                flight.hold()
                flight.descend(
                    flight.reference.limits.speed_down, north_east=flight.target.position_n
                )
            case _:
                flight.hold()

    def _guided_timeout(self) -> float:
        return max(self.parameters["GUID_TIMEOUT"], 0.1)

    def _start_up(self, now_s: float) -> None:
        if self.readiness.is_over:
            return
        for severity, text in self.readiness.texts(now_s):
            self._outbox.text(severity, text)
            if text == "EKF3 IMU0 origin set":
                self.ground.origin = self.ground.start
                self.set_home(self.ground.start, lock=False)
                self._outbox.text(
                    Severity.INFO, f"Field Elevation Set: {round(self.ground.start.alt)}m"
                )

    def _run_guided(self, _sensed: Sensed, _dt_s: float) -> None:
        if self.flight.takeoff_done():
            self.flight.track(self.flight.target)
        if self._guided_until_s is not None and self.now_s > self._guided_until_s:
            self._guided_until_s = None
            self.flight.hold()

    def _run_auto(self, sensed: Sensed, _dt_s: float) -> None:
        self.auto.step(sensed, self.now_s)

    def _run_rtl(self, sensed: Sensed, _dt_s: float) -> None:
        self._homing.step(sensed, self.now_s)

    def _run_land(self, sensed: Sensed, _dt_s: float) -> None:
        land(self.flight, self.ground, self.parameters, sensed)

    def _after_landing(self, dt_s: float) -> None:
        """Disarm after a landing, or after DISARM_DELAY of doing nothing on the ground."""
        flight = self.flight
        if not flight.landed or flight.task is not Task.GROUNDED:
            self._idle_s = 0.0
            return
        rtl_landed = self.mode is Mode.RTL and self._homing.stage is Stage.LAND
        if self.mode is Mode.LAND or rtl_landed or (self.mode is Mode.AUTO and self.auto.landing):
            self.disarm(force=True)
            return
        self._idle_s += dt_s
        delay = self.parameters["DISARM_DELAY"]
        if delay > 0.0 and self._idle_s >= delay:
            self.disarm(force=True)
