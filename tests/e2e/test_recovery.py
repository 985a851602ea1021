"""Processes that die and are told to end: in flight, and on the ground."""

import signal

import pytest

from tests.e2e.pilot import Pilot
from tests.e2e.processes import wait_until

GUIDED, RTL = 4, 6


@pytest.mark.parametrize("killed", ["drone", "ground"])
def test_the_link_comes_back_in_flight(killed, stack, vehicle):
    with Pilot(f"udpout:127.0.0.1:{stack.udp_port}") as pilot:
        pilot.connect()
        pilot.set_mode(GUIDED)
        pilot.arm(timeout_s=120 / vehicle.speedup)
        pilot.take_off(6, timeout_s=60 / vehicle.speedup)

        stack.stop(killed, number=signal.SIGKILL)
        other = "ground" if killed == "drone" else "drone"
        wait_until(lambda: stack.link_state(other) == "lost", 5, f"the {other} notices")
        stack.start(killed)
        stack.await_link()

        # The same client, which has not been told of anything, flies on.
        pilot.latest.clear()
        pilot.until(lambda: "HEARTBEAT" in pilot.latest, 10, "telemetry again")
        pilot.set_mode(RTL)
        pilot.until(lambda: not pilot.is_armed(), 240 / vehicle.speedup, "landed, disarmed")


@pytest.mark.e2e
@pytest.mark.parametrize("kind", ["drone", "ground"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_service_ends_when_told(kind, number, code, bench):
    bench.start(kind)
    process = bench.processes[kind]
    assert bench.stop(kind, number=number) == code
    assert "Traceback" not in process.output
    bench.start(kind)  # and nothing it left behind is in the way


@pytest.mark.e2e
def test_a_second_instance_is_refused(bench):
    bench.start("drone")
    again = bench.run("drone")
    assert again.returncode == 1
    assert "already running" in again.stderr
    assert bench.status("drone")["pid"] == bench.processes["drone"].pid
