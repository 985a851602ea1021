"""A trajectory by the commands people type: planned, brought, flown by the embedded autopilot.

The vehicle flies in the seconds of the wall, for the control loop is a process of its own.
"""

import json
import signal
import subprocess
import time

import pytest

from tests.e2e.pilot import Pilot
from tests.e2e.processes import ENVIRONMENT, Process
from tests.e2e.second import Second, await_both
from tests.e2e.stack import NAME, SEKISHO, Stack
from tests.e2e.vehicles import HOME, ArduCopter, EmbeddedAutopilot

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

GUIDED, LOITER, RTL = 4, 5, 6
NORTH, EAST = 1e-5 / 1.11, 1e-5 / 1.11 / 0.8157  # degrees in a metre there, nearly
HEIGHT = 12


def field(directory, north=0.0, size=(24, 16)):
    """A GeoJSON rectangle whose corner is so far north of home [m]."""
    corners = [(north, 0), (north, size[1]), (north + size[0], size[1]), (north + size[0], 0)]
    ring = [[HOME[1] + e * EAST, HOME[0] + n * NORTH] for n, e in [*corners, corners[0]]]
    file = directory / "field.geojson"
    file.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    return file


class Desk:
    """The operator: a pilot's connection, kept alive while commands run."""

    def __init__(self, stack, pilot, directory):
        self.stack, self.pilot, self.directory = stack, pilot, directory
        self.config = stack.configs["ground"]

    def begin(self, verb, *words):
        argv = [*SEKISHO, "trajectory", verb, NAME, *words, "--config", self.config]
        return Process(verb, argv, self.directory)

    def type(self, verb, *words, code=0, timeout_s=60):
        process = self.begin(verb, *words)
        try:
            self.pilot.until(lambda: not process.is_running(), timeout_s, f"{verb} ends")
            assert process.wait() == code, process.output
            return process.output
        finally:
            process.stop()

    def told(self):
        return self.stack.status("ground")["peers"][NAME]["trajectory"]

    def until(self, state, timeout_s=60):
        self.pilot.until(
            lambda: self.told()["state"] == state, timeout_s, f"{state}: {self.told()}"
        )

    def plan(self, *words, kind="survey"):
        out = self.directory / f"{kind}.traj"
        options = ["--altitude", str(HEIGHT), "--ground", str(HOME[2]), "--out", str(out)]
        argv = [*SEKISHO, "trajectory", kind, *words, *options]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr
        return out, done.stdout

    def take_off(self):
        self.pilot.connect()
        self.pilot.set_mode(GUIDED)
        self.pilot.arm(60)
        self.pilot.take_off(HEIGHT, 60)

    def fly(self, *words, kind="survey"):
        file, _ = self.plan(*words, kind=kind)
        self.take_off()
        assert "aboard as" in self.type("upload", str(file))
        assert "done" in self.type("start")
        self.until("running")


@pytest.fixture(
    params=[
        pytest.param(EmbeddedAutopilot, id="embedded"),
        pytest.param(ArduCopter, id="arducopter", marks=pytest.mark.ardupilot),
    ]
)
def desk(request, tmp_path):
    if request.param is ArduCopter and ArduCopter.binary() is None:
        pytest.skip("no ArduCopter SITL: set SEKISHO_ARDUCOPTER or have `arducopter` on PATH")
    vehicle = request.param(tmp_path, speedup=1)
    stack = Stack(tmp_path / "stack", vehicle.device)
    try:
        stack.start()
        stack.await_link()
        stack.await_autopilot()
        with Pilot(f"udpout:127.0.0.1:{stack.udp_port}") as pilot:
            yield Desk(stack, pilot, tmp_path)
    finally:
        print(stack.report())
        vehicle.stop()


def test_a_survey_is_planned_brought_started_paused_resumed_and_finished(desk, tmp_path):
    file, words = desk.plan(str(field(tmp_path)), "--spacing", "8", "--speed", "4")
    assert "at most 4.0 m/s" in words
    desk.take_off()
    assert "aboard as" in desk.type("upload", str(file))
    assert "done" in desk.type("start")
    desk.until("running")
    assert "done" in desk.type("pause")
    desk.until("paused")
    position = desk.pilot.latest["GLOBAL_POSITION_INT"]
    desk.pilot.until(
        lambda: (
            abs(desk.pilot.latest["GLOBAL_POSITION_INT"].vx) < 20
            and desk.pilot.latest["GLOBAL_POSITION_INT"] is not position
        ),
        10,
        "it holds",
    )
    words = desk.type("resume", "--wait", timeout_s=120)
    assert "finished" in words
    status = json.loads(desk.type("status", "--json"))
    assert status["state"] == "finished"
    assert status["age_s"] < 3
    flown = desk.stack.status("drone")
    assert flown["flight"]["state"] == "finished"
    heard = [event["text"] for event in desk.stack.audit() if event["topic"] == "trajectory"]
    assert any("START: done" in text for text in heard)
    assert any(text.endswith(": finished") for text in heard)


def test_abort_and_wrong_verbs(desk, tmp_path):
    assert "no trajectory is aboard" in desk.type("start", code=1)
    centre = f"{HOME[0]},{HOME[1]}"
    desk.fly("--centre", centre, "--radius", "12", "--speed", "4", "--turns", "3", kind="orbit")
    waiting = desk.begin("status", "--wait")
    try:
        assert "done" in desk.type("abort")
        desk.pilot.until(lambda: not waiting.is_running(), 10, "the other has heard")
        assert waiting.wait() == 1
        assert "handed back" in waiting.output
        assert "aborted" in waiting.output
    finally:
        waiting.stop()
    assert "nothing is being flown" in desk.type("pause", code=1)
    assert "done" in desk.type("clear")


def test_what_leaves_the_fence_is_refused(desk, tmp_path):
    desk.take_off()
    far = field(tmp_path, north=600.0)
    file, _ = desk.plan(str(far), "--spacing", "8")
    words = desk.type("upload", str(file), code=1)
    assert "refused" in words
    assert "of the fence" in words


def test_a_gateway_killed_in_flight_leaves_the_vehicle_to_its_failsafe(desk):
    centre = f"{HOME[0]},{HOME[1]}"
    desk.fly("--centre", centre, "--radius", "12", "--speed", "3", "--turns", "5", kind="orbit")
    stack = desk.stack
    stack.stop("ground", number=signal.SIGKILL)
    deadline = time.monotonic() + 20
    while stack.status("drone")["autopilot"]["mode"] != RTL:
        assert time.monotonic() < deadline, stack.status("drone")["flight"]
        time.sleep(0.1)
    assert stack.status("drone")["flight"]["state"] == "handed_back"
    stack.start("ground")
    stack.await_link()
    desk.until("handed_back", 10)
    assert desk.told()["reason"] == "link_lost"


def test_a_gateway_killed_while_it_brings_leaves_nothing_half(desk, tmp_path):
    desk.take_off()
    file, _ = desk.plan(str(field(tmp_path, size=(90, 80))), "--spacing", "6", "--speed", "6")
    stack = desk.stack
    upload = desk.begin("upload", str(file))
    try:
        desk.pilot.until(
            lambda: desk.told()["upload"] in ("sending", "judging", "loaded"),
            15,
            "it is on its way",
        )
        stack.stop("ground", number=signal.SIGKILL)
        assert upload.wait(15) == 1
    finally:
        upload.stop()
    stack.start("ground")
    stack.await_link()
    assert stack.status("drone")["flight"]["state"] in ("empty", "loaded")
    assert "aboard as" in desk.type("upload", str(file))


def test_another_station_in_command_ends_it(desk, tmp_path):
    desk.stack.stop("drone")
    second = Second(desk.stack, tmp_path, "supervisor")
    desk.stack.start("drone")
    desk.stack.await_link()
    desk.stack.await_autopilot()
    second.start()
    try:
        await_both(desk.stack, second)
        centre = f"{HOME[0]},{HOME[1]}"
        words = "--centre", centre, "--radius", "12", "--speed", "3", "--turns", "5"
        desk.fly(*words, kind="orbit")
        argv = [*SEKISHO, "authority", "preempt", NAME, "--config", second.config]
        taken = Process("preempt", argv, tmp_path)
        desk.pilot.until(lambda: not taken.is_running(), 30, "command is taken")
        assert taken.stop() == 0, taken.output
        desk.until("handed_back", 10)
        assert desk.told()["reason"] == "command_changed"
        assert "not in command" in desk.type("start", code=1)
    finally:
        second.stop()
