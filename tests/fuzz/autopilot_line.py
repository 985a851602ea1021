"""Companion.receive_line: whatever the serial line says, with good checksums too, nothing raises.

Nothing of it comes back up the line: whoever it speaks for, the companion only reads parameters.
"""

import random

from fastcrc.crc16 import mcrf4xx

from flightcore.autopilot import COMPANION_COMPID
from flightcore.companion import Companion
from tests.fuzz.ends import FRAMES, HEARTBEAT, MS, pair
from wire.mavlink import CRC_EXTRA, HEADER_BYTES, MAGIC_V2, FrameSplitter, dialect, message_id


class Target:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._now = 10**12
        self._companion = Companion([pair(rng)[0]], 1, rng.randbytes)
        self._splitter = FrameSplitter()
        self.seeds = [HEARTBEAT, *FRAMES, bytes.fromhex("fd010000000101000000000000")]

    def take(self, data: bytes) -> None:
        if self._rng.random() < 0.7:
            data = _with_checksum(data)
        self._now += MS
        self._companion.receive_line(data, self._now)
        self._companion.tick(self._now)
        for frame in self._splitter.receive(self._companion.outgoing_line()):
            assert frame[6] == COMPANION_COMPID
            assert message_id(frame) == dialect.MAVLINK_MSG_ID_PARAM_REQUEST_READ
        assert self._companion.outgoing_link() == []
        self._companion.status(self._now)

    def finish(self) -> None:
        """Check that a heartbeat is still heard."""
        self._companion.receive_line(HEARTBEAT * 40, self._now)
        assert self._companion.autopilot.is_heard(self._now)


def _with_checksum(data: bytes) -> bytes:
    """Return the first frame of `data` with a checksum that fits, if its message is known."""
    if len(data) < HEADER_BYTES or data[0] != MAGIC_V2:
        return data
    end = HEADER_BYTES + data[1]
    extra = CRC_EXTRA.get(int.from_bytes(data[7:10], "little"))
    if extra is None or len(data) < end:
        return data
    return data[:end] + mcrf4xx(data[1:end] + extra).to_bytes(2, "little") + data[end + 2 :]
