"""What goes first on a slow line: the class of a MAVLink frame, read from its header alone."""

from enum import IntEnum
from typing import Final

from wire.mavlink import dialect


class Priority(IntEnum):
    """Classes of what waits for a slow line, the best first. The order is the precedence."""

    CONTROL = 0  # sticks and setpoints
    COMMAND = 1  # commands, transfers of parameters and missions, and the answers to them
    STATUS = 2  # heartbeats, what the autopilot tells its pilot in words, our own STATUS
    TELEMETRY = 3  # everything else
    BULK = 4  # what may take minutes: key material for the next pre-shared key


# One table for both directions: what a message is for does not depend on who sends it.
_CLASS: Final = {
    number.to_bytes(3, "little"): priority
    for priority, numbers in {
        Priority.CONTROL: (
            dialect.MAVLINK_MSG_ID_MANUAL_CONTROL,
            dialect.MAVLINK_MSG_ID_RC_CHANNELS_OVERRIDE,
            dialect.MAVLINK_MSG_ID_SET_ATTITUDE_TARGET,
            dialect.MAVLINK_MSG_ID_SET_POSITION_TARGET_LOCAL_NED,
            dialect.MAVLINK_MSG_ID_SET_POSITION_TARGET_GLOBAL_INT,
        ),
        Priority.COMMAND: (
            dialect.MAVLINK_MSG_ID_COMMAND_LONG,
            dialect.MAVLINK_MSG_ID_COMMAND_INT,
            dialect.MAVLINK_MSG_ID_COMMAND_ACK,
            dialect.MAVLINK_MSG_ID_SET_MODE,
            dialect.MAVLINK_MSG_ID_PARAM_REQUEST_READ,
            dialect.MAVLINK_MSG_ID_PARAM_REQUEST_LIST,
            dialect.MAVLINK_MSG_ID_PARAM_SET,
            dialect.MAVLINK_MSG_ID_MISSION_REQUEST_PARTIAL_LIST,
            dialect.MAVLINK_MSG_ID_MISSION_WRITE_PARTIAL_LIST,
            dialect.MAVLINK_MSG_ID_MISSION_ITEM,
            dialect.MAVLINK_MSG_ID_MISSION_ITEM_INT,
            dialect.MAVLINK_MSG_ID_MISSION_REQUEST,
            dialect.MAVLINK_MSG_ID_MISSION_REQUEST_INT,
            dialect.MAVLINK_MSG_ID_MISSION_SET_CURRENT,
            dialect.MAVLINK_MSG_ID_MISSION_REQUEST_LIST,
            dialect.MAVLINK_MSG_ID_MISSION_COUNT,
            dialect.MAVLINK_MSG_ID_MISSION_CLEAR_ALL,
            dialect.MAVLINK_MSG_ID_MISSION_ACK,
        ),
        Priority.STATUS: (
            dialect.MAVLINK_MSG_ID_HEARTBEAT,
            dialect.MAVLINK_MSG_ID_STATUSTEXT,
        ),
    }.items()
    for number in numbers
}


def priority_of(frame: bytes) -> Priority:
    """Return the class of a whole MAVLink 2 frame.

    PARAM_VALUE is telemetry although it answers: an autopilot that lists a thousand of them would
    silence everything else for seconds, and ground software asks again for those it misses.
    """
    return _CLASS.get(frame[7:10], Priority.TELEMETRY)
