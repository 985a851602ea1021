"""The control loop: a process of its own, `python -m flightcore.aio.control_loop`.

It flies one track at 400 Hz from shared memory and knows nothing else: no line, no key, no link.
It ends with the service that made it.
"""

import os
import sys
import time
from typing import Final

import msgspec

from flightcore.aio.flight_memory import BINS, FlightMemory
from flightcore.aio.realtime import SPIN_NS, Sleeper, die_with_parent, prepare
from flightcore.offboard.outer import Craft
from flightcore.offboard.pilot import PERIOD_S, Form, Orders, Pilot, Tuning
from flightcore.offboard.track import Track
from wire.aio.alarm import monotonic_ns

PERIOD_NS: Final = round(PERIOD_S * 1e9)
TICKS, OVERRUNS, WORST_NS, GRANTED = (BINS + i for i in range(4))  # after the histogram
SAYS_EVERY: Final = 4  # ticks between setpoints: 100 Hz


class Assignment(msgspec.Struct, frozen=True):
    """What the process is made for, one line of JSON on its standard input."""

    memory: int
    wake: int
    parent: int
    duration_s: float
    form: int
    hover: float
    gives_thrust: bool
    climb_up: float
    climb_down: float
    says_every: int = SAYS_EVERY
    real_time: bool = True


def main() -> None:
    """Fly until the service ends."""
    given = msgspec.json.decode(sys.stdin.buffer.readline(), type=Assignment)
    die_with_parent(given.parent)
    memory = FlightMemory(given.memory)
    craft = Craft(given.hover, given.gives_thrust, given.climb_up, given.climb_down)
    track = Track(memory.track, given.duration_s)
    pilot = Pilot(track, Form(given.form), craft, Tuning())
    granted = prepare(real_time=given.real_time)
    counts = memory.lateness
    counts[GRANTED] = granted.is_fifo | granted.is_locked << 1 | granted.is_exact << 2
    os.eventfd_write(given.wake, 1)
    _run(memory, pilot, given, Sleeper(SPIN_NS if granted.is_fifo else 0))


def _run(memory: FlightMemory, pilot: Pilot, given: Assignment, sleeper: Sleeper) -> None:
    counts, orders = memory.lateness, Orders()
    deadline_ns = time.monotonic_ns() + PERIOD_NS  # of the clock that can be slept by
    tick = 0
    while True:
        sleeper.until(deadline_ns)
        late_ns = time.monotonic_ns() - deadline_ns
        now_s = monotonic_ns() * 1e-9  # of the clock that the service goes by
        counts[min(late_ns // 1000, BINS - 1)] += 1
        if late_ns > counts[WORST_NS]:
            counts[WORST_NS] = late_ns
        motion = memory.take_motion()
        if motion is not None:
            pilot.receive(motion)
        orders = memory.take_orders() or orders
        step = pilot.step(now_s, orders)
        tick += 1
        counts[TICKS] = tick
        if tick % given.says_every == 0:
            memory.put_step(step)
            os.eventfd_write(given.wake, 1)
        deadline_ns += PERIOD_NS
        behind = (time.monotonic_ns() - deadline_ns) // PERIOD_NS + 1
        if behind > 0:  # what is missed is missed: the next deadline is in the future
            counts[OVERRUNS] += behind
            deadline_ns += behind * PERIOD_NS


if __name__ == "__main__":
    main()
