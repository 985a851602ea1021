"""Items of missions, fences and rally points: what is kept of a message, what is refused."""

import math
from dataclasses import dataclass
from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.command import as_int32

NAV_LAST: Final = dialect.MAV_CMD_NAV_LAST
CONDITION_LAST: Final = dialect.MAV_CMD_CONDITION_LAST

# Commands the autopilot stores, with ArduCopter's name in its texts.
NAMES: Final[dict[int, str]] = {
    dialect.MAV_CMD_NAV_WAYPOINT: "WP",
    dialect.MAV_CMD_NAV_SPLINE_WAYPOINT: "SplineWP",
    dialect.MAV_CMD_NAV_RETURN_TO_LAUNCH: "RTL",
    dialect.MAV_CMD_NAV_LOITER_UNLIM: "LoitUnlim",
    dialect.MAV_CMD_NAV_LOITER_TIME: "LoitTime",
    dialect.MAV_CMD_NAV_TAKEOFF: "Takeoff",
    dialect.MAV_CMD_NAV_LAND: "Land",
    dialect.MAV_CMD_NAV_DELAY: "Delay",
    dialect.MAV_CMD_CONDITION_DELAY: "CondDelay",
    dialect.MAV_CMD_CONDITION_DISTANCE: "CondDist",
    dialect.MAV_CMD_CONDITION_YAW: "CondYaw",
    dialect.MAV_CMD_DO_JUMP: "Jump",
    dialect.MAV_CMD_DO_CHANGE_SPEED: "ChangeSpeed",
    dialect.MAV_CMD_DO_SET_HOME: "SetHome",
    dialect.MAV_CMD_DO_SET_ROI: "SetROI",
    dialect.MAV_CMD_DO_SET_ROI_LOCATION: "SetROILocation",
    dialect.MAV_CMD_DO_SET_ROI_NONE: "SetROINone",
    dialect.MAV_CMD_DO_MOUNT_CONTROL: "MountControl",
    dialect.MAV_CMD_DO_GIMBAL_MANAGER_PITCHYAW: "GimbalPitchYaw",
    dialect.MAV_CMD_DO_DIGICAM_CONTROL: "DigiCamCtrl",
    dialect.MAV_CMD_DO_SET_CAM_TRIGG_DIST: "SetCamTrigDst",
    dialect.MAV_CMD_IMAGE_START_CAPTURE: "ImageStartCapture",
    dialect.MAV_CMD_IMAGE_STOP_CAPTURE: "ImageStopCapture",
    dialect.MAV_CMD_VIDEO_START_CAPTURE: "VideoStartCapture",
    dialect.MAV_CMD_VIDEO_STOP_CAPTURE: "VideoStopCapture",
    dialect.MAV_CMD_DO_SET_SERVO: "SetServo",
    dialect.MAV_CMD_DO_SET_RELAY: "SetRelay",
    dialect.MAV_CMD_DO_FENCE_ENABLE: "FenceEnable",
    dialect.MAV_CMD_DO_LAND_START: "LandStart",
    dialect.MAV_CMD_NAV_LOITER_TO_ALT: "LoitAltitude",
    dialect.MAV_CMD_JUMP_TAG: "Tag",
    dialect.MAV_CMD_DO_JUMP_TAG: "JumpToTag",
    dialect.MAV_CMD_DO_REPEAT_SERVO: "RepeatServo",
    dialect.MAV_CMD_DO_REPEAT_RELAY: "RepeatRelay",
    dialect.MAV_CMD_DO_GRIPPER: "Gripper",
    dialect.MAV_CMD_DO_PARACHUTE: "Parachute",
    dialect.MAV_CMD_DO_WINCH: "Winch",
    dialect.MAV_CMD_DO_AUTOTUNE_ENABLE: "AutoTuneEnable",
    dialect.MAV_CMD_DO_AUX_FUNCTION: "AuxFunction",
    dialect.MAV_CMD_DO_ENGINE_CONTROL: "EngineControl",
    dialect.MAV_CMD_DO_SEND_SCRIPT_MESSAGE: "Scripting",
}
# Commands whose x, y, z are a place; of the others only the parameters are kept.
WITH_PLACE: Final = frozenset(
    {
        dialect.MAV_CMD_NAV_WAYPOINT,
        dialect.MAV_CMD_NAV_SPLINE_WAYPOINT,
        dialect.MAV_CMD_NAV_LOITER_UNLIM,
        dialect.MAV_CMD_NAV_LOITER_TIME,
        dialect.MAV_CMD_NAV_LOITER_TO_ALT,
        dialect.MAV_CMD_NAV_TAKEOFF,
        dialect.MAV_CMD_NAV_LAND,
        dialect.MAV_CMD_DO_SET_HOME,
        dialect.MAV_CMD_DO_SET_ROI,
        dialect.MAV_CMD_DO_SET_ROI_LOCATION,
        dialect.MAV_CMD_DO_LAND_START,
    }
)
# Parameters these commands keep; the others of the message come back as zero.
_KEPT: Final[dict[int, frozenset[int]]] = {
    dialect.MAV_CMD_NAV_WAYPOINT: frozenset({0}),
    dialect.MAV_CMD_NAV_SPLINE_WAYPOINT: frozenset({0}),
    dialect.MAV_CMD_NAV_LOITER_TIME: frozenset({0}),
    dialect.MAV_CMD_NAV_LOITER_UNLIM: frozenset(),
    dialect.MAV_CMD_NAV_LOITER_TO_ALT: frozenset(),
    dialect.MAV_CMD_NAV_TAKEOFF: frozenset({0}),
    dialect.MAV_CMD_NAV_LAND: frozenset({0}),
    dialect.MAV_CMD_NAV_RETURN_TO_LAUNCH: frozenset(),
}
_ALL: Final = frozenset({0, 1, 2, 3})
# A parameter that comes back as one whatever was sent.
_FIXED: Final[dict[int, tuple[int, float]]] = {
    dialect.MAV_CMD_NAV_LOITER_TIME: (2, 1.0),
    dialect.MAV_CMD_NAV_LAND: (3, 1.0),
}
# The delay of a waypoint is kept in sixteen bits.
_WHOLE: Final = frozenset(
    {dialect.MAV_CMD_NAV_WAYPOINT, dialect.MAV_CMD_NAV_SPLINE_WAYPOINT, dialect.MAV_CMD_NAV_LAND}
)
_FRAME_STORED: Final = {0: 0, 5: 0, 3: 3, 6: 3, 10: 10, 11: 10, 2: 0}
_RALLY_FRAMES: Final = frozenset({0, 3, 5, 6, 10, 11})
_NAN_ALLOWED: Final = frozenset({"param3", "param4"})
_FENCE_COMMANDS: Final = range(
    dialect.MAV_CMD_NAV_FENCE_RETURN_POINT, dialect.MAV_CMD_NAV_FENCE_CIRCLE_EXCLUSION + 1
)
_ROUND: Final = frozenset(
    {
        dialect.MAV_CMD_NAV_FENCE_CIRCLE_INCLUSION,
        dialect.MAV_CMD_NAV_FENCE_CIRCLE_EXCLUSION,
    }
)


@dataclass(frozen=True, slots=True)
class Item:
    """One stored item: command, frame, four parameters, place (1e-7 degree) and z [m]."""

    command: int
    frame: int
    param1: float
    param2: float
    param3: float
    param4: float
    x: int
    y: int
    z: float

    @property
    def is_nav(self) -> bool:
        """Tell whether the mission waits for this item while later actions run."""
        return bool(self.command <= NAV_LAST)

    @property
    def is_condition(self) -> bool:
        """Tell whether actions after this item wait for it."""
        return bool(NAV_LAST < self.command <= CONDITION_LAST)


def item_of(message: dialect.MAVLink_message) -> Item | int:
    """Read MISSION_ITEM or MISSION_ITEM_INT; return the item or the MAV_MISSION_RESULT."""
    command = message.command
    if command not in NAMES:
        return int(dialect.MAV_MISSION_UNSUPPORTED)
    params = (message.param1, message.param2, message.param3, message.param4)
    for index, value in enumerate(params):
        if math.isinf(value) or (math.isnan(value) and f"param{index + 1}" not in _NAN_ALLOWED):
            return int(dialect.MAV_MISSION_INVALID_PARAM1) + index
    kept = _KEPT.get(command, _ALL)
    p1, p2, p3, p4 = [v if i in kept and math.isfinite(v) else 0.0 for i, v in enumerate(params)]
    if command in _WHOLE:
        p1 = float(as_int32(p1) & 0xFFFF)
    kept_params = [p1, p2, p3, p4]
    if command in _FIXED:
        index, value = _FIXED[command]
        kept_params[index] = value
    p1, p2, p3, p4 = kept_params
    if command not in WITH_PLACE:
        return Item(command, 0, p1, p2, p3, p4, 0, 0, 0.0)
    frame = _FRAME_STORED.get(message.frame)
    if frame is None:
        return int(dialect.MAV_MISSION_UNSUPPORTED_FRAME)
    if not math.isfinite(message.z):
        return int(dialect.MAV_MISSION_INVALID_PARAM7)
    place = _place_of(message)
    if isinstance(place, int):
        return place
    return Item(command, frame, p1, p2, p3, p4, *place, message.z)


def fence_item_of(message: dialect.MAVLink_message) -> Item | int:
    """Read a fence item: a corner, a circle or a return point; heights are not kept."""
    if message.command not in _FENCE_COMMANDS:
        return int(dialect.MAV_MISSION_UNSUPPORTED)
    size = message.param1 if message.command in _ROUND else float(as_int32(message.param1))
    kept = 0.0 if message.command == dialect.MAV_CMD_NAV_FENCE_RETURN_POINT else size
    place = _place_of(message)
    if isinstance(place, int):
        return place
    return Item(message.command, 0, kept, 0.0, 0.0, 0.0, *place, 0.0)


def rally_item_of(message: dialect.MAVLink_message) -> Item | int:
    """Read a rally point: its place and height."""
    if message.command != dialect.MAV_CMD_NAV_RALLY_POINT:
        return int(dialect.MAV_MISSION_UNSUPPORTED)
    if message.frame not in _RALLY_FRAMES:
        return int(dialect.MAV_MISSION_UNSUPPORTED_FRAME)
    place = _place_of(message)
    if isinstance(place, int):
        return place
    frame = _FRAME_STORED[message.frame]
    return Item(message.command, frame, 0.0, 0.0, 0.0, 0.0, *place, message.z)


def _place_of(message: dialect.MAVLink_message) -> tuple[int, int] | int:
    """Return latitude and longitude [1e-7 degree], or the MAV_MISSION_RESULT."""
    if not (math.isfinite(message.x) and math.isfinite(message.y) and math.isfinite(message.z)):
        return int(dialect.MAV_MISSION_INVALID_PARAM5_X)
    scale = 1e7 if message.get_type() == "MISSION_ITEM" else 1.0
    x, y = round(message.x * scale), round(message.y * scale)
    if abs(x) > 900_000_000:
        return int(dialect.MAV_MISSION_INVALID_PARAM5_X)
    if abs(y) > 1_800_000_000:
        return int(dialect.MAV_MISSION_INVALID_PARAM6_Y)
    return x, y
