"""Flights: take-off, landing, return, and how long they take."""

from pymavlink.dialects.v20 import ardupilotmega as d

from tests.conformance.case import Area, Observed
from tests.conformance.pilot import Pilot, item, position

area = Area("flight")
case = area.case
TAKEOFF, RTL = d.MAV_CMD_NAV_TAKEOFF, 6


def about(value: float, step: float) -> str:
    """Return a figure to the nearest step, for what may differ by half of one."""
    return f"{step * round(value / step):g}"


@case("take-off to 10 m: its time and where it ends")
def _(v: Pilot) -> Observed:
    v.arm()
    began = v.now_s
    lines = v.command(TAKEOFF, *[0] * 6, 10)
    v.until(lambda: v.height > 9.5, 40.0)
    took = v.now_s - began
    v.run(4.0)
    return [*lines, f"7 to 11 s: {7.0 < took < 11.0}", f"height {about(v.height, 0.5)}"]


def refused(v: Pilot, mode: str, height: float) -> Observed:
    v.ground()
    v.mode(mode)
    v.result(400, 1)
    v.heard.clear()
    lines = [*v.command(TAKEOFF, *[0] * 6, height), v.state]
    v.run(3.0)
    lines.append(f"on the ground: {v.height < 0.3}")
    v.result(400, 0, 21196)
    return lines


area.add("take-off to 0 m", lambda v: refused(v, "GUIDED", 0))
area.add("take-off to -5 m", lambda v: refused(v, "GUIDED", -5))
area.add("take-off in STABILIZE", lambda v: refused(v, "STABILIZE", 5))
area.add("take-off in ALT_HOLD", lambda v: refused(v, "ALT_HOLD", 5))
area.add(
    "take-off in LOITER",
    lambda v: refused(v, "LOITER", 5),
    "there LOITER accepts it and waits for the throttle; here only GUIDED takes off by command",
)


@case("landing: disarms, says so, and where")
def _(v: Pilot) -> Observed:
    v.hover(6.0)
    began = v.now_s
    v.mode("LAND")
    v.heard.clear()
    v.until(lambda: not v.armed, 60.0)
    took = v.now_s - began
    return [
        *v.answers(),
        f"10 to 22 s: {10.0 < took < 22.0}",
        f"near: {v.away(0, 0) < 1.0}",
        v.state,
    ]


def go_home(v: Pilot, *settings: tuple[str, float], start: tuple[float, float, float]) -> Observed:
    """Return from a place; report the highest point and the landing."""
    v.hover()
    for name, value in settings:
        v.set(name, value)
    v.send(position(start[0], start[1], -start[2]))
    v.came(*start, 60.0)
    v.until(lambda: v.speed < 0.3, 20.0)
    highest = 0.0
    assert v.mode("RTL") == "ACCEPTED"

    def climb() -> bool:
        nonlocal highest
        highest = max(highest, v.height)
        return not v.armed or v.mode_name != "RTL"

    v.until(climb, 150.0)
    return [
        f"highest {about(highest, 1.0)} m",
        f"over home: {v.away(0, 0) < 1.0}",
        v.state,
    ]


area.add("RTL from 30 m away and 8 m up", lambda v: go_home(v, start=(30.0, 0.0, 8.0)))
area.add("RTL from above RTL_ALT", lambda v: go_home(v, start=(20.0, 0.0, 20.0)))
area.add(
    "RTL under a cone",
    lambda v: go_home(v, start=(3.0, 0.0, 5.0)),
    "within the cone the climb ends up to a metre lower",
)
area.add("RTL without a cone", lambda v: go_home(v, ("RTL_CONE_SLOPE", 0), start=(3.0, 0.0, 5.0)))
area.add(
    "RTL with another RTL_ALT", lambda v: go_home(v, ("RTL_ALT", 2500), start=(30.0, 0.0, 8.0))
)
area.add(
    "RTL climbing at least RTL_CLIMB_MIN",
    lambda v: go_home(v, ("RTL_CLIMB_MIN", 1000), ("RTL_ALT", 500), start=(30.0, 0.0, 8.0)),
)
area.add(
    "RTL that hovers shortly", lambda v: go_home(v, ("RTL_LOIT_TIME", 0), start=(10.0, 0.0, 6.0))
)
area.add("RTL at RTL_SPEED", lambda v: go_home(v, ("RTL_SPEED", 200), start=(40.0, 0.0, 8.0)))


@case("RTL that ends in the air (RTL_ALT_FINAL)")
def _(v: Pilot) -> Observed:
    v.hover()
    v.set("RTL_ALT_FINAL", 500)
    v.set("RTL_LOIT_TIME", 1000)
    v.mode("RTL")
    v.run(30.0)
    return [v.state, f"height {about(v.height, 1.0)}"]


@case("RTL to a rally point")
def _(v: Pilot) -> Observed:
    v.hover()
    v.upload([item(d.MAV_CMD_NAV_RALLY_POINT, at=(20, 15, 12), kind=2)], 2)
    v.set("RALLY_INCL_HOME", 0)
    v.mode("RTL")
    v.until(lambda: not v.armed, 90.0)
    return [f"there: {v.away(20, 15) < 1.5}", v.state]


@case("SmartRTL flies back the way it came")
def _(v: Pilot) -> Observed:
    v.hover()
    v.ground()  # so that it starts where home is
    v.hover()
    for corner in ((25.0, 0.0), (25.0, 25.0)):
        v.send(position(*corner, -8))
        v.came(*corner, 8.0)
    began = v.now_s
    lines = [v.mode("SMART_RTL")]
    nearest = [99.0]

    def watch() -> bool:
        nearest[0] = min(nearest[0], v.away(25.0, 0.0))
        return not v.armed

    v.until(watch, 120.0)
    took = v.now_s - began
    return [
        *lines,
        f"by the corner: {nearest[0] < 3.0}",
        f"home: {v.away(0, 0) < 1.5}",
        f"20 to 50 s: {20 < took < 50}",
        v.state,
    ]


@case("BRAKE stops within seconds and stays")
def _(v: Pilot) -> Observed:
    v.hover()
    v.send(position(60, 0, -8))
    v.until(lambda: v.speed > 5.0, 20.0)
    v.mode("BRAKE")
    began = v.now_s
    v.until(lambda: v.speed < 0.5, 20.0)
    took = v.now_s - began
    at = v.place
    v.run(3.0)
    return [f"within 4 s: {took < 4.0}", f"stays: {v.away(at[0], at[1]) < 2.0}", v.state]


@case("the way of 30 m takes as long")
def _(v: Pilot) -> Observed:
    v.hover()
    began = v.now_s
    v.send(position(30, 0, -8))
    v.until(lambda: v.away(30, 0) < 1.0, 40.0)
    return [f"to the nearest 3 s: {about(v.now_s - began, 3.0)}"]


@case("hover: what the outputs and the battery say")
def _(v: Pilot) -> Observed:
    v.hover()
    hud = v.peek("VFR_HUD")
    battery = v.peek("SYS_STATUS")
    assert hud is not None
    assert battery is not None
    return [
        f"throttle 25 to 50 %: {25 <= hud.throttle <= 50}",
        f"current 10 to 40 A: {1000 <= battery.current_battery <= 4000}",
        f"climb: {abs(hud.climb) < 0.3}",
    ]


@case("estimator report in flight")
def _(v: Pilot) -> Observed:
    v.hover()
    report = v.peek("EKF_STATUS_REPORT")
    assert report is not None
    return [f"flags={report.flags} good={report.pos_horiz_variance < 0.4}"]
