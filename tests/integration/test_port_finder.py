"""The autopilot is found on real ptys whose far ends see at which speed they were opened.

Mutants killed: the radio's device is tried; a device that is in use ends the search; a line on
which the autopilot fell silent for long is kept.
"""

import asyncio
import random
import termios
import threading
import time
from contextlib import ExitStack

import pytest
import serial
from pymavlink.dialects.v20 import ardupilotmega as dialect

from flightcore.aio import port_finder
from flightcore.aio.port_finder import AutoLine, candidates, find
from flightcore.autopilot import Autopilot
from flightcore.config import AutopilotConfig
from flightcore.port_scan import Trial
from tests.e2e.vehicles import Line
from tests.integration.test_serial_line import until

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

SPEEDS = {getattr(termios, f"B{n}"): n for n in (9600, 57600, 115200, 230400, 460800, 921600)}
BEAT = dialect.MAVLink_heartbeat_message(2, 3, 81, 0, 3, 3)


class Device:
    """What is at the far end: it speaks at `baud`, and anything else is noise."""

    def __init__(self, baud, component=1):
        self.line = Line()
        self.baud = baud
        self.received = b""
        self.ended = threading.Event()
        packer = dialect.MAVLink(None, srcSystem=1, srcComponent=component)
        self.beat = bytes(BEAT.pack(packer))
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @property
    def path(self):
        return str(self.line.device)

    def run(self):
        noise = random.Random(1)
        while not self.ended.wait(0.2):
            if self.baud is None:
                continue
            opened_at = SPEEDS.get(termios.tcgetattr(self.line.fileno())[5])
            self.line.write(self.beat if opened_at == self.baud else noise.randbytes(30), 0.1)
            self.received += self.line.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.line.close()


def test_the_autopilot_is_found_among_others_at_its_own_speed(tmp_path):
    with Device(None) as silent, Device(921600, 154) as gimbal, Device(57600) as autopilot:
        devices = [silent.path, gimbal.path, str(tmp_path / "ttyNone"), autopilot.path]
        config = AutopilotConfig("auto", "auto")
        assert find(config, lambda: devices) == Trial(autopilot.path, 57600)
        assert silent.received == gimbal.received == autopilot.received == b""  # it only listens
        known = AutopilotConfig(autopilot.path, 57600)
        assert find(known, lambda: []) == Trial(autopilot.path, 57600)


def test_what_is_in_use_or_gone_is_passed_over(tmp_path):
    with Device(921600) as used, Device(921600) as autopilot, ExitStack() as held:
        held.enter_context(serial.Serial(used.path, exclusive=True))
        devices = [used.path, str(tmp_path), autopilot.path]
        found = find(AutopilotConfig("auto"), lambda: devices)
        assert found == Trial(autopilot.path, 921600)
        assert find(AutopilotConfig("auto"), lambda: devices[:2]) is None


def test_a_search_can_be_stopped():
    with Device(None) as silent:
        began = time.monotonic()
        stop_at = began + 0.3
        config = AutopilotConfig("auto")
        assert find(config, lambda: [silent.path] * 50, lambda: time.monotonic() > stop_at) is None
        assert time.monotonic() - began < 1


def test_devices_are_named_once_and_the_radio_not_at_all(tmp_path):
    names = ("ttyUSB0", "ttyUSB1", "ttyACM0", "null")
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "serial" / "by-id").mkdir(parents=True)
    lasting = tmp_path / "serial" / "by-id" / "usb-ArduPilot-if00"
    lasting.symlink_to("../../ttyACM0")
    radio = tmp_path / "radio"
    radio.symlink_to("ttyUSB0")
    found = [name for name in candidates(str(radio), root=tmp_path) if str(tmp_path) in name]
    assert found == [str(lasting), str(tmp_path / "ttyUSB1")]


def test_a_line_is_kept_while_an_autopilot_is_on_it_and_found_again_after(monkeypatch):
    monkeypatch.setattr(port_finder, "LOST_S", 1.0)

    async def follow():
        heard, lost = Autopilot(), []
        times = []

        def take(data):
            if heard.receive(data, time.monotonic_ns()):
                times.append(time.monotonic())

        with Device(921600) as first, Device(None) as second:
            line = AutoLine(
                AutopilotConfig("auto", "auto"),
                lambda: [first.path, second.path],
                take,
                lambda: lost.append(time.monotonic()),
                lambda: heard.is_heard(time.monotonic_ns()),
            )
            line.start()
            assert line.is_scheduled
            line.write(b"nobody there")
            assert line.unsent_dropped == 12
            await until(lambda: times)
            assert line.describe() == {"device": first.path, "baud": 921600}
            line.write(b"hello")
            await until(lambda: first.received == b"hello")
            # It falls silent for less than the time allowed, and then moves to another port.
            first.baud = None
            await asyncio.sleep(2.5)
            assert lost == []
            second.baud = 921600
            await until(lambda: line.describe()["device"] == second.path, 15)
            assert len(lost) == 1
            times.clear()
            await until(lambda: times)
            line.close()
            assert not line.is_open

    asyncio.run(follow())
