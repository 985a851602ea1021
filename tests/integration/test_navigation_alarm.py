"""A false position is told to everyone and stays told until the commander takes it back.

Mutants killed: a commander's request clears alarms raised after it was made (`alarm_ns > made_ns`
taken out); any station clears (holder check taken out); line loss clears.
"""

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.pair import Role
from tests.world import S, World, heartbeat
from wire.authority import NOBODY, Answer, Verb

MS = 1_000_000
LAT, LON = -353632620, 1491652370


class Autopilot:
    """Hovers, and says so at 20 Hz; GNSS at 5 Hz, `north_m` away from where it is."""

    def __init__(self, world):
        self.world = world
        self.mav = dialect.MAVLink(None, srcSystem=1, srcComponent=1)
        self.ms = 60_000
        self.north_m = 0.0

    def frames(self):
        yield dialect.MAVLink_attitude_message(self.ms, 0, 0, 0, 0, 0, 0)
        yield dialect.MAVLink_raw_imu_message(self.ms * 1000, 0, 0, -1000, 0, 0, 0, 0, 0, 0)
        if self.ms % 200 == 0:
            lat = LAT + round(self.north_m / 0.0111319)
            yield dialect.MAVLink_gps_raw_int_message(
                self.ms * 1000, 3, lat, LON, 600_000, 80, 80, 0, 0, 12, 0, 500, 800, 100
            )

    def fly(self, seconds):
        for _ in range(round(seconds * 20)):
            self.ms += 50
            data = b"".join(bytes(frame.pack(self.mav)) for frame in self.frames())
            self.world.companion.receive_line(data, self.world.now)
            self.world.run(50, armed=True)


@pytest.fixture
def world(random_bytes):
    roles = {"a": Role.COMMANDER, "b": Role.COMMANDER, "o": Role.OBSERVER}
    world = World(random_bytes, roles)
    world.run(4000, armed=True)
    world.companion.receive_line(heartbeat(armed=True), world.now)
    world.autopilot = Autopilot(world)
    world.autopilot.fly(20)
    return world


def shown(world):
    statuses = [world.station(name).status(world.now) for name in world.grounds]
    return {status.authority["navigation_suspect"] for status in statuses}


def texts(world, name):
    ground = world.grounds[name]
    messages = dialect.MAVLink(None).parse_buffer(bytearray(ground.tools)) or []
    return [m.text for m in messages if m.get_type() == "STATUSTEXT"]


def ask(world, name, verb):
    command = world.station(name).command
    command.request(verb, NOBODY, world.now)
    for _ in range(30):
        world.run(100, 50, armed=True)
        if not command.is_waiting:
            break
    return command.result


def test_an_honest_hover_raises_nothing(world):
    world.autopilot.fly(10)
    assert shown(world) == {False}
    assert world.companion.status(world.now).monitor.alarm is None


def test_an_alarm_is_told_to_everyone_and_reminded_of(world):
    world.autopilot.north_m = 50
    world.autopilot.fly(1)
    assert shown(world) == {True}
    assert world.companion.status(world.now).monitor.state == "alarm"
    world.autopilot.fly(25)
    for name in world.grounds:
        told = [text for text in texts(world, name) if text.startswith("GNSS")]
        assert len(told) >= 3
    assert any(note.startswith("navigation alarm") for note in world.notes)


def test_only_the_commander_clears_it(world):
    world.autopilot.north_m = 50
    world.autopilot.fly(2)
    world.autopilot.north_m = 0
    assert ask(world, "b", Verb.CLEAR_ALARM) is Answer.NOT_HOLDER
    assert ask(world, "o", Verb.CLEAR_ALARM) is Answer.NOT_ALLOWED
    assert shown(world) == {True}
    assert ask(world, "a", Verb.CLEAR_ALARM) is Answer.DONE
    world.run(300, armed=True)
    assert shown(world) == {False}
    world.autopilot.fly(20)  # and it has learnt anew
    world.autopilot.north_m = 50
    world.autopilot.fly(2)
    assert shown(world) == {True}


def test_a_request_made_before_the_alarm_does_not_clear_it(world):
    held = []
    world.up = lambda name, datagram, path: held.append((name, datagram)) or []
    world.station().command.request(Verb.CLEAR_ALARM, NOBODY, world.now)
    world.run(100, 50, armed=True)
    world.autopilot.north_m = 50
    world.autopilot.fly(0.6)
    assert world.companion.watch.navigation.is_suspect
    world.up = lambda name, datagram, path: []
    for name, datagram in held:
        world.receive_up(name, datagram)
    assert world.companion.stations["a"].request_answer is Answer.DONE
    assert world.companion.watch.navigation.is_suspect


def test_the_alarm_outlives_the_line(world):
    world.autopilot.north_m = 50
    world.autopilot.fly(2)
    world.companion.line_lost()
    world.run(2 * S // MS, armed=True)
    assert shown(world) == {True}
