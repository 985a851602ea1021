"""Two real cores and a clock: a command reaches the line, telemetry reaches the tools."""

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from flightcore.companion import Companion
from groundstation.station import Station
from tests.aboard import Line

MS = 1_000_000
GROUND = ("192.168.50.2", 40000)


def heartbeat(*, armed=False, sysid=1):
    mav = dialect.MAVLink(None, srcSystem=sysid, srcComponent=1)
    mode = 1 | (128 if armed else 0)
    return dialect.MAVLink_heartbeat_message(2, 3, mode, 0, 3, 3).pack(mav)


def command(number, *params, compid=190):
    mav = dialect.MAVLink(None, srcSystem=255, srcComponent=compid)
    values = [*params, *[0] * (7 - len(params))]
    return dialect.MAVLink_command_long_message(1, 1, number, 0, *values).pack(mav)


class Rig:
    """Both ends and the air between them; `air` may hold, drop or change what passes."""

    def __init__(self, pair, random_bytes):
        self.now = 10**12
        self.companion = Companion([pair[0]], 1, random_bytes)
        self.far_end = Line()
        self.station = Station(pair[1], 1, random_bytes)
        self.line = b""
        self.tools = b""
        self.up = lambda datagram: [datagram]
        self.down = lambda datagram: [datagram]
        self.captured_up = []
        self.captured_down = []

    def run(self, ms, step=10):
        for _ in range(0, ms, step):
            self.now += step * MS
            self.station.tick(self.now)
            self.companion.tick(self.now)
            self.exchange()

    def exchange(self):
        for item in self.companion.outgoing_saves():
            self.companion.saved(item, self.now)
        for record in self.station.custody.outgoing_saves():
            self.station.custody.saved(record)
        for datagram, _ in self.station.outgoing():
            self.captured_up.append(datagram)
            for passed in self.up(datagram):
                self.companion.receive_link(passed, GROUND, self.now)
        for datagram, _ in self.companion.outgoing_link():
            self.captured_down.append(datagram)
            for passed in self.down(datagram):
                self.tools += self.station.receive_link(passed, self.now)
        self.line += b"".join(self.far_end.take(self.companion, self.now))


@pytest.fixture
def rig(pair, random_bytes):
    rig = Rig(pair, random_bytes)
    rig.companion.receive_line(heartbeat(), rig.now)
    rig.run(1000)
    assert rig.station.is_live(rig.now)
    rig.line = rig.tools = b""
    return rig


def test_command_reaches_the_line_and_telemetry_the_tools(rig):
    arm = command(400, 1)
    rig.station.send([arm], rig.now)
    rig.exchange()
    assert rig.line == arm
    beat = heartbeat()
    rig.companion.receive_line(beat, rig.now)
    rig.run(20)
    assert rig.tools == beat


def test_overhead_on_the_air(rig):
    rig.run(100)
    rig.captured_up.clear()
    rig.captured_down.clear()
    arm = command(400, 1)
    rig.station.send([arm], rig.now)
    rig.companion.receive_line(heartbeat(), rig.now)
    rig.companion.tick(rig.now)
    rig.exchange()
    assert [len(d) for d in rig.captured_up] == [96]  # 25 bytes, the frame, and padding
    assert [len(d) for d in rig.captured_down] == [len(heartbeat()) + 21]


def test_many_frames_leave_in_order_and_in_datagrams_of_bounded_size(rig):
    rig.captured_up.clear()
    frames = [command(115, angle) for angle in range(200)]
    rig.station.send(frames, rig.now)
    rig.exchange()
    assert rig.line == b"".join(frames)
    assert max(map(len, rig.captured_up)) <= 1200
    rig.captured_down.clear()
    rig.companion.receive_line(heartbeat() * 500, rig.now)
    rig.run(20)
    assert rig.tools == heartbeat() * 500
    assert max(map(len, rig.captured_down)) <= 1200


def test_held_back_command_is_refused(rig):
    held = []
    rig.up = lambda datagram: held.append(datagram) or []
    rig.station.send([command(400, 1)], rig.now)
    rig.exchange()
    rig.run(1600)
    rig.line = b""
    rig.companion.receive_link(held[0], GROUND, rig.now)
    rig.exchange()
    assert rig.line == b""
    status = rig.companion.status(rig.now)
    assert status.link.dropped["stale"] == 1


def test_refused_command_is_answered(rig):
    rig.station.send([command(999, 1)], rig.now)
    rig.run(50)
    assert rig.line == b""
    mav = dialect.MAVLink(None)
    answers = mav.parse_buffer(rig.tools)
    ack = next(m for m in answers if m.get_type() == "COMMAND_ACK")
    assert (ack.command, ack.result) == (999, dialect.MAV_RESULT_DENIED)
    assert any("not allowed" in m.text for m in answers if m.get_type() == "STATUSTEXT")


def test_session_survives_a_rekey_without_losing_a_command(rig):
    sent = 0
    for _ in range(1300):
        rig.station.send([command(400, 1)], rig.now)
        sent += 1
        rig.companion.receive_line(heartbeat(), rig.now)
        rig.run(100)
    # one more after the ratchet of the first second, one more after 120 s
    assert rig.companion.status(rig.now).link.generation == 3
    assert rig.line.count(command(400, 1)[10:]) == sent
    assert set(rig.companion.status(rig.now).link.dropped) == {"no_session"}


def test_a_status_held_back_does_not_undo_a_later_one(rig):
    """Its age and authority are of the past: neither may become the picture of now."""
    rig.run(1000)
    held = rig.captured_down[-5:]
    age_s = rig.station.status(rig.now).telemetry_age_s
    assert age_s <= 0.5
    rig.down = lambda _: []
    for datagram in rig.companion.outgoing_link():
        held.append(datagram[0])
    rig.run(900)
    frozen = rig.station.status(rig.now)
    assert frozen.telemetry_age_s > 0.8  # a frozen picture grows old by itself
    for datagram in reversed(held):
        rig.station.receive_link(datagram, rig.now)
    assert rig.station.status(rig.now).telemetry_age_s > 0.8


def test_age_of_telemetry_is_never_taken_from_another_generation(rig):
    rig.run(119_000, step=100)
    old = []
    rig.down = lambda datagram: old.append(datagram) or []
    rig.run(400)
    rig.down = lambda datagram: [datagram]
    rig.run(2_000)
    assert rig.companion.status(rig.now).link.generation >= 2
    before = rig.station.status(rig.now)
    for datagram in old:
        rig.station.receive_link(datagram, rig.now)
    after = rig.station.status(rig.now)
    assert after.telemetry_age_s == before.telemetry_age_s
    assert after.link.frames_down == before.link.frames_down


def test_drone_restart_is_noticed_and_healed(rig, pair, random_bytes):
    rig.companion = Companion([pair[0]], 2, random_bytes)
    rig.companion.receive_line(heartbeat(), rig.now)
    rig.run(2500)
    assert rig.station.status(rig.now).drone_boot_count == 2
    rig.line = b""
    rig.station.send([command(400, 1)], rig.now)
    rig.exchange()
    assert rig.line == command(400, 1)
