"""GUIDED setpoints as ArduCopter takes them; what it would misunderstand cannot be written.

These messages are never acknowledged: a field group that ArduCopter does not expect stops the
vehicle, a position that is not a number is flown into. Frames are always LOCAL_NED, whose zero is
the origin of the estimator, not home; yaw is absolute.

Body rates beside an attitude are left out: ArduCopter turns them by the attitude a second time, so
that they mean what they say only near north and level; a setpoint looks ahead instead.
"""

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

from flightcore.autopilot import AUTOPILOT_COMPID
from wire.mavlink import dialect

Vec: TypeAlias = tuple[float, float, float]
Quat: TypeAlias = tuple[float, float, float, float]

UNIT: Final = 1e-4  # by so much a quaternion may miss its length; ArduCopter stops at 1e-3
FASTEST: Final = 50.0  # no setpoint of this companion is faster [m/s]

_LOCAL_NED: Final = dialect.MAV_FRAME_LOCAL_NED
_NO_POSITION: Final = 0x007
_NO_VELOCITY: Final = 0x038
_NO_ACCELERATION: Final = 0x1C0
_NO_YAW: Final = 0x400
_NO_YAW_RATE: Final = 0x800
_NO_RATES: Final = 0x07  # of an attitude: all three or none


@dataclass(frozen=True, slots=True)
class PositionTarget:
    """Go there and stay. It never expires. NED from the estimator's origin; SI units."""

    position_n: Vec
    yaw: float


@dataclass(frozen=True, slots=True)
class MotionTarget:
    """Be there, moving so. It expires with GUID_TIMEOUT. NED; SI units."""

    position_n: Vec
    velocity_n: Vec
    acceleration_n: Vec
    yaw: float
    yaw_rate: float


@dataclass(frozen=True, slots=True)
class AttitudeTarget:
    """Hold an attitude. It expires with GUID_TIMEOUT.

    Attributes:
        q_nb: Body FRD to NED, w first; unit.
        thrust: Share of full throttle with GUID_OPTIONS bit 3, which ArduCopter divides by the
            cosine of the tilt; else the climb rate, 0 to 1: 0.5 holds the height. [-]
    """

    q_nb: Quat
    thrust: float


@dataclass(frozen=True, slots=True)
class Brake:
    """Stop, and stay: a velocity of zero. After GUID_TIMEOUT it is held as a place."""


Setpoint: TypeAlias = PositionTarget | MotionTarget | AttitudeTarget | Brake


def is_sound(setpoint: Setpoint) -> bool:
    """Tell whether ArduCopter would do what is meant."""
    match setpoint:
        case PositionTarget():
            return _finite(*setpoint.position_n, setpoint.yaw)
        case MotionTarget():
            moving = (*setpoint.velocity_n, *setpoint.acceleration_n)
            return _finite(*setpoint.position_n, setpoint.yaw, setpoint.yaw_rate) and all(
                abs(value) <= FASTEST for value in moving
            )
        case AttitudeTarget():
            length = math.sqrt(sum(c * c for c in setpoint.q_nb))
            return abs(length - 1.0) <= UNIT and 0.0 <= setpoint.thrust <= 1.0
        case Brake():
            return True


def encode(setpoint: Setpoint, sysid: int) -> dialect.MAVLink_message:
    """Return the message for the autopilot `sysid`; `is_sound` holds, or it is our mistake."""
    assert is_sound(setpoint), setpoint
    zero = (0.0, 0.0, 0.0)
    match setpoint:
        case PositionTarget(position_n=p, yaw=yaw):
            mask = _NO_VELOCITY | _NO_ACCELERATION | _NO_YAW_RATE
            return _local(sysid, mask, (*p, *zero, *zero, yaw, 0.0))
        case MotionTarget(position_n=p, velocity_n=v, acceleration_n=a, yaw=yaw):
            return _local(sysid, 0, (*p, *v, *a, yaw, setpoint.yaw_rate))
        case AttitudeTarget(q_nb=q, thrust=thrust):
            return dialect.MAVLink_set_attitude_target_message(
                0, sysid, AUTOPILOT_COMPID, _NO_RATES, list(q), 0.0, 0.0, 0.0, thrust
            )
        case Brake():
            mask = _NO_POSITION | _NO_ACCELERATION | _NO_YAW | _NO_YAW_RATE
            return _local(sysid, mask, (*zero, *zero, *zero, 0.0, 0.0))


def _local(sysid: int, mask: int, values: tuple[float, ...]) -> dialect.MAVLink_message:
    return dialect.MAVLink_set_position_target_local_ned_message(
        0, sysid, AUTOPILOT_COMPID, _LOCAL_NED, mask, *values
    )


def _finite(*values: float) -> bool:
    return all(map(math.isfinite, values))
