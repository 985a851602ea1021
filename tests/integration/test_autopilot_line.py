"""The companion and the embedded autopilot on one line: its own message rates, and signing.

Mutants killed: answers to the companion's own requests go down to ground tools; a restarted
autopilot is not asked again; what the ground sends is not signed; the challenge is not sent;
the floor is not handed out to be saved; SETUP_SIGNING from the line goes down.
"""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.revocation import usable_pairs
from flightcore.companion import Companion
from flightcore.options import DEFAULT_OPTIONS
from flightcore.rates import WANTED
from flightcore.signing import Signing, SigningFloor, SigningKeys, first_timestamp
from sim.geodesy import Place
from sim.simulation import Simulation
from sim.simulation import World as Surroundings
from tests.world import MS, S, World, command
from wire.locality import RADIO
from wire.mavlink import MESSAGE_NAME, FrameSplitter, message_id

pytestmark = pytest.mark.slow

OWN = dataclasses.replace(DEFAULT_OPTIONS, asks_rates=True)
KEY = bytes(range(32))
TICKS = 4  # of the simulator, in 10 ms
# The embedded autopilot has no such sensor, or nothing to say of it.
ABSENT = {"FENCE_STATUS"}


class Wire:
    """Hands over whatever the companion writes: the embedded autopilot answers it."""

    def __init__(self):
        self.splitter = FrameSplitter()

    def take(self, companion, _now):
        return self.splitter.receive(companion.outgoing_line())


class Line(World):
    """A world whose autopilot is the embedded one; `sent_line` is what went to it."""

    def __init__(self, random_bytes, key=None, **arguments):
        place = Place(round(35.6 * 1e7), round(139.7 * 1e7), 20.0)
        self.simulation = Simulation(Surroundings(start=place), np.random.default_rng(0))
        self.keys = None
        if key is not None:
            self.keys = SigningKeys(key=key)
            self.simulation.autopilot.signing.set_up(key, 1000)
        self.received = b""
        self.sent_line = []
        super().__init__(random_bytes, **arguments)

    def boot(self):
        self.boots += 1
        self.far_end = Wire()
        first = first_timestamp(self.floor_on_disk, 0)  # there is no clock here
        self.floor_on_disk = SigningFloor(timestamp=first)
        self.companion = Companion(
            usable_pairs(list(self.pairs_on_disk.values()), self.revocations_on_disk)[0],
            self.boots,
            self.random_bytes,
            self.authority_on_disk,
            self.options,
            signing=Signing(self.keys, first, self.now),
        )

    def fly(self, seconds):
        for _ in range(round(seconds * 100)):
            self.now += 10 * MS
            for _ in range(TICKS):
                self.simulation.step()
            heard = b"".join(self.simulation.outgoing())
            self.received += heard
            if heard:
                self.companion.receive_line(heard, self.now)
            for core in (self.companion, *(g.station for g in self.grounds.values())):
                self.tick(core)
            self.exchange()
            self.sent_line += self.line
            self.simulation.receive(b"".join(self.line))
            self.line.clear()

    def reboot_autopilot(self):
        self.simulation._reboot()

    def rates(self, seconds):
        """Fly on; return how often each message came, in Hz."""
        self.received = b""
        self.fly(seconds)
        frames = FrameSplitter().receive(self.received)
        counts = Counter(message_id(f) for f in frames if f[6] == 1)
        return {number: counts[number] / seconds for number in WANTED}

    def short(self, seconds=5):
        return {
            MESSAGE_NAME[number]
            for number, rate in self.rates(seconds).items()
            if rate < 0.85 * 1000 / WANTED[number].interval_ms
        }


def kinds(data):
    decoder = dialect.MAVLink(None)
    return [decoder.decode(bytearray(f)) for f in FrameSplitter().receive(data)]


def test_what_the_companion_needs_comes_and_comes_again_after_a_restart(random_bytes):
    line = Line(random_bytes, options=OWN)
    line.fly(16)  # the filter has a position after 9 s
    assert line.short() == ABSENT
    assert line.companion.status(line.now).autopilot["short_rates"].keys() == ABSENT
    line.reboot_autopilot()
    line.fly(20)
    assert line.short() == ABSENT


def test_answers_to_the_companion_are_not_shown_to_ground_tools(random_bytes):
    line = Line(random_bytes, options=OWN)
    line.fly(8)
    own = [f for f in line.sent_line if f[6] == 191]
    assert len(own) >= len(WANTED)
    interval = command(511, dialect.MAVLINK_MSG_ID_ATTITUDE, 20_000)
    line.station().send([interval], line.now)
    line.fly(1)
    answers = [m for m in kinds(line.grounds["a"].tools) if m.get_type() == "COMMAND_ACK"]
    assert [(a.command, a.target_system, a.target_component) for a in answers] == [(511, 255, 190)]
    assert line.rates(5)[dialect.MAVLINK_MSG_ID_ATTITUDE] > 40  # who asks for more gets more


def test_without_the_wish_nothing_is_asked(random_bytes):
    line = Line(random_bytes)
    line.fly(10)
    assert {m.get_type() for m in kinds(b"".join(line.sent_line))} == {"PARAM_REQUEST_READ"}


def test_a_signed_line_carries_everything_and_the_ground_sees_no_signature(random_bytes):
    line = Line(random_bytes, KEY, options=OWN)
    line.fly(16)
    assert line.short() == ABSENT
    autopilot = line.simulation.autopilot
    assert autopilot.signing.refused == 0
    line.station().send([command(176, 1, 0)], line.now)
    line.fly(1)
    assert all(frame[2] == 1 for frame in line.sent_line)
    assert {frame[5] for frame in line.sent_line} >= {1, 255}
    down = FrameSplitter().receive(line.grounds["a"].tools)
    assert len(down) > 500
    assert not any(frame[2] for frame in down)
    status = line.companion.status(line.now).autopilot
    assert (status["signing"], status["dropped"]) == ("on", {})


def test_a_restart_of_either_end_is_over_in_a_second(random_bytes):
    line = Line(random_bytes, KEY, options=OWN)
    line.fly(3)
    for _ in range(2):
        line.boot()
        line.fly(1.2)
        assert line.companion.autopilot.is_heard(line.now)
        assert line.companion.autopilot.signing.dropped["old_signature"] > 0
        line.reboot_autopilot()
        line.fly(2)
        assert line.companion.autopilot.is_heard(line.now)
        began = line.floor_on_disk.timestamp
        line.fly(31)
        assert line.floor_on_disk.timestamp >= began + 30 * S // 10_000
        assert line.simulation.autopilot.signing.refused == 0


def test_a_disk_rolled_back_is_overcome(random_bytes):
    """An old copy of the card, no clock: the autopilot's own time is taken over."""
    line = Line(random_bytes, KEY, options=OWN)
    line.fly(35)
    line.floor_on_disk = SigningFloor(timestamp=1000)
    line.boot()
    line.fly(2)
    assert line.companion.autopilot.is_heard(line.now)
    line.fly(5)
    assert line.short() <= ABSENT | {"HOME_POSITION"}


def test_unsigned_frames_put_onto_the_line_do_nothing(random_bytes):
    line = Line(random_bytes, KEY)
    line.fly(2)
    packer = dialect.MAVLink(None, srcSystem=255, srcComponent=190)
    name = dialect.MAVLink_param_set_message(1, 1, b"FS_GCS_ENABLE", 3.0, 9)
    line.simulation.receive(bytes(name.pack(packer)))
    line.fly(1)
    assert line.simulation.autopilot.parameters["FS_GCS_ENABLE"] == 0
    assert line.simulation.autopilot.signing.refused == 1
    armed = dialect.MAVLink_heartbeat_message(2, 3, 129, 0, 3, 3)
    line.companion.receive_line(
        bytes(armed.pack(dialect.MAVLink(None, srcSystem=1, srcComponent=1))), line.now
    )
    status = line.companion.status(line.now).autopilot
    assert (status["state"], status["dropped"]["unsigned"]) == ("disarmed", 1)


def test_a_frame_of_another_drone_is_no_frame_here(random_bytes):
    """Each drone has a key of its own."""
    one, two = Line(random_bytes, KEY), Line(random_bytes, KEY[::-1])
    one.fly(3)
    two.fly(3)
    heard_ns = two.companion.autopilot.heard_ns
    two.companion.receive_line(one.received, two.now)
    status = two.companion.status(two.now).autopilot
    assert status["dropped"]["bad_signature"] >= 3
    assert two.companion.autopilot.heard_ns == heard_ns


def test_a_key_from_the_line_goes_nowhere(random_bytes):
    line = Line(random_bytes)
    line.fly(3)
    packer = dialect.MAVLink(None, srcSystem=1, srcComponent=1)
    setup = dialect.MAVLink_setup_signing_message(0, 0, KEY, 5)
    line.companion.receive_line(bytes(setup.pack(packer)), line.now)
    line.fly(1)
    assert KEY not in line.grounds["a"].tools
    assert line.companion.status(line.now).autopilot["dropped"] == {"setup_signing": 1}


def test_on_a_radio_commands_keep_their_room_beside_these_rates(random_bytes):
    """57,600 baud carry less than the companion has the autopilot send."""
    line = Line(random_bytes, options=OWN, paths=(RADIO,))
    line.fly(16)
    packed = line.rates(5)
    assert sum(packed.values()) > 80
    waits = []
    for _ in range(20):
        line.grounds["a"].tools = b""
        sent_ns = line.now
        line.station().send([command(512, dialect.MAVLINK_MSG_ID_AUTOPILOT_VERSION)], line.now)
        while not any(m.get_type() == "COMMAND_ACK" for m in kinds(line.grounds["a"].tools)):
            line.fly(0.01)
            assert line.now - sent_ns < S
        waits.append(line.now - sent_ns)
        line.fly(0.13)
    assert max(waits) <= 250 * MS
    assert line.companion.status(line.now).link.dropped.keys() <= {
        "no_session",
        "not_sent_telemetry",
    }
