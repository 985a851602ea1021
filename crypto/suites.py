"""The two profiles of SL1, fixed when a pair is made and never negotiated.

Each has its own static keys: Noise §14 forbids one static key under two hash functions.
"""

from dataclasses import dataclass
from typing import Final, Literal

from crypto.noise import Protocol, parse_protocol
from crypto.primitives import (
    AEADS,
    HASHES,
    KEY_BYTES,
    MAC_BYTES,
    Aead,
    digest,
    hkdf,
    hmac_digest,
    keyed_blake2s,
)


@dataclass(frozen=True, slots=True)
class Suite:
    """One cipher and one hash, used for everything a pair does."""

    number: int
    name: str
    cipher: str
    hash_name: str
    nonce_order: Literal["little", "big"]  # Noise §12: how a counter becomes a nonce

    def noise(self, pattern: str) -> Protocol:
        """Return the Noise protocol of a handshake pattern under this suite."""
        return parse_protocol(f"Noise_{pattern}_25519_{self.cipher}_{self.hash_name}")

    def aead(self, key: bytes) -> Aead:
        """Return the cipher under `key`."""
        return AEADS[self.cipher](key)

    def hash(self, data: bytes) -> bytes:
        """Return the 32-byte hash of `data`."""
        return digest(HASHES[self.hash_name](), data)

    def derive(self, secret: bytes, info: bytes, salt: bytes = b"") -> bytes:
        """Return a 32-byte key: HKDF (RFC 5869) with the suite's hash."""
        return hkdf(HASHES[self.hash_name](), secret, salt=salt, info=info, size=KEY_BYTES)

    def mac(self, key: bytes, data: bytes) -> bytes:
        """Return the 16-byte MAC that handshake messages end with."""
        if self.hash_name == "BLAKE2s":
            return keyed_blake2s(key, data)
        return hmac_digest(HASHES[self.hash_name](), key, data)[:MAC_BYTES]


CHACHA: Final = Suite(1, "chacha20-poly1305", "ChaChaPoly", "BLAKE2s", "little")
AES: Final = Suite(2, "aes-256-gcm", "AESGCM", "SHA256", "big")
SUITES: Final = {suite.number: suite for suite in (CHACHA, AES)}
