"""The ladder under any sequence of silence, modes, pilots, suspicion, deafness and stops.

The model only keeps what happened: when a holder was heard, what the vehicle said last, what was
commanded since the link was last there. Claims: nothing is commanded before a holder was heard;
never RTL under suspicion; each mode at most `TRIES` times in a loss, a second apart; only to a
vehicle that flies by its own word of the last 3 s; and before the bound only LAND, under suspicion,
to a vehicle that returns.

Mutants killed: no bound on tries, and one more; tries not a second apart; suspicion ignored when
acting; a return ended before a holder was heard; BACKUP_NS left out; a landed vehicle is
commanded; a silent one too; LAND before RTL was tried; an operator's own return ended with the
link up; SETTLED acts again; orders not renewed with a new loss.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from pymavlink.dialects.v20 import ardupilotmega as dialect

from flightcore.autopilot import SILENCE_NS, Autopilot
from flightcore.failsafe import ASKED_NS, BACKUP_NS, RETURNS, TRIES, Failsafe, Phase
from flightcore.parameters import Parameters
from flightcore.voice import Voice
from tests.world import MS, S, command

T1, TIMEOUT = S, 5 * S
RTL, LAND = 6, 9
MODES = st.sampled_from([0, 3, 4, 4, 5, 6, 9, 17, 21])
EDGES = [1, 20, 500, 999, 1000, 1001, 1999, 2000, 3000, 5000, 6999, 7000, 7001, 8000, 30_000]
MAV = dialect.MAVLink(None, srcSystem=1, srcComponent=1)


class Ladder(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.now = 10**12
        self.autopilot = Autopilot()
        self.voice = Voice(self.autopilot)
        parameters = Parameters([("FS_GCS_TIMEOUT",)], self.autopilot, self.voice)
        self.suspect = False
        self.failsafe = Failsafe(self.autopilot, parameters, self.voice, lambda: self.suspect)
        self.heard = None
        self.beat = None  # when the vehicle last spoke, and whether it flies, in which mode
        self.flies, self.mode = False, None
        self.asked = None
        self.is_own = False  # the mode: an operator asked for it
        self.given = []  # (when, mode) since the last occasion began
        self.obeys = True

    def collect(self):
        for frame in self.voice.outgoing().to_line:
            message = dialect.MAVLink(None).decode(bytearray(frame))
            assert (message.command, message.param1) == (dialect.MAV_CMD_DO_SET_MODE, 1)
            self.check(int(message.param2))
        if self.is_up() and not (self.suspect and self.flies):
            self.given = []

    def is_up(self):
        return self.heard is not None and self.now - self.heard < T1

    def check(self, mode):
        assert self.heard is not None, "a holder was never heard"
        assert mode == LAND or not self.suspect, "RTL under suspicion"
        assert self.flies, "not in flight"
        assert self.now - self.beat < SILENCE_NS, "nobody knows what it does"
        silent = self.now - self.heard
        if silent < T1 + TIMEOUT + BACKUP_NS or self.mode in RETURNS:
            assert mode == LAND
            assert self.suspect
            assert self.mode in RETURNS
            assert not (self.is_own and self.is_up()), "an operator's own return"
        elif mode == LAND and not self.suspect:
            # Not followed: each try of RTL, or of LAND since, has had its second.
            assert [m for _, m in self.given].count(RTL) == TRIES
        assert self.mode != LAND
        times = [when for when, m in self.given if m == mode]
        assert len(times) < TRIES, "too often"
        assert not times or self.now - times[-1] >= S, "too soon"
        self.given.append((self.now, mode))
        if self.obeys:
            self.pending = mode

    pending = None

    def tick(self):
        was_up = self.failsafe.phase is Phase.UP
        if was_up and not self.is_up():
            self.given = []  # a loss begins when it is noticed
        self.failsafe.tick(self.now)
        self.collect()
        deadline = self.failsafe.deadline_ns()
        assert deadline is None or deadline > self.now

    @rule(ms=st.sampled_from(EDGES))
    def stopped(self, ms):
        """Nothing runs for a while, and then it does."""
        self.now += ms * MS
        self.tick()

    @rule(seconds=st.integers(1, 12))
    def flies_on(self, seconds):
        """The vehicle speaks every second, and follows if it obeys."""
        for _ in range(seconds * 10):
            self.now += 100 * MS
            self.tick()
            if self.now % S < 100 * MS and self.mode is not None:
                self.heartbeat(self.mode if self.pending is None else self.pending, self.flies)

    @rule(mode=MODES, flies=st.sampled_from([True, True, True, False]))
    def says(self, mode, flies):
        """It speaks, in whatever mode an operator, a failsafe or a pilot has chosen."""
        self.heartbeat(mode, flies)

    def heartbeat(self, mode, flies):
        self.pending = None
        status = dialect.MAV_STATE_ACTIVE if flies else dialect.MAV_STATE_STANDBY
        frame = bytes(dialect.MAVLink_heartbeat_message(2, 3, 129, mode, status, 3).pack(MAV))
        if mode != self.mode:
            self.is_own = self.asked is not None and self.now - self.asked <= ASKED_NS
        self.beat, self.flies, self.mode = self.now, flies, mode
        if self.failsafe.phase is Phase.UP and not self.is_up():
            self.given = []
        self.autopilot.receive(frame, self.now)
        self.failsafe.receive(frame, self.now)
        self.collect()

    @rule()
    def hears(self):
        """A fresh frame of the holder."""
        if not self.is_up():
            self.given = []
        self.heard = self.now
        self.failsafe.heard(T1, self.now)
        self.collect()

    @rule(seconds=st.integers(1, 9))
    def listens(self, seconds):
        """The link is there for a while."""
        for number in range(seconds * 5):
            self.now += 200 * MS
            self.hears()
            self.tick()
            if number % 5 == 0 and self.mode is not None:
                self.heartbeat(self.mode if self.pending is None else self.pending, self.flies)

    @rule(mode=MODES, obeys=st.booleans(), suspect=st.booleans(), seconds=st.integers(6, 25))
    def is_lost_in_flight(self, mode, obeys, suspect, seconds):
        """The usual course of things, up to where nothing that is commanded helps."""
        self.hears()
        self.heartbeat(mode, flies=True)
        self.obeys, self.suspect = obeys, suspect
        self.flies_on(seconds)

    @rule(later=st.sampled_from([0, 4, 5, 6]))
    def returns_as_asked(self, later):
        """An operator's own return, which is nobody else's business while the link is there."""
        self.hears()
        self.commands(asks=True)
        self.now += later * S
        self.hears()
        self.heartbeat(RTL, flies=True)
        self.listens(2)

    @precondition(lambda self: self.is_up())
    @rule(asks=st.booleans())
    def commands(self, asks):
        self.failsafe.passed([command(20 if asks else 400)], self.now)
        if asks:
            self.asked = self.now

    @rule(suspect=st.booleans())
    def suspects(self, suspect):
        self.suspect = suspect

    @rule(obeys=st.booleans())
    def obeys_or_not(self, obeys):
        self.obeys = obeys

    @rule()
    def line_goes(self):
        """The line is gone, and comes back with the next heartbeat."""
        self.autopilot.forget()
        self.failsafe.forget()
        self.flies = False


TestLadder = Ladder.TestCase
TestLadder.settings = settings(max_examples=150, stateful_step_count=40)
