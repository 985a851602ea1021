"""Trouble on the wires: no autopilot, garbage, strangers on the link. The services keep running."""

import os
import random
import socket
import time

import pytest
from pymavlink.dialects.v10 import ardupilotmega as mavlink1
from pymavlink.dialects.v20 import ardupilotmega as mavlink2

from flightcore.port_scan import BAUDS
from tests.e2e.between import BenchAutopilot
from tests.e2e.pilot import Pilot
from tests.e2e.processes import wait_until
from tests.e2e.stack import NAME, Stack, pair_lab
from tests.e2e.vehicles import Line

pytestmark = pytest.mark.e2e


def line_state(stack):
    return stack.status("drone")["autopilot"]["line"]


def test_a_missing_device_is_awaited(bench, line, tmp_path):
    device = tmp_path / "ttyAMA0"
    bench.set_device(device)
    bench.start()
    bench.await_link()
    assert line_state(bench) == "absent"
    bench.processes["drone"].expect(f"autopilot.device = {str(device)!r} cannot be opened", 5)

    device.symlink_to(line.device)
    with BenchAutopilot(line):
        bench.await_autopilot(5)


def test_a_device_that_vanishes_and_returns(bench, tmp_path):
    device = tmp_path / "ttyUSB0"
    bench.set_device(device)
    first = Line()
    device.symlink_to(first.device)
    with BenchAutopilot(first):
        bench.start()
        bench.await_link()
        bench.await_autopilot()
    device.unlink()
    first.close()
    wait_until(lambda: line_state(bench) == "absent", 5, "the companion notices")
    assert bench.status("drone")["autopilot"]["state"] == "silent"
    assert bench.status("ground")["peers"][NAME]["state"] == "live"

    second = Line()
    device.symlink_to(second.device)
    with BenchAutopilot(second) as autopilot:
        bench.await_autopilot(5)
        with Pilot(f"udpout:127.0.0.1:{bench.udp_port}") as pilot:
            pilot.until(lambda: autopilot.take(), 10, "what the pilot says arrives")
    bench.stop()
    second.close()


def test_a_speed_that_is_not_given_is_found(bench, line):
    config = bench.configs["drone"]
    config.write_text(config.read_text().replace("baud = 921600", 'baud = "auto"', 1))
    bench.start("drone")
    assert bench.status("drone")["autopilot"]["baud"] == "auto"
    with BenchAutopilot(line):
        bench.await_autopilot(15)
        status = bench.status("drone")["autopilot"]
        assert (status["device"], status["line"]) == (str(line.device), "open")
        assert status["baud"] in BAUDS
        bench.stop("drone")


def test_garbage_from_the_autopilot_is_counted(bench, line):
    noise = random.Random(20261121)
    bench.start()
    bench.await_link()
    with (
        BenchAutopilot(line) as autopilot,
        Pilot(f"udpout:127.0.0.1:{bench.udp_port}") as pilot,
    ):
        pilot.until(lambda: "HEARTBEAT" in pilot.latest, 10, "telemetry")
        for _ in range(20):
            assert line.write(noise.randbytes(500))
            assert line.write(b"\xfd\xff\x00\x00" + noise.randbytes(20))  # the start of a frame
            pilot.latest.clear()
            pilot.until(lambda: "HEARTBEAT" in pilot.latest, 10, "telemetry, still")
        assert not any(name.startswith("BAD") for name in pilot.heard)
        pilot.until(lambda: autopilot.take(), 10, "commands, still")
    assert bench.status("drone")["autopilot"]["dropped"]["garbage_bytes"] > 5_000


def test_plaintext_mavlink_at_the_secure_port_is_counted(bench, line):
    with BenchAutopilot(line) as autopilot:
        bench.start()
        bench.await_link()
        bench.await_autopilot()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for dialect in (mavlink1, mavlink2):
                packer = dialect.MAVLink(None, srcSystem=255, srcComponent=190)
                arm = dialect.MAVLink_command_long_message(1, 1, 400, 0, 1, 0, 0, 0, 0, 0, 0)
                for _ in range(50):
                    frame = bytes(arm.pack(packer))
                    stranger.sendto(frame, ("127.0.0.1", bench.link_port))
            wait_until(
                lambda: bench.dropped("drone").get("plaintext_mavlink") == 100, 5, "100 counted"
            )
            stranger.setblocking(False)
            with pytest.raises(BlockingIOError):
                stranger.recv(2048)  # a stranger gets no answer
        assert autopilot.take() == []


def test_noise_at_the_secure_port_does_nothing(bench, line):
    noise = random.Random(20261121)
    with BenchAutopilot(line) as autopilot:
        bench.start()
        bench.await_link()
        bench.await_autopilot()
        before = sum(bench.dropped("drone").values())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(500):
                datagram = noise.randbytes(noise.choice((0, 1, 3, 4, 20, 25, 76, 84, 500, 3000)))
                stranger.sendto(datagram, ("127.0.0.1", bench.link_port))
                time.sleep(0.0005)
        wait_until(lambda: sum(bench.dropped("drone").values()) >= before + 500, 5, "all counted")
        assert autopilot.take() == []
        bench.await_link()


def test_a_station_with_other_keys_gets_no_session(bench, line, tmp_path):
    stranger = Stack(tmp_path / "stranger", line.device, called=bench.link_port)
    try:
        with BenchAutopilot(line) as autopilot:
            bench.start("drone")
            stranger.start("ground")
            wait_until(lambda: bench.dropped("drone").get("bad_mac", 0) >= 3, 10, "calls dropped")
            with Pilot(f"udpout:127.0.0.1:{stranger.udp_port}") as pilot:
                deadline = time.monotonic() + 1
                while time.monotonic() < deadline:
                    assert pilot.listen() is None
            assert autopilot.take() == []
        assert stranger.status("ground")["peers"][NAME]["state"] == "none"
        assert bench.status("drone")["link"]["handshakes"] == 0
        # The right one is not kept waiting by it.
        bench.start("ground")
        bench.await_link(5)
    finally:
        print(stranger.report())


def test_one_half_of_a_new_pairing_is_not_enough(bench, tmp_path):
    """The ground is paired anew, the drone still holds the old record."""
    pair_lab(tmp_path / "elsewhere", bench.ground_state, replace=True)
    bench.start()
    wait_until(lambda: sum(bench.dropped("drone").values()) >= 3, 10, "calls are dropped")
    assert bench.status("ground")["peers"][NAME]["state"] == "none"


def test_nonsense_from_a_tool_goes_nowhere(bench, line):
    with BenchAutopilot(line) as autopilot:
        bench.start()
        bench.await_link()
        bench.await_autopilot()
        with socket.create_connection(("127.0.0.1", bench.tcp_port)) as tool:
            tool.sendall(os.urandom(100_000))
            packer = mavlink1.MAVLink(None, srcSystem=255, srcComponent=190)
            arm = mavlink1.MAVLink_command_long_message(1, 1, 400, 0, 1, 0, 0, 0, 0, 0, 0)
            tool.sendall(bytes(300) + bytes(arm.pack(packer)))
            wait_until(lambda: bench.dropped("ground").get("tools_mavlink1", 0) >= 1, 5, "counted")
        assert autopilot.take() == []
        bench.await_link()
