"""Handshake, adoption and refusal at the two ends of SL1, without anything above them."""

import random

import pytest

from crypto.generation import COUNTER_LIMIT, CounterExhaustedError, Opened
from crypto.initiator import Initiator
from crypto.messages import (
    DATA_BIT,
    HS1_BYTES,
    HS2_BYTES,
    add_mac,
    hs1_header,
)
from crypto.pair import Identity, PairNames, Role, pair_in_lab
from crypto.primitives import MAC_BYTES
from crypto.responder import Established, Reply, Responder

MS = 1_000_000
A = ("192.168.50.2", 40000)
B = ("192.168.50.66", 666)


class Ends:
    """Both ends of one pair, and a clock."""

    def __init__(self, pair, random_bytes):
        self.now = 10**12
        self.pair = pair
        self.drone = Responder([pair[0]], 1, random_bytes)
        self.ground = Initiator(pair[1], 1, random_bytes)
        self.peer = pair[0].peer

    def hs1(self):
        while not (out := self.ground.outgoing(self.now)):
            self.now += 50 * MS
        return out[0]

    def hs2(self, hs1):
        (reply,) = self.drone.receive(hs1, A, self.now)
        assert isinstance(reply, Reply)
        assert reply.path == A
        return reply.datagram

    def connect(self):
        hs1 = self.hs1()
        self.ground.receive(self.hs2(hs1), self.now)
        events = self.drone.receive(self.ground.seal(b"", self.now), A, self.now)
        assert isinstance(events[0], Established)
        down, _ = self.drone.seal(self.peer, b"", self.now)
        self.ground.receive(down, self.now)
        assert self.ground.is_established
        return hs1


@pytest.fixture
def ends(pair, random_bytes):
    return Ends(pair, random_bytes)


def opened(events):
    return [e.payload for e in events if isinstance(e, Opened)]


def test_sizes_on_the_air(ends):
    hs1 = ends.hs1()
    assert len(hs1) == HS1_BYTES == 76
    assert len(ends.hs2(hs1)) == HS2_BYTES == 84


def test_records_pass_both_ways_under_different_keys(ends):
    ends.connect()
    up = ends.ground.seal(b"up", ends.now)
    down, path = ends.drone.seal(ends.peer, b"down", ends.now)
    assert path == A
    assert opened(ends.drone.receive(up, A, ends.now)) == [b"up"]
    assert opened(ends.ground.receive(down, ends.now)) == [b"down"]
    assert len(up) == 25 + 2
    assert len(down) == 21 + 4


def test_reflected_frames_are_refused(ends):
    ends.connect()
    up = ends.ground.seal(b"up", ends.now)
    down, _ = ends.drone.seal(ends.peer, b"down", ends.now)
    assert ends.drone.receive(down, A, ends.now) == []
    assert ends.ground.receive(up, ends.now) == []
    hs1 = ends.hs1() if ends.ground.outgoing(ends.now) else None
    assert hs1 is None


def test_own_handshake_sent_back_is_refused(ends):
    hs1 = ends.hs1()
    hs2 = ends.hs2(hs1)
    assert ends.ground.receive(hs1, ends.now) == []
    assert ends.drone.receive(hs2, A, ends.now) == []
    assert ends.ground.dropped["malformed"] == ends.drone.dropped["malformed"] == 1


def test_every_flipped_bit_of_every_message_is_refused(ends):
    hs1 = ends.hs1()
    for bit in range(len(hs1) * 8):
        assert ends.drone.receive(flip(hs1, bit), A, ends.now) == []
    hs2 = ends.hs2(hs1)
    for bit in range(len(hs2) * 8):
        ends.ground.receive(flip(hs2, bit), ends.now)
        assert ends.ground.session is None
    ends.ground.receive(hs2, ends.now)
    confirm = ends.ground.seal(b"first", ends.now)
    for bit in range(len(confirm) * 8):
        assert ends.drone.receive(flip(confirm, bit), A, ends.now) == []
    assert opened(ends.drone.receive(confirm, A, ends.now)) == [b"first"]
    down, _ = ends.drone.seal(ends.peer, b"down", ends.now)
    for bit in range(len(down) * 8):
        assert ends.ground.receive(flip(down, bit), ends.now) == []
    assert opened(ends.ground.receive(down, ends.now)) == [b"down"]


def flip(data, bit):
    out = bytearray(data)
    out[bit // 8] ^= 1 << bit % 8
    return bytes(out)


def test_truncated_and_extended_messages_are_refused(ends):
    ends.connect()
    up = ends.ground.seal(b"up", ends.now)
    for size in range(len(up)):
        assert ends.drone.receive(up[:size], A, ends.now) == []
    assert ends.drone.receive(up + b"\0", A, ends.now) == []


def test_replays_are_refused_and_counted(ends):
    ends.connect()
    up = ends.ground.seal(b"up", ends.now)
    down, _ = ends.drone.seal(ends.peer, b"down", ends.now)
    ends.drone.receive(up, A, ends.now)
    ends.ground.receive(down, ends.now)
    for _ in range(3):
        assert ends.drone.receive(up, A, ends.now) == []
        assert ends.ground.receive(down, ends.now) == []
    assert ends.drone.dropped["replayed"] == ends.ground.dropped["replayed"] == 3


def test_replayed_handshake_disturbs_nothing_and_is_answered_once(ends):
    hs1 = ends.connect()
    for _ in range(1000):
        assert ends.drone.receive(hs1, B, ends.now) == []
    assert ends.drone.dropped["replayed_handshake"] == 1000
    assert opened(ends.drone.receive(ends.ground.seal(b"x", ends.now), A, ends.now)) == [b"x"]


def test_recorded_handshake_after_a_restart_never_becomes_a_session(ends, random_bytes):
    hs1 = ends.hs1()
    ends.ground.receive(ends.hs2(hs1), ends.now)
    recorded = [ends.ground.seal(b"arm", ends.now) for _ in range(3)]
    drone = Responder([ends.pair[0]], 2, random_bytes)
    (reply,) = drone.receive(hs1, B, ends.now)  # the one answer a restart costs
    assert isinstance(reply, Reply)
    for datagram in recorded:
        assert drone.receive(datagram, B, ends.now) == []
    assert drone.seal(ends.peer, b"", ends.now) is None
    assert drone.holder is None


def test_drone_sends_nothing_before_confirmation(ends):
    ends.hs2(ends.hs1())
    assert ends.drone.seal(ends.peer, b"telemetry", ends.now) is None


def test_provisional_session_expires(ends):
    ends.ground.receive(ends.hs2(ends.hs1()), ends.now)
    late = ends.ground.seal(b"late", ends.now)
    ends.now += 5_000 * MS
    ends.drone.tick(ends.now)
    assert ends.drone.receive(late, A, ends.now) == []
    assert ends.drone.dropped["unknown_session"] == 1


def test_at_most_four_provisional_sessions_and_the_oldest_goes(ends, pair, random_bytes):
    grounds = [Initiator(pair[1], n, random_bytes) for n in range(5)]
    for ground in grounds:
        (reply,) = ends.drone.receive(ground.outgoing(ends.now)[0], A, ends.now)
        ground.receive(reply.datagram, ends.now)
    assert opened(ends.drone.receive(grounds[0].seal(b"0", ends.now), A, ends.now)) == []
    assert opened(ends.drone.receive(grounds[1].seal(b"1", ends.now), A, ends.now)) == [b"1"]


def test_adoption_forgets_what_was_begun_before(ends, pair, random_bytes):
    first, second = (Initiator(pair[1], n, random_bytes) for n in range(2))
    for ground in (first, second):
        (reply,) = ends.drone.receive(ground.outgoing(ends.now)[0], A, ends.now)
        ground.receive(reply.datagram, ends.now)
    assert opened(ends.drone.receive(second.seal(b"2", ends.now), A, ends.now)) == [b"2"]
    assert ends.drone.receive(first.seal(b"1", ends.now), A, ends.now) == []


def test_previous_generation_is_heard_for_three_seconds_only(ends):
    ends.connect()
    old = [ends.ground.seal(b"old", ends.now) for _ in range(2)]
    ends.now += 121_000 * MS
    ends.connect()
    assert opened(ends.drone.receive(old[0], A, ends.now)) == [b"old"]
    ends.now += 3_000 * MS
    ends.drone.tick(ends.now)
    assert ends.drone.receive(old[1], A, ends.now) == []


def test_handshakes_are_limited_to_a_burst_of_ten_and_five_a_second(ends, pair, random_bytes):
    def attempts(count):
        fresh = (Initiator(pair[1], n, random_bytes).outgoing(ends.now)[0] for n in range(count))
        return sum(bool(ends.drone.receive(hs1, A, ends.now)) for hs1 in fresh)

    assert attempts(15) == 10
    assert ends.drone.dropped["rate_limited"] == 5
    ends.now += 1_000 * MS
    assert attempts(15) == 5


def test_roams_only_on_a_frame_newer_than_all_before(ends):
    ends.connect()
    older, newer = ends.ground.seal(b"1", ends.now), ends.ground.seal(b"2", ends.now)
    ends.drone.receive(newer, A, ends.now)
    ends.drone.receive(older, B, ends.now)  # genuine, but held back by whoever sits at B
    assert ends.drone.seal(ends.peer, b"", ends.now)[1] == A
    ends.drone.receive(ends.ground.seal(b"3", ends.now), B, ends.now)
    assert ends.drone.seal(ends.peer, b"", ends.now)[1] == B


def test_counter_stops_hard(ends):
    ends.connect()
    ends.ground.session.next_counter = COUNTER_LIMIT - 1
    last = ends.ground.seal(b"last", ends.now)
    assert opened(ends.drone.receive(last, A, ends.now)) == [b"last"]
    with pytest.raises(CounterExhaustedError):
        ends.ground.seal(b"one too many", ends.now)


def test_rekeys_well_before_the_counter_stops(ends):
    ends.connect()
    assert ends.ground.outgoing(ends.now) == []
    ends.ground.session.next_counter = 1 << 22
    assert len(ends.ground.outgoing(ends.now)) == 1


def test_forgeries_lead_to_new_keys_and_never_to_silence(ends):
    ends.connect()
    down, _ = ends.drone.seal(ends.peer, b"down", ends.now)
    ends.ground.receive(flip(down, 190), ends.now)
    assert ends.ground.session.tag_failures == 1
    assert ends.ground.outgoing(ends.now) == []
    ends.ground.session.tag_failures = 1 << 20
    assert len(ends.ground.outgoing(ends.now)) == 1
    assert opened(ends.ground.receive(down, ends.now)) == [b"down"]


def test_age_is_bounded_by_what_the_ground_had_heard(ends):
    ends.connect()
    ends.now += 300 * MS
    (event,) = ends.drone.receive(ends.ground.seal(b"x", ends.now), A, ends.now)
    assert event.age_bound_ns == 300 * MS
    down, _ = ends.drone.seal(ends.peer, b"", ends.now)
    ends.ground.receive(down, ends.now)
    held = ends.ground.seal(b"y", ends.now)
    ends.now += 700 * MS
    (event,) = ends.drone.receive(held, A, ends.now)
    assert event.age_bound_ns == 700 * MS


def test_old_downlink_frame_does_not_lower_the_acknowledgement(ends):
    ends.connect()
    early, _ = ends.drone.seal(ends.peer, b"1", ends.now)
    ends.now += 500 * MS
    late, _ = ends.drone.seal(ends.peer, b"2", ends.now)
    ends.ground.receive(late, ends.now)
    ends.ground.receive(early, ends.now)
    (event,) = ends.drone.receive(ends.ground.seal(b"x", ends.now), A, ends.now)
    assert event.age_bound_ns == 0


def test_age_is_unbounded_once_what_was_heard_is_forgotten(ends):
    ends.connect()
    ends.now += 61_000 * MS
    ends.drone.seal(ends.peer, b"", ends.now)  # prunes what left more than a minute ago
    (event,) = ends.drone.receive(ends.ground.seal(b"x", ends.now), A, ends.now)
    assert event.age_bound_ns is None


def test_acknowledgement_of_a_frame_never_sent_bounds_nothing(ends):
    ends.connect()
    ends.ground.session.ack = 12345
    (event,) = ends.drone.receive(ends.ground.seal(b"x", ends.now), A, ends.now)
    assert event.age_bound_ns is None


def test_first_frame_is_as_old_as_the_handshake_it_answers(ends):
    ends.ground.receive(ends.hs2(ends.hs1()), ends.now)
    held = ends.ground.seal(b"arm", ends.now)
    ends.now += 4_000 * MS
    events = ends.drone.receive(held, A, ends.now)
    assert events[1].age_bound_ns == 4_000 * MS


def test_wrong_pair_record_is_met_with_silence(ends, random_bytes):
    other = random.Random(7).randbytes
    stranger = pair_in_lab(
        Identity.create(other),
        Identity.create(other),
        PairNames("tsubame-1", "station-a", Role.COMMANDER),
        other,
    )[1]
    hs1 = Initiator(stranger, 1, random_bytes).outgoing(ends.now)[0]
    assert ends.drone.receive(hs1, B, ends.now) == []
    assert ends.drone.dropped["bad_mac"] == 1


@pytest.mark.parametrize(
    ("field", "reason"), [("psk", "bad_handshake"), ("static_private", "bad_handshake")]
)
def test_each_secret_is_needed(ends, pair, random_bytes, field, reason):
    """With the mac key alone, or without the PSK or the static key, nobody gets in."""
    values = {name: getattr(pair[1], name) for name in pair[1].__struct_fields__}
    values[field] = bytes(range(32))
    thief = Initiator(type(pair[1])(**values), 1, random_bytes)
    assert ends.drone.receive(thief.outgoing(ends.now)[0], B, ends.now) == []
    assert ends.drone.dropped[reason] == 1


def test_other_suite_or_psk_generation_is_refused(ends, suite):
    key = ends.pair[1].mac_initiator_key
    body = bytes(HS1_BYTES - MAC_BYTES - 4)
    other_suite = add_mac(suite, key, bytes((1, 3 - suite.number, 0, 0)) + body)
    other_psk = add_mac(suite, key, hs1_header(suite, 9, 0) + body)
    wild_index = add_mac(suite, key, hs1_header(suite, 0, 64) + body)
    for datagram in (other_suite, other_psk, wild_index):
        assert ends.drone.receive(datagram, B, ends.now) == []
    assert +ends.drone.dropped == {"wrong_suite": 1, "unknown_psk": 1, "bad_handshake": 1}


def test_hs2_of_an_earlier_attempt_is_still_good_and_only_once(ends):
    first = ends.hs1()
    hs2 = ends.hs2(first)
    ends.now += 500 * MS
    assert ends.ground.outgoing(ends.now)  # a second attempt is under way
    ends.ground.receive(hs2, ends.now)
    assert ends.ground.session is not None
    ends.ground.receive(hs2, ends.now)
    assert ends.ground.dropped["replayed_handshake"] == 1


def test_index_moved_in_the_clear_header_is_noticed(ends):
    """Not even a holder of the mac key can point the ground at another session."""
    genuine = ends.hs2(ends.hs1())
    hs2 = bytearray(genuine[:-MAC_BYTES])
    hs2[3] ^= 1
    ends.ground.receive(
        add_mac(ends.pair[1].profile, ends.pair[1].mac_responder_key, bytes(hs2)), ends.now
    )
    assert ends.ground.session is None
    assert ends.ground.dropped["bad_handshake"] == 1
    ends.ground.receive(genuine, ends.now)  # which the forgery has used up
    assert ends.ground.dropped["replayed_handshake"] == 1
    ends.connect()


def test_low_order_ephemeral_is_dropped(ends, suite):
    body = hs1_header(suite, 0, 0) + bytes(32) + bytes(24)
    datagram = add_mac(suite, ends.pair[1].mac_initiator_key, body)
    assert ends.drone.receive(datagram, B, ends.now) == []
    assert ends.drone.dropped["bad_handshake"] == 1


def test_unconfirmed_session_is_abandoned_and_the_last_one_used(ends):
    ends.connect()
    ends.now += 121_000 * MS
    ends.ground.receive(ends.hs2(ends.hs1()), ends.now)
    new = ends.ground.session.number
    ends.now += 2_000 * MS  # nothing of it reached the drone
    ends.ground.outgoing(ends.now)
    assert ends.ground.session.number == new - 1
    assert opened(ends.drone.receive(ends.ground.seal(b"x", ends.now), A, ends.now)) == [b"x"]


def test_arbitrary_bytes_never_raise_and_are_never_answered(ends):
    ends.connect()
    noise = random.Random(1)
    for _ in range(20_000):
        size = noise.choice((0, 1, 4, 20, 21, 25, 60, HS1_BYTES, HS2_BYTES, 300))
        datagram = bytearray(noise.randbytes(size))
        if datagram and noise.random() < 0.7:
            datagram[0] = noise.choice((1, 2, DATA_BIT, DATA_BIT | 1, 0xC0, 0xFD, 0xFE))
        assert ends.drone.receive(bytes(datagram), B, ends.now) == []
        assert ends.ground.receive(bytes(datagram), ends.now) == []
    assert ends.drone.dropped["plaintext_mavlink"] > 0
    assert opened(ends.drone.receive(ends.ground.seal(b"x", ends.now), A, ends.now)) == [b"x"]


def test_indices_are_not_handed_out_twice(ends, pair, random_bytes):
    """Eight peers with every session they may have still get distinct indices."""
    pairs = []
    for n in range(8):
        names = PairNames("tsubame-1", f"station-{n}", Role.COMMANDER)
        identities = Identity.create(random_bytes), Identity.create(random_bytes)
        pairs.append(pair_in_lab(*identities, names, random_bytes))
    drone = Responder([p[0] for p in pairs], 1, random_bytes)
    seen = set()
    for record in (p[1] for p in pairs):
        for _ in range(4):
            (reply,) = drone.receive(Initiator(record, 1, random_bytes).outgoing(0)[0], A, 0)
            seen.add(reply.datagram[3])
    assert len(seen) == 32
    assert max(seen) < 64
