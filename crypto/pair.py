"""What a drone and a ground station know of each other once they are paired.

One record per pair and end: per-pair secrets only, so a stolen drone says nothing about another.
"""

from enum import StrEnum
from typing import Final

import msgspec

from crypto.messages import SUITE
from crypto.primitives import KEY_BYTES, KeyPair, RandomBytes, derive_key

ID_BYTES: Final = 16
RECORD_VERSION: Final = 1


class Role(StrEnum):
    """What the ground station of a pair may do, lowest first."""

    OBSERVER = "observer"
    COMMANDER = "commander"
    SUPERVISOR = "supervisor"


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device: its id and its X25519 static private key, made on the device."""

    version: int
    device_id: bytes
    static_private: bytes

    @classmethod
    def create(cls, random_bytes: RandomBytes) -> "Identity":
        """Make a new device identity."""
        return cls(RECORD_VERSION, random_bytes(ID_BYTES), random_bytes(KEY_BYTES))


class PairRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One end's knowledge of one pair.

    `peer` names the other end for people; ids and keys are 16 and 32 bytes; `psks` maps the PSK
    generation, as text for JSON's sake, to the key.
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
    psks: dict[str, bytes]

    def __post_init__(self) -> None:
        if self.version != RECORD_VERSION:
            raise ValueError(f"pair record version {self.version}, not {RECORD_VERSION}")
        if self.suite != SUITE:
            raise ValueError(f"suite {self.suite} is not known here")
        keys = (
            self.static_private,
            self.peer_static_public,
            self.mac_initiator_key,
            self.mac_responder_key,
            *self.psks.values(),
        )
        if any(len(key) != KEY_BYTES for key in keys) or not self.psks:
            raise ValueError("a key is missing or has the wrong length")
        if len(self.drone_id) != ID_BYTES or len(self.gcs_id) != ID_BYTES:
            raise ValueError("an id has the wrong length")
        if not all(name.isdecimal() and int(name) < 256 for name in self.psks):
            raise ValueError("a PSK generation is not a number from 0 to 255")

    @property
    def psk_generation(self) -> int:
        """The newest PSK generation."""
        return max(map(int, self.psks))


class PairNames(msgspec.Struct, frozen=True):
    """What each end calls the other, and what the ground may do."""

    drone: str
    ground: str
    role: Role


def pair_in_lab(
    drone: Identity, ground: Identity, names: PairNames, random_bytes: RandomBytes
) -> tuple[PairRecord, PairRecord]:
    """Return the drone's and the ground's record of a new pair, both made in one place.

    Only for development: a real pairing makes each end's secrets on that end.
    """
    secret = random_bytes(KEY_BYTES)

    def record(own: Identity, peer: Identity, peer_name: str) -> PairRecord:
        return PairRecord(
            version=RECORD_VERSION,
            suite=SUITE,
            peer=peer_name,
            role=names.role,
            drone_id=drone.device_id,
            gcs_id=ground.device_id,
            static_private=own.static_private,
            peer_static_public=KeyPair(peer.static_private).public,
            mac_initiator_key=derive_key(secret, "SL1 mac1 initiator"),
            mac_responder_key=derive_key(secret, "SL1 mac1 responder"),
            psks={"0": derive_key(secret, "SL1 psk 0")},
        )

    return record(drone, ground, names.ground), record(ground, drone, names.drone)
