"""``python -m benchmarks [NAME ...] [gnss DIR] [--json FILE] [--peers] [--quick] ...``."""

import argparse
import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks import (
    aboard,
    console,
    control,
    fleet,
    flood,
    gnss,
    jitter,
    link,
    link_core,
    mqtt,
    report,
    sim,
)
from benchmarks.program import ProgramError
from benchmarks.report import Options

BENCHMARKS: Final[dict[str, Callable[[Options], object]]] = {
    "link_core": link_core.run,
    "link": link.run,
    "aboard": aboard.run,
    "control": control.run,
    "sim": sim.run,
    "fleet": fleet.run,
    "flood": flood.run,
    "gnss": gnss.run,
    "mqtt": mqtt.run,
    "jitter": jitter.run,
    "console": console.run,
}
_TAKES_DIRECTORY: Final = "gnss"
_EXIT_FAILED: Final = 1
_MOST_DRONES: Final = 200
_MOST_MINUTES: Final = 600


def main(argv: Sequence[str]) -> int:
    """Run the named benchmarks, all without a name; return 0 when they ran."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure; print short tables; write one JSON file. A benchmark is no test.",
        epilog="examples: python -m benchmarks link --peers; python -m benchmarks gnss DIR",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(BENCHMARKS)}; default: all. gnss may be "
        "followed by a directory of recorded flights (.tlog and .json)",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="default: benchmarks/results/<utc>-<commit>-..."
    )
    parser.add_argument(
        "--peers", action="store_true", help="run the installed peers on the same work, beside ours"
    )
    parser.add_argument("--quick", action="store_true", help="end within 30 s")
    parser.add_argument("--drones", type=int, default=50, metavar="N", help="of console: 1 to 200")
    parser.add_argument(
        "--minutes", type=float, default=5.0, metavar="M", help="of console; default: %(default)g"
    )
    arguments = parser.parse_args(argv)
    if not 1 <= arguments.drones <= _MOST_DRONES:
        parser.error(f"--drones {arguments.drones}: allowed: 1 to {_MOST_DRONES}")
    if not 0 < arguments.minutes <= _MOST_MINUTES:
        parser.error(f"--minutes {arguments.minutes:g}: allowed: more than 0, to {_MOST_MINUTES}")
    given, directory = _split_off_directory(arguments.names)
    unknown = [name for name in given if name not in BENCHMARKS]
    if unknown:
        parser.error(f"NAME = {unknown[0]!r}: no such benchmark; allowed: {', '.join(BENCHMARKS)}")
    options = Options(
        arguments.peers, arguments.quick, directory, arguments.drones, arguments.minutes
    )
    names = list(dict.fromkeys(given)) or list(BENCHMARKS)
    flags = [flag for flag in ("peers", "quick") if getattr(options, flag)]
    command = " ".join(["python -m benchmarks", *names, *(f"--{flag}" for flag in flags)])
    if "console" in names:
        command += f" --drones {options.drones} --minutes {options.minutes:g}"
    results = report.begin(command)
    try:
        for name in names:
            results.results[name] = BENCHMARKS[name](options)
    except ProgramError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return _EXIT_FAILED
    path = arguments.json or report.default_path(results)
    report.write(results, path)
    print(f"\n{path}")
    return 0


def _split_off_directory(words: list[str]) -> tuple[list[str], Path | None]:
    """Take the directory that may follow ``gnss`` out of the names."""
    for before, word in itertools.pairwise(words):
        if before == _TAKES_DIRECTORY and word not in BENCHMARKS and Path(word).is_dir():
            return [name for name in words if name != word], Path(word)
    return words, None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
