"""Compare what came out with what went in: byte identity, order, loss."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple


class Delivery(NamedTuple):
    """The verdict on one run; `foreign` frames are none of those sent."""

    frames: int
    foreign: int
    in_order: bool


def split_by_length(data: bytes) -> list[bytes]:
    """Cut MAVLink 2 frames by the length in their headers; not the product's code, on purpose."""
    frames, at = [], 0
    while at + 12 <= len(data):
        if data[at] != 0xFD:
            at += 1
            continue
        end = at + 12 + data[at + 1] + (13 if data[at + 2] & 1 else 0)
        frames.append(data[at:end])
        at = end
    return frames


class Expected:
    """Frames that are sent round and round."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        self._count = len(frames)
        self._positions: dict[bytes, list[int]] = defaultdict(list)
        for position, frame in enumerate(frames):
            self._positions[frame].append(position)

    def judge(self, data: bytes, start: int, sent: int) -> Delivery:
        """Judge what was delivered of `sent` frames that began with number `start`.

        Each frame is taken for the next one of its bytes after the one before it. A frame out of
        order then costs a whole round, and so more steps than were sent.
        """
        at, steps, known, foreign = start - 1, 0, 0, 0
        for frame in split_by_length(data):
            positions = self._positions.get(frame)
            if positions is None:
                foreign += 1
                continue
            step = min((p - at - 1) % self._count for p in positions) + 1
            at, steps, known = at + step, steps + step, known + 1
        return Delivery(known, foreign, steps <= sent)
