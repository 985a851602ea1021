"""What a recording holds, and when it begins and ends: frames both ways, one recording per flight.

    idle --armed--> recording --disarmed--> tail --10 s, or armed again--> idle, or the next one

The last half minute before arming is kept in memory, so that a recording shows why and by whom the
vehicle was armed. Nothing is encoded here: a chunk is a list of references until the thread that
writes it puts it together.
"""

from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from wire.locality import NotAllowedError
from wire.mavlink import dialect
from wire.tlog import STAMP

CHUNK_BYTES: Final = 1 << 14
CHUNK_NS: Final = 1_000_000_000
BEFORE_NS: Final = 30_000_000_000
BEFORE_BYTES: Final = 1 << 22
TAIL_NS: Final = 10_000_000_000
_MAX_MB: Final = 10_000_000
_SETUP_SIGNING: Final = dialect.MAVLINK_MSG_ID_SETUP_SIGNING.to_bytes(3, "little")


class When(StrEnum):
    """When a recording is being made."""

    ARMED = "armed"  # from half a minute before arming
    ALWAYS = "always"  # on the ground too
    OFF = "off"


class Batch(NamedTuple):
    """Frames that came, or went, in one moment."""

    now_ns: int
    frames: list[bytes]


class Chunk(NamedTuple):
    """A piece of a recording; `flight` counts the recordings since the start, from 1."""

    flight: int
    batches: list[Batch]

    @property
    def frames(self) -> int:
        """How many frames it holds."""
        return sum(len(batch.frames) for batch in self.batches)


class End(NamedTuple):
    """A recording is complete."""

    flight: int


def encode_tlog(batches: Sequence[Batch], offset_ns: int) -> bytes:
    """Return frames as a .tlog has them, each behind its 64-bit big-endian time in microseconds.

    `offset_ns` is what wall clocks show ahead of `now_ns`. With one offset for all of a file its
    times never go back, whatever happens to the wall clock meanwhile.
    """
    pieces = []
    for now_ns, frames in batches:
        stamp = STAMP.pack((now_ns + offset_ns) // 1000)
        pieces += [stamp, stamp.join(frames)]
    return b"".join(pieces)


def check_room(quota_mb: int, keep_free_mb: int) -> None:
    """Refuse what a configuration may not ask for.

    Raises:
        NotAllowedError: It does.
    """
    for key, value, least in (("quota_mb", quota_mb, 1), ("keep_free_mb", keep_free_mb, 0)):
        if not least <= value <= _MAX_MB:
            raise NotAllowedError(f"recorder.{key}", value, f"{least} to {_MAX_MB} (MB)")


class Recorder:
    """Gather the frames of recordings into chunks.

    Invariant: the chunks of one flight, in order, are frames that were given, all of them from some
    moment to another and none twice, except for SETUP_SIGNING, which holds a key. What waits is
    bounded by `BEFORE_BYTES`. The zero state is idle and has heard nothing.
    """

    def __init__(self, when: When, *, keeps_before: bool = True) -> None:
        self.when = when
        self.flight = 0
        self.is_recording = False
        self._keeps_before = keeps_before
        self._is_armed = False
        self._end_ns: int | None = None
        self._waiting: deque[Batch] = deque()
        self._waiting_bytes = 0
        self._out: list[Chunk | End] = []

    def receive(self, frames: Sequence[bytes], now_ns: int) -> None:
        """Take whole unsigned frames, in the order in which they came from, or went to, the line.

        `now_ns` never goes back.
        """
        if self.when is When.OFF:
            return
        kept = [frame for frame in frames if frame[7:10] != _SETUP_SIGNING]
        if not kept:
            return
        if self.when is When.ALWAYS and not self.is_recording:
            self._begin()
        self._waiting.append(Batch(now_ns, kept))
        self._waiting_bytes += _size(kept)
        if not self.is_recording:
            self._forget_old(now_ns)
        elif self._waiting_bytes >= CHUNK_BYTES:
            self._cut()

    def follow(self, is_armed: bool | None, now_ns: int) -> None:  # noqa: FBT001 - a state
        """Begin with the arming, and end some time after the disarming; None is not known."""
        if self.when is When.OFF:
            return
        if is_armed and not self._is_armed:
            self._is_armed = True
            if self._end_ns is not None:
                self.finish()
            if not self.is_recording:
                self._begin()
        elif is_armed is False and self._is_armed:
            self._is_armed = False
            self._end_ns = now_ns + TAIL_NS

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do."""
        if not self.is_recording:
            return None
        cut_ns = self._waiting[0].now_ns + CHUNK_NS if self._waiting else None
        times = (cut_ns, self._end_ns)
        return min((time for time in times if time is not None), default=None)

    def tick(self, now_ns: int) -> None:
        """Cut a chunk that has waited long enough; end what has come to its end."""
        if self._end_ns is not None and now_ns >= self._end_ns:
            self.finish()
        elif self.is_recording and self._waiting and now_ns >= self._waiting[0].now_ns + CHUNK_NS:
            self._cut()

    def finish(self) -> None:
        """End the recording in progress, if there is one."""
        if self.is_recording:
            self._cut()
            self._out.append(End(self.flight))
        self.is_recording = False
        self._end_ns = None

    def outgoing(self) -> list[Chunk | End]:
        """Return what is to be written, in order."""
        out, self._out = self._out, []
        return out

    def _begin(self) -> None:
        self.flight += 1
        self.is_recording = True
        before, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
        for batch in before:
            self._waiting.append(batch)
            self._waiting_bytes += _size(batch.frames)
            if self._waiting_bytes >= CHUNK_BYTES:
                self._cut()

    def _cut(self) -> None:
        if self._waiting:
            self._out.append(Chunk(self.flight, list(self._waiting)))
            self._waiting.clear()
            self._waiting_bytes = 0

    def _forget_old(self, now_ns: int) -> None:
        waiting = self._waiting
        oldest_ns = now_ns - BEFORE_NS if self._keeps_before else now_ns
        while waiting and (waiting[0].now_ns < oldest_ns or self._waiting_bytes > BEFORE_BYTES):
            self._waiting_bytes -= _size(waiting.popleft().frames)


def _size(frames: list[bytes]) -> int:
    return sum(map(len, frames)) + STAMP.size * len(frames)
