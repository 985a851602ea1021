"""Station: a paired drone may seal any payload; the ground gives out whole frames and never raises.

A drone can waste its own ground's time; it cannot make it ask for anything, or confirm anything.
"""

import random

from crypto.responder import Responder
from groundstation.station import Station
from tests.fuzz.ends import FRAMES, HEARTBEAT, MS, PATH, pair
from wire.authority import Answer, Flag, State
from wire.fragments import Fragmenter
from wire.locality import UDP
from wire.mavlink import frame_bytes_untrusted
from wire.records import AUTHORITY, CHALLENGE, CHUNK, CHUNK_ACK, DroneStatus, encode_record


class Target:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._records = pair(rng)
        self._restart()
        state = State(0, bytes(16), Flag.HOLDER, 0, Answer.NONE, 0)
        self.seeds = [
            *FRAMES,
            HEARTBEAT,
            bytes.fromhex("fd010000000101000000000000"),  # a heartbeat of zeros, as it is sent
            *Fragmenter().cut(FRAMES[6]),
            DroneStatus(5, 0, is_holder=True).encode(),
            encode_record(AUTHORITY, state.encode()),
            encode_record(CHALLENGE, bytes(8) + FRAMES[1]),
            encode_record(CHUNK, bytes((2, 1, 24, 25)) + bytes(48)),
            encode_record(CHUNK_ACK, bytes((1, 1, 25, 255, 255, 255, 1))),
        ]
        self.seeds.append(b"".join(self.seeds[-5:]) + bytes(20))

    def _restart(self) -> None:
        self._now, self._count = 10**12, 0
        self._drone = Responder([self._records[0]], 1, self._rng.randbytes)
        self._station = Station(self._records[1], 1, self._rng.randbytes)
        self._exchange()
        self._exchange()

    def _exchange(self) -> None:
        self._station.tick(self._now)
        for datagram, _ in self._station.outgoing():
            for event in self._drone.receive(datagram, PATH, self._now):
                if hasattr(event, "datagram"):
                    self._station.receive_link(event.datagram, self._now)
        self._station.custody.outgoing_saves()

    def take(self, data: bytes) -> None:
        self._count += 1
        if self._count == 50_000:
            self._restart()
        self._now += MS
        sealed, _ = self._drone.seal("a", data[: 1200 - 21], self._now)
        out = self._station.receive_link(sealed, self._now, UDP)
        at = 0
        while at < len(out):
            at += frame_bytes_untrusted(out, at)
        assert at == len(out)
        self._exchange()
        assert not self._station.command.is_waiting
        assert self._station.command._answers == []

    def finish(self) -> None:
        """The station still hears its drone."""
        assert self._station.is_live(self._now)
        assert len(self._station.dropped) < 20
