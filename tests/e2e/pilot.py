"""A scripted pilot on pymavlink, as people write them."""

import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from tests.e2e.vehicles import distance

Message = Any


class Pilot:
    """A pymavlink connection that keeps what it hears and sends a heartbeat every second."""

    def __init__(self, url: str, source_system: int = 255) -> None:
        self.connection = mavutil.mavlink_connection(url, source_system=source_system)
        self.latest: dict[str, Message] = {}
        self.heard: Counter[str] = Counter()
        self.texts: list[str] = []
        self.plain = bytearray()  # every frame, as it came
        self._heartbeat_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def listen(self, timeout_s: float = 0.1) -> Message | None:
        """Take one message, if one comes in time."""
        if time.monotonic() >= self._heartbeat_at:
            self._heartbeat_at = time.monotonic() + 1
            self.connection.mav.heartbeat_send(
                mavlink.MAV_TYPE_GCS, mavlink.MAV_AUTOPILOT_INVALID, 0, 0, 0
            )
        message = self.connection.recv_match(blocking=True, timeout=timeout_s)
        if message is None:
            return None
        name = message.get_type()
        self.plain += message.get_msgbuf()
        self.heard[name] += 1
        # The companion and the gateway have heartbeats of their own.
        if name != "HEARTBEAT" or message.get_srcComponent() == mavlink.MAV_COMP_ID_AUTOPILOT1:
            self.latest[name] = message
        if name == "STATUSTEXT":
            self.texts.append(message.text)
        return message

    def until(self, condition: Callable[[], object], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}; {self.texts}"
            self.listen()

    def connect(self, timeout_s: float = 20) -> None:
        """Wait for the autopilot and ask for its streams."""
        self.until(lambda: "HEARTBEAT" in self.latest, timeout_s, "a heartbeat")
        heartbeat = self.latest["HEARTBEAT"]
        self.connection.target_system = heartbeat.get_srcSystem()
        self.connection.target_component = heartbeat.get_srcComponent()
        self.connection.mav.request_data_stream_send(
            self.connection.target_system, 1, mavlink.MAV_DATA_STREAM_ALL, 5, 1
        )
        self.until(lambda: "GLOBAL_POSITION_INT" in self.latest, timeout_s, "a position")

    def command(self, number: int, *values: float, timeout_s: float = 5) -> int:
        """Send a COMMAND_LONG; return the result in its acknowledgement."""
        parameters = [*values, *[0.0] * (7 - len(values))]
        self.connection.mav.command_long_send(
            self.connection.target_system, 1, number, 0, *parameters
        )
        return self.acknowledged(number, timeout_s)

    def acknowledged(self, number: int, timeout_s: float = 5) -> int:
        """Wait for the COMMAND_ACK of a command just sent; return its result."""
        self.latest.pop("COMMAND_ACK", None)

        def answered() -> bool:
            ack = self.latest.get("COMMAND_ACK")
            return ack is not None and ack.command == number

        self.until(answered, timeout_s, f"an answer to command {number}")
        return self.latest["COMMAND_ACK"].result

    def set_mode(self, number: int) -> None:
        flag = mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED
        for _ in range(5):  # command may be on its way to the disk still
            if self.command(mavlink.MAV_CMD_DO_SET_MODE, flag, number) == 0:
                break
            pause = time.monotonic() + 0.5
            self.until(lambda pause=pause: time.monotonic() > pause, 2, "a pause")
        else:
            raise AssertionError(self.texts[-20:])
        self.until(lambda: self.latest["HEARTBEAT"].custom_mode == number, 5, f"mode {number}")

    def arm(self, timeout_s: float) -> None:
        """Arm as soon as the autopilot lets us: it waits for its position estimate."""
        deadline = time.monotonic() + timeout_s
        while not self.is_armed():  # and again, if its own failsafe has disarmed it meanwhile
            assert time.monotonic() < deadline, (
                f"not armed within {timeout_s:g} s: {self.texts[-20:]}"
            )
            is_accepted = self.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0
            pause = time.monotonic() + (2.0 if is_accepted else 0.5)
            self.until(
                lambda pause=pause: self.is_armed() or time.monotonic() > pause, 4, "a pause"
            )

    def take_off(self, height: float, timeout_s: float) -> None:
        for _ in range(6):  # not in the two seconds in which motors spool up
            if self.command(mavlink.MAV_CMD_NAV_TAKEOFF, 0, 0, 0, 0, 0, 0, height) == 0:
                break
            pause = time.monotonic() + 1
            self.until(lambda pause=pause: time.monotonic() > pause, 2, "a pause")
        else:
            raise AssertionError(self.texts[-20:])
        self.until(lambda: self.height() > height - 1, timeout_s, f"{height:g} m")

    def is_armed(self) -> bool:
        return bool(self.latest["HEARTBEAT"].base_mode & mavlink.MAV_MODE_FLAG_SAFETY_ARMED)

    def height(self) -> float:
        return self.latest["GLOBAL_POSITION_INT"].relative_alt * 1e-3

    def distance_to(self, latitude_deg: float, longitude_deg: float) -> float:
        position = self.latest["GLOBAL_POSITION_INT"]
        return distance(position.lat * 1e-7, position.lon * 1e-7, latitude_deg, longitude_deg)
