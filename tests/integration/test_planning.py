"""Plans on their way to the embedded autopilot and back, over a line that loses.

Mutants killed: the acknowledgement is believed and nothing read back; an error after a doubled item
ends the upload; a list that somebody has changed is still taken for known; the rest of the lists is
sent after one has failed; home is compared; an answer to another station is taken for ours.
"""

import random

import numpy as np
import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from groundstation.plan.aboard import MESSAGES, Aboard, Verdict
from groundstation.plan.model import Circle, Home, Plan, Polygon, Rally, Simple
from groundstation.plan.onboard import FENCE, KINDS, MISSION, RALLY, home_item, lists
from sim.geodesy import Place
from sim.simulation import TICK_NS, Simulation, World
from wire.mavlink import FrameSplitter, message_id

pytestmark = pytest.mark.slow
S = 10**9
STEP_NS = 20_000_000
HOME = Home(35.6589, 139.7458, 25.0)  # planned, and not where the drone is
CORNERS = ((35.65, 139.73), (35.65, 139.76), (35.67, 139.76), (35.67, 139.73))


def waypoint(n, altitude=20.5):
    place = (round(35.659 + n * 1e-5, 7), round(139.745 - n * 1e-5, 7))
    return Simple(command=16, params=(1, 0, 0, None, *place, altitude))


def plan(count=12, altitude=20.5):
    return Plan(
        items=(
            Simple(command=22, params=(0, 0, 0, None, None, None, 20)),
            *(waypoint(n, altitude) for n in range(count)),
            Simple(command=20, params=(0, 0, 0, 0, 0, 0, 0), frame=2),
        ),
        zones=(
            Polygon(points=CORNERS),
            Circle(lat=35.66, lon=139.75, radius=30.0, inclusion=False),
        ),
        rally=(Rally(lat=35.6587, lon=139.7455, altitude=25.0),),
        home=HOME,
    )


def onboard(of):
    ours = lists(of)
    ours[MISSION] = [home_item(of), *ours[MISSION]]
    return ours


class Line:
    """The autopilot, a station, and what becomes of each frame between them."""

    def __init__(self, loss=0.0, seed=1):
        place = Place(356585999, 1397454001, 20.0)
        self.sim = Simulation(World(place), np.random.default_rng(7), ekf_ready_s=1.0)
        self.aboard = Aboard()
        self.loss = loss
        self.now = 0
        self.up = 0  # frames of transfers that left
        self._rng = random.Random(seed)
        self._mav = dialect.MAVLink(None, srcSystem=255, srcComponent=190)
        self._splitter = FrameSplitter()
        self.run(2)

    def step(self):
        self.now += STEP_NS
        for _ in range(STEP_NS // TICK_NS):
            self.sim.step()
        for frame in self._splitter.receive(b"".join(self.sim.outgoing())):
            for _ in range(self.copies()):
                if message_id(frame) in MESSAGES:
                    self.aboard.receive(message_id(frame), frame, self.now)
                    self.answer()
        self.answer()

    def answer(self):
        for message in self.aboard.outgoing(1, self.now):
            self.up += 1
            for _ in range(self.copies()):
                self.sim.receive(bytes(message.pack(self._mav)))

    def copies(self):
        if self.loss == 0:
            return 1
        return self._rng.choices((0, 1, 2), (self.loss, 0.9 - self.loss, 0.1))[0]

    def run(self, seconds):
        for _ in range(round(seconds * S / STEP_NS)):
            self.step()

    def until(self, condition, seconds=300):
        end = self.now + seconds * S
        while not condition():
            assert self.now < end, (self.aboard.activity, self.aboard.outcomes)
            self.step()

    def send(self, of, kinds=(FENCE, RALLY, MISSION)):
        ours = onboard(of)
        self.aboard.send([(kind, ours[kind]) for kind in kinds], self.now)

    def finish(self):
        self.until(lambda: not self.aboard.is_busy)

    def other(self, message):
        """Let another station say something to the autopilot; return what it answers."""
        mav = dialect.MAVLink(None, srcSystem=254, srcComponent=190)
        self.sim.receive(bytes(message.pack(mav)))

    def other_uploads(self, items):
        """Let another station give the autopilot a mission, on a line of its own."""
        self.other(dialect.MAVLink_mission_count_message(1, 1, len(items), MISSION))
        for number, item in enumerate(items):
            self.step()
            message = dialect.MAVLink_mission_item_int_message(
                1, 1, number, item.frame, item.command, 0, 1, *item.params, item.x, item.y, item.z
            )
            self.other(message)
        self.step()


def test_a_clean_line():
    line = Line()
    line.send(plan())
    line.finish()
    assert [(o.kind, o.why, o.verdict) for o in line.aboard.outcomes] == [
        (kind, "", Verdict.SAME) for kind in (FENCE, RALLY, MISSION)
    ]
    for kind in KINDS:
        assert line.aboard.known(kind) is not None
    assert [i.stored for i in line.aboard.known(MISSION)] == [
        i.stored for i in lists(plan())[MISSION]
    ]
    before = line.up
    line.run(5)
    assert line.up == before  # and then silence


@pytest.mark.parametrize("seed", [1, 2])
def test_thirty_percent_lost_each_way(seed):
    line = Line(0.3, seed)
    line.send(plan(20))
    line.finish()
    for _ in range(5):  # it may give up, and says so; then what is aboard is what it says
        if [o.verdict for o in line.aboard.outcomes] == [Verdict.SAME] * 3:
            break
        assert any(o.verdict is not Verdict.SAME for o in line.aboard.outcomes)
        line.send(plan(20))
        line.finish()
    assert [o.verdict for o in line.aboard.outcomes] == [Verdict.SAME] * 3


def test_a_line_that_breaks_in_the_middle_leaves_a_named_mixture():
    line = Line()
    line.send(plan(20, 20.0), (MISSION,))
    line.finish()
    line.send(plan(20, 40.0), (MISSION, FENCE))
    line.until(lambda: line.aboard.activity[2] >= 8)
    line.loss = 0.9
    line.until(lambda: line.aboard.activity[0] == "reading back")
    line.loss = 0.0
    line.finish()
    (outcome,) = line.aboard.outcomes  # and nothing of the fence
    assert outcome.why.startswith(("no answer after item", "refused: OPERATION_CANCELLED"))
    assert outcome.verdict is Verdict.DIFFERS
    texts = [row.theirs[1] for row in outcome.rows if row.theirs]
    assert any("40 m above home" in text for text in texts)
    assert any("20 m above home" in text for text in texts)
    assert [i.text for i in line.aboard.known(MISSION)] == texts


def test_cancelled_in_the_middle():
    line = Line()
    line.send(plan(20, 20.0), (MISSION,))
    line.finish()
    line.send(plan(20, 40.0), (MISSION, FENCE))
    line.until(lambda: line.aboard.activity[2] >= 8)
    line.aboard.cancel("cancelled", line.now)
    line.finish()
    (outcome,) = line.aboard.outcomes
    assert (outcome.why, outcome.verdict) == ("cancelled", Verdict.DIFFERS)


def test_another_writer_makes_what_is_known_unknown():
    line = Line()
    line.send(plan(), (MISSION,))
    line.finish()
    assert line.aboard.known(MISSION) is not None
    line.other_uploads(onboard(plan(3, 77.0))[MISSION])
    assert line.aboard.known(MISSION) is None
    assert line.aboard.known(FENCE) is None  # was never read
    line.aboard.read(KINDS, line.now)
    line.finish()
    assert any("77 m" in item.text for item in line.aboard.known(MISSION))
    assert line.aboard.known(FENCE) == []


def test_another_writer_while_it_is_read_back():
    line = Line()
    line.send(plan(), (MISSION,))
    line.until(lambda: line.aboard.activity[0] == "reading back" and line.aboard.activity[2] > 3)
    line.other_uploads(onboard(plan(3, 77.0))[MISSION])
    line.finish()
    (outcome,) = line.aboard.outcomes
    assert outcome.verdict is Verdict.DIFFERS
    assert any("77 m" in row.theirs[1] for row in outcome.rows if row.theirs)


def test_another_writer_first():
    """The autopilot is busy with somebody else's upload: refused by name."""
    line = Line()
    line.other(dialect.MAVLink_mission_count_message(1, 1, 5, MISSION))
    line.step()
    line.send(plan(), (MISSION, FENCE))
    line.finish()
    (outcome,) = line.aboard.outcomes
    assert outcome.why == "refused: DENIED"
    assert outcome.verdict is not Verdict.SAME


def test_what_the_autopilot_does_not_take():
    line = Line()
    strange = Plan(items=(waypoint(1), Simple(command=40000, params=(0,) * 7)), home=HOME)
    line.send(strange, (MISSION,))
    line.finish()
    (outcome,) = line.aboard.outcomes
    assert outcome.why == "refused: UNSUPPORTED"
    assert outcome.verdict is Verdict.DIFFERS


def test_what_the_autopilot_does_not_keep():
    """A parameter that ArduCopter drops is shown, not hidden by the acknowledgement."""
    line = Line()
    item = Simple(command=16, params=(0, 7, 0, None, 35.659, 139.745, 20))
    line.send(Plan(items=(item,), home=HOME), (MISSION, FENCE))
    line.finish()
    (outcome,) = line.aboard.outcomes  # and no fence: somebody has to look first
    assert (outcome.why, outcome.verdict) == ("", Verdict.DIFFERS)
    (row,) = outcome.rows
    assert "param2 7" in row.ours[1]
    assert "param2" not in row.theirs[1]


def test_clearing():
    line = Line()
    line.send(plan())
    line.finish()
    line.aboard.send([(kind, []) for kind in KINDS], line.now)
    line.finish()
    assert [o.verdict for o in line.aboard.outcomes] == [Verdict.SAME] * 3
    assert [line.aboard.known(kind) for kind in KINDS] == [[], [], []]


def test_limits_of_the_drone():
    line = Line(0.3)
    line.aboard.read(KINDS, line.now)
    line.until(lambda: None not in line.aboard.limits)
    table = line.sim.autopilot.parameters
    assert line.aboard.limits.ceiling == table["FENCE_ALT_MAX"]
    assert line.aboard.limits.return_altitude == table["RTL_ALT"] / 100
