"""``sim``: what the simulator's physics costs, beside other simulators on the same workload.

Cost: minima over repeats; a neighbour on the machine adds to every figure and takes from none.
The peers run in the interpreter named by SEKISHO_PEERS_PYTHON, else in this one, one after the
other with nothing else beside them: they bring torch and jax, which the product does not.
"""

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from benchmarks import report, sim_w1
from benchmarks.program import ROOT
from benchmarks.report import Options, Spread
from sim.airframe import QUAD_X
from sim.rigid_body import RigidBody
from tracing.executors import Array, Rows, Trace, floats

_COUNTS: Final = (1_000, 10_000)
_STEPS: Final = 800
_PEERS: Final = {
    "rotorpy": ("sim_peer_rotorpy.py", str(_STEPS)),
    "crazyflow": ("sim_peer_crazyflow.py",),
}
_PEER_S: Final = 400.0


class Peer(msgspec.Struct, frozen=True):
    """What a peer's program prints; `states` in its own frames after `steps` of W1."""

    us: float
    rates: dict[str, float]
    steps: int = 0
    states: list[list[float]] = []


class Result(msgspec.Struct, frozen=True):
    """What the benchmark leaves.

    Attributes:
        us_per_step: One vehicle in plain floats. [us]
        vehicle_steps_per_s: Batches on W1, by how many vehicles.
        operations: Of one closed-loop step.
        floats_and_rows: Greatest difference of both after 800 steps.
        peers: By name; those that are not installed are not here.
        rotorpy_batch: Greatest difference of its batch, which derives in float32, from our rows.
    """

    us_per_step: dict[str, Spread]
    vehicle_steps_per_s: dict[str, float]
    operations: int
    floats_and_rows: float
    peers: dict[str, Peer]
    rotorpy_batch: float | None


def run(options: Options) -> Result:
    """Measure."""
    repeats = 5 if options.quick else 20
    us = {"W1 closed loop": _closed_loop(repeats), "one step of `RigidBody`": _body(repeats)}
    rates = {str(n): _throughput(n, repeats) for n in (100, *_COUNTS)}
    peers = {name: found for name in _PEERS if options.peers and (found := _peer(name))}
    rows = _flown(6)
    apart = None
    if "rotorpy" in peers:
        theirs = sim_w1.mirrored(np.array(peers["rotorpy"].states).T)
        apart = float(np.abs(theirs - rows)[:13].max())
    operations = Trace(sim_w1.step, sim_w1.SIZES).operations
    result = Result(us, rates, operations, _floats_apart(rows), peers, apart)
    _print(result)
    return result


def _print(result: Result) -> None:
    us = [(name, report.figure(s.min)) for name, s in result.us_per_step.items()]
    us += [(f"{name}, closed loop", report.figure(p.us)) for name, p in result.peers.items()]
    report.table("one vehicle, Runge-Kutta (us a step, least; target 25)", ("", "us"), us)
    report.table(
        "W1 in batches, Runge-Kutta (M vehicle-steps a second, best; targets 1.5 and 3)",
        ("", *map(str, _COUNTS)),
        [
            (name, *(f"{rates[str(n)] / 1e6:.3f}" for n in _COUNTS))
            for name, rates in (
                ("ours, numpy float64", result.vehicle_steps_per_s),
                *((name, peer.rates) for name, peer in result.peers.items()),
            )
        ],
    )
    print(f"  floats and rows differ by at most {result.floats_and_rows:.1e} after {_STEPS} steps")
    if result.rotorpy_batch is not None:
        print(f"  rotorpy's batch and our rows differ by at most {result.rotorpy_batch:.1e}")


def _closed_loop(repeats: int) -> Spread:
    program = floats(sim_w1.step, sim_w1.SIZES)
    state, circle = (tuple(a[:, 0].tolist()) for a in sim_w1.start(1))

    def once(count: int) -> None:
        now: tuple[float, ...] = (0.3,)
        here = state
        for _ in range(count):
            here, now = program(here, circle, now)

    return Spread.of([_seconds(once, 800) * 1e6 for _ in range(repeats)], "us/step")


def _body(repeats: int) -> Spread:
    body = RigidBody(QUAD_X, dt_s=sim_w1.DT_S)
    throttle, wind = np.full((1, 4), 0.7), np.zeros((1, 3))

    def once(count: int) -> None:
        for _ in range(count):
            body.step(throttle, wind)

    return Spread.of([_seconds(once, 800) * 1e6 for _ in range(repeats)], "us/step")


def _seconds(work: Callable[[int], None], count: int) -> float:
    gc.disable()
    start = time.perf_counter()
    work(count)
    taken = (time.perf_counter() - start) / count
    gc.enable()
    return taken


def _rows(count: int) -> Rows:
    rows = Rows(sim_w1.step, sim_w1.SIZES, count, feedback=((0, 0), (1, 2)))
    rows.inputs[0][:], rows.inputs[1][:] = sim_w1.start(count)
    return rows


def _throughput(count: int, repeats: int) -> float:
    rows = _rows(count)

    def steps(number: int) -> None:
        for _ in range(number):
            rows.run()

    number = max(10, 50_000 // count)
    steps(number)
    return round(count / min(_seconds(steps, number) for _ in range(repeats)))


def _flown(count: int) -> Array:
    rows = _rows(count)
    for _ in range(_STEPS):
        rows.run()
    return rows.inputs[0]


def _floats_apart(rows: Array) -> float:
    program = floats(sim_w1.step, sim_w1.SIZES)
    starts, circles = sim_w1.start(rows.shape[1])
    worst = 0.0
    for i in range(rows.shape[1]):
        state, circle = tuple(starts[:, i].tolist()), tuple(circles[:, i].tolist())
        now: tuple[float, ...] = (0.0,)
        for _ in range(_STEPS):
            state, now = program(state, circle, now)
        worst = max(worst, float(np.abs(np.array(state) - rows[:, i]).max()))
    return worst


def _peer(name: str) -> Peer | None:
    """Run a peer's program; None where it is not installed."""
    script, *arguments = _PEERS[name]
    python = os.environ.get("SEKISHO_PEERS_PYTHON", sys.executable)
    argv = [python, str(ROOT / "benchmarks" / script), *arguments, *map(str, _COUNTS)]
    with tempfile.TemporaryDirectory() as scratch:  # one of them leaves a log where it runs
        done = subprocess.run(
            argv, cwd=scratch, capture_output=True, text=True, check=False, timeout=_PEER_S
        )
    if done.returncode != 0:
        print(f"  {name}: not run ({done.stderr.strip().splitlines()[-1]})")
        return None
    return msgspec.convert(json.loads(done.stdout.strip().splitlines()[-1]), Peer)
