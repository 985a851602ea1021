"""Pairing: the honest course, and every way of not being honest. No record but by two yeses.

Mutants killed, here and in the property and vector tests. In the course of events: the deadline off
by one or not renewed, YES not compared, NO not opened or ignored, SAVED taken before YES, agreed by
one yes of either, "no" taken for yes, an unexpected message ignored, a message after the end taken,
the ground writing before the drone. In the exchange: commitment not checked or made of nothing, MAC
of HELLO not checked, one key for both directions, each input left out of the secret in turn, both
ends' YES alike, role or suite not in the prologue, the record's role not the token's, grant serial
lost, an empty, long or non-ASCII name taken, nonces that do not count, the kind not authenticated.
"""

import random

import pytest

from crypto.enrolment import Token
from crypto.initiator import Initiator
from crypto.messages import add_mac
from crypto.noise import HandshakeState, Keys
from crypto.pair import Identity, PairSecrets, Role
from crypto.pairing import (
    ATTEMPT_LIFETIME_NS,
    TOKEN_LIFETIME_NS,
    Aborted,
    Compare,
    Met,
    Pairing,
    Save,
    State,
)
from crypto.pairing_exchange import DroneExchange, GroundExchange, Terms, Transcript, code_of
from crypto.pairing_messages import (
    MAX_MESSAGE_BYTES,
    Abort,
    Answer,
    Channel,
    Kind,
    Offer,
    PairingError,
    commit,
)
from crypto.primitives import AuthenticationError, KeyPair
from crypto.responder import Established, Responder
from crypto.suites import SUITES
from tests.unit.crypto.pairing_ends import (
    START,
    End,
    before,
    both,
    carry,
    complete,
    drone_end,
    false_drone_end,
    ground_end,
)

A = ("192.168.50.2", 40000)


def flip(data, bit):
    out = bytearray(data)
    out[bit // 8] ^= 1 << bit % 8
    return bytes(out)


def test_both_ends_see_one_code_and_keep_records_that_connect(random_bytes, suite):
    drone, ground = both(random_bytes, suite, grant_serial=7)
    carry(drone, ground)
    assert drone.code == ground.code
    assert len(drone.code) == 6
    assert drone.peer.claimed_name == "station-a"
    assert ground.peer.claimed_name == "tsubame-1"
    ground.says(True)
    drone.says(True)
    carry(drone, ground)
    assert ground.record is None  # the drone writes first
    drone.core.saved()
    carry(drone, ground)
    assert drone.core.state is ground.core.state is State.DONE
    assert (drone.record.peer, drone.record.grant_serial) == ("station-a", 7)
    assert (ground.record.peer, ground.record.grant_serial) == ("tsubame-1", 0)
    assert drone.record.role is ground.record.role is Role.COMMANDER
    assert drone.record.profile is ground.record.profile is suite

    responder = Responder([drone.record], 1, random_bytes)
    initiator = Initiator(ground.record, 1, random_bytes)
    (reply,) = responder.receive(initiator.outgoing(START)[0], A, START)
    initiator.receive(reply.datagram, START)
    events = responder.receive(initiator.seal(b"up", START), A, START)
    assert isinstance(events[0], Established)
    assert events[1].payload == b"up"


def test_messages_have_the_sizes_of_the_specification(random_bytes, suite):
    drone, ground = both(random_bytes, suite)
    messages = [message for _, message in complete(drone, ground)]
    kinds = [Kind(message[0]) for message in messages]
    assert kinds[:5] == [Kind.HELLO, Kind.REPLY, Kind.OFFER, Kind.ANSWER, Kind.REVEAL]
    assert sorted(kinds[5:]) == [Kind.YES, Kind.YES, Kind.SAVED]
    assert [len(m) for m in messages] == [65, 97, 1690, 1642, 49, 49, 49, 17]
    assert 1690 - len("station-a") + 63 == MAX_MESSAGE_BYTES


def test_the_static_keys_are_those_of_the_suite(random_bytes, suite):
    identities = [Identity.create(random_bytes) for _ in range(2)]
    exchange = DroneExchange(identities[0], "d", Terms(suite, Role.OBSERVER), random_bytes)
    token = Token.parse(exchange.token.text)
    drone = End(Pairing(exchange, START))
    ground = End(Pairing(GroundExchange(token, identities[1], "g", random_bytes), START))
    complete(drone, ground)
    for own, peer, record in ((0, 1, drone.record), (1, 0, ground.record)):
        assert record.static_private == identities[own].static_private(suite)
        public = KeyPair(identities[peer].static_private(suite)).public
        assert record.peer_static_public == public
    assert drone.record.role is ground.record.role is Role.OBSERVER


@pytest.mark.parametrize("first", ["drone", "ground"])
@pytest.mark.parametrize("second_says", [True, False])
def test_one_yes_makes_no_record(random_bytes, suite, first, second_says):
    ends = dict(zip(("drone", "ground"), both(random_bytes, suite), strict=True))
    drone, ground = ends["drone"], ends["ground"]
    carry(drone, ground)
    ends[first].says(True)
    carry(drone, ground)
    assert drone.record is ground.record is None
    if not second_says:
        second = ground if first == "drone" else drone
        assert second.says(False) == [Aborted(Abort.CODES_DIFFER)]
        carry(drone, ground)
        assert ends[first].events[-1] == Aborted(Abort.ENDED_THERE)
        assert drone.record is ground.record is None


def check_flipped(random_bytes, suite, step, bits):
    for bit in bits:
        _, ground, receiver, message = before(random_bytes, suite, step)
        if bit >= len(message) * 8:
            return
        event = receiver.receive(flip(message, bit))[-1]
        assert isinstance(event, Aborted), (step, bit)
        allowed = (Abort.WRONG_TOKEN, Abort.BAD_MESSAGE, Abort.UNEXPECTED_MESSAGE)
        assert event.reason in allowed, (step, bit)
        assert receiver.record is ground.record is None
        assert receiver.receive(message) == []


@pytest.mark.parametrize("step", range(8))
def test_some_flipped_bits_end_the_pairing_without_a_record(random_bytes, suite, step):
    check_flipped(random_bytes, suite, step, [*range(8), *range(8, 14_000, 241)])


@pytest.mark.slow
@pytest.mark.parametrize("step", range(8))
def test_every_flipped_bit_ends_the_pairing_without_a_record(random_bytes, suite, step):
    """OFFER and ANSWER: every 7th bit, which covers each byte; the others: every bit."""
    check_flipped(random_bytes, suite, step, range(0, 14_000, 7 if step in (2, 3) else 1))


def test_truncated_extended_and_empty_messages_end_it(random_bytes, suite):
    for index in range(8):
        honest = before(random_bytes, suite, index)[3]
        for change in (honest[:-1], honest + b"\0", honest[:1], b"", bytes(len(honest))):
            _, ground, receiver, _ = before(random_bytes, suite, index)
            assert isinstance(receiver.receive(change)[-1], Aborted)
            assert receiver.record is ground.record is None


def test_a_wrong_token_is_met_with_silence_and_burns_the_token(random_bytes, suite):
    drone, text = drone_end(random_bytes, suite)
    other = Token.create(suite, Role.COMMANDER, random_bytes).text
    stranger, rightful = ground_end(random_bytes, other), ground_end(random_bytes, text)
    carry(drone, stranger)
    assert drone.events == [Aborted(Abort.WRONG_TOKEN)]
    assert drone.core.outgoing() == []
    carry(drone, rightful)
    assert drone.core.outgoing() == []
    assert rightful.events == []


def test_a_token_serves_once(random_bytes, suite):
    drone, text = drone_end(random_bytes, suite)
    complete(drone, ground_end(random_bytes, text))
    events = list(drone.events)
    late = ground_end(random_bytes, text)
    carry(drone, late)
    assert late.events == []
    assert drone.events == events


@pytest.mark.parametrize(("after", "accepted"), [(-1, True), (0, False), (1, False)])
def test_a_token_expires_after_five_minutes_to_the_nanosecond(random_bytes, suite, after, accepted):
    drone, text = drone_end(random_bytes, suite)
    now = START + 300 * 10**9 + after
    assert TOKEN_LIFETIME_NS == 300 * 10**9
    (hello,) = ground_end(random_bytes, text, now).core.outgoing()
    events = drone.receive(hello, now)
    assert events == ([] if accepted else [Aborted(Abort.TOKEN_EXPIRED)])
    assert len(drone.core.outgoing()) == accepted
    assert drone.core.deadline_ns() == (now + ATTEMPT_LIFETIME_NS if accepted else None)


@pytest.mark.parametrize("step", range(8))
def test_an_attempt_ends_after_two_minutes_whatever_it_waits_for(random_bytes, suite, step):
    _, _, receiver, message = before(random_bytes, suite, step)
    deadline = receiver.core.deadline_ns()
    assert receiver.core.tick(deadline - 1) == []
    (event,) = receiver.receive(message, deadline)
    assert event == Aborted(Abort.TIMED_OUT if step else Abort.TOKEN_EXPIRED)
    assert receiver.record is None


def test_a_late_yes_of_the_person_is_too_late(random_bytes, suite):
    drone, ground = both(random_bytes, suite)
    carry(drone, ground)
    deadline = drone.core.deadline_ns()
    assert drone.says(True, deadline) == [Aborted(Abort.TIMED_OUT)]
    assert drone.record is None


def test_messages_of_an_earlier_pairing_are_refused(random_bytes, suite):
    earlier = complete(*both(random_bytes, suite))
    for index in range(8):
        _, ground, receiver, _ = before(random_bytes, suite, index)
        kind = before(random_bytes, suite, index)[3][0]
        old = next(message for _, message in earlier if message[0] == kind)
        assert isinstance(receiver.receive(old)[-1], Aborted)
        assert receiver.record is ground.record is None


def test_own_messages_sent_back_are_refused(random_bytes, suite):
    drone, ground = both(random_bytes, suite)
    (hello,) = ground.core.outgoing()
    assert ground.receive(hello) == [Aborted(Abort.UNEXPECTED_MESSAGE)]
    for first in (0, 1):
        ends = both(random_bytes, suite)
        carry(*ends)
        ends[first].says(True)
        (own_yes,) = ends[first].core.outgoing()
        assert ends[first].receive(own_yes) == [Aborted(Abort.BAD_MESSAGE)]
    drone.receive(hello)
    (reply,) = drone.core.outgoing()
    assert drone.receive(reply) == [Aborted(Abort.UNEXPECTED_MESSAGE)]


def test_two_drones_or_two_grounds_never_pair(random_bytes, suite):
    one, text = drone_end(random_bytes, suite)
    other, _ = drone_end(random_bytes, suite)
    carry(one, other)
    assert one.events == other.events == []  # a drone never speaks first
    first, second = ground_end(random_bytes, text), ground_end(random_bytes, text)
    carry(first, second)
    assert first.events[-1] == second.events[-1] == Aborted(Abort.UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("role", [Role.COMMANDER, Role.SUPERVISOR])
def test_the_ground_cannot_raise_its_role(random_bytes, suite, role):
    drone, text = drone_end(random_bytes, suite, Role.OBSERVER)
    granted = Token.parse(text)
    raised = Token(granted.suite, role, granted.secret)
    assert raised.psk == granted.psk  # the secret alone is not what refuses it
    ground = ground_end(random_bytes, raised.text)
    carry(drone, ground)
    assert drone.events == [Aborted(Abort.BAD_MESSAGE)]
    assert drone.record is ground.record is None


def test_the_other_suite_is_refused(random_bytes, suite):
    drone, text = drone_end(random_bytes, suite)
    secret = Token.parse(text).secret
    ground = ground_end(random_bytes, Token(SUITES[3 - suite.number], Role.COMMANDER, secret).text)
    carry(drone, ground)
    assert drone.events == [Aborted(Abort.WRONG_TOKEN)]


@pytest.mark.parametrize("end", [0, 1])
def test_a_closed_line_leaves_no_record(random_bytes, suite, end):
    for index in range(8):
        ends = before(random_bytes, suite, index)
        closed = ends[end]
        had = closed.record
        closed.take(closed.core.line_closed())
        if had is None:
            assert closed.events[-1] == Aborted(Abort.LINE_CLOSED)
        assert closed.record is had
        assert closed.core.line_closed() == []
    assert had is None or end == 0  # only the drone can have one: it writes first


def test_whoever_cancels_is_believed(random_bytes, suite):
    drone, ground = both(random_bytes, suite)
    carry(drone, ground)
    drone.take(drone.core.cancel())
    carry(drone, ground)
    assert drone.events[-1] == Aborted(Abort.ENDED_HERE)
    assert ground.events[-1] == Aborted(Abort.ENDED_THERE)
    assert drone.core.cancel() == []


def test_a_yes_from_another_pairing_is_no_yes(random_bytes, suite):
    """Not even under this pairing's own keys: it is bound to the secret that was agreed."""
    other = both(random_bytes, suite)
    carry(*other)
    drone, ground = both(random_bytes, suite)
    carry(drone, ground)
    drone.says(True)
    foreign = other[1].core._exchange.agreement.yes
    forged = ground.core._exchange.channel.seal(Kind.YES, foreign)
    assert drone.receive(forged) == [Aborted(Abort.BAD_MESSAGE)]
    assert drone.record is None


def test_a_claimed_name_that_is_no_text_ends_it(random_bytes, suite):
    for name in ("", "x" * 64):
        drone, text = drone_end(random_bytes, suite)
        carry(drone, ground_end(random_bytes, text, name=name))
        assert drone.events == [Aborted(Abort.BAD_MESSAGE)]
    for raw in ("é".encode(), b"\xff"):
        with pytest.raises(PairingError):
            Offer.parse(bytes(1616) + raw)


def test_a_low_order_ephemeral_is_refused(random_bytes, suite):
    """Made by a holder of the token, or the MAC would have refused it."""
    drone, text = drone_end(random_bytes, suite)
    token = Token.parse(text)
    handshake = HandshakeState(
        suite.noise("XXpsk3"),
        Keys(static=KeyPair(random_bytes(32)), psks=(token.psk,)),
        random_bytes,
        initiator=True,
        prologue=token.prologue,
    )
    handshake._mix_ephemeral(handshake._symmetric, bytes(32))
    hello = b"\x01" + bytes(32) + handshake._symmetric.seal(b"")
    assert drone.receive(add_mac(suite, token.mac_key, hello)) == [Aborted(Abort.BAD_MESSAGE)]
    assert drone.core.outgoing() == []


# ---- the code and the commitment -------------------------------------------------------------


def test_a_man_in_the_middle_who_knows_the_token_shows_two_codes(random_bytes, suite):
    for _ in range(40):
        drone, text = drone_end(random_bytes, suite)
        victim = ground_end(random_bytes, text)
        carry(drone, ground_end(random_bytes, text))
        carry(false_drone_end(random_bytes, text), victim)
        assert drone.code != victim.code


def test_random_bytes_other_than_those_committed_to_are_refused(random_bytes, suite):
    drone, ground, _, _ = before(random_bytes, suite, 4)
    channel = ground.core._exchange.channel
    channel._sealed = 0
    other = channel.seal(Kind.REVEAL, random_bytes(32))
    assert drone.receive(other) == [Aborted(Abort.BROKEN_COMMITMENT)]
    assert drone.record is None


def code(suite, handshake, answer_random, gcs_random):
    """Return the code of a transcript of which everything else is known to the attacker."""
    offer = Offer(bytes(16), bytes(32), b"a public key", "station-a")
    answer = Answer(bytes(16), answer_random, b"a ciphertext", "tsubame-1")
    transcript = Transcript(handshake, b"a secret", offer, answer, gcs_random)
    return code_of(suite, transcript.pair_secret(suite))


@pytest.mark.slow
def test_grinding_helps_nobody_who_must_choose_first(suite):
    """The attacker chooses the best of his values; then the honest end's bytes come to light.

    Scaled down to codes of two digits, so that one in a hundred succeeds by luck. The control is
    the same attacker allowed to choose last, as he could without the commitment: always right.
    """
    source = random.Random(5)
    rounds, choosing_first, choosing_last = 400, 0, 0
    for _ in range(rounds):
        honest, guess = source.randbytes(32), source.randbytes(32)
        wanted = code(suite, b"drone", source.randbytes(32), source.randbytes(32))[-2:]

        def shown(his, grounds):
            return code(suite, b"ground", his, grounds)[-2:]

        candidates = [source.randbytes(32) for _ in range(1500)]
        his = next(value for value in candidates if shown(value, guess) == wanted)
        choosing_first += shown(his, honest) == wanted
        choosing_last += any(shown(value, honest) == wanted for value in candidates)
    assert choosing_last == rounds
    assert choosing_first <= 16  # 4 expected; more than 16 come once in a million


def test_everything_of_each_end_is_fixed_before_it_sees_the_others_bytes(random_bytes, suite):
    """OFFER carries a commitment and no random byte; ANSWER leaves before REVEAL is there."""
    drone, ground, _, answer = before(random_bytes, suite, 3)
    secret, offer = ground.core._exchange._random, drone.core._exchange._offer
    assert offer.commitment == commit(suite, secret)
    assert secret not in offer.encode()
    assert drone.first(Compare) is ground.first(Compare) is None
    ground.receive(answer)
    assert ground.first(Compare) is not None
    # Another ANSWER, chosen after REVEAL has been seen, is not taken any more.
    again = drone.core._exchange.channel.seal(Kind.ANSWER, bytes(1616) + b"x")
    assert ground.receive(again) == [Aborted(Abort.UNEXPECTED_MESSAGE)]


def test_the_code_and_the_keys_depend_on_every_input(suite):
    offer = Offer(b"g" * 16, b"c" * 32, b"ek", "a")
    answer = Answer(b"d" * 16, b"r" * 32, b"ct", "b")
    base = (b"h" * 32, b"s" * 32, offer, answer, b"q" * 32)
    changed = [
        (b"H" * 32, *base[1:]),
        (base[0], b"S" * 32, *base[2:]),
        (*base[:2], Offer(b"G" * 16, b"c" * 32, b"ek", "a"), *base[3:]),
        (*base[:2], Offer(b"g" * 16, b"c" * 32, b"EK", "a"), *base[3:]),
        (*base[:3], Answer(b"D" * 16, b"r" * 32, b"ct", "b"), base[4]),
        (*base[:3], Answer(b"d" * 16, b"R" * 32, b"ct", "b"), base[4]),
        (*base[:3], Answer(b"d" * 16, b"r" * 32, b"CT", "b"), base[4]),
        (*base[:4], b"Q" * 32),
    ]
    secrets = {Transcript(*values).pair_secret(suite) for values in (base, *changed)}
    assert len(secrets) == 9
    assert len({PairSecrets.derive(suite, secret) for secret in secrets}) == 9
    assert len({code_of(suite, secret) for secret in secrets}) == 9


def test_no_event_but_these_reaches_a_person_unasked(random_bytes, suite):
    drone, ground = both(random_bytes, suite)
    complete(drone, ground)
    assert [type(e) for e in drone.events] == [Met, Compare, Save]
    assert [type(e) for e in ground.events] == [Met, Compare, Save]


def test_a_channel_never_repeats_a_nonce_and_takes_nothing_twice(random_bytes, suite):
    keys = random_bytes(32), random_bytes(32)
    here, there = Channel(suite, *keys), Channel(suite, *reversed(keys))
    first, second = here.seal(Kind.NO), here.seal(Kind.NO)
    assert first != second
    assert there.open(first) == b""
    with pytest.raises(AuthenticationError):
        there.open(first)
    assert there.open(second) == b""  # a refused message costs nothing


def test_each_ends_yes_is_its_own(random_bytes, suite):
    drone, ground = both(random_bytes, suite)
    carry(drone, ground)
    aboard, below = (end.core._exchange.agreement for end in (drone, ground))
    assert (aboard.yes, aboard.peer_yes) == (below.peer_yes, below.yes)
    assert aboard.yes != aboard.peer_yes
