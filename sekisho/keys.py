"""`sekisho keys`: what is paired, and the vault that its keys lie in. Shows no secret, ever."""

import argparse
import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from crypto.aio import wrapping
from crypto.aio.files import StoreError, private_directory, write_private
from crypto.aio.log_keys import PUBLIC_KEY_NAME, load_log_public, load_or_create_log_signer
from crypto.aio.store import Store
from crypto.pair import PairRecord
from crypto.primitives import KeyPair
from crypto.sealed_log import key_id
from crypto.vault import Contents, Vault, VaultHeader
from sekisho.runtime import holding
from sekisho.unlock import (
    SecretSource,
    add_source_options,
    complete_erasure,
    confirm,
    descriptor,
    new_secret,
    open_store,
    source_of,
    unlock,
)

_FINGERPRINT_BYTES: Final = 8


class PairReport(msgspec.Struct):
    """One pair. Fingerprints are the first 8 bytes of the SHA-256 of a public key, in hex."""

    peer: str
    role: str
    suite: str
    drone_id: str
    gcs_id: str
    own_fingerprint: str
    peer_fingerprint: str
    psk_generation: int
    next_psk: bool
    grant_serial: int
    revoked: bool


class KeysReport(msgspec.Struct):
    """What `keys list --json` prints. `wrapped` is None, "passphrase" or "key file"."""

    state_dir: str
    wrapped: str | None
    unfinished: bool
    revocation_serial: int
    pairs: list[PairReport]
    log_signer: str | None = None  # whole: `logs verify --signer` takes it
    log_recipient: str | None = None


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `keys`."""
    parser = subparsers.add_parser(
        "keys",
        help="what is paired; wrap the key files",
        description="List pairs, wrap and unwrap the key files of a state directory, remove a "
        "pair. docs/key-storage.md says what theft of each device yields.",
        epilog="example: sekisho keys wrap --state-dir ~/.local/share/sekisho",
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="ACTION")

    def add(name: str, summary: str, run: object, example: str = "") -> argparse.ArgumentParser:
        action = bare(name, summary, run, example)
        add_source_options(action)
        return action

    def bare(name: str, summary: str, run: object, example: str = "") -> argparse.ArgumentParser:
        action = kinds.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"example: sekisho keys {name} {example}--state-dir ~/.local/share/sekisho",
        )
        action.add_argument("--state-dir", type=Path, required=True, metavar="D")
        action.set_defaults(run=run)
        return action

    listing = add("list", "show peers, roles, suites and serials, and no secret", run_list)
    listing.add_argument("--json", action="store_true")
    add("wrap", "seal the key files under a passphrase or a key file", run_wrap)
    change = add("passphrase", "change what opens the key files", run_passphrase)
    new = change.add_mutually_exclusive_group()
    new.add_argument(
        "--new-passphrase-fd", type=descriptor, metavar="N", help="read the new passphrase there"
    )
    new.add_argument(
        "--new-key-file", type=Path, metavar="FILE", help="opened by this key file from now on"
    )
    plain = add("unwrap", "write the key files plain again, 0600", run_unwrap)
    plain.add_argument("--yes", action="store_true", help="do not ask")
    remove = bare(
        "remove",
        "delete a pair record, so that the two never talk again",
        run_remove,
        "ground-1bcf86ad ",
    )
    remove.add_argument("peer", metavar="PEER", help="a name as `keys list` shows it")
    remove.add_argument("--yes", action="store_true", help="do not ask")


def run_list(arguments: argparse.Namespace) -> int:
    """Show what is paired."""
    _check_directory(arguments.state_dir)
    store = open_store(arguments.state_dir, source_of(arguments))
    header = store.secrets.load_header()
    revocations = store.load_revocations()
    report = KeysReport(
        state_dir=str(store.directory),
        wrapped=None if header is None else _protector(header),
        unfinished=header is not None and header.contents is Contents.MIXED,
        revocation_serial=revocations.serial,
        pairs=[_describe(pair, revoked=revocations.revokes(pair)) for pair in store.load_pairs()],
        log_signer=_log_signer(store),
        log_recipient=_log_recipient(store),
    )
    if arguments.json:
        print(msgspec.json.encode(report).decode())
    else:
        print(_readable(report))
    return 0


def run_wrap(arguments: argparse.Namespace) -> int:
    """Seal every key file, or finish doing so."""
    with _unused(arguments.state_dir):
        return _wrap(arguments.state_dir, source_of(arguments))


def _wrap(directory: Path, source: SecretSource) -> int:
    header = Store(directory).secrets.load_header()
    if header is None:
        vault = Vault.create(new_secret(source), os.urandom)
    elif header.contents is Contents.MIXED:
        vault = unlock(directory, header, source)
    else:
        raise StoreError(
            f"{Store(directory).secrets.vault_path}: the keys here are wrapped already, with a "
            f"{_protector(header)}; `sekisho keys passphrase` changes it"
        )
    count = wrapping.wrap(directory, vault)
    if count:
        print(
            f"{directory}: {count} key files are wrapped. What flash media keep of the plain ones "
            "remains readable until it is overwritten: pair again if that matters"
        )
    else:
        print(f"{directory}: no keys here yet; those made from now on will be wrapped")
    return 0


def run_passphrase(arguments: argparse.Namespace) -> int:
    """Change the passphrase or key file; the sealed files stay as they are."""
    directory = arguments.state_dir
    header = _existing_header(directory)
    vault = unlock(directory, header, source_of(arguments))
    new = new_secret(SecretSource(None, arguments.new_key_file, arguments.new_passphrase_fd))
    changed = vault.with_secret(new, os.urandom)
    write_private(Store(directory).secrets.vault_path, changed.header.encode())
    print(f"{directory}: opened by the new {_protector(changed.header)} from now on")
    return 0


def run_unwrap(arguments: argparse.Namespace) -> int:
    """Write every key file plain."""
    directory = arguments.state_dir
    _check_directory(directory)
    with _unused(directory):
        vault = unlock(directory, _existing_header(directory), source_of(arguments))
        confirm(f"{directory}: write the keys plain?", agreed=arguments.yes)
        print(f"{directory}: {wrapping.unwrap(directory, vault)} key files are plain now")
    return 0


def run_remove(arguments: argparse.Namespace) -> int:
    """Delete a pair record: the revocation that needs nothing but access to the device."""
    store = Store(arguments.state_dir)
    _check_directory(arguments.state_dir)
    with _unused(arguments.state_dir):
        path = store.existing_pair_path(arguments.peer)
        confirm(f"{path}: delete the keys shared with {arguments.peer}?", agreed=arguments.yes)
        store.remove_pair(arguments.peer)
    print(f"{path}: removed; {arguments.peer} gets no answer until it is paired again")
    return 0


def fingerprint(public: bytes) -> str:
    """Return the short hash by which people tell public keys apart."""
    return hashlib.sha256(public).digest()[:_FINGERPRINT_BYTES].hex()


def _describe(pair: PairRecord, *, revoked: bool) -> PairReport:
    return PairReport(
        peer=pair.peer,
        role=pair.role.value,
        suite=pair.profile.name,
        drone_id=pair.drone_id.hex(),
        gcs_id=pair.gcs_id.hex(),
        own_fingerprint=fingerprint(KeyPair(pair.static_private).public),
        peer_fingerprint=fingerprint(pair.peer_static_public),
        psk_generation=pair.psk_generation,
        next_psk=pair.next_psk is not None,
        grant_serial=pair.grant_serial,
        revoked=revoked,
    )


def _log_signer(store: Store) -> str | None:
    if not os.path.lexists(store.secrets.log_signer.path):
        return None
    return load_or_create_log_signer(store.secrets, os.urandom).public.hex()


def _log_recipient(store: Store) -> str | None:
    path = store.directory / PUBLIC_KEY_NAME
    return key_id(load_log_public(path)).hex() if path.exists() else None


def _readable(report: KeysReport) -> str:
    how = f"wrapped with a {report.wrapped}" if report.wrapped else "plain, 0600"
    lines = [f"{report.state_dir}: keys are {how}; revocation serial {report.revocation_serial}"]
    if report.unfinished:
        lines.append("  wrapping was cut short: run `sekisho keys wrap` (or unwrap) again")
    for pair in report.pairs:
        second = ", the next one waits" if pair.next_psk else ""
        lines += [
            f"{pair.peer}: {pair.role}, {pair.suite}{', REVOKED' if pair.revoked else ''}",
            f"  gcs {pair.gcs_id}, drone {pair.drone_id}",
            f"  keys {pair.own_fingerprint} (own), {pair.peer_fingerprint} (peer)",
            f"  PSK generation {pair.psk_generation}{second}; granted at {pair.grant_serial}",
        ]
    if report.log_recipient is not None:
        lines.append(f"logs are sealed to {report.log_recipient}, signed by {report.log_signer}")
    return "\n".join(lines if report.pairs else [*lines, "nobody is paired"])


def _protector(header: VaultHeader) -> str:
    return "key file" if header.cost is None else "passphrase"


def _existing_header(directory: Path) -> VaultHeader:
    header = Store(directory).secrets.load_header()
    if header is None:
        raise StoreError(f"{directory}: the keys here are not wrapped; `sekisho keys wrap` does it")
    return header


def _check_directory(path: Path) -> None:
    """Refuse a state directory that is not there: nobody is paired in a mistyped one.

    Raises:
        StoreError: It is missing, or others may enter it.
    """
    with private_directory(path):
        pass


@contextlib.contextmanager
def _unused(directory: Path) -> Iterator[None]:
    """Keep services off: one holds its keys in memory and would write them as it knew them."""
    with holding("drone", directory), holding("ground", directory):
        complete_erasure(directory)
        yield
