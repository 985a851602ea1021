"""Missions and rally points as data: upload, download, partial writes, refusals."""

import math

from pymavlink.dialects.v20 import ardupilotmega as d

from tests.conformance.case import Area, Observed
from tests.conformance.pilot import Message, Pilot, item

area = Area("mission transfer")
case = area.case
WP, TAKEOFF, RTL = d.MAV_CMD_NAV_WAYPOINT, d.MAV_CMD_NAV_TAKEOFF, d.MAV_CMD_NAV_RETURN_TO_LAUNCH


def plan(*more: Message) -> list[Message]:
    return [item(WP, at=(0, 0, 584), frame=0), item(TAKEOFF, at=(0, 0, 10)), *more]


def stored(v: Pilot, one: Message) -> Observed:
    """Upload one item after home and a take-off; return what is kept of it."""
    answers = v.upload(plan(one))
    lines = v.download()
    v.ask(d.MAVLink_mission_clear_all_message(1, 1, 0))
    return [*answers, *lines[2:]]


def kept(name: str, one: Message, why: str | None = None) -> None:
    area.add(f"kept: {name}", lambda v: stored(v, one), why)


AT = (20.0, 10.0, 15.0)
kept("waypoint with all parameters", item(WP, 3, 2, 1, 90, at=AT))
kept("waypoint, altitude above sea", item(WP, at=(20, 10, 600), frame=0))
kept("waypoint, frame 6", item(WP, at=AT, frame=6))
kept("waypoint, frame 5", item(WP, at=(20, 10, 600), frame=5))
kept("waypoint, frame 10", item(WP, at=AT, frame=10))
kept("waypoint, frame 1", item(WP, at=AT, frame=1))
kept("waypoint, frame 2", item(WP, at=AT, frame=2))
kept("waypoint, param4 NaN", item(WP, 0, 0, 0, math.nan, at=AT))
kept("waypoint, param2 NaN", item(WP, 0, math.nan, at=AT))
kept("waypoint, param1 NaN", item(WP, math.nan, at=AT))
kept("waypoint, param1 infinite", item(WP, math.inf, at=AT))
kept("waypoint, z NaN", item(WP, at=(20, 10, math.nan)))
kept("waypoint, delay 70,000 s", item(WP, 70000, at=AT))
kept("waypoint, delay 1.5 s", item(WP, 1.5, at=AT))
kept("spline", item(d.MAV_CMD_NAV_SPLINE_WAYPOINT, 2, at=AT))
kept("loiter without end", item(d.MAV_CMD_NAV_LOITER_UNLIM, 0, 0, 0, 0, at=AT))
kept(
    "loiter for turns",
    item(d.MAV_CMD_NAV_LOITER_TURNS, 2, 0, 15, 0, at=AT),
    "it cannot fly circles, so it refuses the item at upload rather than in flight",
)
kept("loiter for a time", item(d.MAV_CMD_NAV_LOITER_TIME, 12, 0, 0, 0, at=AT))
kept("loiter to an altitude", item(d.MAV_CMD_NAV_LOITER_TO_ALT, 0, 0, 0, 0, at=AT))
kept("RTL", item(RTL))
kept("land here", item(d.MAV_CMD_NAV_LAND))
kept("land there", item(d.MAV_CMD_NAV_LAND, 5, 1, 0, 90, at=AT))
kept("take-off with pitch", item(TAKEOFF, 15, 0, 0, 90, at=(0, 0, 20)))
kept("delay", item(d.MAV_CMD_NAV_DELAY, 9, 12, 30, 0))
kept(
    "payload place",
    item(d.MAV_CMD_NAV_PAYLOAD_PLACE, 5, at=AT),
    "it has no payload, so it refuses the item at upload rather than in flight",
)
kept(
    "guided enable",
    item(d.MAV_CMD_NAV_GUIDED_ENABLE, 1),
    "a mission cannot hand over to GUIDED targets, so the item is refused at upload",
)
kept(
    "attitude time",
    item(d.MAV_CMD_NAV_ATTITUDE_TIME, 5, 1, 2, 3, at=(0, 0, 1)),
    "a mission cannot fly attitudes, so the item is refused at upload",
)
kept("condition delay", item(d.MAV_CMD_CONDITION_DELAY, 7))
kept("condition distance", item(d.MAV_CMD_CONDITION_DISTANCE, 25))
kept("condition yaw", item(d.MAV_CMD_CONDITION_YAW, 90, 20, -1, 1))
kept("jump", item(d.MAV_CMD_DO_JUMP, 1, 3))
kept("jump for ever", item(d.MAV_CMD_DO_JUMP, 1, -1))
kept("jump tag", item(d.MAV_CMD_JUMP_TAG, 7))
kept("jump to a tag", item(d.MAV_CMD_DO_JUMP_TAG, 7, 2))
kept("change speed", item(d.MAV_CMD_DO_CHANGE_SPEED, 1, 5.5, 50, 0))
kept("set home", item(d.MAV_CMD_DO_SET_HOME, 1, at=AT))
kept("ROI", item(d.MAV_CMD_DO_SET_ROI, at=AT))
kept("ROI place", item(d.MAV_CMD_DO_SET_ROI_LOCATION, at=AT))
kept("ROI none", item(d.MAV_CMD_DO_SET_ROI_NONE))
kept(
    "mount",
    item(d.MAV_CMD_DO_MOUNT_CONTROL, -30, 0, 45),
    "z, the mode of a mount there is none of, is not kept",
)
kept("gimbal", item(d.MAV_CMD_DO_GIMBAL_MANAGER_PITCHYAW, -30, 20, 0, 0))
kept("shutter", item(d.MAV_CMD_DO_DIGICAM_CONTROL, 1, 2, 3, 4))
kept("trigger distance", item(d.MAV_CMD_DO_SET_CAM_TRIGG_DIST, 12, 0, 1))
kept("start of pictures", item(d.MAV_CMD_IMAGE_START_CAPTURE, 0, 2, 5))
kept("servo", item(d.MAV_CMD_DO_SET_SERVO, 9, 1700))
kept("repeated servo", item(d.MAV_CMD_DO_REPEAT_SERVO, 9, 1700, 3, 2))
kept("relay", item(d.MAV_CMD_DO_SET_RELAY, 1, 1))
kept("repeated relay", item(d.MAV_CMD_DO_REPEAT_RELAY, 1, 3, 2))
kept("gripper", item(d.MAV_CMD_DO_GRIPPER, 1, 1))
kept("parachute", item(d.MAV_CMD_DO_PARACHUTE, 2))
kept("winch", item(d.MAV_CMD_DO_WINCH, 1, 1, 5, 0.5))
kept("fence on", item(d.MAV_CMD_DO_FENCE_ENABLE, 1))
kept("start of landing", item(d.MAV_CMD_DO_LAND_START, at=AT))
kept("autotune", item(d.MAV_CMD_DO_AUTOTUNE_ENABLE, 1))
kept("auxiliary function", item(d.MAV_CMD_DO_AUX_FUNCTION, 24, 2))
kept("set mode", item(d.MAV_CMD_DO_SET_MODE, 1, 4))
kept("engine", item(d.MAV_CMD_DO_ENGINE_CONTROL, 1))
kept("script", item(d.MAV_CMD_DO_SEND_SCRIPT_MESSAGE, 1, 2, 3, 4))
kept("a command without a meaning", item(31999, at=AT))
kept("a place off the Earth", item(WP, at=AT, frame=3))


@case("item with latitude 95 degrees")
def _(v: Pilot) -> Observed:
    wrong = item(WP, at=AT)
    wrong.x = 950_000_000
    return stored(v, wrong)


@case("the whole of it up and down again, home replaced")
def _(v: Pilot) -> Observed:
    v.ground()
    items = plan(item(WP, 3, at=AT), item(d.MAV_CMD_DO_JUMP, 2, 1), item(RTL))
    return [*v.upload(items), *v.download(), f"MIS_TOTAL {v.get('MIS_TOTAL'):g}"]


@case("download item by item in the old form")
def _(v: Pilot) -> Observed:
    v.upload(plan(item(WP, at=AT)))
    return v.ask(d.MAVLink_mission_request_message(1, 1, 1, 0))


@case("download beyond the end")
def _(v: Pilot) -> Observed:
    v.upload(plan())
    return [
        *v.ask(d.MAVLink_mission_request_int_message(1, 1, 9, 0)),
        *v.ask(d.MAVLink_mission_request_message(1, 1, 9, 0)),
    ]


@case("clear")
def _(v: Pilot) -> Observed:
    v.upload(plan(item(WP, at=AT)))
    lines = v.ask(d.MAVLink_mission_clear_all_message(1, 1, 0))
    return [*lines, *v.ask(d.MAVLink_mission_request_list_message(1, 1, 0))]


@case("clear all types")
def _(v: Pilot) -> Observed:
    v.upload(plan(item(WP, at=AT)))
    return v.ask(d.MAVLink_mission_clear_all_message(1, 1, 255))


@case("upload of no items")
def _(v: Pilot) -> Observed:
    v.upload(plan(item(WP, at=AT)))
    lines = v.ask(d.MAVLink_mission_count_message(1, 1, 0, 0))
    return [*lines, *v.ask(d.MAVLink_mission_request_list_message(1, 1, 0))]


@case("upload of too many items")
def _(v: Pilot) -> Observed:
    lines = v.ask(d.MAVLink_mission_count_message(1, 1, 5000, 0))
    return [*lines, *v.ask(d.MAVLink_mission_request_list_message(1, 1, 0))]


@case("upload that falls silent")
def _(v: Pilot) -> Observed:
    v.ask(d.MAVLink_mission_clear_all_message(1, 1, 0))
    first = v.ask(d.MAVLink_mission_count_message(1, 1, 3, 0), within=0.5)
    v.heard.clear()
    v.run(10.0)
    lines = v.answers()
    asked = sum(line.startswith("MISSION_REQUEST") for line in lines)
    rest = [line for line in lines if not line.startswith("MISSION_REQUEST")]
    return [*first, f"asked again, times: {'7 to 9' if 7 <= asked <= 9 else asked}", *rest]


@case("upload with an item out of order")
def _(v: Pilot) -> Observed:
    v.ask(d.MAVLink_mission_clear_all_message(1, 1, 0))
    lines = v.ask(d.MAVLink_mission_count_message(1, 1, 3, 0), within=0.2)
    wrong = item(WP, at=AT)
    wrong.seq = 2
    lines += v.ask(wrong, within=0.2)
    return [*lines, *v.upload(plan())]


@case("an item that nobody asked for")
def _(v: Pilot) -> Observed:
    return v.ask(item(WP, at=AT))


@case(
    "another ground station during an upload",
    "ArduPilot refuses the clear twice, with two reasons",
)
def _(v: Pilot) -> Observed:
    v.ask(d.MAVLink_mission_clear_all_message(1, 1, 0))
    v.ask(d.MAVLink_mission_count_message(1, 1, 2, 0), within=0.2)
    lines = v.ask(d.MAVLink_mission_count_message(1, 1, 4, 0), within=0.2, sysid=42)
    lines += v.ask(item(WP, at=AT), within=0.2, sysid=42)
    lines += v.ask(d.MAVLink_mission_request_list_message(1, 1, 0), within=0.2)
    lines += v.ask(d.MAVLink_mission_clear_all_message(1, 1, 0), within=0.2, sysid=42)
    v.upload(plan())
    return [line for line in lines if not line.startswith("MISSION_REQUEST")]


@case("a part is replaced")
def _(v: Pilot) -> Observed:
    v.upload(plan(item(WP, at=AT), item(RTL)))
    lines = v.ask(d.MAVLink_mission_write_partial_list_message(1, 1, 2, 2, 0))
    new = item(WP, at=(5, 5, 25))
    new.seq = 2
    return [*lines, *v.ask(new), *v.download()[2:]]


@case("a part beyond the end is replaced")
def _(v: Pilot) -> Observed:
    v.upload(plan())
    return v.ask(d.MAVLink_mission_write_partial_list_message(1, 1, 5, 9, 0))


@case("a part backwards")
def _(v: Pilot) -> Observed:
    v.upload(plan(item(WP, at=AT)))
    return v.ask(d.MAVLink_mission_write_partial_list_message(1, 1, 2, 1, 0))


@case("items as MISSION_ITEM")
def _(v: Pilot) -> Observed:
    old = [
        d.MAVLink_mission_item_message(1, 1, i, 3, 16, 0, 1, 0, 0, 0, 0, -35.363, 149.165, 12, 0)
        for i in range(2)
    ]
    return [*v.upload(old), *(" ".join(line.split()[:9]) for line in v.download()[1:])]


@case("an item type without a meaning")
def _(v: Pilot) -> Observed:
    return v.ask(d.MAVLink_mission_request_list_message(1, 1, 7))


def current(v: Pilot, message: Message) -> Observed:
    v.ground()
    v.upload(plan(item(WP, at=AT), item(RTL)))
    lines = v.ask(message)
    told = v.peek("MISSION_CURRENT")
    assert told is not None
    kept = [line for line in lines if not line.startswith("MISSION_CURRENT")]
    return [*kept, f"current={told.seq} total={told.total} state={told.mission_state}"]


def set_current(seq: float, restart: float = 0.0) -> Message:
    return d.MAVLink_command_long_message(1, 1, 224, 0, seq, restart, *[0.0] * 5)


area.add(
    "current item, by message", lambda v: current(v, d.MAVLink_mission_set_current_message(1, 1, 2))
)
area.add(
    "current item, by message, beyond the end",
    lambda v: current(v, d.MAVLink_mission_set_current_message(1, 1, 9)),
)
area.add("current item, by command", lambda v: current(v, set_current(3)))
area.add("current item, by command, 0", lambda v: current(v, set_current(0)))
area.add("current item, by command, beyond the end", lambda v: current(v, set_current(9)))
area.add("current item, by command, -1", lambda v: current(v, set_current(-1)))
area.add(
    "current item, by command, with a restart",
    lambda v: current(v, set_current(2, 1)),
    "ArduPilot lets the mission run at once, disarmed and outside AUTO; here it is wound back",
)


@case(
    "rally points up and down",
    "RALLY_TOTAL is told once, after the acknowledgement, not with every point",
)
def _(v: Pilot) -> Observed:
    points = [
        item(d.MAV_CMD_NAV_RALLY_POINT, at=(30, 10, 20), kind=2),
        item(d.MAV_CMD_NAV_RALLY_POINT, 1, 2, 3, 4, at=(60, 10, 25), kind=2),
    ]
    return [*v.upload(points, 2), *v.download(2), f"RALLY_TOTAL {v.get('RALLY_TOTAL'):g}"]


@case("rally points cleared")
def _(v: Pilot) -> Observed:
    v.upload([item(d.MAV_CMD_NAV_RALLY_POINT, at=(30, 10, 20), kind=2)], 2)
    lines = v.ask(d.MAVLink_mission_clear_all_message(1, 1, 2))
    return [*lines, f"RALLY_TOTAL {v.get('RALLY_TOTAL'):g}"]


@case("a waypoint among rally points")
def _(v: Pilot) -> Observed:
    return v.upload([item(WP, at=(30, 10, 20), kind=2)], 2)


@case("a rally point in frame 1")
def _(v: Pilot) -> Observed:
    return v.upload([item(d.MAV_CMD_NAV_RALLY_POINT, at=(30, 10, 20), frame=1, kind=2)], 2)
