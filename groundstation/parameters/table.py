"""One parameter: its value, of which kind it is, and what it is without anybody's setting."""

import math
import re
import struct
from typing import Final, NamedTuple

from wire.mavlink import dialect

INT8: Final = dialect.MAV_PARAM_TYPE_INT8
INT16: Final = dialect.MAV_PARAM_TYPE_INT16
INT32: Final = dialect.MAV_PARAM_TYPE_INT32
REAL32: Final = dialect.MAV_PARAM_TYPE_REAL32
NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,15}")
MAX_PARAMETERS: Final = 10_000
LARGEST: Final = 3.4028235e38  # that four bytes hold
_RANGE: Final = {INT8: 2**7, INT16: 2**15, INT32: 2**31}
_KINDS: Final = {INT8: "int8", INT16: "int16", INT32: "int32", REAL32: "float"}
_FLOAT: Final = struct.Struct("<f")


class Parameter(NamedTuple):
    """One parameter; `kind` is a MAV_PARAM_TYPE, `default` is None if it is not known."""

    name: str
    value: float
    kind: int
    default: float | None = None

    @property
    def is_changed(self) -> bool:
        """Tell whether it is known to differ from its default."""
        return self.default is not None and self.default != self.value


def kind_name(kind: int) -> str:
    """Return the name of a kind."""
    return _KINDS.get(kind, "float")


def as_sent(value: float) -> float:
    """Return a value as MAVLink carries it, which is a float of four bytes."""
    sent: float = _FLOAT.unpack(_FLOAT.pack(value))[0]
    return sent


def why_not(value: float, kind: int) -> str:
    """Return why a parameter of that kind cannot have a value, "" if it can."""
    if not math.isfinite(value) or abs(value) > LARGEST:
        return "no finite number"
    limit = _RANGE.get(kind)
    if limit is None:
        return ""
    if value != int(value):
        return f"no whole number, and it is an {kind_name(kind)}"
    if not -limit <= value < limit:
        return f"out of range; allowed: {-limit} to {limit - 1}"
    if as_sent(value) != value:
        return "cannot be carried exactly; allowed: whole numbers up to 16777216"
    return ""


def shown(value: float) -> str:
    """Return the shortest text that gives the same four-byte float again."""
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return next(
        text
        for digits in range(6, 10)
        if as_sent(float(text := f"{value:.{digits}g}")) == as_sent(value)
    )
