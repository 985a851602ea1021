"""What a drone holds after any deliveries, against a set of all that was ever offered to it.

Mutants these tests killed: floor `>=` instead of `>`; entries of the old list kept; the newest
entry of a station lost when it is revoked again; order of ids not checked.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.pair import Identity, PairNames, Role, pair_in_lab
from crypto.revocation import (
    MAX_SERIAL,
    Authority,
    RefusedListError,
    RevocationList,
    accept_untrusted,
    make_authority_seeds,
    parse_untrusted,
)

SOURCE = random.Random(20261121).randbytes
AUTHORITY = Authority(make_authority_seeds(SOURCE))
STRANGER = Authority(make_authority_seeds(SOURCE))
IDS = [*sorted(SOURCE(16) for _ in range(4)), bytes(16), b"\xff" * 16]
DRONE = Identity.create(SOURCE)

stations = st.lists(st.sampled_from(IDS), min_size=1, max_size=4, unique=True)


@given(
    steps=st.lists(stations, min_size=1, max_size=5),
    skips=st.lists(st.sampled_from([0, 0, 0, 1, 7]), min_size=5, max_size=5),
    deliveries=st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["good", "good", "good", "stranger", "bit"])),
        max_size=12,
    ),
    grant=st.integers(0, 12),
)
@settings(max_examples=60)
def test_a_drone_holds_the_newest_authentic_list_it_was_offered(steps, skips, deliveries, grant):
    lists, revoked_at = [], []  # the model: per list, the last serial that named each station
    current, known = RevocationList(), {}
    for named, skip in zip(steps, skips, strict=False):
        current = current.extended(named, above=current.serial + skip)
        known = known | dict.fromkeys(named, current.serial)
        lists.append(current)
        revoked_at.append(known)
    held = RevocationList()
    authentic = [-1]
    for index, kind in deliveries:
        index %= len(lists)
        signed = (STRANGER if kind == "stranger" else AUTHORITY).sign(lists[index])
        if kind == "bit":
            signed = signed[:9] + bytes([signed[9] ^ 1]) + signed[10:]
        is_newer = kind == "good" and index > max(authentic)
        if is_newer:
            held = accept_untrusted(signed, held, AUTHORITY.public)
        else:
            with pytest.raises(RefusedListError):
                accept_untrusted(signed, held, AUTHORITY.public)
        authentic += [index] * (kind == "good")
    best = max(authentic)
    assert held.serial == (0 if best < 0 else lists[best].serial)
    names = PairNames("drone", "ground", Role.COMMANDER)
    for gcs_id in IDS:
        ground = Identity(2, gcs_id, SOURCE(32), SOURCE(32))
        record, _ = pair_in_lab(DRONE, ground, names, SOURCE, grant_serial=grant)
        expected = {} if best < 0 else revoked_at[best]
        assert held.revokes(record) == (expected.get(gcs_id, 0) > grant)


serials = st.integers(0, 5) | st.integers(MAX_SERIAL - 2, MAX_SERIAL)
entries = st.lists(st.tuples(st.sampled_from(IDS), serials), max_size=6)


@given(
    serial=serials,
    named=entries,
    count=st.none() | st.integers(0, 255),
    tail=st.sampled_from([0, 1, 3372, 3373, 3374]),
)
def test_a_list_parses_only_if_it_is_its_own_encoding(serial, named, count, tail):
    body = b"SKRL\x01" + serial.to_bytes(4, "big") + bytes([len(named) if count is None else count])
    body += b"".join(gcs_id + at.to_bytes(4, "big") for gcs_id, at in named)
    data = body + bytes(tail)
    ids = [gcs_id for gcs_id, _ in named]
    is_list = (
        tail == 3373
        and count in (None, len(named))
        and serial > 0
        and ids == sorted(set(ids))
        and all(1 <= at <= serial for _, at in named)
    )
    try:
        parsed = parse_untrusted(data)
    except RefusedListError:
        assert not is_list
    else:
        assert parsed.revocations.encode() + parsed.signatures == data
        assert is_list


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: b"SKRL\x01" + data))
def test_nothing_but_a_refusal_comes_out_of_any_bytes(data):
    for pad in (0, 3373):
        with pytest.raises(RefusedListError):
            accept_untrusted(data + bytes(pad), RevocationList(), AUTHORITY.public)
