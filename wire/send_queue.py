"""The queue in front of a slow line: best class first, paced, and never longer than it may be.

A radio that is offered more than it can send fills its buffers, and then every command waits
behind seconds of telemetry. So what does not fit is dropped here, before it is sealed: what leaves
the queue is sealed at once, its counter is in the order of the line and its age that of the line.

The line is paced by its own rate alone. While one datagram is on the line the next one gathers; so
frames share a datagram when the line is busy and none waits for company when it is not.
"""

from collections import Counter, deque
from typing import Final, NamedTuple

from wire.cobs_framing import FRAMING_BYTES, MAX_DATAGRAM_BYTES
from wire.fragments import MAX_RECORD_BYTES, Fragmenter
from wire.locality import NotAllowedError
from wire.mavlink import MAGIC_V2
from wire.priority import Priority

MAX_DELAY_NS: Final = 150_000_000
MIN_RATE: Final = 120  # [byte/s]
MIN_BAUD: Final = 2400
MAX_BAUD: Final = 3_000_000
BULK_SHARE: Final = 20  # bulk gets the line's rate divided by this: 5 %
MAX_BULK: Final = 8
_MAX_STREAMS = 256
_SECOND_NS = 1_000_000_000


def check_radio(key: str, baud: int, rate: int | None) -> None:
    """Refuse a configured port speed or rate that no radio has.

    Raises:
        NotAllowedError: `key` and what is allowed are in the text.
    """
    if not MIN_BAUD <= baud <= MAX_BAUD:
        raise NotAllowedError(f"{key}.baud", baud, f"{MIN_BAUD} to {MAX_BAUD}")
    if rate is not None and not MIN_RATE <= rate <= baud // 10:
        allowed = f"{MIN_RATE} to {baud // 10} (bytes/s at {baud} baud)"
        raise NotAllowedError(f"{key}.rate", rate, allowed)


_PROMPT: Final = tuple(p for p in Priority if p is not Priority.BULK)


class _Pacer:
    """A line of a given rate: when it has sent everything that was put on it."""

    __slots__ = ("_rate", "free_ns")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self.free_ns = 0

    def spend(self, size: int, now_ns: int) -> None:
        """Put `size` bytes on the line."""
        self.free_ns = max(self.free_ns, now_ns) - (-size * _SECOND_NS // self._rate)


class _Item(NamedTuple):
    """A frame that waits, as the records it is sent in. `parts` shrinks once it is being sent."""

    stream: bytes
    parts: deque[bytes]
    put_ns: int
    whole: int

    @property
    def is_started(self) -> bool:
        return len(self.parts) < self.whole

    @property
    def size(self) -> int:
        return sum(map(len, self.parts))


class SendQueue:
    """Frames and records of one direction that wait, unsealed, for the line.

    The zero state is empty.

    Invariant:
        * The line is never used at more than its rate: between any two takings that return
          something, no more was spent than the line has sent.
        * A taken batch is of one class, the best that waits; within a class first in, first out.
          BULK has at most 5 % of the line, not counting one datagram, and these before TELEMETRY:
          a line that telemetry fills would never get its keys otherwise.
        * What waits, BULK aside, is at most what the line sends in `max_delay_ns`, or a single
          frame. When more is put, frames of the worst class go; of these, first those of the
          message (source and id) that was sent last, and of these the oldest. So every message of
          a class gets through now and then, whatever the rhythm in which they come. Of BULK
          MAX_BULK wait, and the oldest goes.
        * What has waited longer than `max_delay_ns` and the longest datagram takes is not sent:
          a command that a busy line kept back must not leave as if it were new. BULK may wait.
    """

    def __init__(
        self,
        rate: int,
        max_delay_ns: int = MAX_DELAY_NS,
        dropped: Counter[str] | None = None,
    ) -> None:
        """Wait for a line, or the radio behind it, that surely sends `rate` bytes a second."""
        if rate < MIN_RATE:
            raise ValueError(f"a line of {rate} byte/s is too slow: at least {MIN_RATE}")
        self.dropped: Counter[str] = Counter() if dropped is None else dropped
        self._line = _Pacer(rate)
        self._bulk = _Pacer(rate // BULK_SHARE)
        self._bulk_taken = False
        self._max_bytes = rate * max_delay_ns // _SECOND_NS
        longest = MAX_DATAGRAM_BYTES + FRAMING_BYTES
        self._max_wait_ns = max_delay_ns + longest * _SECOND_NS // rate
        self._waiting: dict[Priority, deque[_Item]] = {p: deque() for p in Priority}
        self._bytes = 0
        self._fragmenter = Fragmenter()
        self._last_sent: dict[bytes, int] = {}  # by message, the least recently sent first
        self._sent = 0

    def put(self, priority: Priority, frame: bytes, now_ns: int) -> None:
        """Let a MAVLink frame, or an encoded record of at most MAX_RECORD_BYTES, wait its turn."""
        if frame[0] == MAGIC_V2:
            stream = frame[5:10]
        elif len(frame) <= MAX_RECORD_BYTES:
            stream = frame[:1]
        else:
            raise ValueError(f"a record of {len(frame)} bytes: {MAX_RECORD_BYTES} at most")
        parts = deque(self._fragmenter.cut(frame))
        item = _Item(stream, parts, now_ns, len(parts))
        self._waiting[priority].append(item)
        if priority is Priority.BULK:
            if self.waiting(priority) > MAX_BULK:
                self._drop(priority, self._waiting[priority].popleft())
            return
        self._bytes += item.size
        while self._bytes > self._max_bytes and sum(map(self.waiting, _PROMPT)) > 1:
            self._drop_one()

    def take(self, max_bytes: int, now_ns: int) -> list[bytes]:
        """Return the records of the next datagram, for the caller to seal and send now.

        Empty if the line is busy or nothing may go. `spent` must follow what is sent.
        """
        if max_bytes < MAX_RECORD_BYTES:
            raise ValueError(f"room for {max_bytes} bytes: at least {MAX_RECORD_BYTES}")
        if now_ns < self._line.free_ns:
            return []
        self._drop_late(now_ns)
        priority = self._best(now_ns)
        if priority is None:
            return []
        self._bulk_taken = priority is Priority.BULK
        batch: list[bytes] = []
        room, waiting = max_bytes, self._waiting[priority]
        while waiting and len(waiting[0].parts[0]) <= room:
            item = waiting[0]
            part = item.parts.popleft()
            batch.append(part)
            room -= len(part)
            if not item.parts:
                waiting.popleft()
                self._note_sent(item.stream)
        if priority is not Priority.BULK:
            self._bytes -= max_bytes - room
        return batch

    def spent(self, size: int, now_ns: int) -> None:
        """Say that `size` bytes, overheads included, are being sent: a batch or anything else."""
        self._line.spend(size, now_ns)
        if self._bulk_taken:
            self._bulk.spend(size, now_ns)
            self._bulk_taken = False

    @property
    def free_ns(self) -> int:
        """When the line will have sent what was put on it."""
        return self._line.free_ns

    def deadline_ns(self) -> int | None:
        """Return when `take` may return something, perhaps already; None if nothing waits."""
        if any(map(self.waiting, _PROMPT)):
            return self._line.free_ns
        if self.waiting(Priority.BULK):
            return max(self._line.free_ns, self._bulk.free_ns)
        return None

    def waiting(self, priority: Priority) -> int:
        """Return how many frames of a class wait."""
        return len(self._waiting[priority])

    def _best(self, now_ns: int) -> Priority | None:
        best = next((p for p in _PROMPT if self._waiting[p]), None)
        is_bulks_turn = self._waiting[Priority.BULK] and now_ns >= self._bulk.free_ns
        return Priority.BULK if is_bulks_turn and best in (None, Priority.TELEMETRY) else best

    def _drop_one(self) -> None:
        """Drop a frame of the worst class, fairly."""
        priority = next(p for p in reversed(_PROMPT) if self._waiting[p])
        waiting = self._waiting[priority]
        # A frame whose first part has been sent is the last to go: that part would be wasted.
        victim = max(
            range(len(waiting)),
            key=lambda i: (
                -1 if waiting[i].is_started else self._last_sent.get(waiting[i].stream, 0)
            ),
        )
        self._drop(priority, waiting[victim])
        del waiting[victim]

    def _drop_late(self, now_ns: int) -> None:
        for priority in _PROMPT:
            waiting = self._waiting[priority]
            while waiting and now_ns - waiting[0].put_ns > self._max_wait_ns:
                self._drop(priority, waiting.popleft())

    def _drop(self, priority: Priority, item: _Item) -> None:
        if priority is not Priority.BULK:
            self._bytes -= item.size
        self.dropped[f"not_sent_{priority.name.lower()}"] += 1

    def _note_sent(self, stream: bytes) -> None:
        self._sent += 1
        self._last_sent.pop(stream, None)
        self._last_sent[stream] = self._sent
        if len(self._last_sent) > _MAX_STREAMS:
            del self._last_sent[next(iter(self._last_sent))]
