"""A client on the fake clock: what a ground station does, without a line or a wall clock."""

import math
from collections.abc import Callable

import numpy as np

from sim.geodesy import Place
from sim.simulation import Simulation, World
from wire.mavlink import dialect

HOME = Place(356585999, 1397454001, 20.0)


def simulation(**kwargs) -> Simulation:
    world = World(kwargs.pop("start", HOME), **kwargs.pop("world", {}))
    return Simulation(world, np.random.default_rng(7), **kwargs)


class Client:
    """Sends as one system and component; keeps everything that came back with its time."""

    def __init__(self, sim: Simulation, sysid: int = 255, compid: int = 190) -> None:
        self.sim = sim
        self.heard: list[tuple[float, dialect.MAVLink_message]] = []
        self.on_message: Callable[[dialect.MAVLink_message], None] = lambda _message: None
        self._mav = dialect.MAVLink(None, sysid, compid)
        self._decoder = dialect.MAVLink(None)

    @property
    def now_s(self) -> float:
        return self.sim.now_ns * 1e-9

    def send(self, message: dialect.MAVLink_message) -> None:
        self.sim.receive(bytes(message.pack(self._mav)))
        self._mav.seq = (self._mav.seq + 1) & 0xFF

    def command(self, command: int, *params: float) -> int:
        """Send a COMMAND_LONG; return the result of its acknowledgement."""
        padded = [*params, *[0.0] * (7 - len(params))]
        self.send(dialect.MAVLink_command_long_message(1, 1, command, 0, *padded))
        acks = [m for m in self.run(0.02) if m.get_type() == "COMMAND_ACK"]
        assert [a.command for a in acks] == [command]
        return acks[0].result

    def run(
        self, seconds: float, until: Callable[[], bool] | None = None
    ) -> list[dialect.MAVLink_message]:
        """Let vehicle time pass; return what was heard meanwhile."""
        start = len(self.heard)
        for tick in range(round(seconds * 400)):
            self.sim.step()
            for frame in self.sim.outgoing():
                message = self._decoder.decode(bytearray(frame))
                self.heard.append((self.now_s, message))
                self.on_message(message)
            if until is not None and tick % 40 == 0 and until():
                break
        return [message for _, message in self.heard[start:]]

    def texts(self) -> list[str]:
        return [m.text for _, m in self.heard if m.get_type() == "STATUSTEXT"]

    def of(self, name: str) -> list[dialect.MAVLink_message]:
        return [m for _, m in self.heard if m.get_type() == name]

    @property
    def altitude(self) -> float:
        return -float(self.sim.body.position_n[0, 2])

    @property
    def armed(self) -> bool:
        return self.sim.autopilot.vehicle.flight.armed

    @property
    def mode(self) -> str:
        return self.sim.autopilot.vehicle.mode.name

    def away_from(self, north: float, east: float, down: float) -> float:
        return math.dist(self.sim.body.position_n[0].tolist(), (north, east, down))

    def fly_to_altitude(self, altitude: float) -> None:
        """Wait for the estimator, arm in GUIDED and take off."""
        self.run(60.0, until=lambda: self.sim.autopilot.vehicle.position_ok)
        self.run(0.2)
        assert self.command(dialect.MAV_CMD_DO_SET_MODE, 1, 4) == 0
        assert self.command(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0
        assert self.command(dialect.MAV_CMD_NAV_TAKEOFF, 0, 0, 0, 0, 0, 0, altitude) == 0
        self.run(60.0, until=lambda: self.altitude > altitude - 0.3)
        self.run(2.0)
