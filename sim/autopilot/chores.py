"""What the autopilot does by its own clock: ask for the time, remind of checks, count its life."""

from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.command import as_int32
from sim.autopilot.outbox import Outbox, Severity
from sim.autopilot.parameters import ParameterProtocol, Parameters
from sim.autopilot.vehicle import Vehicle

_PREARM_SAY_S: Final = 30.0
_STATISTICS_S: Final = 30.0
_TIMESYNC_NS: Final = 10_000_000_000


class Chores:
    """Owned by the autopilot, which steps it at 100 Hz. The zero state is power-up."""

    def __init__(
        self,
        vehicle: Vehicle,
        parameters: Parameters,
        protocol: ParameterProtocol,
        outbox: Outbox,
    ) -> None:
        self._vehicle = vehicle
        self._parameters = parameters
        self._protocol = protocol
        self._outbox = outbox
        self._timesync_ns = _TIMESYNC_NS
        self._prearm_s = 0.0
        self._statistics_s = 0.0
        self._flight_s = 0.0

    def step(self, now_ns: int, dt_s: float) -> None:
        """Do what is due."""
        self._ask_time(now_ns)
        self._say_prearm(dt_s)
        self._keep_statistics(now_ns * 1e-9, dt_s)

    def _ask_time(self, now_ns: int) -> None:
        """Ask the link for its time every 10 s, as ArduPilot does."""
        if now_ns >= self._timesync_ns:
            self._timesync_ns = now_ns + _TIMESYNC_NS
            self._outbox.send(dialect.MAVLink_timesync_message(0, now_ns))

    def _say_prearm(self, dt_s: float) -> None:
        """Say every 30 s why a disarmed vehicle would not arm."""
        if self._vehicle.flight.armed:
            return
        self._prearm_s += dt_s
        if self._prearm_s >= _PREARM_SAY_S:
            self._prearm_s = 0.0
            for reason in self._vehicle.arming_reasons():
                self._outbox.text(Severity.CRITICAL, f"PreArm: {reason}")

    def _keep_statistics(self, now_s: float, dt_s: float) -> None:
        if self._vehicle.flight.armed and not self._vehicle.flight.landed:
            self._flight_s += dt_s
        self._statistics_s += dt_s
        if self._statistics_s < _STATISTICS_S:
            return
        self._statistics_s = 0.0
        for name, value in (("STAT_FLTTIME", self._flight_s), ("STAT_RUNTIME", now_s)):
            if as_int32(value) != int(self._parameters[name]):
                self._parameters.store(name, as_int32(value))
                self._protocol.announce(name)
