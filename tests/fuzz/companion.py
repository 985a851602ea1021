"""Companion: a paired station may seal any payload; an observer moves nothing, nobody raises.

What reaches the autopilot is whole frames that were in a payload and that the policy lets pass.
"""

import random

from crypto.initiator import Initiator
from crypto.pair import Role
from flightcore.companion import Companion
from flightcore.policy import FlightState, Refuse, judge
from tests.fuzz.ends import FRAMES, HEARTBEAT, MS, PATH, pair
from wire.authority import NOBODY, Request, Verb
from wire.fragments import Fragmenter
from wire.mavlink import FrameSplitter
from wire.records import AUTHORITY, CHUNK, CHUNK_ACK, CONFIRM, encode_record


class Target:
    ROLE = Role.COMMANDER

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._records = pair(rng, self.ROLE)
        self._restart()
        requests = [Request(verb, 1, NOBODY).encode() for verb in Verb]
        ek = bytes((1, 1, 0, 25)) + bytes(64)
        self.seeds = [
            *FRAMES,
            *Fragmenter().cut(FRAMES[6]),
            *(encode_record(AUTHORITY, value) for value in requests),
            encode_record(CONFIRM, bytes(24)),
            encode_record(CHUNK, ek),
            encode_record(CHUNK_ACK, bytes((2, 1, 25, 255, 255, 255, 1))),
        ]
        self.seeds.append(b"".join(self.seeds[-3:]) + FRAMES[0] + bytes(20))
        self._line = FrameSplitter()

    def _restart(self) -> None:
        self._now, self._count = 10**12, 0
        self._companion = Companion([self._records[0]], 1, self._rng.randbytes)
        self._ground = Initiator(self._records[1], 1, self._rng.randbytes)
        self._companion.receive_line(HEARTBEAT, self._now)
        self._companion.receive_link(self._ground.outgoing(self._now)[0], PATH, self._now)
        self._hear()

    def take(self, data: bytes) -> None:
        self._count += 1
        if self._count == 50_000:  # well before keys are old
            self._restart()
        self._now += MS
        companion = self._companion
        self._ground.authority_epoch = companion.arbiter.authority.state.epoch
        payload = data[: 1200 - 25]
        companion.receive_link(self._ground.seal(payload, self._now), PATH, self._now)
        if self._count % 16 == 0:
            companion.receive_line(HEARTBEAT, self._now)
        companion.tick(self._now)
        for item in companion.outgoing_saves():
            companion.saved(item, self._now)
        companion.outgoing_notes()
        self._hear()
        for frame in self._line.receive(companion.outgoing_line()):
            if frame[5] == 255:
                self._passed(frame)

    def _hear(self) -> None:
        for datagram, _ in self._companion.outgoing_link():
            self._ground.receive(datagram, self._now)

    def _passed(self, frame: bytes) -> None:
        assert not isinstance(judge(frame, self.ROLE, 1, FlightState.DISARMED), Refuse)

    def finish(self) -> None:
        """The session is still the one that was made."""
        station = self._companion.stations["a"]
        assert station.peer.live is not None
        assert len(station.uplink.dropped) < 40


class Observer(Target):
    ROLE = Role.OBSERVER

    def _passed(self, frame: bytes) -> None:
        raise AssertionError(f"an observer's frame reached the line: {frame.hex()}")

    def finish(self) -> None:
        """Command is still nobody's."""
        super().finish()
        assert not self._companion.arbiter.authority.is_held()
