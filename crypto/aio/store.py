"""The state directory: identity, pair records, counters and other state, private and atomic.

``device.key`` is this device's identity, ``pairs/NAME.pair`` one record per peer, ``boot_count``
the count of starts, and ``NAME.state`` what services remember besides keys.
"""

import os
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from crypto.aio.files import (
    StoreError,
    check_name,
    make_private_directory,
    read_private,
    remove_private,
    write_private,
)
from crypto.pair import Identity, PairRecord
from crypto.primitives import HASHES, RandomBytes, digest

_Secret = TypeVar("_Secret", Identity, PairRecord)
STATE_MAGIC: Final = b"SKT\x01"  # the last byte is the version
_CHECK_BYTES: Final = 16


class Store:
    """One state directory. Nothing is read or made before a method asks for it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()

    def load_or_create_identity(self, random_bytes: RandomBytes) -> Identity:
        """Return this device's identity, making it on first use."""
        path = self.directory / "device.key"
        if os.path.lexists(path):
            return self._load_secret(path, Identity)
        identity = Identity.create(random_bytes)
        self._save_secret(path, identity)
        return identity

    def pair_path(self, peer: str) -> Path:
        """Return where the record of `peer` is kept."""
        return self.directory / "pairs" / f"{check_name(peer)}.pair"

    def save_pair(self, record: PairRecord) -> None:
        """Write one pair record."""
        self._save_secret(self.pair_path(record.peer), record)

    def load_pair(self, peer: str) -> PairRecord:
        """Read the record of one peer.

        Raises:
            StoreError: There is none, or it cannot be used.
        """
        path = self._existing_pair_path(peer)
        record = self._load_secret(path, PairRecord)
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
        return sorted(path.stem for path in (self.directory / "pairs").glob("*.pair"))

    def remove_pair(self, peer: str) -> None:
        """Delete the record of one peer: the two can never talk again unless paired anew.

        Raises:
            StoreError: There is none.
        """
        remove_private(self._existing_pair_path(peer))

    def next_boot_count(self) -> int:
        """Count this start and return the new count; it is never part of a key or a nonce."""
        path = self.directory / "boot_count"
        count = 0
        if os.path.lexists(path):
            text = read_private(path)
            if not text.strip().isdigit():
                raise StoreError(f"{path}: damaged; remove it")
            count = int(text)
        count = (count + 1) & 0xFFFFFFFF
        self._write(path, b"%d\n" % count)
        return count

    def save_state(self, name: str, data: bytes) -> None:
        """Write state that is not a key; it is replaced whole and its damage will be noticed."""
        self._write(self._state_path(name), STATE_MAGIC + _check(data) + data)

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

    def _existing_pair_path(self, peer: str) -> Path:
        path = self.pair_path(peer)
        if not os.path.lexists(path):
            raise StoreError(
                f"{path}: not paired with {peer!r} "
                f"(paired here: {', '.join(self.peers()) or 'nobody'}); run `sekisho pair`"
            )
        return path

    def _state_path(self, name: str) -> Path:
        return self.directory / f"{check_name(name)}.state"

    def _load_secret(self, path: Path, kind: type[_Secret]) -> _Secret:
        try:
            return msgspec.json.decode(read_private(path), type=kind)
        except (msgspec.DecodeError, ValueError) as error:
            raise StoreError(f"{path}: damaged ({error}); remove it and pair again") from error

    def _save_secret(self, path: Path, secret: Identity | PairRecord) -> None:
        self._write(path, msgspec.json.encode(secret))

    def _write(self, path: Path, data: bytes) -> None:
        make_private_directory(path.parent)
        write_private(path, data)


def _check(data: bytes) -> bytes:
    return digest(HASHES["SHA256"](), data)[:_CHECK_BYTES]
