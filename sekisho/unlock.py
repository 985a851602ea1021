"""Open a state directory: a passphrase or key file, never from argv or the environment."""

import argparse
import getpass
import logging
import os
from pathlib import Path
from typing import Final, NamedTuple

from crypto.aio import erasing
from crypto.aio.files import StoreError, read_handed_over
from crypto.aio.store import Store
from crypto.vault import (
    KeyFile,
    Passphrase,
    Secret,
    Vault,
    VaultError,
    VaultHeader,
    WrongSecretError,
)
from sekisho.runtime import OperationFailedError

_log = logging.getLogger(__name__)

MIN_PASSPHRASE: Final = 12
_MAX_PASSPHRASE_BYTES: Final = 4096
_TERMINAL: Final = "/dev/tty"


class SecretSource(NamedTuple):
    """Where to look for a secret; with nothing set a passphrase is asked for at the terminal."""

    passphrase_file: Path | None = None
    key_file: Path | None = None
    passphrase_fd: int | None = None

    @classmethod
    def configured(
        cls, passphrase_file: str | None, key_file: str | None, passphrase_fd: int | None
    ) -> "SecretSource":
        """Return what a configuration's ``[state]`` and the command line name."""
        return cls(_path(passphrase_file), _path(key_file), passphrase_fd)

    def passphrase(self, prompt: str) -> Passphrase:
        """Return the passphrase of a person, a file or a descriptor.

        Raises:
            StoreError: There is none to be had.
        """
        if self.passphrase_fd is not None:
            return _decode(_read_descriptor(self.passphrase_fd), "--passphrase-fd")
        if self.passphrase_file is not None:
            return _decode(read_handed_over(self.passphrase_file), str(self.passphrase_file))
        return Passphrase(_ask(prompt))

    def key(self) -> KeyFile:
        """Return the contents of the key file.

        Raises:
            StoreError: None is named, or it cannot be used.
        """
        if self.key_file is None:
            raise StoreError("wrapped with a key file: name it in [state] key_file, or --key-file")
        try:
            return KeyFile(read_handed_over(self.key_file))
        except ValueError as error:
            raise StoreError(f"{self.key_file}: {error}") from None


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `source_of` reads."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--passphrase-fd",
        type=descriptor,
        metavar="N",
        help="wrapped keys: read the passphrase from descriptor N instead of asking",
    )
    source.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help="wrapped keys: a file with the passphrase, 0600",
    )
    source.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help="wrapped keys: 32 random bytes or more in place of a passphrase, 0600",
    )


def descriptor(text: str) -> int:
    """Return the number of a file descriptor, for argparse."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of an open descriptor")
    return int(text)


def source_of(arguments: argparse.Namespace) -> SecretSource:
    """Return where the command line says the secret is."""
    return SecretSource(arguments.passphrase_file, arguments.key_file, arguments.passphrase_fd)


def open_store(directory: Path, source: SecretSource | None = None) -> Store:
    """Return the store of a directory, unlocked if it is wrapped.

    Raises:
        StoreError: Its vault cannot be used, or nothing says what opens it.
        OperationFailedError: The passphrase or key file is wrong.
    """
    complete_erasure(directory)
    header = Store(directory).secrets.load_header()
    return Store(
        directory, None if header is None else unlock(directory, header, source or SecretSource())
    )


def complete_erasure(directory: Path) -> None:
    """Finish destroying what someone began to destroy: before anything in there is used."""
    if erasing.is_pending(directory):
        erasing.complete(directory)
        _log.warning("%s: its erasure had been cut short, and is complete now", directory)


def unlock(directory: Path, header: VaultHeader, source: SecretSource) -> Vault:
    """Return the vault of a directory, opened.

    Raises:
        StoreError: It cannot be used, or nothing says what opens it.
        OperationFailedError: The passphrase or key file is wrong.
    """
    path = Store(directory).secrets.vault_path
    secret: Secret
    try:
        if header.cost is None:
            secret, what = source.key(), "key file"
        else:
            secret, what = source.passphrase(f"passphrase of {directory}: "), "passphrase"
    except StoreError as error:
        raise StoreError(f"{path}: {error}") from None
    try:
        return Vault.unlock(header, secret)
    except WrongSecretError:
        raise OperationFailedError(
            f"{path}: wrong {what}; nothing was changed. Try again: there is no lock-out, and no "
            "way around a forgotten one but pairing again"
        ) from None
    except VaultError as error:
        raise StoreError(f"{path}: {error}; restore it from a backup") from None


def new_secret(source: SecretSource) -> Secret:
    """Return the secret a vault is to be made with, asked for twice if a person types it.

    Raises:
        StoreError: It cannot be had, or is too short.
        OperationFailedError: The person typed two different ones.
    """
    if source.key_file is not None:
        return source.key()
    passphrase = source.passphrase(f"new passphrase ({MIN_PASSPHRASE} characters or more): ")
    if len(passphrase.text) < MIN_PASSPHRASE:
        raise StoreError(
            f"passphrase: {len(passphrase.text)} characters, at least {MIN_PASSPHRASE} are needed; "
            "five random words are better than one odd one"
        )
    asked = source.passphrase_fd is None and source.passphrase_file is None
    if asked and source.passphrase("the same again: ") != passphrase:
        raise OperationFailedError("the two passphrases differ; nothing was changed")
    return passphrase


def confirm(question: str, *, agreed: bool, word: str | None = None) -> None:
    """Ask before something that cannot be undone, unless `agreed` beforehand.

    With `word`, nothing but that word is a yes.

    Raises:
        StoreError: There is no terminal to ask at.
        OperationFailedError: The answer is not yes.
    """
    if agreed:
        return
    try:
        terminal = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY)
    except OSError:
        raise StoreError("no terminal to confirm at; add --yes if you are sure") from None
    with os.fdopen(terminal, "r+b", buffering=0) as stream:
        wanted = "y/N" if word is None else f"type {word} to do it"
        stream.write(f"{question} [{wanted}] ".encode())
        answer = stream.readline(100).strip().lower()
    if answer not in ((b"y", b"yes") if word is None else (word.encode(),)):
        raise OperationFailedError("not confirmed; nothing was changed")


def _ask(prompt: str) -> str:
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        raise StoreError(
            "a passphrase is needed and there is no terminal to ask at: name [state] "
            "passphrase_file in the configuration, or give --passphrase-file or --passphrase-fd"
        ) from None
    try:
        return getpass.getpass(prompt)
    except UnicodeDecodeError:
        raise StoreError("passphrase: not UTF-8; set the terminal to UTF-8") from None


def _read_descriptor(number: int) -> bytes:
    try:
        with os.fdopen(number, "rb", closefd=False) as stream:
            return stream.read(_MAX_PASSPHRASE_BYTES + 1)
    except OSError as error:
        raise StoreError(f"--passphrase-fd {number}: {error.strerror}") from None


def _decode(data: bytes, where: str) -> Passphrase:
    """Return a passphrase without the line's end that editors and `echo` add."""
    if not data or len(data) > _MAX_PASSPHRASE_BYTES:
        raise StoreError(f"{where}: 1 to {_MAX_PASSPHRASE_BYTES} bytes are a passphrase")
    try:
        return Passphrase(data.decode().removesuffix("\n").removesuffix("\r"))
    except UnicodeDecodeError:
        raise StoreError(f"{where}: not UTF-8 text; for random bytes use a key file") from None


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).expanduser()
