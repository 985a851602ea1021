"""The 144 ellipses of Sun et al. 2022: their vehicle, their conditions, our controller.

The published figures are those of their simulator and their gains; DFBC is the law of the same kind
as ours, NMPC plans a second ahead. Whoever leaves a sphere of 5 m around the reference has crashed,
as there. What is planned ahead flies the motion within reach that is nearest to the reference; its
error counts from the reference, and it begins where the reference begins.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from benchmarks import report
from benchmarks.control_flights import Outcome, Setup, fly
from benchmarks.control_plant import Truth
from flightcore.control.indi import Rejection
from flightcore.control.vehicle import Gains, Limits, Rotor, Vehicle
from flightcore.trajectory.literature import sun_2022
from flightcore.trajectory.reach import within_reach
from flightcore.trajectory.sampled import Trajectory
from tracing.executors import Batch

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


class Tracked(msgspec.Struct, frozen=True):
    """One condition: mean and deviation of the position error of those that did not crash [m].

    None where all did.

    Attributes:
        mean_m: Of the root mean squares of the flights.
        sd_m: Their standard deviation.
        max_m: The greatest.
        left: How many left the sphere.
        flights: Of how many.
        nmpc: As published.
        dfbc: As published.
    """

    mean_m: float | None
    sd_m: float | None
    max_m: float | None
    left: int
    flights: int
    nmpc: str
    dfbc: str

    @property
    def mean(self) -> float:
        """The mean, not a number where there is none. [m]"""
        return math.nan if self.mean_m is None else self.mean_m

    def in_words(self) -> tuple[str, str, str]:
        """Mean, deviation, greatest for a table."""
        if self.mean_m is None:
            return "-", "-", "-"
        return f"{self.mean_m:.3f}", f"{self.sd_m:.3f}", f"{self.max_m:.2f}"


class _Row(NamedTuple):
    name: str
    truth: Truth
    nmpc: str = "-"
    dfbc: str = "-"


_BARE: Final = (
    _Row("76 feasible", Truth(), ".084 +- .049", ".084 +- .041"),
    _Row("drag +50 %", Truth(drag=1.5), ".183 +- .066", ".194 +- .084"),
    _Row("drag +100 %", Truth(drag=2.0), ".286 +- .109", ".305 +- .139"),
    _Row("mass -30 %", Truth(mass=0.7), ".320", ".477"),
    _Row("mass +30 %", Truth(mass=1.3), ".809, 10.7 % crash", ".687"),
    _Row("centre of gravity 10 %", Truth(shift=0.1), ".264", "1.499, 20 % crash"),
    _Row("force 5 N", Truth(force_n=(5.0, 0.0, 0.0)), ".252", ".302"),
    _Row("force 10 N", Truth(force_n=(10.0, 0.0, 0.0)), ".716", ".689"),
    _Row("force 15 N", Truth(force_n=(15.0, 0.0, 0.0)), "1.870", "1.391"),
    _Row("latency 10 ms", Truth(latency_s=0.01), ".085", ".097"),
    _Row("latency 30 ms", Truth(latency_s=0.03), ".158", ".333"),
    _Row("latency 50 ms", Truth(latency_s=0.05), "3.450, 66.7 % crash", ".669, 5.3 % crash"),
)
_REJECTING: Final = (
    _Row("76 feasible", Truth(), ".082 +- .047", ".085 +- .043"),
    *(_Row(name, truth) for name, truth, _, _ in _BARE[1:5]),
    _Row("centre of gravity 10 %", Truth(shift=0.1), ".081", ".099"),
    *(_Row(name, truth) for name, truth, _, _ in _BARE[6:9]),
    _Row("moment 0.1 N m", Truth(torque_b=(0.1, 0.0, 0.0)), ".083", ".087"),
    _Row("moment 0.2 N m", Truth(torque_b=(0.2, 0.0, 0.0)), ".087", ".113"),
    _Row("moment 0.3 N m", Truth(torque_b=(0.3, 0.0, 0.0)), ".298", ".764"),
)
_PREDICTING: Final = (
    *_BARE[-3:],
    _Row("latency 50 ms and drag +50 %", Truth(drag=1.5, latency_s=0.05)),
    _Row("latency 50 ms and mass +30 %", Truth(mass=1.3, latency_s=0.05)),
)
_LAGGING: Final = (_Row("76 feasible", Truth()), _Row("drag +50 %", Truth(drag=1.5)))
_INFEASIBLE: Final = (_Row("68 infeasible", Truth(), ".40", ".77"),)


def fly_ellipses(seconds: float, executor: type[Batch]) -> dict[str, Tracked]:
    """Fly every condition for so long, print the table and return it."""
    feasible = [e.trajectory(seconds) for e in sun_2022() if e.feasible]
    other = [e.trajectory(seconds) for e in sun_2022() if not e.feasible]
    ahead = [within_reach(trajectory, SUN) for trajectory in other]
    plain = Setup(SUN, GAINS, LIMITS, None)
    found: dict[str, Tracked] = {}

    def add(
        prefix: str,
        setup: Setup,
        flights: Sequence[Trajectory],
        rows: Sequence[_Row],
        aims: Sequence[Trajectory] | None = None,
    ) -> None:
        truths = [row.truth for row in rows]
        outcomes = fly(setup, flights, truths, seconds, aims=aims, executor=executor)
        for row, outcome in zip(rows, outcomes, strict=True):
            found[prefix + row.name] = _tracked(outcome, row)

    add("", plain, feasible, _BARE)
    add("rejection: ", Setup(SUN, GAINS, LIMITS, Rejection()), feasible, _REJECTING)
    add("prediction: ", Setup(SUN, GAINS, LIMITS, None, predicts=True), feasible, _PREDICTING)
    lagging = Setup(SUN, GAINS, LIMITS, Rejection(), lag_s=0.02)
    add("rejection, rotors 20 ms late: ", lagging, feasible, _LAGGING)
    add("", plain, other, _INFEASIBLE)
    add("planned ahead: ", plain, other, _INFEASIBLE, ahead)
    report.table(
        f"Sun et al. 2022, {seconds:.0f} s each (position RMSE in m; NMPC, DFBC as published)",
        ("condition", "mean", "SD", "max", "left 5 m", "NMPC", "DFBC"),
        [
            (name, *t.in_words(), f"{t.left}/{t.flights}", t.nmpc, t.dfbc)
            for name, t in found.items()
        ],
    )
    return found


def _tracked(outcome: Outcome, row: _Row) -> Tracked:
    stayed = outcome.position[~outcome.left]
    left, flights = int(outcome.left.sum()), len(outcome.left)
    if left == flights:
        return Tracked(None, None, None, left, flights, row.nmpc, row.dfbc)
    mean, sd, most = (round(float(x), 4) for x in (stayed.mean(), stayed.std(), stayed.max()))
    return Tracked(mean, sd, most, left, flights, row.nmpc, row.dfbc)
