"""Drafts against a list of all the plans there were; geometry against shapely.

Mutants killed: redo kept after an edit; an edit that is refused is a step to undo; an id used
again; a leg is judged by its ends; a corner of the fence is inside; the edge from last corner to
first is left out; a circle out is judged by its ends; entry corner ignored; the last line of a
survey left out; lines not turned by the angle; a jump keeps its number when an item is put before.
"""

import json
import math

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import LineString, Point, Polygon

from groundstation.plan import model
from groundstation.plan.draft import MAX_STEPS, Draft
from groundstation.plan.geometry import METRES_PER_DEGREE, breaches, crosses_itself, offset
from groundstation.plan.model import PlanError, Rally, Simple, Survey, flown
from groundstation.plan.onboard import compare, lists, mission_of, zones_of
from groundstation.plan.qgc import read_plan_untrusted
from groundstation.plan.qgc_write import write_plan
from groundstation.plan.survey import laid_out

ORIGIN = (35.0, 139.0)
COSINE = math.cos(math.radians(35.0))


def place(north, east):
    """Return a place so many metres from the origin, to the 1e-7 degree."""
    return (
        round(ORIGIN[0] + north / METRES_PER_DEGREE, 7),
        round(ORIGIN[1] + east / METRES_PER_DEGREE / COSINE, 7),
    )


def waypoint(north=0.0, east=0.0, altitude=20.0, command=16):
    return Simple(command=command, params=(0, 0, 0, None, *place(north, east), altitude))


# Whole metres on a small grid, so that corners, edges and legs meet often.
grid = st.integers(-4, 4).map(lambda n: 10.0 * n)
points = st.tuples(grid, grid).map(lambda p: place(*p))
corners = st.lists(points, min_size=3, max_size=7).map(tuple)
altitudes = st.sampled_from((0.0, 2.0, 20.0, 119.99, 120.0, 33.333333, 500.0))
numbers = st.sampled_from((None, 0.0, -0.0, 1.0, -1.0, 0.1, 2.5, 1e9, -1e9, 360.0))
simple = st.builds(
    lambda command, frame, params, at, altitude, proceed: Simple(
        command=command, frame=frame, params=(*params, *at, altitude), auto_continue=proceed
    ),
    st.sampled_from((16, 17, 19, 20, 21, 22, 82, 93, 112, 115, 178, 201, 206, 530, 40000)),
    st.sampled_from((0, 2, 3, 10)),
    st.tuples(numbers, numbers, numbers, numbers),
    st.one_of(points, st.just((None, None)), st.just((0.0, 0.0))),
    altitudes,
    st.booleans(),
)
camera = st.builds(
    model.Camera,
    name=st.sampled_from(("", "Sony \N{GREEK SMALL LETTER ALPHA} 6000", "x" * 100)),
    sensor_width=st.sampled_from((6.3, 23.5)),
    sensor_height=st.sampled_from((4.7, 15.6)),
    image_width=st.just(4000),
    image_height=st.just(3000),
    focal_length=st.sampled_from((4.5, 16.0)),
    landscape=st.booleans(),
)
square = tuple(place(n, e) for n, e in ((0, 0), (100, 0), (100, 150), (0, 150)))
survey = st.builds(
    Survey,
    polygon=st.sampled_from((square, square[:3])),
    altitude=st.sampled_from((30.0, 50.0)),
    angle=st.sampled_from((0.0, 30.0, 90.0, -45.0, 200.0)),
    spacing=st.sampled_from((9.0, 25.0, 400.0)),
    trigger=st.sampled_from((0.0, 10.0)),
    turnaround=st.sampled_from((0.0, 12.5)),
    entry=st.integers(0, 3),
    in_turnaround=st.booleans(),
    camera=st.none() | camera,
)
zone = st.builds(model.Polygon, points=corners, inclusion=st.booleans()) | st.builds(
    lambda at, radius, inside: model.Circle(lat=at[0], lon=at[1], radius=radius, inclusion=inside),
    points,
    st.sampled_from((1.0, 15.5, 1000.0)),
    st.booleans(),
)
rally = st.builds(lambda at, up: Rally(lat=at[0], lon=at[1], altitude=up), points, altitudes)
element = st.one_of(simple, simple, survey, zone, rally)
edit = st.one_of(
    st.tuples(st.just("add"), element, st.none() | st.integers(-1, 5)),
    st.tuples(st.just("put"), element, st.integers(0, 8)),
    st.tuples(st.just("drop"), st.lists(st.integers(0, 8), max_size=3)),
    st.tuples(st.just("move"), st.integers(0, 8), st.integers(-1, 6)),
    st.tuples(st.just("replace"), st.lists(simple, max_size=3)),
    st.tuples(st.just("settle"), st.sampled_from((4.0, 5.0, 8.0))),
    st.tuples(st.just("undo")),
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
)


def carry_out(draft, what, *rest):
    match what:
        case "add":
            draft.add(*rest)
        case "put":
            draft.put(msgspec.structs.replace(rest[0], id=rest[1]))
        case "drop":
            draft.drop(*rest)
        case "move":
            draft.move(*rest)
        case "replace":
            draft.replace(model.Plan(items=tuple(rest[0])))
        case "settle":
            draft.settle(msgspec.structs.replace(draft.plan, hover_speed=rest[0]))
        case "undo":
            draft.undo()
        case "redo":
            draft.redo()


@settings(max_examples=60)
@given(st.lists(edit, max_size=25))
def test_undo_and_redo_are_the_plans_there_were(edits):
    draft, history, at = Draft(), [model.Plan()], 0
    seen = set()
    for each in edits:
        before, could = draft.plan, (draft.can_undo, draft.can_redo)
        try:
            carry_out(draft, *each)
        except PlanError:
            assert draft.plan is before
            assert (draft.can_undo, draft.can_redo) == could
            continue
        if each[0] == "undo":
            at -= 1
        elif each[0] == "redo":
            at += 1
        elif draft.plan != before:
            del history[at + 1 :]
            history.append(draft.plan)
            at += 1
        assert draft.plan == history[at]
        assert (draft.can_undo, draft.can_redo) == (at > 0, at + 1 < len(history))
        ids = [e.id for e in draft.plan.elements()]
        assert len(set(ids)) == len(ids)
        assert 0 not in ids
        if each[0] == "add":
            (new,) = set(ids) - {e.id for e in before.elements()}
            assert new not in seen
        seen |= set(ids)
    kept = Draft.decode(draft.encode())
    assert kept.plan == draft.plan
    kept.add(waypoint(), None)
    assert max(e.id for e in kept.plan.elements()) not in seen


def test_steps_are_bounded():
    draft = Draft()
    for _ in range(MAX_STEPS + 50):
        draft.add(waypoint(), None)
        draft.drop([draft.plan.items[0].id])
    for _ in range(MAX_STEPS):
        draft.undo()
    with pytest.raises(PlanError, match="Nothing to undo"):
        draft.undo()


@settings(max_examples=60)
@given(st.lists(st.one_of(simple, survey), max_size=5), st.lists(zone, max_size=3), st.lists(rally))
def test_a_file_says_what_the_draft_does(items, zones, points):
    draft = Draft()
    for each in (*items, *zones, *points):
        draft.add(each, None)
    draft.settle(msgspec.structs.replace(draft.plan, ceiling=99.5))
    text = write_plan(draft.plan, model.Home(*ORIGIN, 12.5))
    again = read_plan_untrusted(json.dumps(json.loads(text)))  # as the page brings long ones
    assert json.loads(write_plan(again, None)) == json.loads(text)
    # A file has polygons and circles apart.
    assert same_meaning(lists(again)[0], lists(draft.plan)[0])
    assert again.ceiling == 99.5
    assert {*map(without_id, again.zones)} == {*map(without_id, draft.plan.zones)}
    assert [*map(without_id, again.rally)] == [*map(without_id, draft.plan.rally)]


def without_id(element):
    return msgspec.json.encode(msgspec.structs.replace(element, id=0))


def same_meaning(ours, theirs):
    return all(row.same for row in compare(ours, theirs, 1))


@settings(max_examples=60)
@given(st.lists(simple, max_size=6), st.lists(zone, max_size=4))
def test_what_is_aboard_becomes_the_same_again(items, zones):
    plan = model.Plan(items=tuple(items), zones=tuple(zones))
    try:
        onboard = lists(plan)
    except PlanError:
        return
    back = model.Plan(items=mission_of(onboard[0]), zones=zones_of(onboard[1]))
    for kind in (0, 1):
        assert [i.stored for i in lists(back)[kind]] == [i.stored for i in onboard[kind]]


@settings(max_examples=60)
@given(st.lists(simple, max_size=6), st.lists(simple, max_size=6))
def test_rows_are_the_same_exactly_if_the_lists_are(ours, theirs):
    mine, other = (list_of(items) for items in (ours, theirs))
    rows = compare(mine, other, 1)
    is_same = [i.stored for i in mine] == [i.stored for i in other]
    assert all(row.same for row in rows) is is_same
    assert [row.ours[0] for row in rows if row.ours] == [*range(1, len(mine) + 1)]
    assert [row.theirs[0] for row in rows if row.theirs] == [*range(1, len(other) + 1)]


def list_of(items):
    return lists(model.Plan(items=tuple(items)))[0]


def flat(points):
    """Return places as whole numbers of 1e-7 degrees, which shapely takes exactly."""
    return [(round(lon * 1e7), round(lat * 1e7)) for lat, lon in points]


@settings(max_examples=60)
@given(corners, points, points, st.booleans())
def test_a_leg_in_a_polygon(fence, a, b, inclusion):
    polygon = Polygon(flat(fence))
    assume(polygon.is_valid)
    leg = Point(flat([a])) if a == b else LineString(flat([a, b]))
    keeps = polygon.contains_properly(leg) if inclusion else polygon.disjoint(leg)
    assert breaches(model.Polygon(points=fence, inclusion=inclusion), a, b) is not keeps


@settings(max_examples=60)
@given(points, st.sampled_from((5.0, 15.0, 31.0)), points, points, st.booleans())
def test_a_leg_in_a_circle(centre, radius, a, b, inclusion):
    circle = model.Circle(lat=centre[0], lon=centre[1], radius=radius, inclusion=inclusion)
    leg = [offset(centre, point) for point in (a, b)]
    line = Point(leg[0]) if a == b else LineString(leg)
    gap = line.distance(Point(0, 0))
    farthest = max(math.hypot(*point) for point in leg)
    assume(min(abs(gap - radius), abs(farthest - radius)) > 1e-6)
    keeps = farthest < radius if inclusion else gap > radius
    assert breaches(circle, a, b) is not keeps


@settings(max_examples=60)
@given(corners)
def test_a_polygon_that_crosses_itself(fence):
    ring = model.Polygon(points=fence)
    assume(len(set(fence)) == len(fence))
    valid = Polygon(flat(fence)).is_valid and Polygon(flat(fence)).area > 0
    if not crosses_itself(ring):
        assert valid or is_spiked(fence)
    elif valid:
        raise AssertionError("nothing crosses")


def is_spiked(fence):
    """Tell whether an edge goes back along the one before, which encloses nothing."""
    flats = flat(fence)
    for a, b, c in zip(flats, flats[1:] + flats[:1], flats[2:] + flats[:2], strict=True):
        turn = (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
        ahead = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
        if turn == 0 and ahead < 0:
            return True
    return False


def test_across_the_date_line():
    fence = model.Polygon(points=((0.0, 179.9), (0.0, -179.9), (0.1, -179.9), (0.1, 179.9)))
    assert not breaches(fence, (0.05, 179.95), (0.05, -179.95))
    assert breaches(fence, (0.05, 179.95), (0.05, -179.8))


@settings(max_examples=60)
@given(survey, st.integers(0, 3))
def test_a_survey_covers_its_polygon(one, entry):
    one = laid_out(msgspec.structs.replace(one, entry=entry, turnaround=0.0, trigger=0.0))
    places = [offset(square[0], item.place) for item in one.items if item.place]
    polygon = Polygon([offset(square[0], point) for point in one.polygon])
    lines = [LineString(places[n : n + 2]) for n in range(0, len(places), 2)]
    bearing = math.radians(one.angle)
    for line in lines:
        (n1, e1), (n2, e2) = line.coords
        assert abs((n2 - n1) * math.sin(bearing) - (e2 - e1) * math.cos(bearing)) < 0.1
        assert polygon.buffer(0.1).covers(line)
    # No point is farther from a line than half the spacing, seen across the lines.
    strips = [swept(line, one.spacing / 2 + 0.1, bearing) for line in lines]
    reach = strips[0]
    for strip in strips[1:]:
        reach = reach.union(strip)
    assert polygon.difference(reach).area < 1.0
    # It begins at the corner that was asked for.
    right = [e * math.cos(bearing) - n * math.sin(bearing) for n, e in places]
    ahead = [n * math.cos(bearing) + e * math.sin(bearing) for n, e in places]
    if len(lines) > 1:
        assert (right[0] > right[-1]) is bool(entry & 1)
    if abs(ahead[1] - ahead[0]) > 1e-6:  # and the line has two ends
        assert (ahead[0] < ahead[1]) is bool(entry & 2)


def swept(line, half, bearing):
    """Return what lies beside a line and its prolongation, up to `half` across."""
    (n1, e1), (n2, e2) = line.coords
    along = (500 * math.cos(bearing), 500 * math.sin(bearing))
    middle = ((n1 + n2) / 2, (e1 + e2) / 2)
    ends = [(middle[0] + s * along[0], middle[1] + s * along[1]) for s in (-1, 1)]
    return LineString(ends).buffer(half, cap_style="flat")


@settings(max_examples=60)
@given(survey, st.sampled_from((0.0, 50.0, 80.0)), st.sampled_from((0.0, 60.0)))
def test_overlaps_of_a_camera(one, side, front):
    assume(one.camera is not None)
    one = laid_out(msgspec.structs.replace(one, side_overlap=side, front_overlap=front))
    wide, high = one.camera.sensor_width, one.camera.sensor_height
    across = wide if one.camera.landscape else high
    width = one.altitude * across / one.camera.focal_length
    assert math.isclose(1 - one.spacing / width, side / 100, abs_tol=1e-9)
    along = one.altitude * (wide + high - across) / one.camera.focal_length
    assert math.isclose(1 - one.trigger / along, front / 100, abs_tol=1e-9)


@settings(max_examples=60)
@given(st.data())
def test_jumps_go_on_to_their_items(data):
    """A jump goes to the item it went to, wherever edits have put that."""
    draft = Draft()
    for n in range(4):
        draft.add(waypoint(10.0 * n, 10.0 * n), None)
    draft.add(Simple(command=177, params=(3, 2, 0, 0, 0, 0, 0)), None)
    target = draft.plan.items[2].id
    for _ in range(data.draw(st.integers(1, 5))):
        ids = [e.id for e in draft.plan.items if e.id != target and getattr(e, "command", 0) == 16]
        match data.draw(st.sampled_from(("add", "survey", "move", "drop"))):
            case "add":
                draft.add(waypoint(), data.draw(st.integers(0, 6)))
            case "survey":
                draft.add(Survey(polygon=square), data.draw(st.integers(0, 6)))
            case "move":
                one = data.draw(st.sampled_from([e.id for e in draft.plan.items]))
                draft.move(one, data.draw(st.integers(0, 6)))
            case "drop" if ids:
                draft.drop([data.draw(st.sampled_from(ids))])
        items = flown(draft.plan)
        (jump,) = [one.item for one in items if one.item.command == 177]
        assert items[int(jump.params[0]) - 1].entry == target
