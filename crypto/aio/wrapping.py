"""Put a state directory's secret files into a vault, and take them out: killed anywhere, readable.

    nothing --header: mixed--> mixed --every file sealed, header: sealed--> sealed
            <--no header-- every file plain -- mixed <--header: mixed--

While the header says mixed, both kinds of file are read and only sealed ones are written, and
either way can be taken again from its beginning.
"""

import os
from pathlib import Path

from crypto.aio.files import remove_private, remove_unfinished, write_private
from crypto.aio.secret_files import SecretFiles
from crypto.vault import Contents, Vault


def wrap(directory: Path, vault: Vault) -> int:
    """Seal every secret file of a directory; return how many. No service may be running on it.

    `vault` is a new one, or that of the directory if an earlier run was cut short.
    """
    mixed = _announce_mixed(directory, vault)
    for file in mixed.existing():
        mixed.write(file, mixed.read(file))
    _remove_unfinished(mixed)
    write_private(mixed.vault_path, vault.with_contents(Contents.SEALED).header.encode())
    return len(mixed.existing())


def unwrap(directory: Path, vault: Vault) -> int:
    """Write every secret file plain and forget the vault; return how many."""
    mixed = _announce_mixed(directory, vault)
    for file in mixed.existing():
        write_private(file.path, mixed.read(file))
    remove_private(mixed.vault_path)
    return len(mixed.existing())


def _announce_mixed(directory: Path, vault: Vault) -> SecretFiles:
    mixed = vault.with_contents(Contents.MIXED)
    files = SecretFiles(directory, mixed)
    write_private(files.vault_path, mixed.header.encode())
    return files


def _remove_unfinished(files: SecretFiles) -> None:
    """Delete what killed writers left: it may hold a key in clear."""
    remove_unfinished(files.directory)
    pairs = files.directory / "pairs"
    if os.path.lexists(pairs):
        remove_unfinished(pairs)
