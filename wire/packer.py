"""Frames of pymavlink's messages, packed by what is known of each kind beforehand.

The bytes are those of `pack` of the message, in half the time: an autopilot's front and a companion
pack hundreds a second.
"""

from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from struct import Struct
from typing import Final, TypeAlias

from fastcrc.crc16 import mcrf4xx

from wire.mavlink import MAGIC_V2, dialect

_Value: TypeAlias = float | int | bytes
_Packed: TypeAlias = Callable[[dialect.MAVLink_message], bytes]
_HEADER: Final = Struct("<BxxBBBHB")  # from the length on, flags 0
_MAGIC: Final = bytes((MAGIC_V2,))


def pack(message: dialect.MAVLink_message, sysid: int, compid: int, sequence: int) -> bytes:
    """Return `message` as an unsigned frame, the `sequence`-th of its sender."""
    number = message.get_msgId()
    payload = _payload(number)(message).rstrip(b"\0") or b"\0"
    body = _HEADER.pack(len(payload), sequence, sysid, compid, number & 0xFFFF, number >> 16)
    body += payload
    checksum = mcrf4xx(body + bytes((message.crc_extra,)))
    return b"%b%b%b" % (_MAGIC, body, checksum.to_bytes(2, "little"))


@cache
def _payload(number: int) -> _Packed:
    """Return what packs the payload of one kind of message, zeros at its end and all."""
    kind = dialect.mavlink_map[number]
    types = dict(zip(kind.fieldnames, kind.fieldtypes, strict=True))
    sizes = dict(zip(kind.ordered_fieldnames, kind.array_lengths, strict=True))
    # Text is kept beside what it says, as it is on the wire.
    is_text = {name: types[name] == "char" and size > 0 for name, size in sizes.items()}
    read = attrgetter(*(f"_{name}_raw" if is_text[name] else name for name in sizes))
    counts = [0 if is_text[name] else size for name, size in sizes.items()]
    layout: Callable[..., bytes] = kind.unpacker.pack
    if len(counts) == 1 and not counts[0]:
        return lambda message: layout(read(message))
    if not any(counts):
        return lambda message: layout(*read(message))

    def flat(message: dialect.MAVLink_message) -> bytes:
        fields: Sequence[_Value | Sequence[_Value]] = read(message)
        values: list[_Value] = []
        for value, count in zip((fields,) if len(counts) == 1 else fields, counts, strict=True):
            values += value[:count] if count else (value,)  # type: ignore[index,arg-type]
        return layout(*values)

    return flat
