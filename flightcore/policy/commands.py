"""The rows of commands (COMMAND_LONG, COMMAND_INT) and of mission items: every MAV_CMD.

A command is judged as if it were addressed to the autopilot, whatever component it names: the real
ArduCopter executes what is addressed to a component that does not exist, or to everyone.

Source: ArduCopter's handlers, and https://mavlink.io/en/messages/ardupilotmega.html#mav_commands
"""

from typing import Final

from flightcore.policy.messages import SAFE_MODES
from flightcore.policy.rows import (
    COMMAND,
    COMMAND_ON_GROUND,
    REFUSE,
    SAFE,
    TRANSFER,
    TWO_STEPS,
    TWO_STEPS_IN_FLIGHT,
    TWO_STEPS_ON_GROUND,
    Case,
    Fields,
    Group,
    Row,
    rows,
)

_FORCES_CALIBRATION = 76
_HEARTBEAT = 0
_MESSAGE_IDS = 1 << 24


def _is_forced(fields: Fields) -> bool:
    """21196 and 2989 force it: motors stop in the air, or start with checks failing."""
    return fields["param2"] != 0


def _is_more_than_restart(fields: Fields) -> bool:
    """Find what is for others, holds the autopilot in its bootloader, or forces it in flight."""
    return fields["param1"] != 1 or any(fields[f"param{i}"] != 0 for i in range(2, 8))


def _turns_motors(fields: Fields) -> bool:
    """Find compassmot (param6) and ESC calibration (param7)."""
    return fields["param6"] != 0 or fields["param7"] != 0


def _skips_calibration(fields: Fields) -> bool:
    """Find what marks a sensor as calibrated; ArduCopter cuts param5 off at the point."""
    return any(
        _FORCES_CALIBRATION <= fields[name] < _FORCES_CALIBRATION + 1
        for name in ("param2", "param5")
    )


# Here NaN says "as it was" in every parameter; elsewhere in param4 to param7 only.
MAY_BE_NAN: Final = frozenset(("DO_GIMBAL_MANAGER_PITCHYAW",))

# Here the altitude must be a number: ArduCopter calculates with it unchecked, and SITL dies of it.
NEEDS_ALTITUDE: Final = frozenset(("NAV_TAKEOFF", "NAV_VTOL_TAKEOFF"))

_ONLY_IN_MISSION = "only in a mission"
_NOTHING_ABOARD = "nothing aboard does this"

COMMANDS: Final = (
    Group(
        "Fly",
        (
            *rows(SAFE, "good however late", "NAV_LOITER_UNLIM NAV_RETURN_TO_LAUNCH NAV_LAND"),
            Row("NAV_VTOL_LAND", SAFE, "good however late"),
            *rows(COMMAND, "take off", "NAV_TAKEOFF NAV_VTOL_TAKEOFF"),
            *rows(COMMAND, "where to fly", "DO_REPOSITION DO_CHANGE_SPEED CONDITION_YAW"),
            Row(
                "DO_PAUSE_CONTINUE",
                COMMAND,
                "continues",
                (Case("pause", "param1 is 0", lambda f: f["param1"] == 0, SAFE, "hold"),),
            ),
            Row(
                "DO_SET_MODE",
                COMMAND,
                "flight mode",
                (
                    Case(
                        "switch",
                        "param1 without the custom mode flag",
                        lambda f: not (0 <= f["param1"] < 256 and int(f["param1"]) & 1),
                        REFUSE,
                        "could stop all outputs",
                    ),
                    Case(
                        "safe",
                        "LAND, RTL, BRAKE or LOITER",
                        lambda f: f["param2"] in SAFE_MODES,
                        SAFE,
                        "good however late",
                    ),
                ),
            ),
            *rows(
                COMMAND,
                "steps of a mission",
                "MISSION_START DO_SET_MISSION_CURRENT DO_JUMP_TAG DO_LAND_START "
                "DO_RETURN_PATH_START",
            ),
            Row("DO_SET_HOME", TWO_STEPS_IN_FLIGHT, "move home, where a failsafe returns to"),
            Row("DO_ADSB_OUT_IDENT", COMMAND, "identify"),
        ),
    ),
    Group(
        "Arm, stop, and what guards the flight",
        (
            Row(
                "COMPONENT_ARM_DISARM",
                COMMAND,
                "the autopilot checks it",
                (
                    Case(
                        "force_arming",
                        "param2 is not 0, param1 is 1",
                        lambda f: _is_forced(f) and f["param1"] == 1,
                        TWO_STEPS,
                        "force arming",
                    ),
                    Case(
                        "force_disarming",
                        "param2 is not 0",
                        _is_forced,
                        TWO_STEPS,
                        "force disarming",
                    ),
                ),
            ),
            Row("RUN_PREARM_CHECKS", TRANSFER, "only looks"),
            Row(
                "DO_FLIGHTTERMINATION",
                REFUSE,
                "cannot be undone",
                (
                    Case(
                        "on",
                        "param1 is more than 0.5",
                        lambda f: f["param1"] > 0.5,
                        TWO_STEPS,
                        "terminate the flight",
                    ),
                ),
            ),
            Row(
                "DO_FENCE_ENABLE",
                TWO_STEPS,
                "switch the fence off",
                (Case("on", "param1 is 1", lambda f: f["param1"] == 1, COMMAND, "fence on"),),
            ),
            Row("DO_PARACHUTE", TWO_STEPS, "use the parachute"),
            Row("SET_EKF_SOURCE_SET", TWO_STEPS, "change the sources of navigation"),
            Row("DO_SET_SAFETY_SWITCH_STATE", TWO_STEPS_ON_GROUND, "use the safety switch"),
            Row("DO_AUX_FUNCTION", REFUSE, "one number stops motors"),
            *rows(REFUSE, "turns motors unasked", "DO_MOTOR_TEST ACTUATOR_TEST DO_ENGINE_CONTROL"),
            Row("BATTERY_RESET", REFUSE, "hides an empty battery"),
            Row("INJECT_FAILURE", REFUSE, "breaks a sensor"),
            Row("DO_SET_PARAMETER", REFUSE, "use PARAM_SET"),
            Row("START_RX_PAIR", REFUSE, "binds another transmitter"),
            Row("NAV_FENCE_RETURN_POINT", REFUSE, _ONLY_IN_MISSION),
            *rows(
                REFUSE,
                "only sensors aboard may say so",
                "EXTERNAL_POSITION_ESTIMATE SET_HAGL PREFLIGHT_SET_SENSOR_OFFSETS",
            ),
        ),
    ),
    Group(
        "Requests",
        (
            *rows(
                TRANSFER,
                "request",
                "GET_HOME_POSITION GET_MESSAGE_INTERVAL REQUEST_MESSAGE "
                "REQUEST_PROTOCOL_VERSION REQUEST_AUTOPILOT_CAPABILITIES DO_SEND_BANNER "
                "REQUEST_CAMERA_INFORMATION REQUEST_CAMERA_SETTINGS REQUEST_STORAGE_INFORMATION "
                "REQUEST_CAMERA_CAPTURE_STATUS REQUEST_FLIGHT_INFORMATION "
                "REQUEST_CAMERA_IMAGE_CAPTURE REQUEST_VIDEO_STREAM_INFORMATION "
                "REQUEST_VIDEO_STREAM_STATUS",
            ),
            Row(
                "SET_MESSAGE_INTERVAL",
                TRANSFER,
                "rate of telemetry",
                (
                    Case(
                        "heartbeat",
                        "param1 is 0, HEARTBEAT, or no message id",
                        lambda f: not _HEARTBEAT < int(f["param1"]) < _MESSAGE_IDS,
                        REFUSE,
                        "heartbeats tell if it is armed",
                    ),
                ),
            ),
        ),
    ),
    Group(
        "On the ground",
        (
            Row(
                "PREFLIGHT_CALIBRATION",
                COMMAND_ON_GROUND,
                "calibration",
                (
                    Case(
                        "motors",
                        "param6 or param7 is not 0",
                        _turns_motors,
                        REFUSE,
                        "turns motors",
                    ),
                    Case(
                        "force",
                        "param2 or param5 is 76",
                        _skips_calibration,
                        TWO_STEPS_ON_GROUND,
                        "take sensors as calibrated",
                    ),
                ),
            ),
            *rows(
                COMMAND_ON_GROUND,
                "calibration",
                "DO_ACCEPT_MAG_CAL DO_CANCEL_MAG_CAL ACCELCAL_VEHICLE_POS",
            ),
            Row("DO_START_MAG_CAL", TWO_STEPS_ON_GROUND, "calibrate the compass"),
            Row("FIXED_MAG_CAL_YAW", TWO_STEPS_ON_GROUND, "calibrate the compass"),
            *rows(REFUSE, "use FIXED_MAG_CAL_YAW", "FIXED_MAG_CAL FIXED_MAG_CAL_FIELD"),
            Row(
                "PREFLIGHT_REBOOT_SHUTDOWN",
                TWO_STEPS_ON_GROUND,
                "restart the autopilot",
                (
                    Case(
                        "other",
                        "anything but param1 = 1 and zeros",
                        _is_more_than_restart,
                        REFUSE,
                        "only a plain restart",
                    ),
                ),
            ),
            Row("PREFLIGHT_STORAGE", REFUSE, "resets all parameters"),
            Row("FLASH_BOOTLOADER", REFUSE, "no firmware over the air", is_fixed=True),
            Row("SET_FACTORY_TEST_MODE", REFUSE, "not in the field"),
            Row("DEBUG_TRAP", REFUSE, "stops the autopilot"),
            Row("POWER_OFF_INITIATED", REFUSE, "stops the autopilot"),
            *rows(REFUSE, "actuators are set up aboard", "CONFIGURE_ACTUATOR"),
            *rows(REFUSE, "a bus, unchecked", "CAN_FORWARD PREFLIGHT_UAVCAN UAVCAN_GET_NODE_INFO"),
            *rows(REFUSE, "logging to the ground is not served", "LOGGING_START LOGGING_STOP"),
        ),
    ),
    Group(
        "Payload",
        (
            *rows(
                COMMAND,
                "region of interest",
                "DO_SET_ROI_LOCATION DO_SET_ROI_NONE DO_SET_ROI DO_SET_ROI_SYSID",
            ),
            *rows(
                COMMAND,
                "gimbal",
                "DO_MOUNT_CONFIGURE DO_MOUNT_CONTROL DO_GIMBAL_MANAGER_PITCHYAW "
                "DO_GIMBAL_MANAGER_CONFIGURE",
            ),
            *rows(
                COMMAND,
                "camera",
                "DO_CONTROL_VIDEO DO_DIGICAM_CONFIGURE DO_DIGICAM_CONTROL DO_SET_CAM_TRIGG_DIST "
                "DO_SET_CAM_TRIGG_INTERVAL DO_TRIGGER_CONTROL SET_CAMERA_MODE SET_CAMERA_ZOOM "
                "SET_CAMERA_FOCUS SET_CAMERA_SOURCE SET_STORAGE_USAGE RESET_CAMERA_SETTINGS "
                "IMAGE_START_CAPTURE IMAGE_STOP_CAPTURE VIDEO_START_CAPTURE VIDEO_STOP_CAPTURE "
                "VIDEO_START_STREAMING VIDEO_STOP_STREAMING CAMERA_TRACK_POINT "
                "CAMERA_TRACK_RECTANGLE CAMERA_STOP_TRACKING",
            ),
            Row("STORAGE_FORMAT", TWO_STEPS_ON_GROUND, "erase the camera's storage"),
            Row("DO_GRIPPER", TWO_STEPS, "move the gripper"),
            Row("DO_WINCH", TWO_STEPS, "move the winch"),
            Row("DO_SPRAYER", TWO_STEPS, "switch the sprayer"),
            Row("DO_SET_SERVO", TWO_STEPS, "move a servo"),
            Row("DO_REPEAT_SERVO", TWO_STEPS, "move a servo repeatedly"),
            Row("DO_SET_RELAY", TWO_STEPS, "switch a relay"),
            Row("DO_REPEAT_RELAY", TWO_STEPS, "switch a relay repeatedly"),
            Row("AIRFRAME_CONFIGURATION", TWO_STEPS, "move the landing gear"),
            *rows(
                REFUSE,
                "drops the load unasked",
                "PAYLOAD_PREPARE_DEPLOY PAYLOAD_CONTROL_DEPLOY",
            ),
            Row("DO_SET_ACTUATOR", REFUSE, "moves outputs unchecked"),
        ),
    ),
    Group(
        "Scripts aboard",
        rows(
            REFUSE,
            "a script aboard would act on it",
            "SCRIPTING DO_SEND_SCRIPT_MESSAGE NAV_SCRIPT_TIME WAYPOINT_USER_1 WAYPOINT_USER_2 "
            "WAYPOINT_USER_3 WAYPOINT_USER_4 WAYPOINT_USER_5 SPATIAL_USER_1 SPATIAL_USER_2 "
            "SPATIAL_USER_3 SPATIAL_USER_4 SPATIAL_USER_5 USER_1 USER_2 USER_3 USER_4 USER_5",
        ),
    ),
    Group(
        "Items of a mission, which are no commands",
        rows(
            REFUSE,
            _ONLY_IN_MISSION,
            "NAV_WAYPOINT NAV_LOITER_TURNS NAV_LOITER_TIME NAV_CONTINUE_AND_CHANGE_ALT "
            "NAV_LOITER_TO_ALT NAV_SPLINE_WAYPOINT NAV_ARC_WAYPOINT NAV_GUIDED_ENABLE NAV_DELAY "
            "NAV_PAYLOAD_PLACE NAV_ATTITUDE_TIME CONDITION_DELAY CONDITION_CHANGE_ALT "
            "CONDITION_DISTANCE DO_JUMP JUMP_TAG DO_SET_RESUME_REPEAT_DIST DO_GUIDED_LIMITS "
            "NAV_FENCE_POLYGON_VERTEX_INCLUSION NAV_FENCE_POLYGON_VERTEX_EXCLUSION "
            "NAV_FENCE_CIRCLE_INCLUSION NAV_FENCE_CIRCLE_EXCLUSION NAV_RALLY_POINT",
        ),
    ),
    Group(
        "Buttons of a remote control that is not made any more",
        rows(
            REFUSE,
            "arms, by what it finds",
            "SOLO_BTN_FLY_CLICK SOLO_BTN_FLY_HOLD SOLO_BTN_PAUSE_CLICK",
        ),
    ),
    Group(
        "What no ArduCopter does",
        rows(
            REFUSE,
            _NOTHING_ABOARD,
            "NAV_LAND_LOCAL NAV_TAKEOFF_LOCAL NAV_FOLLOW DO_FOLLOW DO_FOLLOW_REPOSITION DO_ORBIT "
            "DO_FIGURE_EIGHT NAV_ROI NAV_PATHPLANNING NAV_ALTITUDE_WAIT NAV_LAST CONDITION_LAST "
            "DO_CHANGE_ALTITUDE DO_RALLY_LAND DO_GO_AROUND DO_SET_REVERSE "
            "DO_SET_ROI_WPNEXT_OFFSET DO_INVERTED_FLIGHT DO_AUTOTUNE_ENABLE NAV_SET_YAW_SPEED "
            "DO_MOUNT_CONTROL_QUAT DO_GUIDED_MASTER DO_LAST OVERRIDE_GOTO OBLIQUE_SURVEY "
            "DO_SET_STANDARD_MODE ILLUMINATOR_ON_OFF DO_ILLUMINATOR_CONFIGURE "
            "CONTROL_HIGH_LATENCY PANORAMA_CREATE DO_VTOL_TRANSITION ARM_AUTHORIZATION_REQUEST "
            "SET_GUIDED_SUBMODE_STANDARD SET_GUIDED_SUBMODE_CIRCLE CONDITION_GATE "
            "LOWEHEISER_SET_STATE "
            "GIMBAL_RESET GIMBAL_AXIS_CALIBRATION_STATUS GIMBAL_REQUEST_AXIS_CALIBRATION "
            "GIMBAL_FULL_RESET GUIDED_CHANGE_SPEED GUIDED_CHANGE_ALTITUDE GUIDED_CHANGE_HEADING",
        ),
    ),
)

# An item is executed when nobody asks: what as a command is refused or takes two steps in flight
# is no item.
ITEMS: Final = (
    Group(
        "Mission",
        (
            *rows(
                TRANSFER,
                "where to fly",
                "NAV_WAYPOINT NAV_SPLINE_WAYPOINT NAV_ARC_WAYPOINT NAV_LOITER_UNLIM "
                "NAV_LOITER_TURNS NAV_LOITER_TIME NAV_LOITER_TO_ALT NAV_RETURN_TO_LAUNCH NAV_LAND "
                "NAV_VTOL_LAND NAV_TAKEOFF NAV_VTOL_TAKEOFF NAV_CONTINUE_AND_CHANGE_ALT "
                "NAV_GUIDED_ENABLE NAV_DELAY NAV_ATTITUDE_TIME DO_CHANGE_SPEED DO_GUIDED_LIMITS",
            ),
            *rows(
                TRANSFER,
                "order of the mission",
                "CONDITION_DELAY CONDITION_CHANGE_ALT CONDITION_DISTANCE CONDITION_YAW DO_JUMP "
                "JUMP_TAG DO_JUMP_TAG DO_LAND_START DO_RETURN_PATH_START "
                "DO_SET_RESUME_REPEAT_DIST",
            ),
            *rows(
                TRANSFER,
                "payload",
                "DO_SET_ROI_LOCATION DO_SET_ROI_NONE DO_SET_ROI DO_SET_ROI_SYSID "
                "DO_MOUNT_CONTROL DO_GIMBAL_MANAGER_PITCHYAW DO_DIGICAM_CONFIGURE "
                "DO_DIGICAM_CONTROL DO_SET_CAM_TRIGG_DIST DO_SET_CAM_TRIGG_INTERVAL "
                "SET_CAMERA_ZOOM SET_CAMERA_FOCUS SET_CAMERA_SOURCE IMAGE_START_CAPTURE "
                "IMAGE_STOP_CAPTURE VIDEO_START_CAPTURE VIDEO_STOP_CAPTURE",
            ),
            Row(
                "DO_FENCE_ENABLE",
                REFUSE,
                "switches the fence off",
                (Case("on", "param1 is 1", lambda f: f["param1"] == 1, TRANSFER, "fence on"),),
            ),
        ),
    ),
    Group(
        "Fence",
        rows(
            TRANSFER,
            "bounds of the flight",
            "NAV_FENCE_RETURN_POINT NAV_FENCE_POLYGON_VERTEX_INCLUSION "
            "NAV_FENCE_POLYGON_VERTEX_EXCLUSION NAV_FENCE_CIRCLE_INCLUSION "
            "NAV_FENCE_CIRCLE_EXCLUSION",
        ),
    ),
    Group("Rally points", rows(TRANSFER, "where a failsafe may go", "NAV_RALLY_POINT")),
)
