"""The drone's port under a flood: a live station's datagrams have a queue of their own.

Mutants killed: no lane; lanes never closed; the lane bound but not connected; SO_REUSEPORT left set
on any of the sockets; strangers not held back while a station is live, or held back while none is.
"""

import asyncio
import socket
import time
from pathlib import Path

import pytest

from flightcore.aio.link_port import LinkPort
from wire.locality import NotAllowedError


class Port:
    """The port at a free address, and what it has handed over."""

    def __init__(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = probe.getsockname()
        self.heard = []
        self.bursts = 0
        self.port = LinkPort(self.address, lambda *heard: self.heard.append(heard), self._end)
        self.port.start()

    def _end(self):
        self.bursts += 1

    def sender(self):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("127.0.0.1", 0))
        made.connect(self.address)
        return made

    async def until(self, condition, timeout_s=5):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, self.heard[-3:]
            await asyncio.sleep(0.001)


@pytest.fixture
def run():
    def run(scenario):
        async def main():
            port = Port()
            station, stranger = port.sender(), port.sender()
            try:
                await scenario(port, station, stranger)
            finally:
                port.port.close()
                station.close()
                stranger.close()

        asyncio.run(main())

    return run


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def full(stranger):
    """Send until the queue must be full; nobody reads meanwhile."""
    for _ in range(20_000):
        stranger.send(b"flood")


def test_a_full_queue_of_strangers_is_not_the_stations(run):
    async def scenario(port, station, stranger):
        port.port.follow({station.getsockname()})
        full(stranger)
        station.send(b"command")
        await port.until(lambda: (b"command", station.getsockname()) in port.heard)
        place = port.heard.index((b"command", station.getsockname()))
        assert place <= 32  # at most a burst or two of theirs came before

    run(scenario)


def test_without_a_lane_it_waits_behind_the_strangers_or_is_lost(run):
    """The control: the queue is one, and it is full."""

    async def scenario(port, station, stranger):
        full(stranger)
        station.send(b"command")
        await port.until(lambda: len(port.heard) > 300)
        assert (b"command", station.getsockname()) not in port.heard

    run(scenario)


def test_strangers_are_held_back_only_while_a_station_is_live(run):
    async def scenario(port, station, stranger):
        counts = []
        for stations in ({station.getsockname()}, set()):
            port.port.follow(stations)
            full(stranger)
            port.heard.clear()
            await asyncio.sleep(0.05)
            counts.append(len(port.heard))
        held_back, free = counts
        assert 16 <= held_back <= 16 * 26
        assert free > 2 * held_back

    run(scenario)


def test_lanes_follow_and_close(run):
    async def scenario(port, station, stranger):
        before = descriptors()
        for _ in range(50):
            port.port.follow({station.getsockname(), stranger.getsockname()})
            port.port.follow({stranger.getsockname()})
            port.port.follow(set())
        assert descriptors() == before
        for stations in (set(), {station.getsockname()}, {stranger.getsockname()}, set()):
            port.port.follow(stations)
            port.heard.clear()
            station.send(b"a")
            stranger.send(b"b")
            await port.until(lambda: len(port.heard) == 2)
            assert sorted(port.heard) == [
                (b"a", station.getsockname()),
                (b"b", stranger.getsockname()),
            ]
        assert port.bursts > 0

    run(scenario)


def test_nobody_shares_the_port(run):
    async def scenario(port, station, stranger):
        port.port.follow({station.getsockname()})
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                thief.bind(port.address)
        with pytest.raises(NotAllowedError, match=r"link\.udp\.bind"):
            LinkPort(port.address, lambda *_: None, lambda: None)

    run(scenario)


def test_answers_go_out_and_forged_errors_stop_nothing(run):
    async def scenario(port, station, stranger):
        port.port.follow({station.getsockname()})
        port.port.send(b"answer", station.getsockname())
        assert station.recv(10) == b"answer"
        gone = stranger.getsockname()
        stranger.close()
        port.port.follow({station.getsockname(), gone})
        for _ in range(5):  # nobody is there: the kernel says so
            port.port.send(b"answer", gone)
            await asyncio.sleep(0.005)
        station.send(b"still heard")
        await port.until(lambda: (b"still heard", station.getsockname()) in port.heard)

    run(scenario)
