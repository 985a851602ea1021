"""Which way the ground sends when there are two: the best that answers.

The drone follows: it sends to wherever the newest authentic frame came from. So the ground alone
chooses, and the session goes on without a new handshake.
"""

from collections.abc import Sequence
from typing import Final

from wire.locality import Address

PATH_SILENCE_NS: Final = 600_000_000
PATH_UNANSWERED_NS: Final = 1_500_000_000
PROBE_NS: Final = 1_000_000_000


class Paths:
    """The ways to one drone, best first. The zero state uses the best and has heard nothing.

    Invariant: the way in use changes to a worse one only after `PATH_SILENCE_NS` in which nothing
    authentic came by it, or `PATH_UNANSWERED_NS` in which nothing that came acknowledged what was
    sent; and to a better one only when a probe sent there has been acknowledged there.
    """

    def __init__(self, paths: Sequence[Address]) -> None:
        self._paths = tuple(paths)
        self.active = self._paths[0]
        self._heard_ns: int | None = None
        self._answered_ns = 0
        self._probe_ns = 0

    def heard(self, path: Address, now_ns: int) -> None:
        """Note that the newest authentic frame so far came by `path`."""
        if path == self.active:
            self._heard_ns = now_ns

    def use(self, path: Address, now_ns: int) -> None:
        """Take a way by which the drone has just answered."""
        self.active = path
        self._heard_ns = self._answered_ns = now_ns

    def answered(self, sent_ns: int) -> None:
        """Note that the drone has heard something that was sent at `sent_ns` or later."""
        self._answered_ns = max(self._answered_ns, sent_ns)

    def settle(self, now_ns: int) -> bool:
        """Take the next way if the one in use has fallen silent; tell whether it was taken."""
        if self._heard_ns is None:
            self.use(self.active, now_ns)
        if len(self._paths) == 1 or now_ns < self._patience_ends_ns():
            return False
        following = (self._paths.index(self.active) + 1) % len(self._paths)
        self.use(self._paths[following], now_ns)
        return True

    def probe(self, now_ns: int) -> Address | None:
        """Return the best way if it is not in use and it is time to ask for an answer there."""
        best = self._paths[0]
        if self.active == best or now_ns < self._probe_ns:
            return None
        self._probe_ns = now_ns + PROBE_NS
        return best

    def deadline_ns(self) -> int | None:
        """Return when `settle` or `probe` has something to do."""
        if len(self._paths) == 1 or self._heard_ns is None:
            return None
        end_ns = self._patience_ends_ns()
        return end_ns if self.active == self._paths[0] else min(end_ns, self._probe_ns)

    def _patience_ends_ns(self) -> int:
        assert self._heard_ns is not None
        return min(self._heard_ns + PATH_SILENCE_NS, self._answered_ns + PATH_UNANSWERED_NS)
