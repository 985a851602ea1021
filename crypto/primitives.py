"""The cryptographic primitives SL1 stands on: the only importer of `cryptography`.

Nothing here is ours but the names. Keyed BLAKE2s, which `cryptography` lacks, is the standard
library's.
"""

import hashlib
import hmac as constant_time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
    MLKEM1024PrivateKey,
    MLKEM1024PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
MAC_BYTES: Final = 16
TAG_BYTES: Final = 16
ML_KEM_SEED_BYTES: Final = 64

RandomBytes = Callable[[int], bytes]


class AuthenticationError(Exception):
    """The tag, point, key or padding is not what the key holder would have made."""


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


@dataclass(frozen=True, slots=True)
class MlKem:
    """One parameter set of ML-KEM (FIPS 203): the sizes of what goes over the wire."""

    private_type: type[MLKEM768PrivateKey | MLKEM1024PrivateKey]
    public_type: type[MLKEM768PublicKey | MLKEM1024PublicKey]
    public_bytes: int
    ciphertext_bytes: int

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        """Return a fresh 32-byte secret and the ciphertext that carries it to `public`'s owner.

        The randomness is the library's own: it takes none from the caller.

        Raises:
            AuthenticationError: `public` has the wrong length or a coefficient not below q.
        """
        if len(public) != self.public_bytes:
            raise AuthenticationError(f"ML-KEM public key of {len(public)} bytes")
        try:
            return self.public_type.from_public_bytes(public).encapsulate()
        except ValueError as error:
            raise AuthenticationError("ML-KEM public key refused") from error


ML_KEM_768: Final = MlKem(MLKEM768PrivateKey, MLKEM768PublicKey, 1184, 1088)
ML_KEM_1024: Final = MlKem(MLKEM1024PrivateKey, MLKEM1024PublicKey, 1568, 1568)


class MlKemKeyPair:
    """An ML-KEM decapsulation key, made from its 64-byte seed d || z, and its public key."""

    __slots__ = ("_parameters", "_private", "public", "seed")

    def __init__(self, parameters: MlKem, seed: bytes) -> None:
        self.seed = seed
        self._parameters = parameters
        self._private = parameters.private_type.from_seed_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw()

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the 32-byte secret.

        A ciphertext made for another key, or changed under way, gives an unpredictable secret and
        no error (implicit rejection, FIPS 203 §6.3): only a key confirmation tells.

        Raises:
            AuthenticationError: The ciphertext has the wrong length.
        """
        if len(ciphertext) != self._parameters.ciphertext_bytes:
            raise AuthenticationError(f"ML-KEM ciphertext of {len(ciphertext)} bytes")
        return self._private.decapsulate(ciphertext)


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


def keyed_blake2s(key: bytes, data: bytes) -> bytes:
    """Return the 16-byte keyed BLAKE2s of `data` (RFC 7693 §2.9)."""
    return hashlib.blake2s(data, key=key, digest_size=MAC_BYTES).digest()


def equal(left: bytes, right: bytes) -> bool:
    """Compare in time that does not depend on where the inputs differ."""
    return constant_time.compare_digest(left, right)
