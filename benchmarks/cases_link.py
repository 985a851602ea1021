"""Operations of SL1: seal, open, handshake, and what a hostile datagram costs the drone."""

import random
from collections.abc import Sequence
from functools import partial
from typing import Final

from benchmarks.clock import Batch, Case
from benchmarks.ends import GROUND, LinkEnds
from crypto.messages import HS1_BYTES, HS1_TYPE
from crypto.primitives import AEADS

_OPS: Final = 400
_HANDSHAKES: Final = 5
_SHORT: Final = bytes(60)
_LONG: Final = bytes(1160)  # a datagram of about 25 frames


def sealing() -> list[Case]:
    """What genuine traffic costs, and the cipher alone under it."""
    ends = LinkEnds.established()
    return [
        Case("ChaCha20-Poly1305 alone, 60 B", partial(_cipher_alone, _SHORT)),
        Case("ChaCha20-Poly1305 alone, 1160 B", partial(_cipher_alone, _LONG)),
        Case("seal, 60 B", partial(_seal, ends, _SHORT)),
        Case("seal, 1160 B", partial(_seal, ends, _LONG)),
        Case("open, 60 B", partial(_open, ends, _SHORT)),
        Case("open, 1160 B", partial(_open, ends, _LONG)),
        Case("handshake, both ends", _handshake),
    ]


def rejecting() -> list[Case]:
    """What a hostile datagram costs the drone before it is dropped."""
    ends = LinkEnds.established()
    genuine = ends.up(_SHORT)
    ends.responder.receive(genuine, GROUND, ends.now)
    unknown = bytes((genuine[0] ^ 0x20,)) + genuine[1:]
    hello = bytes((HS1_TYPE, 1, 0, 0)) + random.Random(1).randbytes(HS1_BYTES - 4)
    return [
        Case("reject: tag forged", partial(_forged, ends)),
        Case("reject: replay", partial(_reject, ends, [genuine] * _OPS)),
        Case("reject: unknown session", partial(_reject, ends, [unknown] * _OPS)),
        Case("reject: junk", partial(_reject, ends, [b"\x17" + genuine[1:]] * _OPS)),
        Case("reject: handshake with a wrong mac", partial(_reject, ends, [hello] * _OPS)),
    ]


def _cipher_alone(data: bytes) -> Batch:
    cipher = AEADS["ChaChaPoly"](bytes(32))

    def batch() -> int:
        for _ in range(_OPS):
            cipher.encrypt(b"nonce nonce.", data, b"head")
        return _OPS

    return batch


def _seal(ends: LinkEnds, records: bytes) -> Batch:
    def batch() -> int:
        for _ in range(_OPS):
            ends.down(records)
        return _OPS

    return batch


def _open(ends: LinkEnds, records: bytes) -> Batch:
    datagrams = [ends.down(records) for _ in range(_OPS)]
    receive, now = ends.initiator.receive, ends.now

    def batch() -> int:
        for datagram in datagrams:
            receive(datagram, now)
        return _OPS

    return batch


def _handshake() -> Batch:
    ends = LinkEnds.established()

    def batch() -> int:
        for _ in range(_HANDSHAKES):
            ends.handshake()
        return _HANDSHAKES

    return batch


def _forged(ends: LinkEnds) -> Batch:
    fresh = ends.up(_SHORT)
    return _reject(ends, [fresh[:-1] + bytes((fresh[-1] ^ 1,))] * _OPS)


def _reject(ends: LinkEnds, datagrams: Sequence[bytes]) -> Batch:
    receive, now = ends.responder.receive, ends.now

    def batch() -> int:
        for datagram in datagrams:
            assert not receive(datagram, GROUND, now)
        return len(datagrams)

    return batch
