"""The eight messages of a pairing, byte for byte (docs/protocol.md).

The first three are Noise handshake messages behind a byte that names them; the others are sealed
under the keys the handshake ends with, that byte being the associated data.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from crypto.noise import transport_nonce
from crypto.pair import ID_BYTES
from crypto.primitives import ML_KEM_1024, AuthenticationError, InvalidTagError
from crypto.suites import Suite

RANDOM_BYTES: Final = 32
HASH_BYTES: Final = 32
MAX_NAME_BYTES: Final = 63
HELLO_BYTES: Final = 65
REPLY_BYTES: Final = 97
MAX_MESSAGE_BYTES: Final = 1744  # an OFFER with the longest name
_PARTS_AT = ID_BYTES + RANDOM_BYTES


class Kind(IntEnum):
    """The first byte of a message, in the order in which an honest pairing sends them."""

    HELLO = 1  # ground
    REPLY = 2  # drone
    OFFER = 3  # ground
    ANSWER = 4  # drone
    REVEAL = 5  # ground
    YES = 6  # each once: its person says that the codes match
    NO = 7  # either: this pairing is over
    SAVED = 8  # drone: it has written its record


class Abort(StrEnum):
    """Why a pairing ended without a record."""

    WRONG_TOKEN = "wrong_token"  # noqa: S105 - the name of a reason, not a secret
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    TIMED_OUT = "timed_out"
    UNEXPECTED_MESSAGE = "unexpected_message"
    BAD_MESSAGE = "bad_message"
    BROKEN_COMMITMENT = "broken_commitment"
    CODES_DIFFER = "codes_differ"
    ENDED_HERE = "ended_here"
    ENDED_THERE = "ended_there"
    LINE_CLOSED = "line_closed"


class PairingError(Exception):
    """The other end is not what it should be. Caught where messages are received."""

    def __init__(self, reason: Abort) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Offer:
    """What the ground says of itself before it has seen anything random of the drone's."""

    gcs_id: bytes
    commitment: bytes
    kem_public: bytes
    name: str

    def encode(self) -> bytes:
        """Return the payload of the third handshake message."""
        return self.gcs_id + self.commitment + self.kem_public + self.name.encode("ascii")

    @classmethod
    def parse(cls, data: bytes) -> "Offer":
        """Parse an authenticated payload.

        Raises:
            PairingError: It is too short, or the name is too long or no ASCII.
        """
        first, second, kem, name = _parse(data)
        return cls(first, second, kem, name)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the drone says of itself, bound to a commitment it cannot open."""

    drone_id: bytes
    random: bytes
    kem_ciphertext: bytes
    name: str

    def encode(self) -> bytes:
        """Return the payload of ANSWER."""
        return self.drone_id + self.random + self.kem_ciphertext + self.name.encode("ascii")

    @classmethod
    def parse(cls, data: bytes) -> "Answer":
        """Parse an authenticated payload.

        Raises:
            PairingError: It is too short, or the name is too long or no ASCII.
        """
        first, second, kem, name = _parse(data)
        return cls(first, second, kem, name)


def _parse(data: bytes) -> tuple[bytes, bytes, bytes, str]:
    """Cut an OFFER or ANSWER: ML-KEM-1024 keys and ciphertexts happen to be equally long."""
    name_at = _PARTS_AT + ML_KEM_1024.public_bytes
    name = data[name_at:]
    if not 0 < len(name) <= MAX_NAME_BYTES or not name.isascii():
        raise PairingError(Abort.BAD_MESSAGE)
    return data[:ID_BYTES], data[ID_BYTES:_PARTS_AT], data[_PARTS_AT:name_at], name.decode()


def commit(suite: Suite, random: bytes) -> bytes:
    """Return what tells nothing of 32 random bytes and yet lets no others be claimed later."""
    return suite.hash(b"SL1 pair commitment" + random)


def kind_untrusted(message: bytes) -> Kind:
    """Return what a message says it is.

    Raises:
        PairingError: It says nothing that this version knows.
    """
    if not message or message[0] not in Kind.__members__.values():
        raise PairingError(Abort.BAD_MESSAGE)
    return Kind(message[0])


class Channel:
    """The keys a finished handshake leaves: each direction has its own, and counts its nonces.

    A line loses and reorders nothing, so the receiver's own count is the only nonce it tries.
    """

    def __init__(self, suite: Suite, seal_key: bytes, open_key: bytes) -> None:
        self._cipher = suite.cipher
        self._seal, self._open = suite.aead(seal_key), suite.aead(open_key)
        self._sealed = self._opened = 0

    def seal(self, kind: Kind, payload: bytes = b"") -> bytes:
        """Return the next message."""
        head, nonce = bytes((kind,)), transport_nonce(self._cipher, self._sealed)
        self._sealed += 1
        return head + self._seal.encrypt(nonce, payload, head)

    def open(self, message: bytes) -> bytes:
        """Return the payload of the peer's next message.

        Raises:
            AuthenticationError: It is not that.
        """
        nonce = transport_nonce(self._cipher, self._opened)
        try:
            payload = self._open.decrypt(nonce, message[1:], message[:1])
        except (InvalidTagError, ValueError) as error:
            raise AuthenticationError("pairing message does not authenticate") from error
        self._opened += 1
        return payload
