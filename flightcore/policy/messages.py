"""The rows of messages: every message of the ardupilotmega dialect, by class.

What is refused here is refused whatever component it is addressed to. Source of what ArduPilot does
with each: its handlers (GCS_Common.cpp), and https://mavlink.io/en/messages/ardupilotmega.html
"""

from typing import Final

from crypto.pair import Role
from flightcore.policy.rows import (
    COMMAND,
    COMMAND_ON_GROUND,
    CONTROL,
    ON_GROUND,
    PRESENCE,
    REFUSE,
    SAFE,
    TRANSFER,
    Case,
    Does,
    Fields,
    Group,
    Row,
    Rule,
    rows,
)
from flightcore.policy.verdicts import Freshness

MISSION, FENCE, RALLY, EVERYTHING = 0, 1, 2, 255  # MAV_MISSION_TYPE
# LAND, RTL, BRAKE, LOITER: documentation of ArduCopter.
SAFE_MODES: Final = frozenset((9, 6, 17, 5))

_IN_FLIGHT_BY_SUPERVISOR = Rule(
    Does.FORWARD,
    Freshness.TRANSFER,
    ON_GROUND,
    elsewhere=Rule(Does.TWO_STEP, Freshness.TRANSFER, least=Role.SUPERVISOR),
)


def _is_not_mission(fields: Fields) -> bool:
    return fields["mission_type"] != MISSION


_GUARDED_PLAN = (
    Case(
        "fence_or_rally",
        "mission_type is not 0",
        _is_not_mission,
        _IN_FLIGHT_BY_SUPERVISOR,
        "bounds of the flight",
    ),
)


def _carries(name: str, what: str) -> Row:
    return Row(name, TRANSFER, f"by the {what} in it", is_fixed=True)


MESSAGES: Final = (
    Group(
        "Presence and time of the operator",
        (
            Row("HEARTBEAT", PRESENCE, "the operator is there"),
            *rows(TRANSFER, "measures the link", "PING TIMESYNC"),
        ),
    ),
    Group(
        "Commands, modes, sticks and setpoints",
        (
            _carries("COMMAND_LONG", "command"),
            _carries("COMMAND_INT", "command"),
            Row(
                "SET_MODE",
                COMMAND,
                "flight mode",
                (
                    Case(
                        "switch",
                        "base_mode without the custom mode flag",
                        lambda f: not int(f["base_mode"]) & 1,
                        REFUSE,
                        "could stop all outputs",
                    ),
                    Case(
                        "safe",
                        "LAND, RTL, BRAKE or LOITER",
                        lambda f: f["custom_mode"] in SAFE_MODES,
                        SAFE,
                        "good however late",
                    ),
                ),
            ),
            *rows(CONTROL, "sticks", "MANUAL_CONTROL RC_CHANNELS_OVERRIDE"),
            *rows(
                CONTROL,
                "setpoint",
                "SET_ATTITUDE_TARGET SET_POSITION_TARGET_LOCAL_NED SET_POSITION_TARGET_GLOBAL_INT",
            ),
            Row("COMMAND_ACK", COMMAND_ON_GROUND, "next step of a calibration"),
            *rows(
                REFUSE,
                "drives outputs past the flight code",
                "MANUAL_SETPOINT SET_ACTUATOR_CONTROL_TARGET HIL_CONTROLS HIL_ACTUATOR_CONTROLS "
                "HIL_RC_INPUTS_RAW",
            ),
            *rows(
                REFUSE,
                "authority is given by pairing",
                "CHANGE_OPERATOR_CONTROL CHANGE_OPERATOR_CONTROL_ACK",
            ),
            Row("PARAM_MAP_RC", REFUSE, "ties a parameter to a stick"),
        ),
    ),
    Group(
        "Parameters",
        (
            *rows(TRANSFER, "read", "PARAM_REQUEST_READ PARAM_REQUEST_LIST"),
            _carries("PARAM_SET", "parameter"),
            *rows(TRANSFER, "read", "PARAM_EXT_REQUEST_READ PARAM_EXT_REQUEST_LIST"),
            Row("PARAM_EXT_SET", REFUSE, "no bounds are known for these"),
        ),
    ),
    Group(
        "Missions, fences and rally points",
        (
            *rows(
                TRANSFER,
                "read",
                "MISSION_REQUEST_LIST MISSION_REQUEST MISSION_REQUEST_INT "
                "MISSION_REQUEST_PARTIAL_LIST MISSION_ACK FENCE_FETCH_POINT RALLY_FETCH_POINT",
            ),
            *(
                Row(name, TRANSFER, "begins a change of the plan", _GUARDED_PLAN)
                for name in ("MISSION_COUNT", "MISSION_WRITE_PARTIAL_LIST", "MISSION_CLEAR_ALL")
            ),
            _carries("MISSION_ITEM", "mission item"),
            _carries("MISSION_ITEM_INT", "mission item"),
            Row("MISSION_SET_CURRENT", COMMAND, "jumps in the mission"),
            *rows(REFUSE, "old way: upload the whole fence", "FENCE_POINT SAFETY_SET_ALLOWED_AREA"),
            Row("RALLY_POINT", REFUSE, "old way: upload all rally points"),
            *rows(TRANSFER, "height of the ground", "TERRAIN_DATA TERRAIN_CHECK"),
        ),
    ),
    Group(
        "Requests for telemetry, logs and files",
        (
            *rows(TRANSFER, "request", "REQUEST_DATA_STREAM AUTOPILOT_VERSION_REQUEST"),
            *rows(
                TRANSFER,
                "downloads a log",
                "LOG_REQUEST_LIST LOG_REQUEST_DATA LOG_REQUEST_END",
            ),
            _carries("FILE_TRANSFER_PROTOCOL", "operation"),
            Row("LOG_ERASE", REFUSE, "logs are evidence"),
            *rows(
                REFUSE,
                "logging to the ground is not served",
                "REMOTE_LOG_BLOCK_STATUS LOGGING_ACK",
            ),
        ),
    ),
    Group(
        "Payload",
        (
            *rows(
                CONTROL,
                "gimbal",
                "GIMBAL_MANAGER_SET_ATTITUDE GIMBAL_MANAGER_SET_PITCHYAW "
                "GIMBAL_MANAGER_SET_MANUAL_CONTROL",
            ),
            *rows(COMMAND, "gimbal", "MOUNT_CONFIGURE MOUNT_CONTROL"),
            *rows(COMMAND, "camera", "DIGICAM_CONFIGURE DIGICAM_CONTROL"),
            Row("PLAY_TUNE", REFUSE, "tunes say if it is armed"),
            Row("LED_CONTROL", REFUSE, "lights say if it is armed"),
        ),
    ),
    Group(
        "Corrections for the GNSS receiver",
        (
            Row("GPS_RTCM_DATA", REFUSE, "RTK only if policy.toml says so"),
            Row("GPS_INJECT_DATA", REFUSE, "old way: GPS_RTCM_DATA"),
        ),
    ),
    Group(
        "False navigation: only sensors aboard say where the vehicle is, and what is around it",
        (
            *rows(
                REFUSE,
                "only sensors aboard may say so",
                "GPS_INPUT HIL_GPS HIL_SENSOR HIL_STATE HIL_STATE_QUATERNION HIL_OPTICAL_FLOW "
                "VISION_POSITION_ESTIMATE VISION_SPEED_ESTIMATE VISION_POSITION_DELTA "
                "GLOBAL_VISION_POSITION_ESTIMATE VICON_POSITION_ESTIMATE ATT_POS_MOCAP ODOMETRY "
                "GLOBAL_POSITION_SENSOR OPTICAL_FLOW OPTICAL_FLOW_RAD DISTANCE_SENSOR "
                "OBSTACLE_DISTANCE OBSTACLE_DISTANCE_3D LANDING_TARGET ADSB_VEHICLE AIS_VESSEL "
                "COLLISION FOLLOW_TARGET WIND_COV AIRSPEED RANGEFINDER WHEEL_DISTANCE",
            ),
            Row("SYSTEM_TIME", REFUSE, "only GNSS sets the clock"),
            Row("SET_GPS_GLOBAL_ORIGIN", REFUSE, "moves the origin of navigation"),
            Row("SET_HOME_POSITION", REFUSE, "use the command DO_SET_HOME"),
            Row("SET_MAG_OFFSETS", REFUSE, "turns the compass"),
        ),
    ),
    Group(
        "Keys, firmware, memory and buses",
        (
            *(
                Row(name, REFUSE, "keys are set at the line, not over it", is_fixed=True)
                for name in ("SETUP_SIGNING", "SECURE_COMMAND", "AUTH_KEY", "AIRLINK_AUTH")
            ),
            Row("SERIAL_CONTROL", REFUSE, "a shell on the autopilot"),
            Row(
                "CUBEPILOT_FIRMWARE_UPDATE_START", REFUSE, "no firmware over the air", is_fixed=True
            ),
            *rows(REFUSE, "reaches devices unchecked", "DEVICE_OP_READ DEVICE_OP_WRITE"),
            *rows(REFUSE, "a bus, unchecked", "CAN_FRAME CANFD_FRAME CAN_FILTER_MODIFY"),
            *rows(
                REFUSE,
                "opaque: nothing in it can be judged",
                "TUNNEL V2_EXTENSION DATA16 DATA32 DATA64 DATA96 ENCAPSULATED_DATA "
                "DATA_TRANSMISSION_HANDSHAKE RESOURCE_REQUEST HERELINK_TELEM CUBEPILOT_RAW_RC",
            ),
            *rows(REFUSE, "network settings stay aboard", "WIFI_CONFIG_AP"),
            *rows(
                REFUSE,
                "settings of the display stay aboard",
                "OSD_PARAM_CONFIG OSD_PARAM_SHOW_CONFIG",
            ),
        ),
    ),
    Group(
        "Between parts aboard, never from the ground",
        (
            *rows(
                REFUSE,
                "only between parts aboard",
                "RADIO RADIO_STATUS GIMBAL_DEVICE_SET_ATTITUDE GIMBAL_DEVICE_INFORMATION "
                "GIMBAL_DEVICE_ATTITUDE_STATUS AUTOPILOT_STATE_FOR_GIMBAL_DEVICE GIMBAL_CONTROL "
                "GIMBAL_REPORT GIMBAL_TORQUE_CMD_REPORT GOPRO_HEARTBEAT GOPRO_GET_REQUEST "
                "GOPRO_GET_RESPONSE GOPRO_SET_REQUEST GOPRO_SET_RESPONSE CAMERA_TRIGGER "
                "TRAJECTORY_REPRESENTATION_WAYPOINTS TRAJECTORY_REPRESENTATION_BEZIER "
                "ONBOARD_COMPUTER_STATUS UAVIONIX_ADSB_OUT_CFG UAVIONIX_ADSB_OUT_DYNAMIC "
                "UAVIONIX_ADSB_TRANSCEIVER_HEALTH_REPORT UAVIONIX_ADSB_OUT_CFG_REGISTRATION "
                "UAVIONIX_ADSB_OUT_CFG_FLIGHTID UAVIONIX_ADSB_GET UAVIONIX_ADSB_OUT_CONTROL "
                "UAVIONIX_ADSB_OUT_STATUS LOWEHEISER_GOV_EFI EFI_STATUS GENERATOR_STATUS "
                "BATTERY_STATUS SMART_BATTERY_INFO ICAROUS_HEARTBEAT ICAROUS_KINEMATIC_BANDS "
                "ESC_TELEMETRY_1_TO_4 ESC_TELEMETRY_5_TO_8 ESC_TELEMETRY_9_TO_12 "
                "ESC_TELEMETRY_13_TO_16 ESC_TELEMETRY_17_TO_20 ESC_TELEMETRY_21_TO_24 "
                "ESC_TELEMETRY_25_TO_28 ESC_TELEMETRY_29_TO_32 WINCH_STATUS HYGROMETER_SENSOR",
            ),
            *rows(
                REFUSE,
                "remote identification is set aboard",
                "OPEN_DRONE_ID_BASIC_ID OPEN_DRONE_ID_LOCATION OPEN_DRONE_ID_AUTHENTICATION "
                "OPEN_DRONE_ID_SELF_ID OPEN_DRONE_ID_SYSTEM OPEN_DRONE_ID_OPERATOR_ID "
                "OPEN_DRONE_ID_MESSAGE_PACK OPEN_DRONE_ID_ARM_STATUS OPEN_DRONE_ID_SYSTEM_UPDATE",
            ),
            *rows(
                REFUSE,
                "scripts aboard would act on it",
                "STATUSTEXT NAMED_VALUE_FLOAT NAMED_VALUE_INT NAMED_VALUE_STRING DEBUG DEBUG_VECT "
                "DEBUG_FLOAT_ARRAY",
            ),
        ),
    ),
    Group(
        "What only the vehicle says",
        rows(
            REFUSE,
            "only the vehicle says this",
            "ISBD_LINK_STATUS SYS_STATUS PARAM_VALUE PARAM_EXT_VALUE PARAM_EXT_ACK PARAM_ERROR "
            "GPS_RAW_INT "
            "GPS_STATUS SCALED_IMU RAW_IMU RAW_PRESSURE SCALED_PRESSURE ATTITUDE "
            "ATTITUDE_QUATERNION LOCAL_POSITION_NED GLOBAL_POSITION_INT RC_CHANNELS_SCALED "
            "RC_CHANNELS_RAW SERVO_OUTPUT_RAW MISSION_CURRENT MISSION_ITEM_REACHED "
            "GPS_GLOBAL_ORIGIN SAFETY_ALLOWED_AREA ATTITUDE_QUATERNION_COV NAV_CONTROLLER_OUTPUT "
            "GLOBAL_POSITION_INT_COV LOCAL_POSITION_NED_COV RC_CHANNELS DATA_STREAM VFR_HUD "
            "ATTITUDE_TARGET POSITION_TARGET_LOCAL_NED POSITION_TARGET_GLOBAL_INT "
            "LOCAL_POSITION_NED_SYSTEM_GLOBAL_OFFSET HIGHRES_IMU SIM_STATE SCALED_IMU2 LOG_ENTRY "
            "LOG_DATA GPS2_RAW POWER_STATUS GPS_RTK GPS2_RTK SCALED_IMU3 TERRAIN_REQUEST "
            "TERRAIN_REPORT SCALED_PRESSURE2 ACTUATOR_CONTROL_TARGET ALTITUDE SCALED_PRESSURE3 "
            "CONTROL_SYSTEM_STATE AUTOPILOT_VERSION SENSOR_OFFSETS MEMINFO AP_ADC MOUNT_STATUS "
            "FENCE_STATUS AHRS SIMSTATE HWSTATUS LIMITS_STATUS WIND AIRSPEED_AUTOCAL "
            "COMPASSMOT_STATUS AHRS2 CAMERA_STATUS CAMERA_FEEDBACK BATTERY2 AHRS3 "
            "REMOTE_LOG_DATA_BLOCK MAG_CAL_PROGRESS MAG_CAL_REPORT EKF_STATUS_REPORT PID_TUNING "
            "DEEPSTALL RPM ESTIMATOR_STATUS HIGH_LATENCY HIGH_LATENCY2 VIBRATION HOME_POSITION "
            "MESSAGE_INTERVAL EXTENDED_SYS_STATE MEMORY_VECT BUTTON_CHANGE CAMERA_INFORMATION "
            "CAMERA_SETTINGS STORAGE_INFORMATION CAMERA_CAPTURE_STATUS CAMERA_IMAGE_CAPTURED "
            "FLIGHT_INFORMATION MOUNT_ORIENTATION LOGGING_DATA LOGGING_DATA_ACKED "
            "VIDEO_STREAM_INFORMATION VIDEO_STREAM_STATUS CAMERA_FOV_STATUS "
            "CAMERA_TRACKING_IMAGE_STATUS CAMERA_TRACKING_GEO_STATUS CAMERA_THERMAL_RANGE "
            "GIMBAL_MANAGER_INFORMATION GIMBAL_MANAGER_STATUS UAVCAN_NODE_STATUS UAVCAN_NODE_INFO "
            "RAW_RPM UTM_GLOBAL_POSITION ORBIT_EXECUTION_STATUS ACTUATOR_OUTPUT_STATUS "
            "RELAY_STATUS DEVICE_OP_READ_REPLY DEVICE_OP_WRITE_REPLY SECURE_COMMAND_REPLY "
            "ADAP_TUNING AOA_SSA OSD_PARAM_CONFIG_REPLY OSD_PARAM_SHOW_CONFIG_REPLY WATER_DEPTH "
            "MCU_STATUS HERELINK_VIDEO_STREAM_INFORMATION CUBEPILOT_FIRMWARE_UPDATE_RESP "
            "AIRLINK_AUTH_RESPONSE",
        ),
    ),
)
