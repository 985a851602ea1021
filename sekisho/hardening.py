"""Keep the keys of this process out of core dumps, debuggers of the same user, and swap."""

import ctypes
import logging
import os
import resource
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)

_PR_SET_DUMPABLE: Final = 4  # linux/prctl.h
_MCL_ALL: Final = (
    1 | 2 | 4
)  # sys/mman.h: what is mapped, what will be, each page once it is touched
_SWAPS: Final = Path("/proc/swaps")


def harden() -> None:
    """Apply to this process what cannot be left to its user; for commands that handle keys.

    Python copies what it handles, so keys are anywhere in its memory: all of it is protected or
    none. Memory is locked only where that can never fail later: under a finite RLIMIT_MEMLOCK an
    allocation above the limit would end the service in flight.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    # A core limit of 0 does not stop a dump handler behind a pipe; this does, and ptrace too.
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE) refused")
    if not _has_swap():
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit != resource.RLIM_INFINITY:
        _log.info("keys may be swapped to disk: LimitMEMLOCK=infinity in the unit, or no swap")
    elif libc.mlockall(_MCL_ALL) != 0:
        _log.info("keys may be swapped to disk: mlockall: %s", os.strerror(ctypes.get_errno()))


def _has_swap() -> bool:
    if not _SWAPS.exists():
        return True  # a service manager hides it: suppose there is
    return len(_SWAPS.read_text().splitlines()) > 1
