"""Both ends of the link in this process, on a clock that the measurement moves."""

import random
from dataclasses import dataclass, field
from typing import Final

from benchmarks.workload import heartbeat_frame
from crypto.initiator import Initiator
from crypto.pair import Identity, PairNames, PairRecord, Role, pair_in_lab
from crypto.responder import Reply, Responder
from flightcore.companion import Companion
from groundstation.station import Station

GROUND: Final = ("192.168.50.2", 40000)
MS: Final = 1_000_000
GROUND_NAME: Final = "station-a"


def lab_pair() -> tuple[PairRecord, PairRecord, random.Random]:
    """Return throw-away records of both ends, and the source they came from."""
    source = random.Random(20261121)
    drone, ground = Identity.create(source.randbytes), Identity.create(source.randbytes)
    names = PairNames("tsubame-1", GROUND_NAME, Role.COMMANDER)
    return *pair_in_lab(drone, ground, names, source.randbytes), source


@dataclass
class LinkEnds:
    """The two ends of SL1 alone."""

    now: int
    initiator: Initiator
    responder: Responder

    @classmethod
    def established(cls) -> "LinkEnds":
        """Return both ends after their first handshake."""
        for_drone, for_ground, source = lab_pair()
        ends = cls(
            10**12,
            Initiator(for_ground, 1, source.randbytes),
            Responder([for_drone], 1, source.randbytes),
        )
        ends.handshake()
        return ends

    def hello(self) -> bytes:
        """Return HS1 of a handshake that is due because the keys have grown old."""
        self.now += 130_000 * MS
        (hello,) = self.initiator.outgoing(self.now)
        return hello

    def handshake(self) -> None:
        """Make new keys: HS1, HS2, and the frame each way that proves them."""
        (reply,) = self.responder.receive(self.hello(), GROUND, self.now)
        assert isinstance(reply, Reply)
        self.initiator.receive(reply.datagram, self.now)
        assert self.responder.receive(self.up(b""), GROUND, self.now)
        assert self.initiator.receive(self.down(b""), self.now)

    def up(self, records: bytes) -> bytes:
        """Seal towards the drone."""
        sealed = self.initiator.seal(records, self.now)
        assert sealed is not None
        return sealed

    def down(self, records: bytes) -> bytes:
        """Seal towards the ground."""
        sealed = self.responder.seal(GROUND_NAME, records, self.now)
        assert sealed is not None
        return sealed[0]


@dataclass
class CoreEnds:
    """The whole companion and the whole station."""

    now: int
    companion: Companion
    station: Station
    delivered: list[bytes] = field(default_factory=list)

    @classmethod
    def established(cls) -> "CoreEnds":
        """Return both ends with a live link and a known, disarmed vehicle."""
        for_drone, for_ground, source = lab_pair()
        ends = cls(
            10**12,
            Companion([for_drone], 1, source.randbytes),
            Station(for_ground, 1, source.randbytes),
        )
        ends.companion.receive_line(heartbeat_frame(), ends.now)
        for _ in range(50):
            ends.step(10)
        assert ends.station.is_live(ends.now)
        return ends

    def step(self, ms: int) -> None:
        """Let time pass and everything that is due cross the air."""
        self.now += ms * MS
        self.station.tick(self.now)
        self.companion.tick(self.now)
        for record in self.station.custody.outgoing_saves():
            self.station.custody.saved(record)
        for item in self.companion.outgoing_saves():
            self.companion.saved(item, self.now)
        for datagram, _ in self.station.outgoing():
            self.companion.receive_link(datagram, GROUND, self.now)
        for datagram, _ in self.companion.outgoing_link():
            self.delivered.append(self.station.receive_link(datagram, self.now))
