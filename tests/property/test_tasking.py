"""Two commanders and an observer ask for verbs as they like; an attacker holds, repeats, reorders.

The model writes down when each request left its ground, and who commanded since when. Claims: a
request is carried out at most once, for the station that is in command on disk, by a frame that
left it since command last changed and no longer ago than its class allows; and never after a later
one of the same station. Once the air is good, the last request of the station in command is
answered.

Mutants killed: the holder not asked for; an overtaken request carried out; neither freshness nor
epoch of a verb asked for.
"""

import os
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from crypto.pair import Role
from flightcore.policy import Freshness
from tests.world import MS, World
from wire.authority import Verb
from wire.tasking import FlyAnswer, FlyVerb

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("SEKISHO_EXAMPLES", "1"))
ROLES = {"a": Role.COMMANDER, "b": Role.COMMANDER, "o": Role.OBSERVER}
NAMES = st.sampled_from(["a", "a", "b", "b", "o"])
LIMITS = {
    FlyVerb.PAUSE: Freshness.SAFE,
    FlyVerb.ABORT: Freshness.SAFE,
    FlyVerb.CLEAR: Freshness.COMMAND,
}


class Asking(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed):
        self.rng = random.Random(seed)
        self.world = world = World(self.rng.randbytes, ROLES)
        self.sent = {}  # (name, number) -> when it left
        self.done = {name: [] for name in ROLES}  # numbers in the order in which they were asked
        self.order = {name: [] for name in ROLES}
        self.changed_ns = 0
        self.epoch = 0
        self.holds = dict.fromkeys(ROLES, 0.0)
        self.held = []
        for name, ground in world.grounds.items():
            self.listen(name, ground.station.task)
        tasking = world.companion.tasking
        carry_out = tasking._do

        def watched(request, now_ns):
            self.check(request, now_ns)
            return carry_out(request, now_ns)

        tasking._do = watched
        world.up = self.up
        world.run(3000)

    def listen(self, name, task):
        leave = task.outgoing

        def outgoing(now_ns):
            records = leave(now_ns)
            if records:
                self.sent.setdefault((name, task._request.number), []).append(now_ns)
            return records

        task.outgoing = outgoing

    def up(self, name, datagram, path):
        if self.rng.random() < self.holds[name]:
            self.held.append((name, datagram, path))
            return []
        return [datagram]

    def holder(self):
        state = self.world.authority_on_disk
        if state.epoch != self.epoch:
            self.epoch, self.changed_ns = state.epoch, self.world.now - 50 * MS
        ids = {ground.disk.gcs_id: name for name, ground in self.world.grounds.items()}
        return ids.get(state.holder)

    def check(self, request, now_ns):
        name = self.holder()
        assert name is not None
        number = request.number
        assert (name, number) in self.sent, "asked by nobody who is in command"
        assert number not in self.done[name], "carried out twice"
        later = self.order[name][self.order[name].index(number) + 1 :]
        assert not set(later) & set(self.done[name]), "after a later one"
        self.done[name].append(number)
        oldest = max(now_ns - LIMITS[request.verb], self.changed_ns)
        assert any(when >= oldest for when in self.sent[name, number]), (
            "too old, or of another time"
        )

    @rule(name=NAMES, verb=st.sampled_from(list(LIMITS)))
    def ask(self, name, verb):
        task = self.world.station(name).task
        task.request(verb, bytes(8), self.world.now)
        self.order[name].append(task._request.number)
        self.run(30)

    @rule(ms=st.sampled_from([50, 400, 1600, 4000]))
    def run(self, ms):
        for _ in range(0, ms, 50):
            self.world.run(50)
            self.holder()

    @rule(name=NAMES, share=st.sampled_from([0.0, 0.5, 1.0]))
    def hold(self, name, share):
        self.holds[name] = share

    @rule(share=st.sampled_from([0.3, 1.0]), keep=st.booleans())
    def release(self, share, keep):
        """Let out what was held back, in any order, and perhaps once more later."""
        out = [entry for entry in self.held if self.rng.random() < share]
        self.rng.shuffle(out)
        for name, datagram, path in out:
            self.world.receive_up(name, datagram, path)
        if not keep:
            self.held.clear()
        self.run(50)

    @rule(
        name=NAMES, verb=st.sampled_from(list(LIMITS)), ms=st.sampled_from([100, 900, 1400, 5000])
    )
    def hold_one_request(self, name, verb, ms):
        """All its repetitions arrive at once, in any order, or those of some datagrams."""
        self.holds[name] = 1.0
        self.ask(name, verb)
        self.run(ms)
        self.holds[name] = 0.0
        self.release(self.rng.choice((0.4, 1.0)), self.rng.random() < 0.5)

    @rule(count=st.integers(1, 40))
    def replay(self, count):
        captured = self.world.captured_up[-200:]
        for _ in range(count):
            name, datagram, path = self.rng.choice(captured)
            self.world.receive_up(name, datagram, path)
        self.run(50)

    @rule()
    def hand_over(self):
        """Command goes from one commander to the other, if the air lets it."""
        holder = self.holder()
        if holder is None:
            return
        other = "b" if holder == "a" else "a"
        stations = self.world.grounds
        stations[holder].station.command.request(
            Verb.HAND_OVER, stations[other].disk.gcs_id, self.world.now
        )
        self.run(400)
        stations[other].station.command.request(Verb.ACCEPT, bytes(16), self.world.now)
        self.run(600)

    def teardown(self):
        if not hasattr(self, "world"):
            return
        self.holds = dict.fromkeys(ROLES, 0.0)
        self.run(8000)
        name = self.holder()
        self.ask(name, FlyVerb.PAUSE)
        self.run(1000)
        task = self.world.station(name).task
        assert not task.is_waiting
        assert task.answer is FlyAnswer.REFUSED  # nothing is flown here
        assert self.done[name][-1] == self.order[name][-1]


TestAsking = Asking.TestCase
TestAsking.settings = settings(
    max_examples=12 * EXAMPLES,
    stateful_step_count=25,
)
