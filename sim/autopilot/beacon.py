"""The messages that say who and where: HEARTBEAT, home, origin, and the state of the fence."""

import math
from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.fence import Bound, Fence
from sim.autopilot.frame import Ground
from sim.autopilot.modes import Mode

_POSITION_MODES: Final = frozenset(
    {
        Mode.AUTO,
        Mode.GUIDED,
        Mode.LOITER,
        Mode.RTL,
        Mode.LAND,
        Mode.POSHOLD,
        Mode.BRAKE,
        Mode.SMART_RTL,
    }
)
_MAVLINK_VERSION: Final = 3
_TYPES: Final = {
    4: dialect.MAV_TYPE_QUADROTOR,
    6: dialect.MAV_TYPE_HEXAROTOR,
    8: dialect.MAV_TYPE_OCTOROTOR,
}


def heartbeat(
    mode: Mode, rotors: int, *, armed: bool, flying: bool, aligned: bool
) -> dialect.MAVLink_message:
    """Return the HEARTBEAT of a vehicle in this state."""
    base = dialect.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED | dialect.MAV_MODE_FLAG_STABILIZE_ENABLED
    base |= dialect.MAV_MODE_FLAG_MANUAL_INPUT_ENABLED
    if mode in _POSITION_MODES:
        base |= dialect.MAV_MODE_FLAG_GUIDED_ENABLED
    if armed:
        base |= dialect.MAV_MODE_FLAG_SAFETY_ARMED
    if not aligned:
        status = dialect.MAV_STATE_CALIBRATING
    elif armed and flying:
        status = dialect.MAV_STATE_ACTIVE
    else:
        status = dialect.MAV_STATE_STANDBY
    return dialect.MAVLink_heartbeat_message(
        _TYPES[rotors],
        dialect.MAV_AUTOPILOT_ARDUPILOTMEGA,
        base,
        int(mode),
        status,
        _MAVLINK_VERSION,
    )


def home_position(ground: Ground, now_s: float) -> dialect.MAVLink_message | None:
    """Return HOME_POSITION, None while home is not set."""
    home = ground.home
    if home is None:
        return None
    north, east = ground.home_north_east()
    return dialect.MAVLink_home_position_message(
        home.lat_deg_e7,
        home.lon_deg_e7,
        round(home.alt * 1e3),
        north,
        east,
        ground.home_down,
        [math.nan] * 4,
        0.0,
        0.0,
        0.0,
        round(now_s * 1e6),
    )


def global_origin(ground: Ground, now_s: float) -> dialect.MAVLink_message | None:
    """Return GPS_GLOBAL_ORIGIN, None while the origin is not set."""
    origin = ground.origin
    if origin is None:
        return None
    return dialect.MAVLink_gps_global_origin_message(
        origin.lat_deg_e7, origin.lon_deg_e7, round(origin.alt * 1e3), round(now_s * 1e6)
    )


def home_and_origin(ground: Ground, now_s: float) -> list[dialect.MAVLink_message]:
    """Return both, as far as they are set."""
    both = (home_position(ground, now_s), global_origin(ground, now_s))
    return [message for message in both if message is not None]


def fence_status(fence: Fence) -> dialect.MAVLink_message:
    """Return FENCE_STATUS."""
    kind = dialect.FENCE_BREACH_NONE
    if Bound.MIN_ALT in fence.breached:
        kind = dialect.FENCE_BREACH_MINALT
    if Bound.MAX_ALT in fence.breached:
        kind = dialect.FENCE_BREACH_MAXALT
    if fence.breached & (Bound.CIRCLE | Bound.POLYGON):
        kind = dialect.FENCE_BREACH_BOUNDARY
    breached = 1 if fence.breached else 0
    return dialect.MAVLink_fence_status_message(breached, fence.count, kind, fence.time_ms, 1)
