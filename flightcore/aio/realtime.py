"""Deadlines for a loop that must not be late: absolute sleeps, and what Linux grants for them."""

import ctypes
import errno
import gc
import os
import time
from typing import Final, NamedTuple

SPIN_NS: Final = 150_000  # 6 % of a processor at 400 Hz; waking takes up to about as long
PRIORITY: Final = 60  # above what is usual, below the kernel's own threads
_CLOCK_MONOTONIC: Final = 1  # time.h
_TIMER_ABSTIME: Final = 1  # time.h
_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_PR_SET_TIMERSLACK: Final = 29  # linux/prctl.h
_SIGKILL: Final = 9
_MCL_CURRENT_FUTURE: Final = 1 | 2  # sys/mman.h


class Granted(NamedTuple):
    """What the system has granted. Without all three, lateness is what the load makes of it."""

    is_fifo: bool
    is_locked: bool
    is_exact: bool  # timer slack of a nanosecond instead of 50 us

    def describe(self) -> str:
        """Say it in a line."""
        missing = [
            name
            for name, has in zip(("SCHED_FIFO", "mlockall", "timer slack"), self, strict=True)
            if not has
        ]
        return "real-time" if not missing else f"without {', '.join(missing)}"


class Sleeper:
    """Waits until an instant of the monotonic clock; being late once makes nothing else late.

    The last `spin_ns` are not slept but spun: waking takes tens of microseconds, and as many again
    until caches are warm, and both happen before the instant then. Only for who has a processor
    to himself when he asks, that is under SCHED_FIFO: others would lose their share by it.
    """

    def __init__(self, spin_ns: int = 0) -> None:
        self._spin_ns = spin_ns
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._sleep = self._libc.clock_nanosleep
        self._sleep.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
        self._until = (ctypes.c_long * 2)()  # a timespec
        self._at = ctypes.byref(self._until)

    def until(self, deadline_ns: int) -> None:
        """Wait; a signal does not cut it short."""
        self._until[0], self._until[1] = divmod(deadline_ns - self._spin_ns, 1_000_000_000)
        while self._sleep(_CLOCK_MONOTONIC, _TIMER_ABSTIME, self._at, None) == errno.EINTR:
            pass
        while self._spin_ns and time.monotonic_ns() < deadline_ns:
            pass


def die_with_parent(parent: int) -> None:
    """End this process when the thread that made it ends.

    Raises:
        ProcessLookupError: It has ended already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise ProcessLookupError(f"the service {parent} has gone")


def prepare(*, real_time: bool) -> Granted:
    """Freeze what is in memory, and ask for punctuality; whatever is refused is left out."""
    gc.collect()
    gc.freeze()
    gc.disable()  # the loop makes no cycles
    if not real_time:
        return Granted(is_fifo=False, is_locked=False, is_exact=False)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        is_fifo = True
    except OSError:
        is_fifo = False
    return Granted(
        is_fifo=is_fifo,
        is_locked=libc.mlockall(_MCL_CURRENT_FUTURE) == 0,
        is_exact=libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0) == 0,
    )
