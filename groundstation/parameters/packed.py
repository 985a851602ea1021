"""ArduPilot's `@PARAM/param.pck`: the whole table in one file, names shortened.

Source: ArduPilot, libraries/AP_Filesystem/README.md, "Parameter file".
"""

import math
import struct
from typing import Final

from groundstation.parameters.table import (
    INT8,
    INT16,
    INT32,
    MAX_PARAMETERS,
    NAME,
    REAL32,
    Parameter,
)

PATH: Final = b"@PARAM/param.pck?withdefaults=1"
MAX_BYTES: Final = 1 << 20
_HEAD: Final = struct.Struct("<HHH")
_PLAIN, _WITH_DEFAULTS = 0x671B, 0x671C
_HAS_DEFAULT: Final = 0x10
_LAYOUTS: Final = {
    1: (INT8, struct.Struct("<b")),
    2: (INT16, struct.Struct("<h")),
    3: (INT32, struct.Struct("<i")),
    4: (REAL32, struct.Struct("<f")),
}


class PackedError(Exception):
    """The file is not what it should be; the text says where."""


def parse_untrusted(data: bytes) -> list[Parameter]:
    """Return the parameters in the file, in its order.

    Without a default of its own a parameter has that as its value, if the file has defaults.

    Raises:
        PackedError: The file is damaged, incomplete, or none.
    """
    if len(data) < _HEAD.size:
        raise PackedError("shorter than its head")
    magic, count, total = _HEAD.unpack_from(data)
    if magic not in (_PLAIN, _WITH_DEFAULTS):
        raise PackedError(f"begins with {magic:#06x}")
    if count != total or count > MAX_PARAMETERS:
        raise PackedError(f"holds {count} of {total} parameters")
    found: dict[str, Parameter] = {}
    at, before = _HEAD.size, b""
    while at < len(data):
        if data[at] == 0:  # ArduPilot fills up, so that no parameter lies across two blocks
            at += 1
            continue
        parameter, before, at = _one(data, at, before, has_defaults=magic == _WITH_DEFAULTS)
        if parameter.name in found:
            raise PackedError(f"{parameter.name} comes twice")
        found[parameter.name] = parameter
    if len(found) != count:
        raise PackedError(f"says {count} parameters and holds {len(found)}")
    return list(found.values())


def _one(
    data: bytes, at: int, before: bytes, *, has_defaults: bool
) -> tuple[Parameter, bytes, int]:
    try:
        kind, layout = _LAYOUTS[data[at] & 0x0F]
        flags, lengths = data[at] & 0xF0, data[at + 1]
        common, rest = lengths & 0x0F, (lengths >> 4) + 1
        name = before[:common] + data[at + 2 : at + 2 + rest]
        end = at + 2 + rest
        (value,) = layout.unpack_from(data, end)
        end += layout.size
        default = value if has_defaults else None
        if flags & _HAS_DEFAULT:
            (default,) = layout.unpack_from(data, end)
            end += layout.size
    except (KeyError, IndexError, struct.error):
        raise PackedError(f"is damaged at byte {at}") from None
    text = name.decode("ascii", "replace")
    if len(before) < common or not NAME.fullmatch(text) or not math.isfinite(value):
        raise PackedError(f"is damaged at byte {at}")
    if default is not None and not math.isfinite(default):
        raise PackedError(f"is damaged at byte {at}")
    return Parameter(text, value, kind, default), name, end
