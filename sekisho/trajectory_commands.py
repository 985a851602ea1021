"""`sekisho trajectory survey`, `orbit`, `line`, `through`, `lemniscate`: what is to be planned."""

import argparse
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from flightcore.offboard.outer import Craft
from flightcore.trajectory.harmonic import Harmonic, lemniscate, orbit
from flightcore.trajectory.polynomial import Piecewise, line, through
from flightcore.trajectory.survey import lanes, survey
from flightcore.vehicle_file import VehicleFile
from sekisho.config_file import ConfigError, load
from sekisho.trajectory_plan import Spot, load_area, planned
from wire.trajectory import Reference

_Motion = Piecewise | Harmonic
_Parser = argparse.ArgumentParser
MAX_POINTS: Final = 200


def add_planning(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    """Add a verb for each kind of trajectory."""
    for name, text, example, add, make in _KINDS:
        parser = verbs.add_parser(
            name,
            help=text,
            description=f"Plan {text}. Prints what it comes to, and refuses what cannot be flown.",
            epilog=f"example: sekisho trajectory {name} {example} --out {name}.traj",
        )
        add(parser)
        parser.add_argument("--altitude", type=_number(1.0, 500.0), required=True, metavar="M",
                            help="height over --ground, 1 to 500")  # fmt: skip
        parser.add_argument("--ground", type=_number(-500.0, 9000.0), metavar="M",
                            help="height above sea level that --altitude counts from, as home's; "
                            "default: the planned home of a .plan")  # fmt: skip
        parser.add_argument("--speed", type=_number(0.1, 50.0), default=5.0, metavar="M/S",
                            help="greatest, 0.1 to 50 (default: 5)")  # fmt: skip
        parser.add_argument("--acceleration", type=_number(0.1, 20.0), default=2.0,
                            metavar="M/S2", help="greatest, 0.1 to 20 (default: 2)")  # fmt: skip
        parser.add_argument("--hover-throttle", type=_number(0.1, 0.8), default=Craft().hover,
                            metavar="SHARE", help="MOT_THST_HOVER of the drone "
                            "(default: %(default)s)")  # fmt: skip
        parser.add_argument("--vehicle", type=Path, metavar="FILE", help="a vehicle file, as "
                            "`sekisho logs identify` writes it: thrust and drag are judged by it "
                            "instead of by the hover throttle")  # fmt: skip
        parser.add_argument("--out", type=Path, metavar="FILE", help="where to write it")
        parser.add_argument("--json", action="store_true", help="one JSON object")
        parser.set_defaults(run=run_plan, make=make)


def run_plan(arguments: argparse.Namespace) -> int:
    """Plan it, say what it comes to, write it."""
    make: Callable[[argparse.Namespace], tuple[Sequence[_Motion], Reference]] = arguments.make
    try:
        motions, reference = make(arguments)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    vehicle = None
    if arguments.vehicle is not None:
        vehicle = load(arguments.vehicle, VehicleFile, VehicleFile.check).vehicle()
    plan = planned(motions, reference, arguments.hover_throttle, vehicle)
    if arguments.out is not None:
        temporary = arguments.out.with_name(f".{arguments.out.name}.new")
        temporary.write_bytes(plan.data)
        temporary.replace(arguments.out)
    print(plan.as_json() if arguments.json else plan.in_words())
    return 0


def _survey(arguments: argparse.Namespace) -> tuple[Sequence[_Motion], Reference]:
    area = load_area(arguments.polygon)
    reference = _reference(arguments, area.corners[0], area.ground)
    polygon = [corner.from_(reference) for corner in area.corners]
    heading = math.radians(arguments.heading)
    if not lanes(polygon, arguments.spacing, heading):
        raise ConfigError(f"{arguments.polygon}: no lane of it is as long as --spacing apart")
    motion = survey(
        polygon,
        -arguments.altitude,
        arguments.spacing,
        heading,
        arguments.speed,
        arguments.acceleration,
    )
    return [motion], reference


def _orbit(arguments: argparse.Namespace) -> tuple[Sequence[_Motion], Reference]:
    reference = _reference(arguments, arguments.centre)
    centre = 0.0, 0.0, -arguments.altitude
    _within(arguments, arguments.radius)
    speed = -arguments.speed if arguments.counter_clockwise else arguments.speed
    return [orbit(centre, arguments.radius, speed, turns=arguments.turns)], reference


def _lemniscate(arguments: argparse.Namespace) -> tuple[Sequence[_Motion], Reference]:
    reference = _reference(arguments, arguments.centre)
    centre = 0.0, 0.0, -arguments.altitude
    # Both axes at their fastest and at their hardest: more than that it never asks for.
    rate = min(
        arguments.speed / math.hypot(arguments.length, arguments.width),
        math.sqrt(arguments.acceleration / math.hypot(arguments.length, 2.0 * arguments.width)),
    )
    duration = 2.0 * math.pi * arguments.laps / rate
    return [lemniscate(centre, arguments.length, arguments.width, rate, duration)], reference


def _line(arguments: argparse.Namespace) -> tuple[Sequence[_Motion], Reference]:
    points, reference, yaw = _points(arguments, 2)
    return [
        line(a, b, arguments.speed, arguments.acceleration, yaw) for a, b in pairwise(points)
    ], reference


def _through(arguments: argparse.Namespace) -> tuple[Sequence[_Motion], Reference]:
    points, reference, yaw = _points(arguments, 2)
    return [through(points, arguments.speed, arguments.acceleration, yaw)], reference


def _points(
    arguments: argparse.Namespace, least: int
) -> tuple[list[tuple[float, float, float]], Reference, float]:
    """Return the points in the local frame, its reference, and the heading of the first leg."""
    spots = arguments.point
    if not least <= len(spots) <= MAX_POINTS:
        raise ConfigError(f"--point: {len(spots)} of them; allowed: {least} to {MAX_POINTS}")
    if any(a == b for a, b in pairwise(spots)):
        raise ConfigError("--point: allowed: neighbours that differ")
    reference = _reference(arguments, spots[0])
    points = [(*spot.from_(reference), -arguments.altitude) for spot in spots]
    yaw = math.atan2(points[1][1], points[1][0])
    if arguments.heading is not None:
        yaw = math.radians(arguments.heading)
    return points, reference, yaw


def _within(arguments: argparse.Namespace, radius: float) -> None:
    """Refuse a circle that needs more than --acceleration at --speed."""
    needed = arguments.speed**2 / radius
    if needed > arguments.acceleration:
        raise ConfigError(
            f"--speed = {arguments.speed:g} around --radius = {radius:g} takes {needed:.1f} m/s2; "
            f"allowed: --acceleration = {arguments.acceleration:g}"
        )


def _reference(arguments: argparse.Namespace, at: Spot, ground: float | None = None) -> Reference:
    chosen = ground if arguments.ground is None else arguments.ground
    if chosen is None:
        raise ConfigError("--ground: needed: the height above sea level that --altitude is over")
    return at.reference(chosen)


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
        return value

    return parse


def _spot(text: str) -> Spot:
    try:
        latitude, longitude = map(float, text.split(","))
    except ValueError:
        latitude = longitude = math.nan
    if not (abs(latitude) <= 90.0 and abs(longitude) <= 180.0):
        raise argparse.ArgumentTypeError(f"{text!r} is not LATITUDE,LONGITUDE in degrees")
    return Spot(latitude, longitude)


def _add_survey(parser: _Parser) -> None:
    parser.add_argument("polygon", type=Path, help="a GeoJSON polygon, or a .plan of "
                        "QGroundControl with one survey or one inclusion fence")  # fmt: skip
    parser.add_argument("--spacing", type=_number(0.5, 500.0), required=True, metavar="M",
                        help="between lanes, 0.5 to 500")  # fmt: skip
    parser.add_argument("--heading", type=_number(-360.0, 360.0), default=0.0, metavar="DEGREES",
                        help="of the lanes and of the nose, from north (default: 0)")  # fmt: skip


def _add_centre(parser: _Parser) -> None:
    parser.add_argument("--centre", type=_spot, required=True, metavar="LAT,LON",
                        help="in degrees")  # fmt: skip


def _add_orbit(parser: _Parser) -> None:
    _add_centre(parser)
    parser.add_argument("--radius", type=_number(0.5, 2000.0), required=True, metavar="M",
                        help="0.5 to 2000")  # fmt: skip
    parser.add_argument("--turns", type=_number(0.05, 100.0), default=1.0, metavar="N",
                        help="how many times round (default: 1)")  # fmt: skip
    parser.add_argument("--counter-clockwise", action="store_true", help="seen from above")


def _add_lemniscate(parser: _Parser) -> None:
    _add_centre(parser)
    parser.add_argument("--length", type=_number(0.5, 2000.0), required=True, metavar="M",
                        help="half its extent along north, 0.5 to 2000")  # fmt: skip
    parser.add_argument("--width", type=_number(0.5, 2000.0), required=True, metavar="M",
                        help="its extent along east, 0.5 to 2000")  # fmt: skip
    parser.add_argument("--laps", type=_number(0.05, 100.0), default=1.0, metavar="N",
                        help="how many times round (default: 1)")  # fmt: skip


def _add_points(parser: _Parser) -> None:
    parser.add_argument("--point", type=_spot, action="append", required=True, metavar="LAT,LON",
                        help="in degrees; two or more")  # fmt: skip
    parser.add_argument("--heading", type=_number(-360.0, 360.0), metavar="DEGREES",
                        help="of the nose, from north (default: along the first leg)")  # fmt: skip


_AT: Final = "--altitude 30 --ground 20"
_TWO: Final = "--point 35.6586,139.7454 --point 35.6590,139.7460"
_KINDS: Final = (
    ("survey", "a survey: a polygon flown over in parallel lanes",
     "field.plan --altitude 30 --spacing 12", _add_survey, _survey),
    ("orbit", "a circle with the nose to its centre",
     f"--centre 35.6586,139.7454 --radius 20 {_AT}", _add_orbit, _orbit),
    ("line", "straight legs from point to point, with a rest at each",
     f"{_TWO} {_AT}", _add_points, _line),
    ("through", "the smoothest curve through points, without a rest",
     f"{_TWO} --point 35.6586,139.7466 {_AT}", _add_points, _through),
    ("lemniscate", "a figure of eight",
     f"--centre 35.6586,139.7454 --length 20 --width 15 {_AT}", _add_lemniscate, _lemniscate),
)  # fmt: skip
