"""``python -m benchmarks [NAME ...] [--json FILE] [--peers] [--quick]``."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks import aboard, control, flood, link, link_core, report
from benchmarks.program import ProgramError
from benchmarks.report import Options

BENCHMARKS: Final[dict[str, Callable[[Options], object]]] = {
    "link_core": link_core.run,
    "link": link.run,
    "aboard": aboard.run,
    "control": control.run,
    "flood": flood.run,
}
_EXIT_FAILED: Final = 1


def main(argv: Sequence[str]) -> int:
    """Run the named benchmarks, all without a name; return 0 when they ran."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure; print short tables; write one JSON file. A benchmark is no test.",
        epilog="example: python -m benchmarks link --peers",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="default: benchmarks/results/<utc>-<commit>-..."
    )
    parser.add_argument(
        "--peers", action="store_true", help="run the installed peers on the same work, beside ours"
    )
    parser.add_argument("--quick", action="store_true", help="end within 30 s")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"NAME = {unknown[0]!r}: no such benchmark; allowed: {', '.join(BENCHMARKS)}")
    options = Options(peers=arguments.peers, quick=arguments.quick)
    names = list(dict.fromkeys(arguments.names)) or list(BENCHMARKS)
    flags = [flag for flag in ("peers", "quick") if getattr(options, flag)]
    command = " ".join(["python -m benchmarks", *names, *(f"--{flag}" for flag in flags)])
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
