"""Two commanders, a supervisor and an observer ask for command as they like; one has it.

The model writes down what was given when, under which true epoch, and what the disk said. Claims:
a command that executes was given under the present epoch by the one holder that is on disk; the
epoch never goes back and grows by one with each change; who becomes holder asked for it in this
epoch, and was offered it by the holder, or found the holder gone, or is the supervisor; of each
epoch at most one station is ever told that it holds it. The attacker holds back, drops, repeats
and reorders; the disk is slow, fails, and the drone crashes before and after writes.

Mutants killed: no comparison of epochs; the holder is not asked for; epoch not raised; an offer
outlives its epoch; a change holds before it is saved; a claim without the lease; a claim without
its second step; a confirmation outlives its epoch; a failed write holds.
"""

import os
import random
from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.pair import Role
from flightcore.authority import LEASE_NS, OFFER_NS, AuthorityState
from flightcore.policy import Freshness
from tests.world import MS, World, command
from wire.authority import NOBODY, Flag, Verb

EXAMPLES = int(os.environ.get("SEKISHO_EXAMPLES", "1"))
ROLES = {"a": Role.COMMANDER, "b": Role.COMMANDER, "s": Role.SUPERVISOR, "o": Role.OBSERVER}
NAMES = st.sampled_from(["a", "a", "b", "b", "s", "o"])
TAKING = {Verb.ACCEPT, Verb.CLAIM, Verb.PREEMPT}
MAX_AGE_NS = Freshness.COMMAND


class SlowWorld(World):
    """A world whose drone writes when it is told to."""

    def write(self):
        if not hasattr(self, "waiting"):
            self.waiting, self.mode, self.on_change = deque(), "works", lambda state, asked: None
        self.waiting += [(self.now, item) for item in self.companion.outgoing_saves()]
        while self.waiting and self.mode != "slow":
            self.write_one()
        self.companion.outgoing_saves, real = (lambda: []), self.companion.outgoing_saves
        super().write()
        self.companion.outgoing_saves = real

    def write_one(self):
        asked_ns, item = self.waiting.popleft()
        if self.mode == "fails":
            self.companion.save_failed(item, self.now)
            return
        self.put(item, asked_ns)
        self.companion.saved(item, self.now)

    def put(self, item, asked_ns):
        if isinstance(item, AuthorityState):
            self.on_change(item, asked_ns)
            self.authority_on_disk = item
        else:
            self.pairs_on_disk[item.peer] = item


class Command(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed):
        self.world = world = SlowWorld(random.Random(seed).randbytes, ROLES)
        self.ids = {name: ground.disk.gcs_id for name, ground in world.grounds.items()}
        self.held = []
        self.holding = set()
        self.given = {}  # number -> (name, true epoch)
        self.asked = []  # (when, name, verb, about, true epoch)
        self.disturbed = dict.fromkeys(ROLES, world.now)  # when its frames were last held back
        self.heard = {name: [0] for name in ROLES}  # when they came as they should
        self.told = {}  # epoch -> who was told to hold it
        world.write()
        world.on_change = self.changes
        world.up = self.up
        self.run(2000)

    def up(self, name, datagram, _):
        if name not in self.holding:
            if self.world.now - self.disturbed[name] > 3000 * MS:
                self.heard[name].append(self.world.now)
            return [datagram]
        self.held = [*self.held[-200:], (name, datagram)]
        return []

    def changes(self, new, asked_ns):
        """Something granted at `asked_ns` reaches the disk: the model tells whether it may."""
        old = self.world.authority_on_disk
        if old.holder == NOBODY:
            assert new.epoch == old.epoch
            assert new.holder in (self.ids["a"], self.ids["b"], self.ids["s"])
            return
        assert new.epoch == old.epoch + 1
        (taker,) = [name for name, station in self.ids.items() if station == new.holder]
        (holder,) = [name for name, station in self.ids.items() if station == old.holder]
        assert taker != holder
        here = [entry for entry in self.asked if entry[4] == old.epoch]
        verbs = {verb for when, name, verb, _, _ in here if name == taker and verb in TAKING}
        # A request is repeated for 5 s and may be held back for as long as it is fresh.
        recent = asked_ns - OFFER_NS - 5000 * MS - MAX_AGE_NS
        offers = [
            entry
            for entry in here
            if entry[0] >= recent and entry[1:4] == (holder, Verb.HAND_OVER, new.holder)
        ]
        is_lost = asked_ns - max(t for t in self.heard[holder] if t <= asked_ns) >= LEASE_NS
        assert (
            (Verb.PREEMPT in verbs and ROLES[taker] is Role.SUPERVISOR)
            or (Verb.ACCEPT in verbs and offers)
            or (Verb.CLAIM in verbs and is_lost)
        ), f"{taker} takes command from {holder}, having asked {verbs}"
        assert ROLES[taker] is not Role.OBSERVER

    def check(self):
        world = self.world
        on_disk = world.authority_on_disk
        for frame in world.line:
            if frame[5] != 255:
                continue
            number = int(dialect.MAVLink(None).decode(bytearray(frame)).param3)
            name, epoch = self.given.pop(number)  # and so at most once
            assert on_disk.holder == self.ids[name], "a command of somebody who does not command"
            assert on_disk.epoch == epoch, "a command of an earlier epoch"
        world.line.clear()
        for name, ground in world.grounds.items():
            state = ground.station.command.state
            if state is not None and Flag.HOLDER in state.flags:
                assert self.told.setdefault(state.epoch, name) == name, "two were told"
                assert state.epoch <= on_disk.epoch, "told before it was on disk"

    @rule(ms=st.sampled_from([20, 100, 500, 2000, 6000, 16_000]))
    def run(self, ms):
        step = 20 if ms <= 500 else 100
        for _ in range(0, ms, step):
            self.world.run(step, step)
            for name in self.holding:
                self.disturbed[name] = self.world.now
            self.check()

    @rule(name=NAMES)
    def give(self, name):
        number = len(self.asked) + len(self.given) + self.world.now // MS
        while number in self.given:
            number += 1
        number %= 1 << 24  # a float holds it
        self.given[number] = (name, self.world.authority_on_disk.epoch)
        self.world.station(name).send([command(115, 0, 0, number)], self.world.now)

    @rule(name=NAMES, verb=st.sampled_from([v for v in Verb if v is not Verb.SUSPEND]), about=NAMES)
    def ask(self, name, verb, about):
        world = self.world
        entry = (world.now, name, verb, self.ids[about], world.authority_on_disk.epoch)
        self.asked.append(entry)
        world.station(name).command.request(verb, self.ids[about], world.now)

    @rule(giver=NAMES, taker=NAMES)
    def hand_over(self, giver, taker):
        """The order in which it works; the rest is up to the air and the disk."""
        self.ask(giver, Verb.HAND_OVER, taker)
        self.run(100)
        self.ask(taker, Verb.ACCEPT, giver)
        self.run(100)

    @rule(name=NAMES)
    def hold(self, name):
        self.holding.add(name)
        self.disturbed[name] = self.world.now

    @rule()
    def let_go(self):
        self.holding.clear()

    @rule(data=st.data())
    def release(self, data):
        if self.held:
            start = data.draw(st.integers(0, len(self.held) - 1))
            for name, datagram in self.held[start : start + data.draw(st.integers(1, 40))]:
                self.world.receive_up(name, datagram)
                self.world.write()
                self.check()

    @rule(mode=st.sampled_from(["works", "works", "fails", "slow"]))
    def set_disk(self, mode):
        self.world.mode = mode
        self.world.write()
        self.check()

    @rule(count=st.integers(0, 2))
    def crash(self, count):
        world = self.world
        for asked_ns, item in list(world.waiting)[:count]:
            world.put(item, asked_ns)
        world.waiting.clear()
        world.boot()
        for name in ROLES:
            self.disturbed[name] = world.now

    @rule(name=NAMES)
    def restart_ground(self, name):
        self.world.grounds[name].boot()
        self.disturbed[name] = self.world.now

    def teardown(self):
        """When all is well again the holder commands, and nobody else."""
        if not hasattr(self, "world"):
            return
        self.let_go()
        self.set_disk("works")
        self.run(6000)
        able = [name for name in ROLES if self.world.executes(command(20), name, 100)]
        holder = self.world.authority_on_disk.holder
        assert [self.ids[name] for name in able] == [holder]


TestCommand = Command.TestCase
TestCommand.settings = settings(max_examples=30 * EXAMPLES, stateful_step_count=30, deadline=None)
