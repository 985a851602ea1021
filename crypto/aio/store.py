"""Pair records and counters on disk: private, atomic, versioned.

A state directory holds ``device.key`` (this device's identity), ``pairs/NAME.pair`` (one per peer)
and ``boot_count``.
"""

import os
import re
import stat
from pathlib import Path
from typing import TypeVar

import msgspec

from crypto.pair import Identity, PairRecord
from crypto.primitives import RandomBytes

_Stored = TypeVar("_Stored", Identity, PairRecord)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class StoreError(Exception):
    """A file of the state directory cannot be used; the text says which and what to do."""


def check_name(name: str) -> str:
    """Return `name` if it can be a file's name.

    Raises:
        StoreError: It is empty, too long or has other characters than letters, digits, ``.-_``.
    """
    if not _NAME.fullmatch(name):
        raise StoreError(
            f"name {name!r} is not allowed: 1 to 63 letters, digits, '.', '_' or '-', "
            "starting with a letter or digit"
        )
    return name


def write_private(path: Path, data: bytes) -> None:
    """Replace `path` with `data` so that a power cut leaves the old or the new, never a mixture."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read_private(path: Path) -> bytes:
    """Return the contents of a file that only its owner may read.

    Raises:
        StoreError: It is missing, someone else's, or readable by others.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid not in (os.geteuid(), 0):
                raise StoreError(f"{path}: belongs to user {status.st_uid}, not to this service")
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise StoreError(
                    f"{path}: readable by others (mode {stat.S_IMODE(status.st_mode):04o}); "
                    f"it must be 0600: chmod 600 {path}, and pair again if it may have been read"
                )
            return file.read()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


def _load(path: Path, kind: type[_Stored]) -> _Stored:
    try:
        return msgspec.json.decode(read_private(path), type=kind)
    except (msgspec.DecodeError, ValueError) as error:
        raise StoreError(f"{path}: damaged ({error}); remove it and pair again") from error


def load_or_create_identity(directory: Path, random_bytes: RandomBytes) -> Identity:
    """Return this device's identity, making it on first use."""
    path = directory / "device.key"
    if path.exists():
        return _load(path, Identity)
    identity = Identity.create(random_bytes)
    write_private(path, msgspec.json.encode(identity))
    return identity


def pair_path(directory: Path, peer: str) -> Path:
    """Return where the record of `peer` is kept."""
    return directory / "pairs" / f"{check_name(peer)}.pair"


def save_pair(directory: Path, record: PairRecord) -> None:
    """Write one pair record."""
    write_private(pair_path(directory, record.peer), msgspec.json.encode(record))


def load_pair(directory: Path, peer: str) -> PairRecord:
    """Read the record of one peer.

    Raises:
        StoreError: There is none, or it cannot be used.
    """
    path = pair_path(directory, peer)
    if not path.exists():
        known = sorted(p.stem for p in (directory / "pairs").glob("*.pair"))
        raise StoreError(
            f"{path}: not paired with {peer!r} (paired here: {', '.join(known) or 'nobody'}); "
            "run `sekisho pair`"
        )
    record = _load(path, PairRecord)
    if record.peer != peer:
        raise StoreError(f"{path}: holds the record of {record.peer!r}; rename it or pair again")
    return record


def load_pairs(directory: Path) -> list[PairRecord]:
    """Read every pair record, in the order of the peers' names."""
    return [
        load_pair(directory, path.stem) for path in sorted((directory / "pairs").glob("*.pair"))
    ]


def next_boot_count(directory: Path) -> int:
    """Count this start and return the new count; it is never part of a key or a nonce."""
    path = directory / "boot_count"
    count = 0
    if path.exists():
        text = read_private(path)
        if not text.strip().isdigit():
            raise StoreError(f"{path}: damaged; remove it")
        count = int(text)
    count = (count + 1) & 0xFFFFFFFF
    write_private(path, b"%d\n" % count)
    return count
