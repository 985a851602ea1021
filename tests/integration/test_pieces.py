"""What makes no sense in a transfer is counted where an operator sees it, at both ends."""

from tests.world import World
from wire.records import CHUNK, encode_record

NONSENSE = encode_record(CHUNK, b"\x01\x01")


def test_malformed_pieces_are_shown(random_bytes):
    world = World(random_bytes)
    world.run(4000)
    world.station()._send_record(4, NONSENSE, world.now)
    world.companion.air.send(world.companion.stations["a"], [NONSENSE], world.now)
    world.run(100)
    aboard, below = world.companion.status(world.now), world.station().status(world.now)
    assert aboard.peers["a"].link.dropped["malformed_piece"] == 1
    assert below.link.dropped["malformed_piece"] == 1
