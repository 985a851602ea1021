"""FrameSplitter: what comes out depends on the bytes alone, and is frames with a good checksum."""

import random

from tests.fuzz.ends import FRAMES, HEARTBEAT
from wire.mavlink import MAX_FRAME_BYTES, FrameSplitter, is_valid_frame


class Target:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._whole, self._pieces = FrameSplitter(), FrameSplitter()
        version_1 = bytes.fromhex("fe09000101000000000003035104030000")
        self.seeds = [*FRAMES, HEARTBEAT, b"".join(FRAMES[:4]), version_1, HEARTBEAT + version_1]

    def take(self, data: bytes) -> None:
        frames = self._whole.receive(data)
        pieces = []
        at = 0
        while at < len(data):
            size = self._rng.choice((1, 3, 10, 40, 300))
            pieces += self._pieces.receive(data[at : at + size])
            at += size
        assert pieces == frames
        assert all(is_valid_frame(frame) for frame in frames)
        assert len(self._whole._rest) < MAX_FRAME_BYTES

    def finish(self) -> None:
        """Check that a frame passes after all that, once what waits has been seen to be none."""
        assert HEARTBEAT in self._whole.receive(HEARTBEAT * 40)
