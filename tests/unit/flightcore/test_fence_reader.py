"""The fence read over a line that loses, from an autopilot that lacks parameters, or lies in part.

The far end answers requests from a table; what is read is compared with that table.

Mutants killed: what has not been answered taken for zero; a parameter that is lacking asked for in
vain again; an item out of turn taken; items or the count of a mission taken for the fence's; a
fence in force by SYS_STATUS alone not kept; a change by an operator, or of all plans, not noticed.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightcore.autopilot import Autopilot
from flightcore.tasking.fence_reader import FenceReader, Reading
from flightcore.tasking.stored_fence import UnreadableFenceError
from flightcore.trajectory.geofence import Circle, Fence, Polygon
from flightcore.voice import Voice
from tests.world import MS, heartbeat
from wire.mavlink import dialect
from wire.trajectory import Reference

IN_POLYGON, OUT_POLYGON, IN_CIRCLE, OUT_CIRCLE = 5001, 5002, 5003, 5004
PLACE = Reference(356_585_999, 1_397_454_001, 20_000)
ON = {
    "FENCE_ENABLE": 1.0,
    "FENCE_TYPE": 15.0,
    "FENCE_ALT_MAX": 60.0,
    "FENCE_ALT_MIN": 3.0,
    "FENCE_RADIUS": 100.0,
    "FENCE_MARGIN": 2.0,
    "FENCE_OPTIONS": 0.0,
}
SQUARE = [(IN_POLYGON, 3, 0, 0), (IN_POLYGON, 3, 0, 900), (IN_POLYGON, 3, 900, 0)]
RING = [(OUT_CIRCLE, 5, 100, 100)]


def pack(message):
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=1, srcComponent=1)))


class Bench:
    """An autopilot's end that answers each request with a chance."""

    def __init__(self, parameters=ON, items=(), loss=0.0, seed=1):
        self.parameters, self.items, self.loss = dict(parameters), list(items), loss
        self.rng = random.Random(seed)
        self.autopilot = Autopilot()
        self.voice = Voice(self.autopilot)
        self.reader = FenceReader(self.autopilot, self.voice)
        self.now = 10**12
        self.asked = []
        self.kind = dialect.MAV_MISSION_TYPE_FENCE
        self.autopilot.receive(heartbeat(), self.now)

    def answer(self, request):
        match request.get_type():
            case "PARAM_REQUEST_READ" if request.param_id in self.parameters:
                value, name = self.parameters[request.param_id], request.param_id.encode()
                return dialect.MAVLink_param_value_message(name, value, 9, 1, 0)
            case "COMMAND_LONG" if request.param1 == 242:
                place = tuple(PLACE)
                return dialect.MAVLink_home_position_message(
                    *place, *(0.0,) * 3, [1, 0, 0, 0], *(0.0,) * 3
                )
            case "MISSION_REQUEST_LIST":
                return dialect.MAVLink_mission_count_message(1, 191, len(self.items), self.kind)
            case "MISSION_REQUEST_INT":
                command, size, north, east = self.items[request.seq]
                x, y = PLACE.latitude_e7 + north, PLACE.longitude_e7 + east
                head = 1, 191, request.seq, 0, command, 0, 0
                return dialect.MAVLink_mission_item_int_message(
                    *head, float(size), 0.0, 0.0, 0.0, x, y, 0.0, self.kind
                )
            case _:
                return None

    def step(self):
        self.now += 20 * MS
        self.reader.tick(self.now)
        for frame in self.voice.outgoing().to_line:
            request = dialect.MAVLink(None).decode(bytearray(frame))
            self.asked.append(getattr(request, "param_id", request.get_type()))
            message = self.answer(request)
            if message is not None and self.rng.random() >= self.loss:
                self.reader.receive(pack(message), self.now)

    def read(self, seconds=30):
        self.reader.begin(self.now)
        for _ in range(seconds * 50):
            if not self.reader.is_under_way:
                break
            self.step()
        return self.reader.reading

    def fence(self):
        return self.reader.fence(self.now).around(PLACE)


@settings(max_examples=40)
@given(
    st.integers(0, 15),
    st.lists(st.sampled_from([SQUARE, RING]), max_size=3),
    st.sampled_from([0.0, 0.0, 0.2, 0.3]),
    st.integers(0, 99),
    st.sets(st.sampled_from(["FENCE_OPTIONS", "FENCE_AUTOENABLE"])),
)
def test_what_is_read_is_what_is_kept(kinds, zones, loss, seed, given_):
    parameters = {**ON, "FENCE_TYPE": float(kinds), **dict.fromkeys(given_, 0.0)}
    bench = Bench(parameters, [item for zone in zones for item in zone], loss, seed)
    found = bench.read()
    if found is not Reading.KNOWN:
        assert loss
        assert bench.reader.why
        return
    fence = bench.fence()
    assert len(fence.inclusions) == (kinds & 4 > 0) * zones.count(SQUARE) + (kinds & 2 > 0)
    assert len(fence.exclusions) == (kinds & 4 > 0) * zones.count(RING)
    assert (fence.down_min == -60.0) == bool(kinds & 1)
    assert (fence.down_max == -3.0) == bool(kinds & 8)
    assert fence.margin == 2.0
    for zone in fence.inclusions:
        assert isinstance(zone, Polygon) or zone == Circle((0.0, 0.0), 100.0)


def test_what_a_version_lacks_is_asked_for_three_times_once():
    bench = Bench()
    assert bench.read() is Reading.KNOWN
    assert bench.asked.count("FENCE_AUTOENABLE") == 3
    bench.now += 61_000 * MS
    assert bench.reader.fence(bench.now) is None
    assert bench.read() is Reading.KNOWN
    assert bench.asked.count("FENCE_AUTOENABLE") == 3
    assert bench.asked.count("FENCE_TYPE") == 2


@pytest.mark.parametrize("name", [name for name in ON if name != "FENCE_OPTIONS"])
def test_what_is_not_answered_refuses(name):
    bench = Bench({key: value for key, value in ON.items() if key != name})
    assert bench.read() is Reading.FAILED
    assert bench.reader.why == f"{name} was not answered"
    assert bench.reader.fence(bench.now) is None


@pytest.mark.parametrize(
    ("enable", "auto", "status", "is_kept"),
    [(0, 0, 0, False), (1, 0, 0, True), (0, 1, 0, True), (0, 0, 1, True)],
)
def test_a_fence_that_acts_or_will_is_kept(enable, auto, status, is_kept):
    bench = Bench({**ON, "FENCE_ENABLE": float(enable), "FENCE_AUTOENABLE": float(auto)})
    sensors = dialect.MAV_SYS_STATUS_GEOFENCE * status
    message = dialect.MAVLink_sys_status_message(sensors, sensors, 0, *(0,) * 10)
    bench.reader.receive(pack(message), bench.now)
    assert bench.read() is Reading.KNOWN
    assert (bench.fence() != Fence()) == is_kept


def test_items_of_a_mission_are_none_of_the_fence():
    bench = Bench(items=SQUARE)
    bench.kind = dialect.MAV_MISSION_TYPE_MISSION
    assert bench.read() is Reading.FAILED


@pytest.mark.parametrize(
    "items",
    [
        [(IN_POLYGON, 2, 0, 0)] * 2,
        SQUARE[:2],
        [*SQUARE[:2], (OUT_POLYGON, 3, 900, 0)],
        [(IN_CIRCLE, 0, 0, 0)],
        [(IN_CIRCLE, float("nan"), 0, 0)],
        [(IN_POLYGON, float("inf"), 0, 0)] * 3,
        [(16, 3, 0, 0)],
    ],
)
def test_zones_that_make_no_sense_are_not_understood(items):
    bench = Bench(items=items)
    assert bench.read() is Reading.KNOWN
    with pytest.raises(UnreadableFenceError):
        bench.fence()


def test_answers_to_others_are_not_taken_for_ours():
    """An operator's tool reads the mission meanwhile, and the fence once more from its end."""
    bench = Bench(items=SQUARE)
    answer, fence = bench.answer, dialect.MAV_MISSION_TYPE_FENCE

    def crowded(request):
        for kind in (dialect.MAV_MISSION_TYPE_MISSION, fence):
            if request.get_type() == "MISSION_REQUEST_LIST" and kind != fence:
                count = dialect.MAVLink_mission_count_message(1, 190, 7, kind)
                bench.reader.receive(pack(count), bench.now)
            elif request.get_type() == "MISSION_REQUEST_INT":
                number = request.seq if kind != fence else (request.seq + 2) % 3
                head = 1, 190, number, 0, 5003, 0, 0
                stray = *head, 1.0, 0.0, 0.0, 0.0, 5, 5, 0.0, kind
                item = dialect.MAVLink_mission_item_int_message(*stray)
                bench.reader.receive(pack(item), bench.now)
        return answer(request)

    bench.answer = crowded
    assert bench.read() is Reading.KNOWN
    assert [item.command for item in bench.reader.fence(bench.now).items] == [IN_POLYGON] * 3


def test_the_union_is_that_of_the_owner():
    bench = Bench({**ON, "FENCE_TYPE": 4.0, "FENCE_OPTIONS": 2.0}, [*SQUARE, (IN_CIRCLE, 9, 9, 9)])
    assert bench.read() is Reading.KNOWN
    assert bench.fence().is_union


MAV = dialect.MAVLink(None, srcSystem=255, srcComponent=190)
CHANGES = [
    dialect.MAVLink_mission_count_message(1, 1, 3, dialect.MAV_MISSION_TYPE_FENCE),
    dialect.MAVLink_mission_clear_all_message(1, 1, dialect.MAV_MISSION_TYPE_FENCE),
    dialect.MAVLink_mission_clear_all_message(1, 1, dialect.MAV_MISSION_TYPE_ALL),
    dialect.MAVLink_param_set_message(1, 1, b"FENCE_MARGIN", 1.0, 9),
    dialect.MAVLink_param_set_message(1, 1, b"fence_type", 1.0, 9),
    dialect.MAVLink_command_long_message(1, 1, 207, 0, *(0.0,) * 7),
    dialect.MAVLink_command_int_message(1, 1, 0, 179, 0, 0, *(0.0,) * 4, 0, 0, 0.0),
]
OTHERS = [
    dialect.MAVLink_mission_count_message(1, 1, 3, dialect.MAV_MISSION_TYPE_MISSION),
    dialect.MAVLink_param_set_message(1, 1, b"WPNAV_SPEED", 1.0, 9),
    dialect.MAVLink_command_long_message(1, 1, 400, 0, *(0.0,) * 7),
    dialect.MAVLink_mission_request_list_message(1, 1, dialect.MAV_MISSION_TYPE_FENCE),
]


@pytest.mark.parametrize("message", [*CHANGES, *OTHERS], ids=lambda m: m.get_type())
def test_what_an_operator_changes_is_read_again(message):
    bench = Bench()
    assert bench.read() is Reading.KNOWN
    bench.reader.passed([bytes(message.pack(MAV))])
    assert (bench.reader.fence(bench.now) is None) == (message in CHANGES)


def test_a_parameter_that_is_seen_to_differ_is_read_again():
    bench = Bench()
    assert bench.read() is Reading.KNOWN
    same = dialect.MAVLink_param_value_message(b"FENCE_MARGIN", 2.0, 9, 1, 0)
    other = dialect.MAVLink_param_value_message(b"FENCE_MARGIN", 0.5, 9, 1, 0)
    bench.reader.receive(pack(same), bench.now)
    assert bench.reader.fence(bench.now) is not None
    bench.reader.receive(pack(other), bench.now)
    assert bench.reader.fence(bench.now) is None
