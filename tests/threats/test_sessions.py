"""What belongs to one session has no effect in another: chunks, and commands that were overtaken.

Mutants killed (docs/decisions/0014-mutants.md): an observer wears out the disk; chunk of another
session taken by the drone; commands of the session before executed; refusals told to all.
"""

import pytest

from crypto.chunks import Kind, Transfers
from crypto.pair import Role
from crypto.primitives import ML_KEM_1024, MlKemKeyPair
from tests.world import S, World, command
from wire.authority import NOBODY, Answer, Request, Verb
from wire.records import AUTHORITY, CHUNK, encode_record

RTL = command(20)


@pytest.fixture
def world(random_bytes):
    world = World(random_bytes)
    world.run(300)
    assert world.station().is_live(world.now)
    return world


def hold_up(world):
    """Let nothing but handshakes up; return the list in which the rest gathers."""
    held = []

    def up(name, datagram, path):
        if datagram[0] & 0x80:
            held.append(datagram)
            return []
        return [datagram]

    world.up = up
    return held


def rekey(world, name="a"):
    """Have the ground change its keys, and the drone adopt them."""
    number = world.companion.link.peers[name].live.number
    world.up = lambda name, datagram, path: [datagram]
    world.station(name)._link.rekey()
    for _ in range(100):
        world.run(10)
        if world.companion.link.peers[name].live.number != number:
            return
    raise AssertionError("no new keys")


def test_chunks_of_the_session_before_are_not_mixed_in(random_bytes):
    world = World(random_bytes)
    world.run(30)
    assert world.station().is_live(world.now)
    held = hold_up(world)
    world.run(900)  # the encapsulation key is under way, and is held back whole
    rekey(world)
    for datagram in held:
        world.receive_up("a", datagram)
    world.run(5000)
    assert world.companion.link.dropped["unknown_session"] == 0
    assert world.station().dropped["ratchet_refused"] == 0
    assert world.station().status(world.now).psk_generation == 1


def test_commands_of_the_session_before_are_refused(world):
    held = hold_up(world)
    world.station().send([RTL], world.now)
    world.run(10)
    rekey(world)
    world.line.clear()
    for datagram in held:
        world.receive_up("a", datagram)
    world.run(100)
    assert RTL not in world.line
    assert world.companion.stations["a"].uplink.dropped["out_of_order"] == 1
    assert world.executes(RTL)


def test_what_comes_in_one_datagram_passes_together(world):
    """A busy radio puts a command and a request, or a second step, into one datagram."""
    request = encode_record(AUTHORITY, Request(Verb.HAND_OVER, 9, bytes(range(16))).encode())
    sealed = world.station()._link.seal(RTL + request, world.now)
    world.line.clear()
    world.receive_up("a", sealed)
    world.run(50)
    assert RTL in world.line
    assert world.companion.stations["a"].request_answer is Answer.UNKNOWN_STATION


def test_an_observer_cannot_make_the_drone_write_or_talk_to_others(random_bytes):
    world = World(random_bytes, {"a": Role.COMMANDER, "o": Role.OBSERVER})
    world.run(10_000)
    writes = []
    real, world.companion.saved = world.companion.saved, lambda i, n: writes.append(i) or real(i, n)
    link = world.station("o")._link
    transfers = Transfers({})
    key = MlKemKeyPair(ML_KEM_1024, bytes(64)).public
    world.captured_down.clear()
    for number in range(1, 101):
        records = [encode_record(AUTHORITY, Request(Verb.PREEMPT, number, NOBODY).encode())]
        transfers.send(Kind.ENCAPSULATION_KEY, key)
        for step in range(30):
            pieces = transfers.outgoing((number * 30 + step) * S, 1e9)
            records += [encode_record(CHUNK, piece.value) for piece in pieces]
        for record in records:
            world.receive_up("o", link.seal(record, world.now))
        world.run(20)
    assert len(writes) <= 1
    # In two seconds the commander gets what it gets anyway: status, authority, heartbeat.
    assert sum(name == "a" for name, _, _ in world.captured_down) <= 2 * 10
