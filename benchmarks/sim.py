"""``sim``: what the simulator's physics costs, beside other simulators on the same workload."""

import msgspec
import numpy as np

from benchmarks import report, w1, w1_measured
from benchmarks.report import Options, Spread
from benchmarks.w1_measured import W1
from sim.airframe import QUAD_X
from sim.rigid_body import RigidBody


class Result(msgspec.Struct, frozen=True):
    """What the benchmark leaves: W1, and one step of the simulator's own vehicle [us]."""

    w1: W1
    rigid_body_us: Spread


def run(options: Options) -> Result:
    """Measure."""
    result = Result(w1_measured.measure(options), _body(5 if options.quick else 20))
    print(f"  one step of `RigidBody`: {report.figure(result.rigid_body_us.min)} us")
    return result


def _body(repeats: int) -> Spread:
    body = RigidBody(QUAD_X, dt_s=w1.DT_S)
    throttle, wind = np.full((1, 4), 0.7), np.zeros((1, 3))

    def once(count: int) -> None:
        for _ in range(count):
            body.step(throttle, wind)

    return w1_measured.microseconds(once, repeats)
