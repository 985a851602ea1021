"""`sekisho channel`: a UDP proxy that does to datagrams what the air and an attacker may do."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from sekisho.config_file import ConfigError, load
from sekisho.runtime import EXIT_INTERRUPTED
from sim.aio.channel_proxy import keep, load_earlier, run
from sim.channel.air import Air
from sim.channel.script import Script

_EXAMPLE: Final = """example:
  sekisho channel --listen 127.0.0.1:14000 --to 127.0.0.1:14001 --script storm.toml

storm.toml:
  seed = 7
  [[phase]]
  at = 10
  conditions = { loss = 0.1, delay_ms = 80, jitter_ms = 40, burst = { begin = 0.02, end = 0.2 } }
  [[phase]]
  at = 60
  ways = ["forth"]
  conditions = { blackout = true }
  [[phase]]
  at = 70
  conditions = { replay_per_s = 200, inject_per_s = 50, flip = 0.05, reflect = 0.1 }
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `channel` sub-parser."""
    parser = subparsers.add_parser(
        "channel",
        help="a hostile link between two UDP ports",
        description="Carry datagrams between two UDP ports and do to them what a script says: "
        "lose, delay, reorder, repeat, cut, flip, reflect, replay, inject, hold.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--listen",
        type=_address,
        required=True,
        metavar="HOST:PORT",
        help="where the side that begins sends to; port 0 takes a free one",
    )
    parser.add_argument(
        "--to", type=_address, required=True, metavar="HOST:PORT", help="where the other listens"
    )
    parser.add_argument("--script", type=Path, required=True, metavar="FILE", help="TOML, as below")
    parser.add_argument(
        "--earlier", type=Path, metavar="FILE", help="what a run before kept, to be replayed"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="keep what passed, for a later run"
    )
    parser.add_argument("--json", action="store_true", help="print a summary as JSON at the end")
    parser.set_defaults(run=run_command)


def run_command(args: argparse.Namespace) -> int:
    """Run until interrupted; return the exit status."""
    script = load(args.script, Script, Script.check)
    earlier = None
    if args.earlier is not None:
        try:
            earlier = load_earlier(args.earlier)
        except (OSError, ValueError) as error:
            raise ConfigError(f"--earlier {args.earlier}: {error}") from None
    air = Air(script, earlier)

    def ready(address: str) -> None:
        print(address, file=sys.stderr if args.json else sys.stdout, flush=True)

    try:
        summary = asyncio.run(run(air, args.listen, args.to, ready))
        if args.keep is not None:
            keep(air, args.keep)
    except OSError as error:
        print(f"sekisho channel: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(asdict(summary)), flush=True)
    return EXIT_INTERRUPTED if summary.interrupted else 0


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535 or not host:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT with a port from 0 to 65535")
    return host.strip("[]"), int(port)
