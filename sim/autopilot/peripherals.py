"""Commands for what this vehicle does not carry, answered as an ArduCopter without it answers.

Many are accepted without effect, as there: a shutter that no camera hears, a relay without a pin.
"""

from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.command import Command, as_int32
from sim.autopilot.outbox import Outbox, Severity

_ACCEPTED: Final = int(dialect.MAV_RESULT_ACCEPTED)
_DENIED: Final = int(dialect.MAV_RESULT_DENIED)
_FAILED: Final = int(dialect.MAV_RESULT_FAILED)

_ANSWERS: Final[dict[int, int]] = {
    dialect.MAV_CMD_DO_SET_RELAY: _ACCEPTED,
    dialect.MAV_CMD_DO_REPEAT_RELAY: _ACCEPTED,
    dialect.MAV_CMD_DO_PARACHUTE: _ACCEPTED,
    dialect.MAV_CMD_DO_DIGICAM_CONTROL: _ACCEPTED,
    dialect.MAV_CMD_DO_SET_CAM_TRIGG_DIST: _ACCEPTED,
    dialect.MAV_CMD_DO_SPRAYER: _ACCEPTED,
    dialect.MAV_CMD_DO_FOLLOW: _ACCEPTED,
    dialect.MAV_CMD_START_RX_PAIR: _ACCEPTED,
    dialect.MAV_CMD_DO_CANCEL_MAG_CAL: _ACCEPTED,
    dialect.MAV_CMD_DO_ACCEPT_MAG_CAL: _ACCEPTED,
    dialect.MAV_CMD_DEBUG_TRAP: _DENIED,
    dialect.MAV_CMD_SCRIPTING: _DENIED,
    dialect.MAV_CMD_EXTERNAL_POSITION_ESTIMATE: _DENIED,
    dialect.MAV_CMD_DO_GRIPPER: _FAILED,
    dialect.MAV_CMD_DO_MOUNT_CONTROL: _FAILED,
    dialect.MAV_CMD_DO_GIMBAL_MANAGER_PITCHYAW: _FAILED,
    dialect.MAV_CMD_IMAGE_START_CAPTURE: _FAILED,
    dialect.MAV_CMD_IMAGE_STOP_CAPTURE: _FAILED,
    dialect.MAV_CMD_VIDEO_START_CAPTURE: _FAILED,
    dialect.MAV_CMD_VIDEO_STOP_CAPTURE: _FAILED,
    dialect.MAV_CMD_DO_WINCH: _FAILED,
    dialect.MAV_CMD_ACCELCAL_VEHICLE_POS: _FAILED,
}
_SERVOS: Final = 16
_FUNCTIONS_LAST: Final = 316  # the highest RC option of ArduPilot 4.7
_SOURCE_SETS: Final = (1, 2, 3)


def answer(command: Command, rotors: int, outbox: Outbox) -> int | None:
    """Return the MAV_RESULT of a command for something not carried; None: it is not such a one."""
    match command.command:
        case dialect.MAV_CMD_DO_SET_SERVO | dialect.MAV_CMD_DO_REPEAT_SERVO:
            return _servo(command, rotors, outbox)
        case dialect.MAV_CMD_SET_EKF_SOURCE_SET:
            return _ACCEPTED if command.param1 in _SOURCE_SETS else _DENIED
        case dialect.MAV_CMD_DO_AUX_FUNCTION:
            function = as_int32(command.param1)
            if 0 <= function <= _FUNCTIONS_LAST:
                return _ACCEPTED
            outbox.text(Severity.INFO, f"Invalid channel option ({function})")
            return _FAILED
        case dialect.MAV_CMD_CONTROL_HIGH_LATENCY:
            state = "enabled" if command.param1 == 1.0 else "disabled"
            outbox.text(Severity.NOTICE, f"High Latency {state}")
            return _ACCEPTED
        case dialect.MAV_CMD_DO_LAND_START:
            outbox.text(Severity.WARNING, "Unable to start landing sequence")
            return _no_sequence(outbox, "landing sequence")
        case dialect.MAV_CMD_DO_RETURN_PATH_START:
            return _no_sequence(outbox, "return path")
        case _:
            return _ANSWERS.get(command.command)


def _servo(command: Command, rotors: int, outbox: Outbox) -> int:
    channel = as_int32(command.param1)
    if 1 <= channel <= rotors:
        outbox.text(Severity.INFO, f"ServoRelayEvent: Channel {channel} is already in use")
        return _FAILED
    return _ACCEPTED if 1 <= channel <= _SERVOS else _FAILED


def _no_sequence(outbox: Outbox, what: str) -> int:
    text = f"Mode change to AUTO RTL failed: No {what} found"
    outbox.text(Severity.WARNING, text)
    return _FAILED
