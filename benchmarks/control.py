"""``control``: what the control core costs, and how well it flies the literature's trajectories.

Cost: minima over repeats; a neighbour on the machine adds to every figure and takes from none.
Accuracy: simulated, deterministic, with the state known exactly; the published figures beside ours
are from other simulators and other gains, so they are a scale, not a race.
"""

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np

from benchmarks import control_w1, report
from benchmarks.control_flights import Outcome, Setup, fly
from benchmarks.control_plant import Truth
from benchmarks.control_recovery import seconds_to_upright
from benchmarks.report import Options, Spread
from flightcore.control.indi import Rejection
from flightcore.control.tracking import SIZES, tracking
from flightcore.control.vehicle import Gains, Limits, Rotor, Vehicle
from flightcore.trajectory.harmonic import Harmonic
from flightcore.trajectory.literature import (
    faessler_circle,
    faessler_lemniscate,
    sun_2022,
    tal_karaman_roulette,
)
from tracing.executors import FloatProgram, Rows, Text, Trace, floats

_S, _C = 0.14 * math.sin(math.radians(56.0)), 0.14 * math.cos(math.radians(56.0))
_K: Final = 2.37e-8 / 1.51e-6
SUN: Final = Vehicle(
    mass=0.75,
    inertia=(2.5e-3, 2.1e-3, 4.3e-3),
    rotors=(Rotor(_C, _S, _K), Rotor(-_C, -_S, _K), Rotor(_C, -_S, -_K), Rotor(-_C, _S, -_K)),
    thrust_min=0.0,
    thrust_max=8.5,
    drag=(0.26, 0.28, 0.42),
    lift=0.01,
    gravity=9.81,
)
# Position and velocity as in the paper; attitude stiffer than its 150 and 20, which take 0.4 s to
# turn the vehicle over where a loop's thrust passes through zero.
GAINS: Final = Gains((10.0,) * 3, (6.0,) * 3, 800.0, 12.0, (40.0, 40.0, 8.0))
LIMITS: Final = Limits(hold=2.0, rate=60.0, angular_acceleration=600.0)
_N_1000: Final = 1_000
_N_10000: Final = 10_000


class Cost(msgspec.Struct, frozen=True):
    """Figures of one machine in one minute.

    Attributes:
        us_per_step: One vehicle in plain floats, by what is run. [us]
        vehicle_steps_per_s: Batches on W1, by how many vehicles.
        operations: Arithmetic operations of the texts.
        disagreement: Greatest difference of floats and rows after 800 steps of W1.
    """

    us_per_step: dict[str, Spread]
    vehicle_steps_per_s: dict[str, float]
    operations: dict[str, int]
    disagreement: float


class Tracked(msgspec.Struct, frozen=True):
    """Position error over a set of trajectories: mean and deviation of those that stayed in 5 m."""

    mean_m: float
    sd_m: float
    max_m: float
    left: int
    flights: int
    published: str

    @classmethod
    def of(cls, outcome: Outcome, published: str) -> "Tracked":
        """Summarise the flights of one condition."""
        stayed = outcome.position[~outcome.left]
        figures = (stayed.mean(), stayed.std(), stayed.max()) if len(stayed) else (math.nan,) * 3
        mean, sd, most = (round(float(x), 4) for x in figures)
        return cls(mean, sd, most, int(outcome.left.sum()), len(outcome.left), published)


class Result(msgspec.Struct, frozen=True):
    """What the benchmark leaves."""

    cost: Cost
    sun_2022: dict[str, Tracked]
    curves_cm: dict[str, tuple[float, str]]
    recovery_s: dict[str, float]


def run(options: Options) -> Result:
    """Measure cost and accuracy."""
    result = Result(_cost(options), _sun(options), _curves(), seconds_to_upright())
    report.table(
        "recovery from 178.2 degrees, vehicle and gains of Lee et al. 2010, attitude alone",
        ("law", "s until the error is below a right angle"),
        [(law, f"{value:.2f}") for law, value in result.recovery_s.items()],
    )
    return result


def _cost(options: Options) -> Cost:
    repeats = 5 if options.quick else 15
    state, circle = control_w1.start(6)
    full = tracking(SUN, GAINS, LIMITS, None, 1.0 / 300.0)
    rejecting = tracking(SUN, GAINS, LIMITS, Rejection(), 1.0 / 300.0)
    loop = floats(control_w1.step, control_w1.SIZES)
    first = tuple(state[:, 0].tolist()), tuple(circle[:, 0].tolist())
    flying, _ = _flown(loop, *first, 400)
    reference = tuple(sun_2022()[0].trajectory(1.0).sample(np.array([0.3]))[:, 0].tolist())
    level = (0.0, 0.0, -5.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.1, 0.0, 0.0)
    sensed, memory = (0.0, 0.0, -9.8, 1.8, 1.8, 1.9, 1.9), (0.0,) * 12
    cases: dict[str, tuple[Text, tuple[int, ...], tuple[tuple[float, ...], ...]]] = {
        "W1 controller and reference": (
            control_w1.control, control_w1.SIZES, (flying, first[1], (0.3,))
        ),
        "W1 closed loop, Runge-Kutta": (
            control_w1.step, control_w1.SIZES, (flying, first[1], (0.3,))
        ),
        "tracking controller": (full, SIZES, (level, reference, sensed, memory)),
        "tracking controller with rejection": (
            rejecting, SIZES, (level, reference, sensed, memory)
        ),
    }  # fmt: skip
    us = {
        name: _microseconds(floats(text, sizes), arguments, repeats)
        for name, (text, sizes, arguments) in cases.items()
    }
    operations = {name: Trace(text, sizes).operations for name, (text, sizes, _) in cases.items()}
    rates = {str(n): _throughput(n, repeats) for n in (1, 10, 100, _N_1000, _N_10000)}
    cost = Cost(us, rates, operations, _disagreement(loop))
    targets = {"W1 controller and reference": "4", "W1 closed loop, Runge-Kutta": "25"}
    report.table(
        "one vehicle in plain floats (us a step, least; operations)",
        ("", "us", "target", "operations"),
        [
            (name, report.figure(s.min), targets.get(name, "-"), str(operations[name]))
            for name, s in us.items()
        ],
    )
    goal = {str(_N_1000): "1.5 M", str(_N_10000): "3 M"}
    report.table(
        "W1 in numpy rows, float64, Runge-Kutta (vehicle-steps per second, best)",
        ("vehicles", "rate", "target"),
        [(n, f"{rate / 1e6:.3f} M", goal.get(n, "-")) for n, rate in rates.items()],
    )
    print(f"  floats and rows differ by at most {cost.disagreement:.1e} after 800 steps")
    return cost


def _flown(
    program: FloatProgram, state: tuple[float, ...], circle: tuple[float, ...], steps: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    now: tuple[float, ...] = (0.0,)
    for _ in range(steps):
        state, now = program(state, circle, now)
    return state, now


def _microseconds(
    program: FloatProgram, arguments: tuple[tuple[float, ...], ...], repeats: int
) -> Spread:
    def once(count: int) -> None:
        for _ in range(count):
            program(*arguments)

    return Spread.of([1e6 * s for s in _seconds(once, 2_000, 2 * repeats)], "us/step")


def _seconds(work: Callable[[int], None], count: int, repeats: int) -> list[float]:
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


def _rows(count: int) -> Rows:
    rows = Rows(control_w1.step, control_w1.SIZES, count, feedback=((0, 0), (1, 2)))
    rows.inputs[0][:], rows.inputs[1][:] = control_w1.start(count)
    return rows


def _throughput(count: int, repeats: int) -> float:
    rows = _rows(count)

    def steps(number: int) -> None:
        for _ in range(number):
            rows.run()

    return round(count / min(_seconds(steps, max(10, 50_000 // max(count, 250)), repeats)))


def _disagreement(loop: FloatProgram) -> float:
    rows = _rows(6)
    for _ in range(800):
        rows.run()
    state, circle = control_w1.start(6)
    worst = 0.0
    for i in range(6):
        alone, _ = _flown(loop, tuple(state[:, i].tolist()), tuple(circle[:, i].tolist()), 800)
        apart = np.abs(np.array(alone) - rows.inputs[0][:, i])[:13]
        worst = max(worst, float(apart.max()))
    return worst


def _sun(options: Options) -> dict[str, Tracked]:
    seconds = 4.0 if options.quick else 20.0
    feasible = [e.trajectory(seconds) for e in sun_2022() if e.feasible]
    other = [e.trajectory(seconds) for e in sun_2022() if not e.feasible]
    results: dict[str, Tracked] = {}

    def add(
        setup: Setup, flights: Sequence[Harmonic], rows: Sequence[tuple[str, Truth, str]]
    ) -> None:
        outcomes = fly(setup, flights, [truth for _, truth, _ in rows], seconds)
        for (name, _, published), outcome in zip(rows, outcomes, strict=True):
            results[name] = Tracked.of(outcome, published)

    plain = Setup(SUN, GAINS, LIMITS, None)
    add(plain, feasible, _WITHOUT)
    add(Setup(SUN, GAINS, LIMITS, Rejection()), feasible, _WITH)
    add(Setup(SUN, GAINS, LIMITS, Rejection(), lag_s=0.02), feasible, _LAGGING)
    add(plain, other, (("68 infeasible", Truth(), ".77 (DFBC), .40 (NMPC)"),))
    report.table(
        f"Sun et al. 2022, {seconds:.0f} s each (position RMSE in m; DFBC as published)",
        ("condition", "mean", "SD", "max", "left 5 m", "published"),
        [
            (name, f"{t.mean_m:.3f}", f"{t.sd_m:.3f}", f"{t.max_m:.2f}", f"{t.left}/{t.flights}",
             t.published)
            for name, t in results.items()
        ],
    )  # fmt: skip
    return results


_WITHOUT: Final = (
    ("76 feasible", Truth(), ".084 +- .041"),
    ("drag +50 %", Truth(drag=1.5), ".194 +- .084"),
    ("drag +100 %", Truth(drag=2.0), ".305 +- .139"),
    ("mass -30 %", Truth(mass=0.7), ".477"),
    ("mass +30 %", Truth(mass=1.3), ".687"),
    ("centre of gravity 10 %", Truth(shift=0.1), "1.499, 20 % crash"),
    ("force 10 N", Truth(force_n=(10.0, 0.0, 0.0)), ".689"),
    ("latency 10 ms", Truth(latency_s=0.01), ".097"),
    ("latency 30 ms", Truth(latency_s=0.03), ".333"),
)
_WITH: Final = (
    ("rejection: 76 feasible", Truth(), ".085 +- .043"),
    ("rejection: drag +50 %", Truth(drag=1.5), "-"),
    ("rejection: drag +100 %", Truth(drag=2.0), "-"),
    ("rejection: mass -30 %", Truth(mass=0.7), "-"),
    ("rejection: mass +30 %", Truth(mass=1.3), "-"),
    ("rejection: centre of gravity 10 %", Truth(shift=0.1), ".099"),
    ("rejection: force 10 N", Truth(force_n=(10.0, 0.0, 0.0)), "-"),
    ("rejection: moment 0.2 N m", Truth(torque_b=(0.2, 0.0, 0.0)), ".113"),
    ("rejection: latency 30 ms", Truth(latency_s=0.03), "-"),
)
_LAGGING: Final = (
    ("rejection, rotors 20 ms late", Truth(), "-"),
    ("the same, drag +50 %", Truth(drag=1.5), "-"),
)


_FAESSLER_DRAG: Final = (0.544, 0.386, 0.0)  # of the vehicle in their published code [1/s]


def _curves() -> dict[str, tuple[float, str]]:
    """Fly the named curves with drag, with its model and without."""
    x, y, z = (k * SUN.mass for k in _FAESSLER_DRAG)
    dragged = replace(SUN, drag=(x, y, z), lift=0.0)
    lap = tal_karaman_roulette()
    named = (
        ("Tal & Karaman roulette", lap, "9.0"),
        ("Faessler circle, 4 m/s", faessler_circle(4.0, lap.duration), "-"),
        ("Faessler lemniscate", faessler_lemniscate(lap.duration), "-"),
    )
    curves: dict[str, tuple[float, str]] = {}
    for suffix, believed in (("", (x, y, z)), (", no drag in the model", (0.0, 0.0, 0.0))):
        setup = Setup(replace(dragged, drag=believed), GAINS, LIMITS, None, lag_s=0.02)
        flights = [curve for _, curve, _ in named]
        (outcome,) = fly(setup, flights, [Truth()], lap.duration, built=dragged)
        for (name, _, published), error in zip(named, outcome.position, strict=True):
            curves[name + suffix] = (round(100.0 * float(error), 2), published)
    report.table(
        "named curves, rotors 20 ms late (position RMSE in cm)",
        ("", "cm", "published"),
        [(name, f"{cm:.1f}", published) for name, (cm, published) in curves.items()],
    )
    return curves
