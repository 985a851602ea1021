"""``fleet``: a whole fleet on one clock: vehicles, companions, the air and one gateway.

Each drone flies a mission of its own, watched and commanded by its operator over a sealed link;
recordings are sealed. What is measured is this process alone, in CPU time, so that a neighbour on
the machine costs as little as may be; of windows of flight the least is what the work needs.
"""

import cProfile
import gc
import pstats
import time
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.report import Options, Spread, figure, table
from benchmarks.w1_measured import EXECUTORS
from sekisho.world.missions import items, rows, survey
from sekisho.world.operator import AUTO, Script
from sekisho.world.world import APART_M, HOME, Setting, World
from sim.simulation import COARSE, FINE, Pace
from tracing.executors import Batch

_DRONES: Final = 50
_UNDER_WAY_S: Final = 60.0  # by then every drone flies its mission
_UNDER_WAY_QUICKLY_S: Final = 40.0
_PROFILED_S: Final = 2.0
_KINDS: Final[dict[str, tuple[Pace, type[Batch] | None]]] = {
    "coarse": (COARSE, None),
    "fine": (FINE, None),
} | {
    f"coarse, physics by {name}": (COARSE, executor)
    for name, executor in EXECUTORS.items()
    if name == "numba"
}
_PARTS: Final = {
    "sim": "vehicles: physics, sensors, autopilot, telemetry",
    "flightcore": "companions",
    "groundstation": "gateway",
    "crypto": "sealing, opening, handshakes",
    "wire": "framing",
    "sekisho": "world: clock, operators",
    "": "libraries: numpy, pymavlink, interpreter",
}


class FleetResult(msgspec.Struct):
    """What a second of the fleet costs.

    Attributes:
        drones: How many.
        times_real: Vehicle seconds of each over CPU seconds, by windows of a second.
        ms_per_drone_s: CPU of one drone's second, least window. [ms]
        datagrams_per_s: Sealed, both ways, of all drones, a second of flight.
        frames_per_s: From the autopilots.
        commands: Frames of operators that reached an autopilot, all the flight.
        parts: Share of the time by package, profiled.
    """

    drones: int
    times_real: Spread
    ms_per_drone_s: float
    datagrams_per_s: float
    frames_per_s: float
    commands: int
    parts: dict[str, float]


def run(options: Options) -> dict[str, FleetResult]:
    """Fly the fleet: coarsely, finely, and with the physics compiled where that can be done."""
    names = ["coarse"] if options.quick else list(_KINDS)
    results = {name: _measure(*_KINDS[name], options) for name in names}
    for name, result in results.items():
        _print(name, result)
    return results


def _script(number: int) -> Script:
    home = HOME.offset(0.0, APART_M * number)
    height = 10.0 + 3.0 * (number % 5)
    return survey(items(number + 1, home, rows(6, 100.0, 15.0), height), height)


def _measure(pace: Pace, executor: type[Batch] | None, options: Options) -> FleetResult:
    windows = 5 if options.quick else 30
    fence = {"FENCE_RADIUS": 500.0}
    world = World(Setting(_script, drones=_DRONES, pace=pace, parameters=fence, executor=executor))
    world.run(_UNDER_WAY_QUICKLY_S if options.quick else _UNDER_WAY_S)
    assert all(strand.operator.mode == AUTO for strand in world.strands)
    before = _counts(world)
    times = []
    gc.collect()
    for _ in range(windows):
        begin = time.process_time()
        world.run(1.0)
        times.append(time.process_time() - begin)
    datagrams, frames = (
        (after - b) / windows for after, b in zip(_counts(world), before, strict=True)
    )
    profile = cProfile.Profile()
    profile.runcall(world.run, _PROFILED_S)
    return FleetResult(
        drones=_DRONES,
        times_real=Spread.of([1.0 / t for t in times], "x real time"),
        ms_per_drone_s=round(min(times) / _DRONES * 1e3, 3),
        datagrams_per_s=round(datagrams, 1),
        frames_per_s=round(frames, 1),
        commands=sum(
            station.uplink.forwarded
            for strand in world.strands
            for station in strand.companion.stations.values()
        ),
        parts=_shares(profile),
    )


def _counts(world: World) -> tuple[int, int]:
    datagrams = sum(strand.air.counts["sent"] for strand in world.strands)
    return datagrams, sum(strand.companion.autopilot.frames for strand in world.strands)


def _shares(profile: cProfile.Profile) -> dict[str, float]:
    """Return the share of each package's own time."""
    root = Path(__file__).parent.parent
    seconds = dict.fromkeys(_PARTS, 0.0)
    for (file, _, _), (_, _, own_s, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        path = Path(file)
        package = path.relative_to(root).parts[0] if path.is_relative_to(root) else ""
        seconds[package if package in seconds else ""] += own_s
    total = sum(seconds.values())
    return {package or "libraries": round(s / total, 3) for package, s in seconds.items()}


def _print(name: str, result: FleetResult) -> None:
    spread = result.times_real
    rows_ = [
        ("times real time, best and median window", f"{figure(spread.max)}, {figure(spread.p50)}"),
        ("CPU ms for a second of one drone", figure(result.ms_per_drone_s)),
        ("datagrams a second", figure(result.datagrams_per_s)),
        ("frames a second from autopilots", figure(result.frames_per_s)),
        ("frames of operators that passed", str(result.commands)),
    ]
    rows_ += [
        (f"share: {text}", f"{result.parts[part or 'libraries']:.1%}")
        for part, text in _PARTS.items()
    ]
    table(f"fleet, {name}: {result.drones} drones in one process", ("", ""), rows_)
