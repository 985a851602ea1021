"""MAVLink 2 framing: split a byte stream into whole, checksummed frames without decoding them.

A frame is ``FD len incompat compat seq sysid compid msgid[3] payload[len] crc[2] (signature[13])``.
The checksum is CRC-16/MCRF4XX over everything after the magic plus the CRC_EXTRA byte of the
message, so a frame of a message that the dialect does not know cannot be checked and is dropped.
Source: https://mavlink.io/en/guide/serialization.html
"""

from collections import Counter
from enum import StrEnum
from typing import Final

from fastcrc.crc16 import mcrf4xx
from pymavlink.dialects.v20 import ardupilotmega as dialect

__all__ = [
    "CRC_EXTRA",
    "HEADER_BYTES",
    "INCOMPAT_SIGNED",
    "MAGIC_V1",
    "MAGIC_V2",
    "MAX_FRAME_BYTES",
    "MESSAGE_NAME",
    "FrameSplitter",
    "Noise",
    "dialect",
    "frame_bytes_untrusted",
    "is_valid_frame",
    "message_id",
    "with_sequence",
]

MAGIC_V2: Final = 0xFD
MAGIC_V1: Final = 0xFE
HEADER_BYTES: Final = 10
CHECKSUM_BYTES: Final = 2
SIGNATURE_BYTES: Final = 13
INCOMPAT_SIGNED: Final = 0x01
MAX_FRAME_BYTES: Final = HEADER_BYTES + 255 + CHECKSUM_BYTES + SIGNATURE_BYTES

_OVERHEAD = HEADER_BYTES + CHECKSUM_BYTES
_V1_HEADER_BYTES = 6
_V1_OVERHEAD = _V1_HEADER_BYTES + CHECKSUM_BYTES

CRC_EXTRA: Final[dict[int, bytes]] = {
    message_id: bytes([message.crc_extra]) for message_id, message in dialect.mavlink_map.items()
}
MESSAGE_NAME: Final[dict[int, str]] = {
    message_id: message.msgname for message_id, message in dialect.mavlink_map.items()
}


class Noise(StrEnum):
    """Why bytes of a MAVLink stream were dropped."""

    GARBAGE = "garbage_bytes"
    BAD_CHECKSUM = "bad_checksum"
    MAVLINK_1 = "mavlink1"
    UNKNOWN_MESSAGE = "unknown_message"


def message_id(frame: bytes) -> int:
    """Return the message id of a whole MAVLink 2 frame."""
    return frame[7] | frame[8] << 8 | frame[9] << 16


def frame_bytes_untrusted(data: bytes, start: int = 0) -> int | None:
    """Return the length a MAVLink 2 header at `start` claims, or None if no header is there."""
    if len(data) - start < HEADER_BYTES or data[start] != MAGIC_V2:
        return None
    signature = SIGNATURE_BYTES if data[start + 2] & INCOMPAT_SIGNED else 0
    return _OVERHEAD + data[start + 1] + signature


def is_valid_frame(frame: bytes) -> bool:
    """Tell whether `frame` is exactly one MAVLink 2 frame of the dialect with a good checksum."""
    if frame_bytes_untrusted(frame) != len(frame) or frame[2] > INCOMPAT_SIGNED:
        return False
    extra = CRC_EXTRA.get(message_id(frame))
    if extra is None:
        return False
    end = HEADER_BYTES + frame[1]
    return mcrf4xx(frame[1:end] + extra) == frame[end] | frame[end + 1] << 8


def with_sequence(frame: bytes, sequence: int) -> bytes:
    """Return an unsigned frame of the dialect as the `sequence`-th of its sender, modulo 256."""
    end = HEADER_BYTES + frame[1]
    body = b"%b%c%b" % (frame[1:4], sequence & 0xFF, frame[5:end])
    checksum = mcrf4xx(body + CRC_EXTRA[message_id(frame)])
    return b"%c%b%b" % (MAGIC_V2, body, checksum.to_bytes(2, "little"))


class FrameSplitter:
    """Cut a MAVLink 2 byte stream into frames, resynchronising on whatever lies between them.

    Invariant: every valid frame of the input that does not lie inside another comes out once, in
    order, however the input is cut into pieces; nothing else comes out. The zero state holds no
    bytes. A candidate header must name a known message, so stray magic bytes seldom hold up what
    follows them.
    """

    def __init__(self, dropped: Counter[str] | None = None) -> None:
        self._rest = b""
        self.dropped: Counter[str] = Counter() if dropped is None else dropped

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes as they come from the line; return the frames they complete."""
        buffer = self._rest + data if self._rest else data
        frames: list[bytes] = []
        at, size = 0, len(buffer)
        while size - at >= HEADER_BYTES:
            if buffer[at] == MAGIC_V2 and buffer[at + 2] <= INCOMPAT_SIGNED:
                end = at + HEADER_BYTES + buffer[at + 1]
                after = end + CHECKSUM_BYTES + (SIGNATURE_BYTES if buffer[at + 2] else 0)
                extra = CRC_EXTRA.get(buffer[at + 7] | buffer[at + 8] << 8 | buffer[at + 9] << 16)
                if extra is not None:
                    if after > size:
                        break
                    checksum = buffer[end] | buffer[end + 1] << 8
                    if mcrf4xx(buffer[at + 1 : end] + extra) == checksum:
                        frames.append(buffer[at:after])
                        at = after
                        continue
            skip = self._skip_untrusted(buffer, at)
            if skip == 0:
                break
            at += skip
        rest = buffer[at:]
        is_start = not rest or rest[0] == MAGIC_V2
        self._rest = rest if is_start else self._keep_possible_start(rest)
        return frames

    def _skip_untrusted(self, buffer: bytes, at: int) -> int:
        """Count why no frame starts at `at`; return how far to move on, 0 to wait for more."""
        size = len(buffer)
        if buffer[at] == MAGIC_V1:
            extra = CRC_EXTRA.get(buffer[at + 5])
            if extra is not None:
                end = at + _V1_HEADER_BYTES + buffer[at + 1]
                if end + CHECKSUM_BYTES > size:
                    return 0
                checksum = buffer[end] | buffer[end + 1] << 8
                if mcrf4xx(buffer[at + 1 : end] + extra) == checksum:
                    self.dropped[Noise.MAVLINK_1] += 1
                    return end + CHECKSUM_BYTES - at
        elif buffer[at] == MAGIC_V2 and buffer[at + 2] <= INCOMPAT_SIGNED:
            if message_id(buffer[at : at + HEADER_BYTES]) in CRC_EXTRA:
                self.dropped[Noise.BAD_CHECKSUM] += 1
            else:
                claimed = frame_bytes_untrusted(buffer, at)
                assert claimed is not None
                after = at + claimed
                if after == size or (after < size and buffer[after] == MAGIC_V2):
                    self.dropped[Noise.UNKNOWN_MESSAGE] += 1
        following = [p for m in (b"\xfd", b"\xfe") if (p := buffer.find(m, at + 1)) >= 0]
        skip = (min(following) if following else size) - at
        self.dropped[Noise.GARBAGE] += skip
        return skip

    def _keep_possible_start(self, rest: bytes) -> bytes:
        """Drop leading bytes of a short remainder that cannot start a frame."""
        starts = [p for m in (b"\xfd", b"\xfe") if (p := rest.find(m)) >= 0]
        skip = min(starts) if starts else len(rest)
        if skip:
            self.dropped[Noise.GARBAGE] += skip
        return rest[skip:]
