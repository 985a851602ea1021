"""Measure a program that carries MAVLink between an autopilot's socket and the tools' socket.

The frames go in one to a datagram. What is measured is the same for the product (two processes,
encrypted in between) and for a peer (one process, in clear).
"""

import contextlib
import os
import signal
import socket
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from benchmarks.datagrams import Address, Sender, Sink, drain
from benchmarks.delivery import Expected
from benchmarks.program import Program, cpu_of_s, machine_busy_s

_LEAST_SLEEP_S: Final = 0.0005
_LOST_AFTER_S: Final = 0.5
_WAKE_S: Final = 0.05


@dataclass(slots=True)
class Forwarder:
    """A running program and our ends of it."""

    name: str
    programs: Mapping[str, Program]
    line: socket.socket  # the autopilot's, connected to the program
    tools: socket.socket
    tools_to: Address  # where tools speak to it
    client: socket.socket  # what speaks there
    can_pause: bool  # keeps no session that would lapse

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU time of each part so far."""
        return {part: program.cpu_s() for part, program in self.programs.items()}


@contextlib.contextmanager
def turn_of(forwarder: Forwarder | None, others: Iterable[Forwarder]) -> Iterator[None]:
    """Hold the other programs still: one that polls while idle would take cores from this one."""
    paused = [
        program
        for other in others
        if other is not forwarder and other.can_pause
        for program in other.programs.values()
    ]
    for program in paused:
        program.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for program in paused:
            program.signal(signal.SIGCONT)
        if paused:
            time.sleep(_WAKE_S)


class Run(msgspec.Struct, frozen=True):
    """One load at one rate."""

    achieved: float
    sent: int
    received: int
    foreign: int
    loss: float
    in_order: bool
    frames_per_datagram: float
    cpu_s_per_million: float
    cpu_parts: dict[str, float]
    cpu_share: float
    others_cores: float  # what the rest of the machine was doing meanwhile


class RateRow(msgspec.Struct, frozen=True):
    """All runs at one rate and their medians."""

    load: str
    offered: int
    loss: float
    worst_loss: float
    cpu_s_per_million: float
    frames_per_datagram: float
    in_order: bool
    foreign: int
    runs: tuple[Run, ...]

    @classmethod
    def of(cls, load: str, offered: int, runs: Sequence[Run]) -> "RateRow":
        """Summarise the runs."""
        return cls(
            load=load,
            offered=offered,
            loss=statistics.median(run.loss for run in runs),
            worst_loss=max(run.loss for run in runs),
            cpu_s_per_million=round(statistics.median(run.cpu_s_per_million for run in runs), 3),
            frames_per_datagram=statistics.median(run.frames_per_datagram for run in runs),
            in_order=all(run.in_order for run in runs),
            foreign=sum(run.foreign for run in runs),
            runs=tuple(runs),
        )


def run_rate(forwarder: Forwarder, frames: Sequence[bytes], rate: int, seconds: float) -> Run:
    """Send `rate` frames per second for a while; wait until no more come out."""
    sender, expected = Sender(forwarder.line, frames), Expected(frames)
    drain(forwarder.tools)
    drain(forwarder.client)
    sink = Sink(forwarder.tools)
    own = [os.getpid(), sink.pid]
    sink.collect()
    busy, own_before, cpu_before = machine_busy_s(), cpu_of_s(own), forwarder.cpu_s()
    begin = time.perf_counter()
    _send_evenly(sender, rate, int(rate * seconds))
    end = time.perf_counter()
    received = sink.collect()
    cpu_after = forwarder.cpu_s()
    used = {part: cpu_after[part] - cpu_before[part] for part in cpu_after}
    ours = sum(used.values()) + cpu_of_s(own) - own_before
    others = (machine_busy_s() - busy - ours) / (time.perf_counter() - begin)
    sink.close()
    drain(forwarder.line)
    sent = int(rate * seconds)
    verdict = expected.judge(received.data, sent)
    millions = max(verdict.frames, 1) / 1e6
    return Run(
        achieved=round(sent / (end - begin)),
        sent=sent,
        received=verdict.frames,
        foreign=verdict.foreign,
        loss=round(1 - verdict.frames / sent, 5),
        in_order=verdict.in_order,
        frames_per_datagram=round(verdict.frames / max(received.datagrams, 1), 2),
        cpu_s_per_million=round(sum(used.values()) / millions, 3),
        cpu_parts={part: round(s / millions, 3) for part, s in used.items()},
        cpu_share=round(sum(used.values()) / (end - begin), 4),
        others_cores=round(max(0.0, others), 2),
    )


def _send_evenly(sender: Sender, rate: int, total: int) -> None:
    begin, sent = time.perf_counter(), 0
    while sent < total:
        due = min(total, int((time.perf_counter() - begin) * rate) + 1)
        if due > sent:
            sender.send(due - sent)
            sent = due
        else:
            time.sleep(max(_LEAST_SLEEP_S, 1 / rate))


def idle_share(forwarder: Forwarder, seconds: float) -> float:
    """Return the share of one core it uses while nothing is sent."""
    before = sum(forwarder.cpu_s().values())
    time.sleep(seconds)
    return round((sum(forwarder.cpu_s().values()) - before) / seconds, 4)


def latencies_us(
    source: socket.socket,
    target: socket.socket,
    frames: Iterator[bytes],
    count: int,
    gap_s: float,
) -> tuple[list[float], int]:
    """Send one frame at a time and wait for it; return the latencies and how many were lost."""
    drain(target)
    target.settimeout(_LOST_AFTER_S)
    found: list[float] = []
    lost = 0
    for _ in range(count):
        frame = next(frames)
        begin = time.perf_counter_ns()
        source.send(frame)
        try:
            while frame not in target.recv(2048):
                pass
        except TimeoutError:
            lost += 1
        else:
            found.append((time.perf_counter_ns() - begin) / 1e3)
        if gap_s:
            time.sleep(gap_s)
    return found, lost
