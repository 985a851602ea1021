"""The state directory: identity, pair records, counters and other state, private and atomic.

``device.key`` is this device's identity, ``pairs/NAME.pair`` one record per peer, ``boot_count``
the count of starts, and ``NAME.state`` what services remember besides keys. With a vault the
first two are sealed (`crypto.aio.secret_files`).
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from crypto.aio.files import (
    StoreError,
    check_name,
    make_private_directory,
    private_directory,
    read_private,
    remove_private,
    write_private,
)
from crypto.aio.secret_files import SecretFile, SecretFiles
from crypto.pair import Identity, PairRecord
from crypto.primitives import HASHES, RandomBytes, digest
from crypto.revocation import (
    AuthorityPublic,
    RefusedListError,
    RevocationList,
    SignedList,
    accept_untrusted,
    parse_stored,
)
from crypto.vault import Vault

REVOCATIONS: Final = "revocations"
_Secret = TypeVar("_Secret", Identity, PairRecord)
STATE_MAGIC: Final = b"SKT\x01"  # the last byte is the version
_CHECK_BYTES: Final = 16
_COUNT: Final = re.compile(rb"\d{1,10}\n")


class Store:
    """One state directory. Nothing is read or made before a method asks for it.

    `vault` opens its secret files; a directory that has none needs none.
    """

    def __init__(self, directory: Path, vault: Vault | None = None) -> None:
        self.secrets = SecretFiles(directory, vault)
        self.directory = self.secrets.directory

    @property
    def authority_public_path(self) -> Path:
        """Where the fleet authority that this device trusts is installed."""
        return self.directory / "authority.pub"

    def load_or_create_identity(self, random_bytes: RandomBytes) -> Identity:
        """Return this device's identity, making it on first use."""
        file = self.secrets.identity
        if os.path.lexists(file.path):
            return self._decode(file, Identity)
        identity = Identity.create(random_bytes)
        self.secrets.write(file, msgspec.json.encode(identity))
        return identity

    def pair_path(self, peer: str) -> Path:
        """Return where the record of `peer` is kept."""
        return self.secrets.pair(peer).path

    def existing_pair_path(self, peer: str) -> Path:
        """Return where the record of `peer` is.

        Raises:
            StoreError: There is none.
        """
        path = self.pair_path(peer)
        if not os.path.lexists(path):
            raise StoreError(
                f"{path}: not paired with {peer!r} "
                f"(paired here: {', '.join(self.peers()) or 'nobody'}); run `sekisho pair`"
            )
        return path

    def save_pair(self, record: PairRecord) -> None:
        """Write one pair record."""
        with self._locked():
            self._write_pair(record)

    def update_pair(self, record: PairRecord) -> None:
        """Write what a service has made of its record, unless that has been replaced or removed.

        Raises:
            StoreError: It has: the two were paired anew, or are to talk no more.
        """
        with self._locked():
            if not self.load_pair(record.peer).is_same_pair(record):
                raise StoreError(
                    f"{self.pair_path(record.peer)}: paired anew since this was started; restart it"
                )
            self._write_pair(record)

    def load_pair(self, peer: str) -> PairRecord:
        """Read the record of one peer.

        Raises:
            StoreError: There is none, or it cannot be used.
        """
        path = self.existing_pair_path(peer)
        record = self._decode(self.secrets.pair(peer), PairRecord)
        if record.peer != peer:
            raise StoreError(
                f"{path}: holds the record of {record.peer!r}; rename it or pair again"
            )
        return record

    def load_pairs(self) -> list[PairRecord]:
        """Read every pair record, in the order of the peers' names."""
        return [self.load_pair(peer) for peer in self.peers()]

    def peers(self) -> list[str]:
        """Return the names of all peers, sorted."""
        return [file.name for file in self.secrets.pairs()]

    def remove_pair(self, peer: str) -> None:
        """Delete the record of one peer: the two can never talk again unless paired anew.

        Raises:
            StoreError: There is none.
        """
        remove_private(self.existing_pair_path(peer))

    def next_boot_count(self) -> int:
        """Count this start and return the new count; it is never part of a key or a nonce."""
        path = self.directory / "boot_count"
        count = 0
        if os.path.lexists(path):
            text = read_private(path)
            if not _COUNT.fullmatch(text):  # cut short it would be another count
                raise StoreError(f"{path}: damaged; remove it")
            count = int(text)
        count = (count + 1) & 0xFFFFFFFF
        write_private(path, b"%d\n" % count)
        return count

    def save_state(self, name: str, data: bytes) -> None:
        """Write state that is not a key; it is replaced whole and its damage will be noticed."""
        write_private(self._state_path(name), STATE_MAGIC + _check(data) + data)

    def load_state(self, name: str) -> bytes | None:
        """Return the state saved under `name`, None if there never was any.

        Raises:
            StoreError: It is damaged, or another version wrote it.
        """
        path = self._state_path(name)
        if not os.path.lexists(path):
            return None
        stored = read_private(path)
        start = len(STATE_MAGIC) + _CHECK_BYTES
        data = stored[start:]
        if not stored.startswith(STATE_MAGIC) or stored[len(STATE_MAGIC) : start] != _check(data):
            raise StoreError(
                f"{path}: damaged, or written by another version; restore it from a backup. "
                "Removing it forgets what it guards against"
            )
        return data

    def load_authority(self) -> AuthorityPublic | None:
        """Return the fleet authority this device trusts, None if it trusts none.

        Raises:
            StoreError: The file is damaged.
        """
        path = self.authority_public_path
        if not os.path.lexists(path):
            return None
        try:
            return AuthorityPublic.parse(read_private(path))
        except ValueError as error:
            raise StoreError(f"{path}: {error}; install it again: `sekisho revoke trust`") from None

    def save_authority(self, public: AuthorityPublic) -> None:
        """Trust this fleet authority, and no other, from now on.

        What was revoked stays revoked, and its serial the floor: the new authority goes on from it.
        """
        with self._locked():
            stored = self._load_stored_revocations()
            if stored is not None:
                self.save_state(REVOCATIONS, stored.body)
            write_private(self.authority_public_path, public.encode())

    def load_revocations(self) -> RevocationList:
        """Return the revocations in force; its serial is the floor."""
        stored = self._load_stored_revocations()
        return RevocationList() if stored is None else stored.revocations

    def load_signed_revocations(self) -> bytes | None:
        """Return the list in force as it was signed, to hand on; None if there is none."""
        stored = self._load_stored_revocations()
        if stored is None or not stored.signatures:
            return None
        return stored.body + stored.signatures

    def accept_revocations(self, data: bytes) -> RevocationList:
        """Verify a signed list from anyone; put it in force and on disk.

        Raises:
            RefusedListError: It is malformed, not newer or not signed by the trusted authority.
            StoreError: This device trusts no authority yet.
        """
        authority = self.load_authority()
        if authority is None:
            raise StoreError(
                f"{self.authority_public_path}: missing, so no list can be verified; install the "
                "fleet authority's public file first: `sekisho revoke trust`"
            )
        with self._locked():
            accepted = accept_untrusted(data, self.load_revocations(), authority)
            self.save_state(REVOCATIONS, data)
        return accepted

    def _write_pair(self, record: PairRecord) -> None:
        self.secrets.write(self.secrets.pair(record.peer), msgspec.json.encode(record))

    def _load_stored_revocations(self) -> SignedList | None:
        data = self.load_state(REVOCATIONS)
        try:
            return None if data is None else parse_stored(data)
        except RefusedListError:
            raise StoreError(
                f"{self._state_path(REVOCATIONS)}: written by another version; apply the fleet's "
                "newest list with that version"
            ) from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from deciding on the same state; held for milliseconds."""
        make_private_directory(self.directory)
        with private_directory(self.directory) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    def _state_path(self, name: str) -> Path:
        return self.directory / f"{check_name(name)}.state"

    def _decode(self, file: SecretFile, kind: type[_Secret]) -> _Secret:
        try:
            return msgspec.json.decode(self.secrets.read(file), type=kind)
        except (msgspec.DecodeError, ValueError) as error:
            # The cause is not shown: it could quote the file.
            raise StoreError(f"{file.path}: damaged ({error}); remove it and pair again") from None


def _check(data: bytes) -> bytes:
    return digest(HASHES["SHA256"](), data)[:_CHECK_BYTES]
