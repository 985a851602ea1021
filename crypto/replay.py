"""The replay window of one direction of one key generation."""

from typing import Final

WINDOW_SIZE: Final = 128
_MASK = (1 << WINDOW_SIZE) - 1


class ReplayWindow:
    """Remember which of the last 128 counters were accepted, as bits behind the highest.

    Invariant: `accept` is called only with a counter that `would_accept` allowed and whose tag has
    been checked since; so each counter is accepted at most once, and an unauthenticated datagram
    changes nothing. The zero state has accepted nothing. After RFC 6479.
    """

    __slots__ = ("_seen", "top")

    def __init__(self) -> None:
        self.top = -1
        self._seen = 0  # bit i stands for counter top - i

    def would_accept(self, counter: int) -> bool:
        """Tell whether `counter` is new and not too far behind; changes nothing."""
        behind = self.top - counter
        if behind < 0:
            return True
        return behind < WINDOW_SIZE and not self._seen >> behind & 1

    def accept(self, counter: int) -> bool:
        """Mark an authenticated counter; return whether it is the highest so far."""
        ahead = counter - self.top
        if ahead > 0:
            self._seen = (self._seen << ahead | 1) & _MASK if ahead < WINDOW_SIZE else 1
            self.top = counter
            return True
        self._seen |= 1 << -ahead
        return False
