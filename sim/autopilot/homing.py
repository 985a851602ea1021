"""Return to launch: climb, fly home, wait, land. Also used by a mission's RTL item."""

import math
from enum import StrEnum
from typing import Final

from sim.autopilot.flight import Flight, Sensed, Task, Yaw, YawAim
from sim.autopilot.frame import Ground
from sim.autopilot.parameters import Parameters
from sim.control.reference import Target
from sim.control.vector import Vec3

_ARRIVED_M: Final = 0.3
# Inside the cone the vehicle still climbs this much, if RTL_ALT allows.
_CLIMB_LEAST_M: Final = 2.5
# Of SmartRTL: how near a point counts as passed, and where it ends above the start.
_PASSED_M: Final = 2.0
_OVER_START_M: Final = 2.0


class Stage(StrEnum):
    """How far the return has come."""

    CLIMB = "climb"
    RETURN = "return"
    WAIT = "wait"
    LAND = "land"
    RETRACE = "retrace"
    STAY = "stay"


class Homing:
    """One return at a time. `begin` starts it anew, `retrace` along a trail."""

    def __init__(self, flight: Flight, ground: Ground, parameters: Parameters) -> None:
        self._flight = flight
        self._ground = ground
        self._parameters = parameters
        self.stage = Stage.CLIMB
        self._wait_until_s = 0.0
        self._place = (0.0, 0.0)
        self._way: list[Vec3] = []

    def begin(self, sensed: Sensed) -> None:
        """Climb to the return altitude, above the vehicle or on a cone around home."""
        p = sensed.motion.position_n
        parameters = self._parameters
        north, east = self._place = self._ground.return_north_east(
            (p[0], p[1]),
            limit_m=1e3 * parameters["RALLY_LIMIT_KM"],
            include_home=bool(parameters["RALLY_INCL_HOME"]),
        )
        away = math.hypot(p[0] - north, p[1] - east)
        above_home = self._ground.home_down - p[2]
        wanted = max(parameters["RTL_ALT"] / 100.0, above_home)
        wanted = max(wanted, above_home + parameters["RTL_CLIMB_MIN"] / 100.0)
        slope = parameters["RTL_CONE_SLOPE"]
        if slope >= 0.5:
            wanted = max(min(wanted, max(away * slope, above_home + _CLIMB_LEAST_M)), above_home)
        self.stage = Stage.CLIMB
        stop = self._flight.reference.stopping_point()
        self._flight.track(
            Target((stop[0], stop[1]), self._ground.home_down - wanted), Yaw(YawAim.HOLD)
        )

    def retrace(self, way: list[Vec3]) -> None:
        """Fly along points to the last, and two metres over that one, go down to land."""
        self._way = [*way[:-1], (way[-1][0], way[-1][1], way[-1][2] - _OVER_START_M)]
        self.stage = Stage.RETRACE
        self._next_point()

    def step(self, sensed: Sensed, now_s: float) -> None:
        """Go on to the next stage when one is done."""
        flight = self._flight
        match self.stage:
            case Stage.RETRACE:
                self._retrace_step()
            case Stage.STAY:
                pass
            case Stage.CLIMB:
                if self._settled():
                    self.stage = Stage.RETURN
                    flight.track(
                        Target(self._place, flight.target.down),
                        Yaw(YawAim.AHEAD),
                    )
            case Stage.RETURN:
                if flight.distance_to_target(sensed.motion) < 0.5 and self._settled():
                    self.stage = Stage.WAIT
                    self._wait_until_s = now_s + self._parameters["RTL_LOIT_TIME"] / 1000.0
            case Stage.WAIT:
                if now_s >= self._wait_until_s:
                    self._arrive()
            case Stage.LAND:
                land(flight, self._ground, self._parameters, sensed)

    def _retrace_step(self) -> None:
        if self._way and self._settled(_PASSED_M):
            self._next_point()
        elif not self._way and self._settled():
            self._arrive()

    def _next_point(self) -> None:
        north, east, down = self._way.pop(0)
        self._flight.track(Target((north, east), down), Yaw(YawAim.AHEAD))

    def _arrive(self) -> None:
        """Go down to land, or to RTL_ALT_FINAL to stay there."""
        final_m = self._parameters["RTL_ALT_FINAL"] / 100.0
        if final_m <= 0.0:
            self.stage = Stage.LAND
            self._land()
            return
        self.stage = Stage.STAY
        place = self._flight.target.position_n
        self._flight.track(Target(place, self._ground.home_down - final_m), Yaw(YawAim.HOLD))

    def _settled(self, within: float = _ARRIVED_M) -> bool:
        flight = self._flight
        target, at = flight.target, flight.reference.position_n
        assert target.position_n is not None
        assert target.down is not None
        away = math.hypot(target.position_n[0] - at[0], target.position_n[1] - at[1])
        return away < within and abs(target.down - at[2]) < within

    def _land(self) -> None:
        self._flight.descend(
            self._flight.reference.limits.speed_down,
            north_east=self._flight.target.position_n,
        )


def land(flight: Flight, ground: Ground, parameters: Parameters, sensed: Sensed) -> None:
    """Keep sinking: fast above LAND_ALT_LOW, at LAND_SPEED below it."""
    if flight.task is not Task.DESCEND:
        return
    high = sensed.motion.position_n[2] < ground.home_down - parameters["LAND_ALT_LOW"] / 100.0
    fast = parameters["LAND_SPEED_HIGH"] / 100.0 or flight.reference.limits.speed_down
    speed = fast if high else parameters["LAND_SPEED"] / 100.0
    if speed != flight.land_speed:
        flight.descend(speed, north_east=flight.target.position_n)
