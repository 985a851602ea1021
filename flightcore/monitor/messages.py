"""Telemetry the GNSS monitor reads, decoded from frames with `struct` and converted to SI once.

MAVLink 2 cuts trailing zero bytes of a payload, so each is extended with zeros before it is read.
Whatever the bytes, decoding gives a message of finite numbers or None.
Source: https://mavlink.io/en/messages/ardupilotmega.html
"""

import math
from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple

from wire.mavlink import HEADER_BYTES, MAGIC_V2

AUTOPILOT_COMPONENT: Final = 1  # MAV_COMP_ID_AUTOPILOT1: a gimbal's attitude is not the vehicle's
METRES_PER_DEG_E7: Final = 1e-7 * math.pi / 180.0 * 6_378_137.0
STANDARD_GRAVITY: Final = 9.80665
_KNOWS_BOOT_TIME_BELOW_US: Final = 10**14  # three years: more is Unix time, of no use here
_UNKNOWN_U16: Final = 65_535


class Heartbeat(NamedTuple):
    """Whether the motors may turn."""

    is_armed: bool


class SystemTime(NamedTuple):
    """GNSS-derived wall time against time since boot."""

    time_s: float
    unix_s: float


class Fix(NamedTuple):
    """One GNSS epoch as the receiver reported it.

    `time_s` is None where the receiver's clock is not the autopilot's. Latitude and longitude stay
    in 1e-7 degrees, whose differences are exact; `velocity` is horizontal, north + j east, None if
    the receiver does not say; accuracies are None if unknown.
    """

    time_s: float | None
    type: int
    lat_deg_e7: int
    lon_deg_e7: int
    alt: float
    velocity: complex | None
    hdop: float | None
    satellites: int | None
    h_acc: float | None
    v_acc: float | None
    vel_acc: float | None


class Imu(NamedTuple):
    """Specific force in FRD [m/s2]."""

    time_s: float
    x: float
    y: float
    z: float


class Pressure(NamedTuple):
    """Height in the standard atmosphere [m]; only its changes mean something."""

    time_s: float
    height: float


class Attitude(NamedTuple):
    """Euler angles and body rates of the vehicle, FRD to NED."""

    time_s: float
    roll: float
    pitch: float
    yaw: float
    p: float
    q: float
    r: float


class Local(NamedTuple):
    """The filter's horizontal position and velocity from its origin, north + j east."""

    time_s: float
    position: complex
    velocity: complex


class FilterReport(NamedTuple):
    """EKF_STATUS_REPORT: square roots of test ratios (1 is the gate), and flags."""

    flags: int
    velocity: float
    position: float


Message = Heartbeat | SystemTime | Fix | Imu | Pressure | Attitude | Local | FilterReport

_HEARTBEAT: Final = Struct("<IBBBBB")
_SYSTEM_TIME: Final = Struct("<QI")
_FIX: Final = Struct("<QiiiHHHHBBiIIIIH")
_RAW_IMU: Final = Struct("<Qhhh")
_PRESSURE: Final = Struct("<If")
_SIX_FLOATS: Final = Struct("<Iffffff")
_REPORT: Final = Struct("<fffffH")
_ZEROS: Final = bytes(255)
_ARMED: Final = 128  # MAV_MODE_FLAG_SAFETY_ARMED
_G_PER_MG: Final = STANDARD_GRAVITY / 1000.0


def _heartbeat(payload: bytes) -> Message | None:
    _, _, autopilot, mode, _, _ = _HEARTBEAT.unpack_from(payload)
    return None if autopilot == 8 else Heartbeat(bool(mode & _ARMED))  # 8: no autopilot


def _system_time(payload: bytes) -> Message | None:
    unix_us, boot_ms = _SYSTEM_TIME.unpack_from(payload)
    return SystemTime(boot_ms * 1e-3, unix_us * 1e-6) if unix_us else None


def _fix(payload: bytes) -> Message | None:
    (time_us, lat, lon, alt, hdop, _, speed, course, kind, satellites, _, h_acc, v_acc, vel_acc,
     _, _) = _FIX.unpack_from(payload)  # fmt: skip
    if abs(lat) > 900_000_000 or abs(lon) > 1_800_000_000:
        return None
    velocity = None
    if speed != _UNKNOWN_U16 and course != _UNKNOWN_U16:
        angle = course * (math.pi / 18_000.0)
        velocity = complex(math.cos(angle), math.sin(angle)) * (speed * 0.01)
    return Fix(
        time_us * 1e-6 if 0 < time_us < _KNOWS_BOOT_TIME_BELOW_US else None,
        kind,
        lat,
        lon,
        alt * 1e-3,
        velocity,
        None if hdop == _UNKNOWN_U16 else hdop * 0.01,
        None if satellites == 255 else satellites,
        h_acc * 1e-3 if h_acc else None,
        v_acc * 1e-3 if v_acc else None,
        vel_acc * 1e-3 if vel_acc else None,
    )


def _raw_imu(payload: bytes) -> Message | None:
    time_us, x, y, z = _RAW_IMU.unpack_from(payload)
    return Imu(time_us * 1e-6, x * _G_PER_MG, y * _G_PER_MG, z * _G_PER_MG)


def _pressure(payload: bytes) -> Message | None:
    time_ms, hpa = _PRESSURE.unpack_from(payload)
    if not 100.0 < hpa < 1200.0:
        return None
    return Pressure(time_ms * 1e-3, 44_330.77 * (1.0 - (hpa / 1013.25) ** 0.190263))


def _attitude(payload: bytes) -> Message | None:
    time_ms, roll, pitch, yaw, p, q, r = _SIX_FLOATS.unpack_from(payload)
    if not (abs(roll) < 7.0 and abs(pitch) < 2.0 and abs(yaw) < 7.0):  # NaN is not below
        return None
    if not (abs(p) < 100.0 and abs(q) < 100.0 and abs(r) < 100.0):
        return None
    return Attitude(time_ms * 1e-3, roll, pitch, yaw, p, q, r)


def _local(payload: bytes) -> Message | None:
    time_ms, x, y, _, vx, vy, _ = _SIX_FLOATS.unpack_from(payload)
    if not (abs(x) < 1e7 and abs(y) < 1e7 and abs(vx) < 1e3 and abs(vy) < 1e3):
        return None
    return Local(time_ms * 1e-3, complex(x, y), complex(vx, vy))


def _report(payload: bytes) -> Message | None:
    velocity, position, _, _, _, flags = _REPORT.unpack_from(payload)
    if not (0.0 <= velocity < 1e6 and 0.0 <= position < 1e6):
        return None
    return FilterReport(flags, velocity, position)


_DECODERS: Final[dict[int, Callable[[bytes], Message | None]]] = {
    0: _heartbeat,
    2: _system_time,
    24: _fix,
    27: _raw_imu,
    29: _pressure,
    30: _attitude,
    32: _local,
    193: _report,
}
WATCHED: Final = frozenset(_DECODERS)


def decode(frame: bytes) -> Message | None:
    """Return what a whole MAVLink 2 frame of the autopilot says; None if the monitor has no use."""
    if len(frame) < HEADER_BYTES or frame[0] != MAGIC_V2 or frame[6] != AUTOPILOT_COMPONENT:
        return None
    decoder = _DECODERS.get(frame[7] | frame[8] << 8 | frame[9] << 16)
    if decoder is None:
        return None
    return decoder(frame[HEADER_BYTES : HEADER_BYTES + frame[1]] + _ZEROS)
