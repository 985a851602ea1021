"""Makes the trajectory of a route, and judges it on the ground before anything of it is brought.

The drone judges it too, against its own fence and limits: what is found here is found sooner, and
said in the words of the draft.
"""

from itertools import pairwise
from typing import Final

from groundstation.plan.check import MIN_ABOVE_HOME
from groundstation.plan.geometry import breaches
from groundstation.plan.model import PlanError
from groundstation.plan.route import Made, Make, Route, Shape

_ROUNDING: Final = 0.05  # m


def judged(route: Route, make: Make) -> Made:
    """Return the trajectory of a route, which keeps to what the route has to keep to.

    Raises:
        PlanError: It does not, or cannot be flown or carried.
    """
    made = make(route)
    _check_heights(route, made)
    _check_fence(route, made)
    return made


def _check_heights(route: Route, made: Made) -> None:
    """Refuse what is lower or higher than is allowed.

    A place itself may be lower than is wise: the check has said so, and somebody wants it.
    """
    low = min(MIN_ABOVE_HOME, *(place.altitude for place in route.places))
    high = max(route.ceiling, *(place.altitude for place in route.places))
    curve = "the curve between the places"
    if made.lowest < low - _ROUNDING:
        raise PlanError(f"{curve} comes down to {made.lowest:.1f} m above home; allowed: {low:g}")
    if made.highest > high + _ROUNDING:
        raise PlanError(f"{curve} goes up to {made.highest:.1f} m above home; allowed: {high:g}")


def _check_fence(route: Route, made: Made) -> None:
    way = "curve" if route.shape is Shape.CURVE else "way"
    for (a, b), ends in zip(pairwise(route.places), made.ways, strict=True):
        for number, zone in enumerate(route.fence, 1):
            if any(breaches(zone, *chord) for chord in pairwise(ends)):
                does = "leaves" if zone.inclusion else "enters"
                where = f"from item {a.number} to item {b.number}"
                raise PlanError(f"the {way} {where} {does} zone {number} of the fence")
