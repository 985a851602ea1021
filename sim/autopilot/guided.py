"""GUIDED setpoints: which combinations of fields are accepted, and what they mean.

There is no acknowledgement for these messages: what cannot be accepted stops the vehicle. Any
ignore bit of a group ignores the whole group.
"""

import math
from dataclasses import dataclass
from typing import Final

from sim.autopilot.flight import AttitudeDemand, Yaw, YawAim
from sim.control.cascade import Motion
from sim.control.reference import Target
from sim.control.vector import Vec3, clamp, to_euler
from sim.geodesy import Place
from wire.mavlink import dialect

_POSITION: Final = 0x007
_VELOCITY: Final = 0x038
_ACCELERATION: Final = 0x1C0
_FORCE: Final = 0x200
_YAW: Final = 0x400
_YAW_RATE: Final = 0x800
_ATTITUDE_RATES: Final = 0x07
_THROTTLE: Final = 0x40
_ATTITUDE: Final = 0x80
_SPEED_SANE: Final = 1000.0

_LOCAL: Final = 1
_LOCAL_OFFSET: Final = 7
_BODY: Final = 8
_BODY_OFFSET: Final = 9
_LOCAL_FRAMES: Final = frozenset({_LOCAL, _LOCAL_OFFSET, _BODY, _BODY_OFFSET})
_BODY_FRAMES: Final = frozenset({_BODY, _BODY_OFFSET})
GLOBAL_FRAMES: Final = frozenset({0, 5})
HOME_FRAMES: Final = frozenset({3, 6, 10, 11})


@dataclass(frozen=True, slots=True)
class Setpoint:
    """An accepted movement setpoint. `expires`: whether GUID_TIMEOUT applies to it."""

    target: Target
    yaw: Yaw
    expires: bool


def local_setpoint(message: dialect.MAVLink_message, motion: Motion) -> Setpoint | None:
    """Read SET_POSITION_TARGET_LOCAL_NED; None where ArduPilot would stop.

    LOCAL_NED is relative to the estimator's origin. In the BODY frames position is an offset and,
    as velocity and acceleration, turned by the heading; yaw is relative.
    """
    frame, mask = message.coordinate_frame, message.type_mask
    if frame not in _LOCAL_FRAMES:
        return None
    heading = to_euler(motion.q_nb)[2]
    turn = heading if frame in _BODY_FRAMES else 0.0
    position = _turned((message.x, message.y, message.z), turn)
    if frame != _LOCAL:
        p = motion.position_n
        position = (p[0] + position[0], p[1] + position[1], p[2] + position[2])
    return _combine(message, mask, position, turn, heading if frame in _BODY_FRAMES else None)


def global_setpoint(
    message: dialect.MAVLink_message, origin: Place, home_alt: float
) -> Setpoint | None:
    """Read SET_POSITION_TARGET_GLOBAL_INT; None where ArduPilot would stop."""
    mask = message.type_mask
    position = (0.0, 0.0, 0.0)
    if not mask & _POSITION:
        if not valid_lat_lon(message.lat_int, message.lon_int):
            return None
        down = down_of(message.alt, message.coordinate_frame, origin, home_alt)
        if down is None:
            return None
        north, east = origin.north_east(message.lat_int, message.lon_int)
        position = (north, east, down)
    return _combine(message, mask, position, 0.0, None)


def attitude_setpoint(
    message: dialect.MAVLink_message, *, thrust_as_thrust: bool, speed_up: float, speed_down: float
) -> AttitudeDemand | None:
    """Read SET_ATTITUDE_TARGET; None where ArduPilot would stop."""
    mask = message.type_mask
    rates_ignored = mask & _ATTITUDE_RATES
    if mask & _THROTTLE or rates_ignored not in (0, _ATTITUDE_RATES):
        return None
    q = (message.q[0], message.q[1], message.q[2], message.q[3])
    by_rate = bool(mask & _ATTITUDE)
    if not by_rate and not abs(math.sqrt(sum(c * c for c in q)) - 1.0) < 1e-3:
        return None
    rate = (message.body_roll_rate, message.body_pitch_rate, message.body_yaw_rate)
    if rates_ignored:
        rate = (0.0, 0.0, 0.0)
    if not all(map(math.isfinite, (*rate, message.thrust))):
        return None
    attitude = None if by_rate else q
    if thrust_as_thrust:
        return AttitudeDemand(attitude, rate, None, clamp(message.thrust, -1.0, 1.0))
    share = 2.0 * clamp(message.thrust, 0.0, 1.0) - 1.0
    return AttitudeDemand(attitude, rate, share * (speed_up if share > 0.0 else speed_down))


def valid_lat_lon(lat_deg_e7: int, lon_deg_e7: int) -> bool:
    """Tell whether this is a point on Earth."""
    return abs(lat_deg_e7) <= 900_000_000 and abs(lon_deg_e7) <= 1_800_000_000


def down_of(alt: float, frame: int, origin: Place, home_alt: float) -> float | None:
    """Return the NED down of an altitude given in a MAVLink frame, None if it is not one. [m]"""
    if frame in GLOBAL_FRAMES:
        return origin.alt - alt
    if frame in HOME_FRAMES:
        return origin.alt - home_alt - alt
    return None


def _combine(
    message: dialect.MAVLink_message,
    mask: int,
    position_n: Vec3,
    turn: float,
    heading: float | None,
) -> Setpoint | None:
    has_position, has_velocity = not mask & _POSITION, not mask & _VELOCITY
    has_acceleration = not mask & _ACCELERATION
    if mask & _FORCE and has_acceleration:
        return None
    velocity = (message.vx, message.vy, message.vz) if has_velocity else (0.0, 0.0, 0.0)
    if any(math.isnan(v) or abs(v) > _SPEED_SANE for v in velocity):
        return None
    given = (message.afx, message.afy, message.afz)
    acceleration = given if has_acceleration else (0.0, 0.0, 0.0)
    # ArduPilot takes a NaN position or acceleration and flies into it; a simulator whose state
    # becomes NaN helps nobody, so here it stops.
    if not all(map(math.isfinite, (*position_n, *acceleration))) and (
        has_position or has_acceleration
    ):
        return None
    yaw = _yaw(message, mask, heading, moving=has_velocity)
    velocity = _turned(velocity, turn)
    acceleration = _turned(acceleration, turn)
    place = (position_n[0], position_n[1])
    if has_position and has_velocity:
        return Setpoint(Target(place, position_n[2], velocity, acceleration), yaw, expires=True)
    if has_velocity:
        return Setpoint(Target(None, None, velocity, acceleration), yaw, expires=True)
    if not has_position and has_acceleration:
        return Setpoint(Target(None, None, velocity, acceleration), yaw, expires=True)
    if has_position and not has_acceleration:
        return Setpoint(Target(place, position_n[2]), yaw, expires=False)
    return None


def _yaw(
    message: dialect.MAVLink_message, mask: int, heading: float | None, *, moving: bool
) -> Yaw:
    if not mask & _YAW and math.isfinite(message.yaw):
        base = heading if heading is not None else 0.0
        return Yaw(YawAim.ANGLE, angle=base + message.yaw)
    if not mask & _YAW_RATE and math.isfinite(message.yaw_rate):
        return Yaw(YawAim.RATE, rate=message.yaw_rate)
    return Yaw(YawAim.HOLD if moving else YawAim.AHEAD)


def _turned(v: Vec3, heading: float) -> Vec3:
    c, s = math.cos(heading), math.sin(heading)
    return v[0] * c - v[1] * s, v[0] * s + v[1] * c, v[2]
