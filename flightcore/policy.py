"""What a ground station may say to the autopilot: tables, read by one function.

Default deny: a message or command that has no row does not pass. A row says which role it takes,
how old the frame may be, and in which flight state it may pass. Operations that cannot be taken
back pass only when they are confirmed in a second step (`crypto.confirmation`).

A frame is judged as if it were addressed to the autopilot, whatever component it names: the real
ArduCopter executes commands addressed to a component that does not exist, or to everyone.
"""

import math
import struct
from collections.abc import Callable, Mapping
from enum import Enum, IntEnum
from typing import Any, Final, NamedTuple

from crypto.pair import Role
from wire.mavlink import HEADER_BYTES, MESSAGE_NAME, dialect, message_id

_RANK: Final = {Role.OBSERVER: 0, Role.COMMANDER: 1, Role.SUPERVISOR: 2}


class Freshness(IntEnum):
    """Classes of traffic; the value is the greatest age, in ns, at which a frame may pass.

    These are the limits for Wi-Fi and Ethernet, and the defaults of the configuration.
    """

    CONTROL = 400_000_000  # sticks and setpoints: an old one is a wrong one
    PRESENCE = 1_000_000_000  # heartbeats, and the silence after which the link is lost (T1)
    COMMAND = 1_500_000_000  # arm, mode, go to
    TRANSFER = 5_000_000_000  # parameters, missions, requests
    SAFE = 10_000_000_000  # hold, return, land


AgeLimits = Mapping[Freshness, int]

WIFI_LIMITS: Final[AgeLimits] = {freshness: freshness.value for freshness in Freshness}
RADIO_LIMITS: Final[AgeLimits] = {
    Freshness.CONTROL: 1_000_000_000,
    Freshness.PRESENCE: 3_000_000_000,
    Freshness.COMMAND: 3_000_000_000,
    Freshness.TRANSFER: 10_000_000_000,
    Freshness.SAFE: 10_000_000_000,
}


class FlightState(Enum):
    """What the autopilot's heartbeat says."""

    UNKNOWN = "unknown"
    DISARMED = "disarmed"
    ARMED = "armed"


class Forward(NamedTuple):
    """The frame may pass if it is no older than `freshness`."""

    freshness: Freshness


class TwoStep(NamedTuple):
    """The frame may pass if it is no older than `freshness` and, asked back, is confirmed."""

    freshness: Freshness
    text: str


class Refuse(NamedTuple):
    """The frame does not pass; `reason` is counted, `text` and `more` are shown to the operator."""

    reason: str
    text: str
    more: tuple[str, ...] = ()


Verdict = Forward | TwoStep | Refuse
# Fields differ by message and the generated classes carry no types.
Message = Any
Row = Freshness | Callable[[Message, FlightState], Verdict]


def _on_ground(freshness: Freshness) -> Callable[[Message, FlightState], Verdict]:
    def row(_: Message, state: FlightState) -> Verdict:
        if state is FlightState.DISARMED:
            return Forward(freshness)
        return Refuse("not_on_ground", "only while disarmed")

    return row


_SAFE_MODES: Final = frozenset((9, 6, 17, 5))  # LAND, RTL, BRAKE, LOITER: docs of ArduCopter


def _mode(custom_mode: float) -> Verdict:
    return Forward(Freshness.SAFE if custom_mode in _SAFE_MODES else Freshness.COMMAND)


def _arm_or_disarm(message: Message, _: FlightState) -> Verdict:
    # 21196 and 2989 in param2 force it: motors stop in the air, or start with checks failing.
    if message.param2 == 0:
        return Forward(Freshness.COMMAND)
    return TwoStep(Freshness.COMMAND, "force " + ("arming" if message.param1 == 1 else "disarming"))


def _terminate(message: Message, _: FlightState) -> Verdict:
    if message.param1 > 0.5:
        return TwoStep(Freshness.COMMAND, "terminate the flight")
    return Refuse("termination_off", "a flight termination cannot be undone")


def _reboot(message: Message, state: FlightState) -> Verdict:
    # 1 restarts the autopilot; all else stops it, holds it in its bootloader or is for others.
    if message.param1 != 1 or message.param2 != 0:
        return Refuse("reboot_kind", "only a plain restart of the autopilot")
    if state is not FlightState.DISARMED:
        return Refuse("not_on_ground", "only while disarmed")
    return TwoStep(Freshness.COMMAND, "restart the autopilot")


def _fence_enable(message: Message, _: FlightState) -> Verdict:
    if message.param1 == 1:
        return Forward(Freshness.COMMAND)
    return TwoStep(Freshness.COMMAND, "switch the fence off")


def _pause(message: Message, _: FlightState) -> Verdict:
    return Forward(Freshness.SAFE if message.param1 == 0 else Freshness.COMMAND)


_PROTECTED_PARAMETERS: Final = (
    "ARMING_",
    "AVOID_",
    "BRD_",
    "CAN_",
    "EK3_",
    "FENCE_",
    "FS_",
    "GPS",
    "MAV_",
    "NET_",
    "SCR_",
    "SERIAL",
    "SYSID_",
)


def _parameter_set(message: Message, state: FlightState) -> Verdict:
    name = message.param_id.upper()  # ArduPilot finds parameters whatever their case
    if not math.isfinite(message.param_value):
        return Refuse("parameter_value", f"{name}: not a finite number")
    if name.startswith(_PROTECTED_PARAMETERS):
        if state is not FlightState.DISARMED:
            return Refuse("protected_parameter", f"{name}: only while disarmed")
        return TwoStep(Freshness.TRANSFER, f"set {name}={message.param_value:g}")
    return Forward(Freshness.TRANSFER)


# None, terminate, reset, list, open to read, read, CRC, burst read: what changes nothing aboard.
_FTP_READ_OPCODES: Final = frozenset((0, 1, 2, 3, 4, 5, 14, 15))


def _file_transfer(message: Message, _: FlightState) -> Verdict:
    if message.payload[3] in _FTP_READ_OPCODES:
        return Forward(Freshness.TRANSFER)
    return Refuse("file_write", "files aboard may only be read")


def _mission_item(message: Message, _: FlightState) -> Verdict:
    # 2 and 3 are no part of a mission: "go there now" and "change altitude now".
    return Forward(Freshness.TRANSFER if message.current in (0, 1) else Freshness.COMMAND)


def _set_mode(message: Message, _: FlightState) -> Verdict:
    return _mode(message.custom_mode)


def _do_set_mode(message: Message, _: FlightState) -> Verdict:
    return _mode(message.param2)


# SET_POSITION_TARGET_*: the fields that a set bit of type_mask switches off.
_POSITION_TARGET_FIELDS: Final = (
    (0x007, ("lat_int", "lon_int", "alt"), ("x", "y", "z")),
    (0x038, ("vx", "vy", "vz"), ("vx", "vy", "vz")),
    (0x1C0, ("afx", "afy", "afz"), ("afx", "afy", "afz")),
    (0x400, ("yaw",), ("yaw",)),
    (0x800, ("yaw_rate",), ("yaw_rate",)),
)
_NOT_FINITE_SETPOINT = Refuse("not_finite", "a setpoint is not a number")


def _position_target(message: Message, _: FlightState) -> Verdict:
    """ArduCopter checks velocities only, so what it would use must be finite before it gets it."""
    is_global = hasattr(message, "lat_int")
    for bits, global_names, local_names in _POSITION_TARGET_FIELDS:
        if message.type_mask & bits:
            continue  # any bit of a group switches the whole group off
        names = global_names if is_global else local_names
        if not all(math.isfinite(getattr(message, name)) for name in names):
            return _NOT_FINITE_SETPOINT
    return Forward(Freshness.CONTROL)


def _attitude_target(message: Message, _: FlightState) -> Verdict:
    rates = (message.body_roll_rate, message.body_pitch_rate, message.body_yaw_rate)
    used = [message.thrust]
    used += (
        () if message.type_mask & dialect.ATTITUDE_TARGET_TYPEMASK_ATTITUDE_IGNORE else message.q
    )
    used += () if message.type_mask & 0x07 else rates
    return Forward(Freshness.CONTROL) if all(map(math.isfinite, used)) else _NOT_FINITE_SETPOINT


COMMAND_MESSAGES: Final = frozenset(
    (dialect.MAVLINK_MSG_ID_COMMAND_LONG, dialect.MAVLINK_MSG_ID_COMMAND_INT)
)
COMMANDS: Final[dict[int, Row]] = {
    dialect.MAV_CMD_NAV_LOITER_UNLIM: Freshness.SAFE,
    dialect.MAV_CMD_NAV_RETURN_TO_LAUNCH: Freshness.SAFE,
    dialect.MAV_CMD_NAV_LAND: Freshness.SAFE,
    dialect.MAV_CMD_NAV_TAKEOFF: Freshness.COMMAND,
    dialect.MAV_CMD_CONDITION_YAW: Freshness.COMMAND,
    dialect.MAV_CMD_DO_SET_MODE: _do_set_mode,
    dialect.MAV_CMD_DO_CHANGE_SPEED: Freshness.COMMAND,
    dialect.MAV_CMD_DO_SET_HOME: Freshness.COMMAND,
    dialect.MAV_CMD_DO_LAND_START: Freshness.COMMAND,
    dialect.MAV_CMD_DO_REPOSITION: Freshness.COMMAND,
    dialect.MAV_CMD_DO_PAUSE_CONTINUE: _pause,
    dialect.MAV_CMD_DO_SET_ROI_LOCATION: Freshness.COMMAND,
    dialect.MAV_CMD_DO_SET_ROI_NONE: Freshness.COMMAND,
    dialect.MAV_CMD_DO_SET_ROI: Freshness.COMMAND,
    dialect.MAV_CMD_DO_FENCE_ENABLE: _fence_enable,
    dialect.MAV_CMD_DO_SET_MISSION_CURRENT: Freshness.COMMAND,
    dialect.MAV_CMD_DO_FLIGHTTERMINATION: _terminate,
    dialect.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN: _reboot,
    dialect.MAV_CMD_PREFLIGHT_CALIBRATION: _on_ground(Freshness.COMMAND),
    dialect.MAV_CMD_MISSION_START: Freshness.COMMAND,
    dialect.MAV_CMD_COMPONENT_ARM_DISARM: _arm_or_disarm,
    dialect.MAV_CMD_RUN_PREARM_CHECKS: Freshness.TRANSFER,
    dialect.MAV_CMD_GET_HOME_POSITION: Freshness.TRANSFER,
    dialect.MAV_CMD_GET_MESSAGE_INTERVAL: Freshness.TRANSFER,
    dialect.MAV_CMD_SET_MESSAGE_INTERVAL: Freshness.TRANSFER,
    dialect.MAV_CMD_REQUEST_MESSAGE: Freshness.TRANSFER,
    dialect.MAV_CMD_REQUEST_PROTOCOL_VERSION: Freshness.TRANSFER,
    dialect.MAV_CMD_REQUEST_AUTOPILOT_CAPABILITIES: Freshness.TRANSFER,
}


# COMMAND_LONG and COMMAND_INT both begin with param1 to param4 and hold the number at byte 28.
_COMMAND_BYTES = 30
_FIRST_PARAMS = struct.Struct("<3f")


def _judge_command(frame: bytes, state: FlightState) -> Verdict:
    payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(_COMMAND_BYTES, b"\0")
    number = payload[28] | payload[29] << 8
    # Honest software leaves at most yaw and position (4 to 7) open; ArduCopter does arithmetic on
    # the others unchecked.
    if not all(map(math.isfinite, _FIRST_PARAMS.unpack_from(payload))):
        return Refuse("not_finite", f"command {number}: a parameter is not a number")
    row = COMMANDS.get(number)
    if row is None:
        return Refuse("command_not_allowed", f"command {number} is not allowed")
    return _apply(row, frame, state)


def _apply(row: Row, frame: bytes, state: FlightState) -> Verdict:
    if isinstance(row, Freshness):
        return Forward(row)
    try:
        message = decode(frame)
    except (dialect.MAVError, ValueError):
        return Refuse("undecodable", "a frame that cannot be read")
    return row(message, state)


MESSAGES: Final[dict[int, Row]] = {
    dialect.MAVLINK_MSG_ID_HEARTBEAT: Freshness.PRESENCE,
    dialect.MAVLINK_MSG_ID_PING: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_TIMESYNC: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_SET_MODE: _set_mode,
    dialect.MAVLINK_MSG_ID_PARAM_REQUEST_READ: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_PARAM_REQUEST_LIST: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_PARAM_SET: _parameter_set,
    dialect.MAVLINK_MSG_ID_MISSION_REQUEST_PARTIAL_LIST: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_MISSION_WRITE_PARTIAL_LIST: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_MISSION_ITEM: _mission_item,
    dialect.MAVLINK_MSG_ID_MISSION_REQUEST: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_MISSION_SET_CURRENT: Freshness.COMMAND,
    dialect.MAVLINK_MSG_ID_MISSION_REQUEST_LIST: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_MISSION_COUNT: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_MISSION_CLEAR_ALL: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_MISSION_ACK: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_MISSION_REQUEST_INT: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_MISSION_ITEM_INT: _mission_item,
    dialect.MAVLINK_MSG_ID_REQUEST_DATA_STREAM: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_AUTOPILOT_VERSION_REQUEST: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_MANUAL_CONTROL: Freshness.CONTROL,
    dialect.MAVLINK_MSG_ID_RC_CHANNELS_OVERRIDE: Freshness.CONTROL,
    dialect.MAVLINK_MSG_ID_SET_ATTITUDE_TARGET: _attitude_target,
    dialect.MAVLINK_MSG_ID_SET_POSITION_TARGET_LOCAL_NED: _position_target,
    dialect.MAVLINK_MSG_ID_SET_POSITION_TARGET_GLOBAL_INT: _position_target,
    dialect.MAVLINK_MSG_ID_FILE_TRANSFER_PROTOCOL: _file_transfer,
    dialect.MAVLINK_MSG_ID_LOG_REQUEST_LIST: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_LOG_REQUEST_DATA: Freshness.TRANSFER,
    dialect.MAVLINK_MSG_ID_LOG_REQUEST_END: Freshness.TRANSFER,
}

# What ground software speaks as: 0 (unset), 25 to 99 (user), 190 (GCS), 230 (MAVProxy).
_GROUND_COMPONENTS: Final = frozenset((0, 190, 230, *range(25, 100)))


def judge(frame: bytes, role: Role, vehicle_sysid: int | None, state: FlightState) -> Verdict:
    """Decide whether an authenticated, checksummed frame from the ground may reach the autopilot.

    Args:
        frame: One MAVLink 2 frame of the dialect.
        role: What the sender's pair record lets it do.
        vehicle_sysid: The autopilot's system id, None before its first heartbeat.
        state: Whether the autopilot is armed, as it says itself.
    """
    if _RANK[role] < _RANK[Role.COMMANDER]:
        return Refuse("observer", "this ground station may only watch")
    if vehicle_sysid is None:
        return Refuse("autopilot_unknown", "the autopilot has not been heard yet")
    # ArduPilot obeys its own system id even when told to enforce the ground station's.
    if frame[5] == vehicle_sysid or frame[6] not in _GROUND_COMPONENTS:
        return Refuse("forged_source", "the frame claims to come from aboard")
    number = message_id(frame)
    if number in COMMAND_MESSAGES:
        return _judge_command(frame, state)
    row = MESSAGES.get(number)
    if row is None:
        name = MESSAGE_NAME.get(number, "this message")
        return Refuse("message_not_allowed", f"{name} is not allowed")
    return _apply(row, frame, state)


def decode(frame: bytes) -> Message:
    """Return the pymavlink message of one whole, checksummed frame.

    Raises:
        dialect.MAVError, ValueError: The payload is not what the message says it is.
    """
    return _PARSER.decode(bytearray(frame))


_PARSER = dialect.MAVLink(None)
