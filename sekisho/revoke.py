"""`sekisho revoke`: the offline fleet authority, and the lists by which it revokes stations."""

import argparse
import contextlib
import os
import re
from pathlib import Path
from typing import Final

import msgspec

from crypto.aio import wrapping
from crypto.aio.files import StoreError, write_private
from crypto.aio.store import Store
from crypto.revocation import (
    MAX_LIST_BYTES,
    Authority,
    AuthorityPublic,
    Refusal,
    RefusedListError,
    RevocationList,
    SignedList,
    make_authority_seeds,
    parse_untrusted,
)
from crypto.vault import Vault
from sekisho.runtime import RELOAD_REVOCATIONS, OperationFailedError, query, socket_path
from sekisho.unlock import add_source_options, confirm, new_secret, open_store, source_of

_GCS_ID: Final = re.compile(r"[0-9a-f]{32}")
_FINGERPRINT_BYTES: Final = 8
_REASONS: Final = {
    Refusal.MALFORMED: "not a revocation list, or damaged",
    Refusal.NOT_NEWER: "not newer than the list already in force",
    Refusal.BAD_SIGNATURE: "changed, or not signed by both keys of the trusted authority",
}


class EntryReport(msgspec.Struct):
    """One revoked ground station."""

    gcs_id: str
    revoked_at: int


class ListReport(msgspec.Struct):
    """A list, for ``--json``; `verified` is None if nothing was there to verify it with."""

    serial: int
    verified: bool | None
    entries: list[EntryReport]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `revoke`."""
    parser = subparsers.add_parser(
        "revoke",
        help="revoke a lost ground station, offline",
        description="Sign cumulative revocation lists with an offline fleet authority, and apply "
        "them to drones and ground stations.",
        epilog="example: sekisho revoke apply --state-dir /var/lib/sekisho /media/usb/fleet.skrl",
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="ACTION")

    def add(name: str, summary: str, run: object, example: str) -> argparse.ArgumentParser:
        action = kinds.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"example: sekisho revoke {name} {example}",
        )
        action.set_defaults(run=run)
        return action

    keygen = add("keygen", "make a fleet authority, to be kept offline", run_keygen, "--out fleet")
    keygen.add_argument("--out", type=Path, required=True, metavar="DIR")
    keygen.add_argument("--plain", action="store_true", help="do not wrap the private keys")
    add_source_options(keygen)
    trust = add(
        "trust",
        "install the public keys of the fleet authority on a device",
        run_trust,
        "--state-dir /var/lib/sekisho authority.pub",
    )
    trust.add_argument("--state-dir", type=Path, required=True, metavar="D")
    trust.add_argument("file", type=Path, metavar="authority.pub")
    trust.add_argument("--replace", action="store_true", help="trust this one instead of another")
    sign = add(
        "sign",
        "sign the next list, which revokes these ground stations too",
        run_sign,
        "--authority fleet --list fleet.skrl 00112233445566778899aabbccddeeff",
    )
    sign.add_argument("--authority", type=Path, required=True, metavar="DIR")
    sign.add_argument("--list", type=Path, required=True, metavar="FILE")
    sign.add_argument("gcs_id", nargs="+", metavar="GCS_ID", help="as `sekisho keys list` shows it")
    sign.add_argument(
        "--above", type=int, default=0, metavar="N", help="for a new authority: go on from serial N"
    )
    sign.add_argument("--yes", action="store_true", help="do not ask")
    add_source_options(sign)
    show = add("show", "print a list, verified or not", run_show, "fleet.skrl")
    show.add_argument("file", type=Path, metavar="FILE")
    show.add_argument("--by", type=Path, metavar="authority.pub", help="verify the signatures")
    show.add_argument("--json", action="store_true")
    apply = add(
        "apply",
        "verify a list and put it in force on this device",
        run_apply,
        "--state-dir /var/lib/sekisho fleet.skrl",
    )
    apply.add_argument("--state-dir", type=Path, required=True, metavar="D")
    apply.add_argument("file", type=Path, metavar="FILE")
    apply.add_argument("--json", action="store_true")


def run_keygen(arguments: argparse.Namespace) -> int:
    """Make a fleet authority in a directory of its own."""
    directory = arguments.out
    store = Store(directory)
    if directory.exists() and any(directory.iterdir()):
        raise StoreError(f"{directory}: not empty; name a new directory")
    if not arguments.plain:
        vault = Vault.create(new_secret(source_of(arguments)), os.urandom)
        wrapping.wrap(directory, vault)
        store = Store(directory, vault)
    seeds = make_authority_seeds(os.urandom)
    public = Authority(seeds).public
    write_private(store.authority_public_path, public.encode())
    store.secrets.write(store.secrets.authority, seeds)
    print(
        f"{directory}: fleet authority {_fingerprint(public)}\n"
        f"  keep this directory offline; take {store.authority_public_path.name} to every drone "
        "and ground station (`sekisho revoke trust`)"
    )
    return 0


def run_trust(arguments: argparse.Namespace) -> int:
    """Install the authority's public file."""
    public = _read_public(arguments.file)
    store = Store(arguments.state_dir)
    trusted = store.load_authority()
    if trusted is not None and trusted != public and not arguments.replace:
        raise StoreError(
            f"{store.authority_public_path}: authority {_fingerprint(trusted)} is trusted already; "
            f"add --replace to trust {_fingerprint(public)} instead"
        )
    if trusted != public:
        store.save_authority(public)
        _tell_services(store)
    print(f"{arguments.state_dir}: trusts fleet authority {_fingerprint(public)}")
    floor = store.load_revocations().serial
    if trusted not in (None, public) and floor:
        print(f"  its first list must be signed with --above {floor}")
    return 0


def run_sign(arguments: argparse.Namespace) -> int:
    """Sign the list that follows the newest one known here."""
    gcs_ids = [_parse_gcs_id(text) for text in arguments.gcs_id]
    store = open_store(arguments.authority, source_of(arguments))
    authority = _load_authority(store)
    newest = store.load_revocations()
    if arguments.list.exists():
        in_file = _verified(arguments.list, authority.public)
        newest = max(newest, in_file, key=lambda known: known.serial)
    try:
        following = newest.extended(gcs_ids, arguments.above)
    except ValueError as error:
        raise OperationFailedError(f"{arguments.list}: {error}") from None
    print(f"fleet authority {_fingerprint(authority.public)} is to sign:")
    print(_readable(following, new=gcs_ids))
    confirm("sign it?", agreed=arguments.yes)
    signed = authority.sign(following)
    store.accept_revocations(signed)  # first: a serial used once is never used again
    _replace(arguments.list, signed)
    print(f"{arguments.list}: serial {following.serial}, {len(signed)} bytes")
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Print what a list says; exit 1 if it was to be verified and is not authentic."""
    signed = _parse(arguments.file)
    verified = None
    if arguments.by is not None:
        verified = _read_public(arguments.by).signs(signed.body, signed.signatures)
    if arguments.json:
        print(msgspec.json.encode(_report(signed.revocations, verified)).decode())
    else:
        print(_readable(signed.revocations))
        print("authentic" if verified else "not verified" + " (name --by)" * (verified is None))
    if verified is False:
        raise OperationFailedError(f"{arguments.file}: {_REASONS[Refusal.BAD_SIGNATURE]}")
    return 0


def run_apply(arguments: argparse.Namespace) -> int:
    """Put a list in force; a running service heeds it at once."""
    store = Store(arguments.state_dir)
    data = _read(arguments.file)
    if data != store.load_signed_revocations():
        try:
            store.accept_revocations(data)
        except RefusedListError as refused:
            floor = store.load_revocations().serial
            raise OperationFailedError(
                f"{arguments.file}: {_REASONS[refused.reason]}; serial {floor} stays in force"
            ) from None
    in_force = store.load_revocations()
    _tell_services(store)
    if arguments.json:
        print(msgspec.json.encode(_report(in_force, verified=True)).decode())
    else:
        print(f"{arguments.state_dir}: in force from now on:\n{_readable(in_force)}")
    return 0


def _tell_services(store: Store) -> None:
    """Have running services heed it at once: a drone shuts out, a gateway brings it to drones."""
    for kind in ("drone", "ground"):
        with contextlib.suppress(OSError):
            query(socket_path(kind, store.directory), RELOAD_REVOCATIONS + b"\n")


def _parse_gcs_id(text: str) -> bytes:
    if not _GCS_ID.fullmatch(text):
        raise StoreError(
            f"GCS_ID {text!r}: 32 hexadecimal digits in lower case, whole, as `sekisho keys list` "
            "shows them"
        )
    return bytes.fromhex(text)


def _load_authority(store: Store) -> Authority:
    path = store.secrets.authority.path
    if not os.path.lexists(path):
        raise StoreError(f"{path}: no fleet authority here; `sekisho revoke keygen` makes one")
    try:
        authority = Authority(store.secrets.read(store.secrets.authority))
    except ValueError as error:
        raise StoreError(f"{path}: damaged ({error}); restore it from a backup") from None
    if authority.public != store.load_authority():
        raise StoreError(f"{store.authority_public_path}: not the public half of {path}")
    return authority


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_LIST_BYTES + 1)  # one more than can be right


def _read_public(path: Path) -> AuthorityPublic:
    try:
        return AuthorityPublic.parse(_read(path))
    except ValueError as error:
        raise StoreError(f"{path}: {error}") from None


def _parse(path: Path) -> SignedList:
    try:
        return parse_untrusted(_read(path))
    except RefusedListError as refused:
        raise OperationFailedError(f"{path}: {_REASONS[refused.reason]}") from None


def _verified(path: Path, public: AuthorityPublic) -> RevocationList:
    signed = _parse(path)
    if not public.signs(signed.body, signed.signatures):
        raise OperationFailedError(f"{path}: {_REASONS[Refusal.BAD_SIGNATURE]}")
    return signed.revocations


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(data)
    temporary.replace(path)


def _report(revocations: RevocationList, verified: bool | None) -> ListReport:  # noqa: FBT001
    entries = [EntryReport(entry.gcs_id.hex(), entry.revoked_at) for entry in revocations.entries]
    return ListReport(revocations.serial, verified, entries)


def _readable(revocations: RevocationList, new: list[bytes] | None = None) -> str:
    lines = [f"serial {revocations.serial}, {len(revocations.entries)} revoked"]
    for entry in revocations.entries:
        mark = "  <- new" if entry.gcs_id in (new or []) else ""
        lines.append(f"  gcs {entry.gcs_id.hex()} revoked at {entry.revoked_at}{mark}")
    return "\n".join(lines)


def _fingerprint(public: AuthorityPublic) -> str:
    return public.identifier[:_FINGERPRINT_BYTES].hex()
