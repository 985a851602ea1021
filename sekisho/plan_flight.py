"""Makes a trajectory of the control core of what the console's planning wants flown."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from flightcore.offboard.frames import moved
from flightcore.offboard.outer import Craft
from flightcore.trajectory.polynomial import Piecewise, Point, line, through
from groundstation.plan import model
from groundstation.plan.model import PlanError
from groundstation.plan.route import CHORD, MAX_CHORDS, Made, Route, Shape
from sekisho.runtime import OperationFailedError
from sekisho.trajectory_plan import Planned, Spot, planned


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
        tuple(_ways(route.shape, motions, plan)),
    )


def _ways(
    shape: Shape, motions: Sequence[Piecewise], plan: Planned
) -> Iterator[tuple[model.Point, ...]]:
    """Yield the way from each place to the next, in chords.

    A chord flown in `step` is at most `acceleration step^2 / 8` from what is flown; of a straight
    leg there is one.
    """
    if shape is Shape.LEGS:
        times = [(motion, motion.breaks[[0, -1]]) for motion in motions]
    else:
        (curve,) = motions
        step = max((8.0 * CHORD / plan.acceleration) ** 0.5, curve.duration / MAX_CHORDS)
        times = [
            (curve, np.linspace(a, b, math.ceil((b - a) / step) + 1))
            for a, b in pairwise(curve.breaks)
        ]
    for motion, at in times:
        norths, easts = motion.sample(at)[:2].tolist()
        spots = (moved(plan.document.reference, *spot) for spot in zip(norths, easts, strict=True))
        yield tuple((lat / 1e7, lon / 1e7) for lat, lon in spots)
