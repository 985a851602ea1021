"""Run the targets: `python -m tests.fuzz --inputs 1000000 --target drone_end --seed 7`."""

import argparse
import random
import resource
import time
from itertools import islice
from pathlib import Path

from tests.fuzz import (
    autopilot_line,
    companion,
    drone_end,
    ground_end,
    mavlink_stream,
    radio_framing,
    sealed_values,
    station,
    trajectory,
    transfers,
)
from tests.fuzz.mutation import inputs

TARGETS = {
    "drone_end": drone_end.Target,
    "ground_end": ground_end.Target,
    "radio_framing": radio_framing.Target,
    "mavlink_stream": mavlink_stream.Target,
    "sealed_values": sealed_values.Target,
    "trajectory": trajectory.Target,
    "transfers": transfers.Target,
    "companion": companion.Target,
    "observer": companion.Observer,
    "station": station.Target,
    "autopilot_line": autopilot_line.Target,
}
ROUND = 50_000


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def run(name: str, count: int, seed: int, *, is_quiet: bool = False) -> int:
    """Give `count` inputs to a target; return by how many bytes memory grew after the first tenth.

    A failure names the input and how to meet it again.
    """
    rng = random.Random(f"{name} {seed}")
    target = TARGETS[name](rng)
    stream = inputs(target.seeds, rng)
    begun, done, rss = time.perf_counter(), 0, 0
    while done < count:
        size = min(ROUND, count - done, max(1, count // 10 - done) if not rss else ROUND)
        for number, data in enumerate(islice(stream, size), done):
            try:
                target.take(data)
            except Exception as error:
                error.add_note(f"target {name}, seed {seed}, input {number}: {data.hex()}")
                raise
        done += size
        rss = rss or rss_bytes()
        if not is_quiet:
            rate = done / (time.perf_counter() - begun)
            grown = (rss_bytes() - rss) / 1e6
            print(f"{name}: {done:,} inputs, {rate:,.0f}/s, {grown:+.1f} MB", flush=True)
    target.finish()
    return rss_bytes() - rss


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="for each target")
    parser.add_argument("--target", choices=TARGETS, action="append", help="all, if not given")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for name in arguments.target or TARGETS:
        run(name, arguments.inputs, arguments.seed)


if __name__ == "__main__":
    main()
