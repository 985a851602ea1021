"""Sealed logs on disk: numbered files that only grow.

A recorder must not stop a flight: what goes wrong while writing comes back as a `LogFault`.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from crypto.aio.files import StoreError
from crypto.log_chain import Known, SignedHeader, Verdict
from crypto.log_reader import SealedLogReader
from crypto.primitives import Ed25519, RandomBytes, XWingKeyPair
from crypto.sealed_log import SHORT_HEAD_BYTES, LogContent, LogHeader, SealedLogWriter

SUFFIX: Final = ".slog"
_PIECE_BYTES: Final = 1 << 16
_CREATE: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class LogFault(NamedTuple):
    """Why nothing more goes into a file: the system's error number and what was being done."""

    errno: int
    doing: str

    def __str__(self) -> str:
        return f"{self.doing}: {os.strerror(self.errno)}"


class SyncPolicy(NamedTuple):
    """How much may be lost to a power cut: fsync once this many bytes or nanoseconds wait."""

    bytes: int
    ns: int


class LogOrigin(NamedTuple):
    """What all files of one device and boot have in common."""

    recipient: bytes
    signer: Ed25519
    device_id: bytes
    boot_count: int


def log_path(directory: Path, number: int) -> Path:
    """Return where file `number` is kept."""
    return directory / f"{number:010d}{SUFFIX}"


def list_logs(directory: Path) -> list[Path]:
    """Return the sealed logs of a directory in the order of their numbers."""
    return sorted(path for path in directory.glob(f"*{SUFFIX}") if path.stem.isdecimal())


def next_number(directory: Path) -> int:
    """Return the number after the highest in use; a gap is never filled again."""
    return 1 + max((int(path.stem) for path in list_logs(directory)), default=0)


class LogFile:
    """One sealed log being written.

    Invariant: the file holds whole chunks in order, except that the write which met a fault may
    have left a part of one at the end. After a fault nothing more is written: the caller goes on
    in a new file. `synced` chunks survive a power cut, and `head` commits to those, so that a head
    announced to the ground never makes a power cut look like theft. Writing blocks: call it off the
    event loop where an fsync would hurt.
    """

    def __init__(
        self, path: Path, descriptor: int, writer: SealedLogWriter, policy: SyncPolicy
    ) -> None:
        self.path = path
        self.fault: LogFault | None = None
        self.chunks = 0
        self.synced = 0
        self.head = b""
        self._descriptor = descriptor
        self._writer = writer
        self._policy = policy
        self._waiting_bytes = 0
        self._waiting_since_ns: int | None = None

    @classmethod
    def create(
        cls,
        directory: Path,
        content: LogContent,
        origin: LogOrigin,
        policy: SyncPolicy,
        random_bytes: RandomBytes,
    ) -> "LogFile | LogFault":
        """Start the next file of a directory; its header is on disk when this returns.

        Raises:
            ValueError: The recipient's key is none.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            number = next_number(directory)
            path = log_path(directory, number)
            descriptor = os.open(path, _CREATE, 0o600)
        except OSError as error:
            return _fault(error, f"creating a log in {directory}")
        header = LogHeader(content, origin.device_id, origin.boot_count, number)
        writer = SealedLogWriter(origin.recipient, header, origin.signer, random_bytes)
        log = cls(path, descriptor, writer, policy)
        log._write(writer.header_bytes)
        log.sync()
        log._sync_directory()
        if log.fault is None:
            return log
        os.close(descriptor)
        with contextlib.suppress(OSError):  # a part of a header says nothing
            path.unlink()
        return log.fault

    @property
    def short_head(self) -> bytes:
        """The first 4 bytes of the head, for HS2."""
        return self.head[:SHORT_HEAD_BYTES]

    def append(self, data: bytes, now_ns: int) -> LogFault | None:
        """Write one chunk and sync if the policy says so; return why it could not be done."""
        if self.fault is not None:
            return self.fault
        chunk = self._writer.append(data)
        if self._waiting_since_ns is None:
            self._waiting_since_ns = now_ns
        self._waiting_bytes += len(chunk)
        self._write(chunk)
        if self.fault is None:
            self.chunks += 1
        return self.tick(now_ns)

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do."""
        if self.fault is not None or self._waiting_since_ns is None:
            return None
        return self._waiting_since_ns + self._policy.ns

    def tick(self, now_ns: int) -> LogFault | None:
        """Sync if the policy says so."""
        deadline = self.deadline_ns()
        if deadline is not None and (
            now_ns >= deadline or self._waiting_bytes >= self._policy.bytes
        ):
            self.sync()
        return self.fault

    def sync(self) -> LogFault | None:
        """Wait until everything written is on the medium."""
        if self.fault is None:
            try:
                os.fdatasync(self._descriptor)
            except OSError as error:
                # The kernel may have dropped the pages: trying again could succeed falsely.
                self.fault = _fault(error, f"syncing {self.path}")
            else:
                self.synced, self.head = self.chunks, self._writer.head
                self._waiting_bytes, self._waiting_since_ns = 0, None
        return self.fault

    def close(self) -> LogFault | None:
        """Write the end mark, sync and close."""
        if self.fault is None:
            self._write(self._writer.finish())
        self.sync()
        os.close(self._descriptor)
        return self.fault

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            self.fault = _fault(error, f"writing {self.path}")

    def _sync_directory(self) -> None:
        try:
            descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            self.fault = _fault(error, f"syncing {self.path.parent}")


def _fault(error: OSError, doing: str) -> LogFault:
    return LogFault(error.errno or errno.EIO, doing)


def pieces(path: Path) -> Iterator[bytes]:
    """Read a file in pieces.

    Raises:
        StoreError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


def read_log(
    path: Path, key: XWingKeyPair, known: Known, take: Callable[[bytes], object]
) -> tuple[SignedHeader | None, Verdict]:
    """Open a file, handing what is in it to `take` piece by piece.

    Raises:
        StoreError: It cannot be read.
    """
    reader = SealedLogReader(key, known)
    for piece in pieces(path):
        for chunk in reader.receive_untrusted(piece):
            take(chunk.data)
    return reader.header, reader.finish()
