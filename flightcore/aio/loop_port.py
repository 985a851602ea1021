"""The service's end of the control loop: makes the process, wakes when it speaks, sees it end."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

import flightcore
from flightcore.aio.control_loop import GRANTED, OVERRUNS, TICKS, WORST_NS, Assignment
from flightcore.aio.flight_memory import BINS, FlightMemory, create
from flightcore.aio.realtime import Granted
from flightcore.offboard.aboard import Aboard
from flightcore.offboard.offboard import Offboard
from wire.aio.alarm import monotonic_ns

_log = logging.getLogger(__name__)
_SUM_UP_NS: Final = 1_000_000_000


class LoopStatus(msgspec.Struct, frozen=True):
    """The control loop for `sekisho status`. Lateness in us; `histogram` says up to how many.

    `scheduling` is what the system granted.
    """

    pid: int
    scheduling: str
    ticks: int
    overruns: int
    lateness_p50_us: int
    lateness_p99_us: int
    lateness_p999_us: int
    lateness_max_us: float
    histogram: dict[str, int]


class LoopPort:
    """At most one process, made for what is loaded; between the loop and `Offboard`.

    Args of the constructor: `offboard` is what it serves, `on_news` is called after the loop has
    spoken or ended, `real_time` asks the system for punctuality.
    """

    def __init__(
        self, offboard: Offboard, on_news: Callable[[], None], *, real_time: bool = True
    ) -> None:
        self._offboard = offboard
        self._on_news = on_news
        self._real_time = real_time
        self._loop = asyncio.get_running_loop()
        self._flight: Aboard | None = None
        self._memory: FlightMemory | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._descriptors: list[int] = []
        self._is_ready = False
        self._summed_ns = 0
        self._motion: object = None
        self._orders: object = None

    def settle(self) -> None:
        """Make or end the process as `Offboard` wishes, and let it know what is new."""
        wanted = self._offboard.flight
        if wanted is not self._flight:
            self.close()
            self._flight = wanted
            if wanted is not None:
                try:
                    self._start(wanted)
                except OSError as error:
                    self._give_up(f"cannot be made: {error.strerror}")
        memory = self._memory
        if memory is None:
            return
        motion, orders = self._offboard.sight.motion, self._offboard.orders
        if motion is not None and motion is not self._motion:
            self._motion = motion
            memory.put_motion(motion)
        if orders is not self._orders:
            self._orders = orders
            memory.put_orders(orders)

    def status(self) -> LoopStatus | None:
        """Describe the loop; None while there is none."""
        if self._memory is None or self._process is None or not self._is_ready:
            return None
        return _described(self._process.pid, self._memory)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            for descriptor in self._descriptors:
                self._loop.remove_reader(descriptor)
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors, self._is_ready = [], False
        self._motion = self._orders = self._flight = None

    def _start(self, flight: Aboard) -> None:
        memory = create(flight.rows)
        wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._descriptors = [memory, wake]
        self._memory = FlightMemory(memory)
        craft = flight.craft
        assignment = Assignment(
            memory=memory,
            wake=wake,
            parent=os.getpid(),
            duration_s=flight.duration_s,
            form=flight.form,
            hover=craft.hover,
            gives_thrust=craft.gives_thrust,
            climb_up=craft.climb_up,
            climb_down=craft.climb_down,
            real_time=self._real_time,
        )
        root = str(Path(flightcore.__file__).parent.parent)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flightcore.aio.control_loop"],
            stdin=subprocess.PIPE,
            pass_fds=(memory, wake),
            env={**os.environ, "PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1"},
        )
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(assignment) + b"\n")
        self._process.stdin.close()
        os.close(memory)
        self._descriptors = [wake, ended := os.pidfd_open(self._process.pid)]
        self._loop.add_reader(wake, self._woken)
        self._loop.add_reader(ended, self._ended)

    def _woken(self) -> None:
        os.eventfd_read(self._descriptors[0])
        now_ns = monotonic_ns()
        memory = self._memory
        assert memory is not None
        if not self._is_ready:
            self._is_ready = True
            self._offboard.loop_ready(now_ns)
            _log.info("control loop: %s", _granted(memory).describe())
        step = memory.take_step()
        if step is not None:
            self._offboard.receive_step(step, now_ns)
        if now_ns >= self._summed_ns + _SUM_UP_NS:
            self._summed_ns = now_ns
            self._offboard.lateness_us = _quantile(memory.lateness[:BINS].tolist(), 0.99)
        self._on_news()

    def _ended(self) -> None:
        assert self._process is not None
        code = self._process.wait()
        why = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        self._give_up(f"ended with {why}")
        self._on_news()

    def _give_up(self, why: str) -> None:
        """Do without: it is not made again for the same trajectory."""
        _log.error("control loop: %s", why)
        flight = self._flight
        self.close()
        self._flight = flight
        self._offboard.loop_ended(why, monotonic_ns())


def _granted(memory: FlightMemory) -> Granted:
    bits = memory.lateness[GRANTED]
    return Granted(is_fifo=bool(bits & 1), is_locked=bool(bits & 2), is_exact=bool(bits & 4))


def _described(pid: int, memory: FlightMemory) -> LoopStatus:
    counts = memory.lateness[:BINS].tolist()
    edges = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, BINS - 1)
    shares = {f"<={edge}": sum(counts[:edge]) for edge in edges} | {"all": sum(counts)}
    return LoopStatus(
        pid=pid,
        scheduling=_granted(memory).describe(),
        ticks=memory.lateness[TICKS],
        overruns=memory.lateness[OVERRUNS],
        lateness_p50_us=_quantile(counts, 0.5),
        lateness_p99_us=_quantile(counts, 0.99),
        lateness_p999_us=_quantile(counts, 0.999),
        lateness_max_us=memory.lateness[WORST_NS] / 1000,
        histogram=shares,
    )


def _quantile(counts: list[int], share: float) -> int:
    """Return the upper edge of the bin that holds a quantile [us]."""
    left = share * sum(counts)
    for bin_us, count in enumerate(counts):
        left -= count
        if left <= 0.0:
            return bin_us + 1
    return len(counts)
