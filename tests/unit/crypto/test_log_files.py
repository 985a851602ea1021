"""Sealed logs on disk: private, numbered, synced when asked, and no error that stops a flight.

Mutants that died here: a short write taken for a whole one; going on after a fault; a
head that runs ahead of the disk; a deadline from the last append instead of the first; the number
taken from how many files there are; a fault while creating that leaves the descriptor open.
"""

import errno
import resource
from contextlib import contextmanager
from pathlib import Path

import pytest

from crypto.aio.log_files import (
    LogFault,
    LogFile,
    LogOrigin,
    SyncPolicy,
    list_logs,
    log_path,
    next_number,
)
from crypto.aio.log_keys import (
    load_log_private,
    load_log_public,
    load_or_create_log_signer,
    save_log_keys,
)
from crypto.aio.secret_files import SecretFiles
from crypto.aio.store import StoreError
from crypto.log_chain import Damage, Known, LogState
from crypto.log_reader import open_sealed_log
from crypto.primitives import Ed25519, XWingKeyPair
from crypto.sealed_log import CHUNK_OVERHEAD, HEADER_BYTES, LogContent

KEY = XWingKeyPair(bytes(range(32)))
SIGNER = Ed25519(bytes(range(32)))
ORIGIN = LogOrigin(KEY.public, SIGNER, b"device id 16 byt", 5)
NEVER = SyncPolicy(1 << 40, 1 << 60)


@pytest.fixture
def start(tmp_path, random_bytes):
    def start(policy=NEVER, directory=tmp_path):
        return LogFile.create(directory, LogContent.TLOG, ORIGIN, policy, random_bytes)

    return start


@contextmanager
def files_at_most(size):
    """Let no file of this process grow beyond a size: the write is cut, the next fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_holds_what_was_appended(tmp_path, start):
    log = start()
    assert log.path == tmp_path / "0000000001.slog"
    assert log.path.stat().st_mode & 0o777 == 0o600
    assert log.append(b"one", 0) is None
    assert log.append(b"two", 0) is None
    assert log.close() is None
    known = Known(SIGNER.public, log.head)
    chunks, verdict = open_sealed_log(KEY, log.path.read_bytes(), known)
    assert [chunk.data for chunk in chunks] == [b"one", b"two"]
    assert verdict.state is LogState.CLEAN
    assert verdict.head == log.head


def test_numbers_only_grow(tmp_path, start):
    assert next_number(tmp_path) == 1
    for expected in (1, 2, 3):
        assert start().path == log_path(tmp_path, expected)
    log_path(tmp_path, 2).unlink()
    (tmp_path / "notes.slog").touch()
    assert start().path == log_path(tmp_path, 4)
    assert [path.name for path in list_logs(tmp_path)] == [
        f"{number:010d}.slog" for number in (1, 3, 4)
    ]


def test_sync_by_bytes(start):
    log = start(SyncPolicy(100, 1 << 60))
    header_head = log.head
    log.append(bytes(20), 0)
    assert (log.chunks, log.synced, log.head) == (1, 0, header_head)
    log.append(bytes(20), 0)
    assert (log.chunks, log.synced) == (2, 2)
    assert log.head != header_head
    assert log.short_head == log.head[:4]


def test_sync_by_time_since_the_first_unsynced_chunk(start):
    log = start(SyncPolicy(1 << 40, 100))
    assert log.deadline_ns() is None
    log.append(b"a", 1000)
    log.append(b"b", 1090)
    assert log.deadline_ns() == 1100
    log.tick(1099)
    assert log.synced == 0
    log.tick(1100)
    assert log.synced == 2
    assert log.deadline_ns() is None


def test_the_head_never_promises_more_than_a_power_cut_leaves(start):
    log = start()
    log.append(b"synced", 0)
    log.sync()
    log.append(b"not synced", 0)
    after_a_power_cut = log.path.read_bytes()[: HEADER_BYTES + CHUNK_OVERHEAD + 6]
    _, verdict = open_sealed_log(KEY, after_a_power_cut, Known(head=log.short_head))
    assert verdict.state is LogState.CUT_SHORT


@pytest.mark.parametrize("extra", [0, 1, 39, 40, 56, 57, 155])
def test_a_full_disk_ends_the_file_and_keeps_what_is_in_it(start, extra):
    log = start()
    log.append(bytes(100), 0)
    log.sync()
    head = log.head
    with files_at_most(HEADER_BYTES + CHUNK_OVERHEAD + 100 + extra):
        fault = log.append(bytes(100), 0)
        assert fault == LogFault(errno.EFBIG, f"writing {log.path}")
        assert str(fault) == f"writing {log.path}: File too large"
    assert log.append(b"there is room again", 0) is fault
    assert log.deadline_ns() is None
    assert log.close() is fault
    assert (log.chunks, log.synced, log.head) == (1, 1, head)
    chunks, verdict = open_sealed_log(KEY, log.path.read_bytes(), Known(head=head))
    assert [chunk.data for chunk in chunks] == [bytes(100)]
    assert verdict.state is LogState.CUT_SHORT
    assert start().append(b"in the next file", 0) is None


def test_a_fault_while_creating_is_a_result(tmp_path, start):
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    fault = start(directory=in_the_way / "logs")
    assert isinstance(fault, LogFault)
    assert fault.errno == errno.ENOTDIR
    before = len(list(Path("/proc/self/fd").iterdir()))
    with files_at_most(HEADER_BYTES - 1):
        fault = start()
    assert fault == LogFault(errno.EFBIG, f"writing {tmp_path}/0000000001.slog")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_log_moved_away_is_missed_by_its_head(start):
    first, second = start(), start()
    for log in (first, second):
        log.append(b"data", 0)
        log.close()
    _, verdict = open_sealed_log(KEY, second.path.read_bytes(), Known(head=first.head))
    assert verdict.damage is Damage.HEAD_MISSING


def test_keys_come_back(tmp_path):
    private, public = save_log_keys(tmp_path / "keys", KEY)
    assert private.stat().st_mode & 0o777 == 0o600
    assert load_log_private(private).public == KEY.public
    assert load_log_public(public) == KEY.public
    with pytest.raises(StoreError, match=rf"{private}: exists"):
        save_log_keys(tmp_path / "keys", KEY)
    private.unlink()
    with pytest.raises(StoreError, match=rf"{public}: exists"):
        save_log_keys(tmp_path / "keys", KEY)


def test_the_device_keeps_its_signing_key(tmp_path, random_bytes):
    first = load_or_create_log_signer(SecretFiles(tmp_path), random_bytes)
    assert load_or_create_log_signer(SecretFiles(tmp_path), random_bytes).public == first.public
    path = tmp_path / "log-signing.key"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(StoreError, match="readable by others"):
        load_or_create_log_signer(SecretFiles(tmp_path), random_bytes)


@pytest.mark.parametrize("load", [load_log_private, load_log_public, load_or_create_log_signer])
def test_damaged_keys_are_refused(tmp_path, random_bytes, load):
    save_log_keys(tmp_path, KEY)
    load_or_create_log_signer(SecretFiles(tmp_path), random_bytes)
    names = {
        load_log_private: "log-private.key",
        load_log_public: "log-public.key",
        load_or_create_log_signer: "log-signing.key",
    }
    path = tmp_path / names[load]
    secrets = SecretFiles(tmp_path)
    arguments = (secrets, random_bytes) if load is load_or_create_log_signer else (path,)
    whole = path.read_bytes()
    one_bit_off = whole[:-20] + (b"B" if whole[-20:-19] == b"A" else b"A") + whole[-19:]
    for damaged in (
        b"",
        whole[:-9],
        whole.replace(b'"version":1', b'"version":2'),
        whole.replace(b'":"', b'":"AAAA'),
        whole.replace(b'"version":1', b'"version":1,"more":1'),
        *([one_bit_off] if load is not load_or_create_log_signer else []),
    ):
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match=f"{path}: (damaged|not the)"):
            load(*arguments)
    if load is not load_or_create_log_signer:
        path.unlink()
        with pytest.raises(StoreError, match="No such file"):
            load(*arguments)


def test_one_key_file_is_not_taken_for_another(tmp_path):
    private, public = save_log_keys(tmp_path, KEY)
    with pytest.raises(StoreError, match="not the public key"):
        load_log_public(private)
    public.chmod(0o600)
    with pytest.raises(StoreError, match="not the private key"):
        load_log_private(public)
