"""Sealed files one after the other in one directory, within a budget, whatever the disk does."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from crypto.aio.log_files import LogFault, LogFile, LogOrigin, SyncPolicy, list_logs
from crypto.quota import Budget, make_room
from crypto.sealed_log import CHUNK_OVERHEAD, END_BYTES, HEADER_BYTES, LogContent

_SYNC: Final = SyncPolicy(bytes=1 << 16, ns=1_000_000_000)
_RETRY_NS: Final = 5_000_000_000
# Only what is finished makes room, so a long recording goes on in another file now and then.
_MAX_FILE_BYTES: Final = 1 << 26
_MIN_FILES: Final = 4


class SeriesStatus(NamedTuple):
    """How a series fares; `left` is in bytes, None before the first look at the disk."""

    file: str | None = None
    bytes: int = 0
    chunks: int = 0
    files_deleted: int = 0
    left: int | None = None
    fault: str | None = None


class LogSeries:
    """Write the files of one content. Everything blocks: for a thread of its own.

    Invariant: `status.fault` is None exactly when the last chunk was written; after a fault nothing
    is tried for 5 s, and then with a new file. `tell` is called once when something begins to be
    wrong, and once when it is right again.
    """

    def __init__(
        self,
        directory: Path,
        content: LogContent,
        origin: LogOrigin,
        budget: Budget,
        tell: Callable[[str], None],
    ) -> None:
        self.status = SeriesStatus()
        self.head = b""  # of the last file, as far as it is synced
        self._directory = directory
        self._content = content
        self._origin = origin
        self._budget = budget
        self._max_file_bytes = min(_MAX_FILE_BYTES, budget.total // _MIN_FILES)
        self._tell = tell
        self._log: LogFile | None = None
        self._offset_ns = 0
        self._bytes = 0
        self._finished: list[tuple[Path, int]] = []
        self._retry_ns: int | None = None
        self._is_low = False

    def append(self, encode: Callable[[int], bytes], now_ns: int) -> bool:
        """Write a chunk, in a new file if none is open; tell whether it was.

        `encode` gets what the wall clock was ahead of `now_ns` when the file was begun.
        """
        if self._retry_ns is not None and now_ns < self._retry_ns:
            return False
        try:
            written = self._append(encode, now_ns)
        except OSError as error:
            self._fail(f"{self._directory}: {error.strerror}", now_ns)
            return False
        if written and self._retry_ns is not None:
            self._retry_ns = None
            self.status = self.status._replace(fault=None)
            self._tell("recording again")
        return written

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do."""
        return None if self._log is None else self._log.deadline_ns()

    def tick(self, now_ns: int) -> None:
        """Sync what has waited long enough."""
        if self._log is not None:
            self._log.tick(now_ns)
            self._note_head(self._log)
            self._check(self._log.fault, now_ns)

    def finish(self) -> None:
        """Complete the file, if one is open."""
        log, self._log = self._log, None
        if log is None:
            return
        log.close()
        self._note_head(log)
        self.status = self.status._replace(file=None)

    def _append(self, encode: Callable[[int], bytes], now_ns: int) -> bool:
        if self._log is not None and self._bytes >= self._max_file_bytes:
            self.finish()
        # A file without a name takes everything and keeps nothing.
        if self._log is not None and not self._log.path.exists():
            self._fail(f"{self._log.path}: gone", now_ns)
            return False
        if self._log is None:
            self._look()
            self._offset_ns = time.time_ns() - now_ns
        data = encode(self._offset_ns)
        header = HEADER_BYTES if self._log is None else 0
        size = header + len(data) + CHUNK_OVERHEAD
        if not self._make_room(size, now_ns):
            return False
        log = self._log or self._create(now_ns)
        if log is None:
            return False
        log.append(data, now_ns)
        self._bytes += size
        self._note_head(log)
        self.status = self.status._replace(
            file=str(log.path), bytes=self._bytes, chunks=self.status.chunks + (log.fault is None)
        )
        return self._check(log.fault, now_ns)

    def _create(self, now_ns: int) -> LogFile | None:
        created = LogFile.create(self._directory, self._content, self._origin, _SYNC, os.urandom)
        if isinstance(created, LogFault):
            self._fail(str(created), now_ns)
            return None
        self._log, self._bytes = created, 0
        self._note_head(created)
        return created

    def _look(self) -> None:
        """See what is there: between two files someone may have fetched or deleted some."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._finished = [(path, path.stat().st_size) for path in list_logs(self._directory)]
        self._bytes = 0

    def _make_room(self, size: int, now_ns: int) -> bool:
        disk = os.statvfs(self._directory)
        room = make_room(
            self._budget,
            [size for _, size in self._finished],
            self._bytes,
            disk.f_bavail * disk.f_frsize,
            size + END_BYTES,
        )
        for path, _ in self._finished[: room.delete]:
            path.unlink(missing_ok=True)
        del self._finished[: room.delete]
        deleted = self.status.files_deleted + room.delete
        self.status = self.status._replace(files_deleted=deleted, left=max(0, room.left))
        if not room.fits:
            self._fail("no room left", now_ns)
        elif room.left < self._budget.total // 10 and not self._is_low:
            self._is_low = True
            self._tell(f"disk nearly full: {room.left >> 20} MiB left")
        elif room.left > self._budget.total // 5:
            self._is_low = False
        return room.fits

    def _check(self, fault: LogFault | None, now_ns: int) -> bool:
        if fault is not None:
            self._fail(str(fault), now_ns)
        return fault is None

    def _fail(self, why: str, now_ns: int) -> None:
        """Close the file, say so once, and try again later."""
        self.finish()
        if self._retry_ns is None:
            self._tell(f"recording stopped: {why}")
        self._retry_ns = now_ns + _RETRY_NS
        self.status = self.status._replace(fault=why)

    def _note_head(self, log: LogFile) -> None:
        if log.head:
            self.head = log.short_head
