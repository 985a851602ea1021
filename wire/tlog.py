"""The .tlog of MAVLink's tools: each frame behind its 64-bit big-endian time in microseconds."""

import struct
from collections.abc import Iterator
from typing import Final

from wire.mavlink import frame_bytes_untrusted

STAMP: Final = struct.Struct(">Q")


class TlogSplitter:
    """Take a .tlog in pieces; return what stands in it."""

    def __init__(self) -> None:
        self._rest = b""

    def receive(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Return (microseconds, frame) of what is complete."""
        buffer, at = self._rest + data, 0
        while (size := frame_bytes_untrusted(buffer, at + STAMP.size)) is not None:
            start = at + STAMP.size
            if start + size > len(buffer):
                break
            yield STAMP.unpack_from(buffer, at)[0], buffer[start : start + size]
            at = start + size
        self._rest = buffer[at:]
