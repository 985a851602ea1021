"""The drone's sessions of two grounds against plain lists: which frames open, and which never.

Mutants killed (docs/decisions/0014-mutants.md): an index is used again; ephemeral ring removed;
five provisional sessions; live session replaced by HS1; previous session dropped at once; previous
session kept for good; provisional sessions never expire; the newest provisional goes; token bucket
of eleven; token bucket removed; what was begun before the adopted is kept.
"""

import os
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from crypto.generation import Opened
from crypto.initiator import Initiator
from crypto.pair import Identity, PairNames, Role, pair_in_lab
from crypto.responder import Established, Reply, Responder
from crypto.sessions import Phase

EXAMPLES = int(os.environ.get("SEKISHO_EXAMPLES", "1"))
S = 1_000_000_000
# What docs/protocol.md says, not what the code says.
PREVIOUS_LIFETIME_NS = 3 * S
PROVISIONAL_LIFETIME_NS = 5 * S
PROVISIONAL_PER_PEER = 4
PATH = ("192.168.50.2", 40000)
NAMES = st.sampled_from("ab")
WAITS = st.one_of(
    st.sampled_from([0, 1, S // 5, S, 3 * S - 1, 3 * S, 5 * S - 1, 5 * S]), st.integers(0, 6 * S)
)


class Model:
    """One ground's sessions: what the state diagram says, in lists."""

    def __init__(self):
        self.provisional = []  # (session, expires), the oldest first
        self.live = None
        self.previous = None  # (session, until)

    def tick(self, now):
        self.provisional = [(s, until) for s, until in self.provisional if now < until]
        if self.previous is not None and now >= self.previous[1]:
            self.previous = None

    def begin(self, session, now):
        self.provisional.append((session, now + PROVISIONAL_LIFETIME_NS))
        self.provisional = self.provisional[-PROVISIONAL_PER_PEER:]

    def opens(self):
        sessions = [s for s, _ in self.provisional]
        sessions += [] if self.live is None else [self.live]
        return sessions + ([] if self.previous is None else [self.previous[0]])

    def confirm(self, session, now):
        """A frame of a provisional session: it is adopted, and what was begun before it goes."""
        at = [s for s, _ in self.provisional].index(session)
        self.previous = None if self.live is None else (self.live, now + PREVIOUS_LIFETIME_NS)
        self.live = session
        self.provisional = self.provisional[at + 1 :]


class SessionTable(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed):
        self.random_bytes = random.Random(seed).randbytes
        drone = Identity.create(self.random_bytes)
        pairs = {
            name: pair_in_lab(
                drone,
                Identity.create(self.random_bytes),
                PairNames("tsubame-1", name, Role.COMMANDER),
                self.random_bytes,
            )
            for name in "ab"
        }
        self.grounds = {name: pair[1] for name, pair in pairs.items()}
        self.drone = Responder([pair[0] for pair in pairs.values()], 1, self.random_bytes)
        self.now = 10**12
        self.models = {name: Model() for name in pairs}
        self.sessions = []  # (name, ground's end), in the order of their HS1
        self.handshakes = []
        self.answered = {name: [] for name in pairs}

    @rule(name=NAMES)
    def begin(self, name):
        ground = Initiator(self.grounds[name], 1, self.random_bytes)
        (hs1,) = ground.outgoing(self.now)
        self.handshakes.append(hs1)
        events = self.drone.receive(hs1, PATH, self.now)
        # Ten at once, then five a second.
        answered = self.answered[name]
        if not events:
            assert sum(at > self.now - 3 * S for at in answered) >= 10, "refused for no reason"
            return
        (reply,) = events
        assert isinstance(reply, Reply)
        answered.append(self.now)
        for since in answered:
            burst = [at for at in answered if at >= since]
            assert len(burst) <= 10 + (self.now - since) * 5 // S, "more than the bucket holds"
        ground.receive(reply.datagram, self.now)
        self.sessions.append((name, ground))
        self.models[name].tick(self.now)
        self.models[name].begin(ground, self.now)

    @rule(seed=st.integers(0, 2**16))
    def wander(self, seed):
        """Sessions begun, confirmed and used while time passes: what single rules seldom reach."""
        rng = random.Random(seed)
        for _ in range(30):
            match rng.randrange(6):
                case 0 | 1:
                    self.begin(rng.choice("ab"))
                    self.use(1)
                case 2:
                    name = rng.choice("ab")
                    for _ in range(rng.randrange(1, 7)):
                        self.begin(name)
                case 3 | 4:
                    self.use(rng.choice([1, 2, 2, 3, 3, 4, 5, 6, 9]))
                case 5:
                    self.wait(rng.choice([0, S // 5, S, 3 * S - 1, 3 * S, 5 * S]))

    @rule(name=NAMES, count=st.integers(9, 13))
    def begin_many(self, name, count):
        for _ in range(count):
            self.begin(name)

    @rule(back=st.one_of(st.integers(1, 7), st.integers(1, 40)))
    def use(self, back):
        """A frame of any session there ever was."""
        if not self.sessions:
            return
        name, ground = self.sessions[-min(back, len(self.sessions))]
        model = self.models[name]
        events = self.drone.receive(ground.session.seal(b"", 0, self.now), PATH, self.now)
        if ground not in model.opens():
            assert events == []
            return
        adopts = ground in [s for s, _ in model.provisional]
        expected = [Established, Opened] if adopts else [Opened]
        assert [type(event) for event in events] == expected
        if adopts:
            model.confirm(ground, self.now)

    @rule(ns=WAITS)
    def wait(self, ns):
        self.now += ns
        self.drone.tick(self.now)
        for model in self.models.values():
            model.tick(self.now)

    @rule(data=st.data())
    def replay_handshake(self, data):
        if self.handshakes:
            hs1 = data.draw(st.sampled_from(self.handshakes))
            before = [peer.live for peer in self.drone.peers.values()]
            begun = {name: peer.generations for name, peer in self.drone.peers.items()}
            events = self.drone.receive(hs1, PATH, self.now)
            if events:  # one that the bucket had kept out, and which is new to the drone
                self.handshakes.remove(hs1)
                name = next(n for n in "ab" if self.drone.peers[n].generations != begun[n])
                self.answered[name].append(self.now)
                self.models[name].begin(None, self.now)
            assert [peer.live for peer in self.drone.peers.values()] == before

    @invariant()
    def indices_differ(self):
        if not hasattr(self, "drone"):
            return
        held = [session for peer in self.drone.peers.values() for session in peer.sessions]
        indices = [session.generation.local_index for session in held]
        assert len(set(indices)) == len(indices) == len(self.drone._sessions._open)
        for session in held:
            assert self.drone._sessions.at(session.generation.local_index) is session
            assert (session.generation is session.peer.live) == (session.phase is Phase.LIVE)


TestSessionTable = pytest.mark.slow(SessionTable.TestCase)
TestSessionTable.settings = settings(
    max_examples=30 * EXAMPLES,
    stateful_step_count=20,
)
