"""Missions that are flown."""

from pymavlink.dialects.v20 import ardupilotmega as d

from tests.conformance.case import Area, Observed
from tests.conformance.pilot import Message, Pilot, item

area = Area("mission flight")
case = area.case
WP, TAKEOFF, RTL = d.MAV_CMD_NAV_WAYPOINT, d.MAV_CMD_NAV_TAKEOFF, d.MAV_CMD_NAV_RETURN_TO_LAUNCH
HOME = item(WP, at=(0, 0, 584), frame=0)
UP = item(TAKEOFF, at=(0, 0, 6))


def wp(north: float, east: float = 0.0, height: float = 6.0, delay: float = 0.0) -> Message:
    return item(WP, delay, at=(north, east, height))


def flown(v: Pilot, *items: Message, limit_s: float = 150.0) -> Observed:
    """Upload, start, and fly until it disarms; return all texts."""
    v.ground()
    answers = v.upload([HOME, *items])
    assert "ACCEPTED" in answers[0], answers
    v.mode("AUTO")
    v.set("AUTO_OPTIONS", 3)
    v.must(400, 1)
    v.heard.clear()
    v.must(300)
    v.until(lambda: not v.armed, limit_s)
    lines = [line for line in v.answers() if not line.startswith(("PARAM", "MISSION_CURRENT"))]
    return [*lines, v.state]


area.add("waypoints and RTL", lambda v: flown(v, UP, wp(10), wp(10, 8), item(RTL)))
area.add("land at a place", lambda v: flown(v, UP, wp(8), item(d.MAV_CMD_NAV_LAND, at=(8, 6, 0))))
area.add("delay at a waypoint", lambda v: flown(v, UP, wp(8, delay=3), item(d.MAV_CMD_NAV_LAND)))
area.add(
    "jump twice",
    lambda v: flown(v, UP, wp(8), wp(0), item(d.MAV_CMD_DO_JUMP, 2, 2), item(d.MAV_CMD_NAV_LAND)),
)
area.add(
    "jump to a tag",
    lambda v: flown(
        v,
        UP,
        item(d.MAV_CMD_JUMP_TAG, 5),
        wp(8),
        wp(0),
        item(d.MAV_CMD_DO_JUMP_TAG, 5, 1),
        item(d.MAV_CMD_NAV_LAND),
    ),
)
area.add(
    "NAV_DELAY", lambda v: flown(v, UP, item(d.MAV_CMD_NAV_DELAY, 3), item(d.MAV_CMD_NAV_LAND))
)
area.add(
    "loiter for a time",
    lambda v: flown(
        v, UP, item(d.MAV_CMD_NAV_LOITER_TIME, 3, at=(6, 0, 6)), item(d.MAV_CMD_NAV_LAND)
    ),
)
area.add(
    "loiter for turns",
    lambda v: flown(
        v, UP, item(d.MAV_CMD_NAV_LOITER_TURNS, 1, 0, 6, at=(6, 0, 6)), item(d.MAV_CMD_NAV_LAND)
    ),
)
area.add(
    "spline",
    lambda v: flown(
        v,
        UP,
        item(d.MAV_CMD_NAV_SPLINE_WAYPOINT, at=(8, 0, 6)),
        item(d.MAV_CMD_NAV_SPLINE_WAYPOINT, at=(8, 8, 6)),
        item(d.MAV_CMD_NAV_LAND),
    ),
)
area.add(
    "a slower speed",
    lambda v: flown(v, UP, item(d.MAV_CMD_DO_CHANGE_SPEED, 1, 2), wp(10), item(d.MAV_CMD_NAV_LAND)),
)
area.add(
    "turns of the nose",
    lambda v: flown(
        v, UP, wp(8), item(d.MAV_CMD_CONDITION_YAW, 90, 30, 1, 0), wp(16), item(d.MAV_CMD_NAV_LAND)
    ),
)
area.add(
    "condition delay before a speed",
    lambda v: flown(
        v,
        UP,
        item(d.MAV_CMD_CONDITION_DELAY, 1),
        item(d.MAV_CMD_DO_CHANGE_SPEED, 1, 4),
        wp(20),
        item(d.MAV_CMD_NAV_LAND),
    ),
)
area.add(
    "condition distance",
    lambda v: flown(
        v,
        UP,
        wp(20),
        item(d.MAV_CMD_CONDITION_DISTANCE, 8),
        item(d.MAV_CMD_DO_SET_ROI_NONE),
        wp(0),
        item(d.MAV_CMD_NAV_LAND),
    ),
)
area.add(
    "servo, relay and camera on the way",
    lambda v: flown(
        v,
        UP,
        item(d.MAV_CMD_DO_SET_SERVO, 9, 1700),
        item(d.MAV_CMD_DO_SET_RELAY, 0, 1),
        item(d.MAV_CMD_DO_DIGICAM_CONTROL),
        wp(8),
        item(d.MAV_CMD_NAV_LAND),
    ),
)
area.add(
    "fence on by a mission",
    lambda v: flown(v, UP, item(d.MAV_CMD_DO_FENCE_ENABLE, 1), wp(8), item(d.MAV_CMD_NAV_LAND)),
)
area.add(
    "home moved by a mission",
    lambda v: flown(v, UP, wp(12), item(d.MAV_CMD_DO_SET_HOME, 1), wp(0), item(d.MAV_CMD_NAV_LAND)),
)
area.add(
    "payload place",
    lambda v: flown(v, UP, item(d.MAV_CMD_NAV_PAYLOAD_PLACE, 0, at=(6, 0, 0.5)), item(RTL)),
)
area.add(
    "start of a landing sequence is passed over",
    lambda v: flown(v, UP, item(d.MAV_CMD_DO_LAND_START, at=(5, 5, 5)), item(d.MAV_CMD_NAV_LAND)),
)
area.add("an end in the air: it hovers", lambda v: flown(v, UP, wp(6), limit_s=25.0))


@case("a mission without a take-off, on the ground")
def _(v: Pilot) -> Observed:
    v.ground()
    v.upload([HOME, wp(10)])
    v.arm()
    return [*v.command(176, 1, 3), v.state]


@case("a mission taken up in the air, left, and taken up again")
def _(v: Pilot) -> Observed:
    v.hover(6.0)
    v.upload([HOME, UP, wp(25), wp(0)])
    lines = [v.mode("AUTO")]
    v.until(lambda: v.place[0] > 10.0, 40.0)
    v.mode("GUIDED")
    v.heard.clear()
    lines.append(v.mode("AUTO"))
    v.run(1.0)
    lines += [line for line in v.answers() if line.startswith("text")]
    told = v.peek("MISSION_CURRENT")
    assert told is not None
    return [*lines, f"current={told.seq} state={told.mission_state} mode={told.mission_mode}"]


@case("the current item changed on the way")
def _(v: Pilot) -> Observed:
    v.hover(6.0)
    v.upload([HOME, UP, wp(40), wp(0, 30)])
    v.mode("AUTO")
    v.until(lambda: v.place[0] > 5.0, 40.0)
    v.heard.clear()
    lines = [v.result(224, 3)]
    v.run(1.0)
    return [*lines, *[line for line in v.answers() if line.startswith("text")]]


@case("pause and continue in AUTO")
def _(v: Pilot) -> Observed:
    v.hover(6.0)
    v.upload([HOME, UP, wp(60)])
    v.mode("AUTO")
    v.until(lambda: v.speed > 3.0, 40.0)
    lines = [v.result(193, 0), f"stops: {v.until(lambda: v.speed < 0.4, 10.0)}"]
    told = v.peek("MISSION_CURRENT")
    assert told is not None
    lines.append(f"state={told.mission_state}")
    return [*lines, v.result(193, 1), f"goes on: {v.until(lambda: v.speed > 1.0, 8.0)}"]


@case("a mission cleared on the way")
def _(v: Pilot) -> Observed:
    v.hover(6.0)
    v.upload([HOME, UP, wp(60)])
    v.mode("AUTO")
    v.until(lambda: v.place[0] > 5.0, 40.0)
    v.heard.clear()
    lines = v.ask(d.MAVLink_mission_clear_all_message(1, 1, 0))
    v.run(2.0)
    return [*lines, v.state]


@case("a waypoint outside the fence")
def _(v: Pilot) -> Observed:
    v.hover(6.0)
    for name, value in (
        ("FENCE_TYPE", 2),
        ("FENCE_RADIUS", 25),
        ("FENCE_MARGIN", 2),
        ("FENCE_ENABLE", 1),
    ):
        v.set(name, value)
    v.upload([HOME, UP, wp(60)])
    v.heard.clear()
    v.mode("AUTO")
    v.until(lambda: v.mode_name != "AUTO", 30.0)
    return [*[line for line in v.answers() if line.startswith("text")], v.state]
