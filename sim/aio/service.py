"""The running simulator: wall clock, pseudo-terminal and signals around a `Simulation`."""

import asyncio
import logging
import math
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from sim.aio.pty import Pty
from sim.geodesy import Place
from sim.simulation import TICK_NS, TICK_S, Simulation, World

_LOG = logging.getLogger(__name__)
_WAKE_S: Final = 0.005
# More behind than this is not caught up: the vehicle would lurch, and fall behind again.
_BEHIND_MAX_S: Final = 0.25
_REPORT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class SimConfig:
    """What to simulate.

    Attributes:
        tty: Symbolic link to make to the pty, or None.
        speedup: Vehicle seconds per wall second.
        home: Latitude and longitude [degree], altitude [m], heading [degree].
        wind: Speed [m/s] and the direction it comes from [degree].
        gusts: Standard deviation of the gusts. [m/s]
        sysid: MAVLink system id.
        ekf_ready_s: Vehicle time from power-up to a position estimate.
        seed: Of every random number.
        parameters: Values over ArduCopter's factory ones, all of parameters in the table.
    """

    tty: Path | None = None
    speedup: float = 1.0
    home: tuple[float, float, float, float] = (35.6585999, 139.7454001, 20.0, 0.0)
    wind: tuple[float, float] = (0.0, 0.0)
    gusts: float = 0.0
    sysid: int = 1
    ekf_ready_s: float = 9.0
    seed: int = 0
    parameters: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SimSummary:
    """What happened.

    Attributes:
        vehicle_s: Simulated time. [s]
        wall_s: Real time. [s]
        speedup: Simulated over real time, as achieved.
        bytes_in: Bytes from clients.
        bytes_out: Bytes sent.
        bytes_dropped: Bytes sent that nobody read in time.
        noise: Bytes and frames from clients that were dropped, by reason.
        interrupted: Whether SIGINT ended it.
    """

    vehicle_s: float
    wall_s: float
    speedup: float
    bytes_in: int
    bytes_out: int
    bytes_dropped: int
    noise: dict[str, int]
    interrupted: bool


def build(config: SimConfig, epoch_us: int) -> Simulation:
    """Return the simulation a configuration describes, at power-up at wall time `epoch_us`."""
    lat, lon, alt, heading = config.home
    world = World(
        start=Place(round(lat * 1e7), round(lon * 1e7), alt),
        heading=math.radians(heading),
        wind_speed=config.wind[0],
        wind_from=math.radians(config.wind[1]),
        gusts=config.gusts,
        epoch_us=epoch_us,
    )
    noise = np.random.default_rng(config.seed)
    simulation = Simulation(world, noise, sysid=config.sysid, ekf_ready_s=config.ekf_ready_s)
    for name, value in config.parameters.items():
        simulation.autopilot.parameters.store(name, value)
    return simulation


async def run(
    config: SimConfig, ready: Callable[[str], None], stop: asyncio.Event | None = None
) -> SimSummary:
    """Simulate until stopped.

    Args:
        config: What to simulate.
        ready: Called once with the path clients open.
        stop: Set to end. Without it SIGINT and SIGTERM end the simulation.

    Returns:
        What happened; `interrupted` tells SIGINT from the rest.

    Raises:
        LinkInUseError: `config.tty` is something else than a symbolic link.
    """
    loop = asyncio.get_running_loop()
    interrupted = False
    if stop is None:
        stop = ended = asyncio.Event()

        def interrupt() -> None:
            nonlocal interrupted
            interrupted = True
            ended.set()

        loop.add_signal_handler(signal.SIGINT, interrupt)
        loop.add_signal_handler(signal.SIGTERM, ended.set)
    pty = Pty()
    try:
        if config.tty is not None:
            pty.link(config.tty)
        service = _Service(build(config, time.time_ns() // 1000), pty, config.speedup)
        ready(str(config.tty or pty.path))
        await service.run(stop)
        return service.summary(interrupted=interrupted)
    finally:
        pty.close()


class _Service:
    """The loop. It decides nothing: it moves bytes and time."""

    def __init__(self, simulation: Simulation, pty: Pty, speedup: float) -> None:
        self._simulation = simulation
        self._pty = pty
        self._speedup = speedup
        self._started_s = time.monotonic()
        self._bytes_in = 0
        self._bytes_out = 0

    async def run(self, stop: asyncio.Event) -> None:
        simulation = self._simulation
        anchor_s, anchor_ns = self._started_s, simulation.now_ns
        behind_s = 0.0
        report_s = anchor_s + _REPORT_S
        wake_s = anchor_s
        while not stop.is_set():
            wake_s = max(wake_s + _WAKE_S, time.monotonic() - _WAKE_S)
            await asyncio.sleep(max(0.0, wake_s - time.monotonic()))
            now_s = time.monotonic()
            due_ns = anchor_ns + round((now_s - anchor_s) * self._speedup * 1e9)
            late_s = (due_ns - simulation.now_ns) * 1e-9 / self._speedup
            if late_s > _BEHIND_MAX_S:
                behind_s += late_s
                anchor_s, anchor_ns = now_s, simulation.now_ns
                due_ns = anchor_ns + round(TICK_NS)
            self._advance(due_ns)
            if now_s >= report_s:
                report_s = now_s + _REPORT_S
                if behind_s > 0.0:
                    _LOG.warning("cannot keep up: %.2f s lost in 10 s", behind_s)
                    behind_s = 0.0

    def _advance(self, due_ns: int) -> None:
        simulation, pty = self._simulation, self._pty
        while simulation.now_ns + TICK_NS <= due_ns:
            data = pty.read()
            if data:
                self._bytes_in += len(data)
                simulation.receive(data)
            # Four ticks are one period of the slow tasks, at whose end replies are ready.
            for _ in range(4):
                simulation.step()
            sent = b"".join(simulation.outgoing())
            self._bytes_out += len(sent)
            pty.write(sent, time.monotonic())

    def summary(self, *, interrupted: bool) -> SimSummary:
        simulation = self._simulation
        wall_s = max(time.monotonic() - self._started_s, TICK_S)
        vehicle_s = simulation.now_ns * 1e-9
        splitter = simulation.autopilot.splitter
        noise = {str(reason): count for reason, count in splitter.dropped.items() if count}
        if simulation.autopilot.undecodable:
            noise["undecodable"] = simulation.autopilot.undecodable
        return SimSummary(
            vehicle_s=vehicle_s,
            wall_s=wall_s,
            speedup=vehicle_s / wall_s,
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            bytes_dropped=self._pty.bytes_dropped,
            noise=noise,
            interrupted=interrupted,
        )
