"""``python -m benchmarks.control_plots RESULT.json``: plots and tables of docs/control-core.md.

Needs matplotlib (extra `bench`). All but one plot come from what ``python -m benchmarks control
--peers`` left; that one flies an ellipse again. Tables stand in the document between comments.
"""

import argparse
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.control import Result
from benchmarks.control_flights import Setup, start
from benchmarks.control_plant import Plant, Truth
from benchmarks.control_sun import GAINS, LIMITS, SUN, Tracked
from benchmarks.program import ROOT
from flightcore.control.tracking import SIZES, tracking
from flightcore.trajectory.literature import sun_2022
from flightcore.trajectory.reach import within_reach
from flightcore.trajectory.sampled import Trajectory
from tracing.executors import Array, Rows

_OURS, _PLAIN, _DFBC, _NMPC = "#1f4e79", "#9dc3e6", "#c55a11", "#7f7f7f"
_CONDITIONS: Final = (
    "76 feasible", "drag +50 %", "drag +100 %", "mass -30 %", "mass +30 %",
    "centre of gravity 10 %", "force 5 N", "force 10 N", "force 15 N", "moment 0.1 N m",
    "moment 0.2 N m", "moment 0.3 N m", "latency 10 ms", "latency 30 ms", "latency 50 ms",
    "68 infeasible",
)  # fmt: skip
_DOCUMENT: Final = ROOT / "docs" / "control-core.md"
_IMAGES: Final = ROOT / "docs" / "images"
_PREFIXES: Final = ("rejection: ", "prediction: ", "planned ahead: ", "")


class _File(msgspec.Struct):
    results: dict[str, Result]


def main(argv: Sequence[str]) -> int:
    """Draw, and put the tables in their places."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.control_plots")
    parser.add_argument("result", type=Path, help="what `python -m benchmarks control` left")
    arguments = parser.parse_args(argv)
    text = _DOCUMENT.read_text()
    result = msgspec.json.decode(arguments.result.read_bytes(), type=_File).results["control"]
    for name, lines in _tables(result, arguments.result.name).items():
        begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = "\n".join([before + begin, *lines, end + after])
    _DOCUMENT.write_text(text)
    for name, draw in (("sun", _sun), ("w1", _w1), ("recovery", _recovery)):
        figure = Figure(figsize=(9.0, 5.0), layout="constrained")
        draw(result, figure.subplots())
        figure.savefig(_IMAGES / f"control-{name}.png", dpi=110)
    figure = Figure(figsize=(6.0, 6.0), layout="constrained")
    _ellipse(figure.subplots())
    figure.savefig(_IMAGES / "control-ahead.png", dpi=110)
    return 0


def _tables(result: Result, source: str) -> dict[str, list[str]]:
    """Return the document's tables by name, as lines of Markdown."""
    workload = result.w1
    counts = list(next(iter(workload.vehicle_steps_per_s.values())))
    rates = {f"ours, {k}, float64": v for k, v in workload.vehicle_steps_per_s.items()}
    rates |= {name: peer.rates for name, peer in workload.peers.items()}
    alone = {**workload.us_per_step, **result.us_per_step}
    times = [(name, f"{spread.min:.2f}") for name, spread in alone.items()]
    times += [(f"{name}, closed loop", f"{p.us:,.0f}") for name, p in workload.peers.items()]
    batches = [
        (name, *(f"{each[n] / 1e6:.2f}" if n in each else "-" for n in counts))
        for name, each in rates.items()
    ]
    return {
        "sun": [
            *_table(
                ("condition", "mean", "SD", "greatest", "left", "NMPC", "DFBC"),
                [
                    (name, *t.in_words(), f"{t.left} of {t.flights}", t.nmpc, t.dfbc)
                    for name, t in result.sun_2022.items()
                ],
            ),
            "",
            f"{result.flight_s:.0f} s each, `{source}`.",
        ],
        "lee": _table(
            ("reading", "s until Psi < 1"),
            [(each.name, f"{each.seconds:.3f}") for each in result.recovery],
        ),
        "curves": _table(
            ("curve", "RMSE in cm", "published"),
            [(name, f"{cm:.1f}", said) for name, (cm, said) in result.curves_cm.items()],
        ),
        "cost": [
            *_table(("one vehicle, plain floats", "us a step"), times),
            "",
            *_table(("M vehicle-steps a second, N =", *counts), batches),
            "",
            f"Least of many repeats, `{source}`.",
        ],
    }  # fmt: skip


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _sun(result: Result, axes: Axes) -> None:
    rows = result.sun_2022
    best = [_best(rows, name) for name in _CONDITIONS]
    at = np.arange(len(best))
    for shift, colour, said in (
        (-0.3, _NMPC, [_published(rows, name, "nmpc") for name in _CONDITIONS]),
        (-0.1, _DFBC, [_published(rows, name, "dfbc") for name in _CONDITIONS]),
        (0.1, _PLAIN, [rows[n].mean if n in rows else math.nan for n in _CONDITIONS]),
        (0.3, _OURS, [row.mean for _, row in best]),
    ):
        axes.bar(at + shift, said, 0.2, color=colour)
    for x, (_, row) in enumerate(best):
        axes.text(x + 0.3, row.mean, f" {row.mean:.2f}", rotation=90, fontsize=8, ha="center")
    names = [
        f"{name}\n({prefix[:-2]})" if prefix else name
        for name, (prefix, _) in zip(_CONDITIONS, best, strict=True)
    ]
    axes.set_xticks(at, names, rotation=60, ha="right", fontsize=8)
    axes.set_yscale("symlog", linthresh=0.1)
    axes.set_ylabel("position RMSE, mean of the flights that stayed [m]")
    axes.set_title("Sun et al. 2022 (theirs with INDI where they give it)")
    axes.legend(["NMPC, published", "DFBC, published", "ours, plain", "ours, as named below"])


def _best(rows: dict[str, Tracked], name: str) -> tuple[str, Tracked]:
    """Return our row for a condition: with what was built for it, where there is such a row."""
    prefix = next(p for p in _PREFIXES if p + name in rows)
    return prefix, rows[prefix + name]


def _published(rows: dict[str, Tracked], name: str, whose: str) -> float:
    """Return a published figure, that with INDI first."""
    said = (_number(getattr(rows[p + name], whose)) for p in _PREFIXES if p + name in rows)
    return next((figure for figure in said if not math.isnan(figure)), math.nan)


def _number(published: str) -> float:
    found = re.match(r"[\d.]+", published)
    return float(found[0]) if found else math.nan


def _w1(result: Result, axes: Axes) -> None:
    workload = result.w1
    for name, rates in workload.vehicle_steps_per_s.items():
        axes.loglog([int(n) for n in rates], list(rates.values()), "o-", label=f"ours, {name}")
    axes.loglog([1], [1e6 / workload.us_per_step["W1 closed loop, Runge-Kutta"].min], "s",
                label="ours, plain floats")  # fmt: skip
    for name, peer in workload.peers.items():
        counts = [1, *(int(n) for n in peer.rates)]
        axes.loglog(counts, [1e6 / peer.us, *peer.rates.values()], "^--", label=name)
    axes.set_xlabel("vehicles in a batch")
    axes.set_ylabel("vehicle-steps per second")
    axes.set_title("Closed loop on W1, Runge-Kutta, one run")
    axes.grid(alpha=0.3)
    axes.legend()


def _recovery(result: Result, axes: Axes) -> None:
    names = [each.name for each in result.recovery]
    colours = [_OURS if name.startswith("ours") else _NMPC for name in names]
    axes.barh(names, [each.seconds for each in result.recovery], color=colours)
    axes.axvline(0.88, color=_DFBC)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=8)
    axes.set_xlabel("s until Psi < 1 (line: 0.88 s as published)")
    axes.set_title("Recovery from upside down, Lee et al. 2010")


def _ellipse(axes: Axes) -> None:
    ellipse = next(
        e for e in sun_2022()
        if not e.vertical and e.ratio == 1 and e.peak_acceleration == 60.0 and e.top_speed == 15.0
    )  # fmt: skip
    reference = ellipse.trajectory(6.0)
    times = np.linspace(0.0, 4.5, 1_500)  # the end of a plan is free to run away
    wanted = reference.sample(times)
    axes.plot(wanted[1], wanted[0], color=_NMPC, label="reference: 60 m/s2 at 15 m/s")
    for name, aim, colour in (
        ("followed as it is", reference, _DFBC),
        ("planned ahead", within_reach(reference, SUN), _OURS),
    ):
        flown = _path(aim, reference, 4.5)
        axes.plot(flown[1], flown[0], color=colour, lw=1.0, label=name)
    axes.set_aspect("equal")
    axes.set_xlabel("east [m]")
    axes.set_ylabel("north [m]")
    axes.set_title("Beyond reach: thrust holds 45 m/s2")
    axes.legend(loc="lower right")


def _path(aim: Trajectory, reference: Trajectory, seconds: float) -> Array:
    """Return the positions flown. Shape (3, steps)."""
    setup = Setup(SUN, GAINS, LIMITS, None)
    dt_s = 1.0 / setup.rate_hz
    times = np.arange(round(seconds / dt_s), dtype=np.float64) * dt_s
    plant = Plant(SUN, [Truth()], 0.0, dt_s / setup.substeps)
    plant.state[:], plant.thrusts[:] = start(setup, reference.sample(times[:1]))
    controller = Rows(tracking(SUN, GAINS, LIMITS, None, dt_s), SIZES, 1, feedback=((1, 3),))
    flat = aim.sample(times)
    path = np.empty((3, len(times)))
    for k in range(len(times)):
        path[:, k] = plant.state[:3, 0]
        controller.inputs[0][:], controller.inputs[1][:] = plant.state, flat[:, k : k + 1]
        controller.run()
        plant.advance(controller.outputs[0], setup.substeps)
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
