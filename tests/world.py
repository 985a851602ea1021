"""One drone, its ground stations and the air between them, on a clock that the test moves.

Real cores at both ends. Disks are dictionaries that keep exactly what was reported as saved, so a
restart finds what a restart would find.
"""

from collections import deque

from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.pair import Identity, PairNames, Role, pair_in_lab
from crypto.revocation import RevocationList, usable_pairs
from crypto.suites import CHACHA
from flightcore.authority import AuthorityState
from flightcore.companion import Companion
from flightcore.custody import AcceptedList
from flightcore.options import DEFAULT_OPTIONS
from flightcore.signing import SigningFloor
from groundstation.station import Station
from tests.aboard import Line
from wire.locality import UDP

MS = 1_000_000
S = 1000 * MS


def heartbeat(armed=False, mode=0, flying=None):
    """`flying` is as `armed` unless told: who sits armed on the ground is standing by."""
    base = 1 | (128 if armed else 0)
    status = 4 if (armed if flying is None else flying) else 3
    message = dialect.MAVLink_heartbeat_message(2, 3, base, mode, status, 3)
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=1, srcComponent=1)))


def command(number, *params, compid=190):
    mav = dialect.MAVLink(None, srcSystem=255, srcComponent=compid)
    values = [*params, *[0] * (7 - len(params))]
    return bytes(dialect.MAVLink_command_long_message(1, 1, number, 0, *values).pack(mav))


class Ground:
    """One ground station: its core, its disk, and where its datagrams seem to come from."""

    def __init__(self, record, random_bytes, address, paths):
        self.disk = record
        self.random_bytes = random_bytes
        self.address = address
        self.paths = paths
        self.boots = 0
        self.tools = b""
        self.boot()

    def boot(self):
        self.boots += 1
        self.station = Station(self.disk, self.boots, self.random_bytes, self.paths)


class World:
    """`up` and `down` are the air: (name, datagram, path) -> the datagrams that arrive."""

    def __init__(
        self,
        random_bytes,
        roles=None,
        suite=CHACHA,
        options=DEFAULT_OPTIONS,
        paths=(UDP,),
        fleet=None,
    ):
        self.now = 10**12
        self.fleet = fleet
        self.revocations_on_disk = RevocationList()
        self.random_bytes = random_bytes
        self.options = options
        self.disk_works = True
        self.floor_on_disk = SigningFloor()
        self.authority_on_disk = AuthorityState()
        self.pairs_on_disk = {}
        self.grounds = {}
        self.notes = []
        self.line = []
        self.captured_up = []
        self.captured_down = []
        self.boots = 0
        self.drone_identity = Identity.create(random_bytes)
        for number, (name, role) in enumerate((roles or {"a": Role.COMMANDER}).items()):
            names = PairNames("tsubame-1", name, role)
            ground = Identity.create(random_bytes)
            pair = pair_in_lab(self.drone_identity, ground, names, random_bytes, suite)
            self.pairs_on_disk[name] = pair[0]
            self.grounds[name] = Ground(
                pair[1], random_bytes, (f"192.168.50.{number + 2}", 40000), paths
            )
        self.up = lambda name, datagram, path: [datagram]
        self.down = lambda name, datagram, path: [datagram]
        self.boot()

    def boot(self):
        """Start the companion from what is on its disk."""
        self.boots += 1
        self.far_end = Line()
        self.companion = Companion(
            usable_pairs(list(self.pairs_on_disk.values()), self.revocations_on_disk)[0],
            self.boots,
            self.random_bytes,
            self.authority_on_disk,
            self.options,
            self.fleet,
            self.revocations_on_disk,
        )
        self.companion.receive_line(heartbeat(), self.now)

    def station(self, name="a"):
        return self.grounds[name].station

    def run(self, ms, step=10, armed=False):
        """Let time pass; the autopilot's heartbeat comes once a second."""
        for _ in range(0, ms, step):
            self.now += step * MS
            if self.now // S != (self.now - step * MS) // S:
                self.companion.receive_line(heartbeat(armed), self.now)
            self.tick(self.companion)
            for ground in self.grounds.values():
                self.tick(ground.station)
            self.exchange()
            self.check_deadlines()

    def check_deadlines(self):
        """Do what has come due meanwhile, as the shells do; a deadline that stays never ends."""
        for core in (self.companion, *(ground.station for ground in self.grounds.values())):
            for _ in range(20):
                deadline_ns = core.deadline_ns()
                if deadline_ns is None or deadline_ns > self.now:
                    break
                core.tick(self.now)
            else:
                raise AssertionError(f"{type(core).__name__}: {deadline_ns} never passes")

    def tick(self, core):
        """What is due is done at once: a deadline that stays in the past would be a busy loop."""
        core.tick(self.now)
        deadline_ns = core.deadline_ns()
        assert deadline_ns is None or deadline_ns > self.now

    def exchange(self):
        """Carry everything that waits to be carried, once each way."""
        self.write()
        for name, ground in self.grounds.items():
            for datagram, path in ground.station.outgoing():
                self.captured_up.append((name, datagram, path))
                for passed in self.up(name, datagram, path):
                    self.receive_up(name, passed, path)
        self.write()
        for datagram, path in self.companion.outgoing_link():
            name = self.name_at(path)
            self.captured_down.append((name, datagram, path))
            for passed in self.down(name, datagram, path):
                self.receive_down(name, passed, path)
        self.write()

    def receive_up(self, name, datagram, path=UDP):
        source = self.grounds[name].address if path == UDP else path
        self.companion.receive_link(datagram, source, self.now)

    def receive_down(self, name, datagram, path=UDP):
        ground = self.grounds[name]
        way = UDP if path == ground.address else path
        ground.tools += ground.station.receive_link(datagram, self.now, way)

    def name_at(self, path):
        for name, ground in self.grounds.items():
            if ground.address == path:
                return name
        return next(name for name, ground in self.grounds.items() if path in ground.paths)

    def write(self):
        """Do what the shells do: write, then say so; collect what reaches the line."""
        self.save_all()
        for ground in self.grounds.values():
            for record in ground.station.custody.outgoing_saves():
                ground.disk = record
                ground.station.custody.saved(record)
        self.notes += self.companion.outgoing_notes()
        self.line += self.far_end.take(self.companion, self.now)

    def save_all(self):
        for item in self.companion.outgoing_saves():
            if not self.disk_works:
                self.companion.save_failed(item, self.now)
                continue
            if isinstance(item, AuthorityState):
                self.authority_on_disk = item
            elif isinstance(item, AcceptedList):
                self.revocations_on_disk = item.revocations
            elif isinstance(item, SigningFloor):
                self.floor_on_disk = item
            else:
                self.pairs_on_disk[item.peer] = item
            self.companion.saved(item, self.now)

    def executes(self, frame, name="a", ms=200):
        """Tell whether a frame sent by a station reaches the autopilot, once."""
        self.line.clear()
        self.station(name).send([frame], self.now)
        self.run(ms)
        return self.line.count(frame) == 1


class SlowWorld(World):
    """A world whose drone writes when it is told to: its disk works, fails or is slow.

    `waiting` is what has not been written, with the time it was handed out. `on_change` is told of
    each state of authority when it reaches the disk, `on_line` of each frame for the autopilot when
    it is let through, which is before anything that came after it has been written.
    """

    def __init__(self, *arguments, **options):
        self.waiting = deque()
        self.mode = "works"
        self.on_change = lambda state, asked_ns: None
        self.on_line = lambda frame: None
        super().__init__(*arguments, **options)

    def receive_up(self, name, datagram, path=UDP):
        super().receive_up(name, datagram, path)
        for frame in self.far_end.take(self.companion, self.now):
            self.line.append(frame)
            self.on_line(frame)

    def save_all(self):
        self.waiting += [(self.now, item) for item in self.companion.outgoing_saves()]
        while self.waiting and self.mode != "slow":
            asked_ns, item = self.waiting.popleft()
            if self.mode == "fails":
                self.companion.save_failed(item, self.now)
            else:
                self.put(item, asked_ns)
                self.companion.saved(item, self.now)

    def put(self, item, asked_ns):
        if isinstance(item, AuthorityState):
            self.on_change(item, asked_ns)
            self.authority_on_disk = item
        else:
            self.pairs_on_disk[item.peer] = item

    def crash(self, count):
        """Restart: of what waits the first `count` are on disk, and nobody has been told."""
        for asked_ns, item in list(self.waiting)[:count]:
            self.put(item, asked_ns)
        self.waiting.clear()
        self.boot()
