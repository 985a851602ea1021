"""Files that hold keys: each sealed by the directory's vault, if it has one."""

import os
from pathlib import Path
from typing import NamedTuple

from crypto.aio.files import StoreError, check_name, read_private, write_private
from crypto.vault import Contents, Vault, VaultError, VaultHeader, is_sealed, parse_header


class SecretFile(NamedTuple):
    """A file that holds keys, and what it is: a sealed one opens as nothing else."""

    path: Path
    role: str

    @property
    def name(self) -> str:
        """What tells files of one role apart."""
        return self.path.stem


class SecretFiles:
    """The secret files of one state directory: sealed if it has a vault, plain if it has none.

    Invariant:
        While there is a vault, nothing is written plain; once all is sealed, nothing plain is read.
    """

    def __init__(self, directory: Path, vault: Vault | None = None) -> None:
        self.directory = directory.resolve()
        self._vault = vault

    @property
    def vault_path(self) -> Path:
        """Where the header of the vault is, if there is one."""
        return self.directory / "vault.json"

    @property
    def identity(self) -> SecretFile:
        """This device's identity."""
        return SecretFile(self.directory / "device.key", "identity")

    @property
    def authority(self) -> SecretFile:
        """The private keys of a fleet authority: in its own offline directory, and only there."""
        return SecretFile(self.directory / "authority.key", "authority")

    @property
    def autopilot(self) -> SecretFile:
        """What the autopilot's line is signed with, if it is."""
        return SecretFile(self.directory / "autopilot.key", "autopilot")

    @property
    def log_signer(self) -> SecretFile:
        """The key by which this device signs its sealed logs."""
        return SecretFile(self.directory / "log-signing.key", "log signer")

    def pair(self, peer: str) -> SecretFile:
        """The record of one peer.

        Raises:
            StoreError: The name cannot be a file's.
        """
        return SecretFile(self.directory / "pairs" / f"{check_name(peer)}.pair", "pair")

    def pairs(self) -> list[SecretFile]:
        """Return the records of all peers, sorted by name."""
        paths = sorted((self.directory / "pairs").glob("*.pair"))
        return [SecretFile(path, "pair") for path in paths]

    def existing(self) -> list[SecretFile]:
        """Return every secret file there is."""
        single = [self.identity, self.authority, self.autopilot, self.log_signer]
        return [file for file in single if os.path.lexists(file.path)] + self.pairs()

    def load_header(self) -> VaultHeader | None:
        """Return the header of this directory's vault, None if its secrets are not wrapped.

        Raises:
            StoreError: It cannot be used.
        """
        if not os.path.lexists(self.vault_path):
            return None
        try:
            return parse_header(read_private(self.vault_path))
        except VaultError as error:
            raise StoreError(
                f"{self.vault_path}: {error}; restore it from a backup. Without it the keys here "
                "cannot be opened: then empty this directory and pair again"
            ) from None

    def read(self, file: SecretFile) -> bytes:
        """Return what a secret file says, opened if it is sealed.

        Raises:
            StoreError: It cannot be read or opened, or is not sealed and must be.
        """
        self._check_vault()
        data = read_private(file.path)
        vault = self._vault
        if vault is None:
            if is_sealed(data):
                raise StoreError(
                    f"{file.path}: sealed, and {self.vault_path} is missing: restore it from a "
                    "backup, or empty this directory and pair again"
                )
            return data
        if vault.header.contents is Contents.MIXED and not is_sealed(data):
            return data
        try:
            return vault.open(file.role, file.name, data)
        except VaultError as error:
            raise StoreError(f"{file.path}: {error}; remove it and pair again") from None

    def write(self, file: SecretFile, data: bytes) -> None:
        """Replace a secret file, sealed if this directory has a vault."""
        self._check_vault()
        if self._vault is not None:
            data = self._vault.seal(file.role, file.name, data, os.urandom)
        write_private(file.path, data)

    def _check_vault(self) -> None:
        """Refuse to touch secrets if this directory was wrapped, or unwrapped, behind our back."""
        is_wrapped = os.path.lexists(self.vault_path)
        if is_wrapped and self._vault is None:
            raise StoreError(
                f"{self.directory}: the keys here are wrapped, and this was started without "
                "their passphrase or key file"
            )
        if not is_wrapped and self._vault is not None:
            raise StoreError(f"{self.vault_path}: gone since this was started; start again")
