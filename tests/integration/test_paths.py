"""One session over two ways: Wi-Fi while it answers, the radio while it does not."""

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from tests.world import World, command
from wire.locality import RADIO, UDP

RTL = command(20)


@pytest.fixture
def world(random_bytes):
    world = World(random_bytes, paths=(UDP, RADIO))
    world.dead = set()
    alive = lambda path: not ({"udp"} & world.dead if path != RADIO else {"radio"} & world.dead)  # noqa: E731
    world.up = world.down = lambda name, datagram, path: [datagram] if alive(path) else []
    world.run(3000)
    assert world.station().status(world.now).path == "udp"
    return world


def test_the_session_goes_on_over_the_radio_and_comes_back(world):
    handshakes = world.companion.status(world.now).link.handshakes
    world.dead = {"udp"}
    world.run(1200)
    assert world.station().status(world.now).path == "radio"
    assert world.station().is_live(world.now)
    assert world.executes(RTL, ms=400)
    world.dead = set()
    world.run(2000)
    assert world.station().status(world.now).path == "udp"
    assert world.executes(RTL)
    assert world.companion.status(world.now).link.handshakes == handshakes


def test_gap_when_wifi_fails_is_under_a_second(world):
    gaps = []
    for _ in range(10):
        world.dead = {"udp"}
        start = world.now
        while not world.executes(RTL, ms=20):
            pass
        gaps.append((world.now - start) / 1e9)
        world.dead = set()
        world.run(3000)
    assert max(gaps) < 1.0


def test_radio_only(random_bytes):
    world = World(random_bytes, paths=(RADIO,))
    world.run(3000)
    assert world.station().is_live(world.now)
    assert world.executes(RTL, ms=400)
    assert max(len(d) for _, d, _ in world.captured_up + world.captured_down) <= 240
    world.run(30_000, 20)
    assert world.grounds["a"].disk.psk_generation == 1  # the ratchet fits through the radio too


def test_wifi_dead_both_ways_and_radio_too_is_a_lost_link(world):
    world.dead = {"udp", "radio"}
    world.run(3000)
    assert not world.station().is_live(world.now)
    world.dead = {"udp"}
    world.run(4000)
    assert world.station().is_live(world.now)
    assert world.executes(RTL, ms=400)


def test_uplink_of_wifi_alone_dead(world):
    world.up = lambda name, datagram, path: [datagram] if path == RADIO else []
    world.run(3000)
    assert world.executes(RTL, ms=400)


@pytest.mark.parametrize(("path", "executed"), [(UDP, 0), (RADIO, 1)])
def test_age_limits_are_those_of_the_way_it_came(world, path, executed):
    """Two seconds are too old for a command by Wi-Fi, and not by radio."""
    held = []
    world.dead = {"udp"}
    world.run(2000)
    world.up = lambda name, datagram, path: held.append(datagram) or []
    world.station().send([command(400, 1)], world.now)
    world.run(200)
    captured = list(held)
    world.run(1700)
    world.line.clear()
    for datagram in captured:
        world.receive_up("a", datagram, path)
    world.write()
    assert world.line == [command(400, 1)] * executed


def test_a_long_frame_crosses_the_radio_in_parts(world):
    world.dead = {"udp"}
    world.run(2000)
    mav = dialect.MAVLink(None, srcSystem=1, srcComponent=1)
    message = dialect.MAVLink_file_transfer_protocol_message(0, 255, 190, list(range(1, 252)))
    frame = bytes(message.pack(mav))
    assert len(frame) > 240
    world.grounds["a"].tools = b""
    world.companion.receive_line(frame, world.now)
    world.run(300)
    assert frame in world.grounds["a"].tools


def test_a_radio_full_of_telemetry_still_gets_its_keys(random_bytes):
    """Three times what the line takes, for two minutes: commands pass, the ratchet arrives."""
    world = World(random_bytes, paths=(RADIO,))
    world.run(1000)
    mav = dialect.MAVLink(None, srcSystem=1, srcComponent=1)
    attitude = bytes(dialect.MAVLink_attitude_message(1, 0.1, 0.2, 0.3, 1, 2, 3).pack(mav))
    delays = []
    for second in range(60):
        for _ in range(50):
            for _ in range(8):
                world.companion.receive_line(attitude, world.now)
            world.run(20, 20)
        if second % 10 == 5:
            before = world.now
            while not world.executes(RTL, ms=20) and world.now - before < 10**9:
                pass
            delays.append((world.now - before) / 1e9)
    assert max(delays) < 0.5
    assert world.grounds["a"].disk.psk_generation == 1
    sent = sum(len(d) + 2 for _, d, _ in world.captured_down)
    assert sent < 5760 * 62
