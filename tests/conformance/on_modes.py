"""Modes: each asked for, on the ground and in the air, in the three ways there are."""

from pymavlink.dialects.v20 import ardupilotmega as d

from tests.conformance.case import Area, Observed
from tests.conformance.pilot import MODES, NOT_FLOWN, Pilot

area = Area("modes")
case = area.case
_NOT_FLOWN = "the embedded vehicle does not fly this mode"


def grounded(v: Pilot, number: int) -> Observed:
    v.ground()
    return [*v.command(176, 1, number), v.state]


def flown(v: Pilot, name: str) -> Observed:
    v.hover()
    lines = [*v.command(176, 1, MODES[name], within=0.2), v.state]
    v.mode("GUIDED")
    return lines


for _name, _number in MODES.items():
    area.add(
        f"on the ground, {_name}",
        lambda v, n=_number: grounded(v, n),
        _NOT_FLOWN if _name in NOT_FLOWN else None,
    )
for _name in (
    "STABILIZE",
    "ACRO",
    "ALT_HOLD",
    "AUTO",
    "LOITER",
    "RTL",
    "CIRCLE",
    "LAND",
    "DRIFT",
    "SPORT",
    "AUTOTUNE",
    "POSHOLD",
    "BRAKE",
    "THROW",
    "AVOID_ADSB",
    "GUIDED_NOGPS",
    "SMART_RTL",
    "FLOWHOLD",
    "FOLLOW",
    "ZIGZAG",
    "SYSTEMID",
    "AUTO_RTL",
    "TURTLE",
):
    area.add(
        f"in the air, {_name}",
        lambda v, n=_name: flown(v, n),
        _NOT_FLOWN if _name in NOT_FLOWN else None,
    )

area.add("on the ground, number 8", lambda v: grounded(v, 8))
area.add("on the ground, number 99", lambda v: grounded(v, 99))
area.add(
    "on the ground, number 257",
    lambda v: grounded(v, 257),
    "the low eight bits count, 1: ACRO, which the embedded vehicle does not fly",
)
area.add("on the ground, number -1", lambda v: grounded(v, -1))


@case("DO_SET_MODE without the flag for custom modes")
def _(v: Pilot) -> Observed:
    v.ground()
    return [*v.command(176, 0, 6), v.state]


@case("DO_SET_MODE with all flags of the base mode")
def _(v: Pilot) -> Observed:
    v.ground()
    return [*v.command(176, 217, 9), v.state]


@case("SET_MODE to LOITER")
def _(v: Pilot) -> Observed:
    v.ground()
    return [*v.ask(d.MAVLink_set_mode_message(1, 1, 5)), v.state]


@case("SET_MODE to a mode that is not there")
def _(v: Pilot) -> Observed:
    v.ground()
    return [*v.ask(d.MAVLink_set_mode_message(1, 1, 99)), v.state]


@case("SET_MODE without the flag for custom modes")
def _(v: Pilot) -> Observed:
    v.ground()
    return [*v.ask(d.MAVLink_set_mode_message(1, 0, 6)), v.state]


@case("SET_MODE for another system")
def _(v: Pilot) -> Observed:
    v.ground()
    return [*v.ask(d.MAVLink_set_mode_message(2, 1, 6)), v.state]


@case("the mode it is in already")
def _(v: Pilot) -> Observed:
    v.ground()
    return [*v.command(176, 1, 4), v.state]


def named(v: Pilot) -> Observed:
    """AVAILABLE_MODES, where it is spoken."""
    v.ground()
    v.last.pop("AVAILABLE_MODES", None)
    result = v.result(512, 435, 1)
    message = v.last.get("AVAILABLE_MODES")
    return (
        [result] if message is None else [result, f"{message.mode_name} of {message.number_modes}"]
    )


area.add(
    "the first of the available modes",
    named,
    "the messages of the newer mode protocol are not spoken",
)


@case("the current mode is told")
def _(v: Pilot) -> Observed:
    v.ground()
    v.last.pop("CURRENT_MODE", None)
    result = v.result(512, 436)
    message = v.last.get("CURRENT_MODE")
    return [result] if message is None else [result, str(message.custom_mode)]
