"""The recorder's thread: what the disk does, or does not do, never reaches the control path.

What is to be written waits in a queue of bounded length. If the disk cannot follow, what does not
fit is dropped and counted; nobody waits.
"""

import asyncio
import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from crypto.aio.files import StoreError
from crypto.aio.log_files import LogOrigin
from crypto.aio.log_keys import PUBLIC_KEY_NAME, load_log_public, load_or_create_log_signer
from crypto.aio.store import Store
from crypto.sealed_log import LogContent
from flightcore.aio.log_series import LogSeries
from flightcore.audit import Line, encode_lines
from flightcore.config import DroneConfig
from flightcore.quota import Budget
from flightcore.recorder import Chunk, End, When, encode_tlog
from wire.aio.alarm import monotonic_ns

_log = logging.getLogger(__name__)

FLIGHTS: Final = "flights"
AUDIT: Final = "audit"
_AUDIT_BUDGET: Final = Budget(total=1 << 26, keep_free=1 << 20, may_delete=True)
_QUEUE_ITEMS: Final = 1024
_CLOSE_S: Final = 2.0


class Lines(NamedTuple):
    """Lines of the audit log."""

    lines: list[Line]


Item = Chunk | End | Lines


class Device(NamedTuple):
    """What every file says of who made it."""

    device_id: bytes
    boot_count: int


class NoRecorder:
    """What stands in for a recorder that cannot be, or is not wanted."""

    def __init__(self, state: str, reason: str) -> None:
        self._status: dict[str, str | int | None] = {"state": state, "reason": reason}

    def put(self, item: Item) -> None:
        """Lose it."""

    def close(self) -> None:
        """Nothing is open."""

    def hindrance(self) -> str | None:
        """Say why nothing is recorded."""
        return f"recorder: {self._status['reason']}"

    def status(self) -> dict[str, str | int | None]:
        """Say why nothing is recorded."""
        return self._status


class RecorderThread:
    """Write recordings and the audit log below one directory until closed.

    `tell` hears what operators should know, `announce` each new head of the recording; both are
    called in the loop.
    """

    def __init__(
        self,
        directory: Path,
        origin: LogOrigin,
        budget: Budget,
        tell: Callable[[str], None],
        announce: Callable[[bytes], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._tell = tell
        self._announce = announce
        self._items: queue.Queue[Item | None] = queue.Queue(_QUEUE_ITEMS)
        self._flight = 0
        self._quota_bytes = budget.total
        self._has_gap = False
        self._dropped_chunks = 0
        self._dropped_frames = 0  # before the queue, in the loop
        self._lost_frames = 0  # behind it, in the thread
        self._lost_lines = 0
        self._flights = LogSeries(
            directory / FLIGHTS, LogContent.TLOG, origin, budget, partial(self._say, "recorder")
        )
        self._audit = LogSeries(
            directory / AUDIT,
            LogContent.EVENTS,
            origin,
            _AUDIT_BUDGET,
            partial(self._say, "audit log"),
        )
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Have something written, or drop it if the disk is that far behind. Never waits."""
        try:
            self._items.put_nowait(item)
        except queue.Full:
            self._dropped_chunks += 1
            self._dropped_frames += item.frames if isinstance(item, Chunk) else 0
            if not self._has_gap:
                self._has_gap = True
                self._tell("recorder: disk too slow, frames are missing")
        else:
            self._has_gap = False

    def close(self) -> None:
        """Let what waits be written and complete the files, but wait no longer than 2 s."""
        with contextlib.suppress(queue.Full):
            self._items.put(None, timeout=_CLOSE_S / 2)
        self._thread.join(_CLOSE_S)

    def hindrance(self) -> str | None:
        """Return why nothing can be recorded now; a fault of the audit log shows it as well."""
        fault = self._flights.status.fault or self._audit.status.fault
        return None if fault is None else f"recorder: {fault}"

    def status(self) -> dict[str, str | int | None]:
        """Describe what is being written, and what was not."""
        flights, audit = self._flights.status, self._audit.status
        state = "recording" if flights.file is not None else "idle"
        if flights.fault is not None or not self._thread.is_alive():
            state = "stopped"
        return {
            "state": state,
            "reason": flights.fault,
            "file": flights.file,
            "bytes": flights.bytes,
            "chunks": flights.chunks,
            "waiting": self._items.qsize(),
            "dropped_chunks": self._dropped_chunks,
            "dropped_frames": self._dropped_frames + self._lost_frames,
            "left_bytes": flights.left,
            "quota_bytes": self._quota_bytes,
            "files_deleted": flights.files_deleted,
            "audit": audit.fault or "ok",
            "dropped_lines": self._lost_lines,
        }

    def _run(self) -> None:
        announced = b""
        is_open = True
        while is_open:
            try:
                item = self._items.get(timeout=self._wait_s())
            except queue.Empty:
                self._tick()
            else:
                is_open = item is not None
                if item is not None:
                    self._write(item)
            if self._flights.head != announced:
                announced = self._flights.head
                self._in_loop(self._announce, announced)
        self._flights.finish()
        self._audit.finish()

    def _write(self, item: Item) -> None:
        now_ns = monotonic_ns()
        match item:
            case Chunk(flight=flight, batches=batches):
                if flight != self._flight:
                    self._flights.finish()
                    self._flight = flight
                if not self._flights.append(partial(encode_tlog, batches), now_ns):
                    self._lost_frames += item.frames
            case End(flight=flight):
                if flight == self._flight:
                    self._flights.finish()
            case Lines(lines=lines):
                if not self._audit.append(partial(encode_lines, lines), now_ns):
                    self._lost_lines += len(lines)

    def _tick(self) -> None:
        now_ns = monotonic_ns()
        for series in (self._flights, self._audit):
            series.tick(now_ns)

    def _wait_s(self) -> float | None:
        """Return for how long to wait for more: until something must be synced."""
        deadlines = (series.deadline_ns() for series in (self._flights, self._audit))
        first = min((deadline for deadline in deadlines if deadline is not None), default=None)
        return None if first is None else max(0.001, (first - monotonic_ns()) / 1e9)

    def _say(self, who: str, text: str) -> None:
        self._in_loop(self._tell, f"{who}: {text}")

    def _in_loop(self, call: Callable[..., None], *arguments: str | bytes) -> None:
        with contextlib.suppress(RuntimeError):  # it has been closed: nobody is left to hear
            self._loop.call_soon_threadsafe(call, *arguments)


def open_recorder(
    config: DroneConfig,
    store: Store,
    device: Device,
    tell: Callable[[str], None],
    announce: Callable[[bytes], None],
) -> RecorderThread | NoRecorder:
    """Start recording as configured; what hinders it is no reason not to fly."""
    chosen = config.recorder
    if chosen.when is When.OFF:
        return NoRecorder("off", "recorder.when is off")
    named = chosen.recipient
    recipient = store.directory / PUBLIC_KEY_NAME if named is None else Path(named).expanduser()
    try:
        origin = LogOrigin(
            load_log_public(recipient),
            load_or_create_log_signer(store.secrets, os.urandom),
            *device,
        )
    except (OSError, StoreError) as error:
        _log.warning("nothing is recorded: %s; docs/recording.md says what to do", error)
        return NoRecorder("unavailable", str(error))
    budget = Budget(chosen.quota_mb << 20, chosen.keep_free_mb << 20, chosen.delete_oldest)
    return RecorderThread(config.logs_dir, origin, budget, tell, announce)
