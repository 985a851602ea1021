"""What is found wrong with a plan before it is sent, and what it is said to cost.

Mutants killed: legs of a survey are not checked; the way from home is not; the ceiling aboard is
ignored; heights above the sea are taken for heights above home; a landing is an item too low; a
change of speed acts at once; a climb costs nothing.
"""

import pytest

from groundstation.plan.check import Level, Limits, check, statistics
from groundstation.plan.geometry import METRES_PER_DEGREE
from groundstation.plan.model import Circle, Foreign, Home, Plan, Polygon, Rally, Simple, Survey
from groundstation.plan.onboard import FENCE, MISSION, RALLY
from groundstation.plan.survey import laid_out

UNKNOWN = Limits()
HOME = Home(0.0, 0.0, 100.0)  # at the equator a degree is as long east as north


def at(north, east=0.0):
    return (north / METRES_PER_DEGREE, east / METRES_PER_DEGREE)


def item(command, north=0.0, east=0.0, altitude=20.0, frame=3, id=0, p1=0.0, p2=0.0):
    return Simple(
        command=command, frame=frame, params=(p1, p2, 0, None, *at(north, east), altitude), id=id
    )


TAKEOFF = Simple(command=22, params=(0, 0, 0, None, None, None, 20), id=90)
RETURN = Simple(command=20, frame=2, params=(0,) * 7, id=91)
BOX = Polygon(points=(at(-50, -50), at(300, -50), at(300, 300), at(-50, 300)), id=80)


def plan(*items, **rest):
    return Plan(items=(TAKEOFF, *items, RETURN), home=HOME, **rest)


def errors(of, limits=UNKNOWN):
    return [(f.kind, f.element, f.text) for f in check(of, limits) if f.level is Level.ERROR]


def cautions(of, limits=UNKNOWN):
    return [f.text for f in check(of, limits) if f.level is Level.CAUTION]


def test_a_good_plan():
    assert check(plan(item(16, 100, id=1), zones=(BOX,)), Limits(100.0, 15.0)) == []


def test_an_empty_one():
    assert cautions(Plan(home=HOME)) == ["The mission is empty: sending it clears the one aboard"]


def test_begin_and_end():
    texts = cautions(Plan(items=(item(16, 10, id=1), item(16, 20, id=2)), home=HOME))
    assert texts == [
        "The mission does not begin with a take-off",
        "The mission ends in the air: no return, no landing",
    ]


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (item(16, 10, altitude=501.0, id=1), "501 m above home; allowed: up to 500 m"),
        (item(16, 10, altitude=-1.0, id=1), "1 m below home"),
        (item(16, 10, altitude=750.0, frame=0, id=1), "650 m above home"),
        (item(16, 10, altitude=99.0, frame=0, id=1), "1 m below home"),
        (item(16, 20_000, id=1), "20.0 km from the one before"),
        (item(16, 0, 0, id=1), "has no place"),
        (Simple(command=16, params=(0, 0, 0, None, 1.0, 1.0, None), id=1), "not known"),
        (Simple(command=177, params=(9, 1, 0, 0, 0, 0, 0), id=1), "jumps to 9; allowed: 1 to 3"),
        (Foreign(kind="StructureScan", items=None, id=1), "only QGroundControl can lay it out"),
    ],
)
def test_items_that_are_wrong(one, text):
    found = errors(plan(one))
    assert any(kind == MISSION and text in said for kind, _, said in found), found
    assert 1 in {element for _, element, _ in found}


def test_what_is_not_known_is_said():
    assert any("not checked" in t for t in cautions(plan(item(16, 10, frame=10, id=1))))
    unplaced = Plan(items=(TAKEOFF, item(16, 10, altitude=150, frame=0, id=1), RETURN))
    texts = cautions(unplaced)
    assert "Home is not known: the way from and to it is not checked" in texts
    assert "Item 2: how high above home is not known, and not checked" in texts


def test_ceilings():
    high = plan(item(16, 10, altitude=60.0, id=1), ceiling=50.0)
    assert errors(high) == [(MISSION, 1, "Item 2: 60 m is above the plan's ceiling, 50 m")]
    high = plan(item(16, 10, altitude=60.0, id=1))
    text = "Item 2: 60 m is above the fence's ceiling aboard, 59 m"
    assert errors(high, Limits(59.0)) == [(MISSION, 1, text)]
    text = "The return altitude aboard, 70 m, is above the ceiling, 60 m"
    assert errors(high, Limits(60.0, 70.0)) == [(MISSION, 0, text)]


def test_every_leg_against_the_fence():
    hole = Circle(lat=at(100)[0], lon=at(0, 100)[1], radius=10.0, inclusion=False, id=81)
    straight = plan(item(16, 100, 0, id=1), item(16, 100, 200, id=2), zones=(BOX, hole))
    assert errors(straight) == [
        (MISSION, 2, "The way from item 2 to item 3 enters zone 2 of the fence")
    ]
    around = plan(
        item(16, 100, 0, id=1),
        item(16, 200, 100, id=3),
        item(16, 100, 200, id=2),
        zones=(BOX, hole),
    )
    assert errors(around) == []
    assert cautions(around) == []
    first = plan(item(16, 400, id=1), zones=(BOX,))
    assert (MISSION, 1, "The way from item 1 to item 2 leaves zone 1 of the fence") in errors(first)


def test_a_return_that_would_cross():
    wall = Polygon(points=(at(50, 20), at(60, 20), at(60, -20), at(50, -20)), inclusion=False)
    behind = plan(item(16, 0, 100, id=1), item(16, 100, 100, id=2), item(16, 100, 0, id=3))
    behind = Plan(items=behind.items, home=HOME, zones=(wall,))
    assert "A return from item 4 would cross zone 1 of the fence" in cautions(behind)


def test_legs_of_a_survey():
    area = (at(10, 10), at(280, 10), at(280, 280), at(10, 280))
    inside = laid_out(Survey(polygon=area, spacing=60.0, turnaround=0.0, id=5))
    assert errors(plan(inside, zones=(BOX,))) == []
    outside = laid_out(Survey(polygon=area, spacing=60.0, turnaround=40.0, id=5))
    found = errors(plan(outside, zones=(BOX,)))
    assert found
    assert {element for _, element, _ in found} <= {5, 91}


def test_home_and_rally_points_in_the_fence():
    away = Polygon(points=(at(50, 50), at(60, 50), at(60, 60)), id=80)
    rally = Rally(lat=at(90)[0], lon=0.0, altitude=60.0, id=7)
    found = errors(Plan(home=HOME, zones=(away,), rally=(rally,), ceiling=50.0))
    assert (FENCE, 0, "Home is outside zone 1 of the fence") in found
    assert (RALLY, 7, "Rally point 1 is outside zone 1 of the fence") in found
    assert (RALLY, 7, "Rally point 1: above the plan's ceiling, 50 m") in found


def test_a_zone_that_crosses_itself():
    bow = Polygon(points=(at(0, 0), at(10, 10), at(10, 0), at(0, 10)), id=8, inclusion=False)
    found = errors(Plan(home=Home(1.0, 1.0, 0.0), zones=(bow,)))
    assert found == [(FENCE, 8, "Zone 1: its edge crosses itself")]


def test_statistics():
    """Up 20 m at 2.5; 100 m at 5; 100 m at 10; 3 s; 141.4 m back at 10; down 20 m at 1.5."""
    faster = Simple(command=178, params=(1, 10, -1, 0, 0, 0, 0), frame=2)
    found = statistics(
        plan(item(16, 100, id=1), faster, item(16, 100, 100, p1=3.0, id=2), zones=(BOX,))
    )
    assert found.items == 5
    assert found.length == pytest.approx(20 + 100 + 100 + 141.42 + 20, abs=0.1)
    assert found.duration_s == pytest.approx(8 + 20 + 10 + 3 + 14.14 + 13.33, abs=0.1)
    assert found.farthest == pytest.approx(141.42, abs=0.1)
    assert found.highest == 20
