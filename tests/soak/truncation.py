"""Every state file cut at every byte: read whole, or refused by name; never something else."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from crypto.aio.files import StoreError
from crypto.aio.store import Store
from crypto.aio.wrapping import wrap
from crypto.pair import pair_in_lab
from crypto.vault import Vault
from flightcore.aio.service import load_authority, save
from flightcore.authority import AuthorityState
from flightcore.custody import AcceptedList
from tests.soak import worker

# What reads each file when a service starts, or a command that it was given.
READERS: dict[str, Callable[[Store], object]] = {
    "device.key": lambda store: store.load_or_create_identity(os.urandom),
    "station-a.pair": lambda store: store.load_pairs(),
    "boot_count": lambda store: store.next_boot_count(),
    "authority.state": load_authority,
    "revocations.state": lambda store: (store.load_revocations(), store.load_signed_revocations()),
    "authority.pub": lambda store: store.load_authority(),
    "vault.json": lambda store: store.load_pairs(),
}


def furnished(directory: Path, *, sealed: bool) -> Path:
    """Make a drone's state directory with a file of every kind."""
    store = Store(directory)
    other = Store(directory.with_name(f"{directory.name}-ground"))
    ends = [s.load_or_create_identity(os.urandom) for s in (store, other)]
    store.save_pair(pair_in_lab(*ends, worker.NAMES, os.urandom)[0].with_next(os.urandom(32)))
    store.save_authority(worker.FLEET.public)
    listed = store.load_revocations().extended([bytes(16), bytes(15) + b"\x01"])
    save(store, AcceptedList(listed, worker.FLEET.sign(listed)))
    save(store, AuthorityState(epoch=70_000, holder=os.urandom(16)))
    for _ in range(12):
        store.next_boot_count()
    if sealed:
        wrap(directory, Vault.create(worker.SECRET, os.urandom))
    return directory


def cut_everywhere(directory: Path, most: int | None = None) -> dict[str, tuple[int, int]]:
    """Cut every file at every byte; return for each how often it was refused, and how often read.

    Whatever is read must be what was there. With `most`, long files at about so many places.
    """
    results = {}
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    assert {path.name for path in files} >= set(READERS) - {"vault.json"}
    for path in files:
        whole = path.read_bytes()
        before = directory.with_name(f"{directory.name}-before")
        shutil.copytree(directory, before)
        expected = READERS[path.name](worker.opened(before))
        shutil.rmtree(before)
        refused = read = 0
        step = 1 if most is None else max(1, len(whole) // most)
        for size in (*range(0, len(whole), step), len(whole) - 1):
            path.write_bytes(whole[:size])
            try:
                value = READERS[path.name](worker.opened(directory))
            except StoreError as error:
                is_named = str(path) in str(error)
                assert is_named, error  # noqa: PT017 - reading it may be right as well
                refused += 1
            else:
                assert value == expected, (path.name, size)
                read += 1
        path.write_bytes(whole)
        results[path.name] = refused, read
    return results
