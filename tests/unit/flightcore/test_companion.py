"""The companion as a whole: batches, several stations, authority, a vanishing autopilot."""

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.pair import Identity, PairNames, Role, pair_in_lab
from flightcore.companion import Companion
from flightcore.downlink import Downlink
from groundstation.station import Station
from tests.aboard import Line

MS = 1_000_000


def pack(message, sysid=1, compid=1):
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=sysid, srcComponent=compid)))


HEARTBEAT = pack(dialect.MAVLink_heartbeat_message(2, 3, 1, 0, 3, 3))
ATTITUDE = pack(dialect.MAVLink_attitude_message(1, 0.1, 0.2, 0.3, 0, 0, 0))
ACK = pack(dialect.MAVLink_command_ack_message(400, 0))
RTL = pack(dialect.MAVLink_command_long_message(1, 1, 20, 0, 0, 0, 0, 0, 0, 0, 0), 255, 190)


def test_batches_keep_order_and_size():
    downlink = Downlink(200)
    frames = [ATTITUDE, ATTITUDE, HEARTBEAT, ACK, ATTITUDE] * 10
    batches = downlink.queue(frames, 0)
    batches.append(downlink.flush())
    assert [frame for batch in batches for frame in batch] == frames
    assert all(sum(map(len, batch)) <= 200 for batch in batches)


def test_telemetry_waits_20_ms_and_answers_do_not():
    downlink = Downlink(1000)
    assert downlink.queue([ATTITUDE], 0) == []
    assert downlink.due_ns == 20 * MS
    downlink.queue([ATTITUDE], 10 * MS)
    assert downlink.due_ns == 20 * MS
    assert downlink.queue([ACK], 12 * MS) == [[ATTITUDE, ATTITUDE, ACK]]
    assert downlink.due_ns is None


class Fleet:
    """One drone and several stations on one clock."""

    def __init__(self, roles, random_bytes):
        self.now = 10**12
        drone = Identity.create(random_bytes)
        pairs = {
            name: pair_in_lab(
                drone,
                Identity.create(random_bytes),
                PairNames("tsubame-1", name, role),
                random_bytes,
            )
            for name, role in roles.items()
        }
        self.companion = Companion([p[0] for p in pairs.values()], 1, random_bytes)
        self.companion.receive_line(HEARTBEAT, self.now)
        self.stations = {name: Station(p[1], 1, random_bytes) for name, p in pairs.items()}
        self.silent = set()
        self.heard = dict.fromkeys(roles, b"")
        self.line = []
        self.far_end = Line()

    def run(self, ms):
        for _ in range(0, ms, 20):
            self.now += 20 * MS
            self.companion.tick(self.now)
            for item in self.companion.outgoing_saves():
                self.companion.saved(item, self.now)
            for name, station in self.stations.items():
                station.tick(self.now)
                for datagram, _ in station.outgoing():
                    if name not in self.silent:
                        self.companion.receive_link(datagram, (name, 1), self.now)
            for datagram, (name, _) in self.companion.outgoing_link():
                self.heard[name] += self.stations[name].receive_link(datagram, self.now)
            self.line += self.far_end.take(self.companion, self.now)

    def command(self, name):
        self.line.clear()
        self.stations[name].send([RTL], self.now)
        self.run(100)
        return self.line == [RTL]


def test_every_station_sees_and_one_commands(random_bytes):
    fleet = Fleet({"a": Role.COMMANDER, "b": Role.COMMANDER, "o": Role.OBSERVER}, random_bytes)
    fleet.silent = {"b", "o"}
    fleet.run(1000)
    fleet.silent = set()
    fleet.run(2000)
    fleet.heard = dict.fromkeys(fleet.heard, b"")
    fleet.companion.receive_line(ATTITUDE, fleet.now)
    fleet.run(100)
    assert fleet.heard == {"a": ATTITUDE, "b": ATTITUDE, "o": ATTITUDE}
    assert fleet.command("a")
    assert not fleet.command("b")
    assert not fleet.command("o")
    dropped = fleet.companion.status(fleet.now).peers
    assert dropped["b"].link.dropped == {"not_holder": 1}
    assert dropped["o"].link.dropped == {"observer": 1}


def test_lost_line_forgets_the_autopilot(random_bytes):
    fleet = Fleet({"a": Role.COMMANDER}, random_bytes)
    fleet.run(1000)
    assert fleet.command("a")
    fleet.companion.line_lost()
    assert not fleet.command("a")
    assert fleet.companion.status(fleet.now).autopilot["sysid"] is None
    fleet.companion.receive_line(HEARTBEAT, fleet.now)
    assert fleet.command("a")


def test_presence_of_a_ground_station_is_never_made_up(random_bytes):
    """With the link lost nothing is said that would keep the autopilot's failsafe from firing."""
    fleet = Fleet({"a": Role.COMMANDER}, random_bytes)
    fleet.run(1000)
    beat = pack(dialect.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3), 255, 190)
    for _ in range(5):
        fleet.stations["a"].send([beat], fleet.now)
        fleet.run(1000)
    assert fleet.line == [beat] * 5
    fleet.silent = {"a"}
    for _ in range(30):
        fleet.now += 100 * MS
        fleet.companion.receive_line(HEARTBEAT, fleet.now)
        fleet.companion.tick(fleet.now)
        assert fleet.far_end.take(fleet.companion, fleet.now) == []
    assert fleet.far_end.own == []


@pytest.mark.parametrize("garbage", [b"\xfd" * 400, b"\xfe" * 400, bytes(range(256)) * 3])
def test_garbage_on_the_line_is_counted_and_telemetry_goes_on(random_bytes, garbage):
    fleet = Fleet({"a": Role.COMMANDER}, random_bytes)
    fleet.run(1000)
    fleet.heard["a"] = b""
    fleet.companion.receive_line(garbage + HEARTBEAT, fleet.now)
    for _ in range(20):
        fleet.companion.receive_line(HEARTBEAT, fleet.now)
        fleet.run(20)
    assert fleet.heard["a"] == HEARTBEAT * 21
    assert fleet.companion.status(fleet.now).link.dropped["autopilot_garbage_bytes"] >= 400
