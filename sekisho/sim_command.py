"""`sekisho sim`: the embedded autopilot on a pseudo-terminal or a UDP port."""

import argparse
import asyncio
import json
import math
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from groundstation.flight_data import FlightData
from sekisho.config_file import ConfigError
from sekisho.flight_report import Origin
from sekisho.log_report import check_new, report_path, write_report
from sekisho.runtime import EXIT_INTERRUPTED
from sim.aio.ardupilot_json import serve
from sim.aio.pty import LinkInUseError
from sim.aio.service import SimConfig, Way, run
from sim.airframe import airframe, airframes
from sim.ardupilot_json import JsonPhysics
from sim.autopilot.parameter_file import ParameterFileError, parse, safe_text
from sim.autopilot.parameters import Parameters
from sim.sensors.gnss import Deception, Family
from sim.simulation import COARSE, FINE
from sim.wind import Flow, Wind
from wire.locality import parse_loopback
from wire.mavlink import FrameSplitter

_T = TypeVar("_T")
_DECEPTION_FORM: Final = (
    "jump, ramp, pull-off, delay or freeze, then at=SECONDS and, as it needs, until=SECONDS, "
    "north=, east=, down= (metres of a jump, else m/s), acceleration=, delay="
)
_EXAMPLE: Final = """example:
  sekisho sim --tty /tmp/fc --wind 4,270 &
  mavproxy.py --master=/tmp/fc,921600
  sekisho sim --tty /tmp/fc --gnss-attack pull-off,at=60,north=2,acceleration=0.1
  sekisho sim --drones 20 --udp 127.0.0.1:14560 --coarse --speedup 2
  sekisho sim --tty /tmp/fc --plot flight.html
  sekisho sim --ardupilot-json & arducopter --model JSON --speedup 100
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `sim` sub-parser."""
    parser = subparsers.add_parser(
        "sim",
        help="the embedded autopilot, on a pseudo-terminal or a UDP port",
        description="Fly simulated ArduCopters that speak MAVLink 2 on pseudo-terminals, or from "
        "UDP ports of their own to where something listens.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = SimConfig()
    parser.add_argument("--tty", type=Path, metavar="LINK", help="symbolic link to the terminal")
    parser.add_argument(
        "--udp",
        type=_checked(parse_loopback, lambda _: True, "a loopback address, as 127.0.0.1:14560"),
        metavar="HOST:PORT",
        help="send there, and hear what comes back, instead of a terminal; with several drones "
        "ports count up",
    )
    parser.add_argument(
        "--coarse",
        action="store_true",
        help="a tick of 10 ms and 20 decisions a second, for fleets: a fifth of the work",
    )
    parser.add_argument(
        "--speedup",
        type=_checked(float, lambda v: 0.1 <= v <= 20.0, "a number from 0.1 to 20"),
        default=default.speedup,
        help="vehicle seconds per second; FS_GCS_TIMEOUT counts the latter (default %(default)s)",
    )
    parser.add_argument(
        "--home",
        type=_checked(_four, _is_home, "LAT,LON,ALT,HDG in degrees and metres"),
        default=default.home,
        metavar="LAT,LON,ALT,HDG",
        help="where it stands; south of the equator write --home=-35.36,... (default Tokyo)",
    )
    parser.add_argument(
        "--wind",
        type=_checked(
            _two,
            lambda v: 0.0 <= v[0] <= 20.0 and 0.0 <= v[1] <= 360.0,
            "SPEED,FROM: 0 to 20 m/s, 0 to 360 degrees",
        ),
        default=default.wind,
        metavar="SPEED,FROM",
        help="wind speed in m/s and the direction it comes from in degrees",
    )
    parser.add_argument(
        "--gusts",
        type=_checked(float, lambda v: 0.0 <= v <= 10.0, "a number from 0 to 10"),
        default=default.gusts,
        help="standard deviation of the gusts in m/s",
    )
    parser.add_argument(
        "--sysid",
        type=_checked(int, lambda v: 1 <= v <= 255, "an integer from 1 to 255"),
        default=default.sysid,
        help="MAVLink system id (default %(default)s)",
    )
    parser.add_argument(
        "--drones",
        type=_checked(int, lambda v: 1 <= v <= 200, "an integer from 1 to 200"),
        default=default.drones,
        help="how many, five metres apart; terminals and system ids count up (default 1)",
    )
    parser.add_argument(
        "--ekf-ready",
        type=_checked(float, lambda v: 0.5 <= v <= 120.0, "seconds from 0.5 to 120"),
        default=default.ekf_ready_s,
        metavar="SECONDS",
        help="vehicle time until it has a position and can arm (default %(default)s)",
    )
    parser.add_argument(
        "--parameters",
        type=Path,
        metavar="FILE",
        help="lines of NAME,VALUE to start with, over the safe values",
    )
    parser.add_argument(
        "--factory-parameters",
        action="store_true",
        help="leave out the safe values (failsafes and fence on): the companion will not arm it",
    )
    parser.add_argument("--seed", type=int, default=default.seed, help="of every random number")
    parser.add_argument("--json", action="store_true", help="print a summary as JSON at the end")
    parser.add_argument(
        "--airframe",
        choices=airframes(),
        help="what flies (default quad; with --ardupilot-json ardupilot-quad, ArduPilot's own)",
    )
    parser.add_argument(
        "--gnss-attack",
        type=_checked(_deception, lambda _: True, _DECEPTION_FORM),
        action="append",
        default=[],
        metavar="FAMILY,KEY=VALUE,...",
        help=f"deceive the GNSS receiver: {_DECEPTION_FORM}; may be given several times",
    )
    parser.add_argument(
        "--plot",
        type=report_path,
        metavar="FLIGHT.html",
        help="at the end, write a report of what crossed the line, as a page or a .png",
    )
    group = parser.add_argument_group("physics for the real ArduPilot")
    group.add_argument(
        "--ardupilot-json",
        action="store_true",
        help="fly the real ArduCopter (started with --model JSON), not the embedded autopilot",
    )
    group.add_argument(
        "--port",
        type=_checked(int, lambda v: 0 <= v <= 65535, "a port from 0 to 65535"),
        default=9002,
        help="UDP port of this machine where ArduPilot asks (default %(default)s)",
    )
    group.add_argument(
        "--silence",
        type=_checked(float, lambda v: 0.5 <= v <= 3600.0, "seconds from 0.5 to 3600"),
        default=10.0,
        metavar="SECONDS",
        help="end when ArduPilot, once heard, says nothing for so long (default %(default)s)",
    )
    parser.set_defaults(run=run_command)


def run_command(args: argparse.Namespace) -> int:
    """Run until interrupted; return the exit status."""
    if args.ardupilot_json:
        return _serve_ardupilot(args)
    config = _config(args)

    def ready(path: str) -> None:
        print(path, file=sys.stderr if args.json else sys.stdout, flush=True)

    witness = None
    if args.plot is not None:
        check_new(args.plot)
        witness = _Witness()
    try:
        summary = asyncio.run(run(config, ready, witness=witness))
    except LinkInUseError as error:
        print(f"sekisho sim: --tty {args.tty}: {error}; name a free path", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"sekisho sim: --tty {args.tty}: {error}", file=sys.stderr)
        return 1
    if witness is not None:
        source = f"the simulator's line, seed {config.seed}"
        name = f"the simulated {config.airframe}"
        write_report(args.plot, witness.flight, Origin(name, source, "", 1))
    if args.json:
        print(json.dumps(asdict(summary)), flush=True)
    return EXIT_INTERRUPTED if summary.interrupted else 0


class _Witness:
    """Takes what crosses the line for a report."""

    def __init__(self) -> None:
        self.flight = FlightData()
        self._splitters = {way: FrameSplitter() for way in Way}

    def __call__(self, us: int, way: Way, data: bytes) -> None:
        for frame in self._splitters[way].receive(data):
            self.flight.write(us, frame)


def _config(args: argparse.Namespace) -> SimConfig:
    """Return what to simulate.

    Raises:
        ConfigError: Options do not go together, or the file of parameters is wrong.
    """
    if args.sysid + args.drones > 256:
        raise ConfigError(f"--drones {args.drones}: with --sysid {args.sysid} ids exceed 255")
    if args.udp is not None and args.tty is not None:
        raise ConfigError(f"--tty {args.tty}: not together with --udp")
    if args.udp is not None and args.udp[1] + args.drones > 65536:
        raise ConfigError(f"--udp {args.udp[0]}:{args.udp[1]}: {args.drones} ports exceed 65535")
    default = SimConfig()
    return SimConfig(
        tty=args.tty,
        udp=args.udp,
        pace=COARSE if args.coarse else FINE,
        speedup=args.speedup,
        home=args.home,
        wind=args.wind,
        gusts=args.gusts,
        sysid=args.sysid,
        drones=args.drones,
        ekf_ready_s=args.ekf_ready,
        seed=args.seed,
        parameters=_parameters(args),
        airframe=args.airframe or default.airframe,
        deceptions=tuple(args.gnss_attack),
    )


def _serve_ardupilot(args: argparse.Namespace) -> int:
    """Be the physics of the real ArduPilot until it goes, or a signal comes."""
    speed, comes_from = args.wind
    physics = JsonPhysics(
        airframe(args.airframe or "ardupilot-quad"),
        Wind(np.random.default_rng(args.seed)),
        Flow(speed, math.radians(comes_from), args.gusts),
        heading=math.radians(args.home[3]),
    )

    def ready(port: int) -> None:
        print(f"127.0.0.1:{port}", file=sys.stderr if args.json else sys.stdout, flush=True)

    try:
        summary = serve(physics, args.port, args.silence, ready)
    except OSError as error:
        print(f"sekisho sim: --port {args.port}: {error}; name a free port", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(asdict(summary)), flush=True)
    return EXIT_INTERRUPTED if summary.interrupted else 0


def _parameters(args: argparse.Namespace) -> dict[str, float]:
    """Return the parameters to start with.

    Raises:
        ConfigError: The file cannot be read, or sets what is no parameter.
    """
    known = frozenset(Parameters().names)
    values = {} if args.factory_parameters else parse(safe_text(), known)
    if args.parameters is not None:
        try:
            values |= parse(args.parameters.read_text(), known)
        except OSError as error:
            raise ConfigError(f"--parameters {args.parameters}: {error.strerror}") from None
        except (ParameterFileError, UnicodeDecodeError) as error:
            raise ConfigError(f"--parameters {args.parameters}: {error}") from None
    return values


def _four(text: str) -> tuple[float, float, float, float]:
    lat, lon, alt, heading = map(float, text.split(","))
    return lat, lon, alt, heading


def _two(text: str) -> tuple[float, float]:
    first, second = map(float, text.split(","))
    return first, second


def _deception(text: str) -> Deception:
    """Read FAMILY,KEY=VALUE,...; raise ValueError for anything else."""
    family, *settings = text.split(",")
    values = {key: float(value) for key, _, value in (s.partition("=") for s in settings)}
    start_s = values.pop("at")
    end_s = values.pop("until", math.inf)
    away = (values.pop("north", 0.0), values.pop("east", 0.0), values.pop("down", 0.0))
    accelerating = values.pop("acceleration", 0.2)
    delay_s = values.pop("delay", 0.0)
    if values or not 0.0 <= start_s < end_s or accelerating <= 0.0 or not 0.0 <= delay_s <= 10.0:
        raise ValueError(text)
    return Deception(Family(family), start_s, end_s, away, away, accelerating, delay_s)


def _is_home(home: tuple[float, float, float, float]) -> bool:
    lat, lon, alt, heading = home
    return (
        abs(lat) <= 90.0 and abs(lon) <= 180.0 and abs(alt) <= 10_000.0 and 0.0 <= heading <= 360.0
    )


def _checked(
    parse: Callable[[str], _T], allowed: Callable[[_T], bool], wanted: str
) -> Callable[[str], _T]:
    """Return an argparse type that names the value and what is allowed."""

    def convert(text: str) -> _T:
        try:
            value = parse(text)
        except (KeyError, ValueError):
            value = None
        if value is None or not allowed(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
        return value

    return convert
