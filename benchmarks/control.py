"""``control``: what the control core costs, and how well it flies the literature's trajectories.

Cost: minima over repeats; a neighbour on the machine adds to every figure and takes from none.
Accuracy: simulated, deterministic, with the state known exactly; the published figures beside ours
are from other simulators and other gains, so they are a scale, not a race.
"""

from typing import Final

import msgspec
import numpy as np

from benchmarks import report, w1_measured
from benchmarks.control_curves import fly_curves
from benchmarks.control_recovery import Recovered, recover
from benchmarks.control_sun import GAINS, LIMITS, SUN, Tracked, fly_ellipses
from benchmarks.report import Options, Spread
from benchmarks.w1_measured import W1
from flightcore.control.indi import Rejection
from flightcore.control.tracking import SIZES, Tracking, tracking
from flightcore.trajectory.literature import sun_2022
from tracing.executors import Rows, Trace, floats

_LEVEL: Final = (0.0, 0.0, -5.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.1, 0.0, 0.0)
_SENSED: Final = (0.0, 0.0, -9.8, 1.8, 1.8, 1.9, 1.9)


class Result(msgspec.Struct, frozen=True):
    """What the benchmark leaves.

    Attributes:
        w1: The workload that other simulators run too.
        us_per_step: The tracking controller for one vehicle, in plain floats. [us]
        operations: Arithmetic operations of its texts.
        flight_s: How long each ellipse was flown. [s]
        sun_2022: By condition.
        curves_cm: Error and what was published, by curve.
        recovery: From upside down.
    """

    w1: W1
    us_per_step: dict[str, Spread]
    operations: dict[str, int]
    flight_s: float
    sun_2022: dict[str, Tracked]
    curves_cm: dict[str, tuple[float, str]]
    recovery: list[Recovered]


def run(options: Options) -> Result:
    """Measure cost and accuracy."""
    workload = w1_measured.measure(options)
    texts = {
        "tracking controller": tracking(SUN, GAINS, LIMITS, None, 1.0 / 300.0),
        "tracking controller with rejection": tracking(
            SUN, GAINS, LIMITS, Rejection(), 1.0 / 300.0
        ),
    }
    us = {name: _microseconds(text, 5 if options.quick else 30) for name, text in texts.items()}
    operations = {name: Trace(text, SIZES).operations for name, text in texts.items()}
    report.table(
        "the tracking controller for one vehicle in plain floats (us a step, least; target 20)",
        ("", "us", "operations"),
        [(name, report.figure(s.min), str(operations[name])) for name, s in us.items()],
    )
    flight_s, executor = 20.0, w1_measured.EXECUTORS.get("numba", Rows)
    if options.quick:  # compiling costs more than four seconds of flight do
        flight_s, executor = 4.0, Rows
    ellipses = fly_ellipses(flight_s, executor)
    return Result(workload, us, operations, flight_s, ellipses, fly_curves(), recover())


def _microseconds(text: Tracking, repeats: int) -> Spread:
    program = floats(text, SIZES)
    reference = tuple(sun_2022()[0].trajectory(1.0).sample(np.array([0.3]))[:, 0].tolist())
    memory = (0.0,) * SIZES[3]

    def once(count: int) -> None:
        for _ in range(count):
            program(_LEVEL, reference, _SENSED, memory)

    return w1_measured.microseconds(once, repeats)
