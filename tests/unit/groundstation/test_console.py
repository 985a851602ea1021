"""The console with a real companion at the other end of a real link, on the test's clock.

Mutants killed: a viewer's order is carried out; an order on an old picture is; heartbeats go on
without a visible page; a station that is not in command sends them; the picture is sent whole each
time; presence outlives the page; the emergency stop waits for a window; another station's challenge
is confirmed unasked; two drones of one number are not told.
"""

import contextlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.pair import Role as PairRole
from groundstation.console import MAX_SAID_PER_S, MAX_SESSIONS, Console, Session
from groundstation.parameters.table import Parameter
from groundstation.talk import NotUnderstoodError, Role, parse_untrusted
from tests.world import MS, World, heartbeat
from wire.mavlink import FrameSplitter, message_id

NAME = "tsubame-1"
HEARTBEAT = dialect.MAVLINK_MSG_ID_HEARTBEAT
LONG = dialect.MAVLINK_MSG_ID_COMMAND_LONG


class Room:
    """A console of one station of a world; pages say they are here, time passes."""

    def __init__(self, random_bytes, roles=None, name="a"):
        self.world = World(random_bytes, roles)
        self.name = name
        self.station = self.world.station(name)
        self.console = Console({NAME: self.station}, {})
        self.up = []

    @property
    def now_ms(self):
        return self.world.now // MS

    def open(self, role=Role.OPERATOR):
        session = self.console.open(role)
        self.here(session)
        return session

    def here(self, session, visible=True):
        self.say(session, type="here", visible=visible)

    def say(self, session, **message):
        return self.console.receive_untrusted(session, json.dumps(message), self.world.now)

    def deed(self, session, **message):
        reply = self.say(session, **{"id": 1, "drone": NAME, "saw": self.now_ms, **message})
        assert reply["t"] == "result", reply
        return reply["error"]

    def run(self, ms, *sessions, armed=False):
        for _ in range(0, ms, 100):
            for session in sessions:
                self.here(session)
            self.world.run(100, armed=armed)
            ground = self.world.grounds[self.name]
            if ground.tools:
                self.console.drones[NAME].receive(ground.tools, self.world.now)
                ground.tools = b""
            for frames in self.console.tick(self.world.now).values():
                self.up += frames
                self.station.send(frames, self.world.now)

    def sent(self, number):
        frames, self.up = self.up, []
        return [frame for frame in frames if message_id(frame) == number]

    def say_aboard(self, *messages):
        for message in messages:
            frame = bytes(message.pack(dialect.MAVLink(None, srcSystem=1, srcComponent=1)))
            self.world.companion.receive_line(frame, self.world.now)

    def asked_of_autopilot(self, command):
        parser = dialect.MAVLink(None)
        told = [parser.decode(bytearray(f)) for f in self.world.line if message_id(f) == LONG]
        return [message for message in told if message.command == command]


@pytest.fixture
def room(random_bytes):
    room = Room(random_bytes)
    room.run(1500)
    assert room.station.is_holder
    return room


def test_heartbeats_follow_the_presence(room):
    room.run(3000)
    assert room.up == []  # nobody is there: nothing is sent at all
    page = room.open()
    room.run(3000, page)
    assert 3 <= len(room.sent(HEARTBEAT)) <= 4
    assert [frame[5:7] for frame in room.world.line if message_id(frame) == HEARTBEAT][-1] == bytes(
        (255, 190)
    )
    room.here(page, visible=False)
    room.run(3000)
    assert room.up == []
    room.here(page)
    room.run(2900)
    assert room.sent(HEARTBEAT)
    room.run(3000)  # the page has stopped saying so
    assert room.sent(HEARTBEAT) == []
    room.here(page)
    room.console.close(page)
    room.run(2000)
    assert room.up == []


def test_a_viewer_only_watches(room):
    viewer = room.open(Role.VIEWER)
    room.run(3000, viewer)
    for message in (
        {"type": "order", "action": "arm"},
        {"type": "answer", "nonce": "00" * 8, "yes": True},
        {"type": "authority", "verb": "claim"},
        {"type": "reload"},
    ):
        assert room.deed(viewer, **message) == "A viewer only watches"
    room.run(1000, viewer)
    assert room.up == []
    assert room.console.picture(viewer, room.world.now)["drones"][NAME]["word"]


@pytest.mark.parametrize(
    ("age_ms", "passes"), [(-1, False), (0, True), (5000, True), (5001, False)]
)
def test_what_was_decided_on_an_old_picture(room, age_ms, passes):
    page = room.open()
    room.run(1000, page)
    error = room.deed(page, type="order", action="arm", saw=room.now_ms - age_ms)
    assert error.startswith("Expired") != passes
    room.run(200, page)
    assert bool(room.asked_of_autopilot(dialect.MAV_CMD_DO_SET_MODE)) == passes


def test_an_order_and_its_answer(room):
    page = room.open()
    room.run(1000, page)
    assert (
        room.deed(page, type="order", action="takeoff", arguments={"altitude": 10}) == "Arm first"
    )
    assert room.deed(page, type="order", action="arm") == ""
    room.run(200, page)
    (asked,) = room.asked_of_autopilot(dialect.MAV_CMD_DO_SET_MODE)
    assert asked.param2 == 4
    room.say_aboard(dialect.MAVLink_command_ack_message(176, 4, 0, 0, 255, 190))
    room.run(300, page)
    (order,) = room.console.picture(page, room.world.now)["drones"][NAME]["orders"]
    assert (order["outcome"], order["result"]) == ("refused", "MAV_RESULT_FAILED")
    assert (order["action"], order["operator"]) == ("arm", page.name)


def test_what_operators_do_is_for_the_record(room):
    """Mutants that died: an outcome noted twice, or not at all; whose order it was left out."""
    page = room.open()
    room.run(500, page)
    assert room.deed(page, type="order", action="arm") == ""
    room.run(100, page)
    asked = room.console.events()
    assert [(e.topic, e.text.split()[-1], e.by, e.drone) for e in asked] == [
        ("order", "comes", "operator 1", None),
        ("order", "sent", "operator 1", NAME),
    ]
    assert room.console.events() == []
    room.run(100, page)
    room.say_aboard(dialect.MAVLink_command_ack_message(176, 4, 0, 0, 255, 190))
    room.run(500, page)
    (done,) = room.console.events()
    assert done.text.endswith("refused: MAV_RESULT_FAILED")
    assert room.deed(page, type="authority", verb="hand_over", station="00" * 16) == ""
    room.console.close(page)
    said = [(e.topic, e.text) for e in room.console.events()]
    assert said == [("authority", "asks: hand_over"), ("order", "operator 1 leaves")]


def test_the_recorder_is_shown(room):
    page = room.open()
    room.console.show_recorder(NAME, {"state": "recording", "bytes": 5, "file": "/secret"})
    shown = room.console.picture(page, room.world.now)["drones"][NAME]["recorder"]
    assert shown == {"state": "recording", "reason": None, "bytes": 5}


def test_flights_touch_no_drone(room):
    """A viewer may look back; nothing is sent, and nothing expires."""
    viewer = room.open(Role.VIEWER)
    said = {"type": "flights", "id": 7, "saw": 0}
    assert room.say(viewer, **said, do="list") == {"t": "result", "id": 7, "error": ""}
    assert viewer.flights.wanted().do == "list"
    assert "No recording" in room.say(viewer, **said, do="play")["error"]
    room.run(500, viewer)
    assert room.up == []


def test_a_picture_is_what_has_changed(room):
    page = room.open(Role.VIEWER)
    room.run(100, page)
    first = room.console.picture(page, room.world.now)["drones"][NAME]
    assert {"groups", "link", "authority", "word", "blocked"} <= set(first)
    assert room.console.picture(page, room.world.now)["drones"] == {}
    room.run(1000, page)
    later = room.console.picture(page, room.world.now)["drones"][NAME]
    assert "groups" in later
    assert "blocked" not in later
    other = room.open(Role.VIEWER)
    assert "blocked" in room.console.picture(other, room.world.now)["drones"][NAME]
    json.dumps(first, allow_nan=False)


def test_force_arming_needs_a_second_step(room):
    page = room.open()
    room.run(1000, page)
    typed = {"typed": NAME}
    assert room.deed(page, type="order", action="force_arm", arguments={"typed": "x"})
    assert room.deed(page, type="order", action="force_arm", arguments=typed) == ""
    room.run(300, page)
    assert room.asked_of_autopilot(400) == []
    challenge = room.console.picture(page, room.world.now)["drones"][NAME]["challenge"]
    nonce, text, _, own = challenge
    assert own
    assert "MAV_CMD_COMPONENT_ARM_DISARM" in text
    assert room.deed(page, type="answer", nonce="00" * 8, yes=True).startswith("Nothing waits")
    assert room.deed(page, type="answer", nonce=nonce, yes=True) == ""
    room.run(300, page)
    assert [message.param2 for message in room.asked_of_autopilot(400)] == [2989]


def test_the_emergency_stop_has_had_its_two_steps(room):
    page = room.open()
    room.world.companion.receive_line(heartbeat(armed=True), room.world.now)
    room.run(1000, page, armed=True)
    assert room.deed(page, type="order", action="stop") == ""
    room.run(400, page, armed=True)
    assert len(room.asked_of_autopilot(dialect.MAV_CMD_DO_FLIGHTTERMINATION)) == 1


def test_another_ones_stop_is_not_confirmed_unasked(room):
    page = room.open()
    room.run(1000, page)
    stop = dialect.MAVLink_command_long_message(1, 1, 185, 0, 1, 0, 0, 0, 0, 0, 0)
    packer = dialect.MAVLink(None, srcSystem=255, srcComponent=230)
    room.station.send([bytes(stop.pack(packer))], room.world.now)
    room.run(400, page)
    assert room.asked_of_autopilot(185) == []
    _, text, _, own = room.console.picture(page, room.world.now)["drones"][NAME]["challenge"]
    assert not own
    assert "FLIGHTTERMINATION" in text


def test_a_station_that_is_not_in_command(random_bytes):
    room = Room(random_bytes, {"a": PairRole.COMMANDER, "b": PairRole.SUPERVISOR}, "b")
    room.run(2000)
    page = room.open()
    room.run(2000, page)
    assert not room.station.is_holder
    assert room.up == []
    assert room.deed(page, type="order", action="arm") == "Another station commands"
    assert room.deed(page, type="authority", verb="preempt") == ""
    room.run(1000, page)
    assert room.station.is_holder
    assert room.sent(HEARTBEAT)


def test_two_drones_of_one_number(random_bytes):
    rooms = [Room(random_bytes) for _ in range(2)]
    for room in rooms:
        room.run(1500)
    console = Console({"x": rooms[0].station, "y": rooms[1].station}, {})
    page = console.open(Role.VIEWER)
    frames = FrameSplitter().receive(heartbeat())
    for drone in console.drones.values():
        drone.receive(b"".join(frames), rooms[0].world.now)
    for _ in range(2):
        console.tick(rooms[0].world.now)
    for shown in console.picture(page, rooms[0].world.now)["drones"].values():
        assert shown["word"][:2] == ("SYSID CLASH", 3)


def test_an_attack_is_told(room):
    page = room.open(Role.VIEWER)
    old = [datagram for _, datagram, _ in room.world.captured_down[-30:]]
    for datagram in old:
        room.world.receive_down("a", datagram)
    room.run(500, page)
    shown = room.console.picture(page, room.world.now)["drones"][NAME]
    assert shown["word"][:2] == ("UNDER ATTACK", 3)
    assert re.fullmatch("(29|30) replayed refused in 10 s", shown["link"]["attack"])
    room.run(11_000, page)
    shown = room.console.picture(page, room.world.now)["drones"][NAME]
    assert shown["link"]["attack"] == ""
    assert shown["link"]["replayed"] >= 29


def test_a_lossy_way_down_is_measured(room):
    page = room.open(Role.VIEWER)
    counts = [0]

    def lose(_, datagram, __):
        counts[0] += 1
        return [datagram] if counts[0] % 4 else []

    room.world.down = lose
    room.run(15_000, page)
    assert (
        0.2 < room.console.picture(page, room.world.now)["drones"][NAME]["link"]["loss_down"] < 0.3
    )


def test_a_lost_link_ages_and_blocks(room):
    page = room.open()
    room.run(1000, page)
    room.world.down = lambda *_: []
    room.run(4000, page)
    room.up.clear()
    room.run(2000, page)
    assert room.up == []
    shown = room.console.picture(page, room.world.now)["drones"][NAME]
    assert shown["word"][:2] == ("LINK LOST", 3)
    assert set(shown["blocked"].values()) == {"No link"}


def test_pages_are_limited(room):
    pages = [room.console.open(Role.VIEWER) for _ in range(MAX_SESSIONS)]
    assert None not in pages
    assert room.console.open(Role.OPERATOR) is None
    room.console.close(pages[0])
    assert room.console.open(Role.OPERATOR) is not None


def test_a_flood_is_noticed():
    session = Session("operator 1", Role.OPERATOR)
    assert not any(session.is_flooding(10**12) for _ in range(MAX_SAID_PER_S))
    assert session.is_flooding(10**12)
    assert not session.is_flooding(10**12 + 10**9)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"type":"fly"}',
        '{"type":"here"}',
        '{"type":"here","visible":1}',
        '{"type":"here","visible":true,"more":1}',
        '{"type":"order","id":1,"drone":"d","saw":1,"action":"explode"}',
        '{"type":"order","id":1,"drone":"d","saw":1,"action":"goto","arguments":{"lat":"x"}}',
        '{"type":"order","id":1,"drone":"d","saw":1.5,"action":"arm"}',
        '{"type":"answer","id":1,"drone":"d","saw":1,"nonce":"00","yes":true}',
        '{"type":"answer","id":1,"drone":"d","saw":1,"nonce":"00000000000000zz","yes":true}',
        '{"type":"authority","id":1,"drone":"d","saw":1,"verb":"hand_over"}',
        '{"type":"authority","id":1,"drone":"d","saw":1,"verb":"suspend"}',
        "[" * 4096,
        '{"type":"hello","key":"%s"}' % ("k" * 4096),
        b"\xff",
    ],
)
def test_what_no_page_says(room, text):
    session = room.open()
    before = room.console.is_attended(room.world.now)
    reply = room.console.receive_untrusted(session, text, room.world.now)
    assert reply["t"] == "error"
    assert reply["why"]
    assert session.faults == 1
    assert room.console.is_attended(room.world.now) == before
    room.run(200)
    assert room.asked_of_autopilot(400) == []


@given(
    st.text()
    | st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["type", "id", "drone"]), inner)
        ),
    ).map(json.dumps)
)
def test_any_text(text):
    with contextlib.suppress(NotUnderstoodError):
        parse_untrusted(text)


def test_an_unknown_drone(room):
    page = room.open()
    error = room.deed(page, type="order", action="arm", drone="<b>x</b>")
    assert error == f"drone = '<b>x</b>'; allowed: {NAME}"


def plan(room, page, deed, **rest):
    return room.deed(page, type="plan", do={"type": deed, **rest})


TAKEOFF = {"type": "item", "command": 22, "params": [0, 0, 0, None, None, None, 20]}
MISSION_COUNT = dialect.MAVLINK_MSG_ID_MISSION_COUNT


def lists_aboard(room, page):
    """Let the autopilot say that it has no lists; return their digest."""
    assert plan(room, page, "watch", on=True) == ""
    assert plan(room, page, "read") == ""
    for kind in (0, 1, 2) * 3:
        room.run(1100, page)
        room.say_aboard(dialect.MAVLink_mission_count_message(255, 190, 0, kind))
        room.run(300, page)
    told = [
        tiding["aboard"]
        for tiding in room.console.tidings(page, room.world.now)
        if "aboard" in tiding
    ]
    assert all(told[-1][name]["known"] for name in ("mission", "fence", "rally points"))
    return told[-1]["mission"]["digest"]


def test_a_viewer_sees_a_plan_and_does_not_touch_it(room):
    viewer, page = room.open(Role.VIEWER), room.open()
    room.run(1000, viewer, page)
    assert plan(room, viewer, "watch", on=True) == ""
    for deed in ("undo", "clear", "read", "take", "send", "cancel", "export"):
        assert plan(room, viewer, deed) == "A viewer only watches"
    assert plan(room, viewer, "add", element=TAKEOFF) == "A viewer only watches"
    room.console.tidings(viewer, room.world.now)
    assert plan(room, page, "add", element=TAKEOFF) == ""
    room.run(100, viewer, page)
    (told,) = [t["draft"] for t in room.console.tidings(viewer, room.world.now) if "draft" in t]
    assert [item["command"] for item in told["items"]] == [22]


def test_a_plan_is_sent_by_whoever_commands(room):
    page = room.open()
    room.run(1000, page)
    digest = lists_aboard(room, page)
    plan(room, page, "add", element=TAKEOFF)
    room.sent(MISSION_COUNT)
    room.station.is_holder = False  # until the drone says so again
    room.console.drones[NAME].tick(room.world.now, is_watched=True, is_attended=True, clash="")
    assert plan(room, page, "send", mission=digest) == "Another station commands"
    room.run(500, page)
    assert room.sent(MISSION_COUNT) == []
    assert plan(room, page, "send", mission=digest) == ""
    room.run(300, page)
    (count,) = room.sent(MISSION_COUNT)
    assert count[10] == 2
    # Nobody is there any more: it breaks off.
    room.here(page, visible=False)
    room.run(1000)
    transfer = [
        t["transfer"] for t in room.console.tidings(page, room.world.now) if "transfer" in t
    ][-1]
    assert transfer["activity"] in ("reading back", "")
    assert room.sent(MISSION_COUNT) == []


def test_what_a_failsafe_keeps_to_is_not_changed_in_flight(room):
    page = room.open()
    room.run(1000, page)
    digest = lists_aboard(room, page)
    plan(room, page, "add", element=TAKEOFF)
    room.world.companion.receive_line(heartbeat(armed=True, mode=3), room.world.now)
    room.run(300, page, armed=True)
    assert plan(room, page, "send", fence=digest).startswith("Only while disarmed")
    assert plan(room, page, "send", rally=digest).startswith("Only while disarmed")
    drone = room.console.drones[NAME]
    while drone.screen.value(HEARTBEAT, "custom_mode") != 3:
        room.say_aboard(dialect.MAVLink_heartbeat_message(2, 3, 129, 3, 4, 3))
        room.run(100, page, armed=True)
    why = plan(room, page, "send", mission=digest)
    assert why == "The mission is being flown: pause first"


def test_a_parameter_that_somebody_sets_reaches_its_view(room):
    page = room.open()
    room.run(1000, page)
    aboard = room.console.drones[NAME]._parameters
    aboard.table = {"RTL_ALT": Parameter("RTL_ALT", 1500.0, dialect.MAV_PARAM_TYPE_INT32)}
    room.say_aboard(dialect.MAVLink_param_value_message(b"RTL_ALT", 4000.0, 6, 1, 0xFFFF))
    room.run(500, page)
    assert aboard.table["RTL_ALT"].value == 4000.0


def test_a_viewer_sees_parameters_and_changes_none(room):
    viewer = room.open(Role.VIEWER)
    room.run(1000, viewer)
    assert room.deed(viewer, type="parameters", do="show") == ""
    (told,) = room.console.tidings(viewer, room.world.now)
    assert (told["view"], told["rows"]) == ("parameters", [])
    for do in ("read", "write", "stop"):
        assert room.deed(viewer, type="parameters", do=do) == "A viewer only watches"
