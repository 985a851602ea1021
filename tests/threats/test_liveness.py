"""What a link does for hours: every deadline is served, and nothing waits for ever.

`World` fails whenever a deadline stays in the past after it has been served, which in a shell is a
processor that is busy for nothing.

Mutants killed: the keepalive is put off only by a datagram that was sealed; the probe of the better
way waits for a session; the queue of the radio wakes a station that is on Wi-Fi;
a keepalive goes out on a busy line.
"""

import dataclasses

import pytest

from flightcore.options import DEFAULT_OPTIONS
from groundstation.station import Station
from tests.world import S, World, command
from wire.locality import RADIO, UDP

RTL = command(20)


def test_a_drone_that_is_switched_off_for_a_day(random_bytes):
    """The last session stays, and at its hard stop nothing can be sent under it."""
    world = World(random_bytes)
    world.run(2000)
    world.up = lambda name, datagram, path: []
    world.run(2000)
    world.now += 24 * 3600 * S
    world.run(2000)
    assert not world.station().is_live(world.now)
    world.up = lambda name, datagram, path: [datagram]
    world.run(3000)
    assert world.executes(RTL)


def test_two_ways_and_no_drone_yet(random_bytes):
    world = World(random_bytes, paths=(UDP, RADIO))
    world.up = lambda name, datagram, path: []
    world.run(5000)
    assert {path for _, _, path in world.captured_up} == {UDP, RADIO}


@pytest.mark.parametrize("load", [1, 4, 12])
def test_back_to_wifi_while_commands_wait_for_the_radio(random_bytes, load):
    world = World(random_bytes, paths=(UDP, RADIO))
    world.up = lambda name, datagram, path: [] if path == UDP else [datagram]
    world.run(3000)
    assert world.station().status(world.now).path == "radio"
    world.up = lambda name, datagram, path: [datagram]
    for _ in range(300):
        world.station().send([RTL] * load, world.now)
        world.run(10)
    assert world.station().status(world.now).path == "udp"
    world.run(3000)
    assert world.executes(RTL)


@pytest.mark.parametrize("rate", [120, 196, 232, 960])
def test_keepalives_leave_room_on_the_slowest_radio(random_bytes, rate):
    """98 bytes every half second are more than the slowest line that may be configured sends."""
    options = dataclasses.replace(DEFAULT_OPTIONS, radio_rate=rate)
    world = World(random_bytes, options=options, paths=(RADIO,))
    ground = world.grounds["a"]
    ground.station = Station(ground.disk, 1, random_bytes, (RADIO,), rate)
    world.run(20_000)
    start, sent = world.now, len(world.captured_up)
    assert all(world.executes(RTL, ms=3000) for _ in range(10))
    size = sum(len(datagram) + 2 for _, datagram, _ in world.captured_up[sent:])
    assert size <= rate * (world.now - start) / S + 242
