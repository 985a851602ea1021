"""The vehicle: modes, arming, failsafes, and what each mode makes the flight do."""

import math
from collections.abc import Callable
from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.airframe import Airframe
from sim.autopilot import arming, beacon
from sim.autopilot.auto import Auto
from sim.autopilot.estimator import Estimator
from sim.autopilot.fence import EVERY_BOUND, Bound, Fence, fence_names
from sim.autopilot.flight import AttitudeDemand, Flight, Sensed, Task
from sim.autopilot.frame import Ground
from sim.autopilot.guidance import Guidance
from sim.autopilot.guided import Setpoint
from sim.autopilot.homing import Homing, Stage, land
from sim.autopilot.items import Item
from sim.autopilot.mission import Mission
from sim.autopilot.modes import TRAITS, UNREADY, Mode, mode_of
from sim.autopilot.outbox import Outbox, Severity
from sim.autopilot.parameters import Parameters
from sim.autopilot.piloted import Piloted
from sim.autopilot.readiness import Readiness
from sim.autopilot.sticks import Sticks
from sim.autopilot.trail import Trail
from sim.control.reference import Limits
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
        self.gcs_lost = False
        self._outbox = outbox
        self.auto = Auto(self.flight, self.ground, self.mission, parameters, outbox, self._act_on)
        self._homing = Homing(self.flight, self.ground, parameters)
        self._trail = Trail(parameters)
        self.guidance = Guidance(self.flight, self.fence, parameters)
        self._idle_s = 0.0
        self._flown = False
        self._sensed: Sensed | None = None
        piloted = Piloted(self.flight, self.sticks, parameters, self.fence)
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
            Mode.SMART_RTL: self._run_rtl,
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
        p = self.parameters
        checks = p.bits("ARMING_CHECK")
        reasons = self.readiness.reasons(self.now_s, checks=checks, needs_position=needs_position)
        if not reasons and self._sensed is not None:
            fenced = needs_position or self.fence.needs_position
            throttle_us = self.sticks.channels(self.now_s)[2]
            reasons += arming.reasons(
                p,
                self._sensed,
                throttle_us,
                needs_position=fenced,
                hands_free=not TRAITS[self.mode].piloted,
            )
        if self.fence.needs_position and not needs_position and not self.position_ok:
            reasons.append("Fence requires position")
        reasons += self.fence.reasons()
        if needs_position and self.estimator.adrift:
            reasons.append("Need Position Estimate")
        if needs_position and self.estimator.glitching:
            reasons.append("GPS glitching")
        if self.gcs_lost:
            reasons.append("GCS failsafe on")
        return reasons

    def arm(self, *, force: bool) -> bool:
        """Arm, unless a check refuses and `force` does not overrule it. Say why not."""
        if not force:
            reasons = self.arming_reasons()
            traits = TRAITS[self.mode]
            armable = traits.armable or (
                self.mode is Mode.AUTO
                and self.parameters.bits("AUTO_OPTIONS") & _AUTO_ALLOWS_ARMING
            )
            if self.mode is Mode.AUTO and not self.mission.present:
                reasons.append("Mode requires mission")
            elif not reasons and not armable:
                reasons = [f"{traits.name} mode not armable"]
            for reason in reasons:
                self._outbox.text(Severity.CRITICAL, f"Arm: {reason}")
            if reasons:
                return False
        self.flight.arm()
        self._idle_s = 0.0
        if self.ground.origin is not None and not self.ground.home_locked:
            self.set_home(self.ground.place(self.sensed.motion.position_n), lock=False)
        if self.parameters.bits("ARMING_CHECK") == 0:
            self._outbox.text(Severity.WARNING, "Warning: Arming Checks Disabled")
        self._outbox.text(Severity.INFO, "Arming motors")
        self._tell_fence(self.fence.armed(armed=True), "auto-enabled")
        if self.position_ok:
            self._trail.begin(self.sensed.motion.position_n)
        else:
            self._trail.lose()
        self._enter(self.mode)
        return True

    def disarm(self, *, force: bool) -> bool:
        """Disarm; in flight only if forced."""
        if not force and not self.flight.landed:
            return False
        self.flight.disarm()
        self._outbox.text(Severity.INFO, "Disarming motors")
        self._tell_fence(self.fence.armed(armed=False), "auto-disabled")
        self._outbox.send_later(self.parameters.message("MOT_THST_HOVER"))
        self.mission.stop()
        return True

    def set_mode_number(self, number: int) -> bool:
        """Change mode by ArduCopter's number; say why not."""
        mode = mode_of(number)
        if mode is None:
            self._tell_refusal(number)
            return False
        return self.set_mode(mode)

    def _tell_refusal(self, number: int) -> None:
        unready = UNREADY.get(number)
        texts = [f"No such mode {number}"]
        if unready is not None:
            texts = [*unready.hints, f"Mode change to {unready.name} failed: {unready.reason}"]
        for text in texts:
            self._outbox.text(Severity.WARNING, text)

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
        if self.fence.recover(self.now_s):
            self._outbox.text(Severity.INFO, "Manual recovery started")
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
        """Take a GUIDED setpoint; None stops the vehicle. Return whether it was taken."""
        if self.mode is not Mode.GUIDED:
            return False
        return self.guidance.take(setpoint, self.sensed, self.now_s)

    def guide_attitude(self, demand: AttitudeDemand | None) -> None:
        """Take a GUIDED attitude; None stops the vehicle."""
        if demand is None:
            self.guide(None)
        else:
            self.guidance.take_attitude(demand, self.now_s)

    @property
    def thrust_as_thrust(self) -> bool:
        """Tell whether SET_ATTITUDE_TARGET's thrust is thrust, not climb rate."""
        return bool(self.parameters.bits("GUID_OPTIONS") & _THRUST_AS_THRUST)

    def terminate(self) -> None:
        """Stop the motors, wherever the vehicle is."""
        if self.flight.armed:
            self.disarm(force=True)

    def step(self, sensed: Sensed, now_s: float, dt_s: float) -> None:
        """Run start-up, the mode and the ground logic for one period of the autopilot."""
        self._sensed = sensed
        self.now_s = now_s
        self._start_up(now_s)
        if not self.flight.armed:
            return
        self._run[self.mode](sensed, dt_s)
        if self.mode is not Mode.SMART_RTL and self.position_ok:
            self._trail.step(sensed.motion.position_n, now_s)
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
        )

    def _refusal(self, mode: Mode) -> str | None:
        if TRAITS[mode].needs_position and not self.position_ok:
            return "requires position"
        if mode is Mode.SMART_RTL and not self._trail.usable:
            return "init failed"
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
        self.guidance.leave()
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
            case Mode.SMART_RTL:
                flight.hold()
                self._homing.retrace(self._trail.back() or [self.sensed.motion.position_n])
            case Mode.LAND:
                flight.hold()
                flight.descend(
                    flight.reference.limits.speed_down, north_east=flight.target.position_n
                )
            case _:
                flight.hold()

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

    def _run_guided(self, sensed: Sensed, _dt_s: float) -> None:
        if self.flight.takeoff_done():
            self.flight.track(self.flight.target)
            self._tell_fence(self.fence.after_takeoff(), "auto-enabled")
        self.guidance.step(sensed, self.now_s)

    def _act_on(self, item: Item) -> None:
        """Do what a mission's action asks for besides flying."""
        match item.command:
            case dialect.MAV_CMD_DO_FENCE_ENABLE:
                on = item.param1 == 1.0
                self._tell_fence(
                    self.fence.enable(EVERY_BOUND, on=on), "enabled" if on else "disabled"
                )
            case dialect.MAV_CMD_DO_SET_HOME:
                here = item.param1 == 1.0 or (item.x == 0 and item.y == 0)
                place = self.ground.place(self.sensed.motion.position_n)
                if not here:
                    alt = self.ground.start.alt - self.ground.item_down(item)
                    place = Place(item.x, item.y, alt)
                self.set_home(place, lock=True)
            case _:
                pass  # for what it does not carry

    def _tell_fence(self, changed: Bound, what: str) -> None:
        if changed:
            self._outbox.text(Severity.NOTICE, f"{fence_names(changed)} {what}")

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
        returning = self.mode in (Mode.RTL, Mode.SMART_RTL)
        rtl_landed = returning and self._homing.stage is Stage.LAND
        if self.mode is Mode.LAND or rtl_landed or (self.mode is Mode.AUTO and self.auto.landing):
            self.disarm(force=True)
            return
        self._idle_s += dt_s
        delay = self.parameters["DISARM_DELAY"]
        if delay > 0.0 and self._idle_s >= delay:
            self.disarm(force=True)
