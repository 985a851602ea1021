"""`sekisho logs`: make the key that opens recordings; list, verify, export and learn from them."""

import argparse
import os
from pathlib import Path

import msgspec

from crypto.aio.files import StoreError
from crypto.aio.log_files import list_logs
from crypto.aio.log_keys import install_recipient, load_log_private, save_log_keys
from crypto.log_chain import Known, LogState
from crypto.primitives import KEY_BYTES, XWingKeyPair
from crypto.sealed_log import key_id
from sekisho.erase import add_erase
from sekisho.log_export import add_export
from sekisho.log_identify import add_identify
from sekisho.log_report import add_report
from sekisho.log_reports import add_known, follow, open_with, show


class KeyReport(msgspec.Struct):
    """What `keygen` wrote; `recipient` is the name by which files call the key."""

    ok: bool
    private: str
    public: str
    recipient: str


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `logs keygen`, `trust`, `list`, `verify`, `export`, `identify`, `report` and `erase`."""
    parser = subparsers.add_parser(
        "logs",
        help="sealed recordings: keygen, trust, list, verify, export, identify, report, erase",
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

    trust = verbs.add_parser(
        "trust",
        help="have a device seal its recordings to a key",
        description="Install the public file that keygen wrote in a device's state directory: what "
        "it records from its next start on opens with the private one only.",
        epilog="example: sekisho logs trust --state-dir /var/lib/sekisho log-public.key",
    )
    trust.add_argument("--state-dir", type=Path, required=True, metavar="D")
    trust.add_argument("file", type=Path, metavar="FILE")
    trust.set_defaults(run=run_trust)

    listing = verbs.add_parser(
        "list",
        help="the recordings of a directory",
        description="List the recordings of a directory, and of those in it, and how each ends; no "
        "key is needed.",
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
    add_known(verify)
    verify.set_defaults(run=run_verify)

    add_export(verbs)
    add_identify(verbs)
    add_report(verbs)
    add_erase(verbs)


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


def run_trust(arguments: argparse.Namespace) -> int:
    """Install the public key."""
    name = key_id(install_recipient(arguments.file, arguments.state_dir)).hex()
    print(f"{arguments.state_dir}: recordings are sealed to {name} from the next start on")
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """List a directory."""
    if not arguments.directory.is_dir():
        raise StoreError(f"{arguments.directory}: no such directory")
    directories = [arguments.directory, *sorted(arguments.directory.glob("*/"))]
    paths = [path for directory in directories for path in list_logs(directory)]
    reports = [follow(path, Known()) for path in paths]
    return show(reports, ok=True, as_json=arguments.json)


def run_verify(arguments: argparse.Namespace) -> int:
    """Verify files; exit 1 unless all are clean."""
    known = Known(arguments.signer, arguments.head)
    if arguments.key is None:
        reports = [follow(path, known) for path in arguments.files]
    else:
        key = load_log_private(arguments.key)
        reports = [open_with(path, key, known, lambda _: None) for path in arguments.files]
    ok = all(report.state == LogState.CLEAN for report in reports)
    return show(reports, ok=ok, as_json=arguments.json)
