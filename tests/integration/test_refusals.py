"""Attacks on the drone alone reach the operator's screen: the drone counts, the ground is told.

Mutants killed: counts from before the ground listened shown as an attack; a restart of the drone
shown as four thousand million refusals; an older report that comes late taken for the newest; a
wrong tag aboard not counted as forged; what is noise on a radio shown as an attack.
"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundstation.screen.link import LinkWatch
from tests.world import World, command
from wire.locality import RADIO
from wire.records import REFUSALS, Refusals, encode_record

STRANGER = ("192.168.50.99", 50000)
COUNT = st.one_of(st.sampled_from([0, 1, 2**32 - 1, 2**32]), st.integers(0, 2**33))
PLAIN = command(20)


@given(st.tuples(COUNT, COUNT, COUNT), st.tuples(COUNT, COUNT, COUNT))
def test_counts_survive_the_wire_and_wrap(before, gained):
    def sent(counts):
        value = Refusals(*counts).encode()
        assert value[:2] == bytes((REFUSALS, 12))
        return Refusals.parse(value[2:])

    after = [count + more for count, more in zip(before, gained, strict=True)]
    assert sent(after).since(sent(before)) == tuple(more % 2**32 for more in gained)


@pytest.mark.parametrize("size", [0, 11, 13])
def test_another_length_is_no_report(size):
    assert Refusals.parse(bytes(size)) is None


def attack(world, forged=5, replayed=6, unsealed=2):
    """Send what only the drone can see, and let it be reported."""
    deliver, world.up = world.up, lambda name, datagram, path: []
    world.station().send([PLAIN], world.now)
    world.exchange()
    world.up = deliver
    (_, fresh, _), sealed = world.captured_up[-1], world.captured_up[-2][1]
    broken = fresh[:-1] + bytes((fresh[-1] ^ 1,))  # a counter not seen yet, or it were a replay
    for datagrams in ([broken] * forged, [sealed] * replayed, [PLAIN] * unsealed):
        for datagram in datagrams:
            world.companion.receive_link(datagram, STRANGER, world.now)
    world.run(1200)


def look(world, watch, **changes):
    status = msgspec.structs.replace(world.station().status(world.now), **changes)
    return watch.look(status, world.now)


@pytest.fixture
def world(random_bytes):
    world = World(random_bytes)
    world.run(2000)
    return world


def test_the_ground_is_told_what_the_drone_refuses(world):
    watch = LinkWatch()
    assert look(world, watch).attack == ""
    attack(world)
    view = look(world, watch)
    assert view.aboard == {"forged": 5, "replayed": 6, "unsealed": 2}
    assert view.attack == "5 forged, 6 replayed, 2 unsealed refused aboard in 10 s"
    assert (view.forged, view.replayed, view.plain) == (0, 0, 0)
    world.run(11_000)
    look(world, watch)
    world.run(1000)
    assert look(world, watch).attack == ""


def test_on_a_radio_damage_is_no_attack(world):
    watch = LinkWatch()
    look(world, watch, path=RADIO[0])
    attack(world, replayed=0, unsealed=0)
    view = look(world, watch, path=RADIO[0])
    assert (view.attack, view.noise) == ("", "5 damaged or forged frames refused aboard in 10 s")


def test_what_was_before_we_listened_is_no_news(world):
    attack(world)
    world.grounds["a"].boot()
    world.run(4000)
    assert world.station().is_live(world.now)
    assert not any(world.station().aboard.values())
    attack(world, forged=3, replayed=0, unsealed=0)
    assert world.station().aboard["forged"] == 3


def test_a_restarted_drone_counts_anew(world):
    attack(world)
    world.boot()
    world.run(6000)
    before = world.station().aboard["forged"]
    attack(world, forged=4, replayed=0, unsealed=0)
    assert world.station().aboard["forged"] - before == 4
    assert max(world.station().aboard.values()) < 100


def test_a_report_held_back_says_nothing_new(world):
    held = []
    world.down = lambda name, datagram, path: held.append(datagram) or []
    attack(world, forged=1, replayed=0, unsealed=0)
    world.down = lambda name, datagram, path: [datagram]
    attack(world, forged=2, replayed=0, unsealed=0)
    assert world.station().aboard["forged"] == 3
    for datagram in held:
        world.receive_down("a", datagram, world.grounds["a"].address)
    world.run(1000)
    assert world.station().aboard["forged"] == 3


def test_a_malformed_report_is_ignored(world):
    station = world.grounds["a"].station
    for value in (b"", bytes(11), bytes(13)):
        world.companion.air.send(
            world.companion.stations["a"], [encode_record(REFUSALS, value)], world.now
        )
    world.run(100)
    assert station.aboard == {"forged": 0, "replayed": 0, "unsealed": 0}
