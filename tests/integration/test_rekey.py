"""Keys change in time, and for every flight."""

from tests.world import World, command


def test_each_arming_gets_keys_of_its_own(random_bytes):
    world = World(random_bytes)
    world.run(4000)
    before = world.companion.status(world.now).link.generation
    world.run(3000, armed=True)
    assert world.companion.status(world.now).link.generation == before + 1
    world.run(20_000, 20, armed=True)
    assert world.companion.status(world.now).link.generation == before + 1
    assert world.executes(command(20))


def test_a_session_ends_after_a_day_even_if_nobody_comes(random_bytes):
    world = World(random_bytes)
    world.run(4000)
    world.up = lambda name, datagram, path: []
    world.now += 23 * 3600 * 10**9
    world.grounds["a"].tools = b""
    world.run(2000)
    assert world.grounds["a"].tools  # still heard, under the keys of yesterday
    world.now += 3600 * 10**9
    world.run(3000)
    world.grounds["a"].tools = b""
    world.run(2000)
    assert world.grounds["a"].tools == b""
    assert world.companion.dropped["counter_limit"] > 0
