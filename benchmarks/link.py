"""`link`: both ends as real processes, UDP to UDP, beside peers that forward in clear."""

import contextlib
import socket
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from benchmarks.datagrams import bound, free_port
from benchmarks.forwarder import Forwarder, RateRow, Run, idle_share, run_rate, turn_of
from benchmarks.lab import FIRST_KEYS_S, lab, wait_until_forwarding
from benchmarks.latency import DIRECT, LatencyResult, measure_latencies
from benchmarks.peers import PEERS, installed, peer
from benchmarks.report import Options, figure, table
from benchmarks.workload import answer_frames, mix_frames

OURS: Final = "sekisho"
_GIVE_UP_LOSS: Final = 0.3
_LOSSLESS: Final = 0.001


class Plan(NamedTuple):
    """How much is done."""

    loads: dict[str, tuple[int, ...]]  # rates, frames/s
    seconds: float
    repeats: int
    latencies: int
    idle_s: float


FULL: Final = Plan(
    {"mix": (1000, 5000, 20000, 60000), "answers": (1000, 5000, 20000)}, 2.0, 3, 1000, 2.0
)
QUICK: Final = Plan({"mix": (1000, 20000), "answers": (5000,)}, 0.7, 1, 120, 0.5)


class ProgramResult(msgspec.Struct):
    """Everything measured of one program."""

    idle_share: float
    rss_mib: float = 0.0
    lossless_rate: int = 0
    rates: list[RateRow] = msgspec.field(default_factory=list)
    latency: dict[str, LatencyResult] = msgspec.field(default_factory=dict)


class LinkResult(msgspec.Struct):
    """All programs on the same work; each ratio is the peer's figure over ours."""

    programs: dict[str, ProgramResult]
    direct: dict[str, LatencyResult]  # socket to socket, nothing in between
    absent: list[str]
    ratios: dict[str, dict[str, float]]


@contextlib.contextmanager
def ours() -> Iterator[Forwarder]:
    """Start the product between two sockets of ours."""
    port = free_port()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        bound() as tools,
        lab(f"udp:127.0.0.1:{port}", tools.getsockname()[1]) as running,
    ):
        line.connect(("127.0.0.1", port))
        programs = {"drone": running.drone, "ground": running.ground}
        wait_until_forwarding(line.send, tools, *programs.values())
        time.sleep(FIRST_KEYS_S)
        yield Forwarder(OURS, programs, line, tools, running.mavlink_udp, client, can_pause=False)


def run(options: Options) -> LinkResult:
    """Measure the product, and the installed peers in turns with it."""
    plan = QUICK if options.quick else FULL
    names = installed() if options.peers else []
    absent = [name for name in PEERS if name not in names] if options.peers else []
    with contextlib.ExitStack() as stack:
        forwarders = [stack.enter_context(ours())]
        forwarders += [stack.enter_context(peer(name)) for name in names]
        programs = {f.name: ProgramResult(idle_share(f, plan.idle_s)) for f in forwarders}
        _load(forwarders, programs, plan)
        latencies = measure_latencies(forwarders, plan.latencies)
    for name, program in programs.items():
        program.latency = latencies[name]
    result = LinkResult(programs, latencies[DIRECT], absent, {})
    for name in names:
        result.ratios[name] = _ratios(programs[OURS], programs[name])
    _print(result)
    return result


def _load(forwarders: list[Forwarder], programs: dict[str, ProgramResult], plan: Plan) -> None:
    """Run every rate on every program in turns."""
    frames = {"mix": mix_frames(), "answers": answer_frames()}
    for load, rates in plan.loads.items():
        left = list(forwarders)
        for rate in rates:
            runs: dict[str, list[Run]] = defaultdict(list)
            for _ in range(plan.repeats):
                for forwarder in left:
                    with turn_of(forwarder, forwarders):
                        run = run_rate(forwarder, frames[load], rate, plan.seconds)
                    runs[forwarder.name].append(run)
            for forwarder in list(left):
                row = RateRow.of(load, rate, runs[forwarder.name])
                result = programs[forwarder.name]
                result.rates.append(row)
                if row.loss > _GIVE_UP_LOSS:
                    left.remove(forwarder)
                if load == "mix" and row.worst_loss <= _LOSSLESS:
                    result.lossless_rate = rate
    for forwarder in forwarders:
        rss = sum(program.rss_mib() for program in forwarder.programs.values())
        programs[forwarder.name].rss_mib = round(rss, 1)


def _ratios(own: ProgramResult, other: ProgramResult) -> dict[str, float]:
    """Return the peer's figures over ours; a rate at which the peer loses frames says so."""
    ratios = {}
    theirs = {(row.load, row.offered): row for row in other.rates}
    for row in own.rates:
        their = theirs.get((row.load, row.offered))
        if their is not None:
            note = f" (it loses {their.loss:.0%})" if their.loss > _LOSSLESS else ""
            name = f"CPU per frame, {row.load} {row.offered}/s{note}"
            ratios[name] = round(their.cpu_s_per_million / row.cpu_s_per_million, 2)
    for kind, latency in own.latency.items():
        if kind in other.latency:
            spread = other.latency[kind].us
            ratios[f"latency p50, {kind}"] = round(spread.p50 / latency.us.p50, 2)
            ratios[f"latency p99, {kind}"] = round(spread.p99 / latency.us.p99, 2)
    ratios["memory"] = round(other.rss_mib / own.rss_mib, 2)
    return ratios


def _print(result: LinkResult) -> None:
    head = (
        "",
        "frames/s",
        "loss",
        "worst",
        "order",
        "foreign",
        "CPU s/M",
        "frames/datagram",
        "parts",
    )
    for name, program in result.programs.items():
        rows = [_rate_row(row) for row in program.rates]
        summary = f"idle {program.idle_share:.2%} of a core, {program.rss_mib:.0f} MiB"
        table(f"link: {name}; {summary}; no loss up to {program.lossless_rate}/s", head, rows)
    lines: list[tuple[str, ...]] = []
    ways = {DIRECT: result.direct, **{n: p.latency for n, p in result.programs.items()}}
    for way, latency in ways.items():
        for kind, one in latency.items():
            cells = (figure(one.us.p50), figure(one.us.p90), figure(one.us.p99), str(one.lost))
            lines.append((kind, way, *cells))
    table(
        "link: one frame in flight, us", ("", "through", "p50", "p90", "p99", "lost"), sorted(lines)
    )
    for name, ratios in result.ratios.items():
        table(f"{name} / ours", ("", "times"), [(k, figure(v)) for k, v in ratios.items()])
    for name in result.absent:
        print(f"\n{name}: absent")


def _rate_row(row: RateRow) -> Sequence[str]:
    parts: dict[str, list[float]] = defaultdict(list)
    for run_ in row.runs:
        for part, value in run_.cpu_parts.items():
            parts[part].append(value)
    shares = ", ".join(f"{part} {figure(statistics.median(v))}" for part, v in parts.items())
    return (
        row.load,
        f"{row.offered:,}",
        f"{row.loss:.2%}",
        f"{row.worst_loss:.2%}",
        "kept" if row.in_order else "BROKEN",
        str(row.foreign),
        figure(row.cpu_s_per_million),
        figure(row.frames_per_datagram),
        shares,
    )
