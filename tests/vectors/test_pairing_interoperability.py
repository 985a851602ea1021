"""Pairing of the product against a second implementation written from docs/protocol.md alone.

Mutants killed, each where both ends of the product share it, so that they still agree: the halves
of the split swapped; the psk at another place; version, suite or role left out of the prologue;
another label of the commitment, the code, YES or either key of the token; the hashes of key and
ciphertext swapped in K_pair, or the ids, or the random bytes; the code from the low bytes; the kind
not in the associated data; bits of the token in another order.
"""

import pytest

from crypto.enrolment import Token
from crypto.pair import Identity, Role
from crypto.pairing import Aborted, Compare, Met, Pairing, Save, State
from crypto.pairing_exchange import DroneExchange, GroundExchange, Terms
from crypto.pairing_messages import Abort
from crypto.suites import SUITES
from tests.reference import formulas, pairing
from tests.reference.pairing_ends import Device, Drone, Ground


@pytest.fixture(params=formulas.SUITES, ids=lambda suite: suite.name)
def suite(request):
    return request.param


@pytest.fixture(params=list(Role))
def role(request):
    return request.param


def identity(suite, device):
    """The product's end has nothing in common with another suite's key."""
    keys = [bytes(32), bytes(32)]
    keys[suite.number - 1] = device.private
    return Identity(2, device.id, *keys)


def devices(suite, role, secret, random_bytes):
    return (
        Device(suite, role.value, secret, random_bytes(16), random_bytes(32), name)
        for name in (b"station-a", b"tsubame-1")
    )


def check(record, own, reference, role):
    """The product's record of a pair is the other half of the reference's."""
    made = reference.made()
    keys = record.mac_initiator_key, record.mac_responder_key, record.psk
    assert keys == (made["k_mac_i"], made["k_mac_r"], made["psk"])
    assert record.peer_static_public == formulas.public(reference.device.private)
    assert reference.peer_static == formulas.public(own.private)
    assert reference.peer_id == own.id
    assert reference.peer_name == own.name
    assert record.peer == reference.device.name.decode()
    assert (record.role, record.psk_generation, record.next_psk) == (role, 0, None)
    assert record.suite == own.suite.number


def test_reference_ground_pairs_with_the_drone(suite, role, random_bytes):
    secret = random_bytes(16)
    ours, theirs = devices(suite, role, secret, random_bytes)
    draws = iter([secret])
    terms = Terms(SUITES[suite.number], role)
    draw = lambda size: next(draws, None) or random_bytes(size)  # noqa: E731
    exchange = DroneExchange(identity(suite, theirs), "tsubame-1", terms, draw)
    assert exchange.token.text == pairing.token(suite, role.value, secret)
    drone, ground = Pairing(exchange, 0), Ground(ours, random_bytes)
    events = drone.receive(ground.hello(), 0)
    for _ in range(2):
        for message in drone.outgoing():
            for answer in ground.take(message):
                events += drone.receive(answer, 0)
    assert events == [Met((ours.id, "station-a")), Compare(ground.code)]
    assert drone.receive(ground.yes(), 0) == []
    (saved,) = drone.answer(0, matches=True)
    check(saved.record, theirs, ground, role)
    assert (saved.record.drone_id, saved.record.gcs_id) == (theirs.id, ours.id)
    drone.saved()
    for message in drone.outgoing():
        ground.take(message)
    assert ground.heard == [pairing.REPLY, pairing.ANSWER, pairing.YES, pairing.SAVED]
    assert drone.state is State.DONE


def test_reference_drone_pairs_with_the_ground(suite, role, random_bytes):
    ours, theirs = devices(suite, role, random_bytes(16), random_bytes)
    drone = Drone(theirs, random_bytes)
    exchange = GroundExchange(
        Token.parse(drone.token()), identity(suite, ours), "station-a", random_bytes
    )
    ground, events = Pairing(exchange, 0), []
    for _ in range(3):
        for message in ground.outgoing():
            for answer in drone.take(message):
                events += ground.receive(answer, 0)
    assert events == [Met((theirs.id, "tsubame-1")), Compare(drone.code)]
    assert ground.answer(0, matches=True) == []
    for message in ground.outgoing():
        drone.take(message)
    assert drone.heard == [pairing.HELLO, pairing.OFFER, pairing.REVEAL, pairing.YES]
    assert ground.receive(drone.yes(), 0) == []
    (saved,) = ground.receive(drone.seal(pairing.SAVED), 0)
    assert isinstance(saved, Save)
    check(saved.record, ours, drone, role)


@pytest.mark.parametrize("wrong", ["role", "suite", "secret"])
def test_another_token_gets_no_answer(wrong, suite, random_bytes):
    secret = random_bytes(16)
    (ours, theirs) = devices(suite, Role.OBSERVER, secret, random_bytes)
    draws = iter([secret])
    draw = lambda size: next(draws, None) or random_bytes(size)  # noqa: E731
    terms = Terms(SUITES[suite.number], Role.OBSERVER)
    drone = Pairing(DroneExchange(identity(suite, theirs), "tsubame-1", terms, draw), 0)
    other = formulas.AES if suite is formulas.CHACHA else formulas.CHACHA
    changed = {"role": "supervisor", "suite": other, "secret": bytes(16)}[wrong]
    ground = Ground(ours._replace(**{wrong: changed}), random_bytes)
    (aborted,) = drone.receive(ground.hello(), 0)
    assert isinstance(aborted, Aborted)
    assert drone.outgoing() == []


def test_the_drone_refuses_another_reveal(suite, random_bytes):
    secret = random_bytes(16)
    ours, theirs = devices(suite, Role.COMMANDER, secret, random_bytes)
    draws = iter([secret])
    draw = lambda size: next(draws, None) or random_bytes(size)  # noqa: E731
    terms = Terms(SUITES[suite.number], Role.COMMANDER)
    drone = Pairing(DroneExchange(identity(suite, theirs), "tsubame-1", terms, draw), 0)
    ground = Ground(ours, random_bytes)
    drone.receive(ground.hello(), 0)
    (reply,) = drone.outgoing()
    drone.receive(*ground.take(reply), 0)
    ground.rand = bytes(32)
    (answer,) = drone.outgoing()
    assert drone.receive(*ground.take(answer), 0) == [Aborted(Abort.BROKEN_COMMITMENT)]
    (refused,) = drone.outgoing()
    assert (refused[0], ground.open(refused)) == (pairing.NO, b"")
