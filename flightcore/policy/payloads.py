"""Where things are in payloads, and which numbers in them must be finite.

Offsets come from the dialect's own tables, so a frame is read without building a message of it.
"""

import math
import struct
from collections.abc import Callable
from typing import Any, Final

from wire.mavlink import dialect

# Fields differ by message and the generated classes carry no types.
Message = Any

_TYPE_MASK_AT, _ATTITUDE_MASK_AT = 48, 38


def decode(frame: bytes) -> Message:
    """Return the pymavlink message of one whole, checksummed frame.

    Raises:
        dialect.MAVError, ValueError: The payload is not what the message says it is.
    """
    return _PARSER.decode(bytearray(frame))


_PARSER = dialect.MAVLink(None)


def printable(raw: bytes) -> str:
    """Return bytes of an unchecked name as ASCII text of the same length."""
    return "".join(chr(byte) if 32 < byte < 127 else "?" for byte in raw)


def _fields(message: Any) -> list[tuple[str, str, int]]:  # noqa: ANN401 - a generated class
    """Return name, struct code and count of each field, in the order of the wire."""
    codes = message.native_format.decode().lstrip("<")
    # The generated orders and lengths are those of the wire; a single value has length 0 here.
    return [
        (name, code, max(count, 1))
        for name, code, count in zip(
            message.ordered_fieldnames, codes, message.array_lengths, strict=True
        )
    ]


def offset(message: Any, names: tuple[str, ...]) -> int:  # noqa: ANN401 - a generated class
    """Return where the first of the named fields is; past every payload if there is none."""
    at = 0
    for name, code, count in _fields(message):
        if name in names:
            return at
        at += count * struct.calcsize(f"<{code}")
    return 256


def floats_of(message: Any) -> struct.Struct:  # noqa: ANN401 - a generated class
    """Return what reads only the floating point fields of a payload, empty if it has none."""
    parts = [
        f"{count}{code}" if code in "fd" else f"{count * struct.calcsize(f'<{code}')}x"
        for _, code, count in _fields(message)
    ]
    return struct.Struct("<" + "".join(parts) if any(p[-1] in "fd" for p in parts) else "")


_Used = Callable[[bytes, tuple[float, ...]], bool]


def all_finite(_: bytes, values: tuple[float, ...]) -> bool:
    """Tell whether a message that uses all its numbers can be used."""
    return all(map(math.isfinite, values))


def _may_be_open(_: bytes, values: tuple[float, ...]) -> bool:
    return not any(map(math.isinf, values))


# type_mask of SET_POSITION_TARGET_*: any bit of a group switches the whole group off.
_POSITION_GROUPS = (
    (0x007, slice(0, 3)),
    (0x038, slice(3, 6)),
    (0x1C0, slice(6, 9)),
    (0x400, slice(9, 10)),
    (0x800, slice(10, 11)),
)


def _position_target(payload: bytes, values: tuple[float, ...]) -> bool:
    """ArduCopter checks velocities only, so what it would use must be finite before it gets it."""
    mask = payload[_TYPE_MASK_AT] | payload[_TYPE_MASK_AT + 1] << 8
    values = (0.0,) * (11 - len(values)) + values  # latitude and longitude are integers
    return all(
        all(map(math.isfinite, values[group]))
        for bits, group in _POSITION_GROUPS
        if not mask & bits
    )


def _attitude_target(payload: bytes, values: tuple[float, ...]) -> bool:
    mask = payload[_ATTITUDE_MASK_AT]
    q, rates, thrust = values[:4], values[4:7], values[7:]
    used = thrust
    used += () if mask & dialect.ATTITUDE_TARGET_TYPEMASK_ATTITUDE_IGNORE else q
    used += () if mask & 0x07 else rates
    return all(map(math.isfinite, used))


# Which numbers of a message must be finite, if not all.
USED: Final[dict[str, _Used]] = {
    "SET_POSITION_TARGET_LOCAL_NED": _position_target,
    "SET_POSITION_TARGET_GLOBAL_INT": _position_target,
    "SET_ATTITUDE_TARGET": _attitude_target,
    "GIMBAL_MANAGER_SET_ATTITUDE": _may_be_open,
    "GIMBAL_MANAGER_SET_PITCHYAW": _may_be_open,
    "GIMBAL_MANAGER_SET_MANUAL_CONTROL": _may_be_open,
}
