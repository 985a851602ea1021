"""Mission items and the running of a mission: navigation, conditions, actions, jumps."""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from wire.mavlink import dialect

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
}
# Commands whose x, y, z are a place; of the others only the parameters are kept.
WITH_PLACE: Final = frozenset(
    {
        dialect.MAV_CMD_NAV_WAYPOINT,
        dialect.MAV_CMD_NAV_SPLINE_WAYPOINT,
        dialect.MAV_CMD_NAV_LOITER_UNLIM,
        dialect.MAV_CMD_NAV_LOITER_TIME,
        dialect.MAV_CMD_NAV_TAKEOFF,
        dialect.MAV_CMD_NAV_LAND,
        dialect.MAV_CMD_DO_SET_HOME,
        dialect.MAV_CMD_DO_SET_ROI,
        dialect.MAV_CMD_DO_SET_ROI_LOCATION,
        dialect.MAV_CMD_DO_LAND_START,
    }
)
_FRAME_STORED: Final = {0: 0, 5: 0, 3: 3, 6: 3, 10: 10, 11: 10, 2: 2}
_NAN_ALLOWED: Final = frozenset({"param2", "param3", "param4"})


@dataclass(frozen=True, slots=True)
class Item:
    """One stored item: command, frame, four parameters, place (1e-7 degree) and z. [m]"""

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
        return self.command <= NAV_LAST

    @property
    def is_condition(self) -> bool:
        """Tell whether actions after this item wait for it."""
        return NAV_LAST < self.command <= CONDITION_LAST


def item_of(message: dialect.MAVLink_message) -> Item | int:
    """Read MISSION_ITEM or MISSION_ITEM_INT; return the item or the MAV_MISSION_RESULT."""
    command = message.command
    if command not in NAMES:
        return int(dialect.MAV_MISSION_UNSUPPORTED)
    params = (message.param1, message.param2, message.param3, message.param4)
    for index, value in enumerate(params):
        if math.isinf(value) or (math.isnan(value) and f"param{index + 1}" not in _NAN_ALLOWED):
            return int(dialect.MAV_MISSION_INVALID_PARAM1) + index
    cleaned = [0.0 if math.isnan(value) else value for value in params]
    if command not in WITH_PLACE:
        return Item(command, 0, *cleaned, 0, 0, 0.0)
    frame = _FRAME_STORED.get(message.frame)
    if frame is None:
        return int(dialect.MAV_MISSION_UNSUPPORTED_FRAME)
    if not (math.isfinite(message.x) and math.isfinite(message.y)):
        return int(dialect.MAV_MISSION_INVALID_PARAM5_X)
    scale = 1e7 if message.get_type() == "MISSION_ITEM" else 1.0
    x, y = round(message.x * scale), round(message.y * scale)
    if abs(x) > 900_000_000:
        return int(dialect.MAV_MISSION_INVALID_PARAM5_X)
    if abs(y) > 1_800_000_000:
        return int(dialect.MAV_MISSION_INVALID_PARAM6_Y)
    if not math.isfinite(message.z):
        return int(dialect.MAV_MISSION_INVALID_PARAM7)
    return Item(command, frame, *cleaned, x, y, message.z)


class RunState(IntEnum):
    """MISSION_STATE of MISSION_CURRENT, without "unknown" and "paused"."""

    NO_MISSION = 1
    NOT_STARTED = 2
    ACTIVE = 3
    COMPLETE = 5


class Mission:
    """The stored mission and where it stands. Item 0 is home; it is never flown.

    Invariant: `current` is 0 or the index of a stored item. Navigation items are flown one after
    the other; the actions that follow one run at once while it is flown, but wait for conditions
    among them; jumps are followed when the next navigation item is looked for.
    """

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.running = False
        self.complete = False
        self.nav: int | None = None
        self.action: int | None = None
        self.wanted: int = 0
        self._actions_from = 0
        self._jumps: dict[int, int] = {}

    @property
    def present(self) -> bool:
        """Tell whether there is anything to fly."""
        return len(self.items) > 1

    @property
    def state(self) -> RunState:
        """Return the state MISSION_CURRENT reports."""
        if not self.present:
            return RunState.NO_MISSION
        if self.running:
            return RunState.ACTIVE
        return RunState.COMPLETE if self.complete else RunState.NOT_STARTED

    @property
    def current(self) -> int:
        """Return the sequence number MISSION_CURRENT reports."""
        return self.nav if self.nav is not None else self.wanted

    def starts_with_takeoff(self) -> bool:
        """Tell whether the first item flown is a take-off."""
        first = self._next_nav(max(self.wanted, 1), count=False)
        return first is not None and self.items[first].command == dialect.MAV_CMD_NAV_TAKEOFF

    def replace(self, items: list[Item]) -> None:
        """Store a new mission; it starts from the beginning."""
        self.items = items
        self.reset()

    def reset(self) -> None:
        """Go back to the start."""
        self.running = self.complete = False
        self.nav = self.action = None
        self.wanted = 0
        self._jumps.clear()

    def start_or_resume(self) -> int | None:
        """Run; return the navigation item to begin, None if there is none."""
        if not self.present:
            return None
        if self.complete:
            self.reset()
        self.running = True
        start = self.nav if self.nav is not None else max(self.wanted, 1)
        return self._begin(start)

    def stop(self) -> None:
        """Stop running, as on leaving AUTO; the place in the mission is kept."""
        self.running = False

    def set_current(self, index: int) -> int | None:
        """Make `index` current; return the navigation item to begin if the mission runs.

        Index 0 is home and means item 1, as in ArduPilot.
        """
        self.complete = False
        if not self.running:
            self.nav = self.action = None
            self.wanted = index
            return None
        return self._begin(max(index, 1))

    def advance(self) -> int | None:
        """Finish the current navigation item; return the next, None at the end."""
        assert self.nav is not None
        return self._begin(self.nav + 1)

    def next_action(self) -> int | None:
        """Return the next action or condition to run beside the navigation item, or None."""
        index = self._actions_from
        if self.action is not None or not self.running or index >= len(self.items):
            return None
        item = self.items[index]
        if item.is_nav or item.command == dialect.MAV_CMD_DO_JUMP:
            return None
        self.action = index
        return index

    def finish_action(self) -> None:
        """Allow the next action to run."""
        if self.action is not None:
            self._actions_from = self.action + 1
            self.action = None

    def jumped(self, index: int) -> tuple[int, int]:
        """Return how often the jump at `index` was followed, and its limit (-1: for ever)."""
        return self._jumps.get(index, 0), int(self.items[index].param2)

    def _begin(self, start: int) -> int | None:
        nav = self._next_nav(start, count=True)
        self.action = None
        if nav is None:
            self.running, self.complete = False, True
            return None
        self.nav = nav
        self._actions_from = nav + 1
        return nav

    def _next_nav(self, start: int, *, count: bool) -> int | None:
        index = start
        for _ in range(4 * len(self.items) + 4):
            if index >= len(self.items):
                return None
            item = self.items[index]
            if item.command == dialect.MAV_CMD_DO_JUMP:
                done, times = self.jumped(index)
                if times < 0 or done < times:
                    if count:
                        self._jumps[index] = done + 1
                    index = max(int(item.param1), 1)
                    continue
            elif item.is_nav:
                return index
            index += 1
        return None  # nothing but jumps
