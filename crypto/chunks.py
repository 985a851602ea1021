"""Carry a blob too large for one frame: in chunks, with selective acknowledgement.

Runs inside an authenticated session, behind everything else: ML-KEM keys of the ratchet, revocation
lists, trajectories. A chunk is ``kind, id, index, count, data``; an acknowledgement is
``kind, id, count, bitmap`` (bit i of byte i // 8 stands for chunk i). The id tells one blob of a
kind from the next.
"""

from collections import Counter
from collections.abc import Mapping
from enum import IntEnum
from typing import Final, NamedTuple

MAX_CHUNKS: Final = 255
RESEND_NS: Final = 1_000_000_000
ACK_DELAY_NS: Final = 200_000_000
_CHUNK_HEADER = 4
_ACK_HEADER = 3


class _MalformedError(Exception):
    """The authenticated peer sent a piece that makes no sense; counted, and that is all."""


class Kind(IntEnum):
    """What a blob is."""

    ENCAPSULATION_KEY = 1
    CIPHERTEXT = 2
    REVOCATIONS = 3
    TRAJECTORY = 4


class Shape(NamedTuple):
    """How a kind is carried: bytes of a chunk, what one costs on a radio, share of the link.

    On a radio a chunk takes the smallest padded datagram that holds it, and two bytes around it.
    """

    chunk_bytes: int
    on_air: int
    share: float


_PATIENT = Shape(64, 98, 0.05)
SHAPES: Final[Mapping[Kind, Shape]] = {
    Kind.ENCAPSULATION_KEY: _PATIENT,
    Kind.CIPHERTEXT: _PATIENT,
    Kind.REVOCATIONS: _PATIENT,
    # The operator waits for it.
    Kind.TRAJECTORY: Shape(128, 162, 0.5),
}

_KINDS = frozenset(map(int, Kind))


class Piece(NamedTuple):
    """A chunk or an acknowledgement, to be carried as a record of its own."""

    is_ack: bool
    value: bytes


class Blob(NamedTuple):
    """A blob that has arrived whole, once."""

    kind: Kind
    data: bytes


class _Outbound:
    """A blob on its way out: which chunks are acknowledged, and when each was last sent."""

    def __init__(self, number: int, data: bytes, size: int) -> None:
        self.number = number
        self.chunks = [data[i : i + size] for i in range(0, len(data), size)]
        self.sent_ns: dict[int, int | None] = dict.fromkeys(range(len(self.chunks)))

    def acknowledged(self, bitmap: bytes) -> None:
        for index in list(self.sent_ns):
            if bitmap[index // 8] >> index % 8 & 1:
                del self.sent_ns[index]

    def due_ns(self) -> int | None:
        """Return when a chunk wants to leave; None if all have arrived."""
        times = (0 if at is None else at + RESEND_NS for at in self.sent_ns.values())
        return min(times, default=None)

    def next_index(self, now_ns: int) -> int | None:
        """Return the chunk to send now: never sent first, then the one longest unanswered."""
        index = min(self.sent_ns, key=lambda i: self.sent_ns[i] or -1, default=None)
        if index is None:
            return None
        sent_ns = self.sent_ns[index]
        return index if sent_ns is None or sent_ns + RESEND_NS <= now_ns else None


class _Inbound:
    """A blob on its way in."""

    def __init__(self, number: int, count: int) -> None:
        self.number = number
        self.count = count
        self.chunks: dict[int, bytes] = {}
        self.ack_due_ns: int | None = None
        self.is_whole = False

    def bitmap(self) -> bytes:
        bits = sum(1 << index for index in self.chunks)
        return bits.to_bytes((self.count + 7) // 8, "little")


class Transfers:
    """All transfers of one end with one peer, sans-I/O. The zero state carries nothing.

    A transfer lives within one session: `restart` when there is another. Only the numbers go on, so
    that what was still queued of a former transfer is told from the next.

    Invariants: each blob sent is delivered at most once; chunks use at most their kind's share of
    the link, on average over any stretch; memory is bounded by `limits`, the greatest length in
    bytes of each kind that may arrive.
    """

    def __init__(self, limits: Mapping[Kind, int], dropped: Counter[str] | None = None) -> None:
        self.dropped: Counter[str] = Counter() if dropped is None else dropped
        self._limits = limits
        self._outbound: dict[Kind, _Outbound] = {}
        self._inbound: dict[Kind, _Inbound] = {}
        self._numbers = 0
        self._clear_ns = 0

    def restart(self) -> None:
        """Forget every transfer: there is a new session."""
        self._outbound.clear()
        self._inbound.clear()

    def send(self, kind: Kind, data: bytes) -> None:
        """Begin to carry a blob, in place of any of its kind that is still on its way."""
        size = SHAPES[kind].chunk_bytes
        assert 0 < len(data) <= size * MAX_CHUNKS
        self._numbers = (self._numbers + 1) % 256
        self._outbound[kind] = _Outbound(self._numbers, data, size)

    def is_sending(self, kind: Kind) -> bool:
        """Tell whether a blob of this kind has not been acknowledged whole."""
        return kind in self._outbound

    def cancel(self, kind: Kind) -> None:
        """Send no more of a kind."""
        self._outbound.pop(kind, None)

    def progress(self, kind: Kind) -> tuple[int, int]:
        """Return how many chunks of a kind have been acknowledged, and of how many; of none, 0."""
        outbound = self._outbound.get(kind)
        if outbound is None:
            return 0, 0
        count = len(outbound.chunks)
        return count - len(outbound.sent_ns), count

    def receive(self, piece: Piece, now_ns: int) -> Blob | None:
        """Take a piece from the authenticated peer; return the blob it completes, if it does."""
        try:
            if not piece.is_ack:
                return self._receive_chunk(piece.value, now_ns)
            self._receive_ack(piece.value)
        except _MalformedError:
            self.dropped["malformed_piece"] += 1
        return None

    def outgoing(self, now_ns: int, rate: float) -> list[Piece]:
        """Return the pieces that may leave now on a link of `rate` bytes a second."""
        pieces = []
        for kind, inbound in self._inbound.items():
            if inbound.ack_due_ns is not None and now_ns >= inbound.ack_due_ns:
                inbound.ack_due_ns = None
                header = bytes((kind, inbound.number, inbound.count))
                pieces.append(Piece(is_ack=True, value=header + inbound.bitmap()))
        if now_ns < self._clear_ns:
            return pieces
        for kind, outbound in self._outbound.items():
            index = outbound.next_index(now_ns)
            if index is None:
                continue
            outbound.sent_ns[index] = now_ns
            header = bytes((kind, outbound.number, index, len(outbound.chunks)))
            pieces.append(Piece(is_ack=False, value=header + outbound.chunks[index]))
            shape = SHAPES[kind]
            self._clear_ns = now_ns + int(shape.on_air / (rate * shape.share) * 1e9)
            break
        return pieces

    def deadline_ns(self) -> int | None:
        """Return when `outgoing` has something."""
        if not self._inbound and not self._outbound:
            return None
        times = [i.ack_due_ns for i in self._inbound.values() if i.ack_due_ns is not None]
        for outbound in self._outbound.values():
            due_ns = outbound.due_ns()
            if due_ns is not None:
                times.append(max(due_ns, self._clear_ns))
        return min(times, default=None)

    def _receive_ack(self, value: bytes) -> None:
        if len(value) <= _ACK_HEADER or value[0] not in _KINDS:
            raise _MalformedError
        outbound = self._outbound.get(Kind(value[0]))
        if outbound is None or outbound.number != value[1]:
            return  # of a blob that is no longer of interest
        count = len(outbound.chunks)
        if value[2] != count or len(value) != _ACK_HEADER + (count + 7) // 8:
            raise _MalformedError
        outbound.acknowledged(value[_ACK_HEADER:])
        if not outbound.sent_ns:
            del self._outbound[Kind(value[0])]

    def _receive_chunk(self, value: bytes, now_ns: int) -> Blob | None:
        if len(value) <= _CHUNK_HEADER or value[0] not in _KINDS:
            raise _MalformedError
        kind = Kind(value[0])
        number, index, count = value[1:_CHUNK_HEADER]
        data = value[_CHUNK_HEADER:]
        size = SHAPES[kind].chunk_bytes
        is_last = index == count - 1
        if (
            index >= count
            or len(data) > size
            or (len(data) < size and not is_last)
            or (count - 1) * size + (len(data) if is_last else 1) > self._limits.get(kind, 0)
        ):
            raise _MalformedError
        inbound = self._inbound.get(kind)
        if inbound is not None and 0 < (inbound.number - number) % 256 < 128:
            return None  # a straggler of an earlier blob
        if inbound is None or inbound.number != number:
            inbound = self._inbound[kind] = _Inbound(number, count)
        if inbound.count != count:
            raise _MalformedError
        if inbound.ack_due_ns is None:
            inbound.ack_due_ns = now_ns + ACK_DELAY_NS
        if inbound.is_whole:
            return None
        inbound.chunks[index] = data
        if len(inbound.chunks) < count:
            return None
        inbound.is_whole = True
        inbound.ack_due_ns = now_ns
        return Blob(kind, b"".join(inbound.chunks[i] for i in range(count)))
