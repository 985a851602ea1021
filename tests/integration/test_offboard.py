"""Who flies, with the real companion and an autopilot that flies: every way to get it back.

Mutants killed: the hindrance not asked in flight; an operator's setpoint not taken for a word; a
brake after the operator's own mode change; the loop's silence not watched; harmless commands
taken for orders and orders for harmless.
"""

import math
from itertools import pairwise

import numpy as np
import pytest

from flightcore.flown import document_of
from flightcore.monitor.alarm import Alarm
from flightcore.monitor.table import Detector
from flightcore.offboard.pilot import Form
from flightcore.trajectory.harmonic import orbit
from flightcore.trajectory.polynomial import joined, line
from tests.flying import BRAKE, GUIDED, LOITER, RTL, STEP_MS, FlyingWorld, set_mode
from tests.loops import InlineLoop
from tests.world import MS, S, command
from wire.mavlink import dialect
from wire.tasking import FlyReason, FlyState
from wire.trajectory import Reference

pytestmark = pytest.mark.slow

SETPOINTS = {
    dialect.MAVLINK_MSG_ID_SET_ATTITUDE_TARGET,
    dialect.MAVLINK_MSG_ID_SET_POSITION_TARGET_LOCAL_NED,
}
HEIGHT = 10.0


class OffboardWorld(FlyingWorld):
    """The companion flies; `own_setpoints` are those of its that reached the line."""

    def boot(self):
        super().boot()
        self.loop = InlineLoop(self.offboard, STEP_MS * 1e-3)

    @property
    def offboard(self):
        return self.companion.watch.offboard

    def tick(self, core):
        if core is self.companion:
            self.loop.run(self.now)
        super().tick(core)

    def state(self):
        return self.offboard.describe(self.now).state

    def reason(self):
        return self.offboard.describe(self.now).reason

    def own_setpoints(self, since_ns=0):
        return [m for when, m in self.flying_end.own if m.id in SETPOINTS and when >= since_ns]

    def load(self, motion):
        # As the ground does it: relative to home, which here is where the estimator began.
        place = self.vehicle.ground.origin
        reference = Reference(place.lat_deg_e7, place.lon_deg_e7, round(place.alt * 1e3))
        document = document_of([motion], reference)
        self.offboard.prepare()
        self.run(600)
        assert self.offboard.load(document, self.now) == ""
        return document.identity

    def position(self):
        return self.flying_end.sim.body.position_n[0]


def square(side=6.0, speed=2.0):
    down = -HEIGHT
    points = [(0, 0, down), (side, 0, down), (side, side, down), (0, side, down), (0, 0, down)]
    return joined([line(a, b, speed, 1.5, 0.0) for a, b in pairwise(points)])


def circle():
    return orbit((0.0, 0.0, -HEIGHT), 8.0, 3.0, turns=2.0)


@pytest.fixture
def world(random_bytes):
    world = OffboardWorld(random_bytes, {"GUID_OPTIONS": 8})
    world.fly(GUIDED, height=HEIGHT)
    return world


def begin(world, motion):
    identity = world.load(motion)
    world.run(500)
    assert world.offboard.start(identity, world.now) == ""
    world.until(lambda: world.state() is FlyState.RUNNING, 30_000)
    world.run(1500)


@pytest.mark.parametrize("motion", [square(), circle()], ids=["square", "circle"])
def test_it_flies_what_it_was_given_and_holds_at_the_end(world, motion):
    begin(world, motion)
    errors = []
    while world.state() is FlyState.RUNNING:
        world.run(100)
        errors.append(world.offboard.describe(world.now).error_m)
    assert world.state() is FlyState.FINISHED
    errors = [e for e in errors if e is not None]
    assert np.sqrt(np.mean(np.square(errors))) < 0.35
    finished_ns = world.now
    world.run(4000)  # longer than GUID_TIMEOUT
    end = motion.sample(np.array([motion.duration]))[:3, 0]
    assert np.linalg.norm(world.position() - end) < 0.5
    assert len(world.own_setpoints(finished_ns + S)) == 0
    assert world.vehicle.mode == GUIDED


def test_a_pause_stands_still_on_the_way_and_goes_on(world):
    begin(world, circle())
    assert world.offboard.pause(world.now) == ""
    world.run(6000)
    speed = np.linalg.norm(world.flying_end.sim.body.velocity_n[0])
    assert speed < 0.3
    where = world.position().copy()
    assert abs(np.hypot(where[0], where[1]) - 8.0) < 0.5
    world.run(2000)
    assert np.linalg.norm(world.position() - where) < 0.3
    assert world.state() is FlyState.PAUSED
    assert world.offboard.resume(world.now) == ""
    world.until(lambda: world.state() is FlyState.FINISHED, 60_000)


def test_an_operators_mode_takes_the_vehicle_at_once_and_no_brake_follows(world):
    begin(world, square())
    asked_ns = world.now
    world.station().send([set_mode(LOITER)], world.now)
    world.run(300)
    assert (world.state(), world.reason()) == (FlyState.HANDED_BACK, FlyReason.OPERATOR)
    world.run(1000)
    assert world.vehicle.mode == LOITER
    # Of what was said after that none came after the operator's word.
    assert world.own_setpoints(asked_ns + 100 * MS) == []


def test_a_mode_that_comes_from_the_sticks_is_seen_in_the_heartbeat(world):
    begin(world, square())
    assert world.vehicle.set_mode_number(BRAKE)
    began_ns = world.now
    world.run(1300)
    changed_ns = world.now
    # Until the heartbeat says it the autopilot ignores what is said; no brake follows.
    assert {m.id for m in world.own_setpoints(began_ns)} <= {82}
    assert (world.state(), world.reason()) == (FlyState.HANDED_BACK, FlyReason.OPERATOR)
    world.run(1000)
    assert world.own_setpoints(changed_ns) == []


def own_setpoint():
    mask = 0xDF8
    message = dialect.MAVLink_set_position_target_local_ned_message(
        0, 1, 1, 1, mask, 20.0, 0.0, -HEIGHT, *(0.0,) * 8
    )
    return bytes(message.pack(dialect.MAVLink(None, 255, 190)))


def test_an_operators_own_setpoint_takes_the_vehicle(world):
    begin(world, square())
    world.station().send([own_setpoint()], world.now)
    world.run(300)
    taken_ns = world.now
    assert (world.state(), world.reason()) == (FlyState.HANDED_BACK, FlyReason.OPERATOR)
    world.run(12_000)
    assert world.own_setpoints(taken_ns) == []
    assert math.dist(world.position()[:2], (20.0, 0.0)) < 1.0


def test_asking_for_a_message_takes_nothing(world):
    begin(world, square())
    world.station().send([command(512, 148)], world.now)
    world.run(500)
    assert world.state() is FlyState.RUNNING


def test_a_lost_link_brakes_once_and_leaves_the_rest_to_the_autopilot(world):
    begin(world, circle())
    lost_ns = world.cut()
    world.run(1500)
    assert (world.state(), world.reason()) == (FlyState.HANDED_BACK, FlyReason.LINK_LOST)
    silent_ns = world.now
    world.run(1500)
    speed = np.linalg.norm(world.flying_end.sim.body.velocity_n[0])
    assert speed < 1.0
    world.run(5000)
    assert world.own_setpoints(silent_ns) == []
    assert world.vehicle.mode == RTL  # its own failsafe
    (when, _) = world.flying_end.modes[-1]
    assert when - lost_ns < 7.5 * S
    assert world.commanded() == []
    # Back again, nothing is taken up by itself.
    world.restore()
    world.run(3000)
    assert world.state() is FlyState.HANDED_BACK


def test_an_alarm_of_the_monitor_hands_back(world):
    begin(world, circle())
    world.companion.watch.navigation._monitor.alarm = world_alarm(world)
    world.run(300)
    assert (world.state(), world.reason()) == (FlyState.HANDED_BACK, FlyReason.NAVIGATION)
    brakes = [m for m in world.own_setpoints(world.now - 300 * MS) if m.id == 84]
    assert brakes
    assert brakes[0].type_mask & 0xFC7 == 0xDC7
    refusal = world.offboard.start(world.offboard.describe(world.now).identity, world.now)
    assert refusal == "navigation"


def world_alarm(world):
    return Alarm(Detector.EKF_GLITCH, 1.0, 1.0, 0.0, 0.0, world.now, ())


@pytest.mark.parametrize("way", ["stalls", "dies"])
def test_a_loop_that_is_gone_is_noticed_within_a_bound(world, way):
    begin(world, circle())
    gone_ns = world.now
    if way == "dies":
        world.loop.is_stalled = True
        world.offboard.loop_ended("signal SIGKILL", world.now)
    else:
        world.loop.is_stalled = True
    while world.state() is FlyState.RUNNING:
        world.run(20)
    assert world.now - gone_ns <= 300 * MS
    assert world.reason() is FlyReason.LOOP
    world.run(4000)
    assert np.linalg.norm(world.flying_end.sim.body.velocity_n[0]) < 0.3
    assert world.vehicle.mode == GUIDED


@pytest.mark.parametrize("form", [Form.POSITION, Form.MOTION, Form.ATTITUDE])
@pytest.mark.parametrize("options", [0, 8])
def test_every_form_of_setpoints_flies(random_bytes, form, options):
    world = OffboardWorld(random_bytes, {"GUID_OPTIONS": options})
    world.offboard._form = form
    world.fly(GUIDED, height=HEIGHT)
    begin(world, square())
    world.until(lambda: world.state() is FlyState.FINISHED, 60_000)
    assert abs(world.position()[2] + HEIGHT) < 0.5


def test_a_change_of_what_thrust_means_hands_back(world):
    begin(world, square())
    message = dialect.MAVLink_param_set_message(1, 1, b"GUID_OPTIONS", 0.0, 9)
    world.flying_end.sim.receive(bytes(message.pack(dialect.MAVLink(None, 255, 190))))
    world.run(300)
    assert (world.state(), world.reason()) == (FlyState.HANDED_BACK, FlyReason.OPERATOR)
    identity = world.offboard.describe(world.now).identity
    assert "bring it again" in world.offboard.start(identity, world.now)


def test_what_cannot_be_flown_is_refused_with_the_reason(world):
    fast = orbit((0.0, 0.0, -HEIGHT), 10.0, 12.0)
    assert "acceleration is 14 m/s2; allowed: 6" in world.offboard.load_trajectory(
        fast, (0.0, 0.0, 0.0), bytes(8), world.now
    )
    world.load(circle())
    world.run(500)
    far = world.offboard.load_trajectory(circle(), (400.0, 0.0, 0.0), bytes(8), world.now)
    assert "m from here; allowed: 300 m" in far
    assert world.offboard.start(b"12345678", world.now).startswith("aboard is ")


def test_it_starts_only_in_guided_and_in_the_air(random_bytes):
    world = OffboardWorld(random_bytes)
    world.run(3000)
    identity = world.load(square())
    world.run(500)
    assert world.offboard.start(identity, world.now) == "the vehicle is not in the air"
    world.fly(GUIDED, height=HEIGHT)
    world.station().send([set_mode(LOITER)], world.now)
    world.run(1200)
    assert world.offboard.start(identity, world.now) == "the vehicle is not in GUIDED"
    assert world.own_setpoints() == []
