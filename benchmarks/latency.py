"""One frame in flight: how long it takes through a program, and between bare sockets.

Where the scheduler puts the processes decides much of it: a core that fell asleep takes longer to
wake than the frame takes to handle. So the same is also measured with everybody on one core.
"""

import contextlib
import itertools
import os
import socket
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from benchmarks.datagrams import bound
from benchmarks.forwarder import Forwarder, latencies_us, turn_of
from benchmarks.report import Spread
from benchmarks.workload import answer_frames, command_frame, mix_frames

DIRECT: Final = "direct"
_BLOCKS: Final = 4  # latencies are taken in turns, so that a busy moment hits everybody
_GAP_S: Final = 0.005


class LatencyResult(msgspec.Struct):
    """One kind of frame through one program, and how many never arrived."""

    us: Spread
    lost: int


class _Kind(NamedTuple):
    name: str
    frames: Iterator[bytes]
    times: int
    gap_s: float
    is_up: bool
    one_core: bool = False


def measure_latencies(
    forwarders: Sequence[Forwarder], times: int
) -> dict[str, dict[str, LatencyResult]]:
    """Return by program, and by kind of frame, what one frame in flight takes."""
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    lost: dict[tuple[str, str], int] = defaultdict(int)
    with bound() as end, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as start:
        start.connect(end.getsockname())
        for forwarder in forwarders:
            forwarder.client.connect(forwarder.tools_to)
        for kind in _kinds(times):
            with _on_one_core(forwarders) if kind.one_core else contextlib.nullcontext():
                for _ in range(_BLOCKS):
                    for way in (None, *forwarders):
                        name = DIRECT if way is None else way.name
                        ends = (start, end) if way is None else _ends(way, is_up=kind.is_up)
                        with turn_of(way, forwarders):
                            found, missing = latencies_us(
                                *ends, kind.frames, kind.times // _BLOCKS, kind.gap_s
                            )
                        taken[name, kind.name] += found
                        lost[name, kind.name] += missing
    results: dict[str, dict[str, LatencyResult]] = defaultdict(dict)
    for (name, kind_name), values in taken.items():
        if values:
            spread = Spread.of(values, "us")
            results[name][kind_name] = LatencyResult(spread, lost[name, kind_name])
    return results


def _ends(way: Forwarder, *, is_up: bool) -> tuple[socket.socket, socket.socket]:
    return (way.client, way.line) if is_up else (way.line, way.tools)


def _kinds(n: int) -> list[_Kind]:
    """What is sent; commands last, since a gateway serves every client that has spoken."""
    answers, mix = itertools.cycle(answer_frames()), itertools.cycle(mix_frames(20))
    commands = itertools.cycle([command_frame(i) for i in range(256)])
    return [
        _Kind("answer down, back to back", answers, n, 0, is_up=False),
        _Kind("answer down, back to back, one core", answers, n, 0, is_up=False, one_core=True),
        _Kind("answer down, every 5 ms", answers, n // 2, _GAP_S, is_up=False),
        _Kind("periodic down, every 5 ms", mix, n // 4, _GAP_S, is_up=False),
        _Kind("command up, back to back", commands, n, 0, is_up=True),
        _Kind("command up, back to back, one core", commands, n, 0, is_up=True, one_core=True),
        _Kind("command up, every 5 ms", commands, n // 2, _GAP_S, is_up=True),
    ]


@contextlib.contextmanager
def _on_one_core(forwarders: Sequence[Forwarder]) -> Iterator[None]:
    """Confine ourselves and all programs to the last core, for a while."""
    allowed = os.sched_getaffinity(0)
    programs = [program for forwarder in forwarders for program in forwarder.programs.values()]

    def confine(cores: set[int]) -> None:
        os.sched_setaffinity(0, cores)
        for program in programs:
            program.confine(cores)

    confine({max(allowed)})
    try:
        yield
    finally:
        confine(allowed)
