"""What an operator says that takes the vehicle out of the companion's hands."""

import struct
from typing import Final

from flightcore.policy import COMMAND_MESSAGES
from wire.mavlink import HEADER_BYTES, dialect, message_id

_COMMAND_AT: Final = 28  # of COMMAND_LONG and COMMAND_INT alike
_COMMAND: Final = struct.Struct("<H")
_SETPOINTS: Final = frozenset(
    (
        dialect.MAVLINK_MSG_ID_SET_ATTITUDE_TARGET,
        dialect.MAVLINK_MSG_ID_SET_POSITION_TARGET_LOCAL_NED,
        dialect.MAVLINK_MSG_ID_SET_POSITION_TARGET_GLOBAL_INT,
        dialect.MAVLINK_MSG_ID_SET_MODE,
        dialect.MAVLINK_MSG_ID_MANUAL_CONTROL,
        dialect.MAVLINK_MSG_ID_RC_CHANNELS_OVERRIDE,
        dialect.MAVLINK_MSG_ID_MISSION_ITEM,  # as a guided waypoint
    )
)
# These ask or point a camera; whatever else is commanded is the operator's hand on the vehicle.
_HARMLESS: Final = frozenset(
    (
        dialect.MAV_CMD_SET_MESSAGE_INTERVAL,
        dialect.MAV_CMD_GET_MESSAGE_INTERVAL,
        dialect.MAV_CMD_REQUEST_MESSAGE,
        dialect.MAV_CMD_REQUEST_PROTOCOL_VERSION,
        dialect.MAV_CMD_REQUEST_AUTOPILOT_CAPABILITIES,
        dialect.MAV_CMD_GET_HOME_POSITION,
        dialect.MAV_CMD_RUN_PREARM_CHECKS,
        dialect.MAV_CMD_DO_SEND_BANNER,
        dialect.MAV_CMD_DO_MOUNT_CONTROL,
        dialect.MAV_CMD_DO_GIMBAL_MANAGER_PITCHYAW,
        dialect.MAV_CMD_DO_DIGICAM_CONTROL,
        dialect.MAV_CMD_DO_SET_CAM_TRIGG_DIST,
        dialect.MAV_CMD_IMAGE_START_CAPTURE,
        dialect.MAV_CMD_IMAGE_STOP_CAPTURE,
        dialect.MAV_CMD_VIDEO_START_CAPTURE,
        dialect.MAV_CMD_VIDEO_STOP_CAPTURE,
        dialect.MAV_CMD_SET_CAMERA_ZOOM,
        dialect.MAV_CMD_SET_CAMERA_FOCUS,
    )
)


def takes_over(frame: bytes) -> bool:
    """Tell whether a valid frame of an operator moves the vehicle, or may."""
    number = message_id(frame)
    if number not in COMMAND_MESSAGES:
        return number in _SETPOINTS
    end = _COMMAND_AT + _COMMAND.size
    payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(end, b"\0")
    return _COMMAND.unpack_from(payload, _COMMAND_AT)[0] not in _HARMLESS
