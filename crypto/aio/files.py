"""Private files: readable by their owner only, replaced whole or not at all, no links followed."""

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_NEW: Final = ".new"  # how the name of an unfinished file ends
_MAX_BYTES: Final = 1 << 20


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


def make_private_directory(path: Path) -> None:
    """Make `path`, and what is missing above it, readable by the owner only."""
    for directory in (*reversed(path.parents), path):
        directory.mkdir(mode=0o700, exist_ok=True)


@contextlib.contextmanager
def private_directory(path: Path) -> Iterator[int]:
    """Open a directory that only its owner may enter; what follows goes through its descriptor.

    Raises:
        StoreError: It is missing, a link, someone else's, or open to others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        _check_owner(path, status)
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise StoreError(
                f"{path}: others may enter it (mode {stat.S_IMODE(status.st_mode):04o}); "
                f"it must be 0700: chmod 700 {path}"
            )
        yield descriptor
    finally:
        os.close(descriptor)


def write_private(path: Path, data: bytes) -> None:
    """Replace `path` with `data` so that a power cut leaves the old or the new, never a mixture.

    Raises:
        StoreError: Its directory, made if it is missing, is not private.
        OSError: The disk is full, read-only or broken; the old contents stay.
    """
    make_private_directory(path.parent)
    temporary = f".{path.name}{_NEW}"
    with private_directory(path.parent) as directory:
        try:
            _replace(path.name, temporary, data, directory)
        except OSError as error:
            with contextlib.suppress(OSError):  # half of it is no use, and may be secret
                os.unlink(temporary, dir_fd=directory)
            raise OSError(error.errno, error.strerror, str(path)) from None


def read_private(path: Path) -> bytes:
    """Return the contents of a file of a private directory.

    Raises:
        StoreError: The file or its directory is missing, a link, someone else's or open to others.
    """
    with private_directory(path.parent) as directory:
        return _read(path, directory)


def read_handed_over(path: Path) -> bytes:
    """Return the contents of a private file that lies anywhere, as a service manager hands it over.

    Raises:
        StoreError: It is missing, a link, someone else's or open to others.
    """
    return _read(path, None)


def remove_private(path: Path) -> None:
    """Delete a file for good, also over a power cut; the blocks of a flash medium may remain.

    Raises:
        StoreError: It is missing, or its directory is not private.
    """
    with private_directory(path.parent) as directory:
        try:
            os.unlink(path.name, dir_fd=directory)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from None
        os.fsync(directory)


def remove_unfinished(path: Path) -> None:
    """Delete what killed writers left in a directory."""
    with private_directory(path) as directory:
        for left in path.glob(f".*{_NEW}"):
            os.unlink(left.name, dir_fd=directory)
        os.fsync(directory)


def _replace(name: str, temporary: str, data: bytes, directory: int) -> None:
    # What a killed writer left behind, or someone planted, is never written to.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=directory)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(temporary, flags, 0o600, dir_fd=directory)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)


def _read(path: Path, directory: int | None) -> bytes:
    # O_NONBLOCK: a FIFO planted there is refused below instead of waited for.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path if directory is None else path.name, flags, dir_fd=directory)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        _check_file(path, os.fstat(descriptor))
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise StoreError(f"{path}: larger than {_MAX_BYTES} bytes; this is not a file of Sekisho's")
    return data


def _check_file(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"{path}: not a regular file; remove it")
    _check_owner(path, status)
    if status.st_nlink > 1:
        raise StoreError(
            f"{path}: has {status.st_nlink} names (hard links), so others may hold it too; "
            "copy it, remove every name, and put the copy back"
        )
    mode = stat.S_IMODE(status.st_mode)
    # systemd hands a credential to a service's user by an access control list, whose mask shows as
    # the group's bit: root:root 0440, and the root group reads everything anyway.
    from_service_manager = mode == 0o440 and status.st_uid == status.st_gid == 0
    if mode & 0o077 and not from_service_manager:
        raise StoreError(
            f"{path}: readable by others (mode {mode:04o}); it must be 0600: chmod 600 {path}, "
            "and pair again if it may have been read"
        )


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (os.geteuid(), 0):
        raise StoreError(f"{path}: belongs to user {status.st_uid}, not to this service")
