"""Command age without clocks: when each counter was sent, so that an echo of it bounds an age.

The peer can only have learnt a counter after it was sent, and made its frame after that. So the
true age of a frame that acknowledges `counter` is at most `now - sent_at[counter]`, both read from
our own monotonic clock. An attacker can make the bound larger, never smaller.
"""

from collections import deque
from typing import Final

# In place of a counter: "I have authenticated your handshake message, and no frame yet".
ACK_HANDSHAKE: Final = 0xFFFFFF
REMEMBER_NS: Final = 60_000_000_000  # the longest age limit an owner may choose


class SentTimes:
    """When the frames of the last minute left, by counter.

    Invariant: counters are recorded consecutively from zero. The zero state knows only when the
    handshake message left.
    """

    __slots__ = ("_first", "_handshake_ns", "_times")

    def __init__(self, handshake_ns: int) -> None:
        self._handshake_ns = handshake_ns
        self._first = 0
        self._times: deque[int] = deque()

    def record(self, now_ns: int) -> None:
        """Note that the next counter leaves now."""
        times = self._times
        times.append(now_ns)
        while times[0] < now_ns - REMEMBER_NS:
            times.popleft()
            self._first += 1

    def age_bound_ns(self, ack: int, now_ns: int) -> int | None:
        """Return the greatest age a frame acknowledging `ack` can have; None if unbounded."""
        if ack == ACK_HANDSHAKE:
            return now_ns - self._handshake_ns
        index = ack - self._first
        if not 0 <= index < len(self._times):
            return None
        return now_ns - self._times[index]
