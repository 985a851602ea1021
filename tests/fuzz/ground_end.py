"""Initiator.receive: nobody without the pair's secrets moves the ground to another session.

Half of the inputs carry a MAC that fits, as an insider's would who has the MAC key and no other.
"""

import random
from collections import deque

from crypto.messages import HS2_BYTES, add_mac
from crypto.primitives import MAC_BYTES
from tests.fuzz.ends import PATH, Ends


class Target:
    def __init__(self, rng: random.Random) -> None:
        self._ends = ends = Ends(rng)
        self._rng = rng
        self._session = ends.ground.session
        self._used_up = 0
        self._answers: deque[bytes] = deque(maxlen=4)
        self.seeds = [b"", ends.hs1, ends.hs2, ends.unseen_down, ends.unseen_up]
        ends.ground.rekey()
        self._begin()

    def _begin(self) -> None:
        """Have a handshake under way, so that HS2 is looked at in earnest."""
        ends = self._ends
        ends.now += 1_300_000_000
        hs1 = ends.ground.outgoing(ends.now)[0]
        self.seeds[0] = ends.drone.receive(hs1, PATH, ends.now)[0].datagram
        self._answers.append(self.seeds[0])

    def take(self, data: bytes) -> None:
        ends = self._ends
        if len(data) == HS2_BYTES and self._rng.random() < 0.5:
            record = ends.records[1]
            data = add_mac(record.profile, record.mac_responder_key, data[:-MAC_BYTES])
        if data in (*self._answers, ends.down, ends.unseen_down):
            return
        dropped = ends.ground.dropped.total()
        assert ends.ground.receive(data, ends.now) == []
        assert ends.ground.dropped.total() == dropped + 1
        assert ends.ground.session is self._session
        if ends.ground.dropped["bad_handshake"] > self._used_up:  # with the MAC key one can do that
            self._used_up = ends.ground.dropped["bad_handshake"]
            self._begin()

    def finish(self) -> None:
        """Check that a genuine answer is still good."""
        self._begin()
        self._ends.ground.receive(self.seeds[0], self._ends.now)
        assert self._ends.ground.session is not self._session
