"""Sealed logs, writing: a recording that its writer cannot open again.

A fresh key per file is wrapped to an offline key, chunks are sealed under keys that are forgotten
one after the other, and a hash chain runs through all of them. `docs/sealed-logs.md` gives the
format byte by byte; `crypto.log_reader` reads it.
"""

import struct
from enum import IntEnum
from typing import Final, NamedTuple

from crypto.primitives import (
    AEADS,
    ED25519_SIGNATURE_BYTES,
    HASHES,
    HPKE_OVERHEAD,
    KEY_BYTES,
    TAG_BYTES,
    Ed25519,
    RandomBytes,
    digest,
    hkdf,
    hmac_digest,
    hpke_seal,
)

# The first byte is no text and the last is a line feed, as in PNG: a transfer that rewrites text
# shows at once.
MAGIC: Final = b"\x89SL1LOG\n"
VERSION: Final = 1
KEY_ID_BYTES: Final = 8
FIELDS: Final = struct.Struct(">8sBBH16sII8s32s")
HEADER_BYTES: Final = FIELDS.size + KEY_BYTES + HPKE_OVERHEAD + ED25519_SIGNATURE_BYTES
CHUNK_HEAD: Final = struct.Struct(">II32s")
FINAL_BIT: Final = 1 << 31
MAX_CHUNK_BYTES: Final = 1 << 20
CHUNK_OVERHEAD: Final = CHUNK_HEAD.size + TAG_BYTES
END_BYTES: Final = CHUNK_OVERHEAD + ED25519_SIGNATURE_BYTES
MAX_CHUNKS: Final = (1 << 32) - 1
SHORT_HEAD_BYTES: Final = 4

WRAP_INFO: Final = b"SL1 log file key"
CHAIN_INFO: Final = b"SL1 log chain"
CHUNK_KEY_LABEL: Final = b"SL1 log chunk"
RATCHET_LABEL: Final = b"SL1 log ratchet"
HEADER_SIGNATURE_LABEL: Final = b"SL1 log header"
END_SIGNATURE_LABEL: Final = b"SL1 log end"
# Every key seals exactly one chunk, and is itself made from the chunk's head.
NONCE: Final = bytes(12)


class LogContent(IntEnum):
    """What the plaintext of all chunks, put together, is."""

    TLOG = 1  # MAVLink frames, each behind its 64-bit big-endian time in microseconds
    EVENTS = 2  # one JSON object a line


class LogHeader(NamedTuple):
    """What a file says of itself in the clear; all of it is signed and bound to the file key."""

    content: LogContent
    device_id: bytes
    boot_count: int
    file_number: int


def sha256(data: bytes) -> bytes:
    """Return SHA-256, the one hash of this format."""
    return digest(HASHES["SHA256"](), data)


def key_id(recipient: bytes) -> bytes:
    """Return the 8 bytes by which a file names the public key that it is sealed to."""
    return sha256(recipient)[:KEY_ID_BYTES]


class Ratchet:
    """The secret of the next chunk; stepping it forgets how to open the chunk before.

    Invariant: secret i follows from the header, the file key and i alone, and no earlier secret
    follows from it.
    """

    __slots__ = ("_secret",)

    def __init__(self, file_key: bytes, header_hash: bytes) -> None:
        self._secret = hkdf(
            HASHES["SHA256"](), file_key, salt=header_hash, info=CHAIN_INFO, size=KEY_BYTES
        )

    def next_key(self, chunk_head: bytes) -> bytes:
        """Return the key of the next chunk, which also depends on its head, and step."""
        key = hmac_digest(HASHES["SHA256"](), self._secret, CHUNK_KEY_LABEL + chunk_head)
        self._secret = hmac_digest(HASHES["SHA256"](), self._secret, RATCHET_LABEL)
        return key


def link(head: bytes, index: int, length_word: int) -> bytes:
    """Return what ties a chunk's place and length to the head of the chain before it."""
    return sha256(head + struct.pack(">II", index, length_word))


class SealedLogWriter:
    """Seal chunks for one file; the caller writes them, in order and whole.

    Invariant: after a chunk is returned, nothing here opens it or any before it. `head` commits to
    every byte returned so far. After `finish` nothing can be appended.

    Raises:
        ValueError: `recipient` is no X-Wing public key.
    """

    __slots__ = ("_finished", "_index", "_ratchet", "_signer", "head", "header_bytes")

    def __init__(
        self, recipient: bytes, header: LogHeader, signer: Ed25519, random_bytes: RandomBytes
    ) -> None:
        fields = FIELDS.pack(
            MAGIC,
            VERSION,
            header.content,
            0,
            header.device_id,
            header.boot_count,
            header.file_number,
            key_id(recipient),
            signer.public,
        )
        file_key = random_bytes(KEY_BYTES)
        unsigned = fields + hpke_seal(recipient, file_key, WRAP_INFO + fields)
        self.header_bytes = unsigned + signer.sign(HEADER_SIGNATURE_LABEL + unsigned)
        self.head = sha256(self.header_bytes)
        self._ratchet = Ratchet(file_key, self.head)
        self._signer = signer
        self._index = 0
        self._finished = False

    @property
    def short_head(self) -> bytes:
        """The first 4 bytes of the head: enough for the ground to notice a tail cut later."""
        return self.head[:SHORT_HEAD_BYTES]

    def append(self, data: bytes) -> bytes:
        """Return the next chunk, holding `data`, 1 B to 1 MiB."""
        assert 0 < len(data) <= MAX_CHUNK_BYTES
        return self._seal(data, len(data))

    def finish(self) -> bytes:
        """Return the end mark, after which a missing tail cannot be mistaken for a power cut."""
        end = self._seal(b"", FINAL_BIT)
        self._finished = True
        return end + self._signer.sign(END_SIGNATURE_LABEL + self.head)

    def _seal(self, data: bytes, length_word: int) -> bytes:
        assert not self._finished
        assert self._index < MAX_CHUNKS
        chunk_head = CHUNK_HEAD.pack(
            self._index, length_word, link(self.head, self._index, length_word)
        )
        cipher = AEADS["ChaChaPoly"](self._ratchet.next_key(chunk_head))
        chunk = chunk_head + cipher.encrypt(NONCE, data, None)
        self.head = sha256(chunk)
        self._index += 1
        return chunk
