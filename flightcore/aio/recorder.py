"""The companion's recorder: flights and the audit log, written by a thread of their own."""

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from crypto.aio.files import StoreError
from crypto.aio.log_files import LogOrigin
from crypto.aio.log_keys import PUBLIC_KEY_NAME, load_log_public, load_or_create_log_signer
from crypto.aio.log_thread import LogThread, Over, Piece, SeriesPlan
from crypto.aio.store import Store
from crypto.quota import Budget
from crypto.sealed_log import LogContent
from flightcore.config import DroneConfig
from wire.aio.alarm import monotonic_ns
from wire.recorder import Chunk, End, When, encode_tlog
from wire.trail import Line, encode_lines

_log = logging.getLogger(__name__)

FLIGHTS: Final = "flights"
AUDIT: Final = "audit"
_AUDIT_BUDGET: Final = Budget(total=1 << 26, keep_free=1 << 20, may_delete=True)


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
        self._quota_bytes = budget.total
        self._thread = LogThread(
            {
                FLIGHTS: SeriesPlan(
                    "recorder", directory / FLIGHTS, LogContent.TLOG, origin, budget
                ),
                AUDIT: SeriesPlan(
                    "audit log", directory / AUDIT, LogContent.EVENTS, origin, _AUDIT_BUDGET
                ),
            },
            monotonic_ns,
            tell,
            lambda series, head: announce(head) if series == FLIGHTS else None,
        )

    def put(self, item: Item) -> None:
        """Have something written, or drop it if the disk is that far behind. Never waits."""
        match item:
            case Chunk(flight=flight, batches=batches):
                encode = partial(encode_tlog, batches)
                self._thread.put(Piece(FLIGHTS, flight, encode, item.frames))
            case End(flight=flight):
                self._thread.put(Over(FLIGHTS, flight))
            case Lines(lines=lines):
                self._thread.put(Piece(AUDIT, 0, partial(encode_lines, lines), len(lines)))

    def close(self) -> None:
        """Let what waits be written and complete the files, but wait no longer than 3 s."""
        self._thread.close()

    def hindrance(self) -> str | None:
        """Return why nothing can be recorded now; a fault of the audit log shows it as well."""
        fault = self._thread.status(FLIGHTS).fault or self._thread.status(AUDIT).fault
        return None if fault is None else f"recorder: {fault}"

    def status(self) -> dict[str, str | int | None]:
        """Describe what is being written, and what was not."""
        thread = self._thread
        return {
            **thread.describe(FLIGHTS),
            "dropped_chunks": thread.dropped_chunks.total(),
            "quota_bytes": self._quota_bytes,
            "audit": thread.status(AUDIT).fault or "ok",
            "dropped_lines": thread.lost(AUDIT),
        }


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
