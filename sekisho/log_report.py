"""`sekisho logs report`: one flight as one page, or one picture."""

import argparse
import os
from functools import partial
from pathlib import Path
from typing import Final

from crypto.aio.files import StoreError
from crypto.aio.log_keys import load_log_private
from crypto.log_chain import Known, LogState
from groundstation.aio.flight_events import add_events, drone_of
from groundstation.flight_data import FlightData
from sekisho.flight_report import Origin, render
from sekisho.log_reports import LogReport, add_known, open_with, show
from sekisho.runtime import OperationFailedError
from wire.tlog import TlogSplitter

_LEVELS: Final = {LogState.CLEAN: 1, LogState.CUT_SHORT: 2, LogState.DAMAGED: 3}
SUFFIXES: Final = (".html", ".png")


def add_report(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `logs report`."""
    report = verbs.add_parser(
        "report",
        help="a flight as one page with plots",
        description="Write one flight as an HTML page that needs nothing from outside, or as a "
        "picture: path, height, attitude, errors, battery, link, messages. Events are read from "
        "the directory `audit` beside the one in which the recording lies.",
        epilog="example: sekisho logs report logs/flights-tsubame-1/0000000001.slog "
        "--key keys/log-private.key --out flight.html",
    )
    report.add_argument("file", type=Path, metavar="FILE")
    report.add_argument("--key", type=Path, required=True)
    report.add_argument(
        "--out", type=report_path, required=True, metavar="FLIGHT.html", help="a new file"
    )
    add_known(report)
    report.set_defaults(run=run_report)


def report_path(text: str) -> Path:
    """Read where a report goes.

    Raises:
        argparse.ArgumentTypeError: Its end says neither page nor picture.
    """
    path = Path(text)
    if path.suffix not in SUFFIXES:
        raise argparse.ArgumentTypeError(f"{text!r} does not end with {' or '.join(SUFFIXES)}")
    return path


def run_report(arguments: argparse.Namespace) -> int:
    """Write the report; exit 1 if the recording is damaged."""
    key, known = load_log_private(arguments.key), Known(arguments.signer, arguments.head)
    flight, splitter = FlightData(), TlogSplitter()
    check_new(arguments.out)

    def take(data: bytes) -> None:
        for us, frame in splitter.receive(data):
            flight.write(us, frame)

    report = open_with(arguments.file, key, known, take)
    if flight.first_us is None:
        what = "holds no frames" if report.content != "events" else "holds events, not a flight"
        raise StoreError(f"{arguments.file}: {what} ({report.summary})")
    wrong = add_events(arguments.file, key, known, flight)
    write_report(arguments.out, flight, _origin(arguments.file, report, wrong))
    return show([report], ok=report.state != LogState.DAMAGED, as_json=arguments.json)


def check_new(path: Path) -> None:
    """Refuse to write where a report cannot go.

    Raises:
        StoreError: There is a file already, or no directory.
    """
    if not path.absolute().parent.is_dir():
        raise StoreError(f"{path}: No such file or directory; a report is a new file")
    if os.path.lexists(path):
        raise StoreError(f"{path}: File exists; a report is a new file")


def write_report(path: Path, flight: FlightData, origin: Origin) -> None:
    """Write a page or a picture, by what the path ends with, for nobody else to read.

    Raises:
        StoreError: A picture needs what is not installed.
        OperationFailedError: It cannot be written.
    """
    if path.suffix == ".png":
        from sekisho.flight_picture import draw  # noqa: PLC0415 - needs the extra `plot`

        data = draw(flight, origin)
    else:
        data = render(flight, origin).encode()
    try:
        with open(path, "xb", opener=partial(os.open, mode=0o600)) as out:
            out.write(data)
    except OSError as error:
        raise OperationFailedError(f"{path}: {error.strerror}; no report was written") from None


def _origin(path: Path, report: LogReport, wrong: list[str]) -> Origin:
    signer = f"signed by {report.signer}" if report.signer else "no signer can be read"
    facts = [f"{signer}, sealed to {report.recipient}, head {report.head}"]
    facts += [f"events: {text}" for text in wrong]
    name = drone_of(path) or f"device {(report.device_id or '')[:8]}"
    return Origin(
        name, path.name, f"Recording {report.summary}", _LEVELS[LogState(report.state)], facts
    )
