"""One command as ArduPilot sees it: COMMAND_LONG turned into COMMAND_INT, so both take one path."""

import math
from dataclasses import dataclass
from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

# Commands whose COMMAND_LONG form carries a place in param5 and param6, and the frame it is in;
# some have none and so exist as COMMAND_INT only.
_STORES_PLACE: Final = frozenset(
    {
        dialect.MAV_CMD_DO_SET_HOME,
        dialect.MAV_CMD_DO_SET_ROI,
        dialect.MAV_CMD_DO_SET_ROI_LOCATION,
        dialect.MAV_CMD_DO_REPOSITION,
        dialect.MAV_CMD_EXTERNAL_POSITION_ESTIMATE,
        611,  # MAV_CMD_DO_SET_GLOBAL_ORIGIN, newer than the dialect
    }
)
_FRAME_OF_LONG: Final[dict[int, int]] = {
    dialect.MAV_CMD_DO_SET_ROI: 3,
    dialect.MAV_CMD_DO_SET_ROI_LOCATION: 3,
    dialect.MAV_CMD_DO_SET_HOME: 0,
    dialect.MAV_CMD_NAV_TAKEOFF: 3,
    dialect.MAV_CMD_NAV_VTOL_TAKEOFF: 3,
}


@dataclass(frozen=True, slots=True)
class Command:
    """A command in its COMMAND_INT form, and who sent it."""

    command: int
    frame: int
    param1: float
    param2: float
    param3: float
    param4: float
    x: int
    y: int
    z: float
    sender: tuple[int, int]


def command_of(message: dialect.MAVLink_message) -> Command | None:
    """Read a command; None if its COMMAND_LONG form does not exist."""
    sender = (message.get_srcSystem(), message.get_srcComponent())
    params = (message.param1, message.param2, message.param3, message.param4)
    if message.get_type() == "COMMAND_INT":
        return Command(
            message.command, message.frame, *params, message.x, message.y, message.z, sender
        )
    stores_place = message.command in _STORES_PLACE
    frame = _FRAME_OF_LONG.get(message.command)
    if stores_place and frame is None:
        return None
    scale = 1e7 if stores_place else 1.0
    x, y = as_int32(message.param5 * scale), as_int32(message.param6 * scale)
    return Command(message.command, frame or 0, *params, x, y, message.param7, sender)


def as_int32(value: float) -> int:
    """Return a float as a C cast to int32 gives it; NaN and overflow become the lowest value."""
    if not math.isfinite(value) or abs(value) >= 2.0**31:
        return -(2**31)
    return int(value)
