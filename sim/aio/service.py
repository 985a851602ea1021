"""The running simulator: wall clock, terminals or sockets, and signals around a `Fleet`."""

import asyncio
import contextlib
import logging
import math
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

import numpy as np

from sim.aio.pty import Pty
from sim.aio.udp_end import UdpEnd
from sim.airframe import airframe
from sim.fleet import Fleet
from sim.geodesy import Place
from sim.sensors.gnss import Deception
from sim.simulation import FINE, TICK_S, Pace, World
from wire.locality import Address

_LOG = logging.getLogger(__name__)
_WAKE_S: Final = 0.005
# More behind than this is not caught up: the vehicle would lurch, and fall behind again.
_BEHIND_MAX_S: Final = 0.25
_REPORT_S: Final = 10.0
_APART_M: Final = 5.0


class Way(Enum):
    """Where bytes on the line go."""

    UP = "to the vehicle"
    DOWN = "from the vehicle"


# Vehicle time as the wall clock's [us since 1970], where to, bytes as they come.
Witness = Callable[[int, Way, bytes], None]


@dataclass(frozen=True, slots=True)
class SimConfig:
    """What to simulate.

    Attributes:
        tty: Symbolic link to make to the pty, or None; with several drones, the beginning of
            their names.
        udp: Where the first drone sends to over UDP, in the place of a terminal; ports count up.
        speedup: Vehicle seconds per wall second.
        home: Latitude and longitude [degree], altitude [m], heading [degree].
        wind: Speed [m/s] and the direction it comes from [degree].
        gusts: Standard deviation of the gusts. [m/s]
        sysid: MAVLink system id, of the first drone.
        drones: How many, five metres apart to the east.
        ekf_ready_s: Vehicle time from power-up to a position estimate.
        seed: Of every random number.
        parameters: Values over ArduCopter's factory ones, all of parameters in the table.
        airframe: What flies, by its name.
        deceptions: What is done to the GNSS receiver, and when.
        pace: How finely vehicles are simulated.
    """

    tty: Path | None = None
    udp: Address | None = None
    speedup: float = 1.0
    home: tuple[float, float, float, float] = (35.6585999, 139.7454001, 20.0, 0.0)
    wind: tuple[float, float] = (0.0, 0.0)
    gusts: float = 0.0
    sysid: int = 1
    drones: int = 1
    ekf_ready_s: float = 9.0
    seed: int = 0
    parameters: Mapping[str, float] = field(default_factory=dict)
    airframe: str = "quad"
    deceptions: tuple[Deception, ...] = ()
    pace: Pace = FINE


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


def build(config: SimConfig, epoch_us: int) -> Fleet:
    """Return the vehicles a configuration describes, at power-up at wall time `epoch_us`."""
    lat, lon, alt, heading = config.home
    first = Place(round(lat * 1e7), round(lon * 1e7), alt)
    worlds = [
        World(
            start=first.offset(0.0, _APART_M * i),
            heading=math.radians(heading),
            wind_speed=config.wind[0],
            wind_from=math.radians(config.wind[1]),
            gusts=config.gusts,
            deceptions=config.deceptions,
            epoch_us=epoch_us,
        )
        for i in range(config.drones)
    ]
    fleet = Fleet(
        worlds,
        [np.random.default_rng((config.seed, i)) for i in range(config.drones)],
        sysid=config.sysid,
        ekf_ready_s=config.ekf_ready_s,
        airframe=airframe(config.airframe),
        pace=config.pace,
    )
    for simulation in fleet.simulations:
        for name, value in config.parameters.items():
            simulation.autopilot.parameters.store(name, value)
        # Its ground stations live in real time.
        simulation.autopilot.gcs_failsafe.pace = max(1.0, config.speedup)
    return fleet


async def run(
    config: SimConfig,
    ready: Callable[[str], None],
    stop: asyncio.Event | None = None,
    witness: Witness | None = None,
) -> SimSummary:
    """Simulate until stopped.

    Args:
        config: What to simulate.
        ready: Called once per drone with the path clients open, or where it sends to.
        stop: Set to end. Without it SIGINT and SIGTERM end the simulation.
        witness: Sees what crosses the first drone's line.

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
    with contextlib.ExitStack() as stack:
        lines = []
        for number in range(config.drones):
            line = _line(config, number)
            stack.callback(line.close)
            lines.append(line)
            link = _link(config, number)
            if link is not None and isinstance(line, Pty):
                line.link(link)
        epoch_us = time.time_ns() // 1000
        service = _Service(build(config, epoch_us), lines, config.speedup, epoch_us, witness)
        for number, line in enumerate(lines):
            ready(str(_link(config, number) or line.path))
        await service.run(stop)
        return service.summary(interrupted=interrupted)


def _line(config: SimConfig, number: int) -> Pty | UdpEnd:
    if config.udp is None:
        return Pty()
    host, port = config.udp
    return UdpEnd((host, port + number))


def _link(config: SimConfig, number: int) -> Path | None:
    """Return the link to the pty of a drone: numbered if there are several."""
    if config.tty is None or config.drones == 1:
        return config.tty
    return config.tty.with_name(f"{config.tty.name}{number + 1}")


class _Service:
    """The loop. It decides nothing: it moves bytes and time."""

    def __init__(
        self,
        fleet: Fleet,
        lines: Sequence[Pty | UdpEnd],
        speedup: float,
        epoch_us: int,
        witness: Witness | None,
    ) -> None:
        self._epoch_us = epoch_us
        self._witness = witness
        self._fleet = fleet
        self._lines = lines
        self._speedup = speedup
        self._started_s = time.monotonic()
        self._bytes_in = 0
        self._bytes_out = 0

    async def run(self, stop: asyncio.Event) -> None:
        fleet = self._fleet
        anchor_s, anchor_ns = self._started_s, fleet.now_ns
        behind_s = 0.0
        report_s = anchor_s + _REPORT_S
        wake_s = anchor_s
        while not stop.is_set():
            wake_s = max(wake_s + _WAKE_S, time.monotonic() - _WAKE_S)
            await asyncio.sleep(max(0.0, wake_s - time.monotonic()))
            now_s = time.monotonic()
            due_ns = anchor_ns + round((now_s - anchor_s) * self._speedup * 1e9)
            late_s = (due_ns - fleet.now_ns) * 1e-9 / self._speedup
            if late_s > _BEHIND_MAX_S:
                behind_s += late_s
                anchor_s, anchor_ns = now_s, fleet.now_ns
                due_ns = anchor_ns + fleet.pace.tick_ns
            self._advance(due_ns)
            if now_s >= report_s:
                report_s = now_s + _REPORT_S
                if behind_s > 0.0:
                    _LOG.warning("cannot keep up: %.2f s lost in 10 s", behind_s)
                    behind_s = 0.0

    def _advance(self, due_ns: int) -> None:
        fleet = self._fleet
        pairs = list(zip(fleet.simulations, self._lines, strict=True))
        while fleet.now_ns + fleet.pace.tick_ns <= due_ns:
            for simulation, line in pairs:
                data = line.read()
                if data:
                    self._bytes_in += len(data)
                    simulation.receive(data)
                    if line is self._lines[0]:
                        self._show(Way.UP, data)
            # At the end of a period of the autopilot replies are ready.
            for _ in range(fleet.pace.period):
                fleet.step()
            for simulation, line in pairs:
                sent = b"".join(simulation.outgoing())
                self._bytes_out += len(sent)
                line.write(sent, time.monotonic())
                if line is self._lines[0]:
                    self._show(Way.DOWN, sent)

    def _show(self, way: Way, data: bytes) -> None:
        if self._witness is not None and data:
            self._witness(self._epoch_us + self._fleet.now_ns // 1000, way, data)

    def summary(self, *, interrupted: bool) -> SimSummary:
        wall_s = max(time.monotonic() - self._started_s, TICK_S)
        vehicle_s = self._fleet.now_ns * 1e-9
        noise: Counter[str] = Counter()
        for simulation in self._fleet.simulations:
            autopilot = simulation.autopilot
            noise.update({str(reason): n for reason, n in autopilot.splitter.dropped.items()})
            noise["undecodable"] += autopilot.undecodable
        return SimSummary(
            vehicle_s=vehicle_s,
            wall_s=wall_s,
            speedup=vehicle_s / wall_s,
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            bytes_dropped=sum(line.bytes_dropped for line in self._lines),
            noise={reason: count for reason, count in noise.items() if count},
            interrupted=interrupted,
        )
