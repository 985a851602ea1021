"""Secret files sealed at rest: a random vault key seals each, and a passphrase or a key file it.

    passphrase --Argon2id--+
                           +--> wrapping key --AES-256-GCM-SIV--> vault key --+--> the files
    key file -----HKDF-----+             (in the header)                      +--> the header's MAC

So a new passphrase rewrites the header alone, and Argon2id is paid once a start. The header's
`check` is an unkeyed hash: it tells damage from a wrong passphrase and helps no guesser, who has
the wrapped key to test guesses on anyway.
"""

import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from crypto.primitives import (
    HASHES,
    KEY_BYTES,
    NONCE_BYTES,
    TAG_BYTES,
    InvalidTagError,
    RandomBytes,
    argon2id,
    digest,
    equal,
    hkdf,
    hmac_digest,
    misuse_resistant,
)

HEADER_VERSION: Final = 1
FILE_MAGIC: Final = b"SKV\x01"  # the last byte is the version
SALT_BYTES: Final = 16
VAULT_ID_BYTES: Final = 8
KEY_FILE_MIN_BYTES: Final = 32
FILE_OVERHEAD: Final = len(FILE_MAGIC) + VAULT_ID_BYTES + NONCE_BYTES + TAG_BYTES

# Bounds on what a header may ask for, so that a manipulated one exhausts neither memory nor time.
MAX_MEMORY_KIB: Final = 256 * 1024
MAX_PASSES: Final = 16
MAX_LANES: Final = 16
_MIN_MEMORY_PER_LANE_KIB: Final = 8  # RFC 9106 §3.1


class VaultError(ValueError):
    """A header or a sealed file is damaged, foreign or of another version."""


class WrongSecretError(Exception):
    """The passphrase or key file is not the one this vault was made with."""


class Contents(StrEnum):
    """What the secret files beside a header are."""

    SEALED = "sealed"
    MIXED = "mixed"  # wrapping or unwrapping was begun and not finished


@dataclass(frozen=True, slots=True)
class Passphrase:
    """What a person knows. Compared in Unicode NFC, so that any keyboard types the same."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """At least 32 random bytes that hardware or a service manager hands out."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < KEY_FILE_MIN_BYTES:
            raise ValueError(
                f"{len(self.key)} bytes, a key file has at least {KEY_FILE_MIN_BYTES} random ones"
            )


Secret = Passphrase | KeyFile


class Argon2idCost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one guess of a passphrase costs. The default is RFC 9106's second recommendation."""

    memory_kib: int = 64 * 1024
    passes: int = 3
    lanes: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.passes <= MAX_PASSES:
            raise ValueError(f"passes = {self.passes}, allowed: 1 to {MAX_PASSES}")
        if not 1 <= self.lanes <= MAX_LANES:
            raise ValueError(f"lanes = {self.lanes}, allowed: 1 to {MAX_LANES}")
        least = _MIN_MEMORY_PER_LANE_KIB * self.lanes
        if not least <= self.memory_kib <= MAX_MEMORY_KIB:
            raise ValueError(
                f"memory_kib = {self.memory_kib}, allowed: {least} to {MAX_MEMORY_KIB}"
            )


class VaultHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is stored in clear about a vault. `cost` is None if a key file opens it.

    `mac` binds everything to the vault key, `contents` above all: who can write files cannot make a
    vault take plain ones.
    """

    version: int
    vault_id: bytes
    contents: Contents
    cost: Argon2idCost | None
    salt: bytes
    nonce: bytes
    wrapped_key: bytes
    mac: bytes = b""
    check: bytes = b""

    def encode(self) -> bytes:
        """Return the header as it is stored."""
        return msgspec.json.encode(self)

    def authenticated(self) -> bytes:
        """Return what `mac` covers."""
        return msgspec.structs.replace(self, mac=b"", check=b"").encode()

    def checked(self) -> bytes:
        """Return the value of `check` that fits the rest."""
        return digest(HASHES["SHA256"](), msgspec.structs.replace(self, check=b"").encode())


def parse_header(data: bytes) -> VaultHeader:
    """Parse a stored header.

    Raises:
        VaultError: It is damaged, of another version, or asks for too much memory or time.
    """
    try:
        header = msgspec.json.decode(data, type=VaultHeader)
    except (msgspec.DecodeError, ValueError) as error:
        raise VaultError(f"damaged ({error})") from None
    if header.version != HEADER_VERSION:
        raise VaultError(f"written as version {header.version}, this is version {HEADER_VERSION}")
    if header.check != header.checked() or header.encode() != data:
        raise VaultError("damaged (its check value does not fit)")
    lengths = {
        "vault_id": (header.vault_id, VAULT_ID_BYTES),
        "salt": (header.salt, SALT_BYTES),
        "nonce": (header.nonce, NONCE_BYTES),
        "wrapped_key": (header.wrapped_key, KEY_BYTES + TAG_BYTES),
    }
    for name, (value, length) in lengths.items():
        if len(value) != length:
            raise VaultError(f"damaged ({name} has the wrong length)")
    return header


class Vault:
    """An unlocked vault: its header and, in memory only, its key."""

    __slots__ = ("_cipher", "_key", "header")

    def __init__(self, header: VaultHeader, key: bytes) -> None:
        self.header = header
        self._key = key
        self._cipher = misuse_resistant(_derive(key, b"SKV files"))

    @classmethod
    def create(
        cls, secret: Secret, random_bytes: RandomBytes, cost: Argon2idCost | None = None
    ) -> "Vault":
        """Make a vault with a new key; the files beside it are not sealed yet."""
        return cls._wrapped(
            random_bytes(KEY_BYTES),
            random_bytes(VAULT_ID_BYTES),
            Contents.MIXED,
            secret,
            random_bytes,
            cost,
        )

    @classmethod
    def unlock(cls, header: VaultHeader, secret: Secret) -> "Vault":
        """Open the vault of a header.

        Raises:
            WrongSecretError: Not with this secret.
            VaultError: The secret is right, and the header was changed by someone who lacks it.
        """
        if isinstance(secret, Passphrase) != (header.cost is not None):
            raise WrongSecretError
        cipher = misuse_resistant(_wrapping_key(secret, header.salt, header.cost))
        try:
            key = cipher.decrypt(header.nonce, header.wrapped_key, header.vault_id)
        except InvalidTagError:
            raise WrongSecretError from None
        if not equal(header.mac, _mac(key, header)):
            raise VaultError("damaged (its authentication code does not fit)")
        return cls(header, key)

    def with_secret(
        self, secret: Secret, random_bytes: RandomBytes, cost: Argon2idCost | None = None
    ) -> "Vault":
        """Return the same vault, opened by another secret from now on."""
        header = self.header
        return self._wrapped(
            self._key, header.vault_id, header.contents, secret, random_bytes, cost
        )

    def with_contents(self, contents: Contents) -> "Vault":
        """Return the vault with a header that says so of the files beside it."""
        return Vault(
            _finished(msgspec.structs.replace(self.header, contents=contents), self._key), self._key
        )

    def seal(self, role: str, name: str, data: bytes, random_bytes: RandomBytes) -> bytes:
        """Return `data` sealed as the file of this role and name; it opens as no other."""
        clear = FILE_MAGIC + self.header.vault_id
        nonce = random_bytes(NONCE_BYTES)
        return clear + nonce + self._cipher.encrypt(nonce, data, _binding(clear, role, name))

    def open(self, role: str, name: str, sealed: bytes) -> bytes:
        """Return what was sealed as the file of this role and name.

        Raises:
            VaultError: It is damaged, another file, of another vault, or not sealed.
        """
        clear = sealed[: len(FILE_MAGIC) + VAULT_ID_BYTES]
        if not is_sealed(sealed):
            raise VaultError("not sealed, or by another version")
        if clear[len(FILE_MAGIC) :] != self.header.vault_id:
            raise VaultError("sealed by another vault")
        start = len(clear) + NONCE_BYTES
        if len(sealed) < start + TAG_BYTES:
            raise VaultError("damaged (cut short)")
        nonce = sealed[len(clear) : start]
        try:
            return self._cipher.decrypt(nonce, sealed[start:], _binding(clear, role, name))
        except InvalidTagError:
            raise VaultError("damaged, or another file's contents under its name") from None

    @classmethod
    def _wrapped(
        cls,
        key: bytes,
        vault_id: bytes,
        contents: Contents,
        secret: Secret,
        random_bytes: RandomBytes,
        cost: Argon2idCost | None,
    ) -> "Vault":
        cost = (cost or Argon2idCost()) if isinstance(secret, Passphrase) else None
        salt, nonce = random_bytes(SALT_BYTES), random_bytes(NONCE_BYTES)
        cipher = misuse_resistant(_wrapping_key(secret, salt, cost))
        wrapped_key = cipher.encrypt(nonce, key, vault_id)
        header = VaultHeader(HEADER_VERSION, vault_id, contents, cost, salt, nonce, wrapped_key)
        return cls(_finished(header, key), key)


def is_sealed(data: bytes) -> bool:
    """Return whether a file starts as sealed ones do."""
    return data.startswith(FILE_MAGIC)


def _wrapping_key(secret: Secret, salt: bytes, cost: Argon2idCost | None) -> bytes:
    if isinstance(secret, KeyFile):
        return _derive(secret.key, b"SKV key file", salt)
    assert cost is not None
    passphrase = unicodedata.normalize("NFC", secret.text).encode()
    return argon2id(passphrase, salt, cost.memory_kib, cost.passes, cost.lanes)


def _derive(secret: bytes, info: bytes, salt: bytes = b"") -> bytes:
    return hkdf(HASHES["SHA256"](), secret, salt=salt, info=info, size=KEY_BYTES)


def _mac(key: bytes, header: VaultHeader) -> bytes:
    return hmac_digest(HASHES["SHA256"](), _derive(key, b"SKV header"), header.authenticated())


def _finished(header: VaultHeader, key: bytes) -> VaultHeader:
    with_mac = msgspec.structs.replace(header, mac=_mac(key, header), check=b"")
    return msgspec.structs.replace(with_mac, check=with_mac.checked())


def _binding(clear: bytes, role: str, name: str) -> bytes:
    return b"\0".join((clear, role.encode(), name.encode()))
