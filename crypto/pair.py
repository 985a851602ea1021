"""What a drone and a ground station know of each other once they are paired.

One record per pair and end: per-pair secrets only, so a stolen drone says nothing about another.
"""

from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from crypto.primitives import KEY_BYTES, KeyPair, RandomBytes, equal
from crypto.suites import CHACHA, SUITES, Suite

ID_BYTES: Final = 16
RECORD_VERSION: Final = 2
PSK_GENERATIONS: Final = 256


class Role(StrEnum):
    """What the ground station of a pair may do, lowest first."""

    OBSERVER = "observer"
    COMMANDER = "commander"
    SUPERVISOR = "supervisor"


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device: its id and its X25519 static private keys, one a suite, made on the device."""

    version: int
    device_id: bytes
    chacha_private: bytes
    aes_private: bytes

    def __post_init__(self) -> None:
        check_version(self.version)
        if len(self.device_id) != ID_BYTES:
            raise ValueError("the device id has the wrong length")
        if {len(self.chacha_private), len(self.aes_private)} != {KEY_BYTES}:
            raise ValueError("a key is missing or has the wrong length")

    @classmethod
    def create(cls, random_bytes: RandomBytes) -> "Identity":
        """Make a new device identity."""
        return cls(
            RECORD_VERSION, random_bytes(ID_BYTES), random_bytes(KEY_BYTES), random_bytes(KEY_BYTES)
        )

    def static_private(self, suite: Suite) -> bytes:
        """Return the static private key of one suite."""
        return self.chacha_private if suite is CHACHA else self.aes_private


class PairSecrets(NamedTuple):
    """What is derived from the secret a pairing agrees on; that secret is then forgotten.

    Kept, it would give the first PSK, and with it the first sessions, to a later thief who breaks
    X25519.
    """

    mac_initiator_key: bytes
    mac_responder_key: bytes
    psk: bytes

    @classmethod
    def derive(cls, suite: Suite, pair_secret: bytes) -> "PairSecrets":
        """Derive the secrets of a new pair."""
        return cls(
            suite.derive(pair_secret, b"SL1 mac1 initiator"),
            suite.derive(pair_secret, b"SL1 mac1 responder"),
            suite.derive(pair_secret, b"SL1 psk 0"),
        )


class PairRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One end's knowledge of one pair.

    `peer` names the other end for people; ids and keys are 16 and 32 bytes. `psk` has generation
    `psk_generation` (mod 256) and `next_psk`, if there is one, the generation after it: two slots,
    so that a crash between the two ends' writes leaves a key they share. `grant_serial` is the
    revocation serial the drone had reached when the pair was made: only later lists revoke it.
    """

    version: int
    suite: int
    peer: str
    role: Role
    drone_id: bytes
    gcs_id: bytes
    static_private: bytes
    peer_static_public: bytes
    mac_initiator_key: bytes
    mac_responder_key: bytes
    psk_generation: int
    psk: bytes
    next_psk: bytes | None = None
    grant_serial: int = 0

    def __post_init__(self) -> None:
        check_version(self.version)
        if self.suite not in SUITES:
            raise ValueError(f"suite {self.suite} is not known here")
        keys = [
            self.static_private,
            self.peer_static_public,
            self.mac_initiator_key,
            self.mac_responder_key,
            self.psk,
        ]
        keys += [] if self.next_psk is None else [self.next_psk]
        if any(len(key) != KEY_BYTES for key in keys):
            raise ValueError("a key is missing or has the wrong length")
        if len(self.drone_id) != ID_BYTES or len(self.gcs_id) != ID_BYTES:
            raise ValueError("an id has the wrong length")
        if not 0 <= self.psk_generation < PSK_GENERATIONS:
            raise ValueError("the PSK generation is not a number from 0 to 255")
        if not 0 <= self.grant_serial < 1 << 32:
            raise ValueError("the grant serial is not a 32-bit number")

    @property
    def profile(self) -> Suite:
        """The suite of this pair."""
        return SUITES[self.suite]

    def is_same_pair(self, other: "PairRecord") -> bool:
        """Tell whether both come from one pairing, whatever the ratchet has made of the PSKs."""
        return equal(
            self.mac_initiator_key + self.mac_responder_key,
            other.mac_initiator_key + other.mac_responder_key,
        )

    @property
    def next_generation(self) -> int:
        """The number of the generation after `psk_generation`."""
        return (self.psk_generation + 1) % PSK_GENERATIONS

    def psk_of(self, generation: int) -> bytes | None:
        """Return the key of one of the two slots, None for any other generation."""
        if generation == self.psk_generation:
            return self.psk
        return self.next_psk if generation == self.next_generation else None

    @property
    def next_check(self) -> int:
        """Two bytes that tell which key the second slot holds, 0 if none; they reveal nothing."""
        if self.next_psk is None:
            return 0
        return int.from_bytes(self.profile.derive(self.next_psk, b"SL1 slot")[:2], "big") | 1

    def with_next(self, psk: bytes | None) -> "PairRecord":
        """Return the record with another second slot, in place of a key never confirmed."""
        return msgspec.structs.replace(self, next_psk=psk)

    def promoted(self, psk: bytes) -> "PairRecord":
        """Return the record once a session under the next generation is confirmed.

        `psk` is the key of that session, whatever the second slot holds by now: it is what the
        other end has.
        """
        return msgspec.structs.replace(
            self, psk_generation=self.next_generation, psk=psk, next_psk=None
        )


class PairNames(msgspec.Struct, frozen=True):
    """What each end calls the other, and what the ground may do."""

    drone: str
    ground: str
    role: Role


def check_version(version: int) -> None:
    """Refuse a record of another version.

    Raises:
        ValueError: It is one.
    """
    if version != RECORD_VERSION:
        raise ValueError(f"written as version {version}, this is version {RECORD_VERSION}")


def pair_in_lab(
    drone: Identity,
    ground: Identity,
    names: PairNames,
    random_bytes: RandomBytes,
    suite: Suite = CHACHA,
    grant_serial: int = 0,
) -> tuple[PairRecord, PairRecord]:
    """Return the drone's and the ground's record of a new pair, both made in one place.

    Only for development: a real pairing makes each end's secrets on that end. `grant_serial` is the
    drone's revocation serial now.
    """
    secrets = PairSecrets.derive(suite, random_bytes(KEY_BYTES))

    def record(own: Identity, peer: Identity, peer_name: str) -> PairRecord:
        return PairRecord(
            version=RECORD_VERSION,
            suite=suite.number,
            peer=peer_name,
            role=names.role,
            drone_id=drone.device_id,
            gcs_id=ground.device_id,
            static_private=own.static_private(suite),
            peer_static_public=KeyPair(peer.static_private(suite)).public,
            mac_initiator_key=secrets.mac_initiator_key,
            mac_responder_key=secrets.mac_responder_key,
            psk_generation=0,
            psk=secrets.psk,
            grant_serial=grant_serial,
        )

    return record(drone, ground, names.ground), record(ground, drone, names.drone)
