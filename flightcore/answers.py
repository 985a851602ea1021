"""What tells the operator's software of a refusal, in the words of the protocol it is speaking.

Without these answers a tool waits and asks again, for seconds.
"""

from typing import Final

from flightcore.autopilot import AUTOPILOT_COMPID, COMPANION_COMPID, Autopilot
from flightcore.policy import COMMAND_MESSAGES, decode
from wire.mavlink import HEADER_BYTES, dialect, message_id

_PLAN_MESSAGES: Final = frozenset(
    (
        dialect.MAVLINK_MSG_ID_MISSION_REQUEST_LIST,
        dialect.MAVLINK_MSG_ID_MISSION_COUNT,
        dialect.MAVLINK_MSG_ID_MISSION_ITEM,
        dialect.MAVLINK_MSG_ID_MISSION_ITEM_INT,
        dialect.MAVLINK_MSG_ID_MISSION_WRITE_PARTIAL_LIST,
        dialect.MAVLINK_MSG_ID_MISSION_CLEAR_ALL,
    )
)
_NAME = slice(HEADER_BYTES + 6, HEADER_BYTES + 22)  # param_id of PARAM_SET
_NAK, _FILE_PROTECTED = 129, 9
_FILE_BYTES = 251


def denial(frame: bytes, autopilot: Autopilot) -> list[bytes]:
    """Answer a refused frame as the autopilot would; nothing if its protocol has no answer."""
    kind = message_id(frame)
    if kind in COMMAND_MESSAGES:
        return [acknowledgement(frame, dialect.MAV_RESULT_DENIED, autopilot)]
    to = {"target_system": frame[5], "target_component": frame[6]}
    message: dialect.MAVLink_message
    if kind in _PLAN_MESSAGES:
        message = dialect.MAVLink_mission_ack_message(
            type=dialect.MAV_MISSION_DENIED, mission_type=decode(frame).mission_type, **to
        )
    elif kind == dialect.MAVLINK_MSG_ID_PARAM_SET:
        end = HEADER_BYTES + frame[1]
        message = dialect.MAVLink_param_error_message(
            param_id=frame[:end][_NAME].ljust(16, b"\0"),
            param_index=-1,
            error=dialect.MAV_PARAM_ERROR_PERMISSION_DENIED,
            **to,
        )
    elif kind == dialect.MAVLINK_MSG_ID_FILE_TRANSFER_PROTOCOL:
        message = dialect.MAVLink_file_transfer_protocol_message(
            target_network=0, payload=_refused(decode(frame).payload), **to
        )
    else:
        return []
    return [autopilot.pack(message, AUTOPILOT_COMPID)]


def acknowledgement(frame: bytes, result: int, autopilot: Autopilot) -> bytes:
    """Return the COMMAND_ACK of a command."""
    command = decode(frame)
    ack = dialect.MAVLink_command_ack_message(
        command.command, result, target_system=frame[5], target_component=frame[6]
    )
    return autopilot.pack(ack, command.target_component or AUTOPILOT_COMPID)


def say(text: str, autopilot: Autopilot) -> bytes:
    """Return the STATUSTEXT of a short text."""
    message = dialect.MAVLink_statustext_message(dialect.MAV_SEVERITY_WARNING, text[:50].encode())
    return autopilot.pack(message, COMPANION_COMPID)


def _refused(request: list[int]) -> list[int]:
    """Return the answer to an operation on files: sequence number, session, what, and why not.

    Source: https://mavlink.io/en/services/ftp.html#payload
    """
    sequence = (request[0] | request[1] << 8) + 1 & 0xFFFF
    reply = [sequence & 0xFF, sequence >> 8, request[2], _NAK, 1, request[3], 0, 0, 0, 0, 0, 0]
    return [*reply, _FILE_PROTECTED, *[0] * (_FILE_BYTES - len(reply) - 1)]
