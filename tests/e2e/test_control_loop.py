"""The control loop as a process of its own: made, killed, stopped, left alone by its service.

Mutants killed: no wake with a step; the loop's end not watched; no death with the parent; neither
count nor checksum looked at.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
import zlib
from pathlib import Path

import pytest

from benchmarks.jitter import _telemetry as telemetry
from flightcore.aio.flight_memory import FlightMemory, create
from flightcore.aio.loop_port import LoopPort
from flightcore.autopilot import Autopilot
from flightcore.offboard.aboard import PARAMETERS
from flightcore.offboard.motion import Motion
from flightcore.offboard.offboard import LOOP_SILENT_NS, Offboard
from flightcore.offboard.pilot import Orders, Step
from flightcore.offboard.schedule import Schedule
from flightcore.offboard.setpoints import AttitudeTarget, Brake, MotionTarget, PositionTarget
from flightcore.offboard.track import table
from flightcore.offboard.worth import DEFAULT_ABILITY
from flightcore.parameters import Parameters
from flightcore.trajectory.harmonic import orbit
from flightcore.voice import Voice
from tests.e2e.processes import ENVIRONMENT, wait_until
from wire.aio.alarm import monotonic_ns
from wire.tasking import FlyReason

pytestmark = pytest.mark.e2e

CIRCLE = orbit((0.0, 0.0, -12.0), 10.0, 5.0)


class Bench:
    """An `Offboard` with its port, and what it was told."""

    def __init__(self):
        autopilot = Autopilot()
        voice = Voice(autopilot)
        self.offboard = Offboard(
            autopilot,
            Parameters(PARAMETERS, autopilot, voice),
            voice,
            lambda: FlyReason.NONE,
            DEFAULT_ABILITY,
        )
        self.steps, self.ended = [], []
        self._receive, self._lose = self.offboard.receive_step, self.offboard.loop_ended
        self.offboard.receive_step = self.step
        self.offboard.loop_ended = self.end
        self.port = LoopPort(self.offboard, lambda: None)

    def step(self, step, now_ns):
        self.steps.append((now_ns, step))
        self._receive(step, now_ns)

    def end(self, why, now_ns):
        self.ended.append((now_ns, why))
        self._lose(why, now_ns)

    async def start(self):
        assert self.offboard.load_trajectory(CIRCLE, (0.0, 0.0, 0.0), bytes(8), 0) == ""
        self.port.settle()
        await self.until(lambda: self.steps)

    async def until(self, condition, timeout_s=20):
        end_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end_s
            for frame in telemetry(monotonic_ns()):
                self.offboard.receive(frame, monotonic_ns())
            self.port.settle()
            await asyncio.sleep(0.01)


def run(scenario):
    async def main():
        bench = Bench()
        with contextlib.closing(bench.port):
            await bench.start()
            await scenario(bench)

    asyncio.run(asyncio.wait_for(main(), 60))


def test_it_says_what_to_do_as_soon_as_it_knows_the_vehicle():
    async def scenario(bench):
        await bench.until(lambda: bench.steps[-1][1].setpoint is not None)
        setpoint = bench.steps[-1][1].setpoint
        assert isinstance(setpoint, AttitudeTarget)
        status = bench.port.status()
        assert status.ticks > 0
        assert sum(status.histogram.values()) > 0
        print(status)

    run(scenario)


def test_its_death_is_noticed_at_once():
    async def scenario(bench):
        killed_ns = monotonic_ns()
        os.kill(bench.port.status().pid, signal.SIGKILL)
        await bench.until(lambda: bench.ended)
        assert bench.ended[0][1] == "ended with signal SIGKILL"
        assert bench.ended[0][0] - killed_ns < 2_000_000_000  # by the test's own pace
        count = len(bench.steps)
        await asyncio.sleep(0.3)
        assert len(bench.steps) == count
        assert bench.port.status() is None

    run(scenario)


def test_another_trajectory_gets_another_loop_and_none_gets_none():
    async def scenario(bench):
        first = bench.port.status().pid
        assert bench.offboard.load_trajectory(CIRCLE, (5.0, 0.0, 0.0), bytes(8), 0) == ""
        await bench.until(lambda: (s := bench.port.status()) is not None and s.pid != first)
        second = bench.port.status().pid
        assert bench.offboard.clear() == ""
        bench.port.settle()
        assert bench.port.status() is None
        for pid in (first, second):
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    run(scenario)


def test_a_stopped_loop_falls_silent_for_longer_than_is_waited():
    async def scenario(bench):
        pid = bench.port.status().pid
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(0.1)
        count, stopped_ns = len(bench.steps), monotonic_ns()
        await asyncio.sleep(2 * LOOP_SILENT_NS * 1e-9)
        assert len(bench.steps) <= count + 1
        assert monotonic_ns() - stopped_ns > LOOP_SILENT_NS
        os.kill(pid, signal.SIGCONT)
        await bench.until(lambda: len(bench.steps) > count + 1)
        # What was missed is not made up for: it goes on from where the clock is.
        assert bench.port.status().overruns > 0

    run(scenario)


def test_a_loop_that_cannot_be_made_is_said_once(monkeypatch):
    async def main():
        bench = Bench()
        monkeypatch.setattr(sys, "executable", "/nonexistent")
        with contextlib.closing(bench.port):
            assert bench.offboard.load_trajectory(CIRCLE, (0.0, 0.0, 0.0), bytes(8), 0) == ""
            for _ in range(3):
                bench.port.settle()
        assert [why for _, why in bench.ended] == ["cannot be made: No such file or directory"]

    asyncio.run(main())


SERVICE = """
    import asyncio, sys
    from tests.e2e.test_control_loop import Bench

    async def main():
        bench = Bench()
        await bench.start()
        print(bench.port.status().pid, flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
"""


def test_it_ends_with_its_service():
    argv = [sys.executable, "-c", textwrap.dedent(SERVICE)]
    root = str(Path.cwd())
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, text=True, env={**ENVIRONMENT, "PYTHONPATH": root}
    ) as service:
        pid = int(service.stdout.readline())
        os.kill(pid, 0)
        service.kill()
        service.wait()

    def is_gone():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"

    wait_until(is_gone, 10, "the loop is gone")


MOTION = Motion(12.5, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), (1.0, 0.0, 0.0, 0.0))
SETPOINTS = [
    None,
    PositionTarget((1.0, 2.0, 3.0), 4.0),
    MotionTarget((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), (7.0, 8.0, 9.0), 10.0, 11.0),
    AttitudeTarget((0.5, 0.5, 0.5, 0.5), 0.4),
    Brake(),
]


@pytest.fixture
def ends():
    descriptor = create(table(CIRCLE, (0.0, 0.0, 0.0)))
    ends = FlightMemory(descriptor), FlightMemory(descriptor)
    yield ends
    for end in ends:
        end.close()
    os.close(descriptor)


@pytest.mark.parametrize("setpoint", SETPOINTS)
def test_what_is_put_is_taken_once(ends, setpoint):
    one, other = ends
    one.put_step(Step(setpoint, 0.25))
    assert other.take_step() == Step(setpoint, 0.25)
    assert other.take_step() is None
    orders = Orders(Schedule(1.0, 2.0, 0.0, 1.0, 3.0), True)
    one.put_orders(orders)
    one.put_motion(MOTION)
    assert other.take_orders() == orders
    assert other.take_motion() == MOTION
    assert list(other.track[:3]) == pytest.approx([10.0, 0.0, -12.0])


def test_what_is_being_written_is_not_taken(ends, monkeypatch):
    one, other = ends
    one.put_motion(MOTION)
    assert other.take_motion() == MOTION
    # Whatever moment the reader comes at within a write, it sees the old, the new, or nothing.
    newer = MOTION._replace(time_s=13.5, position_n=(7.0, 8.0, 9.0))
    seen = []
    checksum = zlib.crc32

    def interrupted(data):
        value = checksum(data)
        if not seen:
            seen.append("")  # the reader's own checksum comes through here too
            seen.append(other.take_motion())
        return value

    monkeypatch.setattr("flightcore.aio.flight_memory.zlib.crc32", interrupted)
    one.put_motion(newer)
    assert seen == ["", None]
    assert other.take_motion() == newer
