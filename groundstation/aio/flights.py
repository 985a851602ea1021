"""Recorded flights on disk, for the console: what is there, whether it is whole, and one opened.

The contents never touch a disk in the clear: they are read straight from the sealed file.
"""

import time
from pathlib import Path
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from crypto.aio.files import StoreError
from crypto.aio.log_files import list_logs, pieces, read_log
from crypto.aio.log_keys import load_log_private
from crypto.log_chain import Known, LogChain, LogState, SignedHeader, Verdict
from crypto.primitives import XWingKeyPair
from crypto.sealed_log import LogContent
from groundstation.aio.flight_events import add_events, drone_of
from groundstation.flights import Row
from groundstation.replay import Recording, RecordingName
from wire.tlog import STAMP

_LEVELS: Final = {LogState.CLEAN: 1, LogState.CUT_SHORT: 2, LogState.DAMAGED: 3}
# After so many frames the gateway's own loop gets its turn for sure.
_BREATH_FRAMES: Final = 100
_BREATH_S: Final = 0.0005
_MAX_BYTES: Final = 1 << 27


class _Looked(NamedTuple):
    """What a look at a whole file found."""

    verdict: Verdict
    header: SignedHeader | None
    first_us: int | None
    last_us: int | None


class Library:
    """The recordings below one directory. Everything blocks: for a thread of its own.

    `key` is looked for each time, so that it may be on a medium that is there only then.
    """

    def __init__(self, directory: Path, key: Path) -> None:
        self._directory = directory
        self._key = key
        self._looked: dict[Path, tuple[tuple[int, int, bool], _Looked]] = {}
        # Pages that play the same recording share it, as long as one of them does.
        self._open: WeakValueDictionary[tuple[str, int, int], Recording] = WeakValueDictionary()

    def rows(self, being_written: frozenset[str]) -> tuple[list[Row], str]:
        """Return what is there, the newest first, and what keeps it from being opened."""
        key, note = None, ""
        try:
            key = load_log_private(self._key)
        except StoreError as error:
            note = f"Recordings stay sealed: {error}. [recorder] key names the file that opens them"
        rows = []
        for path in self._paths():
            row = self._row(path, key, being_written)
            if row is not None:
                rows.append(row)
        rows.sort(key=lambda row: (row.begun_ms or 0, row.name), reverse=True)
        return rows, note

    def open(self, name: str) -> Recording:
        """Read a whole recording and index it.

        Raises:
            StoreError: It cannot be opened, or nothing in it can be vouched for.
        """
        path = self._directory / name
        key = load_log_private(self._key)
        stat = path.stat()
        if stat.st_size > _MAX_BYTES:
            raise StoreError(f"{name}: more than {_MAX_BYTES >> 20} MiB; export it instead")
        seen = (name, stat.st_size, stat.st_mtime_ns)
        known = self._open.get(seen)
        if known is not None:
            return known
        data: list[bytes] = []
        _, verdict = read_log(path, key, Known(), data.append)
        drone = drone_of(path) or path.parent.name
        title = RecordingName(name, drone, verdict.summary(), _LEVELS[verdict.state])
        recording = Recording(b"".join(data), title)
        at: int | None = 0
        while at is not None:
            at = recording.index(at, _BREATH_FRAMES)
            time.sleep(_BREATH_S)
        if recording.flight.first_us is None:
            raise StoreError(f"{name}: nothing in it can be shown ({verdict.summary()})")
        add_events(path, key, Known(), recording.flight)
        self._open[seen] = recording
        return recording

    def _paths(self) -> list[Path]:
        directories = [self._directory, *sorted(self._directory.glob("*/"))]
        return [path for directory in directories for path in list_logs(directory)]

    def _row(
        self, path: Path, key: XWingKeyPair | None, being_written: frozenset[str]
    ) -> Row | None:
        try:
            looked = self._look(path, key)
        except (OSError, StoreError):  # gone since the directory was read
            return None
        header = looked.header
        if header is not None and header.header.content is not LogContent.TLOG:
            return None
        begun, ended = looked.first_us, looked.last_us
        return Row(
            name=str(path.relative_to(self._directory)),
            drone=drone_of(path) or "",
            where="aboard" if drone_of(path) is None else "ground",
            bytes=path.stat().st_size,
            state=looked.verdict.state.value,
            summary=looked.verdict.summary(),
            begun_ms=None if begun is None else begun // 1000,
            seconds=None if begun is None or ended is None else (ended - begun) / 1e6,
            is_open=str(path) in being_written,
        )

    def _look(self, path: Path, key: XWingKeyPair | None) -> _Looked:
        stat = path.stat()
        seen = (stat.st_size, stat.st_mtime_ns, key is not None)
        known = self._looked.get(path)
        if known is not None and known[0] == seen:
            return known[1]
        looked = _look(path, key)
        self._looked[path] = (seen, looked)
        return looked


def _look(path: Path, key: XWingKeyPair | None) -> _Looked:
    if key is None:
        chain = LogChain()
        for piece in pieces(path):
            chain.receive_untrusted(piece)
        return _Looked(chain.finish(), chain.header, None, None)
    ends: list[int] = []

    def take(data: bytes) -> None:
        # A chunk begins with a time, so the last one's is within a second of the end.
        del ends[1:]
        ends.append(STAMP.unpack_from(data)[0])

    header, verdict = read_log(path, key, Known(), take)
    is_tlog = header is not None and header.header.content is LogContent.TLOG
    first, last = (ends[0], ends[-1]) if ends and is_tlog else (None, None)
    return _Looked(verdict, header, first, last)
