"""An attacker may delay, drop, repeat and reorder in both directions: no old command executes.

The model keeps what the cores cannot know, when each command was really given, and checks every
execution against it. Three claims: no command executes twice; none executes later than its class
allows; executed commands keep the order in which they were given.
"""

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.pair import Identity, PairNames, Role, pair_in_lab
from flightcore.companion import Companion
from flightcore.policy import Freshness
from groundstation.station import Station
from wire.mavlink import FrameSplitter

MS = 1_000_000
GROUND = ("192.168.50.2", 40000)
HEARTBEAT = dialect.MAVLink_heartbeat_message(2, 3, 1, 0, 3, 3).pack(
    dialect.MAVLink(None, srcSystem=1, srcComponent=1)
)


class Mallory(RuleBasedStateMachine):
    """Every datagram goes through a pool from which the attacker releases what it likes."""

    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed):
        random_bytes = random.Random(seed).randbytes
        drone, ground = Identity.create(random_bytes), Identity.create(random_bytes)
        names = PairNames("tsubame-1", "station-a", Role.COMMANDER)
        self.pair = pair_in_lab(drone, ground, names, random_bytes)
        self.random_bytes = random_bytes
        self.now = 10**12
        self.boot()
        self.station = Station(self.pair[1], 1, random_bytes)
        self.pool_up: list[bytes] = []
        self.pool_down: list[bytes] = []
        self.given: dict[int, int] = {}
        self.executed: list[int] = []
        self.honest(10)

    def boot(self):
        self.companion = Companion([self.pair[0]], 1, self.random_bytes)
        self.companion.receive_line(HEARTBEAT, self.now)
        self.splitter = FrameSplitter()

    def collect(self):
        for item in self.companion.outgoing_saves():
            self.companion.saved(item, self.now)
        self.station.custody.outgoing_saves()  # never said to be on disk: the ratchet rests
        self.pool_up += [datagram for datagram, _ in self.station.outgoing()]
        self.pool_down += [datagram for datagram, _ in self.companion.outgoing_link()]
        for frame in self.splitter.receive(self.companion.outgoing_line()):
            if frame[5] == 255:
                number = int(dialect.MAVLink(None).decode(bytearray(frame)).param3)
                assert number not in self.executed, "executed twice"
                assert not self.executed or number > self.executed[-1], "out of order"
                assert self.now - self.given[number] <= Freshness.COMMAND, "executed too late"
                self.executed.append(number)

    @rule(steps=st.integers(1, 15))
    def honest(self, steps):
        """Let everything new through at once for a while."""
        for _ in range(steps):
            self.tick(50)
            ups, downs = self.pool_up[:], self.pool_down[:]
            for datagram in ups[-3:]:
                self.companion.receive_link(datagram, GROUND, self.now)
            for datagram in downs[-3:]:
                self.station.receive_link(datagram, self.now)
            self.collect()

    @rule(ms=st.one_of(st.integers(1, 100), st.integers(300, 3000)))
    def tick(self, ms):
        self.now += ms * MS
        self.station.tick(self.now)
        self.companion.tick(self.now)
        self.collect()

    @rule()
    def give_command(self):
        number = len(self.given) + 1
        self.given[number] = self.now
        mav = dialect.MAVLink(None, srcSystem=255, srcComponent=190)
        message = dialect.MAVLink_command_long_message(1, 1, 115, 0, 0, 0, number, 0, 0, 0, 0)
        self.station.send([bytes(message.pack(mav))], self.now)
        self.collect()

    @rule(ms=st.sampled_from([1, 1400, 1490, 1501, 1520, 1600, 3000]))
    def hold_one_back(self, ms):
        """One command alone is late, by about as much as it may be."""
        self.honest(2)
        before = len(self.pool_up)
        self.give_command()
        held = self.pool_up[before:]
        self.tick(ms)
        for datagram in held:
            self.companion.receive_link(datagram, GROUND, self.now)
            self.collect()

    @rule(data=st.data())
    def release_up(self, data):
        """Hand the drone any datagram ever sent to it."""
        if self.pool_up:
            back = data.draw(st.integers(1, len(self.pool_up)))
            self.companion.receive_link(self.pool_up[-back], GROUND, self.now)
            self.collect()

    @rule(data=st.data())
    def release_down(self, data):
        if self.pool_down:
            back = data.draw(st.integers(1, len(self.pool_down)))
            self.station.receive_link(self.pool_down[-back], self.now)
            self.collect()

    @rule()
    def reflect(self):
        if self.pool_up and self.pool_down:
            self.companion.receive_link(self.pool_down[-1], GROUND, self.now)
            self.station.receive_link(self.pool_up[-1], self.now)
            self.collect()

    @rule()
    def reboot_drone(self):
        self.boot()

    @invariant()
    def no_key_was_used_twice(self):
        """Each sealed datagram is unlike every other, header included."""
        if hasattr(self, "pool_up"):
            assert len(set(self.pool_up)) == len(self.pool_up)


TestMallory = Mallory.TestCase
TestMallory.settings = settings(max_examples=60, stateful_step_count=40)
