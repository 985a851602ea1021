"""The monotonic clock of the shells, and a timer for the next deadline of a core."""

import asyncio
import functools
import time
from collections.abc import Callable

# Not slewed by NTP or GNSS time, unlike every other clock.
monotonic_ns = functools.partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC_RAW)


class Alarm:
    """Call back once when a deadline comes; an earlier deadline replaces a later one."""

    def __init__(self, on_time: Callable[[], None]) -> None:
        self._on_time = on_time
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._deadline_ns = 0

    def set(self, deadline_ns: int | None, now_ns: int) -> None:
        """Call back at `deadline_ns`, or sooner if that was already agreed."""
        if deadline_ns is None or (self._timer is not None and self._deadline_ns <= deadline_ns):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._deadline_ns = deadline_ns
        delay_s = max(0, deadline_ns - now_ns) / 1e9
        self._timer = self._loop.call_later(delay_s, self._ring)

    def cancel(self) -> None:
        """Do not call back any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        self._on_time()
