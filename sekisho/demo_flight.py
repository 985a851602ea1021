"""The scripted flight of the demonstration, flown by ordinary pymavlink over the gateway."""

import math
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from pymavlink import mavutil

from wire.mavlink import dialect

GUIDED: Final = 4
RTL: Final = 6
TAKEOFF_M: Final = 10.0
SIDE_M: Final = 20.0
_REACHED_M = 1.0
_POSITION_ONLY = 0xDF8
_RESEND_S = 2.0


class Flight(msgspec.Struct):
    """What became of one flight."""

    name: str
    armed: bool = False
    max_altitude_m: float = 0.0
    distance_m: float = 0.0
    landed: bool = False
    disarmed: bool = False
    duration_s: float = 0.0
    error: str | None = None


class FlightError(Exception):
    """The flight did not go as scripted."""


class Pilot:
    """Fly one vehicle through a loopback MAVLink endpoint, as any ground software would."""

    def __init__(
        self, name: str, endpoint: str, deadline_s: float, report: Callable[[str], None]
    ) -> None:
        self.flight = Flight(name)
        self._connection = mavutil.mavlink_connection(
            endpoint, source_system=255, source_component=dialect.MAV_COMP_ID_MISSIONPLANNER
        )
        self._deadline_s = deadline_s
        self._report = report
        self._next_heartbeat_s = 0.0
        self._armed = False
        self._mode: int | None = None
        self._position: tuple[float, float, float] | None = None
        self._ack: dict[int, int] = {}

    def fly(self, in_hover: Callable[["Pilot"], None] | None = None) -> Flight:
        """Arm, take off, fly a square in GUIDED, return, land, wait for the disarm.

        Args:
            in_hover: Called once, after the take-off; the operator is silent until it returns.
        """
        started_s = time.monotonic()
        try:
            self._fly(in_hover)
        except FlightError as error:
            self.flight.error = str(error)
        finally:
            self.flight.duration_s = round(time.monotonic() - started_s, 2)
            self.flight.max_altitude_m = round(self.flight.max_altitude_m, 2)
            self.flight.distance_m = round(self.flight.distance_m, 2)
            self._connection.close()
        return self.flight

    def turn(self) -> None:
        """Give one harmless command."""
        self._connection.mav.command_long_send(
            self._connection.target_system,
            self._connection.target_component,
            dialect.MAV_CMD_CONDITION_YAW,
            0,
            *(90.0, 20.0, 1.0, 0.0, 0.0, 0.0, 0.0),
        )

    def _fly(self, in_hover: Callable[["Pilot"], None] | None) -> None:
        self._until(lambda: self._mode is not None, "hear the vehicle")
        self._report("vehicle heard")
        self._connection.mav.request_data_stream_send(
            self._connection.target_system,
            self._connection.target_component,
            dialect.MAV_DATA_STREAM_ALL,
            10,
            1,
        )
        self._until(lambda: self._position is not None, "know its position")
        self._command(dialect.MAV_CMD_DO_SET_MODE, lambda: self._mode == GUIDED, 1, GUIDED)
        self._command(dialect.MAV_CMD_COMPONENT_ARM_DISARM, lambda: self._armed, 1)
        self.flight.armed = True
        self._report("armed")
        self._command(
            dialect.MAV_CMD_NAV_TAKEOFF, lambda: self._altitude() > TAKEOFF_M - _REACHED_M,
            0, 0, 0, 0, 0, 0, TAKEOFF_M,
        )  # fmt: skip
        self._report(f"took off to {self._altitude():.1f} m")
        if in_hover is not None:
            in_hover(self)
        assert self._position is not None
        north, east, _ = self._position
        for dn, de in ((SIDE_M, 0.0), (SIDE_M, SIDE_M), (0.0, SIDE_M), (0.0, 0.0)):
            self._go_to((north + dn, east + de, -TAKEOFF_M))
            self._report(f"reached corner {dn:.0f} m north, {de:.0f} m east")
        self._command(dialect.MAV_CMD_NAV_RETURN_TO_LAUNCH, lambda: self._mode == RTL)
        self._report("returning")
        self._until(lambda: self._altitude() < _REACHED_M, "land")
        self._until(lambda: not self._armed, "disarm after landing")
        self.flight.landed = self.flight.disarmed = True
        self._report("landed and disarmed")

    def _go_to(self, target: tuple[float, float, float]) -> None:
        def send() -> None:
            self._connection.mav.set_position_target_local_ned_send(
                0,
                self._connection.target_system,
                self._connection.target_component,
                dialect.MAV_FRAME_LOCAL_NED,
                _POSITION_ONLY,
                *target,
                *(0.0,) * 8,
            )

        def is_there() -> bool:
            assert self._position is not None
            return _distance(self._position, target) < _REACHED_M

        self._until(is_there, f"reach {target}", send)

    def _command(self, number: int, done: Callable[[], bool], *params: float) -> None:
        """Give a command until the vehicle's state shows that it was followed."""
        values = [*params, *(0.0,) * (7 - len(params))]

        def send() -> None:
            if self._ack.get(number) != dialect.MAV_RESULT_ACCEPTED:
                self._connection.mav.command_long_send(
                    self._connection.target_system,
                    self._connection.target_component,
                    number,
                    0,
                    *values,
                )

        name = dialect.enums["MAV_CMD"][number].name
        self._until(done, f"follow {name}", send)

    def _until(
        self, done: Callable[[], bool], what: str, again: Callable[[], None] | None = None
    ) -> None:
        next_send_s = 0.0
        while not done():
            now_s = time.monotonic()
            if now_s > self._deadline_s:
                raise FlightError(f"the vehicle did not {what} in time")
            if now_s >= self._next_heartbeat_s and self._mode is not None:
                self._next_heartbeat_s = now_s + 1.0
                self._connection.mav.heartbeat_send(
                    dialect.MAV_TYPE_GCS, dialect.MAV_AUTOPILOT_INVALID, 0, 0, 0
                )
            if again is not None and now_s >= next_send_s:
                next_send_s = now_s + _RESEND_S
                again()
            message = self._connection.recv_match(blocking=True, timeout=0.1)
            if message is not None:
                self._receive(message)

    def _receive(self, message: Any) -> None:  # noqa: ANN401 - generated classes carry no types
        match message.get_type():
            case "HEARTBEAT" if message.get_srcComponent() == dialect.MAV_COMP_ID_AUTOPILOT1:
                self._armed = bool(message.base_mode & dialect.MAV_MODE_FLAG_SAFETY_ARMED)
                self._mode = message.custom_mode
            case "LOCAL_POSITION_NED":
                position = (message.x, message.y, message.z)
                if self._position is not None and self._armed:
                    self.flight.distance_m += _distance(position, self._position)
                self._position = position
                self.flight.max_altitude_m = max(self.flight.max_altitude_m, -message.z)
            case "COMMAND_ACK":
                self._ack[message.command] = message.result
            case "STATUSTEXT":
                self._report(f"autopilot: {message.text}")
            case _:
                pass

    def _altitude(self) -> float:
        return 0.0 if self._position is None else -self._position[2]


def _distance(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
    return math.dist(a, b)
