"""Planning as pages ask for it: who may, what is refused by name, and what a page is told.

The drone is the console's own core over a station's real one, with the test as the autopilot.

Mutants killed: a viewer edits; an edit that is refused is told to the pages; a list is sent with an
error in it; one is sent without having been compared, or against what was aboard before; the fence
is sent while armed; a transfer goes on when another station commands; a page that has left is told.
"""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.chunks import Transfers
from groundstation.orders import Craft as Orderable
from groundstation.plan.aboard import Aboard
from groundstation.plan.deeds import Planning
from groundstation.plan.desk import Desk
from groundstation.plan.draft import Draft
from groundstation.plan.model import Home, PlanError
from groundstation.plan.onboard import FENCE, KINDS, MISSION
from groundstation.talk import NotUnderstoodError, parse_untrusted
from groundstation.tasking import Task

NAME = "tsubame-1"
HOME = Home(35.0, 139.0, 10.0)
SQUARE = [[35.0, 139.0], [35.001, 139.0], [35.001, 139.001], [35.0, 139.001]]
TAKEOFF = {"type": "item", "command": 22, "params": [0, 0, 0, None, None, None, 20]}
WAYPOINT = {"type": "item", "command": 16, "params": [0, 0, 0, None, 35.0005, 139.0005, 30]}


class Craft:
    """What planning needs of a drone."""

    def __init__(self):
        self.aboard = Aboard()
        self.home = HOME
        self.craft = Orderable(NAME)
        self.transfers = Transfers({})
        self.task = Task(self.transfers, bytes)
        self.why = {}

    def why_no_transfer(self, kind):
        return self.why.get(kind, "")


class Page:
    def __init__(self):
        self.tidings = []

    def take(self):
        """Return what has come of each section, the newest."""
        merged = {}
        for told in self.tidings:
            assert (told["t"], told["view"], told["drone"]) == ("view", "plan", NAME)
            merged |= told
        self.tidings = []
        json.dumps(merged)
        return merged


class World:
    def __init__(self):
        self.craft = Craft()
        self.desk = Desk({NAME: self.craft})
        self.page = Page()
        self.now = 0
        assert self.do("watch", on=True) == ""

    def do(self, deed, page=None, **rest):
        text = json.dumps(
            {"type": "plan", "id": 1, "drone": NAME, "saw": 0, "do": {"type": deed, **rest}}
        )
        return self.desk.carry_out(page or self.page, parse_untrusted(text), self.now)

    def told(self):
        self.desk.tell(self.now)
        return self.page.take()

    def read_nothing(self):
        """Let the drone say that its lists are empty."""
        for kind in KINDS:
            self.craft.aboard.readers[kind].items = []
            self.craft.aboard.read_ns[kind] = 1
        self.craft.aboard.version += 1


def test_a_page_is_told_what_changes_and_no_more():
    world = World()
    assert set(world.told()) >= {"draft", "checks", "aboard", "transfer", "route", "flight"}
    assert world.told() == {}
    assert world.do("add", element=WAYPOINT) == ""
    told = world.told()
    assert [item["id"] for item in told["draft"]["items"]] == [1]
    assert "kept" not in told["draft"]["items"][0]
    other = Page()
    world.do("watch", other, on=True)
    world.desk.tell(world.now)
    assert other.take()["draft"] == told["draft"]
    world.do("watch", on=False)
    world.do("add", element=WAYPOINT)
    assert world.told() == {}
    assert len(other.take()["draft"]["items"]) == 2
    world.desk.forget(other)
    world.do("undo")
    world.desk.tell(world.now)
    assert other.tidings == []


@pytest.mark.parametrize(
    ("deed", "rest", "why"),
    [
        ("redo", {}, "Nothing to redo"),
        ("drop", {"ids": [7]}, "element 7 is not there any more"),
        ("move", {"element": 7, "to": 0}, "element 7 is not there any more"),
        ("put", {"element": {**WAYPOINT, "id": 7}}, "element 7 is not there any more"),
        ("put", {"element": {"type": "polygon", "points": SQUARE, "id": 1}}, "of another type"),
        ("import", {"text": "[]"}, "Expected `object`, got `array`"),
        ("take", {}, "Read it first: mission, fence, rally points aboard not known"),
        ("send", {}, "Nothing was chosen"),
        ("send", {"mission": "x"}, "has changed since it was compared"),
        (
            "add",
            {"element": {"type": "survey", "polygon": SQUARE, "spacing": 0.2}},
            "lines every 0.20 m",
        ),
        ("add", {"element": {"type": "survey", "polygon": SQUARE[:2] * 2}}, "has no area"),
    ],
)
def test_refused_by_name(deed, rest, why):
    world = World()
    world.do("add", element=WAYPOINT)
    world.told()
    assert why in world.do(deed, **rest)
    assert "draft" not in world.told()


def test_what_is_sent_has_been_compared():
    world = World()
    world.read_nothing()
    digest = world.told()["aboard"]["mission"]["digest"]
    world.do("add", element=TAKEOFF)
    world.do("add", element=WAYPOINT)
    assert world.do("send", mission="0" * 32).startswith("What is aboard has changed")
    del world.craft.aboard.read_ns[MISSION]  # somebody has given the drone another
    assert world.do("send", mission=digest).startswith("What is aboard has changed")
    world.read_nothing()
    world.craft.why = {MISSION: "No link"}
    assert world.do("send", mission=digest) == "No link"
    world.craft.why = {FENCE: "Only while disarmed"}
    assert world.do("send", mission=digest, fence=digest) == "Only while disarmed"
    assert not world.craft.aboard.is_busy
    assert world.do("send", mission=digest) == ""
    assert world.craft.aboard.is_sending
    assert world.do("send", mission=digest) == "A transfer is under way"
    (count,) = world.craft.aboard.outgoing(1, 0)
    assert (count.get_type(), count.count) == ("MISSION_COUNT", 3)


def test_nothing_with_an_error_in_it_is_sent():
    world = World()
    world.read_nothing()
    digest = world.told()["aboard"]["mission"]["digest"]
    world.do("add", element={**WAYPOINT, "params": [*WAYPOINT["params"][:6], 600]})
    why = world.do("send", mission=digest)
    assert why == "Not sent: Item 1: 600 m above home; allowed: up to 500 m"
    assert world.do("send", fence=digest) == ""  # in which there is none


def test_bad_messages():
    for do in (
        {"type": "add"},
        {"type": "add", "element": {"type": "foreign", "kind": "x"}},
        {"type": "add", "element": {**WAYPOINT, "command": "16"}},
        {"type": "add", "element": {**WAYPOINT, "params": [1, 2]}},
        {"type": "add", "element": {**WAYPOINT, "params": [0, 0, 0, 0, 95, 0, 0]}},
        {"type": "add", "element": {"type": "polygon", "points": [[0, 0]]}},
        {"type": "add", "element": {"type": "polygon", "points": [[0, 0]] * 201}},
        {"type": "add", "element": {"type": "rally", "lat": 1, "lon": 1}},
        {"type": "settle", "hover_speed": 0, "cruise_speed": 5},
        {"type": "send", "mission": 5},
        {"type": "drop", "ids": "all"},
        {"type": "fly"},
        {"type": "bring", "shape": "loops"},
        {"type": "bring", "acceleration": 9},
        {"type": "bring", "acceleration": 0},
        {"type": "start"},
        {"type": "start", "identity": "0" * 15},
        {"type": "start", "identity": "G" * 16},
        {"type": "pause", "identity": "0" * 16},
        [],
    ):
        message = json.dumps({"type": "plan", "id": 1, "drone": NAME, "saw": 0, "do": do})
        with pytest.raises(NotUnderstoodError):
            parse_untrusted(message)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
DEEDS = st.sampled_from(
    [
        "watch",
        "add",
        "put",
        "drop",
        "move",
        "settle",
        "undo",
        "redo",
        "clear",
        "import",
        "export",
        "read",
        "take",
        "send",
        "cancel",
        "bring",
        "start",
        "pause",
        "resume",
        "abort",
        "forget",
    ]
)
FIELDS = st.sampled_from(
    [
        "on",
        "element",
        "at",
        "ids",
        "to",
        "hover_speed",
        "cruise_speed",
        "ceiling",
        "home",
        "text",
        "mission",
        "fence",
        "rally",
        "shape",
        "acceleration",
        "identity",
    ]
)


@settings(max_examples=300)
@given(DEEDS, st.dictionaries(FIELDS, JSON | st.sampled_from((WAYPOINT, TAKEOFF, 1, 0, True))))
def test_any_deed(deed, rest):
    """It is not understood, or answered in words; a draft and what is told of it stay whole."""
    world = World()
    world.read_nothing()
    world.do("add", element=WAYPOINT)
    message = {"type": "plan", "id": 1, "drone": NAME, "saw": 0, "do": {"type": deed, **rest}}
    try:
        said = parse_untrusted(msgspec.json.encode(message))
    except NotUnderstoodError:
        return
    assert isinstance(said, Planning)
    assert isinstance(world.desk.carry_out(world.page, said, 0), str)
    world.told()
    for _, data in world.desk.outgoing_saves():
        Draft.decode(data)


def test_a_draft_is_saved_until_it_is_on_disk():
    world = World()
    assert world.desk.outgoing_saves() == []
    world.do("add", element=WAYPOINT)
    assert world.told()["draft"]["saved"] is False
    ((name, data),) = world.desk.outgoing_saves()
    world.do("add", element=WAYPOINT)
    assert world.desk.outgoing_saves() == []  # one at a time
    world.desk.saved(name, "")
    assert world.told()["draft"]["saved"] is False
    ((_, newer),) = world.desk.outgoing_saves()
    world.desk.saved(name, "the disk is full")
    told = world.told()["draft"]
    assert (told["saved"], told["note"]) == (False, "The draft is not saved: the disk is full")
    assert world.desk.outgoing_saves() == []
    world.do("undo")
    world.desk.outgoing_saves()
    world.desk.saved(name, "")
    told = world.told()["draft"]
    assert (told["saved"], told["note"]) == (True, "")
    assert len(Draft.decode(data).plan.items) == 1
    assert len(Draft.decode(newer).plan.items) == 2


@pytest.mark.parametrize("data", [b"", b"{}", b"[", b'{"version": 2, "plan": {}, "next_id": 1}'])
def test_a_damaged_draft(data):
    with pytest.raises(PlanError):
        Draft.decode(data)
