"""How well trajectories are followed, by what the setpoints say: ``python -m tests.tracking``.

Flies each trajectory in each form through the whole stack, with the real ArduCopter if it is here
(SEKISHO_ARDUCOPTER), else with the embedded autopilot; prints a table; with `--json` writes what
``python -m tests.tracking_plots`` draws. It takes a quarter of an hour and a machine that is quiet:
autopilot and companion both go by the wall's clock.
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.tracking import FORMS, HEAD, PARAMETERS, TRAJECTORIES, Range, as_json, row
from tests.e2e.vehicles import ArduCopter, EmbeddedAutopilot

VEHICLES = {kind.name: kind for kind in (ArduCopter, EmbeddedAutopilot)}


def fly(kind, names, forms):
    with tempfile.TemporaryDirectory(prefix="sekisho-tracking-") as place, ExitStack() as held:
        here = Path(place)
        quiet = io.StringIO()
        vehicle = kind(here, speedup=1, more=PARAMETERS)
        held.callback(vehicle.stop)
        with contextlib.redirect_stdout(quiet):
            flights = Range(held, vehicle, here / "stack")
            flights.take_off()
        try:
            for form in forms:
                for name in names:
                    with contextlib.redirect_stdout(quiet):
                        result = flights.fly(name, form)
                    yield result
        finally:
            with contextlib.redirect_stdout(quiet):  # what the stack reports at its end
                held.close()


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.tracking", description=__doc__)
    usual = ArduCopter if ArduCopter.binary() else EmbeddedAutopilot
    parser.add_argument("--vehicle", choices=VEHICLES, default=usual.name)
    parser.add_argument("--only", choices=TRAJECTORIES, action="append", metavar="TRAJECTORY")
    parser.add_argument("--forms", choices=FORMS, nargs="+", default=list(FORMS))
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
