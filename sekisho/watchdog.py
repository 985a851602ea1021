"""Feed the service manager's watchdog for as long as the service shows that it works.

A hung loop cannot call `_beat`, so the feeding stops by itself, and the manager ends the process
and starts another. There is no watchdog of our own inside: without a manager nobody would start the
service again, a process that was merely paused would be lost, and the drone comes home either way,
because what the loop does not forward the autopilot does not hear.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from sekisho.notify import ServiceManager

_log = logging.getLogger(__name__)

_BEAT_S: Final = 1.0
_BEATS_IN_PATIENCE: Final = 4


class Watchdog:
    """A beat in the event loop. `check` says what no longer runs, `describe` how the service is.

    Both are asked in every beat; `late_s` is by how much a beat was late, at worst.
    """

    def __init__(
        self, manager: ServiceManager, check: Callable[[], str | None], describe: Callable[[], str]
    ) -> None:
        self.late_s = 0.0
        self._manager = manager
        self._check = check
        self._describe = describe
        self._loop = asyncio.get_running_loop()
        patience_s = manager.patience_s
        self._every_s = min(_BEAT_S, (patience_s or _BEAT_S) / _BEATS_IN_PATIENCE)
        self._stuck: str | None = None
        self._unsaid = ["READY=1"]  # until it is on its way
        self._status = ""
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Say that the service is ready, and from now on that it works."""
        self._beat()

    def stop(self) -> None:
        """Say that the service is ending."""
        if self._timer is not None:
            self._timer.cancel()
        self._manager.tell("STOPPING=1", "STATUS=stopping")

    def _beat(self) -> None:
        now_s = self._loop.time()
        if self._timer is not None:
            self.late_s = max(self.late_s, now_s - self._timer.when())
        self._timer = self._loop.call_at(now_s + self._every_s, self._beat)
        stuck = self._check()
        if stuck is not None and stuck != self._stuck:
            _log.error("stuck: %s; the watchdog is fed no more", stuck)
        self._stuck = stuck
        if not self._manager.listens:
            return
        status = self._describe() if stuck is None else f"stuck: {stuck}"
        if status != self._status:
            self._status = status
            self._unsaid.append(f"STATUS={status}")
        fed = ["WATCHDOG=1"] if stuck is None else []
        if (self._unsaid or fed) and self._manager.tell(*self._unsaid, *fed):
            self._unsaid.clear()
