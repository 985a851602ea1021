"""Write what must survive a restart without holding up the link: one write after the other."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_log = logging.getLogger(__name__)


class Disk:
    """A thread that writes, in the order of the calls. `close` waits for what has begun.

    `failures` are the errors that mean that the disk, or its directory, is at fault.
    """

    def __init__(self, failures: tuple[type[Exception], ...] = (OSError,)) -> None:
        self._failures = failures
        self._loop = asyncio.get_running_loop()
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="disk")
        self._is_failing = False

    def write(self, write: Callable[[], None], done: Callable[[bool], None]) -> None:
        """Call `write` in the thread, then `done` in the loop with whether it succeeded."""
        future = self._loop.run_in_executor(self._executor, write)
        future.add_done_callback(lambda finished: self._finish(finished, done))

    def close(self) -> None:
        """Let what waits be written."""
        self._executor.shutdown(wait=True)

    def _finish(self, future: "asyncio.Future[None]", done: Callable[[bool], None]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is not None and not isinstance(error, self._failures):
            raise error
        if error is not None and not self._is_failing:
            _log.error("state cannot be written: %s; what needs it does not take effect", error)
        self._is_failing = error is not None
        done(error is None)
