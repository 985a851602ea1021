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

    def numbers(self, data: bytes, after: int = -1) -> list[int | None]:
        """Return for each frame of `data` which of those sent it is, None if none.

        Each is taken for the next one of its bytes after the one before it. A frame out of order
        then costs a whole round: the numbers run past what was sent.
        """
        found: list[int | None] = []
        at = after
        for frame in split_by_length(data):
            positions = self._positions.get(frame)
            if positions is None:
                found.append(None)
                continue
            at += min((p - at - 1) % self._count for p in positions) + 1
            found.append(at)
        return found

    def judge(self, data: bytes, sent: int) -> Delivery:
        """Judge what was delivered of `sent` frames that began with the first."""
        numbers = self.numbers(data)
        known = [number for number in numbers if number is not None]
        return Delivery(len(known), len(numbers) - len(known), not known or known[-1] < sent)
