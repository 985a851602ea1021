"""`sekisho logs`: make the key that opens recordings; list, verify and export them."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from crypto.aio.files import StoreError
from crypto.aio.log_files import list_logs, pieces
from crypto.aio.log_keys import load_log_private, save_log_keys
from crypto.log_chain import Damage, Known, LogChain, LogState, SignedHeader, Verdict
from crypto.log_reader import SealedLogReader
from crypto.primitives import KEY_BYTES, XWingKeyPair
from crypto.sealed_log import SHORT_HEAD_BYTES, key_id
from sekisho.erase import add_erase
from sekisho.runtime import OperationFailedError

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


class KeyReport(msgspec.Struct):
    """What `keygen` wrote; `recipient` is the name by which files call the key."""

    ok: bool
    private: str
    public: str
    recipient: str


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `logs keygen`, `list`, `verify`, `export` and `erase`."""
    parser = subparsers.add_parser(
        "logs",
        help="sealed recordings: keygen, list, verify, export, erase",
        epilog="example: sekisho logs verify --key log-private.key flight-000007.slog",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    keygen = verbs.add_parser(
        "keygen",
        help="make the offline key pair",
        description="Make the key pair of recordings. The public file goes to whoever records; "
        "the private one stays where recordings are read. Without it nothing opens: keep a copy.",
        epilog="example: sekisho logs keygen --out keys",
    )
    keygen.add_argument("--out", type=Path, required=True, metavar="DIR")
    keygen.add_argument("--json", action="store_true")
    keygen.set_defaults(run=run_keygen)

    listing = verbs.add_parser(
        "list",
        help="the recordings of a directory",
        description="List the recordings of a directory and how each ends; needs no key.",
        epilog="example: sekisho logs list /var/lib/sekisho/logs",
    )
    listing.add_argument("directory", type=Path, metavar="DIR")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=run_list)

    verify = verbs.add_parser(
        "verify",
        help="is anything missing, changed or added?",
        description="Check recordings. Without --key, only the chain and the signatures; with it, "
        "every chunk. Exit status 0 only if each file ends with its end mark and nothing is wrong.",
        epilog="example: sekisho logs verify --key keys/log-private.key logs/*.slog",
    )
    verify.add_argument("files", type=Path, nargs="+", metavar="FILE")
    verify.add_argument("--key", type=Path, help="the private file that keygen wrote")
    _add_known(verify)
    verify.set_defaults(run=run_verify)

    export = verbs.add_parser(
        "export",
        help="write the contents out in the clear",
        description="Write the contents of a recording to a new file, up to the first damage if "
        "there is any. Exit status 0 also if the recording was cut short by a power cut.",
        epilog="example: sekisho logs export logs/0000000001.slog --key keys/log-private.key "
        "--out flight.tlog",
    )
    export.add_argument("file", type=Path, metavar="FILE")
    export.add_argument("--key", type=Path, required=True)
    export.add_argument("--out", type=Path, required=True)
    _add_known(export)
    export.set_defaults(run=run_export)
    add_erase(verbs)


def _add_known(parser: argparse.ArgumentParser) -> None:
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


def run_keygen(arguments: argparse.Namespace) -> int:
    """Make the key pair."""
    pair = XWingKeyPair(os.urandom(KEY_BYTES))
    private, public = save_log_keys(arguments.out, pair)
    name = key_id(pair.public).hex()
    if arguments.json:
        report = KeyReport(ok=True, private=str(private), public=str(public), recipient=name)
        print(msgspec.json.encode(report).decode())
    else:
        print(f"made log key {name}\n  private, keep offline: {private}\n  public: {public}")
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """List a directory."""
    if not arguments.directory.is_dir():
        raise StoreError(f"{arguments.directory}: no such directory")
    reports = [_follow(path, Known()) for path in list_logs(arguments.directory)]
    return _show(reports, ok=True, as_json=arguments.json)


def run_verify(arguments: argparse.Namespace) -> int:
    """Verify files; exit 1 unless all are clean."""
    known = Known(arguments.signer, arguments.head)
    if arguments.key is None:
        reports = [_follow(path, known) for path in arguments.files]
    else:
        key = load_log_private(arguments.key)
        reports = [_open(path, key, known, lambda _: None) for path in arguments.files]
    ok = all(report.state == LogState.CLEAN for report in reports)
    return _show(reports, ok=ok, as_json=arguments.json)


def run_export(arguments: argparse.Namespace) -> int:
    """Write the contents out; exit 1 if the file is damaged."""
    key = load_log_private(arguments.key)
    known = Known(arguments.signer, arguments.head)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        descriptor = os.open(arguments.out, flags, 0o600)
    except OSError as error:
        raise StoreError(f"{arguments.out}: {error.strerror}; --out names a new file") from error
    try:
        with os.fdopen(descriptor, "wb") as out:
            report = _open(arguments.file, key, known, out.write)
    except (OSError, StoreError) as error:  # half of it would pass for the whole
        arguments.out.unlink()
        if isinstance(error, StoreError):
            raise
        raise OperationFailedError(
            f"{arguments.out}: {error.strerror}; nothing was exported"
        ) from None
    if report.chunks == 0:
        arguments.out.unlink()
    ok = report.state != LogState.DAMAGED
    return _show([report], ok=ok, as_json=arguments.json)


def _follow(path: Path, known: Known) -> LogReport:
    chain = LogChain(known)
    for piece in pieces(path):
        chain.receive_untrusted(piece)
    return _report(path, chain.header, chain.finish(), opened=False)


def _open(
    path: Path, key: XWingKeyPair, known: Known, take: Callable[[bytes], object]
) -> LogReport:
    reader = SealedLogReader(key, known)
    for piece in pieces(path):
        for chunk in reader.receive_untrusted(piece):
            take(chunk.data)
    return _report(path, reader.header, reader.finish(), opened=True)


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
        summary=_summary(verdict),
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


def _summary(verdict: Verdict) -> str:
    whole = f"{verdict.chunks} chunk{'' if verdict.chunks == 1 else 's'}"
    if verdict.damage is None:
        if verdict.state is LogState.CLEAN:
            return f"clean, {whole}"
        return f"cut short after {whole}, at byte {verdict.offset}"
    if not verdict.head or verdict.damage is Damage.HEAD_MISSING:
        where = "damaged" if verdict.head else "refused"
    else:
        where = f"damaged at chunk {verdict.chunks}, byte {verdict.offset}"
    number = "" if verdict.found is None else f" ({verdict.found})"
    return f"{where}: {verdict.damage}{number}; {whole} before it"


def _show(reports: Sequence[LogReport], *, ok: bool, as_json: bool) -> int:
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
