"""AUTO: flying the stored mission item by item."""

import math
from collections.abc import Callable
from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.flight import Flight, Sensed, Task, Yaw, YawAim
from sim.autopilot.frame import Ground
from sim.autopilot.homing import Homing, land
from sim.autopilot.items import NAMES, Item
from sim.autopilot.mission import Mission
from sim.autopilot.outbox import Outbox, Severity
from sim.autopilot.parameters import Parameters
from sim.control.reference import Target

_REACHED_TOLD: Final = frozenset(
    {
        dialect.MAV_CMD_NAV_WAYPOINT,
        dialect.MAV_CMD_NAV_SPLINE_WAYPOINT,
        dialect.MAV_CMD_NAV_LOITER_TIME,
    }
)
_CLIMBED_M: Final = 0.3
_YAW_DONE: Final = math.radians(2.0)


class Auto:
    """Runs the mission through the flight tasks. Its caller enters, steps and leaves it.

    `act` does what an action asks of the vehicle besides flying: its home, its fence.
    """

    def __init__(
        self,
        flight: Flight,
        ground: Ground,
        mission: Mission,
        parameters: Parameters,
        outbox: Outbox,
        act: Callable[[Item], None],
    ) -> None:
        self._act = act
        self._flight = flight
        self._ground = ground
        self._mission = mission
        self._parameters = parameters
        self._outbox = outbox
        self._homing = Homing(flight, ground, parameters)
        self._paused: Target | None = None
        self._until_s: float | None = None
        self._action_until_s = 0.0
        self._waiting = True
        self._finished = False
        self._takeoff_down = 0.0
        self.go = False

    @property
    def paused(self) -> bool:
        """Tell whether DO_PAUSE_CONTINUE holds the mission."""
        return self._paused is not None

    @property
    def landing(self) -> bool:
        """Tell whether the vehicle is to disarm when it touches down."""
        return self._flight.task is Task.DESCEND or self._finished

    def enter(self) -> None:
        """Start or resume with the next step."""
        self._paused = None
        self._waiting = True
        self._finished = False
        self.go = not self._flight.landed

    def leave(self) -> None:
        """Stop the mission where it is."""
        self._mission.stop()

    def pause(self) -> bool:
        """Hold; return whether that is possible now (only on the way to a waypoint)."""
        if self._flight.task is not Task.TRACK or self._paused is not None:
            return self._paused is not None
        self._paused = self._flight.target
        self._flight.hold()
        return True

    def resume(self) -> bool:
        """Go on; return whether the mission was held."""
        if self._paused is None:
            return False
        self._flight.track(self._paused, Yaw(YawAim.AHEAD))
        self._paused = None
        return True

    def set_current(self, index: int, sensed: Sensed) -> None:
        """Jump to an item, in flight if the mission runs."""
        nav = self._mission.set_current(index)
        if nav is not None:
            self._begin(nav, sensed)

    def step(self, sensed: Sensed, now_s: float) -> None:
        """Start when possible; go on when an item is done."""
        if self._waiting:
            if self._ground.origin is None or not self._flight.armed:
                return
            self._waiting = False
            nav = self._mission.start_or_resume()
            if nav is not None:
                self._begin(nav, sensed)
            return
        if not self._mission.running:
            if self._mission.present and self.go and not self._finished and self._flight.landed:
                self._waiting = True
            return
        if self._paused is not None or not self.go:
            return
        self._run_actions(sensed, now_s)
        if self._nav_done(sensed, now_s):
            assert self._mission.nav is not None
            self._reached(self._mission.nav)
            nav = self._mission.advance()
            if nav is None:
                self._finish()
            else:
                self._begin(nav, sensed)

    def _begin(self, index: int, sensed: Sensed) -> None:
        item = self._mission.items[index]
        for jump, done, times in self._mission.jumps_made:
            limit = "unlimited" if times < 0 else str(times)
            self._outbox.text(Severity.INFO, f"Mission: {jump} Jump {done}/{limit}")
        self._mission.jumps_made.clear()
        self._say(index)
        self._until_s = None
        flight, ground = self._flight, self._ground
        here = flight.reference.stopping_point()
        place = ground.item_north_east(item) or (here[0], here[1])
        match item.command:
            case dialect.MAV_CMD_NAV_TAKEOFF:
                down = ground.item_down(item)
                self._takeoff_down = down
                if not flight.landed:
                    self._takeoff_down = min(down, here[2])
                    flight.track(Target(place, self._takeoff_down), Yaw(YawAim.HOLD))
            case dialect.MAV_CMD_NAV_RETURN_TO_LAUNCH:
                self._homing.begin(sensed)
            case dialect.MAV_CMD_NAV_LAND:
                flight.track(Target(place, here[2]), Yaw(YawAim.AHEAD))
            case dialect.MAV_CMD_NAV_DELAY:
                flight.hold()
                self._outbox.text(Severity.INFO, f"Delaying {int(item.param1)} sec")
            case _:
                down = ground.item_down(item) if item.z or item.x or item.y else here[2]
                flight.track(Target(place, down), Yaw(YawAim.AHEAD))

    def _nav_done(self, sensed: Sensed, now_s: float) -> bool:
        assert self._mission.nav is not None
        item = self._mission.items[self._mission.nav]
        flight = self._flight
        match item.command:
            case dialect.MAV_CMD_NAV_TAKEOFF:
                return self._takeoff_step(sensed)
            case dialect.MAV_CMD_NAV_RETURN_TO_LAUNCH:
                self._homing.step(sensed, now_s)
                return flight.landed
            case dialect.MAV_CMD_NAV_LAND:
                return self._land_step(sensed)
            case dialect.MAV_CMD_NAV_LOITER_UNLIM:
                return False
            case dialect.MAV_CMD_NAV_DELAY:
                return self._waited(item.param1, now_s)
            case _:
                arrived = self._until_s is not None or self._arrived(sensed)
                return arrived and self._waited(item.param1, now_s)

    def _takeoff_step(self, sensed: Sensed) -> bool:
        flight = self._flight
        if flight.task is Task.GROUNDED:
            flight.begin_takeoff(self._takeoff_down, sensed.motion)
        climb = self._takeoff_down - sensed.motion.position_n[2]
        return flight.takeoff_done() or (flight.task is Task.TRACK and abs(climb) < _CLIMBED_M)

    def _land_step(self, sensed: Sensed) -> bool:
        flight = self._flight
        if flight.task is Task.TRACK and self._arrived(sensed):
            flight.descend(flight.reference.limits.speed_down, north_east=flight.target.position_n)
        land(flight, self._ground, self._parameters, sensed)
        return flight.landed

    def _arrived(self, sensed: Sensed) -> bool:
        flight = self._flight
        down = flight.target.down
        radius = max(self._parameters["WPNAV_RADIUS"] / 100.0, 0.05)
        near = flight.distance_to_target(sensed.motion) < radius
        return near and (down is None or abs(down - sensed.motion.position_n[2]) < radius)

    def _waited(self, delay_s: float, now_s: float) -> bool:
        if self._until_s is None:
            self._until_s = now_s + delay_s
        return now_s >= self._until_s

    def _run_actions(self, sensed: Sensed, now_s: float) -> None:
        if self._mission.action is not None:
            index = self._mission.action
            if self._condition_done(self._mission.items[index], sensed, now_s):
                self._finish_action(index)
            return
        index_or_none = self._mission.next_action()
        if index_or_none is None:
            return
        item = self._mission.items[index_or_none]
        self._say(index_or_none)
        if item.is_condition:
            self._action_until_s = now_s + item.param1
            if item.command == dialect.MAV_CMD_CONDITION_YAW:
                self._flight.yaw = condition_yaw(item, self._flight.heading_sp)
            return
        if item.command == dialect.MAV_CMD_DO_CHANGE_SPEED and item.param2 > 0.0:
            change_speed(self._flight, item.param1, item.param2)
        self._act(item)
        self._finish_action(index_or_none)

    def _finish_action(self, index: int) -> None:
        self._outbox.send(dialect.MAVLink_mission_item_reached_message(index))
        self._mission.finish_action()

    def _condition_done(self, item: Item, sensed: Sensed, now_s: float) -> bool:
        match item.command:
            case dialect.MAV_CMD_CONDITION_DELAY:
                return now_s >= self._action_until_s
            case dialect.MAV_CMD_CONDITION_DISTANCE:
                return self._flight.distance_to_target(sensed.motion) < max(item.param1, 0.0)
            case _:
                yaw = self._flight.yaw
                off = abs(math.remainder(yaw.angle - self._flight.heading_sp, 2.0 * math.pi))
                return yaw.aim is not YawAim.ANGLE or off < _YAW_DONE

    def _finish(self) -> None:
        self._finished = True
        if not self._flight.landed:
            self._flight.hold()

    def _say(self, index: int) -> None:
        item = self._mission.items[index]
        self._outbox.text(Severity.INFO, f"Mission: {index} {NAMES[item.command]}")

    def _reached(self, index: int) -> None:
        command = self._mission.items[index].command
        if command != dialect.MAV_CMD_NAV_LAND:
            self._outbox.send(dialect.MAVLink_mission_item_reached_message(index))
        if command in _REACHED_TOLD:
            self._outbox.text(Severity.INFO, f"Reached command #{index}")


def condition_yaw(item: Item, heading: float) -> Yaw:
    """Return the heading demand of CONDITION_YAW: angle, rate, direction, relative [deg]."""
    relative = item.param4 > 0.0
    direction = int(item.param3)
    angle = math.radians(item.param1)
    if relative:
        angle = heading + (-angle if direction < 0 else angle)
        direction = 0
    return Yaw(YawAim.ANGLE, angle, math.radians(item.param2), direction)


def change_speed(flight: Flight, kind: float, speed: float) -> bool:
    """Act on DO_CHANGE_SPEED: ground, climb or descent speed. Return whether it is one of them."""
    match int(kind):
        case 0 | 1:
            flight.reference.change_speed(speed=speed)
        case 2:
            flight.reference.change_speed(up=speed)
        case 3:
            flight.reference.change_speed(down=speed)
        case _:
            return False
    return True
