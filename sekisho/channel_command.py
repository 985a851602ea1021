"""`sekisho channel`: a proxy that does to datagrams what the air and an attacker may do."""

import argparse
import asyncio
import ipaddress
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from sekisho.config_file import ConfigError, load
from sekisho.runtime import EXIT_INTERRUPTED
from sim.aio.channel_proxy import keep, load_earlier, run, run_tty
from sim.aio.pty import LinkInUseError
from sim.channel.air import Air
from sim.channel.script import Script

_EXAMPLE: Final = """example:
  sekisho channel --listen 127.0.0.1:14000 --to 127.0.0.1:14001 --script storm.toml
  sekisho channel --listen-tty /tmp/radio-ground --to-tty /tmp/radio-drone --script radio.toml

radio.toml, a line of 57,600 baud with noise that is cut after a minute:
  [[phase]]
  at = 0
  conditions = { bytes_per_s = 5760, buffer_bytes = 4096, flip = 0.001, delay_ms = 20 }
  [[phase]]
  at = 60
  conditions = { blackout = true }

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
        help="a hostile link between two UDP ports or two terminals",
        description="Carry datagrams between two UDP ports, or the bytes of a serial radio between "
        "two pseudo-terminals, and do to them what a script says: lose, delay, reorder, repeat, "
        "cut, flip, reflect, replay, inject, hold.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--listen",
        type=_address,
        metavar="HOST:PORT",
        help="where the side that begins sends to; port 0 takes a free one",
    )
    parser.add_argument("--to", type=_address, metavar="HOST:PORT", help="where the other listens")
    parser.add_argument(
        "--listen-tty",
        type=Path,
        metavar="LINK",
        help="symbolic link to make to the terminal of the side that begins",
    )
    parser.add_argument(
        "--to-tty", type=Path, metavar="LINK", help="and to the terminal of the other"
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
    udp, tty = (args.listen, args.to), (args.listen_tty, args.to_tty)
    if (None in udp) == (None in tty) or any(udp) == any(tty):
        raise ConfigError("needed: --listen and --to, or --listen-tty and --to-tty")
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
        if args.listen is None:
            summary = asyncio.run(run_tty(air, *tty, ready))
        else:
            summary = asyncio.run(run(air, *udp, ready))
        if args.keep is not None:
            keep(air, args.keep)
    except LinkInUseError as error:
        print(f"sekisho channel: {error}; name a free path", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"sekisho channel: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(asdict(summary)), flush=True)
    return EXIT_INTERRUPTED if summary.interrupted else 0


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    try:
        ipaddress.ip_address(host)  # names are not looked up
        number = int(port)
    except ValueError:
        number = -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not HOST:PORT with an IP address and a port from 0 to 65535"
        )
    return host, number
