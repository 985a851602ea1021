"""Long runs: ``python -m tests.soak kills [--times 1000] [--services 30] [--seed N]``: kill, look.

``python -m tests.soak failsafe [--vehicle arducopter]``: lose the operator in flight, in each mode
and each way, and measure how long the autopilot takes to end the flight.
"""

import argparse
import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.losses import BOUND_S, MODES, Way, lose
from tests.e2e.vehicles import ArduCopter, EmbeddedAutopilot
from tests.soak.kills import Soak, kill_services
from tests.soak.truncation import cut_everywhere, furnished


def say(text: str) -> None:
    print(text, flush=True)


def kills(arguments: argparse.Namespace) -> None:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sekisho-soak-") as name:
        here = Path(name)
        for kind in ("plain", "sealed"):
            cut = cut_everywhere(furnished(here / f"cut-{kind}", sealed=kind == "sealed"))
            total = sum(refused + read for refused, read in cut.values())
            say(f"{kind} files cut at each of {total} bytes: (refused, read whole) {cut}")
        soak = Soak(here, arguments.seed)
        soak.run(arguments.times, say)
        if arguments.services:
            kill_services(here / "services", arguments.services, arguments.seed, say)
    total = arguments.times + arguments.services
    say(
        f"{total} kills in {time.monotonic() - begun:.0f} s: nothing acknowledged was lost, "
        "nothing came twice or went back, everything started again"
    )


VEHICLES = {kind.name: kind for kind in (EmbeddedAutopilot, ArduCopter)}


def failsafe(arguments: argparse.Namespace) -> None:
    say("vehicle     mode    way           T0 to failsafe  last presence  presence  flood")
    for mode in MODES:
        for way in Way:
            with tempfile.TemporaryDirectory(prefix="sekisho-soak-") as name:
                vehicle = VEHICLES[arguments.vehicle](Path(name), speedup=1)
                with contextlib.redirect_stdout(io.StringIO()):
                    try:
                        result = lose(vehicle, mode, way, Path(name) / "stack")
                    finally:
                        vehicle.stop()
            say(
                f"{result.vehicle:11} {result.mode:7} {result.way:13} {result.noticed_s:12.2f} s "
                f"{result.presence_s:12.2f} s {result.presence:9} {result.flood:6}"
            )
            assert result.noticed_s <= BOUND_S
    say(f"all within T1 + FS_GCS_TIMEOUT + 1 s = {BOUND_S:g} s")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("kills", help="kill -9 at random points; cut files at every byte")
    verb.add_argument("--times", type=int, default=1000, help="kills of the light process")
    verb.add_argument("--services", type=int, default=30, help="kills of the whole services")
    verb.add_argument("--seed", type=int, default=20261121)
    verb.set_defaults(run=kills)
    verb = verbs.add_parser("failsafe", help="lose the operator in flight, each mode and way")
    verb.add_argument("--vehicle", choices=VEHICLES, default=EmbeddedAutopilot.name)
    verb.set_defaults(run=failsafe)
    arguments = parser.parse_args()
    arguments.run(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
