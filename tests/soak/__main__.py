"""``python -m tests.soak kills [--times 1000] [--services 30] [--seed N]``: kill, and look."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("kills", help="kill -9 at random points; cut files at every byte")
    verb.add_argument("--times", type=int, default=1000, help="kills of the light process")
    verb.add_argument("--services", type=int, default=30, help="kills of the whole services")
    verb.add_argument("--seed", type=int, default=20261121)
    verb.set_defaults(run=kills)
    arguments = parser.parse_args()
    arguments.run(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
