"""`link_core`: what link and sealed logs cost per operation, without sockets or processes."""

import msgspec

from benchmarks.cases_link import rejecting, sealing
from benchmarks.cases_logs import logging
from benchmarks.cases_stack import cores, framing, judging
from benchmarks.clock import measure
from benchmarks.report import Options, Spread, figure, table


class CoreResult(msgspec.Struct):
    """Microseconds of CPU per operation, and how many times pymavlink takes for the same."""

    cost: dict[str, Spread]
    ratios: dict[str, float]


def run(options: Options) -> CoreResult:
    """Measure every operation."""
    repeats = 7 if options.quick else 25
    cost = {
        case.name: measure(case.prepare, repeats=repeats)
        for group in (sealing, rejecting, logging, framing, judging, cores)
        for case in group()
    }
    ratios = {
        f"pymavlink parse_buffer / split, {what}": round(
            cost[f"pymavlink parse_buffer, {what}"].p50 / cost[f"split, {what}"].p50, 1
        )
        for what in ("frame by frame", "1 KiB chunks")
    }
    rows = [
        (name, figure(s.p50), figure(s.min), figure(s.p90), figure(s.max))
        for name, s in cost.items()
    ]
    table("link_core: CPU us per operation", ("", "median", "min", "p90", "max"), rows)
    table("ratios", ("", "times"), [(name, figure(r)) for name, r in ratios.items()])
    return CoreResult(cost, ratios)
