"""What counters gained in the last seconds."""

from collections import deque
from collections.abc import Mapping
from typing import Final

WINDOW_NS: Final = 10_000_000_000
_SAMPLE_NS: Final = 500_000_000


class Window:
    """Counters that only grow, over the last `WINDOW_NS`. The zero state has seen none.

    Invariant: `gained` lies between what was gained in the last `WINDOW_NS` and what was gained in
    half a second more, if `add` is called at least that often.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[int, dict[str, int]]] = deque()
        self._newest: dict[str, int] = {}

    def add(self, counters: Mapping[str, int], now_ns: int) -> None:
        """Take the counters as they stand; one that has not been there before stood at zero."""
        self._newest = dict(counters)
        samples = self._samples
        if not samples or now_ns - samples[-1][0] >= _SAMPLE_NS:
            samples.append((now_ns, self._newest))
        while len(samples) > 1 and now_ns - samples[1][0] >= WINDOW_NS:
            samples.popleft()

    def gained(self, *names: str) -> int:
        """Return by how much the counters of these names have grown together."""
        if not self._samples:
            return 0
        oldest = self._samples[0][1]
        return sum(self._newest.get(name, 0) - oldest.get(name, 0) for name in names)
