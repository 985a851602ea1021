"""Datagrams on a serial radio: COBS (no zero byte inside) and a zero byte after each.

There is no checksum: the tag of the datagram is the check. Whatever a radio puts between our
frames by itself (noise, RADIO_STATUS) costs at most the datagram that follows it.
Source: Cheshire & Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM ToN 7(2), 1999.
"""

from collections import Counter
from enum import StrEnum
from typing import Final

from cobs import cobs

MAX_DATAGRAM_BYTES: Final = 240
DELIMITER: Final = b"\0"
FRAMING_BYTES: Final = 2  # COBS adds one byte to fewer than 255, then comes the delimiter
_MAX_ENCODED_BYTES = MAX_DATAGRAM_BYTES + 1


class BadFrame(StrEnum):
    """Why what stood between two delimiters was dropped."""

    OVERSIZED = "oversized_frame"
    UNDECODABLE = "undecodable_frame"
    EMPTY = "empty_frame"


def encode(datagram: bytes) -> bytes:
    """Return the bytes on the line: FRAMING_BYTES more than the datagram has."""
    if not 0 < len(datagram) <= MAX_DATAGRAM_BYTES:
        raise ValueError(f"a datagram of {len(datagram)} bytes does not go over a serial radio")
    encoded: bytes = cobs.encode(datagram)
    return encoded + DELIMITER


class DatagramSplitter:
    """Cut what comes over a serial radio into datagrams that nobody has authenticated yet.

    Invariant: what comes out depends on the bytes, not on how they were cut into pieces; a
    datagram between two delimiters comes out whatever lies before the first. At most 242 bytes are
    held. The zero state holds none.
    """

    def __init__(self, dropped: Counter[str] | None = None) -> None:
        self._rest = b""
        self.dropped: Counter[str] = Counter() if dropped is None else dropped

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes as they come from the line; return the datagrams they complete."""
        *frames, rest = data.split(DELIMITER)
        datagrams: list[bytes] = []
        for frame in frames:
            datagram = self._decode_untrusted(self._rest + frame)
            self._rest = b""
            if datagram:
                datagrams.append(datagram)
        # One byte too many is enough to know at the delimiter that there were too many.
        self._rest = (self._rest + rest)[: _MAX_ENCODED_BYTES + 1]
        return datagrams

    def _decode_untrusted(self, frame: bytes) -> bytes | None:
        if len(frame) > _MAX_ENCODED_BYTES:
            self.dropped[BadFrame.OVERSIZED] += 1
            return None
        try:
            datagram: bytes = cobs.decode(frame)
        except cobs.DecodeError:
            self.dropped[BadFrame.UNDECODABLE] += 1
            return None
        if not datagram:
            self.dropped[BadFrame.EMPTY] += 1
        return datagram
