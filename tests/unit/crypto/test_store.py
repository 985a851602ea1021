"""Keys on disk: private, whole or absent, and an error that says which file and what to do."""

import os

import pytest

from crypto.aio.store import (
    StoreError,
    load_or_create_identity,
    load_pair,
    load_pairs,
    next_boot_count,
    pair_path,
    save_pair,
    write_private,
)


def test_records_come_back_as_they_were(tmp_path, pair):
    for record in pair:
        save_pair(tmp_path, record)
        assert load_pair(tmp_path, record.peer) == record
    assert {r.peer for r in load_pairs(tmp_path)} == {r.peer for r in pair}


def test_files_are_private_from_the_first_byte(tmp_path, pair, random_bytes):
    os.umask(0o022)
    save_pair(tmp_path, pair[0])
    load_or_create_identity(tmp_path, random_bytes)
    for path in (pair_path(tmp_path, pair[0].peer), tmp_path / "device.key"):
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_readable_by_others_is_refused(tmp_path, pair, mode):
    save_pair(tmp_path, pair[0])
    path = pair_path(tmp_path, pair[0].peer)
    path.chmod(mode)
    with pytest.raises(StoreError, match=rf"{path}.*{mode:04o}.*chmod 600"):
        load_pair(tmp_path, pair[0].peer)


def test_every_truncation_is_noticed(tmp_path, pair):
    save_pair(tmp_path, pair[0])
    path = pair_path(tmp_path, pair[0].peer)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(StoreError, match="damaged"):
            load_pair(tmp_path, pair[0].peer)


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
def test_values_that_make_no_sense_are_refused(tmp_path, pair, old, new):
    save_pair(tmp_path, pair[0])
    path = pair_path(tmp_path, pair[0].peer)
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))
    with pytest.raises(StoreError, match="damaged"):
        load_pair(tmp_path, pair[0].peer)


def test_missing_record_names_who_is_paired(tmp_path, pair):
    save_pair(tmp_path, pair[0])
    with pytest.raises(StoreError, match=r"not paired with 'nobody'.*station-a.*sekisho pair"):
        load_pair(tmp_path, "nobody")


@pytest.mark.parametrize("name", ["", "../etc", "a/b", ".hidden", "x" * 64, "a b", "naïve"])
def test_names_cannot_leave_the_directory(tmp_path, name):
    with pytest.raises(StoreError, match="not allowed"):
        pair_path(tmp_path, name)


def test_a_link_in_place_of_the_new_file_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".secret.new").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        write_private(tmp_path / "secret", b"key")
    assert victim.read_text() == "precious"


def test_boot_count_grows(tmp_path):
    assert [next_boot_count(tmp_path) for _ in range(3)] == [1, 2, 3]
    (tmp_path / "boot_count").write_text("x")
    with pytest.raises(StoreError, match=r"boot_count: damaged"):
        next_boot_count(tmp_path)


def test_identity_is_made_once(tmp_path, random_bytes):
    assert load_or_create_identity(tmp_path, random_bytes) == load_or_create_identity(
        tmp_path, random_bytes
    )
