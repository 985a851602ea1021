"""The real ArduCopter flies our physics, and flies them as its own.

Both vehicles fly one plan: take off to 20 m, a square of 40 m, home. Times are of the vehicle's
clock, so neither the machine nor a neighbour on it counts.
"""

import contextlib
import json
import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from tests.e2e.processes import Process
from tests.e2e.vehicles import COPTER_PARAMETERS, HOME, ArduCopter, Line

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.ardupilot,
    pytest.mark.skipif(ArduCopter.binary() is None, reason="no ArduCopter SITL"),
]
HEIGHT, SIDE = 20.0, 40.0
WALL_S = 150.0


@dataclass
class Flight:
    """What a flight showed; times of the vehicle's clock. [s]"""

    climb_s: float = 0.0
    legs_s: list[float] = field(default_factory=list)
    home_s: float = 0.0
    hover_us: float = 0.0
    landed_m: float = 0.0
    gained: float = 0.0  # vehicle seconds per wall second, of the whole flight


class Pilot:
    """A ground station on the serial line itself: there is no companion here."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._mav = mavlink.MAVLink(None, 255, 190)
        self._mav.robust_parsing = True
        self.last: dict[str, mavlink.MAVLink_message] = {}
        self.texts: list[str] = []
        self.now_s = 0.0
        self._deadline = time.monotonic() + WALL_S

    def send(self, message: mavlink.MAVLink_message) -> None:
        self._line.write(bytes(message.pack(self._mav)))

    def command(self, command: int, *params: float) -> None:
        padded = [*params, *[0.0] * (7 - len(params))]
        self.send(mavlink.MAVLink_command_long_message(1, 1, command, 0, *padded))

    def listen(self) -> None:
        data = self._line.read()
        if not data:
            time.sleep(0.001)
            assert time.monotonic() < self._deadline, f"too slow: {self.texts}"
        for message in self._mav.parse_buffer(data) or ():
            self.last[message.get_type()] = message
            if message.get_type() == "STATUSTEXT":
                self.texts.append(message.text)
            if message.get_type() == "LOCAL_POSITION_NED":
                self.now_s = message.time_boot_ms * 1e-3

    def until(self, condition, again=lambda: None, every_s: float = 1.0) -> float:
        """Wait for a condition, doing something again and again; return the time taken."""
        began = sent = self.now_s
        again()
        while not condition():
            self.listen()
            if self.now_s - sent > every_s:
                sent = self.now_s
                again()
        return self.now_s - began

    @property
    def place(self) -> tuple[float, float, float]:
        at = self.last["LOCAL_POSITION_NED"]
        return at.x, at.y, at.z

    @property
    def armed(self) -> bool:
        return bool(self.last["HEARTBEAT"].base_mode & mavlink.MAV_MODE_FLAG_SAFETY_ARMED)


def fly(line: Line) -> Flight:
    """Fly the plan. Settings and commands are sent until they show, as the line may lose them."""
    pilot, flight = Pilot(line), Flight()

    def streams() -> None:
        for message, interval in ((32, 50_000), (36, 100_000)):
            pilot.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, message, interval)

    while "LOCAL_POSITION_NED" not in pilot.last:
        streams()
        for _ in range(100):
            pilot.listen()
    began_s, wall_s = pilot.now_s, time.monotonic()
    pilot.until(lambda: any("is using GPS" in text for text in pilot.texts), streams)
    guided = lambda: pilot.command(mavlink.MAV_CMD_DO_SET_MODE, 1, 4)  # noqa: E731
    pilot.until(lambda: pilot.last["HEARTBEAT"].custom_mode == 4, guided)
    pilot.until(lambda: pilot.armed, lambda: pilot.command(400, 1), 2.0)
    origin = pilot.place
    start_s = pilot.now_s
    take_off = lambda: pilot.command(mavlink.MAV_CMD_NAV_TAKEOFF, *[0] * 6, HEIGHT)  # noqa: E731
    pilot.until(lambda: pilot.place[2] - origin[2] < -0.2, take_off, 3.0)
    left_s = pilot.now_s
    pilot.until(lambda: pilot.place[2] - origin[2] < -(HEIGHT - 0.5))
    flight.climb_s = pilot.now_s - left_s
    assert left_s - start_s < 10.0
    still_s, pulses = pilot.now_s + 4.0, []
    pilot.until(lambda: pilot.now_s > still_s)
    while len(pulses) < 30:
        pilot.last.pop("SERVO_OUTPUT_RAW", None)
        pilot.until(lambda: "SERVO_OUTPUT_RAW" in pilot.last)
        out = pilot.last["SERVO_OUTPUT_RAW"]
        pulses.append((out.servo1_raw + out.servo2_raw + out.servo3_raw + out.servo4_raw) / 4)
    flight.hover_us = sum(pulses) / len(pulses)
    for corner in ((SIDE, 0.0), (SIDE, SIDE), (0.0, SIDE), (0.0, 0.0)):
        north, east = origin[0] + corner[0], origin[1] + corner[1]
        down = origin[2] - HEIGHT

        def go(north=north, east=east, down=down) -> None:
            pilot.send(
                mavlink.MAVLink_set_position_target_local_ned_message(
                    0, 1, 1, 1, 0xDF8, north, east, down, *[0.0] * 8
                )
            )

        def there(north=north, east=east) -> bool:
            return math.hypot(pilot.place[0] - north, pilot.place[1] - east) < 1.0

        flight.legs_s.append(pilot.until(there, go, 5.0))
    rtl = lambda: pilot.command(mavlink.MAV_CMD_DO_SET_MODE, 1, 6)  # noqa: E731
    pilot.send(
        mavlink.MAVLink_set_position_target_local_ned_message(
            0, 1, 1, 1, 0xDF8, origin[0] + SIDE, origin[1], origin[2] - HEIGHT, *[0.0] * 8
        )
    )
    pilot.until(lambda: pilot.place[0] - origin[0] > SIDE - 1.0)
    back_s = pilot.now_s
    pilot.until(lambda: pilot.last["HEARTBEAT"].custom_mode == 6, rtl)
    pilot.until(lambda: not pilot.armed)
    flight.home_s = pilot.now_s - back_s
    flight.landed_m = math.hypot(pilot.place[0] - origin[0], pilot.place[1] - origin[1])
    flight.gained = (pilot.now_s - began_s) / (time.monotonic() - wall_s)
    return flight


@contextlib.contextmanager
def copter(
    directory: Path, model: str, speedup: int, *extra: str
) -> Iterator[tuple[Line, Process]]:
    directory.mkdir()
    parameters = directory / "copter.parm"
    parameters.write_text(COPTER_PARAMETERS.replace("FRAME_TYPE 0", "FRAME_TYPE 1"))
    line = Line()
    argv = [ArduCopter.binary(), "--model", model, "--defaults", parameters, "-w"]
    argv += ["--serial0", f"uart:{line.device}:921600", "--serial1", "none", "--serial2", "none"]
    argv += ["--speedup", str(speedup), "--home", ",".join(map(str, (*HOME, 0))), *extra]
    process = Process("arducopter", argv, directory)
    try:
        yield line, process
    finally:
        # Waiting for physics that are gone, it does not hear SIGTERM.
        process.stop(signal.SIGKILL)
        line.close()


@contextlib.contextmanager
def physics(directory: Path, *arguments: str) -> Iterator[Process]:
    argv = [sys.executable, "-m", "sekisho", "sim", "--ardupilot-json", "--json", *arguments]
    process = Process("sim", argv, directory)
    try:
        process.expect("127.0.0.1:9002", 20)
        yield process
    finally:
        process.stop()


def summary(process: Process) -> dict[str, float]:
    return json.loads(process.output[process.output.index("{") :])


def test_it_flies_our_physics_as_it_flies_its_own(tmp_path):
    with copter(tmp_path / "own", "x", 20) as (line, _):
        own = fly(line)
    with (
        physics(tmp_path, "--silence", "2") as sim,
        copter(tmp_path / "json", "JSON", 100) as (line, process),
    ):
        ours = fly(line)
        os.kill(process.pid, signal.SIGKILL)  # ArduPilot vanishes: the physics end by themselves
        assert sim.wait(10) == 0
    told = summary(sim)
    print(json.dumps({"own": vars(own), "ours": vars(ours), "physics": told}))
    assert ours.landed_m < 1.0
    assert ours.climb_s == pytest.approx(own.climb_s, rel=0.1)
    assert ours.hover_us - 1000.0 == pytest.approx(own.hover_us - 1000.0, rel=0.1)
    assert sum(ours.legs_s) == pytest.approx(sum(own.legs_s), rel=0.1)
    assert ours.home_s == pytest.approx(own.home_s, rel=0.1)
    assert told["gaps"] == 0


def test_physics_that_vanish_and_come_back_fly_on(tmp_path):
    """ArduPilot waits; the new physics answer the frame it asks for again, and time goes on."""
    with copter(tmp_path / "json", "JSON", 100) as (line, process):
        with physics(tmp_path) as sim:
            pilot = Pilot(line)
            pilot.until(lambda: "HEARTBEAT" in pilot.last)
            assert sim.stop() == 0
        assert process.is_running()
        with physics(tmp_path):
            pilot.last.clear()
            pilot.until(lambda: "HEARTBEAT" in pilot.last)


def test_a_taken_port_is_named(tmp_path):
    with physics(tmp_path):
        second = Process(
            "second", [sys.executable, "-m", "sekisho", "sim", "--ardupilot-json"], tmp_path
        )
        assert second.wait(20) == 1
        assert "--port 9002" in second.output
        assert "free port" in second.output
        second.stop()
