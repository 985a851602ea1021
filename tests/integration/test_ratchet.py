"""The post-quantum ratchet between two real ends: it advances, survives crashes, and is modest."""

import pytest

from crypto.chunks import SHAPES, Kind
from crypto.ratchet import RATCHET_EVERY_NS
from tests.world import MS, SlowWorld, World, command

RTL = command(20)


def generations(world, name="a"):
    """Return (generation, is the second slot filled) of the drone's disk and of the ground's."""
    records = (world.pairs_on_disk[name], world.grounds[name].disk)
    return [(record.psk_generation, record.next_psk is not None) for record in records]


def test_the_first_session_replaces_the_key_made_at_pairing(random_bytes, suite):
    world = World(random_bytes, suite=suite)
    before = world.pairs_on_disk["a"].psk
    world.run(4000)
    assert generations(world) == [(1, False), (1, False)]
    assert world.pairs_on_disk["a"].psk == world.grounds["a"].disk.psk != before
    assert world.executes(RTL)


def test_every_ten_minutes(random_bytes):
    world = World(random_bytes)
    world.run(4000)
    world.run(RATCHET_EVERY_NS // MS, 50)
    assert generations(world) == [(2, False), (2, False)]


def test_generations_wrap(random_bytes):
    world = World(random_bytes)
    for disk in (world.pairs_on_disk, None):
        record = world.grounds["a"].disk if disk is None else disk["a"]
        record = type(record)(
            **{**{f: getattr(record, f) for f in record.__struct_fields__}, "psk_generation": 255}
        )
        if disk is None:
            world.grounds["a"].disk = record
        else:
            disk["a"] = record
    world.boot()
    world.grounds["a"].boot()
    world.run(4000)
    assert generations(world) == [(0, False), (0, False)]
    assert world.executes(RTL)


def test_chunks_take_a_twentieth_of_the_link(random_bytes):
    world = World(random_bytes)
    world.run(1000)
    start, sent = world.now, 0
    world.captured_up.clear()
    while generations(world)[0] != (1, False):
        world.run(20)
    sent = sum(len(d) for _, d, _ in world.captured_up if len(d) == 96)
    seconds = (world.now - start) / 1e9
    keepalives = 6 * 96 * seconds
    assert sent - keepalives <= 125_000 * SHAPES[Kind.CIPHERTEXT].share * (seconds + 1)


@pytest.mark.parametrize("loss", [0.1, 0.3, 0.5])
def test_gets_there_through_loss(random_bytes, loss):
    world = World(random_bytes)
    lucky = lambda: int.from_bytes(random_bytes(4), "big") / 2**32 >= loss  # noqa: E731
    world.up = world.down = lambda name, datagram, path: [datagram] if lucky() else []
    world.run(30_000, 20)
    assert generations(world)[0][0] >= 1
    world.up = world.down = lambda name, datagram, path: [datagram]
    world.run(5_000, 20)
    assert generations(world)[0] == generations(world)[1] == (generations(world)[0][0], False)
    assert world.executes(RTL)


@pytest.mark.parametrize("victim", ["drone", "ground", "both"])
def test_a_crash_at_any_moment_leaves_a_key_that_both_have(random_bytes, victim):
    """Kill either end every few steps all through the first seconds; then look."""
    for at_ms in range(0, 3000, 130):
        world = World(random_bytes)
        world.run(at_ms)
        if victim in ("drone", "both"):
            world.boot()
        if victim in ("ground", "both"):
            world.grounds["a"].boot()
        world.run(6000, 20)
        assert generations(world)[0] == generations(world)[1]
        assert not generations(world)[0][1]
        assert world.executes(RTL)


@pytest.mark.parametrize("end", ["drone", "ground"])
def test_an_older_disk_put_back_at_one_end(random_bytes, end):
    """A second slot that the other end has is filled again: the state before the last write."""
    world = World(random_bytes)
    writes = []
    original = world.write

    def write():
        before = (world.pairs_on_disk["a"], world.grounds["a"].disk)
        original()
        if (world.pairs_on_disk["a"], world.grounds["a"].disk) != before:
            writes.append(before)

    world.write = write
    world.run(4000)
    assert len(writes) >= 3
    for drone_disk, ground_disk in writes[:2]:  # before either end has forgotten the first key
        fresh = World(random_bytes)
        fresh.grounds, fresh.pairs_on_disk = world.grounds, dict(world.pairs_on_disk)
        if end == "drone":
            fresh.pairs_on_disk["a"], fresh.grounds["a"].disk = drone_disk, writes[2][1]
        else:
            fresh.pairs_on_disk["a"], fresh.grounds["a"].disk = writes[2][0], ground_disk
        fresh.boot()
        fresh.grounds["a"].boot()
        fresh.run(8000, 20)
        assert fresh.executes(RTL)
        assert generations(fresh)[0] == generations(fresh)[1]


def test_a_disk_that_fails_leaves_the_key_as_it_is(random_bytes):
    world = World(random_bytes)
    world.disk_works = False
    world.run(5000)
    assert generations(world)[0] == (0, False)
    assert world.station().is_live(world.now)
    assert world.companion.dropped["not_saved"] >= 1


def test_while_the_drone_writes_no_second_key_is_good_for_a_handshake(random_bytes):
    """Neither the one that is being replaced, which the ground may have, nor the new one."""
    world = SlowWorld(random_bytes)
    world.down = lambda name, datagram, path: [datagram] if len(datagram) < 90 else []  # no CT
    world.run(4000)
    assert generations(world) == [(0, True), (0, False)]
    world.mode = "slow"
    world.grounds["a"].boot()
    world.run(4000)
    assert world.waiting
    assert world.companion.link.peers["a"].record.next_psk is None
    world.mode = "works"
    world.down = lambda name, datagram, path: [datagram]
    world.run(4000)
    assert generations(world) == [(1, False), (1, False)]
