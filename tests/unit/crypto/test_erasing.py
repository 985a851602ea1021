"""Erasing a state directory: killed before any call, the next who opens it completes it (R39, R42).

Mutants that died here: the intent removed before the last file; the vault's header not first;
unlinked but not overwritten; a link followed; recordings destroyed unasked, or those of another
directory forgotten; the pending erasure not looked for.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crypto.aio import erasing, wrapping
from crypto.aio.files import StoreError
from crypto.aio.log_files import log_path
from crypto.aio.log_keys import install_recipient, load_or_create_log_signer, save_log_keys
from crypto.aio.store import Store
from crypto.pair import Identity, PairNames, Role, pair_in_lab
from crypto.primitives import XWingKeyPair
from crypto.vault import KeyFile, Vault
from sekisho.unlock import open_store

# Erases copies of a directory, each child killed before its n-th call that can change a file, until
# one child lives to its end.
KILLER = """
import os, shutil, signal, sys
from pathlib import Path
from crypto.aio import erasing

CHANGES = {'open', 'write', 'flush', 'fchmod', 'fsync', 'replace', 'unlink', 'mkdir', 'rmdir'}

def child(directory, everything, last):
    calls = 0
    def count(frame, event, function):
        nonlocal calls
        if event == "c_call" and getattr(function, "__name__", "") in CHANGES:
            calls += 1
            if calls == last:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(count)
    erasing.announce(directory, directory / "logs", everything=everything)
    erasing.complete(directory)
    sys.setprofile(None)

source, target, everything = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "everything"
for last in range(1, 2000):
    directory = target / f"{last:04}"
    shutil.copytree(source, directory)
    pid = os.fork()
    if pid == 0:
        child(directory, everything, last)
        os._exit(0)
    if os.waitpid(pid, 0)[1] == 0:
        break
"""


@pytest.fixture
def state(tmp_path, random_bytes):
    """A directory with everything that a drone keeps."""
    store = Store(tmp_path / "state")
    own = store.load_or_create_identity(random_bytes)
    for name in ("one", "two"):
        other = Identity.create(random_bytes)
        pair = pair_in_lab(own, other, PairNames("tsubame-1", name, Role.COMMANDER), random_bytes)
        store.save_pair(pair[0])
    load_or_create_log_signer(store.secrets, random_bytes)
    _, public = save_log_keys(tmp_path / "keys", XWingKeyPair(bytes(range(32))))
    install_recipient(public, store.directory)
    store.save_state("authority", b"x")
    store.next_boot_count()
    (store.directory / "drone.lock").write_bytes(b"/run/x.sock")
    (store.directory / "pairs" / ".three.pair.new").write_bytes(b"half of a key")
    (store.directory / "plans").mkdir(mode=0o700)
    for name in ("tsubame-1.draft.json", ".tsubame-1.draft.json.new"):
        (store.directory / "plans" / name).write_bytes(b"where it is to fly")
    for kind in ("flights", "audit"):
        path = log_path(store.directory / "logs" / kind, 1)
        path.parent.mkdir(parents=True, mode=0o700)
        path.write_bytes(b"sealed")
    return store.directory


def files_in(directory):
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


KEPT = {
    "log-public.key",
    "drone.lock",
    "logs/flights/0000000001.slog",
    "logs/audit/0000000001.slog",
}


@pytest.mark.parametrize("everything", [False, True])
def test_nothing_is_left_of_what_was_to_go(state, everything):
    erasing.announce(state, state / "logs", everything=everything)
    erased = erasing.complete(state)
    assert files_in(state).keys() == (set() if everything else KEPT)
    assert erased.left == []
    assert erasing.is_state_directory(state) != everything
    if everything:
        assert list(state.iterdir()) == []
    assert erasing.complete(state).files == 0, "again, it finds nothing"


def test_what_is_not_known_is_left_and_named(state):
    (state / "notes.txt").write_bytes(b"mine")
    erasing.announce(state, state / "logs", everything=True)
    assert erasing.complete(state).left == [state / "notes.txt"]


def test_recordings_elsewhere_go_too(state, tmp_path):
    elsewhere = log_path(tmp_path / "card/flights", 3)
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_bytes(b"sealed")
    erasing.announce(state, tmp_path / "card", everything=True)
    erasing.complete(state)
    assert not elsewhere.exists()


def test_what_was_in_the_blocks_is_overwritten(state):
    """Someone who held the file open all along reads noise."""
    path = state / "device.key"
    before = path.read_bytes()
    with path.open("rb") as held:
        erasing.announce(state, state / "logs", everything=False)
        erasing.complete(state)
        after = held.read()
    assert len(after) == len(before)
    assert after != before
    assert b"private" not in after


def test_a_link_is_unlinked_and_what_it_names_left_alone(state, tmp_path):
    (tmp_path / "precious").write_bytes(b"precious")
    (state / "planted.key").symlink_to(tmp_path / "precious")
    erasing.announce(state, state / "logs", everything=True)
    erasing.complete(state)
    assert (tmp_path / "precious").read_bytes() == b"precious"


@pytest.mark.slow
@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("wrapped", [False, True])
def test_killed_before_every_call(state, tmp_path, everything, wrapped):
    if wrapped:
        wrapping.wrap(state, Vault.create(KeyFile(bytes(range(32))), os.urandom))
    whole = files_in(state)
    target = tmp_path / "copies"
    target.mkdir()
    argv = [sys.executable, "-c", KILLER, state, target, "everything" if everything else "keys"]
    subprocess.run(argv, check=True, timeout=120, cwd=Path(__file__).parents[3])
    copies = sorted(target.iterdir())
    assert len(copies) > 40
    begun = 0
    for directory in copies:
        found = files_in(directory)
        if not erasing.is_pending(directory):
            untouched = {name: found.get(name) for name in whole} == whole
            ended = found.keys() == (set() if everything else KEPT)
            assert untouched or ended, "half of it without an intent"
            if untouched:
                continue
        elif wrapped and any(name not in found for name in whole):
            assert "vault.json" not in found
        begun += 1
        # What any service does first.
        store = open_store(directory)
        assert store.peers() == []
        assert files_in(directory).keys() == (set() if everything else KEPT)
    assert begun > 20


def test_how_long_it_takes(state):
    started = time.monotonic()
    erasing.announce(state, state / "logs", everything=True)
    erasing.complete(state)
    taken = time.monotonic() - started
    print(f"erased in {taken * 1e3:.0f} ms")
    assert taken < 2


def test_a_directory_that_others_may_enter_is_refused(state):
    erasing.announce(state, state / "logs", everything=True)
    state.chmod(0o755)
    with pytest.raises(StoreError, match="others may enter"):
        erasing.complete(state)
    assert (state / "device.key").exists()
    shutil.rmtree(state)
