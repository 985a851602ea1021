"""When two items are the same aboard, and what lists that are there say.

Mutants killed: heights compared in metres; the frame of a command without place compared; frames
that mean the same told apart; a parameter left out; polygons taken by their commands alone.
"""

import math

import pytest

from groundstation.plan.model import PlanError
from groundstation.plan.onboard import OnboardItem, mission_of, rally_of, zones_of

NAN = math.nan
ITEM = OnboardItem(16, 3, (1.0, 2.0, 3.0, 4.0), 350_000_001, 1_390_000_001, 20.25)
ACTION = OnboardItem(206, 2, (25.0, 0.0, 1.0, 0.0), 0, 0, 0.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ITEM, ITEM._replace(frame=6)),
        (ITEM._replace(frame=0), ITEM._replace(frame=5)),
        (ITEM._replace(frame=10), ITEM._replace(frame=11)),
        (ITEM, ITEM._replace(z=20.2501)),  # ArduPilot keeps centimetres
        (ITEM._replace(params=(0.1, 0, 0, 0)), ITEM._replace(params=(0.10000000149, 0, 0, 0))),
        (ITEM._replace(params=(NAN, 0, -0.0, NAN)), ITEM._replace(params=(0.0, 0.0, 0.0, 0.0))),
        (ACTION, ACTION._replace(frame=0)),
    ],
)
def test_the_same_aboard(one, other):
    assert one.stored == other.stored


@pytest.mark.parametrize(
    "other",
    [
        ITEM._replace(command=82),
        ITEM._replace(frame=0),
        ITEM._replace(x=350_000_002),
        ITEM._replace(y=1_390_000_000),
        ITEM._replace(z=20.26),
        ITEM._replace(z=20.24),
        ITEM._replace(z=-20.25),
        ITEM._replace(z=NAN),
        *(
            ITEM._replace(params=tuple(9.0 if n == k else float(k + 1) for k in range(4)))
            for n in range(4)
        ),
    ],
)
def test_not_the_same_aboard(other):
    assert other.stored != ITEM.stored


def corner(command, count, x=10):
    return OnboardItem(command, 0, (count, 0, 0, 0), x, 20, 0.0)


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([corner(5001, 2)] * 2, "fence item 0: a polygon of 2 corners"),
        ([corner(5001, 4)] * 3, "fence item 0: a polygon of 4 corners"),
        ([corner(5001, 3)] * 2 + [corner(5002, 3)], "fence item 0: a polygon of 3 corners"),
        ([corner(5001, 3)] * 2 + [corner(5001, 4)], "fence item 0: a polygon of 3 corners"),
        ([corner(5001, 3)] * 4, "fence item 3: a polygon of 3 corners"),
        ([corner(5001, NAN)], "fence item 0: a polygon of nan corners"),
        ([corner(5003, 0.5)], "fence item 0: radius 0.5"),
        ([corner(5003, NAN)], "fence item 0: radius nan"),
        ([corner(5000, 0)], "fence item 0: FENCE_RETURN_POINT is not edited here"),
        ([corner(5003, 5, 2_000_000_000)], "no place on earth"),
    ],
)
def test_a_fence_that_makes_no_sense(items, why):
    with pytest.raises(PlanError) as error:
        zones_of(items)
    assert why in str(error.value)


def test_missions_and_rally_points_that_make_none():
    with pytest.raises(PlanError, match=r"mission item 1: .* out of bounds"):
        mission_of([ITEM._replace(params=(math.inf, 0, 0, 0))])
    with pytest.raises(PlanError, match="mission item 2: place"):
        mission_of([ITEM, ITEM._replace(x=2_000_000_000)])
    with pytest.raises(PlanError, match="rally point 0"):
        rally_of([ITEM])


@pytest.mark.parametrize("z", [NAN, math.inf, -math.inf])
def test_a_height_that_is_none_is_not_the_ground(z):
    assert ITEM._replace(z=z).stored != ITEM._replace(z=0.0).stored
