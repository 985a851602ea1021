"""Time code in this process: CPU time per operation over repeated batches."""

import gc
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from benchmarks.report import Spread

Batch = Callable[[], int]  # does the work once over and returns how many operations that was
_MIN_SAMPLE_NS: Final = 8_000_000


class Case(NamedTuple):
    """One row: its name and how to set up a batch."""

    name: str
    prepare: Callable[[], Batch]


def measure(prepare: Callable[[], Batch], *, repeats: int) -> Spread:
    """Return CPU microseconds per operation.

    `prepare` sets up what one batch consumes and is not timed; it is called before every batch.
    CPU time, not wall time: neighbours on the machine then cost cache, not minutes.
    """
    gc.collect()
    gc.freeze()  # as the services do once they have started
    prepare()()
    samples = []
    for _ in range(repeats):
        used, operations = 0, 0
        while used < _MIN_SAMPLE_NS:
            batch = prepare()
            start = time.process_time_ns()
            operations += batch()
            used += time.process_time_ns() - start
        samples.append(used / operations / 1e3)
    gc.unfreeze()
    return Spread.of(samples, "us/op")
