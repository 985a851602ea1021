"""What signing keeps in the state directory: sealed, bound to no clock, and said plainly if spoilt.

Mutants killed: the start is not written; the key file is not among the secret files, so that
wrapping leaves it plain; a damaged key is quoted; a disk that takes no writes ends the start.
"""

import os

import pytest

from crypto.aio import wrapping
from crypto.aio.files import StoreError
from crypto.aio.store import Store
from crypto.vault import KeyFile, Vault
from flightcore.aio.signing_files import forget_keys, load_floor, load_keys, load_signing, save_keys
from flightcore.signing import MARGIN, SigningKeys, SigningState, timestamp_of

KEY = b"canary-canary-canary-canary-key!"
WALL_NS = 1_790_000_000 * 10**9


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "state")


def test_nothing_set_up_is_off_and_writes_nothing(store):
    assert load_signing(store, WALL_NS, 0).state is SigningState.OFF
    assert not store.directory.exists()


def test_each_start_begins_later_whatever_the_clock_says(store):
    save_keys(store, SigningKeys(key=KEY))
    starts = []
    for wall_ns in (WALL_NS, WALL_NS, 0, WALL_NS - 10**18, WALL_NS + 10**12):
        starts.append(load_signing(store, wall_ns, 0).timestamp(0))
        assert load_floor(store).timestamp == starts[-1]
    assert starts[0] == timestamp_of(WALL_NS)
    assert starts[1:4] == [starts[0] + n * MARGIN for n in (1, 2, 3)]
    assert starts[4] == timestamp_of(WALL_NS + 10**12)


def test_the_key_is_sealed_with_the_others(store):
    save_keys(store, SigningKeys(key=KEY))
    vault = Vault.create(KeyFile(os.urandom(32)), os.urandom)
    wrapping.wrap(store.directory, vault)
    path = store.secrets.autopilot.path
    assert path.read_bytes().startswith(b"SKV")
    assert load_keys(Store(store.directory, vault)) == SigningKeys(key=KEY)
    with pytest.raises(StoreError):
        load_keys(store)
    wrapping.unwrap(store.directory, vault)
    assert load_keys(store) == SigningKeys(key=KEY)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"key":"Y2FuYXJ5"}', b'{"version":2,"key":null}'])
def test_a_damaged_key_is_named_and_not_quoted(store, data):
    store.secrets.write(store.secrets.autopilot, data)
    with pytest.raises(StoreError, match=r"autopilot\.key: damaged") as caught:
        load_signing(store, WALL_NS, 0)
    assert "Y2FuYXJ5" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b'{"timestamp":-1}', b'{"version":2}', b'{"timestamp":1e99}']
)
def test_a_damaged_time_is_named(store, data):
    save_keys(store, SigningKeys(key=KEY))
    store.save_state("signing", data)
    with pytest.raises(StoreError, match=r"signing\.state: damaged"):
        load_signing(store, WALL_NS, 0)


def test_a_disk_that_takes_no_writes_does_not_end_the_start(store, monkeypatch, caplog):
    save_keys(store, SigningKeys(key=KEY))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    assert load_signing(store, WALL_NS, 0).state is SigningState.ON
    assert "signing time cannot be written" in caplog.text


def test_a_key_that_is_forgotten_is_gone(store):
    forget_keys(store)
    save_keys(store, SigningKeys(offered=KEY))
    assert load_signing(store, WALL_NS, 0).state is SigningState.OFFERED
    forget_keys(store)
    assert load_keys(store) is None
