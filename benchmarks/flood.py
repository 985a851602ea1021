"""`flood`: commands of an authentic station while its drone is flooded at ten times the line.

A full 921,600-baud line carries about 2,500 frames/s, so 25,000 datagrams/s. The companion has a
core to itself; attacker, gateway, pilot and autopilot share the other. Quiet phases are measured
between the floods, in the same run, and everything is compared with those.
"""

import os
import select
import socket
import time
import tty
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.datagrams import bound
from benchmarks.flood_attack import KINDS, MIXED, Flood, listen
from benchmarks.lab import FIRST_KEYS_S, Lab, lab, wait_until_forwarding
from benchmarks.report import Options, Spread, figure, table
from benchmarks.workload import command_frame, ground_heartbeat_frame, heartbeat_frame

RATE: Final = 25_000
_QUIET: Final = "quiet"
_COMMAND_EVERY_S: Final = 0.01
_HEARTBEAT_EVERY_S: Final = 0.2
_SETTLE_S: Final = 0.5
_MAVLINK_2: Final = 0xFD


class Phase(msgspec.Struct):
    """One flood, or quiet: what became of the commands, and what it cost the companion."""

    flood: str
    datagrams_per_s: float
    commands: int
    lost: int
    latency: Spread
    heartbeat_gap: Spread  # between the station's heartbeats, where the autopilot is
    drone_share: float
    rss_mib: float
    kernel_dropped: int


class FloodResult(msgspec.Struct):
    """All phases; `worst_ratio` is the worst p99 of a flood over that of all quiet phases."""

    rate: int
    seconds: float
    phases: list[Phase]
    quiet_p99_us: float
    worst_ratio: float
    rss_growth_mib: float
    commands_lost: int


def run(options: Options) -> FloodResult:
    """Flood with each kind in turn, quiet before each and at the end."""
    seconds = 2.0 if options.quick else 15.0
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    cores = sorted(os.sched_getaffinity(0))
    others = set(cores[1:]) or set(cores)
    phases: list[tuple[Phase, list[float]]] = []
    with bound() as tools, lab(os.ttyname(slave), tools.getsockname()[1]) as ends:
        wait_until_forwarding(lambda data: os.write(master, data), tools, ends.drone, ends.ground)
        time.sleep(FIRST_KEYS_S)
        ends.drone.confine({cores[0]})
        ends.ground.confine(others)
        os.sched_setaffinity(0, others)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(ends.mavlink_udp)
            pilot = _Pilot(client, master, tools)
            pilot.fly(1.0)
            for kind in (*KINDS, MIXED):
                phases.append(_phase(_QUIET, pilot, ends, seconds, others))
                phases.append(_phase(kind, pilot, ends, seconds, others))
            phases.append(_phase(_QUIET, pilot, ends, seconds, others))
        os.sched_setaffinity(0, cores)
    os.close(slave)
    os.close(master)
    result = _result(phases, seconds)
    _print(result)
    return result


class _Pilot:
    """Commands up through the gateway; the autopilot's end of the line; when each arrived there."""

    def __init__(self, client: socket.socket, line: int, tools: socket.socket) -> None:
        self._client = client
        self._line = line
        self._tools = tools
        self._number = 0
        self._buffer = b""

    def fly(self, seconds: float) -> tuple[list[float], int, list[float]]:
        """Return latencies in us, how many commands were lost, and the heartbeats' gaps in ms."""
        begun = now = time.perf_counter()
        command_at, beat_at = begun, begun
        sent: dict[bytes, float] = {}
        latencies: list[float] = []
        beats: list[float] = []
        count = 0
        while (now := time.perf_counter()) - begun < seconds + _SETTLE_S:
            is_sending = now - begun < seconds
            if is_sending and now >= beat_at:
                beat_at += _HEARTBEAT_EVERY_S
                self._client.send(ground_heartbeat_frame(self._number))
                os.write(self._line, heartbeat_frame(self._number))
            if is_sending and now >= command_at:
                command_at += _COMMAND_EVERY_S
                self._number += 1
                frame = command_frame(self._number)
                sent[frame] = time.perf_counter()
                count += 1
                self._client.send(frame)
            left = max(0.0, min(command_at, beat_at) - time.perf_counter())
            ready = select.select([self._line, self._tools.fileno()], [], [], left or 0.001)[0]
            if self._tools.fileno() in ready:
                self._tools.recv(4096)
            if self._line in ready:
                arrived = time.perf_counter()
                for frame in self._frames():
                    if frame in sent:
                        latencies.append((arrived - sent.pop(frame)) * 1e6)
                    elif frame[5] == 255 and frame[7:10] == bytes(3):
                        beats.append(arrived)
        gaps = [(b - a) * 1e3 for a, b in pairwise(beats)]
        return latencies, count - len(latencies), gaps

    def _frames(self) -> list[bytes]:
        self._buffer += os.read(self._line, 65536)
        frames = []
        while len(self._buffer) > 1 and self._buffer[0] == _MAVLINK_2:
            size = self._buffer[1] + 12
            if len(self._buffer) < size:
                break
            frames.append(self._buffer[:size])
            self._buffer = self._buffer[size:]
        return frames


def _phase(
    kind: str, pilot: _Pilot, ends: Lab, seconds: float, cores: set[int]
) -> tuple[Phase, list[float]]:
    flood = None
    if kind != _QUIET:
        flood = Flood(kind, listen(ends.link, _SETTLE_S), ends.link, RATE, cores)
        pilot.fly(0.2)
    used, dropped, begun = ends.drone.cpu_s(), _dropped(ends.link[1]), time.perf_counter()
    latencies, lost, gaps = pilot.fly(seconds)
    share = (ends.drone.cpu_s() - used) / (time.perf_counter() - begun)
    rate = 0.0 if flood is None else flood.stop()
    phase = Phase(
        flood=kind,
        datagrams_per_s=round(rate),
        commands=len(latencies) + lost,
        lost=lost,
        latency=Spread.of(latencies, "us"),
        heartbeat_gap=Spread.of(gaps, "ms"),
        drone_share=round(share, 4),
        rss_mib=round(ends.drone.rss_mib(), 2),
        kernel_dropped=_dropped(ends.link[1]) - dropped,
    )
    return phase, latencies


def _dropped(port: int) -> int:
    """Return what the kernel has dropped for want of room, of all sockets at the port."""
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return sum(int(row[-1]) for row in rows if row[1].endswith(f":{port:04X}"))


def _result(phases: list[tuple[Phase, list[float]]], seconds: float) -> FloodResult:
    quiet = [us for phase, values in phases if phase.flood == _QUIET for us in values]
    quiet_p99 = Spread.of(quiet, "us").p99
    floods = [phase for phase, _ in phases if phase.flood != _QUIET]
    memory = [phase.rss_mib for phase, _ in phases]
    return FloodResult(
        rate=RATE,
        seconds=seconds,
        phases=[phase for phase, _ in phases],
        quiet_p99_us=quiet_p99,
        worst_ratio=round(max(phase.latency.p99 for phase in floods) / quiet_p99, 2),
        rss_growth_mib=round(memory[-1] - memory[0], 2),
        commands_lost=sum(phase.lost for phase, _ in phases),
    )


def _print(result: FloodResult) -> None:
    head = ("", "per s", "commands", "lost", "p50 us", "p99 us", "max us", "gap ms", "core", "MiB")
    rows = [
        (
            phase.flood,
            f"{phase.datagrams_per_s:,.0f}",
            str(phase.commands),
            str(phase.lost),
            figure(phase.latency.p50),
            figure(phase.latency.p99),
            figure(phase.latency.max),
            figure(phase.heartbeat_gap.max),
            f"{phase.drone_share:.1%}",
            figure(phase.rss_mib),
        )
        for phase in result.phases
    ]
    table(f"flood: {result.rate:,} datagrams/s at the drone's port", head, rows)
    print(
        f"  worst p99 / quiet p99 = {result.worst_ratio}; commands lost: {result.commands_lost}; "
        f"memory grew by {result.rss_growth_mib} MiB; "
        f"dropped by the kernel: {sum(phase.kernel_dropped for phase in result.phases)}"
    )
