"""A wrapped state directory: only sealed files, and readable wherever wrapping was killed.

Mutants these tests killed: no header before the first file; the header removed before the last file
was plain, or not saying mixed meanwhile; left-overs of killed writers kept; a plain file accepted
when all are sealed; the header that says sealed written before the last file; `write` not sealing;
files written in place; the vault not looked for again before each use.
"""

import base64
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crypto.aio import wrapping
from crypto.aio.files import StoreError, write_private
from crypto.aio.store import Store
from crypto.pair import Identity, PairNames, Role, pair_in_lab
from crypto.vault import Contents, KeyFile, Vault

SECRET = KeyFile(bytes(range(32)))

# Runs one migration after another on copies of a directory, each child killed before its n-th call
# that can change a file, until one child lives to its end.
KILLER = """
import os, shutil, signal, sys
from pathlib import Path
from crypto.aio import wrapping
from crypto.aio.secret_files import SecretFiles
from crypto.vault import KeyFile, Vault

CHANGES = {'open', 'write', 'flush', 'fchmod', 'fsync', 'replace', 'unlink', 'mkdir'}

def child(directory, action, last):
    secret = KeyFile(bytes(range(32)))
    header = SecretFiles(directory).load_header()
    made = Vault.create(secret, os.urandom) if header is None else Vault.unlock(header, secret)
    calls = 0
    def count(frame, event, function):
        nonlocal calls
        # What can change a file; between two of these calls nothing on disk differs.
        if event == "c_call" and getattr(function, "__name__", "") in CHANGES:
            calls += 1
            if calls == last:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(count)
    getattr(wrapping, action)(directory, made)
    sys.setprofile(None)

source, target, action = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
for last in range(1, 2000):
    directory = target / f"{last:04}"
    shutil.copytree(source, directory)
    pid = os.fork()
    if pid == 0:
        child(directory, action, last)
        os._exit(0)
    if os.waitpid(pid, 0)[1] == 0:
        break
"""


@pytest.fixture
def plain(tmp_path, random_bytes):
    """A directory with an identity and two pairs."""
    store = Store(tmp_path / "state")
    own = store.load_or_create_identity(random_bytes)
    for name in ("tsubame-1", "tsubame-2"):
        names = PairNames(name, "station", Role.COMMANDER)
        other = Identity.create(random_bytes)
        store.save_pair(pair_in_lab(other, own, names, random_bytes)[1])
    store.next_boot_count()
    return store


def everything(store):
    return store.load_or_create_identity(None), store.load_pairs()


def opened(directory):
    header = Store(directory).secrets.load_header()
    return Store(directory, None if header is None else Vault.unlock(header, SECRET))


def wrapped(store):
    wrapping.wrap(store.directory, Vault.create(SECRET, os.urandom))
    return opened(store.directory)


def plain_keys_in(directory, contents):
    identity, pairs = contents
    keys = [identity.chacha_private, identity.aes_private]
    keys += [key for pair in pairs for key in (pair.psk, pair.mac_initiator_key)]
    encoded = [base64.b64encode(key) for key in keys]
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [path for path in files for key in encoded if key in path.read_bytes()]


def test_wrapped_reads_as_before_and_holds_no_plain_key(plain):
    before = everything(plain)
    store = wrapped(plain)
    assert everything(store) == before
    assert store.secrets.load_header().contents is Contents.SEALED
    assert plain_keys_in(plain.directory, before) == []
    assert plain.next_boot_count() == 2  # not a key: needs no passphrase
    for path in plain.directory.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_what_is_written_later_is_sealed(plain, random_bytes):
    store = wrapped(plain)
    record = store.load_pair("tsubame-1").with_next(random_bytes(32))
    store.save_pair(record)
    assert store.load_pair("tsubame-1") == record == opened(plain.directory).load_pair("tsubame-1")
    assert (
        plain_keys_in(plain.directory, (everything(store)[0], [record.promoted(record.next_psk)]))
        == []
    )


def test_unwrapped_is_what_it_was(plain):
    before = {p: p.read_bytes() for p in plain.directory.rglob("*") if p.is_file()}
    store = wrapped(plain)
    assert wrapping.unwrap(plain.directory, store.secrets._vault) == 3
    assert {p: p.read_bytes() for p in plain.directory.rglob("*") if p.is_file()} == before


def test_what_a_killed_writer_left_plain_is_removed(plain):
    before = everything(plain)
    for path in (plain.directory / "device.key", plain.pair_path("tsubame-1")):
        left = path.with_name(".earlier.pair.new")
        left.write_bytes(path.read_bytes())
    assert plain_keys_in(plain.directory, before) != []
    wrapped(plain)
    assert plain_keys_in(plain.directory, before) == []


def test_a_store_opened_before_does_not_touch_what_was_wrapped_since(plain):
    record = plain.load_pair("tsubame-1")
    store = wrapped(plain)
    for act in (lambda: plain.save_pair(record), lambda: plain.load_pairs()):
        with pytest.raises(StoreError, match="wrapped, and this was started without"):
            act()
    wrapping.unwrap(plain.directory, store.secrets._vault)
    with pytest.raises(StoreError, match=r"vault.json: gone since"):
        store.save_pair(record)


def test_a_plain_file_planted_among_sealed_ones_is_refused(plain):
    path = plain.pair_path("tsubame-1")
    data = path.read_bytes()
    store = wrapped(plain)
    write_private(path, data)
    with pytest.raises(StoreError, match=rf"{path}: not sealed.*pair again"):
        store.load_pairs()


def test_swapped_damaged_and_orphaned_files_are_named(plain):
    store = wrapped(plain)
    one, two = plain.pair_path("tsubame-1"), plain.pair_path("tsubame-2")
    good = two.read_bytes()
    write_private(two, one.read_bytes())
    with pytest.raises(StoreError, match=rf"{two}: damaged, or another file"):
        store.load_pairs()
    write_private(two, good)
    header = store.secrets.vault_path
    header.write_bytes(header.read_bytes()[:-5])
    with pytest.raises(StoreError, match=rf"{header}: damaged.*restore it from a backup"):
        Store(plain.directory).secrets.load_header()
    header.unlink()
    with pytest.raises(StoreError, match=rf"{one}: sealed, and {header} is missing"):
        Store(plain.directory).load_pairs()


@pytest.mark.slow
@pytest.mark.parametrize("action", ["wrap", "unwrap"])
def test_killed_before_any_call_into_the_system_every_file_reads(plain, tmp_path, action):
    plain.remove_pair("tsubame-2")  # one file of each kind is enough, and half the time
    before = everything(plain)
    start = plain if action == "wrap" else wrapped(plain)
    target = tmp_path / "killed"
    target.mkdir(0o700)
    argv = [sys.executable, "-c", KILLER, start.directory, target, action]
    root = Path(__file__).parents[3]
    subprocess.run(argv, check=True, timeout=120, cwd=root)
    cases = sorted(target.iterdir())
    print(action, len(cases), "crash points")
    assert len(cases) > 40
    states = set()
    for case in cases:
        store = opened(case)
        header = store.secrets.load_header()
        states.add(None if header is None else header.contents)
        assert everything(store) == before, case
        # The next run, either way, ends as if nothing had happened.
        again = case.with_name(f"{case.name}-back")
        shutil.copytree(case, again)
        if header is None or header.contents is Contents.MIXED:
            vault = store.secrets._vault or Vault.create(SECRET, os.urandom)
            assert wrapping.wrap(case, vault) == 2
        assert everything(opened(case)) == before
        assert plain_keys_in(case, before) == [], case
        if header is not None:
            assert wrapping.unwrap(again, store.secrets._vault) == 2
        assert everything(opened(again)) == before
    assert states == {None, Contents.MIXED, Contents.SEALED}
