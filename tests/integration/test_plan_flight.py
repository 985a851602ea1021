"""A draft flown by the companion: the console, real cores at both ends, a vehicle that flies.

Mutants killed: heights count from the sea; north and east are swapped; a page is not told how the
flight stands; a station that has lost command asks all the same.
"""

import json

import numpy as np
import pytest

from crypto.pair import Role as PairRole
from groundstation.console import Console
from groundstation.plan.judge import judged
from groundstation.plan.model import PlanError
from groundstation.talk import Role
from sekisho.plan_flight import make
from tests.flying import LOITER, set_mode
from tests.tasked import HEIGHT, flying
from tests.world import MS
from wire.authority import Verb
from wire.tasking import FlyReason, FlyState

pytestmark = pytest.mark.slow
NAME = "tsubame-1"


class Room:
    """A console of station a, with one page, and a thread that is done at once."""

    def __init__(self, random_bytes, roles=None):
        self.world = flying(random_bytes, **({"roles": roles} if roles else {}))
        self.console = Console({NAME: self.world.station()}, {})
        self.page = self.console.open(Role.OPERATOR)
        self.parts = {}
        assert self.do("watch", on=True) == ""
        self.until(lambda: self.console.drones[NAME].home is not None, 20_000)
        self.until(lambda: self.console.drones[NAME].craft.flying, 20_000)

    def say(self, **message):
        text = json.dumps(message)
        return self.console.receive_untrusted(self.page, text, self.world.now)

    def do(self, deed, **rest):
        saw = self.world.now // MS
        reply = self.say(type="plan", id=1, drone=NAME, saw=saw, do={"type": deed, **rest})
        return reply["error"]

    def run(self, ms=100):
        world, desk = self.world, self.console.planning
        for _ in range(0, ms, 100):
            self.say(type="here", visible=True)
            world.run(100)
            ground = world.grounds["a"]
            self.console.drones[NAME].receive(ground.tools, world.now)
            ground.tools = b""
            for name, route in desk.outgoing_routes():
                try:
                    desk.made(name, judged(route, make), world.now)
                except PlanError as error:
                    desk.failed(name, str(error))
            for frames in self.console.tick(world.now).values():
                world.station().send(frames, world.now)
            for told in self.console.tidings(self.page, world.now):
                self.parts |= told

    def until(self, condition, ms):
        end = self.world.now + ms * MS
        while not condition():
            assert self.world.now < end, (
                self.parts.get("flight", {}).get("told"),
                self.world.notes[-6:],
            )
            self.run()

    def until_told(self, state, ms=60_000):
        self.until(lambda: self.told("state") == state, ms)

    def told(self, name):
        return self.parts["flight"]["told"][name]

    def add(self, *spots):
        """Add waypoints: north and east of the start, above home. [m]."""
        for north, east, up in spots:
            place = self.world.vehicle.ground.origin.offset(north, east)
            at = place.lat_deg_e7 * 1e-7, place.lon_deg_e7 * 1e-7
            item = {"type": "item", "command": 16, "params": [0, 0, 0, None, *at, up]}
            assert self.do("add", element=item) == ""

    def load(self, **how):
        assert self.do("bring", **how) == ""
        self.until(lambda: self.told("upload") in ("loaded", "refused", "failed"), 60_000)
        assert self.told("upload") == "loaded", self.parts["flight"]
        self.run(1000)  # the drone asks where it is once it has something to fly
        return self.parts["flight"]["brought"]["identity"]

    def position(self):
        """Return where the vehicle is: north, east, up from the start. [m]."""
        north, east, down = self.world.flying_end.sim.body.position_n[0]
        return np.array([north, east, -down])


SPOTS = (2, 0, HEIGHT), (14, 3, HEIGHT + 2), (14, 12, HEIGHT)


@pytest.mark.parametrize("shape", ["legs", "curve"])
def test_brought_started_paused_resumed_and_flown_to_its_end(random_bytes, shape):
    room = Room(random_bytes)
    room.add(*SPOTS)
    identity = room.load(shape=shape)
    assert room.do("start", identity=identity) == ""
    room.until_told("running")
    assert room.told("answer") == "done"
    before = room.position()
    room.until(lambda: np.linalg.norm(room.position() - before) > 3.0, 20_000)
    assert room.do("pause") == ""
    room.until_told("paused")
    room.run(3000)
    held = room.position()
    room.run(2000)
    assert np.linalg.norm(room.position() - held) < 0.5
    assert room.do("resume") == ""
    nearest = [np.inf] * len(SPOTS)
    while room.told("state") != "finished":
        room.run()
        off = [float(np.linalg.norm(room.position() - spot)) for spot in SPOTS]
        nearest = [min(pair) for pair in zip(nearest, off, strict=True)]
    assert max(nearest[1:]) < 1.5, nearest
    assert room.parts["flight"]["blocked"]["start"] == ""
    assert room.do("forget") == ""
    room.until_told("empty")
    events = [event.text for event in room.console.events() if event.by == room.page.name]
    for deed in ("bring", "start", "pause", "resume", "forget"):
        assert f"companion's flight: {deed}" in events


def test_abort_and_a_mode_change_end_it(random_bytes):
    room = Room(random_bytes)
    room.add(*SPOTS)
    identity = room.load()
    assert room.do("start", identity=identity) == ""
    room.until_told("running")
    assert room.do("abort") == ""
    room.until_told("handed_back")
    assert (room.told("reason"), room.told("answer")) == ("aborted", "done")
    assert room.do("start", identity=identity) == ""
    room.until_told("running")
    room.world.station().send([set_mode(LOITER)], room.world.now)
    room.until_told("handed_back")
    assert room.told("reason") == FlyReason.OPERATOR.name.lower()
    assert room.do("start", identity=identity) == "Only in GUIDED"


def test_another_station_takes_command(random_bytes):
    room = Room(random_bytes, {"a": PairRole.COMMANDER, "b": PairRole.SUPERVISOR})
    room.add(*SPOTS)
    identity = room.load()
    assert room.do("start", identity=identity) == ""
    room.until_told("running")
    room.world.station("b").command.request(Verb.PREEMPT, bytes(16), room.world.now)
    room.until_told("handed_back")
    room.until(lambda: not room.console.drones[NAME].craft.is_holder, 5000)
    for deed, rest in (("start", {"identity": identity}), ("abort", {}), ("bring", {})):
        assert room.do(deed, **rest) == "Another station commands"
    assert room.world.state() is FlyState.HANDED_BACK


def test_what_the_drone_refuses(random_bytes):
    """The fence is the drone's own: the draft knows nothing of it."""
    room = Room(random_bytes)
    room.add((2, 0, HEIGHT), (5, 0, 400))
    assert room.do("bring") == ""
    room.until(lambda: room.told("upload") == "refused", 60_000)
    assert "fence" in room.told("text")
    assert room.parts["flight"]["blocked"]["start"] == "Bring it first"
