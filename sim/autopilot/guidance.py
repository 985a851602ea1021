"""GUIDED: following setpoints until they expire, short of the fence."""

from dataclasses import replace

from sim.autopilot.avoid import slowed
from sim.autopilot.fence import Fence
from sim.autopilot.flight import AttitudeDemand, Flight, Sensed, Yaw, YawAim
from sim.autopilot.guided import Setpoint
from sim.autopilot.parameters import Parameters
from sim.control.reference import Target


class Guidance:
    """What GUIDED flies. Its caller leaves it on every change of mode and steps it at 100 Hz."""

    def __init__(self, flight: Flight, fence: Fence, parameters: Parameters) -> None:
        self._flight = flight
        self._fence = fence
        self._parameters = parameters
        self._until_s: float | None = None
        self._setpoint: Setpoint | None = None
        self._paused: Target | None = None

    def leave(self) -> None:
        """Forget what was asked for."""
        self._until_s = None
        self._setpoint = None

    def take(self, setpoint: Setpoint | None, sensed: Sensed, now_s: float) -> bool:
        """Take a setpoint; None stops the vehicle. Return whether it was taken.

        A place outside the fence is refused, and the vehicle goes on with what it was doing.
        """
        if setpoint is None:
            self.leave()
            self._flight.hold()
            return True
        target = setpoint.target
        if target.position_n is not None and target.down is not None:
            north, east = target.position_n
            if not self._fence.contains(north, east, target.down):
                return False
        self._until_s = now_s + self._timeout() if setpoint.expires else None
        self._setpoint = setpoint
        self._flight.track(self._short_of_fence(target, sensed), setpoint.yaw)
        return True

    def take_attitude(self, demand: AttitudeDemand, now_s: float) -> None:
        """Take an attitude."""
        self._setpoint = None
        self._until_s = now_s + self._timeout()
        self._flight.demand_attitude(demand)

    def pause(self) -> None:
        """Hold the movement."""
        self._paused = self._flight.target
        self._flight.hold()

    def resume(self) -> None:
        """Go on with a movement that was held."""
        if self._paused is not None:
            self._flight.track(self._paused, Yaw(YawAim.AHEAD))
            self._paused = None

    def step(self, sensed: Sensed, now_s: float) -> None:
        """Hold what leads out of the fence, and end what has expired."""
        setpoint = self._setpoint
        if setpoint is not None and setpoint.target.position_n is None:
            # The nose may have been told to look elsewhere since.
            self._flight.track(self._short_of_fence(setpoint.target, sensed))
        if self._until_s is not None and now_s > self._until_s:
            self.leave()
            turning = self._flight.yaw.aim is YawAim.RATE
            self._flight.track(Target(), Yaw(YawAim.HOLD) if turning else None)

    def _short_of_fence(self, target: Target, sensed: Sensed) -> Target:
        """Return a target whose velocity, if that is all it gives, does not leave the fence."""
        if target.position_n is not None or target.down is not None:
            return target
        at = sensed.motion.position_n
        velocity = slowed(target.velocity_n, at, self._fence, self._parameters)
        return replace(target, velocity_n=velocity)

    def _timeout(self) -> float:
        return max(self._parameters["GUID_TIMEOUT"], 0.1)
