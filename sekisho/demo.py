"""`sekisho demo`: the whole stack on this machine, with throw-away keys and real processes."""

import argparse
import concurrent.futures
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec

from sekisho.demo_attack import Outcome
from sekisho.demo_flight import Flight, Pilot
from sekisho.demo_stack import MAX_DRONES, QGROUNDCONTROL, DemoDrone, DemoError, Stack
from sekisho.runtime import EXIT_INTERRUPTED
from wire.summary import LinkSummary

FLIGHT_S: Final = 300.0
_MIN_SPEEDUP, _MAX_SPEEDUP = 0.1, 20.0


class Summary(msgspec.Struct, omit_defaults=True):
    """What the demonstration ends with, in the names of the command's documentation."""

    ok: bool
    flights: list[Flight]
    link: LinkSummary
    attack: dict[str, Outcome] | None = None


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `demo`."""
    parser = subparsers.add_parser(
        "demo",
        help="the whole stack on this machine, with throw-away keys",
        description="Start the simulated autopilot, the companion and the gateway as separate "
        "processes with throw-away keys, and print where ground software connects.",
        epilog="example: sekisho demo --headless --speedup 4",
    )
    parser.add_argument("--headless", action="store_true", help="fly a scripted flight, then end")
    parser.add_argument("--seconds", type=float, metavar="N", help="end after N seconds")
    parser.add_argument(
        "--drones", type=int, default=1, metavar="N", help=f"1 to {MAX_DRONES} (default 1)"
    )
    parser.add_argument(
        "--speedup", type=float, default=1.0, metavar="X", help="vehicle time per real time"
    )
    parser.add_argument(
        "--attack",
        action="store_true",
        help="with --headless: replay, tamper, inject and delay on the link while it flies",
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON object on stdout")
    parser.add_argument("--verbose-stack", action="store_true", help="show the services' logs")
    parser.set_defaults(run=run, check=lambda arguments: _check(parser, arguments))


def run(arguments: argparse.Namespace) -> int:
    """Start everything, fly or wait, stop everything, sum up."""
    arguments.check(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    flights: list[Flight] = []
    attacks: list[dict[str, Outcome]] = []
    interrupted = False
    with (
        tempfile.TemporaryDirectory(prefix="sekisho-demo-") as directory,
        Stack(
            Path(directory), arguments.drones, arguments.speedup, attack=arguments.attack
        ) as stack,
    ):
        try:
            stack.start(for_people=not arguments.headless, verbose=arguments.verbose_stack)
            stack.await_link()
            if arguments.headless:
                flights = _fly(stack, arguments, attacks)
            else:
                _wait(stack, arguments.seconds)
        except KeyboardInterrupt:
            interrupted = True
        except DemoError as error:
            print(f"sekisho demo: {error}", file=sys.stderr)
            return 1
        link = LinkSummary.total([stack.link(drone) for drone in stack.drones])
    summary = _sum_up(flights, link, attacks, arguments)
    if arguments.json:
        print(msgspec.json.encode(summary).decode())
    else:
        _print_summary(summary)
    if interrupted:
        return EXIT_INTERRUPTED
    return 0 if summary.ok else 1


def _check(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if not 1 <= arguments.drones <= MAX_DRONES:
        parser.error(f"--drones {arguments.drones}: allowed: 1 to {MAX_DRONES}")
    if not _MIN_SPEEDUP <= arguments.speedup <= _MAX_SPEEDUP:
        allowed = f"{_MIN_SPEEDUP} to {_MAX_SPEEDUP}"
        parser.error(f"--speedup {arguments.speedup}: allowed: {allowed}")
    if arguments.seconds is not None and not arguments.seconds > 0:
        parser.error(f"--seconds {arguments.seconds}: allowed: more than 0")
    if arguments.attack and not arguments.headless:
        parser.error("--attack: only with --headless")


def _fly(
    stack: Stack, arguments: argparse.Namespace, attacks: list[dict[str, Outcome]]
) -> list[Flight]:
    """Fly every drone at once; the outcomes of the attacks are added to `attacks`."""
    started_s = time.monotonic()
    deadline_s = started_s + (arguments.seconds or FLIGHT_S / min(arguments.speedup, 1.0))
    stream = sys.stderr if arguments.json else sys.stdout
    quiet = arguments.json and not stream.isatty()

    def fly(drone: DemoDrone) -> Flight:
        def report(text: str) -> None:
            if not quiet:
                print(f"[{time.monotonic() - started_s:6.1f} s] {drone.name}: {text}", file=stream)

        def in_hover(pilot: Pilot) -> None:
            if drone.relay is not None:
                report("under attack")
                attacks.append(drone.relay.attack(stack.forwarded(drone), pilot.turn))

        pilot = Pilot(drone.name, f"tcp:127.0.0.1:{drone.tools_port}", deadline_s, report)
        return pilot.fly(in_hover)

    with concurrent.futures.ThreadPoolExecutor(len(stack.drones)) as pool:
        return list(pool.map(fly, stack.drones))


def _wait(stack: Stack, seconds: float | None) -> None:
    console = stack.console()
    print(f"console: {console.get('operator', console.get('why'))}", file=sys.stderr)
    for drone in stack.drones:
        print(
            f"{drone.name}: plain MAVLink goes to udp:{QGROUNDCONTROL}, where QGroundControl "
            f"finds it, and is served at tcp:127.0.0.1:{drone.tools_port}\n"
            f"  e.g. mavproxy.py --master=tcp:127.0.0.1:{drone.tools_port}",
            file=sys.stderr,
        )
    print("Ctrl-C ends it.", file=sys.stderr, flush=True)
    end_s = None if seconds is None else time.monotonic() + seconds
    while end_s is None or time.monotonic() < end_s:
        stack.check_alive()
        time.sleep(0.2)


def _sum_up(
    flights: list[Flight],
    link: LinkSummary,
    attacks: list[dict[str, Outcome]],
    arguments: argparse.Namespace,
) -> Summary:
    """Judge: every drone flew and landed, frames were sealed and opened, no attack got through."""
    summary = Summary(ok=link.frames_down > 0, flights=flights, link=link)
    if arguments.headless:
        flown = len(flights) == arguments.drones and all(flight.disarmed for flight in flights)
        summary.ok = summary.ok and flown and link.frames_up > 0
    if arguments.attack:
        total: dict[str, Outcome] = {}
        for outcomes in attacks:
            for name, outcome in outcomes.items():
                so_far = total.setdefault(name, Outcome(0, 0))
                so_far.tried += outcome.tried
                so_far.succeeded += outcome.succeeded
        summary.attack = total
        got_through = any(outcome.succeeded for outcome in total.values())
        summary.ok = summary.ok and len(attacks) == arguments.drones and not got_through
    return summary


def _print_summary(summary: Summary) -> None:
    link = summary.link
    for flight in summary.flights:
        outcome = flight.error or "flew, landed and disarmed"
        print(
            f"{flight.name}: {outcome}; {flight.max_altitude_m:.1f} m high, "
            f"{flight.distance_m:.0f} m far, {flight.duration_s:.0f} s"
        )
    print(
        f"sealed aboard, down: {link.frames_down} frames in {link.datagrams_down} datagrams, "
        f"{link.bytes_down} bytes\n"
        f"opened aboard, up:   {link.frames_up} frames in {link.datagrams_up} datagrams, "
        f"{link.bytes_up} bytes\n"
        f"handshakes: {link.handshakes}, dropped: {link.dropped or 'none'}"
    )
    for name, tried in (summary.attack or {}).items():
        print(f"attack, {name}: tried {tried.tried} times, got through {tried.succeeded} times")
