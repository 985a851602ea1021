"""What W1 costs on every executor, and on other simulators beside it, in one run.

Cost: minima over repeats; a neighbour on the machine adds to every figure and takes from none.
The peers run in the interpreter named by SEKISHO_PEERS_PYTHON, else in this one, one after the
other with nothing else beside them: they bring torch and jax, which the product does not.
"""

import gc
import importlib.util
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

from benchmarks import report, w1
from benchmarks.program import ROOT
from benchmarks.report import Options, Spread
from tracing.executors import Array, Batch, Rows, Trace, floats

if importlib.util.find_spec("numba") is not None:
    from tracing.compiled import Compiled

    EXECUTORS: dict[str, type[Batch]] = {"numpy": Rows, "numba": Compiled}
else:
    EXECUTORS = {"numpy": Rows}

COUNTS: Final = (1, 10, 100, 1_000, 10_000)
_STEPS: Final = 800
_FEEDBACK: Final = ((0, 0), (1, 2))
_GOALS: Final = {"numpy": "1.5 and 3", "numba": "6 at 10000"}
_PEER_COUNTS: Final = ("1000", "10000")
_PEERS: Final = {
    "rotorpy": ("sim_peer_rotorpy.py", str(_STEPS)),
    "crazyflow": ("sim_peer_crazyflow.py",),
}
_PEER_S: Final = 400.0
# Threads of a linear algebra library only wait for each other on matrices of 3 by 3.
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Peer(msgspec.Struct, frozen=True):
    """What a peer's program prints; `states` in its own frames after `steps` of W1."""

    us: float
    rates: dict[str, float]
    steps: int = 0
    states: list[list[float]] = []


class W1(msgspec.Struct, frozen=True):
    """What was measured.

    Attributes:
        us_per_step: One vehicle in plain floats: closed loop; controller and reference. [us]
        vehicle_steps_per_s: Batches, by executor and by how many vehicles.
        operations: Of one closed-loop step.
        apart: Greatest difference of each executor from the floats after 800 steps.
        peers: By name; those that are not installed are not here.
        rotorpy_batch: Greatest difference of its batch, which derives in float32, from our rows.
    """

    us_per_step: dict[str, Spread]
    vehicle_steps_per_s: dict[str, dict[str, float]]
    operations: int
    apart: dict[str, float]
    peers: dict[str, Peer]
    rotorpy_batch: float | None


def measure(options: Options) -> W1:
    """Measure, and print the tables."""
    repeats = 5 if options.quick else 20
    rates = {
        name: {str(n): _throughput(executor, n, repeats) for n in COUNTS}
        for name, executor in EXECUTORS.items()
    }
    peers = {name: found for name in _PEERS if options.peers and (found := _peer(name))}
    alone = _alone(6)
    apart = {
        name: float(np.abs(_flown(executor, 6) - alone).max())
        for name, executor in EXECUTORS.items()
    }
    batch = None
    if "rotorpy" in peers:
        theirs = w1.mirrored(np.array(peers["rotorpy"].states).T)
        batch = float(np.abs(theirs - _flown(Rows, 6))[:13].max())
    us = {
        "W1 closed loop, Runge-Kutta": _closed_loop(repeats),
        "W1 controller and reference": _controller(repeats),
    }
    result = W1(us, rates, Trace(w1.step, w1.SIZES).operations, apart, peers, batch)
    _print(result)
    return result


def _print(found: W1) -> None:
    goals = {"W1 closed loop, Runge-Kutta": "25", "W1 controller and reference": "4"}
    us = [(name, report.figure(s.min), goals[name]) for name, s in found.us_per_step.items()]
    us += [(f"{name}, closed loop", report.figure(p.us), "-") for name, p in found.peers.items()]
    report.table("one vehicle (us a step, least; ours in plain floats)", ("", "us", "target"), us)
    report.table(
        "W1 in batches, Runge-Kutta (M vehicle-steps a second, best)",
        ("", *map(str, COUNTS), "target"),
        [
            (name, *(_millions(rates.get(str(n))) for n in COUNTS), goal)
            for name, rates, goal in (
                *((f"ours, {k}, float64", v, _GOALS[k])
                  for k, v in found.vehicle_steps_per_s.items()),
                *((name, peer.rates, "-") for name, peer in found.peers.items()),
            )
        ],
    )  # fmt: skip
    if len(EXECUTORS) == 1:
        print("  numba: not run: not installed (extra `jit`)")
    for name, apart in found.apart.items():
        print(f"  floats and {name} differ by at most {apart:.1e} after {_STEPS} steps")
    if found.rotorpy_batch is not None:
        print(f"  rotorpy's batch and our rows differ by at most {found.rotorpy_batch:.1e}")


def _millions(rate: float | None) -> str:
    return "-" if rate is None else f"{rate / 1e6:.3f}"


def _closed_loop(repeats: int) -> Spread:
    program = floats(w1.step, w1.SIZES)
    state, circle = (tuple(a[:, 0].tolist()) for a in w1.start(1))

    def once(count: int) -> None:
        now: tuple[float, ...] = (0.3,)
        here = state
        for _ in range(count):
            here, now = program(here, circle, now)

    return microseconds(once, repeats)


def _controller(repeats: int) -> Spread:
    program = floats(w1.control, w1.SIZES)
    state, circle = (tuple(a[:, 0].tolist()) for a in w1.start(1))

    def once(count: int) -> None:
        for _ in range(count):
            program(state, circle, (0.3,))

    return microseconds(once, repeats)


def microseconds(work: Callable[[int], None], repeats: int) -> Spread:
    """Return what one of many repetitions takes."""
    return Spread.of([1e6 * s for s in seconds(work, 1_000, repeats)], "us/step")


def seconds(work: Callable[[int], None], count: int, repeats: int) -> list[float]:
    """Return wall seconds per repetition: what a loop waits for."""
    work(max(1, count // 10))
    gc.disable()
    samples = []
    for _ in range(repeats):
        start = time.perf_counter()
        work(count)
        samples.append((time.perf_counter() - start) / count)
    gc.enable()
    return samples


def _begun(executor: type[Batch], count: int) -> Batch:
    batch = executor(w1.step, w1.SIZES, count, feedback=_FEEDBACK)
    batch.inputs[0][:], batch.inputs[1][:] = w1.start(count)
    return batch


def _throughput(executor: type[Batch], count: int, repeats: int) -> float:
    batch = _begun(executor, count)

    def steps(number: int) -> None:
        for _ in range(number):
            batch.run()

    return round(count / min(seconds(steps, max(5, 20_000 // max(count, 100)), repeats)))


def _flown(executor: type[Batch], count: int) -> Array:
    batch = _begun(executor, count)
    for _ in range(_STEPS):
        batch.run()
    return batch.inputs[0]


def _alone(count: int) -> Array:
    """Return the states of vehicles flown one by one, in floats."""
    program = floats(w1.step, w1.SIZES)
    ends = []
    for start, circle in zip(*(array.T.tolist() for array in w1.start(count)), strict=True):
        state: tuple[float, ...] = tuple(start)
        now: tuple[float, ...] = (0.0,)
        for _ in range(_STEPS):
            state, now = program(state, tuple(circle), now)
        ends.append(state)
    return np.array(ends).T


def _peer(name: str) -> Peer | None:
    """Run a peer's program; None where it is not installed."""
    script, *arguments = _PEERS[name]
    python = os.environ.get("SEKISHO_PEERS_PYTHON", sys.executable)
    argv = [python, str(ROOT / "benchmarks" / script), *arguments, *_PEER_COUNTS]
    with tempfile.TemporaryDirectory() as scratch:  # one of them leaves a log where it runs
        done = subprocess.run(
            argv,
            cwd=scratch,
            env={**os.environ, **_ONE_THREAD},
            capture_output=True,
            text=True,
            check=False,
            timeout=_PEER_S,
        )
    if done.returncode != 0:
        print(f"  {name}: not run: {done.stderr.strip().rpartition(chr(10))[2]}")
        return None
    return msgspec.convert(json.loads(done.stdout.strip().splitlines()[-1]), Peer)
