"""The cryptographic primitives SL1 stands on: the only importer of `cryptography`.

Nothing here is ours but the names. Keyed BLAKE2s, which `cryptography` lacks, is the standard
library's.
"""

import hashlib
import hmac as constant_time
from collections.abc import Callable
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
MAC_BYTES: Final = 16
TAG_BYTES: Final = 16
NONCE_BYTES: Final = 12
ED25519_PUBLIC_BYTES: Final = 32
ED25519_SIGNATURE_BYTES: Final = 64
MLDSA65_PUBLIC_BYTES: Final = 1952
MLDSA65_SIGNATURE_BYTES: Final = 3309

RandomBytes = Callable[[int], bytes]


class AuthenticationError(Exception):
    """The tag, the point or the padding is not what the key holder would have made."""


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


class KeyPair:
    """An X25519 private key and its public key."""

    __slots__ = ("_private", "private", "public")

    def __init__(self, private: bytes) -> None:
        self.private = private
        self._private = X25519PrivateKey.from_private_bytes(private)
        self.public = self._private.public_key().public_bytes_raw()

    def exchange(self, public: bytes) -> bytes:
        """Return the X25519 shared secret.

        Raises:
            AuthenticationError: The point is of low order (RFC 7748 §6.1, all-zero output).
        """
        try:
            return self._private.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError as error:
            raise AuthenticationError("X25519 public key refused") from error


class Ed25519:
    """An Ed25519 key (RFC 8032)."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of `message`."""
        return self._private.sign(message)

    @staticmethod
    def verify(public: bytes, signature: bytes, message: bytes) -> bool:
        """Return whether the holder of `public` signed `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class MlDsa65:
    """An ML-DSA-65 key (FIPS 204), hedged signing, empty context."""

    def __init__(self, seed: bytes) -> None:
        self._private = MLDSA65PrivateKey.from_seed_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the 3309-byte signature of `message`."""
        return self._private.sign(message)

    @staticmethod
    def verify(public: bytes, signature: bytes, message: bytes) -> bool:
        """Return whether the holder of `public` signed `message`."""
        try:
            MLDSA65PublicKey.from_public_bytes(public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


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
    algorithm: hashes.HashAlgorithm, secret: bytes, info: bytes, salt: bytes | None, length: int
) -> bytes:
    """Return `length` bytes of HKDF (RFC 5869)."""
    return HKDF(algorithm, length, salt=salt, info=info).derive(secret)


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


def equal(left: bytes, right: bytes) -> bool:
    """Compare in time that does not depend on where the inputs differ."""
    return constant_time.compare_digest(left, right)
