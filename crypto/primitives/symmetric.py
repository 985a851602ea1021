"""Ciphers, hashes, MACs and key derivation; keyed BLAKE2s is the standard library's."""

import hashlib
import hmac as constant_time
from collections.abc import Callable
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.primitives.errors import KEY_BYTES

MAC_BYTES: Final = 16
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16


class Aead(Protocol):
    """An authenticated cipher bound to one key."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Return ciphertext and tag."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Return the plaintext; raise `InvalidTag` if the tag is wrong."""


AEADS: Final[dict[str, Callable[[bytes], Aead]]] = {
    "ChaChaPoly": ChaCha20Poly1305,
    "AESGCM": AESGCM,
}
HASHES: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    "SHA256": hashes.SHA256,
    "SHA512": hashes.SHA512,
    "BLAKE2s": lambda: hashes.BLAKE2s(32),
    "BLAKE2b": lambda: hashes.BLAKE2b(64),
}

InvalidTagError = InvalidTag


def digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    """Return the hash of `data`."""
    context = hashes.Hash(algorithm)
    context.update(data)
    return context.finalize()


def hmac_digest(algorithm: hashes.HashAlgorithm, key: bytes, data: bytes) -> bytes:
    """Return HMAC(key, data)."""
    context = hmac.HMAC(key, algorithm)
    context.update(data)
    return context.finalize()


def hkdf(
    algorithm: hashes.HashAlgorithm, secret: bytes, *, salt: bytes, info: bytes, size: int
) -> bytes:
    """Return `size` bytes of HKDF (RFC 5869)."""
    return HKDF(algorithm, size, salt=salt, info=info).derive(secret)


def argon2id(passphrase: bytes, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
    """Return a 32-byte key (RFC 9106): slow and large on purpose, `memory_kib` of it."""
    return Argon2id(
        salt=salt, length=KEY_BYTES, iterations=passes, lanes=lanes, memory_cost=memory_kib
    ).derive(passphrase)


def misuse_resistant(key: bytes) -> Aead:
    """Return AES-256-GCM-SIV (RFC 8452): a nonce used twice shows equal plaintexts, no more."""
    return AESGCMSIV(key)


def keyed_blake2s(key: bytes, data: bytes) -> bytes:
    """Return the 16-byte keyed BLAKE2s of `data` (RFC 7693 §2.9)."""
    return hashlib.blake2s(data, key=key, digest_size=MAC_BYTES).digest()


def prefixed_sha256(key: bytes) -> Callable[[bytes], bytes]:
    """Return SHA-256(key || data) as a function of data, for protocols that make a MAC of that.

    It is one only where the result is cut so short that nobody can extend it (MAVLink 2 signing).
    """
    prefix = hashlib.sha256(key)

    def mac(data: bytes) -> bytes:
        context = prefix.copy()
        context.update(data)
        return context.digest()

    return mac


def equal(left: bytes, right: bytes) -> bool:
    """Compare in time that does not depend on where the inputs differ."""
    return constant_time.compare_digest(left, right)
