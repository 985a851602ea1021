"""`sekisho demo`: the whole stack on this machine, with throw-away keys and real processes."""

import argparse
import concurrent.futures
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from crypto.aio.store import load_or_create_identity, save_pair
from crypto.pair import PairNames, Role, pair_in_lab
from sekisho.demo_flight import Flight, Pilot
from sekisho.runtime import EXIT_INTERRUPTED, query, socket_path
from wire.summary import LinkSummary

FLIGHT_S: Final = 300.0
QGROUNDCONTROL: Final = "127.0.0.1:14550"  # where it listens by default
_START_S: Final = 30.0
_STOP_S: Final = 5.0
_SPEEDUPS = (0.1, 50.0)


class Summary(msgspec.Struct, omit_defaults=True):
    """What the demonstration ends with, in the names of the command's documentation."""

    ok: bool
    flights: list[Flight]
    link: LinkSummary


class DemoError(Exception):
    """A part of the stack did not start or stopped by itself."""


class _Drone(msgspec.Struct):
    """One demonstration drone: its name and the ports it uses."""

    name: str
    link_port: int
    tools_port: int
    sysid: int


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
    parser.add_argument("--drones", type=int, default=1, metavar="N", help="1 to 8 (default 1)")
    parser.add_argument(
        "--speedup", type=float, default=1.0, metavar="X", help="vehicle time per real time"
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON object on stdout")
    parser.add_argument("--verbose-stack", action="store_true", help="show the services' logs")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Start everything, fly or wait, stop everything, sum up."""
    if not 1 <= arguments.drones <= 8:
        arguments.parser.error(f"--drones {arguments.drones}: allowed: 1 to 8")
    if not _SPEEDUPS[0] <= arguments.speedup <= _SPEEDUPS[1]:
        arguments.parser.error(f"--speedup {arguments.speedup}: allowed: 0.1 to 50")
    if arguments.seconds is not None and arguments.seconds <= 0:
        arguments.parser.error(f"--seconds {arguments.seconds}: allowed: more than 0")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    interrupted = False
    with tempfile.TemporaryDirectory(prefix="sekisho-demo-") as directory:
        home = Path(directory)
        drones = _plan(arguments.drones)
        with _stack(home, drones, arguments) as processes:
            flights: list[Flight] = []
            try:
                _await_link(home, processes)
                if arguments.headless:
                    flights = _fly(drones, arguments)
                else:
                    _wait(drones, arguments.seconds, processes)
            except KeyboardInterrupt:
                interrupted = True
            except DemoError as error:
                print(f"sekisho demo: {error}", file=sys.stderr)
                return 1
            summary = _sum_up(home, drones, flights, flew=arguments.headless)
    if arguments.json:
        print(msgspec.json.encode(summary).decode())
    else:
        _print_summary(summary)
    if interrupted:
        return EXIT_INTERRUPTED
    return 0 if summary.ok else 1


def _plan(count: int) -> list[_Drone]:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2 * count)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return [_Drone(f"demo-{i + 1}", ports[2 * i], ports[2 * i + 1], i + 1) for i in range(count)]


@contextlib.contextmanager
def _stack(
    home: Path, drones: list[_Drone], arguments: argparse.Namespace
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Write keys and configurations, start the processes, and stop them whatever happens."""
    _write_files(home, drones, for_people=not arguments.headless)
    commands = [["ground", "--config", str(home / "ground.toml")]]
    for drone in drones:
        tty = str(home / drone.name / "autopilot")
        simulator = ["sim", "--tty", tty, "--sysid", str(drone.sysid)]
        commands.append([*simulator, "--speedup", str(arguments.speedup)])
        commands.append(["drone", "--config", str(home / drone.name / "drone.toml")])
    processes: list[subprocess.Popen[bytes]] = []
    with (home / "log").open("wb") as log:
        errors = None if arguments.verbose_stack else log
        try:
            for command in commands:
                processes.append(
                    subprocess.Popen(  # noqa: S603 - our own command, no shell
                        [sys.executable, "-m", "sekisho", *command],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=errors,
                        start_new_session=True,  # Ctrl-C is for us; we stop them in order
                    )
                )
            yield processes
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                try:
                    process.wait(_STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _write_files(home: Path, drones: list[_Drone], *, for_people: bool) -> None:
    ground = load_or_create_identity(home / "ground", os.urandom)
    tables = [f'[state]\ndir = "{home / "ground"}"\n']
    for drone in drones:
        directory = home / drone.name
        identity = load_or_create_identity(directory, os.urandom)
        names = PairNames(drone=drone.name, ground="demo-ground", role=Role.COMMANDER)
        for_drone, for_ground = pair_in_lab(identity, ground, names, os.urandom)
        save_pair(directory, for_drone)
        save_pair(home / "ground", for_ground)
        (directory / "drone.toml").write_text(
            f'[vehicle]\nname = "{drone.name}"\n'
            f'[autopilot]\ndevice = "{directory / "autopilot"}"\nbaud = 3000000\n'
            f'[state]\ndir = "{directory}"\n'
            f'[link.udp]\nbind = "127.0.0.1:{drone.link_port}"\n'
        )
        tables.append(
            f'[[drone]]\nname = "{drone.name}"\naddress = "127.0.0.1:{drone.link_port}"\n'
            f'mavlink_out = {[QGROUNDCONTROL] if for_people else []}\nmavlink_tcp = "127.0.0.1:{drone.tools_port}"\n'
        )
    (home / "ground.toml").write_text("".join(tables))


def _ground_status(home: Path) -> dict[str, dict[str, object]] | None:
    try:
        answer = query(socket_path("ground", home / "ground"))
    except OSError:
        return None
    status: dict[str, dict[str, object]] = msgspec.json.decode(answer)
    return status


def _check_alive(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is not None:
            what = " ".join(map(str, process.args)) if isinstance(process.args, list) else "?"
            raise DemoError(
                f"a part of the stack ended with status {process.returncode}: {what}; "
                "try again with --verbose-stack"
            )


def _await_link(home: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    deadline_s = time.monotonic() + _START_S
    while time.monotonic() < deadline_s:
        _check_alive(processes)
        status = _ground_status(home)
        if status is not None and all(
            isinstance(peer, dict) and peer["state"] == "live" for peer in status["peers"].values()
        ):
            return
        time.sleep(0.1)
    raise DemoError(f"the link did not come up within {_START_S:.0f} s; try --verbose-stack")


def _fly(drones: list[_Drone], arguments: argparse.Namespace) -> list[Flight]:
    limit_s = arguments.seconds or FLIGHT_S / min(arguments.speedup, 1.0)
    deadline_s = time.monotonic() + limit_s
    started_s = time.monotonic()

    def fly(drone: _Drone) -> Flight:
        def report(text: str) -> None:
            if not arguments.json or sys.stderr.isatty():
                stream = sys.stderr if arguments.json else sys.stdout
                elapsed_s = time.monotonic() - started_s
                print(f"[{elapsed_s:6.1f} s] {drone.name}: {text}", file=stream, flush=True)

        return Pilot(drone.name, f"tcp:127.0.0.1:{drone.tools_port}", deadline_s, report).fly()

    with concurrent.futures.ThreadPoolExecutor(len(drones)) as pool:
        return list(pool.map(fly, drones))


def _wait(
    drones: list[_Drone], seconds: float | None, processes: list[subprocess.Popen[bytes]]
) -> None:
    for drone in drones:
        print(
            f"{drone.name}: plain MAVLink goes to udp:{QGROUNDCONTROL}, where QGroundControl "
            f"finds it, and is served at tcp:127.0.0.1:{drone.tools_port}\n"
            f"  e.g. mavproxy.py --master=tcp:127.0.0.1:{drone.tools_port}",
            file=sys.stderr,
        )
    print("Ctrl-C ends it.", file=sys.stderr, flush=True)
    end_s = None if seconds is None else time.monotonic() + seconds
    while end_s is None or time.monotonic() < end_s:
        _check_alive(processes)
        time.sleep(0.2)


def _sum_up(home: Path, drones: list[_Drone], flights: list[Flight], *, flew: bool) -> Summary:
    """Both ends' counts: what one end sealed against what the other opened."""
    links = []
    for drone in drones:
        try:
            answer = query(socket_path("drone", home / drone.name))
        except OSError:
            continue
        links.append(msgspec.convert(msgspec.json.decode(answer)["link"], LinkSummary))
    total = LinkSummary.total(links)
    flown = bool(flights) and all(flight.disarmed for flight in flights)
    sealed = total.frames_down > 0 and (total.frames_up > 0 or not flew)
    return Summary(ok=(flown or not flew) and sealed, flights=flights, link=total)


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
