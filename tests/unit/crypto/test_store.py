"""Keys on disk: private, whole or absent, and an error that says which file and what to do."""

import os
import resource
from pathlib import Path

import msgspec
import pytest

from crypto.aio.files import StoreError, read_handed_over, write_private
from crypto.aio.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_records_come_back_as_they_were(store, pair):
    for record in pair:
        store.save_pair(record)
        assert store.load_pair(record.peer) == record
    assert {r.peer for r in store.load_pairs()} == {r.peer for r in pair}


def test_files_are_private_from_the_first_byte(store, tmp_path, pair, random_bytes):
    os.umask(0o022)
    store.save_pair(pair[0])
    store.load_or_create_identity(random_bytes)
    for path in (store.pair_path(pair[0].peer), tmp_path / "device.key"):
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_readable_by_others_is_refused(store, pair, mode):
    store.save_pair(pair[0])
    path = store.pair_path(pair[0].peer)
    path.chmod(mode)
    with pytest.raises(StoreError, match=rf"{path}.*{mode:04o}.*chmod 600"):
        store.load_pair(pair[0].peer)


def test_every_truncation_is_noticed(store, pair):
    store.save_pair(pair[0])
    path = store.pair_path(pair[0].peer)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(StoreError, match="damaged"):
            store.load_pair(pair[0].peer)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"version":2', b'"version":1'),
        (b'"suite":', b'"suite":7'),
        (b'"role":"commander"', b'"role":"emperor"'),
        (b'"version":2', b'"version":2,"more":1'),
        (b'"psk_generation":0', b'"psk_generation":300'),
        (b'"next_psk":null', b'"next_psk":"AAAA"'),
    ],
)
def test_values_that_make_no_sense_are_refused(store, pair, old, new):
    store.save_pair(pair[0])
    path = store.pair_path(pair[0].peer)
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))
    with pytest.raises(StoreError, match="damaged"):
        store.load_pair(pair[0].peer)


def test_missing_record_names_who_is_paired(store, pair):
    store.save_pair(pair[0])
    with pytest.raises(StoreError, match=r"not paired with 'nobody'.*station-a.*sekisho pair"):
        store.load_pair("nobody")


@pytest.mark.parametrize("name", ["", "../etc", "a/b", ".hidden", "x" * 64, "a b", "naïve"])
def test_names_cannot_leave_the_directory(store, name):
    with pytest.raises(StoreError, match="not allowed"):
        store.pair_path(name)


def test_what_lies_in_place_of_the_new_file_is_not_written_to(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for plant in (Path.symlink_to, Path.hardlink_to):
        plant(tmp_path / ".secret.new", victim)
        write_private(tmp_path / "secret", b"key")
        assert (tmp_path / "secret").read_bytes() == b"key"
        assert victim.read_text() == "precious"


def test_links_are_not_read(store, pair, tmp_path):
    store.save_pair(pair[0])
    path = store.pair_path(pair[0].peer)
    real = tmp_path / "real"
    path.rename(real)
    path.symlink_to(real)
    with pytest.raises(StoreError, match=rf"{path}: .*symbolic links"):
        store.load_pairs()
    path.unlink()
    path.hardlink_to(real)
    with pytest.raises(StoreError, match=rf"{path}: has 2 names"):
        store.load_pairs()
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match=rf"{path}: .*symbolic links"):
        store.load_pair(pair[0].peer)


def test_a_linked_identity_is_refused_not_replaced(store, tmp_path, random_bytes):
    (tmp_path / "device.key").symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match=r"device.key: .*symbolic links"):
        store.load_or_create_identity(random_bytes)


def test_a_fifo_is_refused_and_not_waited_for(store, tmp_path):
    os.mkfifo(tmp_path / "boot_count", 0o600)
    with pytest.raises(StoreError, match="not a regular file"):
        store.next_boot_count()


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o755, 0o770])
@pytest.mark.parametrize("which", [".", "pairs"])
def test_directories_open_to_others_are_refused(store, tmp_path, pair, random_bytes, mode, which):
    store.load_or_create_identity(random_bytes)
    store.save_pair(pair[0])
    directory = (tmp_path / which).resolve()
    directory.chmod(mode)
    with pytest.raises(StoreError, match=rf"{directory}: .*{mode:04o}.*chmod 700"):
        store.load_pairs() if which == "pairs" else store.load_or_create_identity(random_bytes)
    with pytest.raises(StoreError, match="chmod 700"):
        store.save_pair(pair[0]) if which == "pairs" else store.next_boot_count()


def test_directories_are_made_private(tmp_path, pair):
    os.umask(0o022)
    Store(tmp_path / "a" / "b").save_pair(pair[0])
    for made in ("a", "a/b", "a/b/pairs"):
        assert (tmp_path / made).stat().st_mode & 0o777 == 0o700


def test_a_linked_pair_directory_is_refused(store, tmp_path, pair):
    (tmp_path / "elsewhere").mkdir(0o700)
    (tmp_path / "pairs").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="pairs: "):
        store.save_pair(pair[0])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_files_and_directories_of_others_are_refused(store, tmp_path, pair):
    store.save_pair(pair[0])
    for path in (store.pair_path(pair[0].peer), tmp_path / "pairs"):
        os.chown(path, 65534, 0)
        with pytest.raises(StoreError, match=rf"{path}: belongs to user 65534"):
            store.load_pairs()
        os.chown(path, 0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="a service manager is root")
def test_what_systemd_hands_over_is_taken(tmp_path):
    tmp_path.chmod(0o755)
    credential = tmp_path / "passphrase"
    credential.write_bytes(b"secret")
    credential.chmod(0o440)  # what stat shows of 0400 with an access control list for the service
    assert read_handed_over(credential) == b"secret"
    os.chown(credential, 0, 1000)
    with pytest.raises(StoreError, match="0440"):
        read_handed_over(credential)


def test_huge_files_are_not_read(store, tmp_path):
    store.next_boot_count()
    os.truncate(tmp_path / "boot_count", 1 << 40)
    with pytest.raises(StoreError, match="larger than"):
        store.next_boot_count()


def test_a_service_does_not_write_over_a_pairing_made_meanwhile(store, pair):
    old = pair[0]
    anew = msgspec.structs.replace(old, mac_responder_key=bytes(32), psk=bytes(32))
    store.save_pair(old)
    store.update_pair(old.with_next(bytes(32)))
    assert store.load_pair(old.peer).next_psk == bytes(32)
    store.save_pair(anew)
    with pytest.raises(StoreError, match="paired anew"):
        store.update_pair(old)
    assert store.load_pair(old.peer) == anew
    store.remove_pair(old.peer)
    with pytest.raises(StoreError, match="not paired"):
        store.update_pair(old)
    assert store.peers() == []


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    write_private(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # as a disk that is full
    try:
        with pytest.raises(OSError, match="file") as caught:
            write_private(path, bytes(1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.filename == str(path)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_a_removed_pair_is_gone(store, pair):
    store.save_pair(pair[0])
    store.remove_pair(pair[0].peer)
    assert store.load_pairs() == []
    with pytest.raises(StoreError, match="not paired"):
        store.remove_pair(pair[0].peer)


@pytest.mark.parametrize("data", [b"", b"x", bytes(5000)])
def test_state_comes_back_and_its_damage_is_noticed(store, tmp_path, data):
    assert store.load_state("authority") is None
    store.save_state("authority", b"old")
    store.save_state("authority", data)
    assert store.load_state("authority") == data
    path = tmp_path / "authority.state"
    assert path.stat().st_mode & 0o777 == 0o600
    whole = path.read_bytes()
    for at in {*range(min(len(whole), 40)), len(whole) - 1}:
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            path.write_bytes(damaged)
            with pytest.raises(StoreError, match=r"authority.state: damaged"):
                store.load_state("authority")


def test_boot_count_grows(store, tmp_path):
    assert [store.next_boot_count() for _ in range(3)] == [1, 2, 3]
    (tmp_path / "boot_count").write_text("x")
    with pytest.raises(StoreError, match=r"boot_count: damaged"):
        store.next_boot_count()


def test_identity_is_made_once(store, random_bytes):
    assert store.load_or_create_identity(random_bytes) == store.load_or_create_identity(
        random_bytes
    )
