"""`python -m tests.conformance`: fly the cases and print the table."""

import argparse
import json
import sys
import time
from pathlib import Path

from tests.conformance import report
from tests.conformance.case import CASES
from tests.conformance.runner import fly, record


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description="Fly the table of cases on the embedded autopilot and the real ArduCopter.",
        epilog="example: SEKISHO_ARDUCOPTER=... python -m tests.conformance --vehicle both",
    )
    parser.add_argument("--vehicle", choices=["embedded", "arducopter", "both"], default="both")
    parser.add_argument(
        "--only", metavar="TEXT", action="append", help="cases with this in their name"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument(
        "--record", action="store_true", help="take what was observed as what must be observed"
    )
    parser.add_argument("--document", type=Path, metavar="FILE", help="write the table as Markdown")
    args = parser.parse_args()
    names = ["embedded", "arducopter"] if args.vehicle == "both" else [args.vehicle]
    keys = [key for key in CASES if any(text in key for text in args.only or [""])]
    began = time.monotonic()
    observed = {name: fly(name, keys) for name in names}
    print(f"{len(keys)} cases in {time.monotonic() - began:.0f} s", file=sys.stderr)
    if args.record:
        record(observed)
    faults = report.compare(observed)
    if args.json is not None:
        args.json.write_text(json.dumps(report.as_json(observed), indent=1) + "\n")
    if args.document is not None:
        args.document.write_text(report.document())
    print(report.summary(observed))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
