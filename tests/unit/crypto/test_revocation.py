"""Revocation lists: both signatures over every byte, a floor that only rises, silence for revoked.

Mutants these tests killed: only Ed25519 verified; only ML-DSA verified; `<=` for `<` at the floor;
`>=` for `>` at the grant; the authority's identifier left out of what is signed; the floor set
before the signatures are verified; order of entries not checked; `revoked_at` above the serial.
"""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from crypto.aio.files import StoreError
from crypto.aio.store import Store
from crypto.initiator import Initiator
from crypto.pair import Identity, PairNames, Role, pair_in_lab
from crypto.responder import Reply, Responder
from crypto.revocation import (
    MAX_ENTRIES,
    MAX_LIST_BYTES,
    MAX_SERIAL,
    Authority,
    AuthorityPublic,
    Entry,
    Refusal,
    RefusedListError,
    RevocationList,
    accept_untrusted,
    make_authority_seeds,
    parse_untrusted,
    usable_pairs,
)

NOBODY = RevocationList()
IDS = [bytes([n]) * 16 for n in range(1, 6)]


@pytest.fixture
def authority(random_bytes):
    return Authority(make_authority_seeds(random_bytes))


@pytest.fixture
def other(random_bytes):
    return Authority(make_authority_seeds(random_bytes))


def refused(data, authority, current=NOBODY):
    with pytest.raises(RefusedListError) as caught:
        accept_untrusted(data, current, authority.public)
    return caught.value.reason


def test_layout_byte_for_byte(authority):
    signed = authority.sign(NOBODY.extended([IDS[1]]).extended([IDS[0]]))
    body = b"SKRL\x01" + bytes([0, 0, 0, 2, 2])
    body += IDS[0] + bytes([0, 0, 0, 2]) + IDS[1] + bytes([0, 0, 0, 1])
    assert signed[: len(body)] == body
    assert len(signed) == len(body) + 64 + 3309
    assert MAX_LIST_BYTES == 10 + 200 * 20 + 3373


def test_signatures_are_those_of_the_documented_message(random_bytes):
    """Made and verified without our code."""
    ed25519, mldsa65 = Ed25519PrivateKey.generate(), MLDSA65PrivateKey.generate()
    ed25519_public = ed25519.public_key().public_bytes_raw()
    mldsa65_public = mldsa65.public_key().public_bytes_raw()
    public_file = b"SKRA\x01" + ed25519_public + mldsa65_public
    body = b"SKRL\x01\x00\x00\x00\x07\x01" + IDS[0] + b"\x00\x00\x00\x07"
    message = b"SL1 revocation list\x00" + hashlib.sha256(public_file).digest() + body
    signed = body + ed25519.sign(message) + mldsa65.sign(message)
    accepted = accept_untrusted(signed, NOBODY, AuthorityPublic.parse(public_file))
    assert accepted == RevocationList(7, (Entry(IDS[0], 7),))
    assert AuthorityPublic.parse(public_file).encode() == public_file


@pytest.mark.slow
def test_every_byte_changed_is_refused(authority):
    signed = authority.sign(NOBODY.extended(IDS[:2]))
    for at in range(len(signed)):
        changed = bytearray(signed)
        changed[at] ^= 0x01 if at % 2 else 0x80
        assert refused(bytes(changed), authority) in (Refusal.MALFORMED, Refusal.BAD_SIGNATURE)


def test_every_cut_and_every_addition_is_refused(authority):
    signed = authority.sign(NOBODY.extended(IDS[:2]))
    for size in range(len(signed)):
        assert refused(signed[:size], authority) is Refusal.MALFORMED
    for more in (b"\0", signed[-64:], signed):
        assert refused(signed + more, authority) is Refusal.MALFORMED


def test_both_signatures_are_needed(authority, other):
    wanted = NOBODY.extended(IDS[:1])
    body, good, foreign = wanted.encode(), authority.sign(wanted), other.sign(wanted)
    ed25519, mldsa65 = slice(len(body), len(body) + 64), slice(len(body) + 64, None)
    for signatures in (
        foreign[ed25519] + foreign[mldsa65],
        good[ed25519] + foreign[mldsa65],
        foreign[ed25519] + good[mldsa65],
        good[ed25519] + bytes(3309),
        bytes(64) + good[mldsa65],
    ):
        assert refused(body + signatures, authority) is Refusal.BAD_SIGNATURE
    assert accept_untrusted(good, NOBODY, authority.public) == wanted


def test_a_signature_counts_for_one_pair_of_keys_only(random_bytes):
    """Half of an authority taken over into another one signs nothing for it."""
    seeds = make_authority_seeds(random_bytes)
    first, mixed = Authority(seeds), Authority(seeds[:32] + random_bytes(32))
    wanted = NOBODY.extended(IDS[:1])
    body = wanted.encode()
    stolen = first.sign(wanted)[: len(body) + 64] + mixed.sign(wanted)[len(body) + 64 :]
    assert refused(stolen, mixed) is Refusal.BAD_SIGNATURE


def test_the_floor_only_rises(authority):
    lists = [NOBODY]
    for gcs_id in IDS[:3]:
        lists.append(lists[-1].extended([gcs_id]))
    for held in lists:
        for offered in lists[1:]:
            signed = authority.sign(offered)
            if offered.serial > held.serial:
                assert accept_untrusted(signed, held, authority.public) == offered
            else:
                assert refused(signed, authority, held) is Refusal.NOT_NEWER
    # Equal serials with other contents are no way around it.
    equal = NOBODY.extended(IDS[3:], above=2)
    assert refused(authority.sign(equal), authority, lists[3]) is Refusal.NOT_NEWER


def test_a_missed_list_is_made_up_by_the_next(authority):
    newest = NOBODY.extended([IDS[0]]).extended([IDS[1]]).extended([IDS[0]])
    assert newest.entries == (Entry(IDS[0], 3), Entry(IDS[1], 2))
    assert accept_untrusted(authority.sign(newest), NOBODY, authority.public) == newest


@pytest.mark.parametrize(
    "body",
    [
        b"SKRL\x01" + bytes(4) + b"\x00",  # serial 0
        b"SKRL\x01\x00\x00\x00\x05\x02" + IDS[1] + bytes(3) + b"\x01" + IDS[0] + bytes(3) + b"\x01",
        b"SKRL\x01\x00\x00\x00\x05\x02" + (IDS[0] + bytes(3) + b"\x01") * 2,  # twice
        b"SKRL\x01\x00\x00\x00\x05\x01" + IDS[0] + bytes(4),  # revoked at 0
        b"SKRL\x01\x00\x00\x00\x05\x01" + IDS[0] + bytes(3) + b"\x06",  # after the list
        b"SKRL\x02\x00\x00\x00\x05\x00",
        b"SKRX\x01\x00\x00\x00\x05\x00",
        b"SKRL\x01\x00\x00\x01\x00"
        + bytes([201])
        + b"".join(n.to_bytes(16, "big") + b"\0\0\0\1" for n in range(201)),
    ],
)
def test_only_one_form_is_allowed_even_if_signed(authority, body):
    message = b"SL1 revocation list\x00" + authority.public.identifier + body
    signed = body + authority._ed25519.sign(message) + authority._mldsa65.sign(message)
    assert refused(signed, authority) is Refusal.MALFORMED


def test_a_full_list_passes_and_one_more_is_refused_when_made(authority):
    full = NOBODY.extended([n.to_bytes(16, "big") for n in range(MAX_ENTRIES)])
    signed = authority.sign(full)
    assert len(signed) == MAX_LIST_BYTES
    assert accept_untrusted(signed, NOBODY, authority.public) == full
    with pytest.raises(ValueError, match="201 stations, a list holds at most 200"):
        full.extended([b"x" * 16])
    with pytest.raises(ValueError, match="above 4294967295"):
        NOBODY.extended(IDS, above=MAX_SERIAL)


def test_pairing_again_after_a_revocation_works(random_bytes):
    drone, ground = Identity.create(random_bytes), Identity.create(random_bytes)
    names = PairNames("tsubame-1", "station-a", Role.COMMANDER)

    def pair(grant_serial):
        return pair_in_lab(drone, ground, names, random_bytes, grant_serial=grant_serial)[0]

    revoked = NOBODY.extended([IDS[0]]).extended([ground.device_id])  # at serial 2
    assert [revoked.revokes(pair(serial)) for serial in (0, 1, 2, 3)] == [True, True, False, False]
    again = revoked.extended([ground.device_id])
    assert [again.revokes(pair(serial)) for serial in (2, 3)] == [True, False]


def test_a_revoked_station_gets_silence_and_the_other_an_answer(random_bytes, suite):
    """The drone is started with the list: HS1 of the revoked one is a stranger's."""
    drone = Identity.create(random_bytes)
    pairs = {}
    for name in ("lost", "kept"):
        ground = Identity.create(random_bytes)
        names = PairNames("tsubame-1", name, Role.COMMANDER)
        pairs[name] = pair_in_lab(drone, ground, names, random_bytes, suite)
    revocations = NOBODY.extended([pairs["lost"][0].gcs_id])
    usable, revoked = usable_pairs([record for record, _ in pairs.values()], revocations)
    assert [pair.peer for pair in revoked] == ["lost"]
    responder = Responder(usable, 1, random_bytes)
    for name, (_, of_ground) in pairs.items():
        (hs1,) = Initiator(of_ground, 1, random_bytes).outgoing(10**12)
        events = responder.receive(hs1, ("192.168.50.2", 4000), 10**12)
        assert [type(event) for event in events] == ([] if name == "lost" else [Reply])
    assert responder.dropped == {"bad_mac": 1}


def test_the_store_keeps_the_floor(tmp_path, authority, other):
    store = Store(tmp_path)
    lists = [NOBODY.extended([IDS[0]])]
    lists.append(lists[0].extended([IDS[1]]))
    signed = [authority.sign(known) for known in lists]
    with pytest.raises(StoreError, match=r"authority.pub: missing.*sekisho revoke trust"):
        store.accept_revocations(signed[1])
    store.save_authority(authority.public)
    assert (store.load_revocations(), store.load_signed_revocations()) == (NOBODY, None)
    with pytest.raises(RefusedListError, match="bad_signature"):
        store.accept_revocations(other.sign(lists[1]))
    assert store.load_revocations() == NOBODY
    assert store.accept_revocations(signed[1]) == lists[1]
    for replayed in signed:
        with pytest.raises(RefusedListError, match="not_newer"):
            Store(tmp_path).accept_revocations(replayed)
    assert Store(tmp_path).load_revocations() == lists[1]
    assert Store(tmp_path).load_signed_revocations() == signed[1]


def test_a_new_authority_goes_on_from_the_floor_of_the_old_one(tmp_path, authority, other):
    store = Store(tmp_path)
    store.save_authority(authority.public)
    held = NOBODY.extended(IDS[:2], above=6)
    store.accept_revocations(authority.sign(held))
    store.save_authority(other.public)
    assert store.load_revocations() == held  # who was revoked stays so
    assert store.load_signed_revocations() is None  # signed by nobody who counts
    with pytest.raises(RefusedListError, match="not_newer"):
        store.accept_revocations(other.sign(NOBODY.extended(IDS[:2])))
    following = NOBODY.extended(IDS[:3], above=held.serial)
    assert store.accept_revocations(other.sign(following)).serial == 8


def test_damaged_state_is_refused_not_forgotten(tmp_path, authority):
    store = Store(tmp_path)
    store.save_authority(authority.public)
    store.accept_revocations(authority.sign(NOBODY.extended(IDS[:1])))
    path = tmp_path / "revocations.state"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreError, match=r"revocations.state: damaged"):
        store.load_revocations()
    (tmp_path / "authority.pub").write_bytes(b"SKRA\x01")
    with pytest.raises(StoreError, match=r"authority.pub: damaged"):
        store.load_authority()


def test_parsing_alone_verifies_nothing(authority):
    body = NOBODY.extended(IDS[:1]).encode()
    assert parse_untrusted(body + bytes(3373)).revocations.serial == 1
    assert refused(body + bytes(3373), authority) is Refusal.BAD_SIGNATURE
