"""Reads one file by MAVLink FTP over a link that loses a third of everything.

The file comes in one burst; what is missing after it is asked for piece by piece, a few at a time.
An answer says which bytes it holds and, but for a burst, which request it answers, so that none is
taken for another's, even if another program of the same name reads a file as well.

Source: https://mavlink.io/en/services/ftp.html
"""

import struct
from enum import StrEnum
from typing import Final

from groundstation.parameters.packed import MAX_BYTES
from wire.mavlink import HEADER_BYTES

PIECE_BYTES: Final = 239
WINDOW: Final = 3
ANSWER_NS: Final = 700_000_000  # until a request goes out again
QUIET_NS: Final = 1_200_000_000  # a burst that says nothing for so long is over
GIVE_UP_NS: Final = 8_000_000_000  # without anything new
_HEAD: Final = struct.Struct("<HBBBBBBI")
_SIZE: Final = struct.Struct("<I")
_PAYLOAD_AT: Final = HEADER_BYTES + 3
_PAYLOAD_BYTES: Final = 251
_TERMINATE, _RESET, _OPEN, _READ, _BURST, _ACK, _NAK = 1, 2, 4, 5, 15, 128, 129
_END_OF_FILE: Final = 6
# No session is free, or (what ArduCopter says of an open file) it just failed.
_IN_USE: Final = frozenset((b"\1", b"\5"))
_OPENING: Final = -1
_FIRST_NUMBERS: Final = 30_000


class Phase(StrEnum):
    """What is being waited for."""

    OPENING = "opening"
    BURST = "burst"
    PIECES = "pieces"
    DONE = "done"
    FAILED = "failed"


class FileReader:
    """One file, read once. The zero state wants to open it.

    Invariant: `data` is None until every byte of the file has come.
    """

    def __init__(self, path: bytes, now_ns: int) -> None:
        self.phase = Phase.OPENING
        self.why = ""
        self.data: bytes | None = None
        self._path = path
        # Two readings must not count alike: an autopilot takes an equal number for a repetition.
        self._number = now_ns // 1_000_000 % _FIRST_NUMBERS
        self._session = 0
        self._pieces: list[bytes | None] = []
        self._size = 0
        self._missing = 0
        self._due_ns = now_ns
        self._news_ns = now_ns
        self._asked: dict[int, int] = {}  # piece: when it was asked for
        self._numbers: dict[int, int] = {}  # number of the answer: piece, -1 for opening
        self._must_reset = False
        self._has_ended = False  # whether the drone has been told that the file is closed

    @property
    def progress(self) -> tuple[int, int]:
        """How many pieces have come, and of how many; 0 of 0 until that is known."""
        return len(self._pieces) - self._missing, len(self._pieces)

    def receive_untrusted(self, frame: bytes, now_ns: int) -> None:
        """Take a FILE_TRANSFER_PROTOCOL of the drone."""
        end = HEADER_BYTES + frame[1]
        payload = frame[_PAYLOAD_AT:end].ljust(_PAYLOAD_BYTES, b"\0")
        answer, session, opcode, size, asked, is_last, _, offset = _HEAD.unpack_from(payload)
        data = payload[_HEAD.size : _HEAD.size + size]
        if size > PIECE_BYTES or opcode not in (_ACK, _NAK):
            return
        if self.phase is Phase.OPENING:
            if asked == _OPEN and self._numbers.get(answer) == _OPENING:
                self._receive_opened(opcode, session, data, now_ns)
        elif self.phase in (Phase.BURST, Phase.PIECES) and session == self._session:
            is_ours = asked == _BURST or self._numbers.get(answer) == offset // PIECE_BYTES
            if opcode == _ACK and asked in (_BURST, _READ) and is_ours:
                self._take(offset, data, now_ns)
            is_over = is_last or (opcode == _NAK and data[:1] == bytes([_END_OF_FILE]))
            if self.phase is Phase.BURST and asked == _BURST and is_over:
                self.phase = Phase.PIECES

    def outgoing(self, now_ns: int) -> list[bytes]:
        """Return the payloads to send now."""
        if self.phase in (Phase.DONE, Phase.FAILED):
            if self._has_ended or not self._pieces:
                return []
            self._has_ended = True
            return [self._request(_TERMINATE, self._session, 0, 0)]
        if now_ns - self._news_ns > GIVE_UP_NS:
            return self._fail("no answer")
        if self.phase is Phase.OPENING:
            return self._open(now_ns)
        if self.phase is Phase.BURST:
            return self._burst(now_ns)
        return self._ask_for_pieces(now_ns)

    def _open(self, now_ns: int) -> list[bytes]:
        if now_ns < self._due_ns:
            return []
        self._due_ns = now_ns + ANSWER_NS
        out = []
        if self._must_reset:
            self._must_reset = False
            out.append(self._request(_RESET, 0, 0, 0))
        out.append(self._request(_OPEN, 0, 0, len(self._path), self._path))
        self._numbers[self._number + 1] = _OPENING
        return out

    def _burst(self, now_ns: int) -> list[bytes]:
        if self._due_ns == 0:
            self._due_ns = now_ns
            return [self._request(_BURST, self._session, 0, PIECE_BYTES)]
        if now_ns - self._news_ns > QUIET_NS:
            self.phase = Phase.PIECES
        return []

    def _ask_for_pieces(self, now_ns: int) -> list[bytes]:
        asked = self._asked
        for number in [n for n, since_ns in asked.items() if now_ns - since_ns > ANSWER_NS]:
            del asked[number]
        out = []
        for number, piece in enumerate(self._pieces):
            if len(asked) >= WINDOW:
                break
            if piece is None and number not in asked:
                asked[number] = now_ns
                size = min(PIECE_BYTES, self._size - number * PIECE_BYTES)
                out.append(self._request(_READ, self._session, number * PIECE_BYTES, size))
                self._numbers[self._number + 1] = number
        return out

    def _receive_opened(self, opcode: int, session: int, data: bytes, now_ns: int) -> None:
        if opcode == _NAK:
            if data[:1] in _IN_USE:  # left open by whoever read before
                self._must_reset = True
            else:
                self._fail(f"refused, error {data[0] if data else 0}")
            return
        if len(data) < _SIZE.size:
            return
        (size,) = _SIZE.unpack_from(data)
        if not 0 < size <= MAX_BYTES:
            self._fail(f"has {size} bytes")
            return
        self._session, self._size = session, size
        self._missing = -(-size // PIECE_BYTES)
        self._pieces = [None] * self._missing
        self.phase, self._due_ns, self._news_ns = Phase.BURST, 0, now_ns

    def _take(self, offset: int, data: bytes, now_ns: int) -> None:
        number, within = divmod(offset, PIECE_BYTES)
        if within or number >= len(self._pieces):
            return
        if len(data) != min(PIECE_BYTES, self._size - offset):
            return
        self._asked.pop(number, None)
        if self._pieces[number] is not None:
            return
        self._pieces[number] = data
        self._missing -= 1
        self._news_ns = now_ns
        if self._missing == 0:
            self.data = b"".join(piece or b"" for piece in self._pieces)
            self.phase = Phase.DONE

    def _fail(self, why: str) -> list[bytes]:
        self.phase, self.why = Phase.FAILED, why
        return []

    def _request(
        self, opcode: int, session: int, offset: int, size: int, data: bytes = b""
    ) -> bytes:
        # A file of MAX_BYTES lost several times over still has fewer.
        self._number += 1
        assert self._number < 1 << 16
        head = _HEAD.pack(self._number, session, opcode, size, 0, 0, 0, offset)
        return (head + data).ljust(_PAYLOAD_BYTES, b"\0")
