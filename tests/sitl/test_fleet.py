"""Vehicles in one batch do what each does alone.

Mutants killed: every vehicle given the first one's throttles; the first one's wind for all.
"""

import json
import signal
import socket
import sys
import time

import numpy as np
import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.fleet import Fleet
from sim.simulation import Simulation, World
from tests.e2e.processes import Process
from tests.sitl.link import HOME, Client
from wire.mavlink import FrameSplitter

pytestmark = pytest.mark.slow


def worlds(count: int) -> list[World]:
    return [
        World(HOME.offset(0.0, 5.0 * i), heading=0.3 * i, wind_speed=0.5 * i, gusts=0.2 * i)
        for i in range(count)
    ]


class Stepped:
    """A vehicle of a fleet as `Client` wants it: the first one steps for all."""

    def __init__(self, fleet: Fleet, index: int) -> None:
        self._fleet, self._index = fleet, index

    def __getattr__(self, name: str):
        return getattr(self._fleet.simulations[self._index], name)

    def step(self) -> None:
        if self._index == 0:
            self._fleet.step()


def flight(clients: list[Client], seconds: float) -> list[list[bytes]]:
    """Everyone arms and takes off to a height of its own; return every frame sent."""
    script = {
        100: lambda i: dialect.MAVLink_command_long_message(i + 1, 1, 511, 0, 32, 1e5, *[0] * 5),
        200: lambda i: dialect.MAVLink_command_long_message(i + 1, 1, 511, 0, 30, 1e5, *[0] * 5),
        4000: lambda i: dialect.MAVLink_command_long_message(i + 1, 1, 176, 0, 1, 4, *[0] * 5),
        4100: lambda i: dialect.MAVLink_command_long_message(i + 1, 1, 400, 0, 1, *[0] * 6),
        4200: lambda i: dialect.MAVLink_command_long_message(i + 1, 1, 22, 0, *[0] * 6, 4.0 + i),
    }
    sent: list[list[bytes]] = [[] for _ in clients]
    for tick in range(round(seconds * 400)):
        for i, client in enumerate(clients):
            if tick in script:
                client.send(script[tick](i))
        for client in clients:
            client.sim.step()
        for i, client in enumerate(clients):
            sent[i] += client.sim.outgoing()
    return sent


def test_a_batch_is_its_members():
    count = 13  # rows, not floats
    noises = [np.random.default_rng((3, i)) for i in range(count)]
    fleet = Fleet(worlds(count), noises)
    together = flight([Client(Stepped(fleet, i)) for i in range(count)], 14.0)
    for i in (0, 12):
        alone = Simulation(worlds(count)[i], np.random.default_rng((3, i)), sysid=i + 1)
        client = Client(alone)
        # Alone it is number 0 of its own flight, so the script must speak to its number.
        client.send = lambda message, c=client, n=i: Client.send(c, readdressed(message, n))
        (frames,) = flight([client], 14.0)
        assert alone.body.position_n[0, 2] < -0.5
        assert len(frames) > 150
        assert frames == together[i]


def readdressed(message, index: int):
    message.target_system = index + 1
    if message.command == 22:
        message.param7 = 4.0 + index
    return message


@pytest.mark.e2e
def test_a_fleet_over_udp_answers_each_at_its_own_port(tmp_path):
    """Faster than real time: the vehicles' clocks gain on ours."""
    ends = free_ports(3)
    port = ends[0].getsockname()[1]
    argv = ["sim", "--drones", "3", "--udp", f"127.0.0.1:{port}", "--coarse", "--speedup", "3"]
    sim = Process("sim", [sys.executable, "-m", "sekisho", *argv, "--json"], tmp_path)
    sim.expect(f"udp:127.0.0.1:{port + 2}", 30)
    mavlink = dialect.MAVLink(None, 255, 190)
    for number, end in enumerate(ends):
        _, sender = end.recvfrom(2048)
        ask = dialect.MAVLink_command_long_message(number + 1, 1, 512, 0, 148, *[0] * 6)
        end.sendto(bytes(ask.pack(mavlink)), sender)
        heard = b""
        deadline = time.monotonic() + 20.0
        while b"\x94\0\0" not in heard and time.monotonic() < deadline:
            heard += end.recv(2048)
        frames = FrameSplitter().receive(heard)
        assert {frame[5] for frame in frames} == {number + 1}
        assert any(frame[7:10] == b"\x94\0\0" for frame in frames)
    time.sleep(3.0)
    assert sim.stop(signal.SIGTERM) == 0
    told = json.loads(sim.output[sim.output.index("{") :])
    assert told["speedup"] > 1.2  # asked for 3: the machine may be busy
    for end in ends:
        end.close()


def free_ports(count: int) -> list[socket.socket]:
    """Return sockets that listen on ports one after the other."""
    for first in range(20_000, 60_000, 97):
        ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
        try:
            for i, end in enumerate(ends):
                end.bind(("127.0.0.1", first + i))
                end.settimeout(20.0)
        except OSError:
            for end in ends:
                end.close()
            continue
        return ends
    raise AssertionError("no free ports")
