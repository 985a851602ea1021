"""The telemetry that the console watches: which fields of which message, and what they mean.

The newest frame of each message is kept as it came and decoded only when somebody looks, so a
drone nobody looks at costs one dictionary entry per frame.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from wire.mavlink import HEADER_BYTES, dialect

Value = float | int | None


class Field(NamedTuple):
    """One field: its value is `scale` times the wire's, rounded; None for the wire's `unknown`."""

    name: str
    scale: float = 1
    unknown: int | None = None
    decimals: int = 2


class Watched(NamedTuple):
    """One message: the name of its group, how often it is asked for, and when it is stale.

    A rate of 0 asks for nothing: the companion asks for what it needs itself, mostly at higher
    rates, and an autopilot follows whoever asked last.
    `stale_s` is the age from which its values must not be taken for the present.
    """

    group: str
    rate_hz: float
    stale_s: float
    fields: Sequence[Field]


_RAD: Final = 180.0 / math.pi
_LAT_LON: Final = 1e-7

WATCHED: Final[Mapping[int, Watched]] = {
    dialect.MAVLINK_MSG_ID_HEARTBEAT: Watched(
        "heartbeat",
        0,
        3,
        (*map(Field, ("type", "base_mode", "custom_mode", "system_status")),),
    ),
    dialect.MAVLINK_MSG_ID_SYS_STATUS: Watched(
        "system",
        0,
        4,
        (
            Field("onboard_control_sensors_present"),
            Field("onboard_control_sensors_enabled"),
            Field("onboard_control_sensors_health"),
            Field("voltage_battery", 0.001, 65535),
            Field("current_battery", 0.01, -1),
            Field("battery_remaining", 1, -1),
            Field("load", 0.1, decimals=1),
        ),
    ),
    dialect.MAVLINK_MSG_ID_BATTERY_STATUS: Watched(
        "battery", 0, 4, (Field("current_consumed", 1, -1), Field("time_remaining", 1, 0))
    ),
    dialect.MAVLINK_MSG_ID_GPS_RAW_INT: Watched(
        "gnss",
        0,
        4,
        (
            Field("fix_type"),
            Field("satellites_visible", 1, 255),
            Field("eph", 0.01, 65535),
            Field("h_acc", 0.001, 0),
        ),
    ),
    dialect.MAVLINK_MSG_ID_ATTITUDE: Watched(
        "attitude",
        0,
        1.5,
        (Field("roll", _RAD), Field("pitch", _RAD), Field("yaw", _RAD)),
    ),
    dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: Watched(
        "position",
        0,
        2,
        (
            Field("lat", _LAT_LON, decimals=7),
            Field("lon", _LAT_LON, decimals=7),
            Field("alt", 0.001),
            Field("relative_alt", 0.001),
            Field("vx", 0.01),
            Field("vy", 0.01),
            Field("hdg", 0.01, 65535),
        ),
    ),
    dialect.MAVLINK_MSG_ID_VFR_HUD: Watched(
        "air",
        0,
        2,
        tuple(map(Field, ("airspeed", "groundspeed", "heading", "throttle", "climb"))),
    ),
    dialect.MAVLINK_MSG_ID_WIND: Watched("wind", 1, 10, (Field("direction"), Field("speed"))),
    dialect.MAVLINK_MSG_ID_MISSION_CURRENT: Watched(
        "mission", 0, 5, (Field("seq"), Field("total", 1, 65535))
    ),
    dialect.MAVLINK_MSG_ID_NAV_CONTROLLER_OUTPUT: Watched(
        "navigation", 2, 4, (Field("wp_dist"), Field("target_bearing"))
    ),
    dialect.MAVLINK_MSG_ID_EKF_STATUS_REPORT: Watched(
        "ekf",
        0,
        4,
        (
            Field("flags"),
            *map(
                Field,
                (
                    "velocity_variance",
                    "pos_horiz_variance",
                    "pos_vert_variance",
                    "compass_variance",
                ),
            ),
        ),
    ),
    dialect.MAVLINK_MSG_ID_VIBRATION: Watched(
        "vibration", 0, 5, tuple(map(Field, ("vibration_x", "vibration_y", "vibration_z")))
    ),
    dialect.MAVLINK_MSG_ID_HOME_POSITION: Watched(
        "home",
        0,
        math.inf,
        (
            Field("latitude", _LAT_LON, decimals=7),
            Field("longitude", _LAT_LON, decimals=7),
            Field("altitude", 0.001),
        ),
    ),
    dialect.MAVLINK_MSG_ID_FENCE_STATUS: Watched(
        "fence", 0, 10, (Field("breach_status"), Field("breach_type"))
    ),
    dialect.MAVLINK_MSG_ID_RC_CHANNELS: Watched("rc", 0, 5, (Field("rssi", 1, 255),)),
    dialect.MAVLINK_MSG_ID_EXTENDED_SYS_STATE: Watched("landed", 0, 5, (Field("landed_state"),)),
}


class _Layout(NamedTuple):
    unpack: struct.Struct
    picks: Sequence[tuple[int, Field]]  # place among the unpacked, field


def _layout(message_id: int, watched: Watched) -> _Layout:
    message = dialect.mavlink_map[message_id]
    places, at = {}, 0
    for name, length in zip(message.ordered_fieldnames, message.array_lengths, strict=True):
        places[name] = at
        at += max(1, length)
    return _Layout(message.unpacker, [(places[field.name], field) for field in watched.fields])


_LAYOUTS: Final = {number: _layout(number, watched) for number, watched in WATCHED.items()}


def decode(message_id: int, frame: bytes) -> tuple[Value, ...]:
    """Return the watched fields of a whole frame, in the order of `WATCHED`; None if unknown.

    Bytes that MAVLink 2 cut off are zeros; numbers that are none are unknown.
    """
    layout = _LAYOUTS[message_id]
    payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(layout.unpack.size, b"\0")
    values = layout.unpack.unpack_from(payload)
    return tuple(_value(values[place], field) for place, field in layout.picks)


def _value(raw: float, field: Field) -> Value:
    if raw == field.unknown:
        return None
    if isinstance(raw, int) and field.scale == 1:
        return raw
    # What is no number, or larger than any true value of any field, is not shown as one.
    value = raw * field.scale
    return round(value, field.decimals) if abs(value) < 1e10 else None
