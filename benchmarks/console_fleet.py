"""The drones of the benchmark `console`: one process, a companion and a UDP port for each vehicle.

Vehicles fly as one batch on the wall clock. Companions are the cores that fly, behind the ports
that `sekisho drone` uses; what they would save counts as saved, and nothing is recorded aboard. The
pilot of a vehicle sits at its autopilot's other line, so that no order passes the gateway: it takes
off, flies a square that does not end, and sends a heartbeat.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from crypto.aio.store import Store
from crypto.sessions import Path as LinkPath
from flightcore.aio.link_port import LinkPort
from flightcore.companion import Companion
from flightcore.options import DEFAULT_OPTIONS
from sekisho.world.missions import items
from sekisho.world.operator import AUTO, GUIDED, Operator, Script, Step
from sekisho.world.world import HOME
from sim.airframe import QUAD_X
from sim.autopilot.parameter_file import parse, safe_text
from sim.autopilot.parameters import Parameters
from sim.fleet import Fleet
from sim.geodesy import Place
from sim.simulation import COARSE, Simulation, World
from wire.aio.alarm import Alarm, monotonic_ns
from wire.locality import Address
from wire.mavlink import dialect

_APART_M: Final = 60.0
_ABREAST: Final = 10
_SIDE_M: Final = 40.0
_HEIGHT_M: Final = 20.0
_UP: Final = 0.9
# Two hours in the air: what a real pack holds would end the measurement.
_LONG_FLYING: Final = replace(
    QUAD_X, pack=replace(QUAD_X.pack, capacity_mah=20 * QUAD_X.pack.capacity_mah)
)
_PERIOD_NS: Final = COARSE.period * COARSE.tick_ns
_BEHIND_NS: Final = 1_000_000_000  # more is given up: the vehicles' clock slips
_PARAMETERS: Final = {"FENCE_RADIUS": 500.0}


def home_of(number: int) -> Place:
    """Return where a vehicle stands: in rows of ten."""
    row, column = divmod(number, _ABREAST)
    return HOME.offset(-_APART_M * row, _APART_M * column)


def _square(number: int) -> Script:
    corners = [(0.0, 0.0), (_SIDE_M, 0.0), (_SIDE_M, _SIDE_M), (0.0, _SIDE_M)]
    turned = corners[number % 4 :] + corners[: number % 4]
    mission = items(number + 1, home_of(number), turned, _HEIGHT_M)
    for_ever = dialect.MAVLink_mission_item_int_message(
        number + 1,
        1,
        len(mission),
        dialect.MAV_FRAME_MISSION,
        dialect.MAV_CMD_DO_JUMP,
        *(0, 1),
        *(1.0, -1.0, 0.0, 0.0),
        *(0, 0, 0.0),
    )

    def script(operator: Operator) -> Iterator[Step]:
        yield Step("be heard", lambda: operator.mode is not None)
        yield from operator.upload([*mission, for_ever])
        yield from operator.set_mode(GUIDED)
        yield from operator.command(
            dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1, done=lambda: operator.armed
        )
        yield from operator.command(
            dialect.MAV_CMD_NAV_TAKEOFF,
            *(0, 0, 0, 0, 0, 0, _HEIGHT_M),
            done=lambda: (operator.height or 0.0) > _UP * _HEIGHT_M,
        )
        yield from operator.set_mode(AUTO)

    return script


class _Drone:
    """One vehicle, its companion at a UDP port, and its pilot."""

    def __init__(self, number: int, vehicle: Simulation, state: Path, bind: Address) -> None:
        now_ns = monotonic_ns()
        self._vehicle = vehicle
        options = replace(DEFAULT_OPTIONS, asks_rates=True)
        store = Store(state)
        draw = np.random.default_rng(number).bytes
        self._companion = Companion(store.load_pairs(), 1, draw, options=options)
        self.pilot = Operator(number + 1, _square(number), now_ns)
        self._port = LinkPort(bind, self._receive, lambda: self._pump(monotonic_ns()))
        self._alarm = Alarm(lambda: self._pump(monotonic_ns()))
        self._companion.start(now_ns)
        self._port.start()
        self._pump(now_ns)

    def flown(self) -> None:
        """Carry what the vehicle has said, and what its pilot says."""
        now_ns = monotonic_ns()
        said = b"".join(self._vehicle.outgoing())
        if said:
            self._companion.receive_line(said, now_ns)
            if not self.pilot.is_done:
                self.pilot.receive(said, now_ns)
        if self.pilot.deadline_ns() <= now_ns:
            self.pilot.tick(now_ns)
        for frame in self.pilot.outgoing():
            self._vehicle.receive(frame)
        self._pump(now_ns)

    def _receive(self, datagram: bytes, sender: LinkPath) -> None:
        self._companion.receive_link(datagram, sender, monotonic_ns())

    def _pump(self, now_ns: int) -> None:
        companion = self._companion
        deadline_ns = companion.deadline_ns()
        if deadline_ns is not None and deadline_ns <= now_ns:
            companion.tick(now_ns)
        for item in companion.outgoing_saves():
            companion.saved(item, now_ns)
        companion.outgoing_notes()
        companion.trail.outgoing()
        line = companion.outgoing_line()
        if line:
            self._vehicle.receive(line)
        for datagram, (host, port) in companion.outgoing_link():
            self._port.send(datagram, (host, port))
        self._port.follow(companion.live_addresses())
        self._alarm.set(companion.deadline_ns(), now_ns)


def _fleet(count: int) -> Fleet:
    worlds = [World(home_of(number), wind_speed=3.0, gusts=0.5) for number in range(count)]
    noises = [np.random.default_rng(number) for number in range(count)]
    fleet = Fleet(worlds, noises, airframe=_LONG_FLYING, pace=COARSE)
    safe = parse(safe_text(), frozenset(Parameters().names))
    for vehicle in fleet.simulations:
        for name, value in (safe | _PARAMETERS).items():
            vehicle.autopilot.parameters.store(name, value)
    return fleet


async def _fly(home: Path, ports: list[int]) -> None:
    fleet = _fleet(len(ports))
    drones = [
        _Drone(number, vehicle, home / f"drone-{number + 1}", ("127.0.0.1", port))
        for number, (vehicle, port) in enumerate(zip(fleet.simulations, ports, strict=True))
    ]
    started_ns, slipped_ns, told_s = monotonic_ns(), 0, 0.0
    while True:
        due_ns = monotonic_ns() - started_ns - slipped_ns
        behind_ns = due_ns - fleet.now_ns
        if behind_ns > _BEHIND_NS:
            slipped_ns += behind_ns
        while fleet.now_ns < due_ns - max(0, behind_ns - _BEHIND_NS):
            for _ in range(COARSE.period):
                fleet.step()
            for drone in drones:
                drone.flown()
            await asyncio.sleep(0)
        if time.monotonic() - told_s > 1.0:
            told_s = time.monotonic()
            aloft = sum(drone.pilot.is_done for drone in drones)
            (home / "fleet.new").write_text(f"{aloft} {slipped_ns / 1e9:.3f}\n")
            (home / "fleet.new").replace(home / "fleet")
        ahead_ns = fleet.now_ns - (monotonic_ns() - started_ns - slipped_ns)
        await asyncio.sleep(max(0, ahead_ns) / 1e9)


if __name__ == "__main__":
    asyncio.run(_fly(Path(sys.argv[1]), [int(port) for port in sys.argv[2:]]))
