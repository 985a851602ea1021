"""The gateway's recorder: each drone's flights, and what happens to its link, sealed as aboard.

Below one directory: ``flights-NAME``, a file a flight, with every frame both ways; ``audit``, with
the events of all drones. A new file of events begins with each flight, so that both look at the
wall clock at the same time.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from crypto.aio.files import StoreError
from crypto.aio.log_files import LogOrigin
from crypto.aio.log_keys import PUBLIC_KEY_NAME, load_log_public, load_or_create_log_signer
from crypto.aio.log_thread import LogThread, Over, Piece, SeriesPlan
from crypto.aio.store import Store
from crypto.pair import PairRecord
from crypto.quota import Budget
from crypto.sealed_log import LogContent
from groundstation.config import GroundConfig, RecorderConfig
from groundstation.logbook import Logbook
from groundstation.station import Station
from wire.aio.alarm import monotonic_ns
from wire.mavlink import frame_bytes_untrusted
from wire.recorder import Chunk, Recorder, When, encode_tlog
from wire.trail import Event, Topic, Trail, encode_lines

_log = logging.getLogger(__name__)

AUDIT: Final = "audit"
_AUDIT_BUDGET: Final = Budget(total=1 << 26, keep_free=1 << 20, may_delete=True)


def flights_of(drone: str) -> str:
    """Return the directory of a drone's flights."""
    return f"flights-{drone}"


class GroundRecorder:
    """What is written on the ground, and why nothing is. `thread` is None if nothing is."""

    def __init__(self, thread: LogThread | None, reason: str, state: str, quota: int) -> None:
        self._thread = thread
        self._none: dict[str, str | int | None] = {"state": state, "reason": reason}
        self._quota_bytes = quota
        self._trail = Trail()
        self._begun = 0

    @property
    def is_recording(self) -> bool:
        """Whether anything is ever written."""
        return self._thread is not None

    def note(self, event: Event, now_ns: int) -> None:
        """Write down an event."""
        if self._thread is not None:
            self._trail.add(event, now_ns)

    def begin(self) -> None:
        """Have the events go on in a new file: a flight begins."""
        self._flush()
        self._begun += 1

    def put(self, drone: str, item: Chunk | None, flight: int) -> None:
        """Write a piece of a flight, or complete it."""
        if self._thread is None:
            return
        series = flights_of(drone)
        if item is None:
            self._thread.put(Over(series, flight))
        else:
            encode = partial(encode_tlog, item.batches)
            self._thread.put(Piece(series, flight, encode, item.frames))

    def settle(self, now_ns: int) -> None:
        """Pass on the events that were noted; repetitions once a minute."""
        due_ns = self._trail.deadline_ns()
        if due_ns is not None and now_ns >= due_ns:
            self._trail.sum_up({}, now_ns)
        self._flush()

    def status(self, drone: str) -> dict[str, str | int | None]:
        """Describe what is being written of one drone, and what was not."""
        if self._thread is None:
            return self._none
        described = self._thread.describe(flights_of(drone))
        audit = self._thread.status(AUDIT).fault or "ok"
        return {**described, "quota_bytes": self._quota_bytes, "audit": audit}

    def close(self, now_ns: int) -> None:
        """Complete everything, but wait no longer than 3 s."""
        self.note(Event(Topic.SERVICE, "stop"), now_ns)
        self.settle(now_ns)
        if self._thread is not None:
            self._thread.close()

    def _flush(self) -> None:
        lines = self._trail.outgoing()
        if lines and self._thread is not None:
            self._thread.put(Piece(AUDIT, self._begun, partial(encode_lines, lines), len(lines)))


class DroneRecorder:
    """One drone's part of it."""

    def __init__(
        self, station: Station, logbook: Logbook, recorder: GroundRecorder, when: When
    ) -> None:
        self._drone = logbook.drone
        self._station = station
        self._recorder = recorder
        self._flights = Recorder(when if recorder.is_recording else When.OFF)
        self._flight = 0
        self._logbook = logbook

    def receive(self, plain: bytes, now_ns: int) -> None:
        """Take the frames of one datagram of the drone."""
        frames, at = [], 0
        while (size := frame_bytes_untrusted(plain, at)) is not None:
            frames.append(plain[at : at + size])
            at += size
        self._flights.receive(frames, now_ns)
        self._flights.follow(self._station.is_armed, now_ns)
        self._settle(now_ns)

    def send(self, frames: Sequence[bytes], now_ns: int) -> None:
        """Take what is sent to the drone."""
        self._flights.receive(frames, now_ns)

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do."""
        if not self._recorder.is_recording:
            return None
        flights_ns, look_ns = self._flights.deadline_ns(), self._logbook.deadline_ns()
        return look_ns if flights_ns is None else min(flights_ns, look_ns)

    def tick(self, now_ns: int) -> None:
        """Look at the link, and pass on what has waited."""
        if not self._recorder.is_recording:
            return
        if now_ns >= self._logbook.deadline_ns():
            for event in self._logbook.look(self._station.status(now_ns), now_ns):
                self._recorder.note(event, now_ns)
        self._flights.tick(now_ns)
        self._settle(now_ns)

    def finish(self, now_ns: int) -> None:
        """Complete the flight that is being recorded, if there is one."""
        self._flights.finish()
        self._settle(now_ns)

    def status(self) -> dict[str, str | int | None]:
        """Describe what is being written, and what was not."""
        return self._recorder.status(self._drone)

    def _settle(self, now_ns: int) -> None:
        flights = self._flights
        if flights.flight != self._flight:
            self._flight = flights.flight
            self._recorder.begin()
            self._note(f"recording {flights.flight} begins", now_ns)
        for item in flights.outgoing():
            if isinstance(item, Chunk):
                self._recorder.put(self._drone, item, item.flight)
            else:
                self._note(f"recording {item.flight} ends", now_ns)
                self._recorder.put(self._drone, None, item.flight)
        self._recorder.settle(now_ns)

    def _note(self, text: str, now_ns: int) -> None:
        self._recorder.note(Event(Topic.FLIGHT, text, drone=self._drone), now_ns)


def open_recorder(
    config: GroundConfig, store: Store, pairs: Mapping[str, PairRecord], boot_count: int
) -> GroundRecorder:
    """Start recording as configured; what hinders it is no reason not to fly."""
    chosen = config.recorder
    quota = chosen.quota_mb << 20
    if chosen.when is When.OFF:
        return GroundRecorder(None, "recorder.when is off", "off", quota)
    try:
        recipient = load_log_public(_recipient(chosen, store))
        signer = load_or_create_log_signer(store.secrets, os.urandom)
    except (OSError, StoreError) as error:
        _log.warning("nothing is recorded here: %s; docs/recording.md says what to do", error)
        return GroundRecorder(None, str(error), "unavailable", quota)
    origins = {
        name: LogOrigin(recipient, signer, pair.gcs_id, boot_count) for name, pair in pairs.items()
    }
    budget = Budget(quota, chosen.keep_free_mb << 20, chosen.delete_oldest)
    plans = {
        flights_of(name): SeriesPlan(
            f"{name}: recorder",
            config.logs_dir / flights_of(name),
            LogContent.TLOG,
            origin,
            budget,
        )
        for name, origin in origins.items()
    }
    first = next(iter(origins.values()))
    plans[AUDIT] = SeriesPlan(
        "events", config.logs_dir / AUDIT, LogContent.EVENTS, first, _AUDIT_BUDGET
    )
    thread = LogThread(
        plans, monotonic_ns, lambda text: _log.warning("%s", text), lambda _name, _head: None
    )
    recorder = GroundRecorder(thread, "", "", quota)
    recorder.note(Event(Topic.SERVICE, f"start {boot_count}"), monotonic_ns())
    return recorder


def _recipient(chosen: RecorderConfig, store: Store) -> Path:
    if chosen.recipient is not None:
        return Path(chosen.recipient).expanduser()
    return store.directory / PUBLIC_KEY_NAME
