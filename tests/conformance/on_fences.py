"""Fences: as data, and what happens at them."""

import math

from pymavlink.dialects.v20 import ardupilotmega as d

from tests.conformance.case import Area, Observed
from tests.conformance.pilot import Message, Pilot, item, position

area = Area("fence")
case = area.case
IN, OUT = (
    d.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_INCLUSION,
    d.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_EXCLUSION,
)
CIRCLE_IN, CIRCLE_OUT = (
    d.MAV_CMD_NAV_FENCE_CIRCLE_INCLUSION,
    d.MAV_CMD_NAV_FENCE_CIRCLE_EXCLUSION,
)


def square(half: float, command: int = IN, count: float = 4) -> list[Message]:
    corners = ((half, half), (half, -half), (-half, -half), (-half, half))
    return [item(command, count, at=(*c, 0.001), kind=1, frame=0) for c in corners]


def circle(radius: float, north: float, command: int = CIRCLE_IN) -> Message:
    return item(command, radius, at=(north, 0.0, 0.001), kind=1, frame=0)


def transfer(v: Pilot, items: list[Message]) -> Observed:
    v.ground()
    answers = v.upload(items, 1)
    return [*answers, *v.download(1)]


@case(
    "the count of items is a parameter",
    "ArduPilot counts places of its storage (a polygon: corners and two), this one items",
)
def _(v: Pilot) -> Observed:
    v.upload(square(50), 1)
    return [f"FENCE_TOTAL {v.get('FENCE_TOTAL'):g}"]


area.add("a polygon up and down", lambda v: transfer(v, square(50)))
area.add("a circle up and down", lambda v: transfer(v, [circle(60.5, 10)]))
area.add("two zones", lambda v: transfer(v, [*square(80), circle(10, 40, CIRCLE_OUT)]))
area.add("a polygon of two corners", lambda v: v.upload(square(50, count=2)[:2], 1))
area.add("a polygon that breaks off", lambda v: v.upload(square(50)[:3], 1))
area.add(
    "a polygon with a corner of another kind",
    lambda v: v.upload([*square(50)[:3], square(50, OUT)[3]], 1),
)
area.add("a circle of no radius", lambda v: v.upload([circle(0, 0)], 1))
area.add(
    "a waypoint among fence items",
    lambda v: v.upload([item(d.MAV_CMD_NAV_WAYPOINT, at=(1, 1, 1), kind=1)], 1),
)
area.add("a return point", lambda v: transfer(v, [item(5000, at=(1, 1, 5), kind=1), *square(50)]))


@case("cleared")
def _(v: Pilot) -> Observed:
    v.upload(square(50), 1)
    lines = v.ask(d.MAVLink_mission_clear_all_message(1, 1, 1))
    return [*lines, f"FENCE_TOTAL {v.get('FENCE_TOTAL'):g}"]


@case("status is told while it is on only")
def _(v: Pilot) -> Observed:
    v.ground()
    v.set("FENCE_ENABLE", 1)
    on = v.peek("FENCE_STATUS")
    v.set("FENCE_ENABLE", 0)
    off = v.peek("FENCE_STATUS")
    assert on is not None
    return [
        f"breach={on.breach_status} type={on.breach_type} mitigation={on.breach_mitigation}",
        f"off: {off is not None}",
    ]


def fenced(v: Pilot, *settings: tuple[str, float]) -> None:
    v.hover()
    for name, value in (("FENCE_MARGIN", 2), *settings, ("FENCE_ENABLE", 1)):
        v.set(name, value)
    v.heard.clear()


def move(north: float, east: float, down: float) -> Message:
    return d.MAVLink_set_position_target_local_ned_message(
        0, 1, 1, 1, 0xDC7, 0, 0, 0, north, east, down, *[0.0] * 5
    )


def crossing(v: Pilot, velocity: tuple[float, float, float], limit_s: float = 25.0) -> Observed:
    """Fly on until the vehicle leaves GUIDED; return the texts and what became of it."""
    v.until(lambda: (v.send(move(*velocity)), v.mode_name != "GUIDED")[1], limit_s)  # type: ignore
    v.run(0.5)
    return [*sorted(set(v.answers())), v.state]


NO_AVOID = ("AVOID_ENABLE", 0)


@case("over the ceiling: RTL")
def _(v: Pilot) -> Observed:
    fenced(v, NO_AVOID, ("FENCE_TYPE", 1), ("FENCE_ALT_MAX", 14))
    return crossing(v, (0, 0, -2.5))


@case("out of the circle: RTL")
def _(v: Pilot) -> Observed:
    fenced(v, NO_AVOID, ("FENCE_TYPE", 2), ("FENCE_RADIUS", 30))
    return crossing(v, (6, 0, 0))


@case("out of the circle: report only")
def _(v: Pilot) -> Observed:
    fenced(v, NO_AVOID, ("FENCE_TYPE", 2), ("FENCE_RADIUS", 30), ("FENCE_ACTION", 0))
    lines = crossing(v, (6, 0, 0), 12.0)
    status = v.peek("FENCE_STATUS")
    assert status is not None
    return [*lines, f"breach={status.breach_status} type={status.breach_type}"]


for _number, _name in {2: "land", 3: "SmartRTL", 4: "brake", 5: "SmartRTL or land"}.items():

    def _script(v: Pilot, n: int = _number) -> Observed:
        fenced(v, NO_AVOID, ("FENCE_TYPE", 2), ("FENCE_RADIUS", 25), ("FENCE_ACTION", n))
        return crossing(v, (6, 0, 0))

    area.add(f"out of the circle: {_name}", _script)


@case("out of a polygon: RTL")
def _(v: Pilot) -> Observed:
    fenced(v, NO_AVOID, ("FENCE_TYPE", 4))
    v.upload(square(25), 1)
    return crossing(v, (6, 0, 0))


@case("into an excluded circle: RTL")
def _(v: Pilot) -> Observed:
    fenced(v, NO_AVOID, ("FENCE_TYPE", 4))
    v.upload([circle(10, 30, CIRCLE_OUT)], 1)
    return crossing(v, (6, 0, 0))


@case("a breach that ends is told")
def _(v: Pilot) -> Observed:
    fenced(v, NO_AVOID, ("FENCE_TYPE", 2), ("FENCE_RADIUS", 25))
    crossing(v, (6, 0, 0))
    v.until(lambda: math.hypot(*v.place[:2]) < 3.0, 60.0)
    v.run(12.0)
    return v.answers()


@case("the way back is held open: no mode change during a breach")
def _(v: Pilot) -> Observed:
    fenced(v, NO_AVOID, ("FENCE_TYPE", 2), ("FENCE_RADIUS", 25), ("FENCE_OPTIONS", 1))
    crossing(v, (6, 0, 0))
    return [*v.command(176, 1, 4), v.state]


@case("a GUIDED target outside is refused, and the vehicle stays")
def _(v: Pilot) -> Observed:
    fenced(v, ("FENCE_TYPE", 2), ("FENCE_RADIUS", 30))
    lines = v.ask(position(60, 0, -8), within=4.0)
    return [*lines, f"stayed: {v.away(0, 0) < 1.0}"]


@case("a reposition outside is refused")
def _(v: Pilot) -> Observed:
    fenced(v, ("FENCE_TYPE", 2), ("FENCE_RADIUS", 30))
    return v.ask(
        d.MAVLink_command_int_message(1, 1, 3, 192, 0, 0, -1, 1, 0, 0, -353500000, 1491652000, 10)
    )


@case("velocity towards the fence slows down before it (AVOID_ENABLE)")
def _(v: Pilot) -> Observed:
    fenced(v, ("FENCE_TYPE", 2), ("FENCE_RADIUS", 30))
    lines = crossing(v, (6, 0, 0), 12.0)
    return [*lines, f"stands {round(30.0 - math.hypot(*v.place[:2]))} m inside"]


@case("velocity towards the ceiling slows down before it (AVOID_ENABLE)")
def _(v: Pilot) -> Observed:
    fenced(v, ("FENCE_TYPE", 1), ("FENCE_ALT_MAX", 15))
    lines = crossing(v, (0, 0, -2.5), 10.0)
    return [*lines, f"stands {round(15.0 - v.height)} m below"]


@case("FENCE_AUTOENABLE 1: on at take-off, off after landing")
def _(v: Pilot) -> Observed:
    v.ground()
    v.set("FENCE_AUTOENABLE", 1)
    v.heard.clear()
    v.must(400, 1)
    v.must(d.MAV_CMD_NAV_TAKEOFF, *[0] * 6, 5)
    v.until(lambda: v.height > 4.0, 30.0)
    v.run(4.0)
    up = fence_texts(v)
    shown = v.peek("FENCE_STATUS") is not None
    v.mode("LAND")
    v.until(lambda: not v.armed, 60.0)
    v.run(1.0)
    return [
        *up,
        f"told in the air: {shown}",
        *fence_texts(v),
        f"told after: {v.peek('FENCE_STATUS') is not None}",
    ]


@case("FENCE_AUTOENABLE 3: on when armed, off when disarmed")
def _(v: Pilot) -> Observed:
    v.ground()
    v.set("FENCE_AUTOENABLE", 3)
    v.heard.clear()
    armed = [v.result(400, 1), *fence_texts(v)]
    shown = v.peek("FENCE_STATUS") is not None
    v.result(400, 0)
    v.run(0.5)
    return [
        *armed,
        f"told armed: {shown}",
        *fence_texts(v),
        f"told after: {v.peek('FENCE_STATUS') is not None}",
    ]


@case("FENCE_AUTOENABLE 3 with an impossible fence")
def _(v: Pilot) -> Observed:
    v.ground()
    v.set("FENCE_AUTOENABLE", 3)
    v.set("FENCE_ALT_MAX", -1)
    v.heard.clear()
    return v.command(400, 1, within=1.0)


def fence_texts(v: Pilot) -> list[str]:
    return [line for line in v.answers() if "ence" in line]
