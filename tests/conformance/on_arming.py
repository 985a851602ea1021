"""Arming: what hinders it, in which words, and what ends it."""

from pymavlink.dialects.v20 import ardupilotmega as d

from tests.conformance.case import Area, Observed
from tests.conformance.pilot import MODES, NOT_FLOWN, Pilot

area = Area("arming")
case = area.case
ARM = d.MAV_CMD_COMPONENT_ARM_DISARM


@case("arm and disarm in GUIDED")
def _(v: Pilot) -> Observed:
    v.ground()
    first = [*v.command(ARM, 1, within=1.0), v.state]
    return [*first, *v.command(ARM, 0), v.state]


def in_mode(v: Pilot, name: str) -> Observed:
    v.ground()
    lines = [f"mode: {v.mode(name)}"]
    v.answers()
    lines += v.command(ARM, 1, within=1.0)
    lines.append(v.state)
    v.result(ARM, 0, 21196)
    return lines


_NOT_FLOWN = "the embedded vehicle does not fly this mode"
for _name in MODES:
    if _name in {"GUIDED"}:
        continue
    area.add(
        f"arm in {_name}",
        lambda v, n=_name: in_mode(v, n),
        _NOT_FLOWN if _name in NOT_FLOWN else None,
    )


def with_parameter(v: Pilot, *settings: tuple[str, float]) -> Observed:
    v.ground()
    for name, value in settings:
        v.set(name, value)
    v.heard.clear()
    lines = [*v.command(ARM, 1, within=1.0), v.state]
    v.result(ARM, 0, 21196)
    return lines


def hindered(name: str, *settings: tuple[str, float], why: str | None = None) -> None:
    area.add(f"arm with {name}", lambda v: with_parameter(v, *settings), why)


hindered("the fence on", ("FENCE_ENABLE", 1))
hindered("a fence of no type", ("FENCE_ENABLE", 1), ("FENCE_TYPE", 0))
hindered("a negative ceiling", ("FENCE_ENABLE", 1), ("FENCE_ALT_MAX", -5))
hindered(
    "a ceiling under the floor",
    ("FENCE_ENABLE", 1),
    ("FENCE_TYPE", 9),
    ("FENCE_ALT_MAX", 20),
    ("FENCE_ALT_MIN", 30),
)
hindered(
    "a margin wider than the circle",
    ("FENCE_ENABLE", 1),
    ("FENCE_RADIUS", 30),
    ("FENCE_MARGIN", 40),
)
hindered(
    "a margin that leaves no height",
    ("FENCE_ENABLE", 1),
    ("FENCE_TYPE", 9),
    ("FENCE_ALT_MAX", 20),
    ("FENCE_ALT_MIN", 5),
    ("FENCE_MARGIN", 10),
)
hindered("a polygon fence that is not there", ("FENCE_ENABLE", 1), ("FENCE_TYPE", 4))
hindered("a failing battery", ("BATT_ARM_VOLT", 14))
hindered("too low a charge", ("BATT_ARM_MAH", 99999))
hindered("critical above low voltage", ("BATT_LOW_VOLT", 9), ("BATT_CRT_VOLT", 10))
hindered("critical above low charge", ("BATT_LOW_MAH", 100), ("BATT_CRT_MAH", 200))
hindered(
    "RTL below the floor of the fence",
    ("FENCE_ENABLE", 1),
    ("FENCE_TYPE", 1),
    ("FENCE_ALT_MAX", 10),
)
hindered("no GPS", ("SIM_GPS1_ENABLE", 0))
hindered("an angle too small", ("ANGLE_MAX", 500))
hindered("an angle too large", ("ANGLE_MAX", 9000))
hindered("a take-off altitude below the pilot's", ("PILOT_TKOFF_ALT", 100))
hindered("throttle failsafe value wrong", ("FS_THR_VALUE", 2200))
hindered("all checks off", ("ARMING_CHECK", 0), ("BATT_ARM_VOLT", 14))
hindered(
    "three satellites",
    ("SIM_GPS1_NUMSATS", 3),
    why="its receiver has no fix with fewer than four, as a real one",
)
hindered("HDOP demanded", ("GPS_HDOP_GOOD", 50))
hindered("the failsafe of the ground off", ("FS_GCS_ENABLE", 0))
hindered("a terrain RTL without terrain", ("RTL_ALT_TYPE", 1))


@case("arm by force over a failing check")
def _(v: Pilot) -> Observed:
    v.ground()
    v.set("BATT_ARM_VOLT", 14)
    v.heard.clear()
    lines = [*v.command(ARM, 1, 21196, within=1.0), v.state]
    v.result(ARM, 0, 21196)
    return lines


@case("arm by the older force")
def _(v: Pilot) -> Observed:
    v.ground()
    v.set("BATT_ARM_VOLT", 14)
    v.heard.clear()
    lines = [*v.command(ARM, 1, 2989, within=1.0), v.state]
    v.result(ARM, 0, 21196)
    return lines


@case("disarm in the air by force")
def _(v: Pilot) -> Observed:
    v.arm()
    v.must(d.MAV_CMD_NAV_TAKEOFF, *[0] * 6, 2)
    v.until(lambda: v.height > 0.7, 20.0)
    lines = [*v.command(ARM, 0, 21196), v.state]
    v.run(3.0)
    return lines


@case("a vehicle that does nothing disarms by itself")
def _(v: Pilot) -> Observed:
    v.arm()
    began = v.now_s
    v.until(lambda: not v.armed, 20.0)
    took = v.now_s - began
    return [f"after 8 to 12 s: {8.0 < took < 12.0}", *v.answers(), v.state]


@case("a vehicle told never to disarm by itself")
def _(v: Pilot) -> Observed:
    v.ground()
    v.set("DISARM_DELAY", 0)
    v.arm()
    v.run(15.0)
    return [v.state]


@case("arming tells home and locks it not")
def _(v: Pilot) -> Observed:
    v.arm()
    home = v.peek("HOME_POSITION")
    assert home is not None
    return [f"lat={home.latitude / 1e7:.5f} lon={home.longitude / 1e7:.5f}"]
