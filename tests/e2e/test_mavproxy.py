"""MAVProxy from PyPI, unmodified, on the endpoint that suits it: all parameters, and a flight."""

import re

import pytest

from tests.e2e.matrix import on_every_vehicle
from tests.e2e.mavproxy import MavProxy
from tests.e2e.processes import wait_until
from tests.e2e.vehicles import HOME

pytestmark = on_every_vehicle

NORTH_EAST = (HOME[0] + 0.0003, HOME[1] + 0.0003)


@pytest.fixture
def mavproxy(stack, tmp_path):
    mavproxy = MavProxy(tmp_path, stack.out_port)
    yield mavproxy
    mavproxy.stop()
    print(mavproxy.process.output[-5000:])


def test_parameters_and_flight(mavproxy, stack, vehicle):
    # By MAVFTP from the real ArduCopter, one by one from an autopilot without it.
    mavproxy.process.expect("Saved ", 60)
    received = re.search(r"(?:Received|Saved) (\d+) parameters", mavproxy.process.output)
    assert int(received[1]) >= vehicle.parameters

    mavproxy.type("param set WPNAV_SPEED 700", "")
    mavproxy.insist("param show WPNAV_SPEED", "WPNAV_SPEED      700.0", 10)

    # MAVProxy asks for streams once in 15 s, the first time perhaps before it knows whom to ask.
    mavproxy.process.say("set streamrate 5")
    mavproxy.insist("status GLOBAL_POSITION_INT", "hdg", 20)

    mavproxy.type("mode GUIDED", "Mode GUIDED")
    mavproxy.insist("arm throttle", "COMPONENT_ARM_DISARM: ACCEPTED", 120 / vehicle.speedup)
    mavproxy.type("takeoff 12", "NAV_TAKEOFF: ACCEPTED")
    wait_until(lambda: mavproxy.position().height > 11, 60 / vehicle.speedup, "12 m")

    latitude, longitude = NORTH_EAST
    mavproxy.type(f"guided {latitude} {longitude} 15", "DO_REPOSITION: ACCEPTED")
    wait_until(
        lambda: mavproxy.distance_to(latitude, longitude) < 1.5, 120 / vehicle.speedup, "there"
    )

    landed = mavproxy.process.say("mode RTL")
    mavproxy.process.expect("Mode RTL", 10, after=landed)
    mavproxy.process.expect("DISARMED", 240 / vehicle.speedup, after=landed)
    assert mavproxy.distance_to(*HOME[:2]) < 1

    mavproxy.stop()
    stack.check_counters()


def test_forced_arming_is_denied(mavproxy):
    mavproxy.process.expect("Saved ", 60)
    mavproxy.type("arm throttle force", "COMPONENT_ARM_DISARM: DENIED")
