"""What of a draft the companion flies, and when it may be brought, started, paused and ended.

The ground's real task stands between; the test is the drone that says how it stands.

Mutants killed: a jump is left out instead of refused; what follows a landing is flown; heights
above the sea are taken as above home, or count from the planned home; a place twice makes a leg of
no length; one is brought while another is flown, or in whose draft there is an error; a curve is
brought that comes down between its places; another is started than was brought, or after home has
moved, or on the ground; what has been made is brought although command has changed meanwhile.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.chunks import Kind, Transfers
from flightcore.flown import Flown
from groundstation.plan.geometry import distance, moved, offset
from groundstation.plan.judge import judged
from groundstation.plan.model import Home, Plan, PlanError, Simple, Survey
from groundstation.plan.route import MAX_CURVE, SAME_PLACE, Place, taken
from groundstation.plan.survey import laid_out
from groundstation.screen.modes import BRAKE, GUIDED
from groundstation.tasking import REPEAT_NS
from sekisho.plan_flight import make
from tests.unit.groundstation.test_plan_console import HOME, NAME, Page, World
from wire.records import parse_records
from wire.tasking import (
    NO_TRAJECTORY,
    UNKNOWN,
    FlyAnswer,
    FlyReason,
    FlyRequest,
    FlyState,
    FlyStatus,
    FlyVerb,
)
from wire.trajectory import MAX_BYTES, decode_untrusted, identity_of

S = 10**9
NEAR = (HOME.lat, HOME.lon)


def at(north, east, altitude=20.0, command=16, frame=3, wait=0.0):
    place = moved(NEAR, north, east)
    return Simple(command=command, frame=frame, params=(wait, 0, 0, None, *place, altitude))


def simple(command, *params):
    return Simple(command=command, params=(*params, *(0.0,) * (7 - len(params))), frame=2)


def plan(*items, home=HOME):
    return Plan(items=items, home=home)


TAKE_OFF = Simple(command=22, params=(0, 0, 0, None, None, None, 20))
RETURN, LAND = simple(20), Simple(command=21, params=(0, 0, 0, None, None, None, 0))
CORNERS = [moved(NEAR, n, e) for n, e in ((10, -5), (20, -5), (20, 5), (10, 5))]
A, B, C = at(0, 0), at(30, 0, 25.0), at(30, 30, 30.0, command=82)


def test_what_is_flown_and_what_is_left_out():
    found = taken(plan(TAKE_OFF, A, simple(178, 1, 5), at(30, 0, wait=4.0), C, simple(206), RETURN))
    assert [place.altitude for place in found.places] == [20.0, 20.0, 30.0]
    assert found.places[2] == Place(*C.params[4:], 5)
    assert [(name, numbers) for _, name, numbers in found.left_out] == [
        ("TAKEOFF", [1]),
        ("DO_CHANGE_SPEED", [3]),
        ("DO_SET_CAM_TRIGG_DIST", [6]),
        ("RETURN_TO_LAUNCH", [7]),
    ]
    assert found.waits == (4,)


def test_the_lanes_of_a_survey():
    corners = tuple(moved(NEAR, n, e) for n, e in ((0, 0), (0, 40), (40, 40), (40, 0)))
    survey = laid_out(Survey(polygon=corners, altitude=35.0, spacing=10.0, trigger=5.0))
    found = taken(plan(TAKE_OFF, survey, LAND))
    lanes = [item.place for item in survey.items if item.command == 16]
    assert [place[:2] for place in found.places] == lanes
    assert {place.altitude for place in found.places} == {35.0}


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ((), "No place to fly to; allowed: two or more"),
        ((TAKE_OFF, A, RETURN), "Only one place to fly to"),
        ((A, at(0.05, 0)), "Only one place to fly to"),
        ((A, B, simple(177, 1, 2)), "Item 3 jumps"),
        ((A, B, at(9, 9, command=19)), "Item 3, LOITER_TIME: the companion flies waypoints only"),
        ((A, B, simple(93, 5)), "Item 3, DELAY: the companion flies waypoints only"),
        ((A, LAND, B), "Item 3 comes after LAND, item 2, which is not flown by it"),
        ((A, RETURN, B), "Item 3 comes after RETURN_TO_LAUNCH, item 2"),
        ((A, TAKE_OFF, B), "Item 2, TAKEOFF"),
        ((A, at(9, 9, frame=10)), "Item 2: how high above home is not known"),
        ((A, at(9, 9, None)), "Item 2: how high above home is not known"),
        ((A, Simple(command=16, params=(0, 0, 0, 0, 0, 0, 5))), "Item 2 has no place"),
    ],
)
def test_what_cannot_be_flown(items, why):
    with pytest.raises(PlanError) as caught:
        taken(plan(*items))
    assert why in str(caught.value)


def test_heights_above_the_sea_count_from_home():
    found = taken(plan(A, at(9, 9, 60.0, frame=0)))
    assert [place.altitude for place in found.places] == [20.0, 50.0]
    with pytest.raises(PlanError):
        taken(plan(A, at(9, 9, 60.0, frame=0), home=None))


OFFSETS = st.sampled_from((0.0, 0.02, 0.09, 0.11, 3.0, -40.0))


@given(
    st.lists(st.tuples(OFFSETS, OFFSETS, st.sampled_from((20.0, 20.05, 20.2, 35.0))), min_size=2)
)
def test_neighbours_are_apart_and_every_place_is_passed(spots):
    try:
        found = taken(plan(*(at(n, e, altitude) for n, e, altitude in spots)))
    except PlanError:
        return
    places = found.places
    for a, b in itertools.pairwise(places):
        assert max(distance(a[:2], b[:2]), abs(a.altitude - b.altitude)) >= SAME_PLACE
    for n, e, altitude in spots:
        spot = moved(NEAR, n, e)
        assert any(
            distance(spot, p[:2]) < SAME_PLACE and abs(altitude - p.altitude) < SAME_PLACE
            for p in places
        )


class Room(World):
    """A drone that flies in GUIDED, and says what the test lets it say."""

    def __init__(self, *items):
        super().__init__()
        self.order = 0
        self.stand(live=True, is_holder=True, armed=True, flying=True, mode=GUIDED)
        for item in items or (A, B, C):
            element = {"type": "item", "command": item.command, "params": item.params}
            assert self.do("add", element={**element, "frame": item.frame}) == ""

    def stand(self, **state):
        self.craft.craft = self.craft.craft._replace(**state)

    @property
    def task(self):
        return self.craft.task

    def flight(self):
        self.merged = {**getattr(self, "merged", {}), **self.told()}
        return self.merged["flight"]

    def blocked(self):
        return self.flight()["blocked"]

    def make(self):
        """Be the thread."""
        ((name, route),) = self.desk.outgoing_routes()
        assert name == NAME
        assert self.desk.outgoing_routes() == []
        try:
            self.desk.made(name, judged(route, make), self.now)
        except PlanError as error:
            self.desk.failed(name, str(error))
        return route

    def bring(self, **how):
        assert self.do("bring", **how) == ""
        return self.make()

    def asked(self):
        """Return the request that is on its way, None if there is none."""
        self.now += REPEAT_NS
        for record in self.task.outgoing(self.now):
            _, ((_, value),) = parse_records(record)
            return FlyRequest.parse(value)
        return None

    def say(self, state, identity=NO_TRAJECTORY, answer=FlyAnswer.NONE, **rest):
        """Be the drone."""
        self.order += 1
        request = self.asked()
        number = request.number if request else 0
        told = {"refused": NO_TRAJECTORY, "text": "", **rest}
        status = FlyStatus(
            number, answer, state, FlyReason.NONE, identity, told["refused"],
            1000, 20_000, 35 if state is FlyState.RUNNING else UNKNOWN, UNKNOWN, told["text"],
        )  # fmt: skip
        self.task.receive_status(status.encode(), (1, self.order), self.now)

    def carry(self):
        """Be the link, until all of it has arrived; return what has."""
        near, far = self.craft.transfers, Transfers({Kind.TRAJECTORY: MAX_BYTES})
        data = None
        while near.is_sending(Kind.TRAJECTORY):
            self.now += 10_000_000
            for piece in near.outgoing(self.now, 1e6):
                blob = far.receive(piece, self.now)
                data = data if blob is None else blob.data
            for piece in far.outgoing(self.now, 1e6):
                near.receive(piece, self.now)
                self.order += 1
                self.task.acknowledged((1, self.order), self.now)
        return data

    def load(self, **how):
        """Bring, and be taken; return the name."""
        self.bring(**how)
        identity = identity_of(self.carry())
        self.say(FlyState.LOADED, identity)
        assert self.flight()["told"]["upload"] == "loaded"
        return identity


def test_brought_started_paused_resumed_aborted_forgotten():
    room = Room()
    assert room.blocked()["start"] == "Bring it first"
    assert room.do("start", identity="0" * 16) == "Bring it first"
    room.bring()
    assert room.do("bring") == "One is on its way"
    assert room.blocked()["start"] == "It is on its way"
    data = room.carry()
    assert room.flight()["told"]["upload"] == "judging"
    identity = identity_of(data)
    room.say(FlyState.LOADED, identity)
    told = room.flight()
    assert (told["told"]["upload"], told["told"]["state"]) == ("loaded", "loaded")
    brought = told["brought"]
    assert (brought["identity"], brought["places"], brought["is_draft"]) == (
        identity.hex(),
        3,
        True,
    )
    assert brought["heights"] == pytest.approx((20.0, 30.0), abs=0.01)
    assert told["blocked"] == {
        "bring": "", "start": "", "pause": "Nothing is being flown",
        "resume": "Nothing is paused", "abort": "Nothing is being flown", "forget": "",
    }  # fmt: skip
    room.do("add", element={"type": "item", "command": 20, "params": [0] * 7, "frame": 2})
    assert room.flight()["brought"]["is_draft"] is False
    assert room.do("start", identity="0" * 16).startswith("Another trajectory has been brought")
    assert room.asked() is None
    assert room.do("start", identity=identity.hex()) == ""
    assert room.desk.asked() == {NAME}
    assert room.asked()[::2] == (FlyVerb.START, identity)
    assert room.flight()["told"]["answer"] == "waiting"
    room.say(FlyState.APPROACHING, identity, FlyAnswer.DONE)
    told = room.flight()
    assert (told["asked"], told["told"]["answer"]) == ("start", "done")
    assert told["blocked"] == {
        "bring": "One is being flown: abort it first", "start": "It is being flown",
        "pause": "It is not on its way yet", "resume": "Nothing is paused", "abort": "",
        "forget": "It is being flown",
    }  # fmt: skip
    room.say(FlyState.RUNNING, identity)
    assert room.flight()["told"]["error_m"] == 0.35
    for deed, verb, state in (
        ("pause", FlyVerb.PAUSE, FlyState.PAUSED),
        ("resume", FlyVerb.RESUME, FlyState.RUNNING),
        ("abort", FlyVerb.ABORT, FlyState.HANDED_BACK),
        ("forget", FlyVerb.CLEAR, FlyState.EMPTY),
    ):
        assert room.do(deed) == ""
        assert room.asked().verb is verb
        room.say(state, identity if state else NO_TRAJECTORY, FlyAnswer.DONE)
    assert room.blocked()["forget"] == "Nothing is aboard"


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"live": False}, "No link"),
        ({"is_holder": False}, "Another station commands"),
        ({"armed": None}, "The autopilot is silent"),
        ({"flying": False}, "Take off first"),
        ({"mode": BRAKE}, "Only in GUIDED"),
        ({"mode": None}, "Only in GUIDED"),
    ],
)
def test_not_started(state, why):
    room = Room()
    identity = room.load()
    room.stand(**state)
    assert room.do("start", identity=identity.hex()) == room.blocked()["start"] == why
    assert room.asked() is None


def test_not_started_after_home_has_moved():
    """Arming sets home anew, and what was brought before would be flown that much too low."""
    room = Room()
    identity = room.load()
    room.craft.home = Home(HOME.lat, HOME.lon + 1e-4, HOME.altitude + 0.9)
    assert room.blocked()["start"] == ""
    for home in (Home(HOME.lat, HOME.lon, HOME.altitude - 1.1), None):
        room.craft.home = home
        assert room.do("start", identity=identity.hex()).startswith("Home, which heights count")
    assert room.asked() is None


def test_not_brought():
    room = Room()
    room.craft.home = None
    assert room.do("bring") == "The drone has not said where its home is"
    room.craft.home = HOME
    room.stand(is_holder=False)
    assert room.do("bring") == "Another station commands"
    room.stand(is_holder=True)
    room.do("add", element={"type": "item", "command": 177, "params": [1, 1, 0, 0, 0, 0, 0]})
    assert room.do("bring") == "Item 4 jumps: the companion flies from first to last"
    assert room.flight()["told"]["upload"] == "none"
    assert room.merged["route"]["why"] == "Item 4 jumps: the companion flies from first to last"
    room.do("undo")
    room.do("add", element={"type": "polygon", "points": [*map(list, CORNERS)], "inclusion": False})
    assert "enters zone 1" in room.do("bring")
    assert room.desk.outgoing_routes() == []
    assert room.flight()["told"]["upload"] == "none"


def test_heights_count_from_where_the_drone_says_that_home_is():
    room = Room()
    room.do("settle", hover_speed=4, cruise_speed=9, home={"lat": 35, "lon": 139, "altitude": 400})
    route = room.bring(acceleration=1.5)
    assert (route.home, route.speed, route.acceleration) == (HOME, 4.0, 1.5)
    document = decode_untrusted(room.carry())
    assert document.reference.altitude_mm == HOME.altitude * 1000


def test_what_the_core_cannot_fly_is_said():
    room = Room()
    room.do("settle", hover_speed=60, cruise_speed=60)
    for n in range(4):
        item = at(800.0 * n, 0)
        room.do("add", element={"type": "item", "command": 16, "params": item.params})
    room.bring(acceleration=6)
    assert "its speed is" in room.flight()["failed"]
    assert room.flight()["told"]["upload"] == "none"
    room.do("settle", hover_speed=5, cruise_speed=5)
    room.bring()
    told = room.flight()
    assert (told["failed"], told["told"]["upload"]) == ("", "sending")


def test_a_curve_stays_between_bottom_and_top():
    low = [at(0, 0, 80), at(20, 0, 3), at(40, 0, 3), at(60, 0, 80)]
    room = Room(*low)
    room.bring(shape="curve")
    assert "the curve between the places comes down to" in room.flight()["failed"]
    room.bring(shape="legs")
    assert room.flight()["failed"] == ""
    room.carry()
    room = Room(at(0, 0, 20), at(20, 0, 97), at(40, 0, 97), at(60, 0, 20))
    room.do("settle", hover_speed=5, cruise_speed=5, ceiling=97)
    room.bring(shape="curve")
    assert "goes up to" in room.flight()["failed"]
    assert room.flight()["told"]["upload"] == "none"


def test_command_is_lost_while_it_is_made():
    room = Room()
    assert room.do("bring") == ""
    assert room.do("bring") == "It is being made"
    assert room.flight()["making"] is True
    room.stand(is_holder=False)
    room.make()
    told = room.flight()
    assert (told["making"], told["failed"]) == (False, "Another station commands")
    assert told["told"]["upload"] == "none"


def test_what_the_drone_refuses_is_said_in_its_words():
    room = Room()
    room.bring()
    identity = identity_of(room.carry())
    room.say(FlyState.EMPTY, refused=identity, text="it leaves a zone of the fence")
    told = room.flight()["told"]
    assert (told["upload"], told["text"]) == ("refused", "it leaves a zone of the fence")
    assert room.blocked()["start"] == "Bring it first"


def test_only_what_has_changed_is_told_and_it_ages():
    room = Room()
    identity = room.load()
    room.say(FlyState.RUNNING, identity)
    heard_ms = room.flight()["told"]["heard_ms"]
    assert heard_ms == room.now // 1_000_000
    room.now += 5 * S
    assert room.told() == {}
    room.say(FlyState.RUNNING, identity)
    assert set(room.told()) == {"t", "view", "drone", "flight"}


def test_another_page_that_comes_is_told_how_it_stands():
    room = Room()
    identity = room.load()
    other = Page()
    room.do("watch", other, on=True)
    room.desk.tell(room.now)
    assert other.take()["flight"]["brought"]["identity"] == identity.hex()


@pytest.mark.parametrize("shape", ["legs", "curve"])
def test_it_passes_every_place_at_its_height(shape):
    """The document, sampled, against the places themselves, by another arithmetic."""
    room = Room()
    route = room.bring(shape=shape)
    document = decode_untrusted(room.carry())
    flown = Flown(document)
    flat = flown.sample(np.linspace(0.0, flown.duration, 20_000))
    reference = document.reference
    origin = reference.latitude_e7 * 1e-7, reference.longitude_e7 * 1e-7
    for place in route.places:
        north, east = offset(origin, place[:2])
        spot = np.array([north, east, -place.altitude])[:, None]
        assert np.linalg.norm(flat[:3] - spot, axis=0).min() < 0.15
    assert np.linalg.norm(flat[3:6], axis=0).max() <= route.speed * 1.001
    assert np.linalg.norm(flat[6:9], axis=0).max() <= route.acceleration * 1.01
    rests = np.linalg.norm(flat[3:6], axis=0) < 1e-3
    assert rests[0]
    assert rests[-1]
    # At a rest in between: only legs have one.
    assert bool(rests[2000:-2000].any()) is (shape == "legs")


def test_a_curve_of_too_many_places():
    room = Room(*(at(3.0 * n, 0) for n in range(MAX_CURVE + 1)))
    assert room.do("bring", shape="curve").startswith(f"{MAX_CURVE + 1} places; a curve")
    assert room.do("bring", shape="legs") == ""
    room.make()
    assert "cannot be carried" in room.flight()["failed"]
