"""ML-KEM (FIPS 203), and HPKE (RFC 9180) under its hybrid with X25519."""

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
    MLKEM1024PrivateKey,
    MLKEM1024PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from crypto.primitives.errors import KEY_BYTES, AuthenticationError
from crypto.primitives.symmetric import TAG_BYTES

ML_KEM_SEED_BYTES: Final = 64
XWING_PUBLIC_BYTES: Final = 1216
HPKE_OVERHEAD: Final = 1120 + TAG_BYTES


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


_HPKE: Final = hpke.Suite(
    hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305
)


class XWingKeyPair:
    """A recipient of HPKE (RFC 9180) under X-Wing: safe while ML-KEM-768 or X25519 is.

    Made from its 32-byte seed as draft-connolly-cfrg-xwing-kem §5.2 expands it.
    """

    __slots__ = ("_private", "public", "seed")

    def __init__(self, seed: bytes) -> None:
        expanded = hashlib.shake_256(seed).digest(ML_KEM_SEED_BYTES + KEY_BYTES)
        ml_kem = MLKEM768PrivateKey.from_seed_bytes(expanded[:ML_KEM_SEED_BYTES])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[ML_KEM_SEED_BYTES:])
        self.seed = seed
        self._private = hpke.MLKEM768X25519PrivateKey(ml_kem, x25519)
        self.public = (
            ml_kem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        )

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Return what `hpke_seal` sealed to this key with the same `info`.

        Raises:
            AuthenticationError: It was sealed to another key, with another `info`, or changed.
        """
        try:
            return _HPKE.decrypt(sealed, self._private, info)
        except InvalidTag as error:
            raise AuthenticationError("not sealed to this key") from error


def hpke_seal(public: bytes, data: bytes, info: bytes) -> bytes:
    """Seal `data` to an X-Wing public key: encapsulation 1120 B, ciphertext, tag 16 B.

    The randomness is the library's own.

    Raises:
        ValueError: `public` is no X-Wing key.
    """
    if len(public) != XWING_PUBLIC_BYTES:
        raise ValueError(f"an X-Wing public key has {XWING_PUBLIC_BYTES} bytes, not {len(public)}")
    split = ML_KEM_768.public_bytes
    key = hpke.MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(public[:split]),
        X25519PublicKey.from_public_bytes(public[split:]),
    )
    return _HPKE.encrypt(data, key, info)
