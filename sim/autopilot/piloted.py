"""The modes flown by the sticks."""

import math
from typing import Final

from sim.autopilot.avoid import slowed
from sim.autopilot.fence import Fence
from sim.autopilot.flight import AttitudeDemand, Flight, Sensed, Task, Yaw, YawAim
from sim.autopilot.parameters import Parameters
from sim.autopilot.sticks import Sticks
from sim.control.reference import Target
from sim.control.vector import clamp, from_euler

_DEADBAND: Final = 0.1
_PILOT_TILT: Final = math.radians(30.0)


class Piloted:
    """Turns stick positions into flight tasks; a low throttle descends, as on the real one."""

    def __init__(
        self, flight: Flight, sticks: Sticks, parameters: Parameters, fence: Fence
    ) -> None:
        self._flight = flight
        self._sticks = sticks
        self._parameters = parameters
        self._fence = fence

    def loiter(self, sensed: Sensed, now_s: float) -> None:
        """LOITER and POSHOLD: the sticks ask for velocities; let go, the vehicle stays."""
        roll, pitch, throttle, yaw = self._sticks.demand(now_s)
        climb = self._climb(throttle)
        if self._flight.task is Task.GROUNDED:
            if climb > 0.0:
                self._flight.lift_off(sensed.motion)
            return
        heading = self._flight.heading_sp
        roll, pitch = _centred(roll), _centred(pitch)
        speed = 0.5 * self._parameters["LOIT_SPEED"] / 100.0
        north = speed * (-pitch * math.cos(heading) - roll * math.sin(heading))
        east = speed * (-pitch * math.sin(heading) + roll * math.cos(heading))
        wanted = (north, east, -climb)
        velocity = slowed(wanted, sensed.motion.position_n, self._fence, self._parameters)
        self._flight.track(Target(velocity_n=velocity), self._yaw(yaw))

    def alt_hold(self, now_s: float, dt_s: float) -> None:
        """ALT_HOLD: the sticks ask for tilt and climb rate."""
        roll, pitch, throttle, yaw = self._sticks.demand(now_s)
        climb = self._climb(throttle)
        if self._flight.task is Task.GROUNDED and climb <= 0.0:
            return
        self._flight.demand_attitude(self._attitude(roll, pitch, yaw, dt_s, climb, None))

    def stabilize(self, now_s: float, dt_s: float) -> None:
        """STABILIZE: the sticks ask for tilt and thrust."""
        roll, pitch, throttle, yaw = self._sticks.demand(now_s)
        if self._flight.task is Task.GROUNDED and throttle <= _DEADBAND:
            return
        # The middle of the stick hovers.
        hover = self._parameters["MOT_THST_HOVER"]
        thrust = (
            2.0 * throttle * hover
            if throttle < 0.5
            else hover + (throttle - 0.5) * 2 * (1.0 - hover)
        )
        self._flight.demand_attitude(self._attitude(roll, pitch, yaw, dt_s, None, thrust))

    def _attitude(
        self,
        roll: float,
        pitch: float,
        yaw: float,
        dt_s: float,
        climb: float | None,
        thrust: float | None,
    ) -> AttitudeDemand:
        rate = self._yaw(yaw).rate
        heading = self._flight.heading_sp + rate * dt_s
        attitude = from_euler(roll * _PILOT_TILT, pitch * _PILOT_TILT, heading)
        return AttitudeDemand(attitude, (0.0, 0.0, rate), climb, thrust)

    def _climb(self, throttle: float) -> float:
        off = 2.0 * throttle - 1.0
        if abs(off) < _DEADBAND:
            return 0.0
        share = (abs(off) - _DEADBAND) / (1.0 - _DEADBAND)
        up = self._parameters["PILOT_SPEED_UP"] / 100.0
        down = self._parameters["PILOT_SPEED_DN"] / 100.0 or up
        self._flight.reference.change_speed(up=up, down=down)
        return share * up if off > 0.0 else -share * down

    def _yaw(self, yaw: float) -> Yaw:
        if abs(yaw) < _DEADBAND / 2.0:
            return Yaw(YawAim.RATE, rate=0.0)
        rate = math.radians(clamp(self._parameters["PILOT_Y_RATE"], 1.0, 360.0))
        return Yaw(YawAim.RATE, rate=yaw * rate)


def _centred(stick: float) -> float:
    return 0.0 if abs(stick) < _DEADBAND else stick
