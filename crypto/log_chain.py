"""Sealed logs: what can be checked without a key, and how a file is said to end.

`crypto.log_reader` adds the recipient's private key.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from crypto.primitives import (
    ED25519_SIGNATURE_BYTES,
    TAG_BYTES,
    Ed25519,
)
from crypto.sealed_log import (
    CHUNK_HEAD,
    END_SIGNATURE_LABEL,
    FIELDS,
    FINAL_BIT,
    HEADER_BYTES,
    HEADER_SIGNATURE_LABEL,
    MAGIC,
    MAX_CHUNK_BYTES,
    VERSION,
    WRAP_INFO,
    LogContent,
    LogHeader,
    link,
    sha256,
)


class LogState(StrEnum):
    """How a file ends."""

    CLEAN = "clean"  # with its end mark: nothing is missing
    CUT_SHORT = "cut short"  # a power cut, or someone took the tail
    DAMAGED = "damaged"


class Damage(StrEnum):
    """What is wrong at the place where reading stopped."""

    NOT_A_LOG = "this is no sealed log"
    UNKNOWN_VERSION = "of a version or content that is not known here"
    HEADER_FORGED = "the header is not what its signer signed"
    OTHER_SIGNER = "signed by another device"
    OTHER_KEY = "sealed to another key"
    OUT_OF_ORDER = "another chunk's number stands here"
    NOT_LINKED = "does not follow from what stands before it"
    BAD_LENGTH = "no chunk has this length"
    FORGED = "the chunk does not authenticate"
    END_FORGED = "the end mark is not what the signer signed"
    AFTER_END = "bytes follow the end mark"
    HEAD_MISSING = "the head known from elsewhere is not reached"


class Verdict(NamedTuple):
    """How reading ended.

    `chunks` chunks from the start are complete and in order, and `head` commits to them; `offset`
    is the byte at which the incomplete or damaged part, chunk number `chunks`, begins. `found` is
    the number that stands there if the damage is OUT_OF_ORDER.
    """

    state: LogState
    chunks: int
    head: bytes
    offset: int
    damage: Damage | None = None
    found: int | None = None

    def summary(self) -> str:
        """Say it to people."""
        whole = f"{self.chunks} chunk{'' if self.chunks == 1 else 's'}"
        if self.damage is None:
            if self.state is LogState.CLEAN:
                return f"clean, {whole}"
            return f"cut short after {whole}, at byte {self.offset}"
        if not self.head or self.damage is Damage.HEAD_MISSING:
            where = "damaged" if self.head else "refused"
        else:
            where = f"damaged at chunk {self.chunks}, byte {self.offset}"
        number = "" if self.found is None else f" ({self.found})"
        return f"{where}: {self.damage}{number}; {whole} before it"


class Known(NamedTuple):
    """What the reader knows of the file from elsewhere.

    `signer` is the device's Ed25519 public key; `head` is a head that the writer announced, or its
    first bytes.
    """

    signer: bytes | None = None
    head: bytes | None = None


NOTHING_KNOWN: Final = Known()


class SignedHeader(NamedTuple):
    """A header whose signature has been checked."""

    header: LogHeader
    recipient_id: bytes
    signer: bytes
    wrapped_key: bytes
    wrap_info: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class SealedChunk:
    """A chunk in its place in the chain; `chain_head` is the head after it."""

    index: int
    offset: int
    chunk_head: bytes
    body: bytes
    chain_head: bytes
    is_end: bool


class _Refused(Exception):
    def __init__(self, damage: Damage, found: int | None = None) -> None:
        super().__init__(damage)
        self.damage = damage
        self.found = found


class LogChain:
    """Follow the chain and the signatures of one file, taken in pieces of any size.

    A clean verdict with `Known.signer` given means: this device signed exactly this file. Anything
    less finds accidents only, for the chain alone is no secret and can be made anew.
    """

    def __init__(self, known: Known = NOTHING_KNOWN) -> None:
        self.header: SignedHeader | None = None
        self._known = known
        self._buffer = bytearray()
        self._offset = 0
        self._index = 0
        self._head = b""
        self._awaited = known.head
        self._chunk_head: bytes | None = None
        self._end_reached = False
        self._is_signed = False
        self._refused: _Refused | None = None

    def receive_untrusted(self, data: bytes) -> list[SealedChunk]:
        """Take the next bytes of the file; return the chunks that they complete."""
        found: list[SealedChunk] = []
        if self._refused is not None:
            return found
        self._buffer += data
        try:
            if self.header is None and len(self._buffer) >= HEADER_BYTES:
                self.header = self._read_header(self._take(HEADER_BYTES))
            while self.header is not None and not self._end_reached:
                chunk = self._next_chunk()
                if chunk is None:
                    break
                found.append(chunk)
            if self._end_reached:
                self._read_end()
        except _Refused as refused:
            self._refused = refused
        return found

    def finish(self) -> Verdict:
        """Return the verdict, given that the file ends here."""
        refused = self._refused
        if refused is None and self.header is None and not MAGIC.startswith(self._buffer[:8]):
            refused = _Refused(Damage.NOT_A_LOG)
        if refused is None and self._awaited is not None:
            refused = _Refused(Damage.HEAD_MISSING)
        at = self._index, self._head, self._offset
        if refused is not None:
            return Verdict(LogState.DAMAGED, *at, refused.damage, refused.found)
        return Verdict(LogState.CLEAN if self._is_signed else LogState.CUT_SHORT, *at)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _advance(self, head: bytes, size: int) -> None:
        self._head = head
        self._offset += size
        if self._awaited is not None and head.startswith(self._awaited):
            self._awaited = None

    def _read_header(self, raw: bytes) -> SignedHeader:
        fields = raw[: FIELDS.size]
        magic, version, content, zero, device_id, boot_count, number, recipient_id, signer = (
            FIELDS.unpack(fields)
        )
        if magic != MAGIC:
            raise _Refused(Damage.NOT_A_LOG)
        if (version, zero) != (VERSION, 0) or content not in list(LogContent):
            raise _Refused(Damage.UNKNOWN_VERSION)
        unsigned, signature = raw[:-ED25519_SIGNATURE_BYTES], raw[-ED25519_SIGNATURE_BYTES:]
        if not Ed25519.verify(signer, signature, HEADER_SIGNATURE_LABEL + unsigned):
            raise _Refused(Damage.HEADER_FORGED)
        if self._known.signer not in (None, signer):
            raise _Refused(Damage.OTHER_SIGNER)
        self._advance(sha256(raw), len(raw))
        return SignedHeader(
            LogHeader(LogContent(content), device_id, boot_count, number),
            recipient_id,
            signer,
            unsigned[FIELDS.size :],
            WRAP_INFO + fields,
            self._head,
        )

    def _next_chunk(self) -> SealedChunk | None:
        if self._chunk_head is None:
            if len(self._buffer) < CHUNK_HEAD.size:
                return None
            self._check_place(bytes(self._buffer[: CHUNK_HEAD.size]))
            self._chunk_head = self._take(CHUNK_HEAD.size)
        _, length_word, _ = CHUNK_HEAD.unpack(self._chunk_head)
        size = (length_word & ~FINAL_BIT) + TAG_BYTES
        if len(self._buffer) < size:
            return None
        chunk_head, body = self._chunk_head, self._take(size)
        self._chunk_head = None
        self._end_reached = bool(length_word & FINAL_BIT)
        head = sha256(chunk_head + body)
        chunk = SealedChunk(
            self._index, self._offset, chunk_head, body, head, is_end=self._end_reached
        )
        self._advance(head, len(chunk_head) + size)
        if not self._end_reached:
            self._index += 1
        return chunk

    def _check_place(self, chunk_head: bytes) -> None:
        index, length_word, linked = CHUNK_HEAD.unpack(chunk_head)
        if index != self._index:
            raise _Refused(Damage.OUT_OF_ORDER, index)
        if linked != link(self._head, index, length_word):
            raise _Refused(Damage.NOT_LINKED)
        if length_word != FINAL_BIT and not 0 < length_word <= MAX_CHUNK_BYTES:
            raise _Refused(Damage.BAD_LENGTH)

    def _read_end(self) -> None:
        if not self._is_signed and len(self._buffer) >= ED25519_SIGNATURE_BYTES:
            assert self.header is not None
            signature = self._take(ED25519_SIGNATURE_BYTES)
            if not Ed25519.verify(self.header.signer, signature, END_SIGNATURE_LABEL + self._head):
                raise _Refused(Damage.END_FORGED)
            self._offset += ED25519_SIGNATURE_BYTES
            self._is_signed = True
        if self._is_signed and self._buffer:
            raise _Refused(Damage.AFTER_END)
