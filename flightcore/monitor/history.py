"""The recent past of one quantity, looked up by how long ago."""

from bisect import bisect_right
from typing import Final, Generic, TypeVar

T = TypeVar("T")
_MOST: Final = 1400  # half of them are the longest window, 32 s, at 20 Hz
_TICK_S: Final = 1e-3  # stamps are milliseconds


class History(Generic[T]):
    """Items by time; times must rise. Holds the last 700 to 1,400."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._items: list[T] = []

    def remember(self, time_s: float, item: T) -> None:
        """Add the newest item."""
        if len(self._items) >= _MOST:
            del self._times[: _MOST // 2], self._items[: _MOST // 2]
        self._times.append(time_s)
        self._items.append(item)

    def not_after(self, time_s: float) -> T | None:
        """Return the newest item of a moment or before it, None if there is none."""
        index = bisect_right(self._times, time_s + _TICK_S)
        return self._items[index - 1] if index else None

    def newest(self) -> T | None:
        """Return the last item."""
        return self._items[-1] if self._items else None

    def clear(self) -> None:
        """Forget everything."""
        self._times.clear()
        self._items.clear()
