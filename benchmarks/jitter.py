"""`jitter`: how late the control loop wakes, alone and beside four busy processes.

The loop is the product's own process, flying a circle at 400 Hz from telemetry of 50 Hz, and
woken service and all; with real-time scheduling where the system grants it, and without; and
beside it, as what the machine allows, a loop that does nothing.
"""

import asyncio
import contextlib
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from benchmarks import report
from benchmarks.empty_loop import EmptyLoop
from benchmarks.program import ProgramError
from benchmarks.report import Options
from flightcore.aio.loop_port import LoopPort, LoopStatus
from flightcore.autopilot import Autopilot
from flightcore.offboard.aboard import PARAMETERS
from flightcore.offboard.offboard import Offboard
from flightcore.offboard.worth import DEFAULT_ABILITY
from flightcore.parameters import Parameters
from flightcore.trajectory.harmonic import orbit
from flightcore.voice import Voice
from wire.aio.alarm import monotonic_ns
from wire.mavlink import dialect
from wire.tasking import FlyReason

BUSY: Final = 4
SECONDS: Final = 30.0
QUICK_SECONDS: Final = 4.0
_READY_S: Final = 60.0
_TELEMETRY_S: Final = 0.02
_STEAL: Final = 8  # which field of the first line: proc(5)


class Case(msgspec.Struct, frozen=True):
    """One condition, and what became of the loop's deadlines.

    `stolen_ms` is for how long, of all processors together, the host of a virtual machine took it
    off: no scheduling inside can help there. `loop` is an `EmptyLoop` where one that does nothing
    shows what the machine allows.
    """

    busy_processes: int
    asked_real_time: bool
    stolen_ms: int
    loop: LoopStatus | EmptyLoop


def run(options: Options) -> list[Case]:
    """Measure each condition."""
    seconds = QUICK_SECONDS if options.quick else SECONDS
    cases = []
    for busy in (0, BUSY):
        for real_time in (True, False):
            with _busy(busy) as stolen_ms:
                loop = asyncio.run(_measure(seconds, real_time=real_time))
                cases.append(Case(busy, real_time, stolen_ms(), loop))
    with _busy(BUSY) as stolen_ms:
        empty = _empty(seconds)
        cases.append(Case(BUSY, asked_real_time=True, stolen_ms=stolen_ms(), loop=empty))
    report.table(
        f"control loop, 400 Hz, {seconds:g} s each: lateness in us (must show: p99 <= 100, "
        "no overrun, real-time beside four)",
        ("condition", "scheduling", "p50", "p99", "p99.9", "max", "overruns", "of", "stolen ms"),
        [
            (
                f"{case.busy_processes} busy processes{_said(case.loop)}",
                case.loop.scheduling,
                report.figure(case.loop.lateness_p50_us),
                report.figure(case.loop.lateness_p99_us),
                report.figure(case.loop.lateness_p999_us),
                report.figure(case.loop.lateness_max_us),
                str(case.loop.overruns),
                str(case.loop.ticks),
                str(case.stolen_ms),
            )
            for case in cases
        ],
    )
    return cases


async def _measure(seconds: float, *, real_time: bool) -> LoopStatus:
    """Fly a circle on telemetry that says that all goes well."""
    autopilot = Autopilot()
    voice = Voice(autopilot)
    circle = orbit((0.0, 0.0, -12.0), 10.0, 5.0, turns=10.0)
    offboard = Offboard(
        autopilot,
        Parameters(PARAMETERS, autopilot, voice),
        voice,
        lambda: FlyReason.NONE,
        DEFAULT_ABILITY,
    )
    refusal = offboard.load_trajectory(circle, (0.0, 0.0, 0.0), bytes(8), monotonic_ns())
    assert not refusal, refusal
    port = LoopPort(offboard, lambda: None, real_time=real_time)
    with contextlib.closing(port):
        port.settle()
        began_ns = monotonic_ns()
        while (status := port.status()) is None:
            if monotonic_ns() - began_ns > _READY_S * 1e9:
                raise ProgramError(f"jitter: the control loop did not start within {_READY_S:g} s")
            await asyncio.sleep(_TELEMETRY_S)
        end_ns = monotonic_ns() + int(seconds * 1e9)
        while monotonic_ns() < end_ns:
            now_ns = monotonic_ns()
            for frame in _telemetry(now_ns):
                offboard.receive(frame, now_ns)
            port.settle()
            await asyncio.sleep(_TELEMETRY_S)
        status = port.status()
    if status is None:
        raise ProgramError("jitter: the control loop ended early")
    return status


def _empty(seconds: float) -> EmptyLoop:
    argv = [sys.executable, "-m", "benchmarks.empty_loop", str(seconds)]
    done = subprocess.run(argv, check=True, capture_output=True, timeout=seconds + _READY_S)
    return msgspec.json.decode(done.stdout, type=EmptyLoop)


def _said(loop: LoopStatus | EmptyLoop) -> str:
    return ", a loop that does nothing" if isinstance(loop, EmptyLoop) else ""


def _stolen_ms() -> int:
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(fields[_STEAL]) * 1000 // os.sysconf("SC_CLK_TCK")


def _telemetry(now_ns: int) -> Iterator[bytes]:
    boot_ms, phase = now_ns // 1_000_000 % 2**32, 0.5e-9 * now_ns
    packer = dialect.MAVLink(None, 1, 1)
    c, s = math.cos(phase), math.sin(phase)
    yield bytes(
        dialect.MAVLink_attitude_quaternion_message(
            boot_ms, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        ).pack(packer)
    )
    yield bytes(
        dialect.MAVLink_local_position_ned_message(
            boot_ms, 10.0 * c, 10.0 * s, -12.0, -5.0 * s, 5.0 * c, 0.0
        ).pack(packer)
    )


@contextlib.contextmanager
def _busy(count: int) -> Iterator[Callable[[], int]]:
    """Keep processors busy with `count` processes that never wait; yield what the host stole."""
    program = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(program) for _ in range(count)]
    before_ms = _stolen_ms()
    try:
        yield lambda: _stolen_ms() - before_ms
    finally:
        for process in processes:
            process.kill()
            process.wait()
