"""The thread that writes sealed logs: what the disk does, or does not do, reaches nobody else.

What is to be written waits in a queue of bounded length. If the disk cannot follow, what does not
fit is dropped and counted; nobody waits.
"""

import asyncio
import contextlib
import queue
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from crypto.aio.log_files import LogOrigin
from crypto.aio.log_series import LogSeries, SeriesStatus
from crypto.quota import Budget
from crypto.sealed_log import LogContent

_QUEUE_ITEMS: Final = 1024
_CLOSE_S: Final = 2.0


class SeriesPlan(NamedTuple):
    """Where the files of one series lie, and what is in them; `called` is for people."""

    called: str
    directory: Path
    content: LogContent
    origin: LogOrigin
    budget: Budget


class Piece(NamedTuple):
    """One chunk for a series. Pieces of another `recording` go into another file.

    `encode` gets what the wall clock was ahead when the file was begun; `weight` is what is lost
    if it cannot be written.
    """

    series: str
    recording: int
    encode: Callable[[int], bytes]
    weight: int


class Over(NamedTuple):
    """A recording is complete."""

    series: str
    recording: int


class LogThread:
    """Write series of sealed logs until closed.

    `clock` is the monotonic one by which pieces are counted; `tell` hears what people should know,
    `announce` the name and the new head of a series. Both are called in the loop.
    """

    def __init__(
        self,
        plans: Mapping[str, SeriesPlan],
        clock: Callable[[], int],
        tell: Callable[[str], None],
        announce: Callable[[str, bytes], None],
    ) -> None:
        self.dropped_chunks: Counter[str] = Counter()
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._tell = tell
        self._announce = announce
        self._items: queue.Queue[Piece | Over | None] = queue.Queue(_QUEUE_ITEMS)
        self._has_gap = False
        self._dropped: Counter[str] = Counter()  # before the queue, in the loop
        self._lost: Counter[str] = Counter()  # behind it, in the thread
        self._recordings = dict.fromkeys(plans, 0)
        self._announced = dict.fromkeys(plans, b"")
        self._called = {name: plan.called for name, plan in plans.items()}
        self._series = {
            name: LogSeries(
                plan.directory,
                plan.content,
                plan.origin,
                plan.budget,
                partial(self._say, plan.called),
            )
            for name, plan in plans.items()
        }
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def put(self, item: Piece | Over) -> None:
        """Have something written, or drop it if the disk is that far behind. Never waits."""
        try:
            self._items.put_nowait(item)
        except queue.Full:
            if isinstance(item, Piece):
                self.dropped_chunks[item.series] += 1
                self._dropped[item.series] += item.weight
            if not self._has_gap:
                self._has_gap = True
                self._tell(f"{self._called[item.series]}: disk too slow, frames are missing")
        else:
            self._has_gap = False

    def close(self) -> None:
        """Let what waits be written and complete the files, but wait no longer than 3 s."""
        with contextlib.suppress(queue.Full):
            self._items.put(None, timeout=_CLOSE_S / 2)
        self._thread.join(_CLOSE_S)

    def status(self, series: str) -> SeriesStatus:
        """Return how a series fares."""
        return self._series[series].status

    def lost(self, series: str) -> int:
        """Return the sum of `weight` over the pieces of a series that were not written."""
        return self._dropped[series] + self._lost[series]

    def describe(self, series: str) -> dict[str, str | int | None]:
        """Say what is being written, and what was not."""
        now = self._series[series].status
        state = "recording" if now.file is not None else "idle"
        if now.fault is not None or not self._thread.is_alive():
            state = "stopped"
        return {
            "state": state,
            "reason": now.fault,
            "file": now.file,
            "bytes": now.bytes,
            "chunks": now.chunks,
            "waiting": self._items.qsize(),
            "dropped_frames": self.lost(series),
            "left_bytes": now.left,
            "files_deleted": now.files_deleted,
        }

    def _run(self) -> None:
        is_open = True
        while is_open:
            try:
                item = self._items.get(timeout=self._wait_s())
            except queue.Empty:
                now_ns = self._clock()
                for series in self._series.values():
                    series.tick(now_ns)
            else:
                is_open = item is not None
                if item is not None:
                    self._take(item)
            for name, series in self._series.items():
                if series.head != self._announced[name]:
                    self._announced[name] = series.head
                    self._in_loop(self._announce, name, series.head)
        for series in self._series.values():
            series.finish()

    def _take(self, item: Piece | Over) -> None:
        name = item.series
        series = self._series[name]
        match item:
            case Piece(recording=recording, encode=encode, weight=weight):
                if recording != self._recordings[name]:
                    series.finish()
                    self._recordings[name] = recording
                if not series.append(encode, self._clock()):
                    self._lost[name] += weight
            case Over(recording=recording):
                if recording == self._recordings[name]:
                    series.finish()

    def _wait_s(self) -> float | None:
        """Return for how long to wait for more: until something must be synced."""
        deadlines = (series.deadline_ns() for series in self._series.values())
        first = min((deadline for deadline in deadlines if deadline is not None), default=None)
        return None if first is None else max(0.001, (first - self._clock()) / 1e9)

    def _say(self, who: str, text: str) -> None:
        self._in_loop(self._tell, f"{who}: {text}")

    def _in_loop(self, call: Callable[..., None], *arguments: str | bytes) -> None:
        with contextlib.suppress(RuntimeError):  # it has been closed: nobody is left to hear
            self._loop.call_soon_threadsafe(call, *arguments)
