"""Which ground stations are no longer trusted: lists signed by an offline fleet authority.

    list       "SKRL" 01 | serial u32 | n u8 | n x (gcs_id 16 | revoked_at u32)
    signed     list | Ed25519 signature 64 | ML-DSA-65 signature 3309
    both sign  "SL1 revocation list" 00 | SHA-256 of the authority's public file | list

A list is cumulative: it names all revoked stations, each with the serial that revoked it. A drone
keeps the list of the highest serial it has seen, so a missed one is made up by the next, and no
clock is asked. A pair is revoked by an entry later than the pair itself: pairing again physically
after a revocation works, and an older list replayed cannot undo anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple

from crypto.pair import ID_BYTES, PairRecord
from crypto.primitives import (
    ED25519_PUBLIC_BYTES,
    ED25519_SIGNATURE_BYTES,
    HASHES,
    KEY_BYTES,
    MLDSA65_PUBLIC_BYTES,
    MLDSA65_SIGNATURE_BYTES,
    Ed25519,
    MlDsa65,
    RandomBytes,
    digest,
)

LIST_MAGIC: Final = b"SKRL\x01"  # the last byte is the version
AUTHORITY_MAGIC: Final = b"SKRA\x01"
MAX_ENTRIES: Final = 200
MAX_SERIAL: Final = (1 << 32) - 1
_SERIAL_BYTES: Final = 4
_ENTRY_BYTES: Final = ID_BYTES + _SERIAL_BYTES
_HEADER_BYTES: Final = len(LIST_MAGIC) + _SERIAL_BYTES + 1
_SIGNATURE_BYTES: Final = ED25519_SIGNATURE_BYTES + MLDSA65_SIGNATURE_BYTES
MAX_LIST_BYTES: Final = _HEADER_BYTES + MAX_ENTRIES * _ENTRY_BYTES + _SIGNATURE_BYTES
_DOMAIN: Final = b"SL1 revocation list\x00"


class Refusal(StrEnum):
    """Why a revocation list was refused."""

    MALFORMED = "revocation_malformed"
    NOT_NEWER = "revocation_not_newer"
    BAD_SIGNATURE = "revocation_bad_signature"


class RefusedListError(Exception):
    """A revocation list was refused, for the reason it carries. Caught where lists are received."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Entry(NamedTuple):
    """One revoked ground station, and the serial of the list that revoked it."""

    gcs_id: bytes
    revoked_at: int


@dataclass(frozen=True, slots=True)
class RevocationList:
    """All revoked stations as of `serial`, sorted by id, each once. The zero value revokes nobody.

    Invariant:
        Each `revoked_at` is from 1 to `serial`; at most `MAX_ENTRIES` entries.
    """

    serial: int = 0
    entries: tuple[Entry, ...] = ()

    def __post_init__(self) -> None:
        ids = [entry.gcs_id for entry in self.entries]
        assert 0 <= self.serial <= MAX_SERIAL
        assert len(ids) <= MAX_ENTRIES
        assert all(len(gcs_id) == ID_BYTES for gcs_id in ids)
        assert all(first < second for first, second in pairwise(ids))
        assert all(1 <= entry.revoked_at <= self.serial for entry in self.entries)

    def revokes(self, pair: PairRecord) -> bool:
        """Return whether a pair was made before its ground station was revoked."""
        return any(
            entry.gcs_id == pair.gcs_id and entry.revoked_at > pair.grant_serial
            for entry in self.entries
        )

    def extended(self, gcs_ids: Sequence[bytes], above: int = 0) -> "RevocationList":
        """Return the next list: these stations are revoked too, or again if they were paired anew.

        Its serial is above this one's and above `above`.

        Raises:
            ValueError: The list is full, or the serials are used up.
        """
        serial = max(self.serial, above) + 1
        revoked = dict(self.entries) | dict.fromkeys(gcs_ids, serial)
        if len(revoked) > MAX_ENTRIES:
            raise ValueError(f"{len(revoked)} stations, a list holds at most {MAX_ENTRIES}")
        if serial > MAX_SERIAL:
            raise ValueError(f"serial {serial} is above {MAX_SERIAL}, the last one")
        return RevocationList(serial, tuple(Entry(*item) for item in sorted(revoked.items())))

    def encode(self) -> bytes:
        """Return the list as it is signed; of each list there is one encoding only."""
        parts = [
            LIST_MAGIC,
            self.serial.to_bytes(_SERIAL_BYTES, "big"),
            bytes((len(self.entries),)),
        ]
        parts += [
            entry.gcs_id + entry.revoked_at.to_bytes(_SERIAL_BYTES, "big") for entry in self.entries
        ]
        return b"".join(parts)


class AuthorityPublic(NamedTuple):
    """The public half of a fleet authority: what drones and ground stations trust."""

    ed25519: bytes
    mldsa65: bytes

    def encode(self) -> bytes:
        """Return the contents of ``authority.pub``."""
        return AUTHORITY_MAGIC + self.ed25519 + self.mldsa65

    @classmethod
    def parse(cls, data: bytes) -> "AuthorityPublic":
        """Parse ``authority.pub``.

        Raises:
            ValueError: It is no such file.
        """
        start = len(AUTHORITY_MAGIC)
        if not data.startswith(AUTHORITY_MAGIC):
            raise ValueError("not a fleet authority's public file, or of another version")
        if len(data) != start + ED25519_PUBLIC_BYTES + MLDSA65_PUBLIC_BYTES:
            raise ValueError(f"damaged: {len(data)} bytes long")
        middle = start + ED25519_PUBLIC_BYTES
        return cls(data[start:middle], data[middle:])

    @property
    def identifier(self) -> bytes:
        """The 32 bytes by which signatures name this authority, and both its keys."""
        return digest(HASHES["SHA256"](), self.encode())

    def signs(self, body: bytes, signatures: bytes) -> bool:
        """Return whether BOTH keys signed the encoded list `body`."""
        message = _message(self, body)
        ed25519 = signatures[:ED25519_SIGNATURE_BYTES]
        mldsa65 = signatures[ED25519_SIGNATURE_BYTES:]
        return Ed25519.verify(self.ed25519, ed25519, message) and MlDsa65.verify(
            self.mldsa65, mldsa65, message
        )


class Authority:
    """A fleet authority with its private keys: 64 bytes of seeds, kept offline."""

    SEED_BYTES: Final = 2 * KEY_BYTES

    def __init__(self, seeds: bytes) -> None:
        if len(seeds) != self.SEED_BYTES:
            raise ValueError(f"{len(seeds)} bytes instead of {self.SEED_BYTES}")
        self._ed25519 = Ed25519(seeds[:KEY_BYTES])
        self._mldsa65 = MlDsa65(seeds[KEY_BYTES:])
        self.public = AuthorityPublic(self._ed25519.public, self._mldsa65.public)

    def sign(self, revocations: RevocationList) -> bytes:
        """Return the list with both signatures."""
        body = revocations.encode()
        message = _message(self.public, body)
        return body + self._ed25519.sign(message) + self._mldsa65.sign(message)


class SignedList(NamedTuple):
    """A list as it travels and is stored, taken apart; nothing is verified yet.

    `signatures` is empty only in storage, when the authority that signed is no longer trusted.
    """

    revocations: RevocationList
    body: bytes
    signatures: bytes


def make_authority_seeds(random_bytes: RandomBytes) -> bytes:
    """Return the secret of a new fleet authority."""
    return random_bytes(Authority.SEED_BYTES)


def parse_untrusted(data: bytes) -> SignedList:
    """Take a signed list apart.

    Raises:
        RefusedListError: It is malformed, or not in the one order and form allowed.
    """
    signed = parse_stored(data)
    if not signed.signatures:
        raise RefusedListError(Refusal.MALFORMED)
    return signed


def parse_stored(data: bytes) -> SignedList:
    """Take a list apart, signed or not.

    Raises:
        RefusedListError: It is malformed, or not in the one order and form allowed.
    """
    if len(data) < _HEADER_BYTES or not data.startswith(LIST_MAGIC):
        raise RefusedListError(Refusal.MALFORMED)
    count = data[_HEADER_BYTES - 1]
    end = _HEADER_BYTES + count * _ENTRY_BYTES
    if count > MAX_ENTRIES or len(data) not in (end, end + _SIGNATURE_BYTES):
        raise RefusedListError(Refusal.MALFORMED)
    serial = int.from_bytes(data[len(LIST_MAGIC) : _HEADER_BYTES - 1], "big")
    entries = tuple(
        Entry(
            data[at : at + ID_BYTES], int.from_bytes(data[at + ID_BYTES : at + _ENTRY_BYTES], "big")
        )
        for at in range(_HEADER_BYTES, end, _ENTRY_BYTES)
    )
    in_order = all(first.gcs_id < second.gcs_id for first, second in pairwise(entries))
    in_range = all(1 <= entry.revoked_at <= serial for entry in entries)
    if serial == 0 or not in_order or not in_range:
        raise RefusedListError(Refusal.MALFORMED)
    return SignedList(RevocationList(serial, entries), data[:end], data[end:])


def accept_untrusted(
    data: bytes, current: RevocationList, authority: AuthorityPublic
) -> RevocationList:
    """Return what takes the place of `current`, from bytes that anyone may have sent.

    Raises:
        RefusedListError: They are no list, not above the floor `current.serial`, or not signed by
            both keys of the authority.
    """
    signed = parse_untrusted(data)
    # The cheap question first: an old list replayed costs no signature check.
    if signed.revocations.serial <= current.serial:
        raise RefusedListError(Refusal.NOT_NEWER)
    if not authority.signs(signed.body, signed.signatures):
        raise RefusedListError(Refusal.BAD_SIGNATURE)
    return signed.revocations


def usable_pairs(
    pairs: Sequence[PairRecord], revocations: RevocationList
) -> tuple[list[PairRecord], list[PairRecord]]:
    """Return the pairs that may talk, and those whose ground station was revoked."""
    usable = [pair for pair in pairs if not revocations.revokes(pair)]
    revoked = [pair for pair in pairs if revocations.revokes(pair)]
    return usable, revoked


def _message(authority: AuthorityPublic, body: bytes) -> bytes:
    return _DOMAIN + authority.identifier + body
