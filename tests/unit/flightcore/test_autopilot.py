"""Who is believed on the line: one autopilot, whatever else speaks there.

Mutants killed: the newest system id wins at once; another system id never wins; other components'
heartbeats are the autopilot's; what the second one says reaches the parts of the watch; MAVLink 1
is taken; counters of the line start over when it is lost.
"""

import dataclasses
import random
import time

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from flightcore.autopilot import SILENCE_NS, Autopilot
from flightcore.options import DEFAULT_OPTIONS
from flightcore.policy import FlightState
from flightcore.rates import FIRST_WINDOW_NS
from tests.world import MS, S, World
from wire.mavlink import FrameSplitter

D = dialect
OWN = dataclasses.replace(DEFAULT_OPTIONS, asks_rates=True)


def pack(message, system=1, component=1, *, version_1=False):
    packer = dialect.MAVLink(None, srcSystem=system, srcComponent=component)
    return bytes(message.pack(packer, force_mavlink1=version_1))


def beat(*, armed=False, autopilot=3):
    return dialect.MAVLink_heartbeat_message(2, autopilot, 1 | 128 * armed, 0, 3, 3)


def test_the_first_autopilot_is_the_one_until_it_is_silent():
    autopilot = Autopilot()
    for at_ms in range(0, 10_000, 500):
        autopilot.receive(pack(beat()) + pack(beat(armed=True), 2), at_ms * MS)
        assert (autopilot.sysid, autopilot.state) == (1, FlightState.DISARMED)
    assert autopilot.dropped == {"other_autopilot": 20}
    assert autopilot.notices() == ["Another autopilot, system 2, is ignored"]
    gone_ns = 9_500 * MS
    autopilot.receive(pack(beat(armed=True), 2), gone_ns + SILENCE_NS - 1)
    assert autopilot.sysid == 1
    autopilot.receive(pack(beat(armed=True), 2), gone_ns + SILENCE_NS)
    assert (autopilot.sysid, autopilot.state) == (2, FlightState.ARMED)


def test_answers_to_the_companion_stay_aboard_and_leave_no_gap():
    autopilot = Autopilot()
    packer = dialect.MAVLink(None, srcSystem=1, srcComponent=1)
    gimbal = dialect.MAVLink(None, srcSystem=1, srcComponent=154)

    def ack(component):
        return D.MAVLink_command_ack_message(
            511, 0, target_system=1 if component == 191 else 255, target_component=component
        )

    seen = []
    for number in range(600):
        message = ack(191) if number % 5 == 3 else ack(190) if number % 7 == 2 else beat()
        frames = [bytes(message.pack(packer)), bytes(beat().pack(gimbal))]
        packer.seq = gimbal.seq = (packer.seq + 1) % 256
        assert autopilot.receive(b"".join(frames), number * MS) == frames
        seen += autopilot.for_ground(frames)
    assert FrameSplitter().receive(b"".join(seen)) == seen  # every checksum is right
    told = [dialect.MAVLink(None).decode(bytearray(frame)) for frame in seen]
    from_autopilot = [m for m in told if m.get_srcComponent() == 1]
    sequence = [m.get_seq() for m in from_autopilot]
    assert sequence == [number % 256 for number in range(480)]
    assert [m.get_seq() for m in told if m.get_srcComponent() == 154] == [
        number % 256 for number in range(600)
    ]
    assert {m.target_component for m in told if m.get_type() == "COMMAND_ACK"} == {190}


def test_other_parts_and_ground_stations_are_no_autopilot():
    autopilot = Autopilot()
    for component in (154, 156, 100, 191, 190, 0):
        autopilot.receive(pack(beat(armed=True), 1, component), 0)
    autopilot.receive(pack(beat(autopilot=D.MAV_AUTOPILOT_INVALID), 255), 0)
    assert autopilot.sysid is None
    assert autopilot.flight_state(0) is FlightState.UNKNOWN
    assert autopilot.dropped == {}


def test_mavlink_1_is_refused_both_ways(random_bytes):
    old = pack(beat(), version_1=True)
    assert old[0] == 0xFE
    autopilot = Autopilot()
    assert autopilot.receive(old * 5, 0) == []
    assert autopilot.all_dropped() == {"mavlink1": 5}
    world = World(random_bytes)
    world.run(2000)
    command = dialect.MAVLink_command_long_message(1, 1, 20, 0, 0, 0, 0, 0, 0, 0, 0)
    assert not world.executes(pack(command, 255, 190, version_1=True))
    assert world.line == []
    assert world.executes(pack(command, 255, 190))


def test_the_counters_of_a_line_outlive_it():
    autopilot = Autopilot()
    autopilot.receive(b"garbage" + pack(beat()), 0)
    autopilot.receive(pack(beat(), 2), 0)
    autopilot.forget()
    assert autopilot.all_dropped() == {"garbage_bytes": 7, "other_autopilot": 1}
    assert autopilot.sysid is None


def test_what_a_second_autopilot_says_is_not_heeded(random_bytes):
    world = World(random_bytes, options=OWN)
    own, other = (pack(dialect.MAVLink_attitude_message(1, 0, 0, 0, 0, 0, 0), n) for n in (1, 2))
    world.companion.receive_line(other + own + other, world.now)
    assert world.companion.watch.rates._counts[D.MAVLINK_MSG_ID_ATTITUDE] == 1


def test_another_autopilot_on_the_same_line_starts_everything_anew(random_bytes):
    world = World(random_bytes, options=OWN)
    world.now += SILENCE_NS
    world.companion.receive_line(pack(beat(), 9), world.now)
    assert world.companion.watch.rates._counts.total() == 1
    assert world.companion.watch.rates.deadline_ns() == world.now + FIRST_WINDOW_NS
    assert world.companion.status(world.now).autopilot["sysid"] == 9


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_halves_of_frames_cost_only_themselves(seed):
    """A wrong speed for a while, frames cut short, bits turned over; then all is as before."""
    noise = random.Random(seed)
    autopilot = Autopilot()
    frame = pack(dialect.MAVLink_attitude_message(1, 0.1, 0.2, 0.3, 0, 0, 0))
    sent = 0
    for step in range(500):
        match noise.randrange(5):
            case 0:
                autopilot.receive(noise.randbytes(noise.randrange(300)), step)
            case 1:
                autopilot.receive(frame[: noise.randrange(len(frame))], step)
            case 2:
                spoilt = bytearray(frame)
                spoilt[noise.randrange(len(frame))] ^= 1 << noise.randrange(8)
                assert autopilot.receive(bytes(spoilt), step).count(bytes(spoilt)) == 0
            case _:
                autopilot.receive(bytes(300), step)  # what was begun is over
                assert autopilot.receive(frame, step) == [frame]
                sent += 1
    assert autopilot.frames >= sent


def test_a_flood_of_heartbeats_is_carried_at_the_rate_of_the_line():
    """Twice what 921,600 baud carries in a second; of components and of autopilots."""
    autopilot = Autopilot()
    flood = b"".join(pack(beat(), 1 + n % 200, 1 + n // 200 % 2) for n in range(8_800))
    began = time.perf_counter()
    for start in range(0, len(flood), 4096):
        autopilot.receive(flood[start : start + 4096], S)
    assert time.perf_counter() - began < 2
    assert autopilot.sysid == 1
    assert len(autopilot.notices()) == 3
