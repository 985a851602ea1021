"""A world whose autopilot flies and whose stations bring trajectories."""

from itertools import pairwise

from flightcore.flown import document_of
from flightcore.trajectory.polynomial import joined, line
from groundstation.tasking import Upload
from sim.autopilot.fence import zones_of
from sim.autopilot.mission import Item
from tests.flying import GUIDED, STEP_MS, FlyingWorld
from tests.loops import InlineLoop
from wire.mavlink import dialect
from wire.tasking import FlyState, FlyVerb
from wire.trajectory import Reference, encode

HEIGHT = 10.0
IN_POLYGON = dialect.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_INCLUSION
OUT_POLYGON = dialect.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_EXCLUSION
IN_CIRCLE = dialect.MAV_CMD_NAV_FENCE_CIRCLE_INCLUSION
OUT_CIRCLE = dialect.MAV_CMD_NAV_FENCE_CIRCLE_EXCLUSION


def square(side=6.0, speed=2.0, north=0.0, east=0.0, down=-HEIGHT):
    corners = [(0, 0), (side, 0), (side, side), (0, side), (0, 0)]
    points = [(north + n, east + e, down) for n, e in corners]
    return joined([line(a, b, speed, 1.5, 0.0) for a, b in pairwise(points)])


class TaskedWorld(FlyingWorld):
    """The companion's control loop runs on the test's clock."""

    def boot(self):
        super().boot()
        self.loop = InlineLoop(self.companion.watch.offboard, STEP_MS * 1e-3)

    def tick(self, core):
        if core is self.companion:
            self.loop.run(self.now)
        super().tick(core)

    def store_fence(self, *zones):
        """Store zones: a command with corners, or with a centre and radius. [m] from the origin."""
        origin = self.vehicle.ground.origin
        items = []
        for number, places, radius in zones:
            for north, east in places:
                place = origin.offset(north, east)
                size = radius or len(places)
                x, y = place.lat_deg_e7, place.lon_deg_e7
                items.append(Item(number, 0, size, 0, 0, 0, x, y, 0.0))
        autopilot = self.flying_end.sim.autopilot
        assert zones_of(items, self.vehicle.ground) is not None
        autopilot.stores.fence_items[:] = items
        self.vehicle.fence.load(items)

    def set_parameter(self, name, value):
        self.flying_end.sim.autopilot.parameters.store(name, value)

    def task(self, name="a"):
        return self.station(name).task

    def state(self):
        return self.companion.watch.offboard.describe(self.now).state

    def told(self, name="a"):
        return self.task(name).describe(self.now)

    def document(self, *motions):
        origin = self.vehicle.ground.origin
        place = Reference(origin.lat_deg_e7, origin.lon_deg_e7, round(origin.alt * 1e3))
        return document_of(motions, place)

    def upload(self, document, name="a"):
        """Bring a document; return what became of it."""
        self.task(name).offer(encode(document), self.now)
        open_ = (Upload.SENDING, Upload.JUDGING)
        self.until(lambda: self.task(name).upload not in open_, 70_000)
        return self.task(name).upload

    def ask(self, verb, identity=bytes(8), name="a"):
        """Ask, and return the answer in words."""
        self.task(name).request(verb, identity, self.now)
        self.until(lambda: not self.task(name).is_waiting, 8000)
        return self.task(name).answer.name.lower()

    def begin(self, document):
        """Fly a document, up to where it runs."""
        assert self.upload(document) is Upload.LOADED, self.told()
        self.run(1000)
        assert self.ask(FlyVerb.START, document.identity) == "done", self.told()
        self.until(lambda: self.state() is FlyState.RUNNING, 40_000)


def flying(random_bytes, parameters=None, **options):
    world = TaskedWorld(random_bytes, {"GUID_OPTIONS": 8, **(parameters or {})}, **options)
    world.fly(GUIDED, height=HEIGHT)
    return world
