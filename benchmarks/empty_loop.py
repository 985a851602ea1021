"""A loop at the control loop's rate and scheduling that does nothing: what the machine allows.

`python -m benchmarks.empty_loop SECONDS` prints its lateness as JSON.
"""

import sys
import time

import msgspec

from flightcore.aio.control_loop import PERIOD_NS
from flightcore.aio.realtime import SPIN_NS, Sleeper, prepare


class EmptyLoop(msgspec.Struct, frozen=True):
    """What became of its deadlines. Lateness in us."""

    scheduling: str
    ticks: int
    overruns: int
    lateness_p50_us: float
    lateness_p99_us: float
    lateness_p999_us: float
    lateness_max_us: float


def measure(seconds: float) -> EmptyLoop:
    """Sleep from deadline to deadline for so long."""
    granted = prepare(real_time=True)
    sleeper = Sleeper(SPIN_NS if granted.is_fifo else 0)
    ticks = round(seconds * 1e9 / PERIOD_NS)
    late = [0] * ticks
    overruns = 0
    deadline_ns = time.monotonic_ns() + PERIOD_NS
    for tick in range(ticks):
        sleeper.until(deadline_ns)
        late[tick] = time.monotonic_ns() - deadline_ns
        deadline_ns += PERIOD_NS
        behind = (time.monotonic_ns() - deadline_ns) // PERIOD_NS + 1
        if behind > 0:
            overruns += behind
            deadline_ns += behind * PERIOD_NS
    late.sort()
    p50, p99, p999, most = (late[int(share * (ticks - 1))] / 1e3 for share in (0.5, 0.99, 0.999, 1))
    return EmptyLoop(granted.describe(), ticks, overruns, p50, p99, p999, most)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(measure(float(sys.argv[1]))))
