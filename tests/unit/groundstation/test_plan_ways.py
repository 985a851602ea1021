"""The way that a trajectory takes, on the map and against the draft's fence, before it is flown.

Referee of the chords: the document itself, sampled densely; of the fence: whether those samples are
clear of a circle, by their distance from its middle.

Mutants killed: chords twice as long; a chord from place to place; east for north; only the first
zone, only the first way or only the ends of a way are judged; an exclusion is taken for an
inclusion; the fence is asked for after the trajectory was brought; a way that is shown after the
draft has changed, after it was refused or forgotten, or is not any more while it is flown.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from flightcore.flown import Flown
from flightcore.offboard import frames
from groundstation.plan.geometry import distance, moved, offset
from groundstation.plan.judge import judged
from groundstation.plan.model import Circle, Home, PlanError
from groundstation.plan.route import CHORD, MAX_CHORDS, Place, Route, Shape
from sekisho.plan_flight import make
from tests.unit.groundstation.test_plan_flight import HOME, NEAR, Room, at
from wire.tasking import FlyState
from wire.trajectory import Reference, decode_untrusted, identity_of

ROUNDING = 0.02  # m: of places in 1e-7 degrees
CORNER = [at(0, 0), at(30, 0), at(30, 30), at(0, 30)]


def route(*spots, shape=Shape.CURVE, fence=(), speed=5.0, acceleration=2.0):
    places = [Place(*moved(NEAR, *spot), 20.0, n) for n, spot in enumerate(spots, 1)]
    return Route(HOME, tuple(places), speed, acceleration, shape, tuple(fence), 500.0)


def flown(made):
    """Return where a trajectory goes, north and east of home, every centimetre or so."""
    document = decode_untrusted(made.data)
    whole = Flown(document)
    flat = whole.sample(np.linspace(0.0, whole.duration, 20_000))
    reference = document.reference
    first = offset(NEAR, (reference.latitude_e7 / 1e7, reference.longitude_e7 / 1e7))
    return flat[:2].T + np.array(first)


def from_chords(points, ways):
    """Return how far each point is from the nearest chord."""
    near = np.full(len(points), np.inf)
    for a, b in itertools.chain.from_iterable(map(itertools.pairwise, ways)):
        start = np.array(offset(NEAR, a))
        along = np.array(offset(NEAR, b)) - start
        share = np.clip((points - start) @ along / max(along @ along, 1e-12), 0.0, 1.0)
        near = np.minimum(near, np.linalg.norm(points - start - share[:, None] * along, axis=1))
    return near


SPOTS = st.lists(
    st.tuples(st.integers(-60, 60), st.integers(-60, 60)), min_size=2, max_size=6
).filter(lambda spots: all(math.dist(a, b) > 3 for a, b in itertools.pairwise(spots)))


@settings(max_examples=40, deadline=None)
@given(SPOTS, st.sampled_from(Shape), st.sampled_from((0.5, 2.0, 6.0)))
def test_the_chords_are_what_is_flown(spots, shape, acceleration):
    wanted = route(*spots, shape=shape, acceleration=acceleration)
    made = make(wanted)
    assert len(made.ways) == len(spots) - 1
    for (a, b), ends in zip(itertools.pairwise(wanted.places), made.ways, strict=True):
        assert distance(a[:2], ends[0]) < ROUNDING
        assert distance(b[:2], ends[-1]) < ROUNDING
        assert len(ends) == 2 or shape is Shape.CURVE
    assert from_chords(flown(made), made.ways).max() <= CHORD + ROUNDING
    assert sum(map(len, made.ways)) <= most(made) + 2 * len(spots)


def most(made):
    """Return how many chords are enough: what an acceleration bends in so long a time."""
    whole = Flown(decode_untrusted(made.data))
    flat = whole.sample(np.linspace(0.0, whole.duration, 20_000))
    hardest = np.linalg.norm(flat[6:9], axis=0).max()
    return whole.duration * (1.01 * hardest / 8 / CHORD) ** 0.5


def test_there_are_not_too_many():
    spots = [(10.0 * n, 20.0 * (n % 2)) for n in range(199)]
    made = make(route(*spots, speed=4.0, acceleration=6.0))
    assert most(made) > 1.2 * MAX_CHORDS
    assert MAX_CHORDS <= sum(map(len, made.ways)) <= MAX_CHORDS + 2 * len(spots)


@settings(max_examples=60, deadline=None)
@given(SPOTS, st.tuples(st.integers(-60, 60), st.integers(-60, 60)), st.booleans(), st.data())
def test_the_fence_is_kept_to_all_along(spots, middle, inclusion, data):
    lat, lon = moved(NEAR, *middle)
    least = 70 if inclusion else 2
    radius = data.draw(st.integers(least, least + 60))
    zones = [Circle(lat=lat, lon=lon, radius=radius, inclusion=inclusion)]
    far = Circle(lat=NEAR[0], lon=NEAR[1], radius=5000.0)
    wanted = route(*spots, fence=(far, *zones))
    points = flown(make(wanted))
    outside = np.linalg.norm(points - np.array(middle), axis=1) - radius
    breach = outside.max() if inclusion else -outside.min()
    assume(abs(breach) > 2 * CHORD)
    if breach < 0:
        judged(wanted, make)
    else:
        with pytest.raises(PlanError, match=f"{'leaves' if inclusion else 'enters'} zone 2 of"):
            judged(wanted, make)


@given(
    st.integers(-850_000_000, 850_000_000),
    st.sampled_from((-1_800_000_000, -17, 0, 1_799_999_999)),
    st.floats(-5000, 5000),
    st.floats(-5000, 5000),
)
@example(700_000_000, 0, 5000.0, 5000.0)
def test_moved_is_the_inverse_of_offset(lat, lon, north, east):
    origin = Reference(lat, lon, 0)
    place = frames.moved(origin, north, east)
    assert -1_800_000_000 <= place[1] < 1_800_000_000
    back = frames.offset(Reference(*place, 0), origin)
    assert math.dist(back[:2], (north, east)) < ROUNDING


def fence(room, north, east, radius, inclusion):
    lat, lon = moved(NEAR, north, east)
    zone = {"type": "circle", "lat": lat, "lon": lon, "radius": radius, "inclusion": inclusion}
    assert room.do("add", element=zone) == ""


def test_a_curve_that_leaves_the_fence_is_not_brought():
    """Its straight legs keep to it, and are brought."""
    room = Room(*CORNER)
    fence(room, 15, 15, 22, inclusion=True)
    room.bring(shape="curve")
    assert room.flight()["failed"].endswith("leaves zone 1 of the fence")
    assert room.flight()["told"]["upload"] == "none"
    assert room.merged["ways"] == {"ways": ()}
    room.bring(shape="legs")
    assert (room.flight()["failed"], room.flight()["told"]["upload"]) == ("", "sending")


def test_which_part_of_a_curve_enters_which_zone():
    room = Room(*CORNER)
    fence(room, -70, 0, 5, inclusion=False)
    route = room.bring(shape="curve")
    outer = max(
        (point for point in judged(route, make).ways[1]), key=lambda point: offset(NEAR, point)[0]
    )
    assert offset(NEAR, outer)[0] > 32
    room = Room(*CORNER)
    fence(room, -70, 0, 5, inclusion=False)
    fence(room, *offset(NEAR, outer), 1, inclusion=False)
    room.bring(shape="curve")
    said = "the curve from item 2 to item 3 enters zone 2 of the fence"
    assert room.flight()["failed"] == said


def ways(room):
    room.flight()
    return room.merged["ways"]["ways"]


def test_the_way_is_told_as_long_as_it_means_something():
    room = Room()
    assert ways(room) == ()
    assert room.do("bring") == ""
    assert ways(room) == ()
    room.make()
    assert [len(ends) for ends in ways(room)] == [2, 2]
    assert "ways" not in room.told()
    data = room.carry()
    assert ways(room)
    identity = identity_of(data)
    room.say(FlyState.LOADED, identity)
    assert ways(room)
    room.do("drop", ids=[1])
    assert ways(room) == ()
    # While it is flown, that is the way that is flown, whatever becomes of the draft.
    for state, is_shown in (
        (FlyState.APPROACHING, True),
        (FlyState.RUNNING, True),
        (FlyState.PAUSED, True),
        (FlyState.HANDED_BACK, False),
    ):
        room.say(state, identity)
        assert bool(ways(room)) is is_shown, state
    room = Room()
    room.load()
    assert ways(room)
    room.say(FlyState.EMPTY)
    assert ways(room) == ()


def test_the_way_of_what_is_refused_or_taken_the_place_of_is_not_told():
    room = Room()
    room.bring()
    room.say(FlyState.EMPTY, refused=identity_of(room.carry()), text="it leaves a zone")
    assert ways(room) == ()
    identity = room.load()
    assert ways(room)
    room.say(FlyState.LOADED, bytes(reversed(identity)))  # another station's
    assert ways(room) == ()


def test_home_moves_nothing_on_the_map():
    room = Room()
    room.load()
    before = ways(room)
    room.craft.home = Home(HOME.lat + 1e-4, HOME.lon, HOME.altitude)
    assert ways(room) == before
