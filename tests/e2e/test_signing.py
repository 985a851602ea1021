"""The signed line of the autopilot in real processes, set up by `sekisho signing`.

With the real ArduCopter the line is SERIAL1: port 0 takes unsigned frames whatever its key.
"""

import json
import os
import signal
import subprocess
import time
from base64 import b64decode
from pathlib import Path

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from sim.autopilot.signing import LineSigning
from tests.e2e.pilot import Pilot
from tests.e2e.processes import ENVIRONMENT, wait_until
from tests.e2e.stack import SEKISHO, Stack
from tests.e2e.vehicles import ArduCopter, EmbeddedAutopilot
from wire.mavlink import FrameSplitter

VEHICLES = [
    pytest.param("embedded", marks=pytest.mark.e2e),
    pytest.param("arducopter", marks=[pytest.mark.e2e, pytest.mark.ardupilot]),
]


@pytest.fixture(params=VEHICLES)
def vehicle(request, tmp_path):
    directory = tmp_path / "vehicle"
    directory.mkdir()
    if request.param == "embedded":
        vehicle = EmbeddedAutopilot(directory)
    elif ArduCopter.binary() is None:
        pytest.skip("no ArduCopter SITL: set SEKISHO_ARDUCOPTER or have `arducopter` on PATH")
    else:
        vehicle = ArduCopter(directory, port=1)
    yield vehicle
    vehicle.stop()
    print(vehicle.output[-2000:])


@pytest.fixture
def stack(vehicle, tmp_path):
    stack = Stack(tmp_path / "stack", vehicle.device)
    yield stack
    print(stack.report())


def signing(stack, action, *rest):
    """Run `sekisho signing`; return what it reports, or why it refuses."""
    argv = [*SEKISHO, "signing", action, "--config", stack.configs["drone"], "--json", *rest]
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=30, env=ENVIRONMENT, check=False
    )
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


class Tap:
    """Whoever has a wire on the companion's end of the line, with the key if he is given it."""

    def __init__(self, vehicle):
        self._device = vehicle.device
        self._signing = LineSigning()

    def learn(self, key):
        self._signing = LineSigning((key, 0))
        hour_s = 3600  # ahead of everybody
        self._signing.timestamp = (int(time.time()) + hour_s - 1_420_070_400) * 100_000

    def put(self, message, system=255, component=190):
        packer = mavlink.MAVLink(None, srcSystem=system, srcComponent=component)
        line = os.open(self._device, os.O_WRONLY | os.O_NOCTTY)
        os.write(line, self._signing.sign(bytes(message.pack(packer))))
        os.close(line)


def autopilot_status(stack):
    return stack.status("drone")["autopilot"]


def parameter(pilot, name):
    pilot.latest.pop("PARAM_VALUE", None)
    asked = time.monotonic() - 1

    def told():
        nonlocal asked
        if time.monotonic() - asked > 0.5:
            asked = time.monotonic()
            pilot.connection.mav.param_request_read_send(1, 1, name.encode(), -1)
        value = pilot.latest.get("PARAM_VALUE")
        return value is not None and value.param_id == name

    pilot.until(told, 10, name)
    return pilot.latest["PARAM_VALUE"].param_value


def key_file(stack):
    return stack.drone_state / "autopilot.key"


def secret_is_nowhere(stack, pilot):
    """The key is in its file and in nothing else that was written, said or sent."""
    text = json.loads(key_file(stack).read_text())["key"]
    forms = (text.encode(), b64decode(text), b64decode(text).hex().encode())
    written = [
        path.read_bytes()
        for path in stack.drone_state.parent.rglob("*")
        if path.is_file() and path != key_file(stack)
    ]
    written += [said.encode() for said in stack.said]
    for process in stack.processes.values():
        written.append(process.output.encode())
        written += [Path(f"/proc/{process.pid}/{n}").read_bytes() for n in ("environ", "cmdline")]
    written.append(bytes(pilot.plain))
    assert not [form for form in forms for data in written if form in data]
    assert not any(frame[2] for frame in FrameSplitter().receive(bytes(pilot.plain)))
    assert "SETUP_SIGNING" not in pilot.heard


@pytest.mark.slow
def test_a_signed_line_from_setup_to_flight_to_off(stack, vehicle):
    assert signing(stack, "status") == {"state": "off", "autopilot": None}
    assert signing(stack, "setup") == {"state": "on", "autopilot": 1}
    assert key_file(stack).stat().st_mode & 0o777 == 0o600
    stack.start()
    stack.await_link()
    stack.await_autopilot()
    assert "in use" in signing(stack, "off")  # the service has the line
    with Pilot(f"udpout:127.0.0.1:{stack.udp_port}") as pilot:
        pilot.connect()
        assert autopilot_status(stack)["signing"] == "on"

        # What is not signed is nothing; signed, the same is obeyed.
        tap = Tap(vehicle)
        before = parameter(pilot, "FS_GCS_ENABLE")
        change = mavlink.MAVLink_param_set_message(1, 1, b"FS_GCS_ENABLE", 5 - before, 9)
        tap.put(change)
        tap.put(change, 1, 1)
        time.sleep(0.5)
        assert parameter(pilot, "FS_GCS_ENABLE") == before
        tap.learn(b64decode(json.loads(key_file(stack).read_text())["key"]))
        tap.put(change)
        wait_until(lambda: parameter(pilot, "FS_GCS_ENABLE") == 5 - before, 5, "it is obeyed")
        change.param_value = before
        tap.put(change)

        pilot.set_mode(4)
        pilot.arm(90)
        pilot.take_off(8, 60)

        # The companion is killed in the air, and is back before anybody misses it.
        stack.stop("drone", number=signal.SIGKILL)
        stack.start("drone")
        stack.await_autopilot(5)
        stack.await_link()
        assert autopilot_status(stack)["dropped"].keys() <= {"old_signature", "garbage_bytes"}
        pilot.until(lambda: stack.link_state("drone") == "ok", 10, "the pilot is heard again")
        pilot.set_mode(9)
        pilot.until(lambda: not pilot.is_armed(), 60, "landed")

        # The autopilot restarts, having stored an older time than it has used.
        tap.put(mavlink.MAVLink_command_long_message(1, 1, 246, 0, 1, 0, 0, 0, 0, 0, 0))
        time.sleep(1)
        stack.await_autopilot(15)
        pilot.latest.clear()
        pilot.until(lambda: "HEARTBEAT" in pilot.latest, 10, "the autopilot is back")
        assert parameter(pilot, "FS_GCS_ENABLE") == before
        assert autopilot_status(stack)["dropped"].keys() <= {"old_signature", "garbage_bytes"}
        secret_is_nowhere(stack, pilot)
    stack.stop()
    assert signing(stack, "off") == {"state": "off", "autopilot": 1}
    assert not key_file(stack).exists()
    stack.start()
    stack.await_autopilot()
    assert autopilot_status(stack)["signing"] == "off"


@pytest.mark.slow
@pytest.mark.parametrize("vehicle", VEHICLES[1:], indirect=True)
def test_a_lost_key_is_replaced_over_usb(stack, vehicle):
    """The way back: port 0 of the autopilot takes unsigned frames whatever its key."""
    assert signing(stack, "setup")["state"] == "on"
    key_file(stack).unlink()
    assert "a key that is not here" in signing(stack, "setup")
    assert signing(stack, "status")["state"] == "off"
    assert "did not follow" in signing(stack, "setup", "--replace")  # this is no USB port
    assert signing(stack, "status")["state"] == "off"
    with vehicle.on_usb() as usb:
        assert signing(stack, "setup", "--replace", "--device", usb)["state"] == "on"
    stack.start("drone")
    stack.await_autopilot()
    assert autopilot_status(stack)["signing"] == "on"
