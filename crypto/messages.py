"""The three datagrams of SL1, byte for byte (docs/protocol.md).

HS1 and HS2 carry one Noise message each between a clear header and a keyed MAC; a data frame is a
4-byte header, which is the associated data, and a sealed inner frame.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from crypto.primitives import MAC_BYTES, TAG_BYTES, equal
from crypto.suites import Suite

PATTERN: Final = "KKpsk0"
HS1_TYPE: Final = 0x01
HS2_TYPE: Final = 0x02
HS_HEADER_BYTES: Final = 4
HS1_BYTES: Final = 76
HS2_BYTES: Final = 84
DATA_BIT: Final = 0x80
RESERVED_BIT: Final = 0x40
INDEX_MASK: Final = 0x3F  # generation (2 bits) and slot (4 bits), both chosen by the receiver
INDEX_COUNT: Final = 64
DATA_HEADER_BYTES: Final = 4
INNER_RECORDS: Final = 0x01
DOWN_OVERHEAD: Final = DATA_HEADER_BYTES + TAG_BYTES + 1
UP_OVERHEAD: Final = DATA_HEADER_BYTES + TAG_BYTES + 5
_HANDSHAKE_BYTES = {HS1_TYPE: HS1_BYTES, HS2_TYPE: HS2_BYTES}
_MAVLINK_MAGIC = (0xFD, 0xFE)


class Drop(StrEnum):
    """Why a datagram of the link was dropped."""

    __hash__ = str.__hash__  # that of Enum is Python code, and a flood counts nothing else

    PLAINTEXT_MAVLINK = "plaintext_mavlink"
    MALFORMED = "malformed"
    BAD_MAC = "bad_mac"
    WRONG_SUITE = "wrong_suite"
    UNKNOWN_PSK = "unknown_psk"
    REPLAYED_HANDSHAKE = "replayed_handshake"
    RATE_LIMITED = "rate_limited"
    BAD_HANDSHAKE = "bad_handshake"
    UNKNOWN_SESSION = "unknown_session"
    REPLAYED = "replayed"
    BAD_TAG = "bad_tag"
    COUNTER_LIMIT = "counter_limit"
    EXPIRED = "expired"
    NO_SESSION = "no_session"


class DroppedError(Exception):
    """A datagram was refused, for the reason it carries. Caught where datagrams are received."""

    def __init__(self, reason: Drop) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Hs1Payload:
    """What the ground says of itself in HS1: 8 bytes."""

    capabilities: int
    boot_count: int

    def encode(self) -> bytes:
        """Return the 8 payload bytes."""
        return self.capabilities.to_bytes(4, "big") + self.boot_count.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Hs2Payload:
    """What the drone says of itself in HS2: 16 bytes.

    `next_check` says which key the drone's second PSK slot holds (`PairRecord.next_check`), so that
    a ground whose slot holds another does not try it in vain. `log_head` is the head of the sealed
    log, by which the ground notices a log cut short.
    """

    boot_count: int
    authority_epoch: int
    is_holder: bool
    index: int
    next_check: int
    log_head: bytes

    def encode(self) -> bytes:
        """Return the 16 payload bytes."""
        return (
            self.boot_count.to_bytes(4, "big")
            + self.authority_epoch.to_bytes(4, "big")
            + bytes((self.is_holder, self.index))
            + self.next_check.to_bytes(2, "big")
            + self.log_head
        )

    @classmethod
    def parse(cls, data: bytes) -> "Hs2Payload":
        """Parse the authenticated payload.

        Raises:
            DroppedError: It is not 16 bytes long.
        """
        if len(data) != 16:
            raise DroppedError(Drop.BAD_HANDSHAKE)
        return cls(
            boot_count=int.from_bytes(data[0:4], "big"),
            authority_epoch=int.from_bytes(data[4:8], "big"),
            is_holder=data[8] == 1,
            index=data[9],
            next_check=int.from_bytes(data[10:12], "big"),
            log_head=data[12:16],
        )


def hs1_header(suite: Suite, psk_generation: int, index: int) -> bytes:
    """Return the clear header of HS1; it is part of the prologue."""
    return bytes((HS1_TYPE, suite.number, psk_generation, index))


def hs2_header(suite: Suite, initiator_index: int, index: int) -> bytes:
    """Return the clear header of HS2."""
    return bytes((HS2_TYPE, suite.number, initiator_index, index))


def add_mac(suite: Suite, key: bytes, message: bytes) -> bytes:
    """Append the keyed MAC that lets a receiver ignore strangers before any Diffie-Hellman."""
    return message + suite.mac(key, message)


def has_mac_untrusted(suite: Suite, key: bytes, message: bytes) -> bool:
    """Tell whether the last 16 bytes are the MAC of the rest under `key`."""
    return equal(suite.mac(key, message[:-MAC_BYTES]), message[-MAC_BYTES:])


def prologue(suite: Suite, drone_id: bytes, gcs_id: bytes, header: bytes) -> bytes:
    """Return what both sides hash first: suite, both ids, and the clear header of HS1."""
    return b"SL1" + bytes((suite.number,)) + drone_id + gcs_id + header


def is_data_untrusted(datagram: bytes) -> bool:
    """Tell whether the datagram has the form of a data frame."""
    return len(datagram) >= DOWN_OVERHEAD and datagram[0] & (DATA_BIT | RESERVED_BIT) == DATA_BIT


def check_handshake_untrusted(datagram: bytes, handshake_type: int) -> None:
    """Check that the datagram has the form of the one handshake message this end accepts.

    Raises:
        DroppedError: It has not; our own message sent back to us has not either.
    """
    if not datagram:
        raise DroppedError(Drop.MALFORMED)
    if datagram[0] in _MAVLINK_MAGIC:
        raise DroppedError(Drop.PLAINTEXT_MAVLINK)
    if datagram[0] != handshake_type or len(datagram) != _HANDSHAKE_BYTES[handshake_type]:
        raise DroppedError(Drop.MALFORMED)
