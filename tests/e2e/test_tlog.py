"""A recorded flight of the real ArduCopter, byte for byte through companion, link and gateway."""

import select
import socket
import time
from pathlib import Path

import pytest

from tests.e2e.processes import wait_until

pytestmark = pytest.mark.e2e

TLOG = Path(__file__).parents[1] / "data" / "tlog" / "arducopter-guided-flight.tlog"
BYTES_PER_S = 92_160  # 921600 baud


def recorded_frames():
    """Read a .tlog: 8 bytes of time, then the frame."""
    data, at = TLOG.read_bytes(), 0
    frames = []
    while at < len(data):
        signature = 13 if data[at + 10] & 1 else 0
        end = at + 8 + 12 + data[at + 9] + signature
        frames.append(data[at + 8 : end])
        at = end
    return frames


@pytest.fixture
def tools(bench):
    """A TCP client and a UDP listener, as ground software connects."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        udp.bind(("127.0.0.1", bench.out_port))
        bench.start()
        bench.await_link()
        with socket.create_connection(("127.0.0.1", bench.tcp_port)) as tcp:
            time.sleep(0.2)  # until the gateway has taken us in
            yield {tcp: bytearray(), udp: bytearray()}


def collect(tools, timeout_s):
    for tool in select.select(list(tools), [], [], timeout_s)[0]:
        tools[tool] += tool.recv(65536)


def test_every_frame_arrives_once_and_in_order(bench, line, tools):
    frames = recorded_frames()
    stream = b"".join(frames)
    assert len(frames) == 23_737

    started, sent = time.monotonic(), 0
    while sent < len(stream):
        due = min(len(stream), int((time.monotonic() - started) * BYTES_PER_S))
        assert line.write(stream[sent:due]), "the companion reads its line"
        sent = due
        collect(tools, 0.002)
    deadline = time.monotonic() + 3
    while any(len(got) < len(stream) for got in tools.values()) and time.monotonic() < deadline:
        collect(tools, 0.1)
    print(f"{len(frames)} frames, {len(stream)} bytes in {time.monotonic() - started:.1f} s")

    for got in tools.values():
        assert got == stream
    wait_until(lambda: bench.status("drone")["autopilot"]["frames"] == len(frames), 2, "counted")
    assert bench.status("ground")["link"]["frames_down"] == len(frames)
