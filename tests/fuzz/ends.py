"""Real ends of one link for the targets: paired, connected, on a clock that a target moves."""

import random

from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.initiator import Initiator
from crypto.pair import Identity, PairNames, PairRecord, Role, pair_in_lab
from crypto.responder import Responder

MS = 1_000_000
PATH = ("192.168.50.2", 40000)


def pack(message, sysid: int = 255, compid: int = 190) -> bytes:
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=sysid, srcComponent=compid)))


HEARTBEAT = pack(dialect.MAVLink_heartbeat_message(2, 3, 1, 0, 3, 3), 1, 1)
FRAMES = [
    pack(dialect.MAVLink_command_long_message(1, 1, 400, 0, 1, 0, 0, 0, 0, 0, 0)),
    pack(dialect.MAVLink_command_long_message(1, 1, 400, 0, 0, 21196, 0, 0, 0, 0, 0)),
    pack(dialect.MAVLink_command_int_message(1, 1, 3, 192, 0, 0, 1, 0, 0, 0, 5, 6, 7)),
    pack(dialect.MAVLink_param_set_message(1, 1, b"FENCE_ENABLE", 0.0, 2)),
    pack(dialect.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3)),
    pack(dialect.MAVLink_manual_control_message(1, 10, 20, 30, 40, 5)),
    pack(dialect.MAVLink_file_transfer_protocol_message(0, 1, 1, [1, 0, 0, 4, *[7] * 247])),
    pack(dialect.MAVLink_set_position_target_local_ned_message(0, 1, 1, 1, 0, *[1.0] * 11)),
    pack(dialect.MAVLink_mission_item_int_message(1, 1, 0, 3, 16, 0, 1, *[0.0] * 4, 1, 2, 3.0)),
]


def pair(rng: random.Random, role: Role = Role.COMMANDER) -> tuple[PairRecord, PairRecord]:
    drone, ground = Identity.create(rng.randbytes), Identity.create(rng.randbytes)
    return pair_in_lab(drone, ground, PairNames("tsubame-1", "a", role), rng.randbytes)


class Ends:
    """Both ends of a link without anything above them, connected."""

    def __init__(self, rng: random.Random) -> None:
        self.now = 10**12
        self.records = pair(rng)
        self.drone = Responder([self.records[0]], 1, rng.randbytes)
        self.ground = Initiator(self.records[1], 1, rng.randbytes)
        self.hs1 = self.ground.outgoing(self.now)[0]
        self.hs2 = self.drone.receive(self.hs1, PATH, self.now)[0].datagram
        self.ground.receive(self.hs2, self.now)
        self.up = self.ground.seal(b"", self.now)
        self.drone.receive(self.up, PATH, self.now)
        self.down = self.drone.seal("a", b"", self.now)[0]
        self.ground.receive(self.down, self.now)
        self.unseen_up = self.ground.seal(FRAMES[0], self.now)
        self.unseen_down = self.drone.seal("a", HEARTBEAT, self.now)[0]
