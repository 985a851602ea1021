"""`sekisho logs export`: say what a recording holds, or write it out in the clear."""

import argparse
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from crypto.aio.files import StoreError
from crypto.aio.log_files import pieces
from crypto.aio.log_keys import load_log_private
from crypto.log_chain import Known, LogChain, LogState
from crypto.primitives import XWingKeyPair
from crypto.sealed_log import LogContent
from sekisho.log_extras import McapOutput, ParquetOutput
from sekisho.log_outputs import (
    Contents,
    CsvOutput,
    GpxOutput,
    Output,
    TlogOutput,
    strip_position,
)
from sekisho.log_reports import LogReport, add_known, open_with, show
from sekisho.runtime import OperationFailedError
from wire.tlog import TlogSplitter

RAW: Final = "raw"
_OUTPUTS: Final[Mapping[str, Callable[[Path], Output]]] = {
    RAW: TlogOutput,
    "csv": CsvOutput,
    "gpx": GpxOutput,
    "parquet": ParquetOutput,
    "mcap": McapOutput,
}


def add_export(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `logs export`."""
    export = verbs.add_parser(
        "export",
        help="write the contents out in the clear",
        description="Write the contents of a recording to a new file, up to the first damage if "
        "there is any; without --out, list what it holds. Exit status 0 also if the recording was "
        "cut short by a power cut.",
        epilog="example: sekisho logs export logs/0000000001.slog --key keys/log-private.key "
        "--out flight.tlog",
    )
    export.add_argument("file", type=Path, metavar="FILE")
    export.add_argument("--key", type=Path, required=True)
    export.add_argument("--out", type=Path, help="a new file; for csv and parquet a new directory")
    export.add_argument(
        "--format",
        choices=[RAW, *(name for name in _OUTPUTS if name != RAW)],
        default=RAW,
        help="as it is (.tlog, or JSON lines), a table for each type of message (csv, parquet), "
        "the track (gpx), or all of it for Foxglove and PlotJuggler (mcap)",
    )
    export.add_argument(
        "--strip-position",
        action="store_true",
        help="without latitudes and longitudes, and without messages that may hold them anywhere",
    )
    add_known(export)
    export.set_defaults(run=run_export)


def run_export(arguments: argparse.Namespace) -> int:
    """Write the contents out, or say what they are; exit 1 if the file is damaged."""
    key = load_log_private(arguments.key)
    known = Known(arguments.signer, arguments.head)
    is_tlog = _content(arguments.file) is not LogContent.EVENTS
    if arguments.out is None:
        return _list_contents(arguments, key, known, is_tlog=is_tlog)
    if not is_tlog and (arguments.format != RAW or arguments.strip_position):
        raise StoreError(f"{arguments.file}: holds events: --format {RAW} only, as it is")
    if arguments.format == "gpx" and arguments.strip_position:
        raise StoreError("--format gpx is nothing but positions; leave out --strip-position")
    if not arguments.out.absolute().parent.is_dir():
        raise StoreError(f"{arguments.out}: No such file or directory; --out names a new file")
    if os.path.lexists(arguments.out):
        raise StoreError(f"{arguments.out}: File exists; --out names a new file")
    previous = os.umask(0o077)
    try:
        report = _write_out(arguments, key, known)
    except OSError as error:
        raise OperationFailedError(
            f"{arguments.out}: {error.strerror}; nothing was exported"
        ) from None
    finally:
        os.umask(previous)
    ok = report.state != LogState.DAMAGED
    return show([report], ok=ok, as_json=arguments.json)


def _write_out(arguments: argparse.Namespace, key: XWingKeyPair, known: Known) -> LogReport:
    """Write a new file or directory; half of it would pass for the whole, and is taken away."""
    try:
        if arguments.format == RAW and not arguments.strip_position:
            with arguments.out.open("xb") as out:
                report = open_with(arguments.file, key, known, out.write)
        else:
            output = _OUTPUTS[arguments.format](arguments.out)
            take = partial(_write_frames, output, TlogSplitter(), strip=arguments.strip_position)
            report = open_with(arguments.file, key, known, take)
            output.finish()
    except (OSError, StoreError):
        _remove(arguments.out)
        raise
    if report.chunks == 0:
        _remove(arguments.out)
    return report


def _write_frames(output: Output, splitter: TlogSplitter, data: bytes, *, strip: bool) -> None:
    for us, frame in splitter.receive(data):
        kept = strip_position(frame) if strip else frame
        if kept is not None:
            output.write(us, kept)


def _list_contents(
    arguments: argparse.Namespace, key: XWingKeyPair, known: Known, *, is_tlog: bool
) -> int:
    contents, splitter, lines = Contents(), TlogSplitter(), Counter[str]()

    def take(data: bytes) -> None:
        if is_tlog:
            for us, frame in splitter.receive(data):
                contents.write(us, frame)
        else:
            lines.update(msgspec.json.decode(line)["topic"] for line in data.splitlines())

    report = open_with(arguments.file, key, known, take)
    listed = contents.lines() if is_tlog else (f"  {k}: {n}" for k, n in sorted(lines.items()))
    if not arguments.json:
        print("\n".join([*listed, "nothing was written; --out does it"]))
    return show([report], ok=report.state != LogState.DAMAGED, as_json=arguments.json)


def _content(path: Path) -> LogContent | None:
    """Return what a file says that it holds; None if it does not say."""
    chain = LogChain()
    for piece in pieces(path):
        chain.receive_untrusted(piece)
        break
    return None if chain.header is None else chain.header.header.content


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
