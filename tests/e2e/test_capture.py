"""What a listener of the link gets: nothing to read, and nothing that works a second time."""

import struct
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink
from pymavlink.generator.mavcrc import x25crc

from tests.e2e.between import BenchAutopilot, Captured, LinkProxy
from tests.e2e.pilot import Pilot
from tests.e2e.stack import Stack
from tests.e2e.vehicles import HOME, Line

GUIDED, RTL = 4, 6
PARAMETER = b"WPNAV_SPEED"
HEADER_BYTES = {0xFD: 10, 0xFE: 6}
SPEAKERS = {(1, 1), (1, 191), (255, 0)}  # autopilot, companion, pilot


class Flight(NamedTuple):
    """A captured flight: the link's datagrams, and what the tool saw in clear."""

    stack: Stack
    proxy: LinkProxy
    captured: list[Captured]
    plain: bytes

    @property
    def link_bytes(self) -> bytes:
        """All datagrams of one way, then all of the other: no offset is left out."""
        ways = (True, False)
        return b"".join(c.datagram for way in ways for c in self.captured if c.is_up is way)


@pytest.fixture(scope="module")
def flight(vehicle, tmp_path_factory) -> Iterator[Flight]:
    """Take off, read and write a parameter, fly, return; everything stopped but the proxy."""
    proxy = LinkProxy()
    stack = Stack(tmp_path_factory.mktemp("stack"), vehicle.device, called=proxy.port)
    proxy.drone_port = stack.link_port
    try:
        stack.start()
        stack.await_link()
        stack.await_autopilot()
        with Pilot(f"tcp:127.0.0.1:{stack.tcp_port}") as pilot:
            fly(pilot, vehicle)
            plain = pilot.plain
        stack.stop()
        yield Flight(stack, proxy, list(proxy.captured), bytes(plain))
    finally:
        print(stack.report())
        proxy.close()


def fly(pilot, vehicle):
    pilot.connect()
    for _ in range(12):
        pilot.connection.mav.param_request_read_send(1, 1, PARAMETER, -1)
        pilot.until(lambda: pilot.latest.pop("PARAM_VALUE", None), 5, "the parameter")
    pilot.connection.mav.param_set_send(1, 1, PARAMETER, 800.0, 9)
    pilot.set_mode(GUIDED)
    pilot.arm(timeout_s=120 / vehicle.speedup)
    pilot.take_off(8, timeout_s=60 / vehicle.speedup)
    pilot.set_mode(RTL)
    pilot.until(lambda: not pilot.is_armed(), 240 / vehicle.speedup, "landed, disarmed")


def mavlink_frames(data):
    """Find the frames with a valid checksum at any offset, the simple way."""
    frames = []
    for magic in HEADER_BYTES:
        at = data.find(magic)
        while at >= 0:
            frame = checked_frame(data, at)
            if frame:
                frames.append(frame)
            at = data.find(magic, at + 1)
    return frames


def checked_frame(data, at):
    header = HEADER_BYTES[data[at]]
    end = at + header + data[at + 1] if at + 1 < len(data) else len(data)
    if end + 2 > len(data):
        return None
    number = int.from_bytes(data[at + 7 : at + 10], "little") if header == 10 else data[at + 5]
    kind = mavlink.mavlink_map.get(number)
    if kind is None:
        return None
    crc = x25crc(data[at + 1 : end])
    crc.accumulate(bytes((kind.crc_extra,)))
    return data[at : end + 2] if crc.crc == int.from_bytes(data[end : end + 2], "little") else None


def speaker(frame):
    at = 5 if frame[0] == 0xFD else 3
    return frame[at], frame[at + 1]


def test_no_mavlink_on_the_link(flight):
    seen = [speaker(frame) for frame in mavlink_frames(flight.plain)]
    assert sum(who in SPEAKERS for who in seen) > 500, "the finder finds frames"
    # By chance one candidate in 65536 has a valid checksum; that it also names one of those who
    # speak here is no chance.
    assert [f for f in mavlink_frames(flight.link_bytes) if speaker(f) in SPEAKERS] == []


def encodings(degrees):
    whole = round(degrees * 1e7)
    for order in "<>":
        yield struct.pack(order + "i", whole)
        yield struct.pack(order + "f", degrees)
        yield struct.pack(order + "d", degrees)


def test_no_place_and_no_parameter_on_the_link(flight):
    home = struct.pack("<ii", round(HOME[0] * 1e7), round(HOME[1] * 1e7))
    assert flight.plain.count(home) > 10
    assert flight.plain.count(PARAMETER) > 10
    assert flight.link_bytes.count(PARAMETER) == 0
    for degrees in HOME[:2]:
        for encoded in encodings(degrees):
            # Four given bytes occur by chance in one capture out of thousands; twice, never.
            assert flight.link_bytes.count(encoded) <= 1


@pytest.mark.parametrize("restarted", [("drone",), ("ground",), ("drone", "ground")])
def test_a_replay_after_a_restart_does_nothing(restarted, flight):
    line = Line()
    stack = flight.stack
    stack.set_device(line.device)
    try:
        with BenchAutopilot(line) as autopilot:
            stack.start()
            stack.await_link()
            stack.await_autopilot()
            stack.stop(*restarted)
            stack.start(*restarted)
            stack.await_link()
            stack.await_autopilot()
            autopilot.take()
            replay(flight)
            assert autopilot.take() == []
            assert sum(stack.dropped("drone").values()) >= sum(c.is_up for c in flight.captured)
            stack.await_link()
            # And the pair still works.
            with Pilot(f"tcp:127.0.0.1:{stack.tcp_port}") as pilot:
                pilot.until(lambda: autopilot.take(), 10, "a frame of the pilot's arrives")
    finally:
        stack.stop()
        line.close()


def replay(flight):
    """Send all that was captured again, each to where it went and to the other end too."""
    for number, (_, datagram) in enumerate(flight.captured):
        flight.proxy.to_drone(datagram)
        flight.proxy.to_ground(datagram)
        if number % 50 == 0:
            time.sleep(0.01)  # not more than the sockets hold
    time.sleep(0.5)
