"""DatagramSplitter: what comes out depends on the bytes alone, is short, and holds 242 at most."""

import random

from cobs import cobs

from tests.fuzz.ends import Ends
from wire.cobs_framing import MAX_DATAGRAM_BYTES, DatagramSplitter, encode


class Target:
    def __init__(self, rng: random.Random) -> None:
        ends = Ends(rng)
        self._rng = rng
        self._splitter = DatagramSplitter()
        plain = [ends.hs1, ends.up, ends.down, bytes(240), bytes(range(240)), b"\xff" * 239]
        self.seeds = [encode(datagram) for datagram in plain]
        self.seeds += [b"\0".join(self.seeds[:3]), b"\0\0", b"\x01" * 300]
        self._stream = b""

    def take(self, data: bytes) -> None:
        stream = self._stream + data
        cut = self._rng.randrange(len(data) + 1)
        out = self._splitter.receive(data[:cut]) + self._splitter.receive(data[cut:])
        *frames, self._stream = stream.split(b"\0")
        self._stream = self._stream[:400]  # beyond 241 a byte more or less says nothing
        assert out == [datagram for frame in frames if (datagram := _decode(frame))]
        assert len(self._splitter._rest) <= 242

    def finish(self) -> None:
        """Check that a genuine datagram passes after all that."""
        self._splitter.receive(b"\0")
        assert self._splitter.receive(encode(b"datagram")) == [b"datagram"]


def _decode(frame: bytes) -> bytes | None:
    if len(frame) > MAX_DATAGRAM_BYTES + 1:
        return None
    try:
        return cobs.decode(frame)
    except cobs.DecodeError:
        return None
