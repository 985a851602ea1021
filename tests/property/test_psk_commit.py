"""Two disks, two crashes away from each other, an air that loses: there is always a key to meet by.

The machine lets either end crash before, between and after its writes, writes that are slow or
fail, loss, reordering and replays, and the disk of one end put back by one write.
Claims: at any moment each end, in memory and on disk, shares a key with the other; sessions that
both ends call the same have the same keys, and no nonce is used twice; and when the air is good
again there is a session, the second slots are empty, both ends have one key, and the next ratchet
succeeds.

Mutants killed (docs/decisions/0014-mutants.md): drone answers the ratchet before its write; drone
promotes when HS1 comes; drone promotes when it has saved; ground uses a key before its write; one
PSK slot: the drone replaces its key; the old key is never given up.
"""

import os
import random
from collections import deque
from contextlib import ExitStack
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from crypto.pair import Identity, PairNames, Role, pair_in_lab
from flightcore.authority import AuthorityState
from flightcore.companion import Companion
from groundstation import custody as custody_module
from groundstation.station import Station
from tests.nonces import recorded

EXAMPLES = int(os.environ.get("SEKISHO_EXAMPLES", "1"))
MS = 1_000_000
S = 1000 * MS
STEP = 50 * MS
PATH = ("192.168.50.2", 40000)
RATCHET_EVERY_NS = 15 * S  # for a test that has not got ten minutes
LONGEST_S = 300  # an unfinished ratchet waits for the next session, which 120 s bring
SIDES = st.sampled_from(["drone", "ground"])


def share_key(one, other):
    return any(
        one.psk_of(g) == other.psk_of(g) is not None
        for g in (one.psk_generation, one.next_generation)
    )


class Disk:
    """What was written, the newest last, and what is still to be written."""

    def __init__(self, record):
        self.written = [record]
        self.waiting = deque()
        self.mode = "works"


class PskCommit(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self._patches = ExitStack()

    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed):
        self._patches.enter_context(
            mock.patch.object(custody_module, "RATCHET_EVERY_NS", RATCHET_EVERY_NS)
        )
        self._patches.enter_context(recorded())
        self.rng = random.Random(seed)
        drone, ground = (Identity.create(self.rng.randbytes) for _ in range(2))
        names = PairNames("tsubame-1", "a", Role.COMMANDER)
        records = pair_in_lab(drone, ground, names, self.rng.randbytes)
        self.disks = {"drone": Disk(records[0]), "ground": Disk(records[1])}
        self.now = 10**12
        self.boots = 0
        self.authority = AuthorityState()
        self.air = []  # (when, is_up, datagram)
        self.old = []  # what the attacker kept
        self.boot("drone")
        self.boot("ground")

    def boot(self, side):
        self.boots += 1
        disk = self.disks[side]
        disk.waiting.clear()
        if side == "drone":
            self.companion = Companion(
                [disk.written[-1]], self.boots, self.rng.randbytes, self.authority
            )
        else:
            self.station = Station(disk.written[-1], self.boots, self.rng.randbytes)

    def send(self, is_up, datagram, loss):
        self.old = [*self.old[-40:], (is_up, datagram)]
        if self.rng.random() >= loss:
            delay = self.rng.choice((1, 1, 1, 3, 12)) * STEP if loss else STEP
            self.air.append((self.now + delay, is_up, datagram))

    def deliver(self, is_up, datagram):
        if is_up:
            self.companion.receive_link(datagram, PATH, self.now)
        else:
            self.station.receive_link(datagram, self.now)
        self.collect()

    def collect(self):
        """Take what must be written, in order."""
        self.disks["drone"].waiting += self.companion.outgoing_saves()
        self.disks["ground"].waiting += self.station.custody.outgoing_saves()
        for side, disk in self.disks.items():
            while disk.waiting and disk.mode != "slow":
                self.write_one(side)

    def write_one(self, side):
        disk = self.disks[side]
        item = disk.waiting.popleft()
        core = self.companion if side == "drone" else self.station.custody
        now = (self.now,)
        if disk.mode == "fails":
            core.save_failed(*((item, *now) if side == "drone" else now))
            return
        self.put(disk, item)
        core.saved(*((item, *now) if side == "drone" else (item,)))

    def put(self, disk, item):
        if isinstance(item, AuthorityState):
            self.authority = item
        else:
            disk.written.append(item)

    @rule(ms=st.sampled_from([50, 100, 300, 1000, 4000]), loss=st.sampled_from([0, 0, 0.3, 0.7, 1]))
    def run(self, ms, loss):
        for _ in range(0, ms * MS, STEP):
            self.now += STEP
            self.companion.tick(self.now)
            self.station.tick(self.now)
            self.collect()
            for datagram, _ in self.station.outgoing():
                self.send(True, datagram, loss)
            for datagram, _ in self.companion.outgoing_link():
                self.send(False, datagram, loss)
            due = [entry for entry in self.air if entry[0] <= self.now]
            self.air = [entry for entry in self.air if entry[0] > self.now]
            for _, is_up, datagram in due:
                self.deliver(is_up, datagram)
            self.check()

    @rule(side=SIDES, mode=st.sampled_from(["works", "works", "fails", "slow"]))
    def set_disk(self, side, mode):
        self.disks[side].mode = mode
        self.collect()

    @rule(side=SIDES, count=st.integers(0, 2))
    def crash(self, side, count):
        """The first `count` writes that were under way are on disk, and nobody has been told."""
        disk = self.disks[side]
        for item in list(disk.waiting)[:count]:
            self.put(disk, item)
        self.boot(side)

    @rule(data=st.data())
    def replay(self, data):
        if self.old:
            self.deliver(*data.draw(st.sampled_from(self.old)))

    @rule(seed=st.integers(0, 2**16))
    def wander(self, seed):
        """Short steps around the writes of a ratchet: what single rules seldom reach."""
        rng = random.Random(seed)
        for _ in range(20):
            side = rng.choice(["drone", "ground"])
            match rng.randrange(8):
                case 0 | 1 | 2:
                    self.run(rng.choice([50, 100, 200, 400]), rng.choice([0, 0, 0.3, 0.6]))
                case 3:
                    self.run(rng.choice([1000, 2500, 6000]), rng.choice([0, 0, 0.3, 1]))
                case 4:
                    self.set_disk(side, rng.choice(["works", "works", "fails", "slow"]))
                case 5:
                    self.crash(side, rng.randrange(3))
                case 6:
                    for is_up, datagram in rng.sample(self.old, min(6, len(self.old))):
                        self.deliver(is_up, datagram)
                case 7:
                    self.disturb_a_ratchet(rng, side)
            self.check()

    @rule(side=SIDES)
    def put_back(self, side):
        """An old state of one disk, by one write, as a restored backup would be.

        Only while that leaves a key in common and no session under a later one is on its way: an
        end that forgets a key that the other has just confirmed cannot be helped.
        """
        disk = self.disks[side]
        if len(disk.written) == 1 or self.air:
            return
        old = disk.written[-2]
        others = self.records()["ground" if side == "drone" else "drone"]
        known = {old.psk_generation} | ({old.next_generation} if old.next_psk else set())
        used = {g.psk_generation for sessions in self.sessions() for g in sessions.values()}
        if used <= known and all(share_key(old, other) for other in others):
            disk.written.pop()
            self.boot(side)

    def disturb_a_ratchet(self, rng, side):
        """Wait until an end has filled its second slot, and put one of the disks back then."""
        filled = rng.choice(["drone", "ground"])
        for _ in range(int(1.1 * RATCHET_EVERY_NS / STEP)):
            if self.records()[filled][0].next_psk is not None:
                break
            self.run(STEP // MS, 0)
        self.put_back(side)

    def records(self):
        return {
            "drone": [self.companion.link.peers["a"].record, self.disks["drone"].written[-1]],
            "ground": [self.station._link.pair, self.disks["ground"].written[-1]],
        }

    def is_settled(self):
        records = [record for both in self.records().values() for record in both]
        return len({record.psk for record in records}) == 1 and not any(
            record.next_psk for record in records
        )

    def sessions(self):
        """Return the sessions of both ends by handshake hash."""
        peer, link = self.companion.link.peers["a"], self.station._link
        drone = [session.generation for session in peer.sessions]
        ground = [s.generation for s in (link._newest, link._previous) if s is not None]
        return {g.transcript: g for g in drone if g}, {g.transcript: g for g in ground}

    @invariant()
    def check(self):
        if not hasattr(self, "station"):
            return
        records = self.records()
        for drone in records["drone"]:
            for ground in records["ground"]:
                assert share_key(drone, ground), "no key in common"
        drones, grounds = self.sessions()
        for transcript in drones.keys() & grounds.keys():
            up, down = drones[transcript], grounds[transcript]
            assert (up._seal.key, up._open.key) == (down._open.key, down._seal.key)

    def heal(self):
        """The air is good and the disks work: all ends well, and goes on."""
        for side in self.disks:
            self.set_disk(side, "works")
        self.run(3000, 0)  # until a crash has been noticed
        self.run_until(lambda: self.is_settled() and self.station.is_live(self.now), "settled")
        generation = self.records()["drone"][0].psk_generation
        self.run_until(
            lambda: self.is_settled() and self.records()["drone"][0].psk_generation != generation,
            "another ratchet",
        )
        drones, _ = self.sessions()
        assert self.station._link.session.transcript in drones

    def run_until(self, condition, what):
        for _ in range(LONGEST_S):
            if condition():
                return
            self.run(1000, 0)
        raise AssertionError(f"not {what} after {LONGEST_S} s: {self.records()}")

    def teardown(self):
        try:
            if hasattr(self, "station"):
                self.heal()
        finally:
            self._patches.close()


TestPskCommit = pytest.mark.slow(PskCommit.TestCase)
TestPskCommit.settings = settings(
    max_examples=40 * EXAMPLES,
    stateful_step_count=10,
)
