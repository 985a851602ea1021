"""Responder.receive: nobody without the pair's secrets gets an answer, a session or an exception.

Half of the inputs carry a MAC that fits, as an insider's would who has the MAC key and no other.
"""

import random

from crypto.messages import HS1_BYTES, add_mac
from crypto.primitives import MAC_BYTES
from tests.fuzz.ends import PATH, Ends


class Target:
    def __init__(self, rng: random.Random) -> None:
        self._ends = ends = Ends(rng)
        self._rng = rng
        self._genuine = {ends.hs1, ends.up, ends.unseen_up}
        self.seeds = [ends.hs1, ends.hs2, ends.up, ends.unseen_up, ends.down, ends.unseen_down]
        self._live = ends.drone.peers["a"].live

    def take(self, data: bytes) -> None:
        ends = self._ends
        if len(data) == HS1_BYTES and self._rng.random() < 0.5:
            record = ends.records[0]
            data = add_mac(record.profile, record.mac_initiator_key, data[:-MAC_BYTES])
        if data in self._genuine:
            return
        ends.now += 1000
        dropped = ends.drone.dropped.total()
        assert ends.drone.receive(data, ("10.0.0.66", 666), ends.now) == []
        assert ends.drone.dropped.total() == dropped + 1
        peer = ends.drone.peers["a"]
        assert (peer.live, peer.path, len(peer.sessions)) == (self._live, PATH, 1)

    def finish(self) -> None:
        """Check that the genuine frame still passes."""
        assert len(self._ends.drone.receive(self._ends.unseen_up, PATH, self._ends.now)) == 1
