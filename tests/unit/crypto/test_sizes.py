"""What the link costs on the air, from its own encoder."""

import pytest

from crypto.initiator import Initiator
from crypto.responder import Responder
from wire.records import padded

PATH = ("192.168.50.2", 40000)


@pytest.fixture
def ends(pair, random_bytes):
    drone, ground = Responder([pair[0]], 1, random_bytes), Initiator(pair[1], 1, random_bytes)
    (hs1,) = ground.outgoing(0)
    (reply,) = drone.receive(hs1, PATH, 0)
    ground.receive(reply.datagram, 0)
    drone.receive(ground.seal(b"", 0), PATH, 0)
    return drone, ground, hs1, reply.datagram


def test_handshake(ends):
    _, _, hs1, hs2 = ends
    assert (len(hs1), len(hs2)) == (76, 84)


@pytest.mark.parametrize("size", [0, 1, 44, 280, 1100])
def test_a_frame_costs_21_bytes_down_and_25_up(ends, pair, size):
    drone, ground, _, _ = ends
    down, _ = drone.seal(pair[0].peer, bytes(size), 0)
    assert (len(down) - size, len(ground.seal(bytes(size), 0)) - size) == (21, 25)


@pytest.mark.parametrize(
    ("records", "on_air"), [(0, 96), (71, 96), (72, 160), (215, 240), (216, 480), (1175, 1200)]
)
def test_padded_lengths(ends, records, on_air):
    _, ground, _, _ = ends
    assert len(ground.seal(padded(bytes(records), 25), 0)) == on_air
