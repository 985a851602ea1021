"""Transfers: a paired station that sends nonsense for chunks costs its own blob and bounded memory.

Pieces of a genuine transfer are mixed in, so that acknowledgements and counts meet what they fit.
"""

import random

from crypto.chunks import SHAPES, Kind, Piece, Transfers

LIMITS = {Kind.ENCAPSULATION_KEY: 1568, Kind.REVOCATIONS: 8192, Kind.TRAJECTORY: 32_640}


class Target:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._now = 1
        sender = Transfers({})
        sender.send(Kind.ENCAPSULATION_KEY, bytes(1568))
        sender.send(Kind.REVOCATIONS, bytes(130))
        sender.send(Kind.TRAJECTORY, bytes(300))
        pieces = []
        for step in range(200):
            pieces += sender.outgoing(1 + step * 10**8, 1e6)
        self.seeds = [piece.value for piece in pieces]
        self.seeds += [bytes((3, 2, 3, 7)), bytes((1, 1, 25, 255, 255, 255, 1))]
        self._end = Transfers(LIMITS)

    def take(self, data: bytes) -> None:
        end, rng = self._end, self._rng
        self._now += 10**6
        if rng.random() < 0.001 or not end.is_sending(Kind.CIPHERTEXT):
            end.send(Kind.CIPHERTEXT, bytes(1584))
        blob = end.receive(Piece(rng.random() < 0.3, data), self._now)
        assert blob is None or 0 < len(blob.data) <= LIMITS[blob.kind]
        for piece in end.outgoing(self._now, 125_000.0):
            assert len(piece.value) <= SHAPES[Kind(piece.value[0])].chunk_bytes + 4
        for kind, inbound in end._inbound.items():
            size = SHAPES[kind].chunk_bytes
            assert inbound.count * size < LIMITS[kind] + size
        held = sum(len(chunk) for i in end._inbound.values() for chunk in i.chunks.values())
        assert held <= sum(LIMITS.values())

    def finish(self) -> None:
        """Check that a genuine blob still gets through, under the next number."""
        number = (self._end._inbound[Kind.ENCAPSULATION_KEY].number + 1) % 256
        blobs = [
            self._end.receive(
                Piece(False, bytes((Kind.ENCAPSULATION_KEY, number, i, 2)) + bytes(64)), self._now
            )
            for i in range(2)
        ]
        assert blobs[1].data == bytes(128)
