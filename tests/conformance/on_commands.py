"""Commands that ground software sends: what the vehicle answers to each, right or wrong."""

import math

from pymavlink.dialects.v20 import ardupilotmega as d

from tests.conformance.case import Area, Observed
from tests.conformance.pilot import Pilot, command_name

area = Area("commands")
case = area.case


def grounded(
    name: str, command: int, *params: float, why: str | None = None, spoils: bool = False
) -> None:
    """A COMMAND_LONG to a disarmed vehicle in GUIDED: all answers, and the state after."""

    def script(v: Pilot) -> Observed:
        v.ground()
        # A calibration takes its time.
        within = 1.5 if command == d.MAV_CMD_PREFLIGHT_CALIBRATION else 0.4
        return [*v.command(command, *params, within=within), v.state]

    area.add(f"on the ground: {command_name(command)} {name}".strip(), script, why, spoils=spoils)


def flown(name: str, command: int, *params: float, why: str | None = None) -> None:
    """The same in the air in GUIDED."""

    def script(v: Pilot) -> Observed:
        v.hover()
        return [*v.command(command, *params), v.state]

    area.add(f"in the air: {command_name(command)} {name}".strip(), script, why)


def as_int(
    name: str,
    command: int,
    frame: int,
    *params: float,
    x: int = 0,
    y: int = 0,
    z: float = 0.0,
    why: str | None = None,
) -> None:
    """A COMMAND_INT in the air in GUIDED."""
    padded = [*map(float, params), *[0.0] * (4 - len(params))]

    def script(v: Pilot) -> Observed:
        v.hover()
        message = d.MAVLink_command_int_message(1, 1, frame, command, 0, 0, *padded, x, y, z)
        return [*v.ask(message), v.state]

    area.add(f"in the air, COMMAND_INT: {command_name(command)} {name}".strip(), script, why)


grounded("", d.MAV_CMD_NAV_TAKEOFF, *[0] * 6, 10)
grounded("", d.MAV_CMD_NAV_LAND)
grounded("", d.MAV_CMD_NAV_RETURN_TO_LAUNCH)
grounded("", d.MAV_CMD_NAV_LOITER_UNLIM)
grounded("", d.MAV_CMD_NAV_VTOL_LAND)
grounded("", d.MAV_CMD_NAV_WAYPOINT)
grounded("", d.MAV_CMD_NAV_GUIDED_ENABLE, 1)
grounded("", d.MAV_CMD_CONDITION_YAW, 90, 20, 1, 0)
grounded("to 400 degrees", d.MAV_CMD_CONDITION_YAW, 400)
grounded("to 5 m/s", d.MAV_CMD_DO_CHANGE_SPEED, 1, 5)
grounded("to nothing", d.MAV_CMD_DO_CHANGE_SPEED, 1, 0)
grounded("to -1", d.MAV_CMD_DO_CHANGE_SPEED, 1, -1)
grounded("of a fifth kind", d.MAV_CMD_DO_CHANGE_SPEED, 5, 5)
grounded("with no mission", d.MAV_CMD_MISSION_START)
grounded("from item 1 to 2", d.MAV_CMD_MISSION_START, 1, 2)
grounded("pause", d.MAV_CMD_DO_PAUSE_CONTINUE, 0)
grounded("of the third kind", d.MAV_CMD_DO_PAUSE_CONTINUE, 2)
grounded("to item 3 of none", d.MAV_CMD_DO_SET_MISSION_CURRENT, 3)
grounded("to item -1", d.MAV_CMD_DO_SET_MISSION_CURRENT, -1)
grounded("without flags, as LONG", d.MAV_CMD_DO_REPOSITION, -1, 1, 0, 0, -35.36, 149.16, 600)
grounded("gyroscopes", d.MAV_CMD_PREFLIGHT_CALIBRATION, 1)
grounded("barometer", d.MAV_CMD_PREFLIGHT_CALIBRATION, 0, 0, 1)
grounded("of nothing", d.MAV_CMD_PREFLIGHT_CALIBRATION)
grounded("write", d.MAV_CMD_PREFLIGHT_STORAGE, 1)
grounded(
    "reset",
    d.MAV_CMD_PREFLIGHT_STORAGE,
    2,
    spoils=True,
    why="its parameters last as long as the process: start it anew instead",
)
grounded("of nothing", d.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN)
grounded("on", d.MAV_CMD_DO_FENCE_ENABLE, 1)
grounded("off", d.MAV_CMD_DO_FENCE_ENABLE, 0)
grounded("floor off", d.MAV_CMD_DO_FENCE_ENABLE, 2)
grounded("of the fourth kind", d.MAV_CMD_DO_FENCE_ENABLE, 3)
grounded("with nothing to terminate", d.MAV_CMD_DO_FLIGHTTERMINATION, 0, spoils=True)
grounded("", d.MAV_CMD_DO_SET_ROI, 0, 0, 0, 0, -35.362, 149.166, 0)
grounded("off the Earth", d.MAV_CMD_DO_SET_ROI_LOCATION, 0, 0, 0, 0, -95.0, 149.166, 0)
grounded("", d.MAV_CMD_DO_SET_ROI_NONE)
grounded("of servo 9", d.MAV_CMD_DO_SET_SERVO, 9, 1500)
grounded("of a motor's output", d.MAV_CMD_DO_SET_SERVO, 1, 1500)
grounded("of relay 0", d.MAV_CMD_DO_SET_RELAY, 0, 1)
grounded("of servo 9", d.MAV_CMD_DO_REPEAT_SERVO, 9, 1500, 1, 1)
grounded("", d.MAV_CMD_DO_GRIPPER, 1, 0)
grounded("", d.MAV_CMD_DO_PARACHUTE, 0)
grounded("", d.MAV_CMD_DO_MOUNT_CONTROL, -30, 0, 0, 0, 0, 0, 2)
grounded("", d.MAV_CMD_DO_GIMBAL_MANAGER_PITCHYAW, -30, 0, 0, 0)
grounded("", d.MAV_CMD_DO_DIGICAM_CONTROL, 0, 0, 0, 0, 1)
grounded("", d.MAV_CMD_DO_SET_CAM_TRIGG_DIST, 10)
grounded("", d.MAV_CMD_IMAGE_START_CAPTURE, 0, 1, 1)
grounded("", d.MAV_CMD_VIDEO_START_CAPTURE)
grounded("", d.MAV_CMD_SET_CAMERA_ZOOM, 2, 50)
grounded(
    "motor 1 for a second",
    d.MAV_CMD_DO_MOTOR_TEST,
    1,
    0,
    5,
    1,
    spoils=True,
    why="motors do not turn one by one",
)
grounded(
    "", d.MAV_CMD_DO_START_MAG_CAL, 0, 1, 1, spoils=True, why="its compass is right by construction"
)
grounded("of none", d.MAV_CMD_DO_CANCEL_MAG_CAL)
grounded("of none", d.MAV_CMD_DO_ACCEPT_MAG_CAL)
grounded(
    "", d.MAV_CMD_FIXED_MAG_CAL_YAW, 0, spoils=True, why="its compass is right by construction"
)
grounded("", d.MAV_CMD_ACCELCAL_VEHICLE_POS, 1)
grounded("", d.MAV_CMD_DO_AUX_FUNCTION, 9, 2)
grounded("of no function", d.MAV_CMD_DO_AUX_FUNCTION, 9999, 2)
grounded("without items", d.MAV_CMD_DO_LAND_START)
grounded("", d.MAV_CMD_DO_RETURN_PATH_START)
grounded("", d.MAV_CMD_DO_AUTOTUNE_ENABLE, 1)
grounded("", d.MAV_CMD_DO_SPRAYER, 1)
grounded("", d.MAV_CMD_DO_WINCH, 1)
grounded("", d.MAV_CMD_DO_SEND_SCRIPT_MESSAGE, 1, 2)
grounded("", d.MAV_CMD_SET_HAGL, 1, 1, 5)
grounded("", d.MAV_CMD_DO_ORBIT, 10, 2)
grounded("", d.MAV_CMD_DO_FOLLOW, 2)
grounded("", d.MAV_CMD_DO_VTOL_TRANSITION, 4)
grounded("", d.MAV_CMD_CONTROL_HIGH_LATENCY, 1)
grounded("", d.MAV_CMD_START_RX_PAIR, 0)
grounded("", d.MAV_CMD_SET_EKF_SOURCE_SET, 1)
grounded("of a fourth set", d.MAV_CMD_SET_EKF_SOURCE_SET, 4)
grounded(
    "",
    d.MAV_CMD_DO_SET_SAFETY_SWITCH_STATE,
    0,
    spoils=True,
    why="it has no safety switch, which there would hinder arming",
)
grounded("", d.MAV_CMD_STORAGE_FORMAT, 1, 0)
grounded("a command without a meaning", 31999)
grounded("", d.MAV_CMD_USER_1, 1)
grounded(
    "", d.MAV_CMD_BATTERY_RESET, 1, 50, spoils=True, why="the charge of its battery is physics"
)
grounded("", d.MAV_CMD_DEBUG_TRAP, 0)
grounded("", d.MAV_CMD_SCRIPTING, 0)
grounded("", d.MAV_CMD_EXTERNAL_POSITION_ESTIMATE, 1)
grounded("by the wrong magic", d.MAV_CMD_COMPONENT_ARM_DISARM, 1, 12345)
grounded("with half a one", d.MAV_CMD_COMPONENT_ARM_DISARM, 0.5)
grounded("with 2", d.MAV_CMD_COMPONENT_ARM_DISARM, 2)
grounded("with NaN", d.MAV_CMD_COMPONENT_ARM_DISARM, 0, math.nan)

flown("again", d.MAV_CMD_NAV_TAKEOFF, *[0] * 6, 20)
flown("without magic", d.MAV_CMD_COMPONENT_ARM_DISARM, 0)
flown("armed again", d.MAV_CMD_COMPONENT_ARM_DISARM, 1)
flown("", d.MAV_CMD_RUN_PREARM_CHECKS)
flown("gyroscopes", d.MAV_CMD_PREFLIGHT_CALIBRATION, 1)
flown("", d.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN, 1)
flown("write", d.MAV_CMD_PREFLIGHT_STORAGE, 1)
flown("pause", d.MAV_CMD_DO_PAUSE_CONTINUE, 0)
flown("continue", d.MAV_CMD_DO_PAUSE_CONTINUE, 1)
flown("to 4 m/s", d.MAV_CMD_DO_CHANGE_SPEED, 1, 4)
flown("climbing", d.MAV_CMD_DO_CHANGE_SPEED, 2, 2)
flown("descending", d.MAV_CMD_DO_CHANGE_SPEED, 3, 1)
flown("in the air", d.MAV_CMD_DO_CHANGE_SPEED, 0, 4)
flown("", d.MAV_CMD_NAV_LOITER_UNLIM)
flown("", d.MAV_CMD_NAV_RETURN_TO_LAUNCH)
flown("", d.MAV_CMD_NAV_LAND)
flown("motor 1", d.MAV_CMD_DO_MOTOR_TEST, 1, 0, 5, 1, why="motors do not turn one by one")
flown("relative", d.MAV_CMD_CONDITION_YAW, 30, 0, -1, 1)
flown("half relative", d.MAV_CMD_CONDITION_YAW, 30, 0, 1, 0.5)
flown("back by 30", d.MAV_CMD_CONDITION_YAW, -30, 0, 1, 1)
flown("without a mission", d.MAV_CMD_MISSION_START)

X, Y = -353630000, 1491653000
as_int("frame 3", 192, 3, -1, 1, x=X, y=Y, z=10)
as_int("frame 6", 192, 6, -1, 1, x=X, y=Y, z=10)
as_int("frame 0", 192, 0, -1, 1, x=X, y=Y, z=594)
as_int("frame 5", 192, 5, 0, 1, x=X, y=Y, z=594)
as_int("frame 1, which has no places", 192, 1, -1, 1, x=X, y=Y, z=10)
as_int("frame 10, above terrain", 192, 10, -1, 1, x=X, y=Y, z=10)
as_int("without flags", 192, 3, -1, 0, x=X, y=Y, z=10)
as_int("with yaw NaN", 192, 3, -1, 1, 0, math.nan, x=X, y=Y, z=10)
as_int("with yaw 90", 192, 3, -1, 1, 0, 90, x=X, y=Y, z=10)
as_int("to 0, 0", 192, 3, -1, 1, x=0, y=0, z=10)
as_int("off the Earth", 192, 3, -1, 1, x=950000000, y=Y, z=10)
as_int("to z NaN", 192, 3, -1, 1, x=X, y=Y, z=math.nan)
as_int("at 3 m/s", 192, 3, 3, 1, x=X, y=Y, z=10)
as_int("to GUIDED", 176, 0, 1, 4)
as_int("", d.MAV_CMD_NAV_TAKEOFF, 3, z=20)
as_int("in frame 0", d.MAV_CMD_NAV_TAKEOFF, 0, z=600)
as_int("", 43003, 3, x=X, y=Y)
as_int("speed", 43000, 3, 1, 5)
as_int("heading", 43002, 3, 1, 90, 1)
as_int("", d.MAV_CMD_DO_SET_ROI_LOCATION, 3, x=X, y=Y)
as_int("", d.MAV_CMD_REQUEST_MESSAGE, 0, 242)


@case("a reposition is refused outside GUIDED without the flag that changes mode")
def _(v: Pilot) -> Observed:
    v.hover()
    v.mode("BRAKE")
    refused = v.ask(d.MAVLink_command_int_message(1, 1, 3, 192, 0, 0, -1, 0, 0, 0, X, Y, 10))
    taken = v.ask(d.MAVLink_command_int_message(1, 1, 3, 192, 0, 0, -1, 1, 0, 0, X, Y, 10))
    return [*refused, *taken, v.state]


@case("termination in the air disarms, and nothing arms until a reboot", spoils=True)
def _(v: Pilot) -> Observed:
    v.arm()
    v.must(d.MAV_CMD_NAV_TAKEOFF, *[0] * 6, 3)
    v.until(lambda: v.height > 1.0, 20.0)
    lines = v.command(d.MAV_CMD_DO_FLIGHTTERMINATION, 1)
    state = v.state
    beat = v.last["HEARTBEAT"].system_status
    v.run(3.0)
    refused = v.command(d.MAV_CMD_COMPONENT_ARM_DISARM, 1)
    return [*lines, state, f"status={beat}", *refused]


@case("a reboot: settings stay, the vehicle stands in STABILIZE without streams", spoils=True)
def _(v: Pilot) -> Observed:
    v.ground()
    v.set("RTL_ALT", 1234)
    v.reboot()
    return [v.state, f"{v.get('RTL_ALT'):g}"]
