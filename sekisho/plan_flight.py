"""Makes a trajectory of the control core of what the console's planning wants flown."""

import math
from itertools import pairwise

from flightcore.offboard.outer import Craft
from flightcore.trajectory.polynomial import Point, line, through
from groundstation.plan.model import PlanError
from groundstation.plan.route import Made, Route, Shape
from sekisho.runtime import OperationFailedError
from sekisho.trajectory_plan import Spot, planned


def make(route: Route) -> Made:
    """Return the trajectory of a route, its nose kept along the first leg.

    What the drone itself is able to is its own to judge: here the hover throttle is the default.

    Raises:
        PlanError: It cannot be flown, or not carried; the text says what is too much, and when.
    """
    first = route.places[0]
    reference = Spot(first.lat, first.lon).reference(route.home.altitude)
    points: list[Point] = [
        (*Spot(place.lat, place.lon).from_(reference), -place.altitude) for place in route.places
    ]
    north, east = points[1][0] - points[0][0], points[1][1] - points[0][1]
    yaw = math.atan2(east, north)
    if route.shape is Shape.CURVE:
        motions = [through(points, route.speed, route.acceleration, yaw)]
    else:
        motions = [line(a, b, route.speed, route.acceleration, yaw) for a, b in pairwise(points)]
    try:
        plan = planned(motions, reference, Craft().hover)
    except OperationFailedError as error:
        raise PlanError(str(error)) from None
    return Made(
        plan.data,
        plan.document.identity.hex(),
        plan.length_m,
        plan.duration_s,
        plan.speed,
        *plan.height_m,
    )
