"""The keys of sealed logs on disk: the offline pair that opens, the device's that signs."""

import os
from pathlib import Path
from typing import Final

import msgspec

from crypto.aio.files import (
    StoreError,
    make_private_directory,
    read_handed_over,
    write_private,
)
from crypto.aio.secret_files import SecretFiles
from crypto.primitives import (
    KEY_BYTES,
    Ed25519,
    RandomBytes,
    XWingKeyPair,
)
from crypto.sealed_log import key_id

PRIVATE_KEY_NAME: Final = "log-private.key"
PUBLIC_KEY_NAME: Final = "log-public.key"
_KEY_VERSION: Final = 1


class _PrivateKeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    recipient: str
    log_private_seed: bytes


class _SigningKeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    log_signing_seed: bytes


class _PublicKeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    recipient: str
    log_public: bytes


def save_log_keys(directory: Path, pair: XWingKeyPair) -> tuple[Path, Path]:
    """Write the private file (0600) and the public one (0644); return where they are.

    Raises:
        StoreError: There is a key already: without it, nothing sealed to it opens again.
    """
    private_path, public_path = directory / PRIVATE_KEY_NAME, directory / PUBLIC_KEY_NAME
    for path in (private_path, public_path):
        if path.exists():
            raise StoreError(
                f"{path}: exists; logs sealed to it open with nothing else: choose another "
                "directory"
            )
    make_private_directory(directory)
    recipient = key_id(pair.public).hex()
    private = _PrivateKeyFile(_KEY_VERSION, recipient, pair.seed)
    write_private(private_path, msgspec.json.encode(private) + b"\n")
    public = _PublicKeyFile(_KEY_VERSION, recipient, pair.public)
    write_private(public_path, msgspec.json.encode(public) + b"\n")
    public_path.chmod(0o644)
    return private_path, public_path


def load_log_private(path: Path) -> XWingKeyPair:
    """Read the offline private key.

    Raises:
        StoreError: It is missing, damaged or readable by others.
    """
    try:
        stored = msgspec.json.decode(read_handed_over(path), type=_PrivateKeyFile)
    except msgspec.DecodeError as error:
        raise StoreError(f"{path}: not the private key of logs ({error})") from error
    if stored.version == _KEY_VERSION and len(stored.log_private_seed) == KEY_BYTES:
        pair = XWingKeyPair(stored.log_private_seed)
        if key_id(pair.public).hex() == stored.recipient:
            return pair
    raise StoreError(f"{path}: damaged; bring back the copy that was made of it")


def load_log_public(path: Path) -> bytes:
    """Read the public key that logs are sealed to; it is no secret.

    Raises:
        StoreError: It is missing or damaged.
    """
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=_PublicKeyFile)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise StoreError(f"{path}: not the public key of logs ({error})") from error
    # What is sealed to a key with one wrong bit never opens again.
    if stored.version != _KEY_VERSION or key_id(stored.log_public).hex() != stored.recipient:
        raise StoreError(f"{path}: damaged; copy it again from where the logs are read")
    return stored.log_public


def install_recipient(source: Path, directory: Path) -> bytes:
    """Copy a public key to where a device looks for the one it seals its logs to; return it.

    Raises:
        StoreError: `source` is missing or damaged.
        OSError: It cannot be written.
    """
    public = load_log_public(source)
    write_private(directory / PUBLIC_KEY_NAME, source.read_bytes())
    return public


def load_or_create_log_signer(secrets: SecretFiles, random_bytes: RandomBytes) -> Ed25519:
    """Return the key by which this device signs its logs, making it on first use.

    Raises:
        StoreError: It is damaged or readable by others, or sealed and not opened.
        OSError: It cannot be written.
    """
    file = secrets.log_signer
    path = file.path
    if not os.path.lexists(path):
        signer = Ed25519(random_bytes(KEY_BYTES))
        stored = _SigningKeyFile(_KEY_VERSION, signer.seed)
        secrets.write(file, msgspec.json.encode(stored) + b"\n")
        return signer
    try:
        stored = msgspec.json.decode(secrets.read(file), type=_SigningKeyFile)
    except msgspec.DecodeError as error:
        raise StoreError(f"{path}: not the signing key of logs ({error})") from error
    if stored.version != _KEY_VERSION or len(stored.log_signing_seed) != KEY_BYTES:
        raise StoreError(f"{path}: damaged; remove it, and tell who reads the logs the new key")
    return Ed25519(stored.log_signing_seed)
