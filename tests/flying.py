"""A world whose autopilot is the embedded one: it flies, and fails safe by its own parameters."""

import numpy as np
from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.parameter_file import parse, safe_text
from sim.geodesy import Place
from sim.simulation import TICK_NS, Simulation
from sim.simulation import World as Surroundings
from tests.world import MS, S, World, command
from wire.mavlink import FrameSplitter, message_id

GUIDED, LOITER, RTL, LAND, BRAKE = 4, 5, 6, 9, 17
STEP_MS = 20
PRESENCE = {
    dialect.MAVLINK_MSG_ID_HEARTBEAT,
    dialect.MAVLINK_MSG_ID_RC_CHANNELS_OVERRIDE,
    dialect.MAVLINK_MSG_ID_MANUAL_CONTROL,
}


def presence():
    """The heartbeat of the operator's ground software."""
    message = dialect.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3)
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=255, srcComponent=190)))


def set_mode(number):
    return command(dialect.MAV_CMD_DO_SET_MODE, 1, number)


class FlyingEnd:
    """The embedded autopilot on the line. `own` keeps what the companion says, but for reads."""

    def __init__(self, parameters):
        start = Place(356585999, 1397454001, 20.0)
        self.sim = Simulation(Surroundings(start), np.random.default_rng(7), ekf_ready_s=1.0)
        table = self.sim.autopilot.parameters
        for name, value in {**parse(safe_text(), table), **parameters}.items():
            table.store(name, value)
        self.own = []
        self.modes = []  # (when, mode), each time it changes
        self.is_cut = False
        self._splitter = FrameSplitter()

    @property
    def vehicle(self):
        return self.sim.autopilot.vehicle

    def advance(self, companion, now):
        for _ in range(STEP_MS * MS // TICK_NS):
            self.sim.step()
        if not self.modes or self.modes[-1][1] != self.vehicle.mode:
            self.modes.append((now, self.vehicle.mode))
        sent = b"".join(self.sim.outgoing())
        if sent and not self.is_cut:
            companion.receive_line(sent, now)

    def take(self, companion, now):
        from_ground = []
        for frame in self._splitter.receive(companion.outgoing_line()):
            if self.is_cut:
                continue
            self.sim.receive(frame)
            if frame[5] != 1:
                from_ground.append(frame)
            elif message_id(frame) != dialect.MAVLINK_MSG_ID_PARAM_REQUEST_READ:
                self.own.append((now, dialect.MAVLink(None).decode(bytearray(frame))))
            assert frame[5] == 255 or message_id(frame) not in PRESENCE
        return from_ground


class FlyingWorld(World):
    """The operator's software of station a sends a heartbeat every second."""

    def __init__(self, random_bytes, parameters=None, **options):
        self.flying_end = FlyingEnd(parameters or {})
        self.arrived = []  # (when, frame) from the ground, on the line
        super().__init__(random_bytes, **options)

    def boot(self):
        super().boot()
        self.far_end = self.flying_end

    def run(self, ms, step=STEP_MS, armed=None):
        assert armed is None  # it says so itself
        for _ in range(0, ms, step):
            self.now += step * MS
            self.flying_end.advance(self.companion, self.now)
            if self.now // S != (self.now - step * MS) // S:
                self.station().send([presence()], self.now)
            seen = len(self.line)
            self.tick(self.companion)
            for ground in self.grounds.values():
                self.tick(ground.station)
            self.exchange()
            self.check_deadlines()
            self.arrived += [(self.now, frame) for frame in self.line[seen:]]

    def until(self, condition, ms):
        end = self.now + ms * MS
        while not condition():
            assert self.now < end, (self.vehicle.mode, self.texts("a")[-5:])
            self.run(50)

    @property
    def vehicle(self):
        return self.flying_end.vehicle

    def fly(self, mode=GUIDED, height=3):
        """Arm, take off, and be in a mode; without sticks LOITER comes down slowly."""
        self.run(2500)
        for frame in (set_mode(GUIDED), command(400, 1)):
            self.station().send([frame], self.now)
            self.run(200)
        assert self.vehicle.flight.armed, self.texts("a")
        self.station().send([command(22, 0, 0, 0, 0, 0, 0, height)], self.now)
        self.until(lambda: self.flying_end.sim.body.position_n[0, 2] < 1 - height, 20_000)
        if mode != GUIDED:
            self.station().send([set_mode(mode)], self.now)
            self.run(500)
        assert self.vehicle.mode == mode
        self.run(1200)  # and the companion has heard of it

    def cut(self, name="a"):
        """Let nothing more of a station arrive; return when its last datagram did."""
        self.up = lambda sender, datagram, path: [] if sender == name else [datagram]
        return self.now

    def restore(self):
        self.up = lambda name, datagram, path: [datagram]

    def texts(self, name):
        messages = dialect.MAVLink(None).parse_buffer(bytearray(self.grounds[name].tools)) or []
        return [m.text for m in messages if m.get_type() == "STATUSTEXT"]

    def commanded(self):
        """What modes the companion has commanded of its own accord, with the times."""
        return [
            (when, int(m.param2))
            for when, m in self.flying_end.own
            if m.get_type() == "COMMAND_LONG" and m.command == dialect.MAV_CMD_DO_SET_MODE
        ]

    def suspect(self, is_suspect=True):
        """Stand in for the GNSS monitor's alarm."""
        self.companion.watch.failsafe._is_suspect = lambda: is_suspect
