"""What an operator may order from the console: a table of actions, with when and how.

An action names its gesture, says in words what will happen, tells from the drone's state why it is
not possible now, and becomes one or several MAVLink commands.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from groundstation.screen.modes import (
    AUTO,
    BRAKE,
    GUIDED,
    LAND,
    NAMES,
    OFFERED,
    RTL,
    mode_name,
)
from wire.mavlink import dialect

FORCE_ARM: Final = 2989.0
MIN_ALTITUDE, MAX_ALTITUDE = 1.0, 500.0
MIN_SPEED, MAX_SPEED = 0.5, 25.0
MAX_DISTANCE: Final = 10_000.0
_METRES_PER_DEGREE: Final = 111_320.0


class Gesture(StrEnum):
    """What the operator's hand does, so that no slip and no raindrop does it."""

    PRESS = "press"  # once: what makes everything safer must be quick
    HOLD = "hold"  # for a second
    SLIDE = "slide"  # all the way, or hold Enter for a second
    GUARD = "guard"  # open a cover, then hold
    TYPED = "typed"  # slide, and type the drone's name


class Action(StrEnum):
    """What can be ordered."""

    PAUSE = "pause"
    RTL = "rtl"
    LAND = "land"
    ARM = "arm"
    TAKEOFF = "takeoff"
    DISARM = "disarm"
    MODE = "mode"
    GOTO = "goto"
    ALTITUDE = "altitude"
    SPEED = "speed"
    MISSION = "mission"
    FORCE_ARM = "force_arm"
    STOP = "stop"


class Arguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an action needs besides its name; what it does not need stays None.

    Altitudes are above home [m], speeds over ground [m/s], positions in degrees.
    """

    altitude: float | None = None
    speed: float | None = None
    mode: int | None = None
    lat: float | None = None
    lon: float | None = None
    typed: str | None = None


class Craft(NamedTuple):
    """What an order depends on. Unknown or too old to be relied on is None."""

    name: str
    live: bool = False
    is_holder: bool = False
    armed: bool | None = None
    flying: bool = False
    mode: int | None = None
    lat: float | None = None
    lon: float | None = None
    mission_items: int | None = None
    prearm_good: bool | None = None


class Step(NamedTuple):
    """One MAVLink command: COMMAND_LONG, or COMMAND_INT if it has a position."""

    command: int
    params: Sequence[float]
    position: tuple[float, float, float] | None = None  # degrees, degrees, m above home


class Spec(NamedTuple):
    """One action. `blocked` says why not now, "" if it is possible; `refused` judges arguments."""

    label: str
    gesture: Gesture
    consequence: str
    blocked: Callable[[Craft], str]
    steps: Callable[[Craft, Arguments], Sequence[Step]]
    refused: Callable[[Craft, Arguments], str] = lambda craft, arguments: ""  # noqa: ARG005


def _mode_step(mode: int) -> Step:
    return Step(dialect.MAV_CMD_DO_SET_MODE, (dialect.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED, mode))


def _in_flight(craft: Craft) -> str:
    return "" if craft.flying else "Only in flight"


def _to_guided(craft: Craft) -> list[Step]:
    return [] if craft.mode == GUIDED else [_mode_step(GUIDED)]


def _bad_altitude(_: Craft, arguments: Arguments) -> str:
    return _outside("altitude", arguments.altitude, MIN_ALTITUDE, MAX_ALTITUDE, "m above home")


def _bad_speed(_: Craft, arguments: Arguments) -> str:
    return _outside("speed", arguments.speed, MIN_SPEED, MAX_SPEED, "m/s")


def _outside(name: str, value: float | None, low: float, high: float, unit: str) -> str:
    if value is not None and low <= value <= high:
        return ""
    return f"{name} = {value}; allowed: {low:g} to {high:g} {unit}"


def _bad_mode(_: Craft, arguments: Arguments) -> str:
    if arguments.mode in OFFERED:
        return ""
    return f"mode = {arguments.mode}; allowed: {', '.join(NAMES[mode] for mode in OFFERED)}"


def _bad_place(craft: Craft, arguments: Arguments) -> str:
    lat, lon = arguments.lat, arguments.lon
    if lat is None or lon is None or not (-90 <= lat <= 90 and -180 <= lon <= 180):
        return f"position = {lat}, {lon}; allowed: degrees north and east"
    if craft.lat is None or craft.lon is None:
        return "position: where the drone is now is not known"
    north = (lat - craft.lat) * _METRES_PER_DEGREE
    east = (lon - craft.lon) * _METRES_PER_DEGREE * math.cos(math.radians(lat))
    distance = math.hypot(north, east)
    if distance > MAX_DISTANCE:
        return f"position: {distance / 1000:.0f} km away; allowed: up to {MAX_DISTANCE / 1000:g} km"
    return _bad_altitude(craft, arguments)


def _not_typed(craft: Craft, arguments: Arguments) -> str:
    return (
        "" if arguments.typed == craft.name else f"typed: has to be the drone's name, {craft.name}"
    )


def _reposition(lat: float | None, lon: float | None, altitude: float | None) -> Step:
    assert lat is not None
    assert lon is not None
    assert altitude is not None
    change_mode = dialect.MAV_DO_REPOSITION_FLAGS_CHANGE_MODE
    # A heading that is no number: keep the one there is.
    params = (-1, change_mode, 0, math.nan)
    return Step(dialect.MAV_CMD_DO_REPOSITION, params, (lat, lon, altitude))


def _altitude_blocked(craft: Craft) -> str:
    if craft.flying and craft.lat is None:
        return "The position is not known"
    return _in_flight(craft)


def _takeoff_blocked(craft: Craft) -> str:
    if craft.flying:
        return "Already flying"
    return "" if craft.armed else "Arm first"


def _mission_blocked(craft: Craft) -> str:
    if not craft.armed:
        return "Arm first"
    if craft.mission_items == 0:
        return "No mission aboard"
    return "Mission is running" if craft.mode == AUTO and craft.flying else ""


def _on_ground(craft: Craft, *, armed: bool) -> str:
    if craft.flying:
        return "Only on the ground"
    if craft.armed is not armed:
        return "Not armed" if armed else "Already armed"
    return ""


def _number(value: float | None) -> float:
    assert value is not None
    return value


_ARM: Final = dialect.MAV_CMD_COMPONENT_ARM_DISARM

ACTIONS: Final[Mapping[Action, Spec]] = {
    Action.PAUSE: Spec(
        "Pause",
        Gesture.PRESS,
        "{name} stops and holds its position (BRAKE).",
        lambda c: _in_flight(c) or ("Already holding" if c.mode == BRAKE else ""),
        lambda c, a: [_mode_step(BRAKE)],  # noqa: ARG005
    ),
    Action.RTL: Spec(
        "Return",
        Gesture.HOLD,
        "{name} flies back to its home and lands there.",
        lambda c: _in_flight(c) or ("Already returning" if c.mode == RTL else ""),
        lambda c, a: [Step(dialect.MAV_CMD_NAV_RETURN_TO_LAUNCH, ())],  # noqa: ARG005
    ),
    Action.LAND: Spec(
        "Land",
        Gesture.HOLD,
        "{name} lands where it is.",
        lambda c: _in_flight(c) or ("Already landing" if c.mode == LAND else ""),
        lambda c, a: [Step(dialect.MAV_CMD_NAV_LAND, ())],  # noqa: ARG005
    ),
    Action.ARM: Spec(
        "Arm",
        Gesture.SLIDE,
        "The motors of {name} start.",
        lambda c: _on_ground(c, armed=False),
        lambda c, a: [*_to_guided(c), Step(_ARM, (1,))],  # noqa: ARG005
    ),
    Action.TAKEOFF: Spec(
        "Take off",
        Gesture.SLIDE,
        "{name} climbs to {altitude} m above home and holds there.",
        _takeoff_blocked,
        lambda c, a: [
            *_to_guided(c),
            Step(dialect.MAV_CMD_NAV_TAKEOFF, (0, 0, 0, 0, 0, 0, _number(a.altitude))),
        ],
        _bad_altitude,
    ),
    Action.DISARM: Spec(
        "Disarm",
        Gesture.SLIDE,
        "The motors of {name} stop.",
        lambda c: _on_ground(c, armed=True),
        lambda c, a: [Step(_ARM, (0,))],  # noqa: ARG005
    ),
    Action.MODE: Spec(
        "Change mode",
        Gesture.SLIDE,
        "{name} changes to {mode}.",
        lambda c: "",  # noqa: ARG005
        lambda c, a: [_mode_step(int(_number(a.mode)))],  # noqa: ARG005
        _bad_mode,
    ),
    Action.GOTO: Spec(
        "Go there",
        Gesture.SLIDE,
        "{name} flies to the marked place at {altitude} m above home.",
        _in_flight,
        lambda c, a: [_reposition(a.lat, a.lon, a.altitude)],  # noqa: ARG005
        _bad_place,
    ),
    Action.ALTITUDE: Spec(
        "Change altitude",
        Gesture.SLIDE,
        "{name} climbs or descends to {altitude} m above home, where it is.",
        _altitude_blocked,
        lambda c, a: [_reposition(c.lat, c.lon, a.altitude)],
        _bad_altitude,
    ),
    Action.SPEED: Spec(
        "Change speed",
        Gesture.SLIDE,
        "{name} flies at {speed} m/s over ground.",
        _in_flight,
        lambda c, a: [Step(dialect.MAV_CMD_DO_CHANGE_SPEED, (1, _number(a.speed), -1))],  # noqa: ARG005
        _bad_speed,
    ),
    Action.MISSION: Spec(
        "Start mission",
        Gesture.SLIDE,
        "{name} flies the mission it has aboard (AUTO).",
        _mission_blocked,
        lambda c, a: (  # noqa: ARG005
            [_mode_step(AUTO)]
            if c.flying
            else [_mode_step(AUTO), Step(dialect.MAV_CMD_MISSION_START, ())]
        ),
    ),
    Action.FORCE_ARM: Spec(
        "Force arm",
        Gesture.TYPED,
        "The motors of {name} start although its checks fail.",
        lambda c: _on_ground(c, armed=False) or ("Its checks pass" if c.prearm_good else ""),
        lambda c, a: [Step(_ARM, (1, FORCE_ARM))],  # noqa: ARG005
        _not_typed,
    ),
    Action.STOP: Spec(
        "Emergency stop",
        Gesture.GUARD,
        "The motors of {name} stop at once. In the air it WILL CRASH.",
        lambda c: "" if c.armed else "Not armed",
        lambda c, a: [Step(dialect.MAV_CMD_DO_FLIGHTTERMINATION, (1,))],  # noqa: ARG005
    ),
}


def why_not(action: Action, craft: Craft) -> str:
    """Return why an action is not possible now; "" if it is."""
    if not craft.live:
        return "No link"
    if not craft.is_holder:
        return "Another station commands"
    if craft.armed is None:
        return "The autopilot is silent"
    return ACTIONS[action].blocked(craft)


def consequence(action: Action, craft: Craft, arguments: Arguments) -> str:
    """Say in words what an action will do."""
    return ACTIONS[action].consequence.format(
        name=craft.name,
        altitude=arguments.altitude and f"{arguments.altitude:g}",
        speed=arguments.speed and f"{arguments.speed:g}",
        mode=mode_name(arguments.mode),
    )
