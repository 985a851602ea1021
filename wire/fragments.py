"""Frames too long for a radio datagram, in parts: the FRAGMENT record and its reassembly.

Value of a FRAGMENT record: frame id (1), index of the part with bit 7 set in the last (1), bytes.
Parts travel in datagrams of their own, each sealed and authenticated; a part that is lost takes its
frame with it.
"""

from collections import Counter
from enum import StrEnum
from typing import Final, NamedTuple

from wire.mavlink import MAX_FRAME_BYTES, is_valid_frame
from wire.records import FRAGMENT, RECORD_HEADER_BYTES, encode_record

# A datagram of 240 bytes has 215 for records on the way up, and 219 on the way down of which
# a STATUS takes 10: a record of 200 always fits, whatever little else goes with it.
MAX_RECORD_BYTES: Final = 200
# Parts of this many neighbouring frames may arrive mixed.
WINDOW: Final = 4

_HEADER_BYTES = 2
_CHUNK_BYTES = MAX_RECORD_BYTES - RECORD_HEADER_BYTES - _HEADER_BYTES
_LAST = 0x80


class BadFragment(StrEnum):
    """Why parts of frames were dropped; each counts once a frame."""

    MALFORMED = "malformed_fragment"
    INCOMPLETE = "incomplete_frame"
    BAD_FRAME = "bad_assembled_frame"


class Fragmenter:
    """Cut the frames of one direction; successive cut frames have successive ids, modulo 256."""

    def __init__(self) -> None:
        self._id = 0

    def cut(self, frame: bytes) -> list[bytes]:
        """Return the records that carry a MAVLink frame: itself if it is short enough."""
        if len(frame) <= MAX_RECORD_BYTES:
            return [frame]
        if len(frame) > MAX_FRAME_BYTES:
            raise ValueError(f"{len(frame)} bytes are no MAVLink frame")
        chunks = [frame[at : at + _CHUNK_BYTES] for at in range(0, len(frame), _CHUNK_BYTES)]
        frame_id, self._id = self._id, (self._id + 1) & 0xFF
        last = len(chunks) - 1
        return [
            encode_record(FRAGMENT, bytes((frame_id, index | (_LAST if index == last else 0))) + c)
            for index, c in enumerate(chunks)
        ]


class Assembled(NamedTuple):
    """A whole MAVLink frame, checksum checked. It was made no earlier than `made_after_ns`."""

    frame: bytes
    made_after_ns: int


class _Partial:
    """The parts of one frame that have come so far."""

    __slots__ = ("made_after_ns", "parts", "total")

    def __init__(self, made_after_ns: int) -> None:
        self.parts: dict[int, bytes] = {}
        self.total: int | None = None
        self.made_after_ns = made_after_ns

    def add(self, index: int, chunk: bytes, *, is_last: bool) -> bool:
        """Take a part; return False if it contradicts what is already there."""
        if index in self.parts:
            return False
        self.parts[index] = chunk
        if is_last:
            if self.total is not None:
                return False
            self.total = index + 1
        if self.total is not None and max(self.parts) >= self.total:
            return False
        return sum(map(len, self.parts.values())) <= MAX_FRAME_BYTES

    @property
    def is_complete(self) -> bool:
        return len(self.parts) == self.total


class Reassembler:
    """Join the parts that one authenticated peer sent in one direction.

    Invariant: a frame comes out if and only if all its parts came and, from the first to the last
    of them, no part of a frame WINDOW or more ids away; what comes out is a valid MAVLink frame,
    so parts of two frames that share an id (after 256 others, or a restart) cannot pass as one.
    At most 2 * WINDOW - 1 frames of at most MAX_FRAME_BYTES are held. The zero state holds none.
    """

    def __init__(self, dropped: Counter[str] | None = None) -> None:
        self._partial: dict[int, _Partial] = {}
        self.dropped: Counter[str] = Counter() if dropped is None else dropped

    def receive(self, value: bytes, made_after_ns: int) -> Assembled | None:
        """Take the value of a FRAGMENT record; return the frame it completes.

        Args:
            value: The record's value.
            made_after_ns: When the datagram that carried it was certainly not yet made. The frame
                is as old as the oldest of its parts, so a late part does not make it look fresh.
        """
        if len(value) <= _HEADER_BYTES:
            self.dropped[BadFragment.MALFORMED] += 1
            return None
        frame_id, index = value[0], value[1] & ~_LAST
        self._forget_far_from(frame_id)
        partial = self._partial.setdefault(frame_id, _Partial(made_after_ns))
        partial.made_after_ns = min(partial.made_after_ns, made_after_ns)
        if not partial.add(index, value[_HEADER_BYTES:], is_last=value[1] >= _LAST):
            del self._partial[frame_id]
            self.dropped[BadFragment.MALFORMED] += 1
            return None
        if not partial.is_complete:
            return None
        del self._partial[frame_id]
        frame = b"".join(partial.parts[i] for i in sorted(partial.parts))
        if not is_valid_frame(frame):
            self.dropped[BadFragment.BAD_FRAME] += 1
            return None
        return Assembled(frame, partial.made_after_ns)

    def _forget_far_from(self, frame_id: int) -> None:
        for other in list(self._partial):
            if min((frame_id - other) & 0xFF, (other - frame_id) & 0xFF) >= WINDOW:
                del self._partial[other]
                self.dropped[BadFragment.INCOMPLETE] += 1
