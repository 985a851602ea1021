"""What is said of sealed logs, file by file, and how."""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from crypto.aio.log_files import pieces, read_log
from crypto.log_chain import Known, LogChain, SignedHeader, Verdict
from crypto.primitives import KEY_BYTES, XWingKeyPair
from crypto.sealed_log import SHORT_HEAD_BYTES

_HEAD_BYTES = 32


class LogReport(msgspec.Struct):
    """One file, for ``--json``; the fields of the header are None if it could not be read."""

    file: str
    state: str
    chunks: int
    head: str
    offset: int
    damage: str | None
    summary: str
    opened: bool
    number: int | None = None
    boot_count: int | None = None
    device_id: str | None = None
    content: str | None = None
    signer: str | None = None
    recipient: str | None = None


class LogsReport(msgspec.Struct):
    """What `list`, `verify` and `export` found; `ok` agrees with the exit status."""

    ok: bool
    logs: list[LogReport]


def add_known(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is known of a file, and how to report."""
    parser.add_argument(
        "--signer",
        type=partial(_hex, KEY_BYTES, KEY_BYTES),
        metavar="HEX",
        help="the device's log signing key, public: any other signer is refused",
    )
    parser.add_argument(
        "--head",
        type=partial(_hex, SHORT_HEAD_BYTES, _HEAD_BYTES),
        metavar="HEX",
        help="a head that the aircraft announced: a file that does not reach it has lost its tail",
    )
    parser.add_argument("--json", action="store_true")


def _hex(least: int, most: int, text: str) -> bytes:
    allowed = f"{2 * least}" if least == most else f"{2 * least} to {2 * most}"
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if not least <= len(value) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not {allowed} hexadecimal digits")
    return value


def follow(path: Path, known: Known) -> LogReport:
    """Check the chain and the signatures of a file."""
    chain = LogChain(known)
    for piece in pieces(path):
        chain.receive_untrusted(piece)
    return _report(path, chain.header, chain.finish(), opened=False)


def open_with(
    path: Path, key: XWingKeyPair, known: Known, take: Callable[[bytes], object]
) -> LogReport:
    """Open a file, handing its contents to `take` piece by piece."""
    header, verdict = read_log(path, key, known, take)
    return _report(path, header, verdict, opened=True)


def _report(
    path: Path, signed: SignedHeader | None, verdict: Verdict, *, opened: bool
) -> LogReport:
    report = LogReport(
        file=str(path),
        state=verdict.state,
        chunks=verdict.chunks,
        head=verdict.head.hex(),
        offset=verdict.offset,
        damage=None if verdict.damage is None else verdict.damage.name,
        summary=verdict.summary(),
        opened=opened,
    )
    if signed is not None:
        report.number = signed.header.file_number
        report.boot_count = signed.header.boot_count
        report.device_id = signed.header.device_id.hex()
        report.content = signed.header.content.name.lower()
        report.signer = signed.signer.hex()
        report.recipient = signed.recipient_id.hex()
    return report


def show(reports: Sequence[LogReport], *, ok: bool, as_json: bool) -> int:
    """Print reports; return the exit status."""
    if as_json:
        print(msgspec.json.encode(LogsReport(ok, list(reports))).decode())
        return 0 if ok else 1
    for report in reports:
        print(f"{report.file}: {report.summary}")
        if report.signer is not None:
            print(
                f"  {report.content}, boot {report.boot_count}, device {report.device_id}\n"
                f"  signer {report.signer}, sealed to {report.recipient}"
                f"{'' if report.opened else ', contents not checked'}"
            )
    if not reports:
        print("no sealed logs", file=sys.stderr)
    return 0 if ok else 1
