"""Two commanders, a supervisor and an observer ask for command as they like; one has it.

The model writes down what was given when, under which true epoch, and what the disk said. Claims:
a command that executes was given under the present epoch by the one holder that is on disk; the
epoch never goes back and grows by one with each change; who becomes holder asked for it seconds ago
and was offered it by the holder, or found the holder gone, or is the supervisor; of each
epoch at most one station is ever told that it holds it. The attacker holds back, drops, repeats
and reorders; the disk is slow, fails, and the drone crashes before and after writes.

Mutants killed (docs/decisions/0014-mutants.md): a change holds before it is saved; a claim without
the lease; a failed write holds; an observer asks; anybody accepts; anybody hands over; epoch not
raised; holder not kept across a restart; neither comparison of epochs; the holder is not asked for.
"""

import os
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.confirmation import VALID_NS
from crypto.pair import Role
from flightcore.authority import LEASE_NS, OFFER_NS
from flightcore.policy import Freshness
from groundstation.command import GIVE_UP_NS
from tests.world import MS, SlowWorld, command
from wire.authority import NOBODY, Flag, Verb

EXAMPLES = int(os.environ.get("SEKISHO_EXAMPLES", "1"))
ROLES = {"a": Role.COMMANDER, "b": Role.COMMANDER, "s": Role.SUPERVISOR, "o": Role.OBSERVER}
NAMES = st.sampled_from(["a", "a", "b", "b", "s", "o"])
TAKING = {Verb.ACCEPT, Verb.CLAIM, Verb.PREEMPT}
MAX_AGE_NS = Freshness.COMMAND


def parameter(value):
    message = dialect.MAVLink_param_set_message(1, 1, b"WPNAV_SPEED", value, 9)
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=255, srcComponent=190)))


class Command(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed):
        self.world = world = SlowWorld(random.Random(seed).randbytes, ROLES)
        self.ids = {name: ground.disk.gcs_id for name, ground in world.grounds.items()}
        self.held = []
        self.holding = set()
        self.given = {}  # number -> (name, true epoch)
        self.executed = set()
        self.is_over = False
        self.asked = []  # (when, name, verb, about)
        self.disturbed = dict.fromkeys(ROLES, world.now)  # when its frames were last held back
        self.heard = {name: [0] for name in ROLES}  # when they came as they should
        self.told = {}  # epoch -> who was told to hold it
        world.write()
        world.on_change = self.changes
        world.on_line = self.executes
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
        # A request is repeated for 5 s, may be held back for as long as it is fresh, and a claim
        # waits for its second step.
        recent = [e for e in self.asked if e[0] >= asked_ns - GIVE_UP_NS - MAX_AGE_NS - VALID_NS]
        verbs = {verb for _, name, verb, _ in recent if name == taker and verb in TAKING}
        offers = [
            when
            for when, name, verb, about in self.asked
            if (name, verb, about) == (holder, Verb.HAND_OVER, new.holder)
            and when >= asked_ns - OFFER_NS - GIVE_UP_NS - MAX_AGE_NS
        ]
        is_lost = asked_ns - max(t for t in self.heard[holder] if t <= asked_ns) >= LEASE_NS
        assert (
            (Verb.PREEMPT in verbs and ROLES[taker] is Role.SUPERVISOR)
            or (Verb.ACCEPT in verbs and offers)
            or (Verb.CLAIM in verbs and is_lost)
        ), f"{taker} takes command from {holder}, having asked {verbs}"
        assert ROLES[taker] is not Role.OBSERVER

    def executes(self, frame):
        if frame[5] != 255 or self.is_over:
            return
        message = dialect.MAVLink(None).decode(bytearray(frame))
        number = int(getattr(message, "param3", getattr(message, "param_value", 0)))
        name, epoch = self.given[number]
        assert number not in self.executed, "executed twice"
        self.executed.add(number)
        on_disk = self.world.authority_on_disk
        assert on_disk.holder == self.ids[name], "a command of somebody who does not command"
        assert on_disk.epoch == epoch, "a command of an earlier epoch"

    def check(self):
        on_disk = self.world.authority_on_disk
        for name, ground in self.world.grounds.items():
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
        number = len(self.given) + 1
        self.given[number] = (name, self.world.authority_on_disk.epoch)
        # They differ in how old they may be, and the last kind in that its order does not matter.
        land, turn = command(21, 0, 0, number), command(115, 0, 0, number)
        frame = (land, turn, parameter(number))[number % 3]
        self.world.station(name).send([frame], self.world.now)

    @rule(name=NAMES, verb=st.sampled_from([v for v in Verb if v is not Verb.SUSPEND]), about=NAMES)
    def ask(self, name, verb, about):
        world = self.world
        self.asked.append((world.now, name, verb, self.ids[about]))
        world.station(name).command.request(verb, self.ids[about], world.now)

    @rule(giver=NAMES, taker=NAMES)
    def hand_over(self, giver, taker):
        """The order in which it works; the rest is up to the air and the disk."""
        self.ask(giver, Verb.HAND_OVER, taker)
        self.run(100)
        self.ask(taker, Verb.ACCEPT, giver)
        self.run(100)

    @rule(one=NAMES, other=NAMES)
    def come_and_go(self, one, other):
        """Command goes away and comes back within the age of what was said before."""
        self.hold(one)
        self.give(one)
        self.run(20)
        self.let_go()
        self.hand_over(one, other)
        self.hand_over(other, one)
        self.release(60, 60)

    @rule(one=NAMES, other=NAMES)
    def offer_and_preempt(self, one, other):
        """An offer is open while command goes to somebody else."""
        self.ask(one, Verb.HAND_OVER, other)
        self.run(100)
        self.ask("s", Verb.PREEMPT, one)
        self.run(100)
        self.ask(other, Verb.ACCEPT, one)
        self.run(100)

    @rule(name=NAMES)
    def hold(self, name):
        self.holding.add(name)
        self.disturbed[name] = self.world.now

    @rule()
    def let_go(self):
        self.holding.clear()

    @rule(back=st.integers(1, 200), count=st.integers(1, 60))
    def release(self, back, count):
        for name, datagram in self.held[-back:][:count]:
            self.world.receive_up(name, datagram)
            self.world.write()
            self.check()

    @rule(seed=st.integers(0, 2**16))
    def wander(self, seed):
        """Many steps of which most make sense: what single rules seldom reach."""
        rng = random.Random(seed)
        for _ in range(25):
            holder = self.world.authority_on_disk.holder
            commander = next((n for n, station in self.ids.items() if station == holder), "a")
            other = rng.choice([name for name in ROLES if name != commander])
            match rng.randrange(12):
                case 0 | 1 | 2:
                    self.give(rng.choice([commander, commander, other]))
                    self.run(rng.choice([20, 100]))
                case 3 | 4:
                    self.hand_over(commander, other)
                case 5 | 10 if rng.random() < 0.5:
                    self.ask(other, rng.choice([Verb.ACCEPT, Verb.CLAIM, Verb.PREEMPT]), "a")
                    self.run(rng.choice([20, 500]))
                case 6:
                    self.come_and_go(commander, other)
                case 7:
                    self.release(200, rng.choice([1, 60, 200]))
                case 8 | 9:
                    self.set_disk(rng.choice(["works", "works", "fails", "slow"]))
                    if rng.random() < 0.4:
                        self.crash(rng.randrange(3))
                case 5 | 10:
                    self.offer_and_preempt(commander, other)
                case _:  # the holder falls silent and another finds it gone
                    self.hold(commander)
                    self.run(rng.choice([6000, 16_000]))
                    self.ask(other, Verb.CLAIM, "a")
                    self.run(500)
                    self.let_go()

    @rule(mode=st.sampled_from(["works", "works", "fails", "slow"]))
    def set_disk(self, mode):
        self.world.mode = mode
        self.world.write()
        self.check()

    @rule(count=st.integers(0, 2))
    def crash(self, count):
        self.world.crash(count)
        for name in ROLES:
            self.disturbed[name] = self.world.now

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
        self.is_over = True
        able = [name for name in ROLES if self.world.executes(command(20), name, 100)]
        holder = self.world.authority_on_disk.holder
        assert [self.ids[name] for name in able] == [holder]


TestCommand = pytest.mark.slow(Command.TestCase)
TestCommand.settings = settings(
    max_examples=25 * EXAMPLES,
    stateful_step_count=12,
)
