"""`sekisho doctor` as people type it: with the service running and without, on both autopilots."""

import json

import pytest

from tests.e2e.pilot import Pilot
from tests.e2e.second import type_command
from tests.e2e.stack import Stack
from tests.e2e.vehicles import ArduCopter, EmbeddedAutopilot

CHANGED = {"FS_GCS_ENABLE", "FS_OPTIONS", "FENCE_ENABLE"}
FACTORY = [
    pytest.param(EmbeddedAutopilot, id="embedded", marks=pytest.mark.e2e),
    pytest.param(ArduCopter, id="arducopter", marks=[pytest.mark.e2e, pytest.mark.ardupilot]),
]


@pytest.fixture(scope="module", params=FACTORY)
def factory(request, tmp_path_factory):
    """An autopilot as it comes: its failsafes and its fence are off."""
    kind = request.param
    if kind is ArduCopter and ArduCopter.binary() is None:
        pytest.skip("no ArduCopter SITL: set SEKISHO_ARDUCOPTER or have `arducopter` on PATH")
    vehicle = kind(tmp_path_factory.mktemp("vehicle"), is_safe=False)
    yield vehicle
    vehicle.stop()


def findings(done):
    return {f["name"]: f for f in json.loads(done.stdout)["findings"]}


def doctor(stack, *words, stdin=""):
    return type_command(stack.configs["drone"], "doctor", *words, stdin=stdin)


def set_parameter(stack, pilot, name, value):
    """Write as ground software does, once more after a second if need be."""
    for _ in range(5):
        pilot.connection.mav.param_set_send(1, 1, name.encode(), value, 9)
        pilot.until(lambda: True, 1, "")
        for _ in range(20):
            pilot.listen(0.05)
        message = pilot.latest.get("PARAM_VALUE")
        if message is not None and message.param_id == name and message.param_value == value:
            return
    raise AssertionError(f"{name} not set")


def test_parameters_are_proposed_and_written_without_a_service(factory, tmp_path):
    stack = Stack(tmp_path, factory.device)
    done = doctor(stack, "--json")
    assert done.returncode == 1, done.stderr
    found = findings(done)
    assert {name for name in CHANGED if found[name]["level"] == "wrong"} == CHANGED
    assert "--fix-parameters" in found["FS_GCS_ENABLE"]["fix"]
    # Not confirmed, nothing happens.
    done = doctor(stack, "--fix-parameters", stdin="y\n")
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    # Confirmed, two of three: the third is left for the service.
    done = doctor(stack, "--fix-parameters", stdin="yes\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FS_OPTIONS: written" in done.stderr
    assert doctor(stack).returncode == 0


def test_through_the_running_service(factory, tmp_path):
    stack = Stack(tmp_path, factory.device)
    try:
        stack.start()
        stack.await_link()
        stack.await_autopilot()
        assert doctor(stack, "--fix-parameters", "--yes").returncode == 0
        status = stack.status("drone")["prearm"]
        assert status["open"]
        # The line is the service's: what is written goes through it, and nothing but the table's.
        with Pilot(f"udpout:127.0.0.1:{stack.udp_port}") as pilot:
            pilot.until(lambda: "HEARTBEAT" in pilot.latest, 20, "a heartbeat")
        done = doctor(stack, "--json")
        found = findings(done)
        assert found["sekisho drone"]["text"].startswith("answers")
        assert found["link.udp.bind"]["level"] == "ok"
        assert found["FENCE_ENABLE"]["level"] == "ok"
    finally:
        print(stack.report())


@pytest.mark.e2e
def test_usage(tmp_path, line):
    stack = Stack(tmp_path, line.device)
    assert doctor(stack, "--json", "--fix-parameters").returncode == 2
    done = doctor(stack, "--json")
    assert done.returncode == 1
    assert findings(done)["autopilot"]["text"] == "no heartbeat is heard"
    stack.set_device(tmp_path / "none")
    done = doctor(stack)
    assert done.returncode == 1
    assert "there is no such device" in done.stdout
    stack.configs["drone"].write_text("[autopilot]\n")
    assert doctor(stack).returncode == 2
