"""Destroy the keys of a state directory, so that nothing sealed under them opens again.

    intent on disk --> vault header --> every other key file --> what else there is --> no intent

Each file is overwritten, synced and unlinked. Killed anywhere, whoever opens the directory next
goes on where this stopped; with a vault, everything is lost with its header, the first file to go.
What a flash medium keeps of blocks that were overwritten is beyond the reach of any program; under
a vault it is worth nothing without the passphrase.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from crypto.aio.files import StoreError, private_directory, read_private, write_private
from crypto.aio.log_files import SUFFIX

_INTENT: Final = "erase.intent"
_HEADER: Final = "vault.json"
_PUBLIC: Final = "log-public.key"  # no secret: recordings go on being sealed to it
_KEYS: Final = ("*.key", "*.pub", "*.state", "boot_count", ".*.new", "pairs/*", "pairs/.*.new")
_LAB_KEYS: Final = ("log-keys/*",)
_OPEN: Final = ("plans/*", "plans/.*.new")  # not sealed: drafts say where somebody is to fly
_LOGS: Final = (f"*/*{SUFFIX}", f"*{SUFFIX}")
_PIECE_BYTES: Final = 1 << 16


class _Intent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    everything: bool
    logs: str


class Erased(NamedTuple):
    """How many files went, and which were left because they are not known here."""

    files: int
    left: list[Path]


def is_pending(directory: Path) -> bool:
    """Tell whether an erasure was begun and not finished."""
    return os.path.lexists(directory / _INTENT)


def is_state_directory(directory: Path) -> bool:
    """Tell whether there is anything that an erasure would destroy."""
    return is_pending(directory) or any(
        True for _ in _matching(directory, (_HEADER, *_KEYS, f"logs/*/*{SUFFIX}"))
    )


def announce(directory: Path, logs: Path, *, everything: bool) -> None:
    """Begin: from now on the erasure will be completed, whatever happens.

    Args:
        directory: The state directory.
        logs: Where its recordings lie.
        everything: Also recordings, and the public key that they are sealed to.
    """
    intent = _Intent(everything, str(logs.absolute()))
    write_private(directory / _INTENT, msgspec.json.encode(intent))


def complete(directory: Path) -> Erased:
    """Do what was announced; safe to repeat, and to be done by two at once.

    Raises:
        StoreError: The directory is not private.
        OSError: A file could not be destroyed; try again.
    """
    intent = _read_intent(directory)
    if intent is None:
        return Erased(0, [])
    everything, logs = intent.everything, Path(intent.logs)
    files = 0
    with private_directory(directory) as descriptor:
        for path in _matching(directory, (_HEADER, *_KEYS, *_LAB_KEYS, *_OPEN)):
            if everything or path.name != _PUBLIC or path.parent != directory:
                _destroy(path)
                files += 1
        os.fsync(descriptor)
        if everything:
            files += _remove_logs(logs)
            for path in _matching(directory, ("*.lock",)):
                path.unlink(missing_ok=True)
        _remove_empty(directory / "pairs", directory / "log-keys", directory / "plans")
        _remove_empty(*sorted(logs.glob("*/")), logs)
        left = [path for path in directory.iterdir() if path.name != _INTENT] if everything else []
        os.fsync(descriptor)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_INTENT, dir_fd=descriptor)
        os.fsync(descriptor)
    return Erased(files, left)


def _read_intent(directory: Path) -> _Intent | None:
    try:
        return msgspec.json.decode(read_private(directory / _INTENT), type=_Intent)
    except StoreError:
        if is_pending(directory):
            raise
        return None  # another process has completed it
    except msgspec.DecodeError:  # whatever it said, the keys were to go
        return _Intent(everything=False, logs=str(directory / "logs"))


def _matching(directory: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """Return what there is, in the order of the patterns."""
    for pattern in patterns:
        yield from sorted(path for path in directory.glob(pattern) if not path.is_dir())


def _destroy(path: Path) -> None:
    """Overwrite, sync and unlink; a link is only unlinked."""
    with contextlib.suppress(FileNotFoundError):
        if path.is_file() and not path.is_symlink():
            descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                left = os.fstat(descriptor).st_size
                while left > 0:
                    left -= os.write(descriptor, os.urandom(min(left, _PIECE_BYTES)))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        path.unlink()
        _sync(path.parent)


def _remove_logs(logs: Path) -> int:
    """Unlink recordings: what they hold is sealed to a key that was never here."""
    paths = list(_matching(logs, _LOGS))
    for path in paths:
        path.unlink(missing_ok=True)
    for parent in {path.parent for path in paths}:
        _sync(parent)
    return len(paths)


def _remove_empty(*directories: Path) -> None:
    for directory in directories:
        with contextlib.suppress(OSError):  # not there, or not empty
            directory.rmdir()


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
