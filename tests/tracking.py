"""How well trajectories are followed, by what the setpoints say: ``python -m tests.tracking``.

Flies each trajectory in each form through the whole stack, with the real ArduCopter if it is here
(SEKISHO_ARDUCOPTER), else with the embedded autopilot; prints a table, writes `--json`, and with
`--images DIR` one plot per trajectory (needs matplotlib). Takes a quarter of an hour, and a machine
that is quiet: both autopilot and companion go by the wall's clock.
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from tests.e2e.tracking import FORMS, HEAD, PARAMETERS, TRAJECTORIES, WIND, Range, as_json, row
from tests.e2e.vehicles import ArduCopter, EmbeddedAutopilot

VEHICLES = {kind.name: kind for kind in (ArduCopter, EmbeddedAutopilot)}
COLOURS = {"position": "#c46a3f", "motion": "#5b7f95", "attitude": "#2f6b4f"}


def fly(kind, names, forms):
    with tempfile.TemporaryDirectory(prefix="sekisho-tracking-") as place, ExitStack() as held:
        here = Path(place)
        vehicle = kind(here, speedup=1, more=PARAMETERS)
        held.callback(vehicle.stop)
        quiet = io.StringIO()
        with contextlib.redirect_stdout(quiet):
            flights = Range(held, vehicle, here / "stack")
            flights.take_off()
        for form in forms:
            for name in names:
                yield flights.fly(name, form)
        held.enter_context(contextlib.redirect_stdout(quiet))  # what the stack reports at its end


def plot(results, directory):
    """Draw what was flown over what should have been, and the error, per trajectory."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    for name in dict.fromkeys(result.trajectory for result in results):
        shown = [result for result in results if result.trajectory == name]
        figure, (above, below) = plt.subplots(
            2, 1, figsize=(6.4, 8.0), height_ratios=(3, 1), layout="constrained"
        )
        reference = shown[-1].reference
        above.plot(reference[:, 1], reference[:, 0], color="#bbbbbb", linewidth=5)
        for result in shown:
            label = f"{result.form}: {result.rmse:.2f} m"
            colour = COLOURS[result.form]
            above.plot(result.truth[:, 1], result.truth[:, 0], colour, linewidth=1, label=label)
            error = np.linalg.norm(result.truth - result.reference, axis=1)
            below.plot(np.linspace(0, 1, len(error)), error, colour, linewidth=1)
        above.set(aspect="equal", xlabel="east [m]", ylabel="north [m]")
        above.set_title(f"{name}, {shown[0].vehicle}, wind {WIND:g} m/s", loc="left", fontsize=10)
        above.legend(frameon=False, fontsize=8, loc="center")
        below.set(xlabel="share of the flight", ylabel="error [m]", yscale="log")
        for axes in (above, below):
            axes.spines[["top", "right"]].set_visible(False)
        slug = name.split()[0]
        figure.savefig(directory / f"tracking-{slug}.png", dpi=110)
        plt.close(figure)


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.tracking", description=__doc__)
    usual = ArduCopter if ArduCopter.binary() else EmbeddedAutopilot
    parser.add_argument("--vehicle", choices=VEHICLES, default=usual.name)
    parser.add_argument("--only", choices=TRAJECTORIES, action="append", metavar="TRAJECTORY")
    parser.add_argument("--forms", choices=FORMS, nargs="+", default=list(FORMS))
    parser.add_argument("--images", type=Path, metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    names = arguments.only or list(TRAJECTORIES)
    results = []
    print(HEAD, flush=True)
    for result in fly(VEHICLES[arguments.vehicle], names, arguments.forms):
        results.append(result)
        print(row(result), flush=True)
    for name in names:
        by_form = {result.form: result.rmse for result in results if result.trajectory == name}
        if {"position", "attitude"} <= by_form.keys():
            ratio = by_form["position"] / by_form["attitude"]
            print(f"{name}: attitudes are followed {ratio:.1f} times as closely as positions")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(list(map(as_json, results)), indent=1) + "\n")
    if arguments.images is not None:
        plot(results, arguments.images)
    return 0


if __name__ == "__main__":
    sys.exit(main())
