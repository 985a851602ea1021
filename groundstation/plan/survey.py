"""Lays a survey's lines over its polygon.

In a frame turned so that the lines run along its first axis, line by line from left to right, each
from its first to its last crossing with the polygon: a concave polygon is flown across, so that the
pictures have no gap, and the check against the fence judges what is flown.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from groundstation.plan.geometry import moved, offset
from groundstation.plan.model import (
    MAX_ITEMS,
    RELATIVE,
    Camera,
    Params,
    PlanError,
    Point,
    Simple,
    Survey,
)
from wire.mavlink import dialect

_WAYPOINT: Final = dialect.MAV_CMD_NAV_WAYPOINT
_TRIGGER: Final = dialect.MAV_CMD_DO_SET_CAM_TRIGG_DIST
_MISSION_FRAME: Final = 2
MAX_LINES: Final = MAX_ITEMS // 3

Flat = tuple[float, float]


def footprint(camera: Camera, altitude: float) -> tuple[float, float]:
    """Return how much ground a picture shows: across the line, along it [m]."""
    wide, high = camera.sensor_width, camera.sensor_height
    across, along = (wide, high) if camera.landscape else (high, wide)
    return altitude * across / camera.focal_length, altitude * along / camera.focal_length


def density(camera: Camera, altitude: float) -> float:
    """Return how much ground one pixel shows [cm]."""
    return altitude * camera.sensor_width * 100 / (camera.image_width * camera.focal_length)


def laid_out(survey: Survey) -> Survey:
    """Return a survey with its distances, if it has a camera, and with the items to be flown.

    Raises:
        PlanError: They would be too many, or the overlaps leave no distance between lines.
    """
    spacing, trigger = survey.spacing, survey.trigger
    if survey.camera is not None:
        across, along = footprint(survey.camera, survey.altitude)
        spacing = across * (1 - survey.side_overlap / 100)
        trigger = along * (1 - survey.front_overlap / 100)
    if spacing < 0.5:
        raise PlanError(f"survey: lines every {spacing:.2f} m; allowed: from 0.5 m")
    survey = msgspec.structs.replace(survey, spacing=spacing, trigger=trigger)
    return msgspec.structs.replace(survey, items=tuple(_items(survey)))


def _items(survey: Survey) -> list[Simple]:
    lines = _lines(survey)
    has_turnaround = survey.turnaround > 0
    out: list[Simple] = []
    for start, end in lines:
        length = math.dist(start, end)
        unit = (end[0] - start[0]) / length, (end[1] - start[1]) / length
        extra = survey.turnaround * unit[0], survey.turnaround * unit[1]
        always = survey.trigger > 0 and survey.in_turnaround
        if has_turnaround:
            out.append(_waypoint(survey, (start[0] - extra[0], start[1] - extra[1])))
        if not has_turnaround or not always:
            out.append(_waypoint(survey, start))
        if survey.trigger > 0 and (not always or len(out) == 1):
            out.append(_trigger(survey.trigger))
        if not has_turnaround or not always:
            out.append(_waypoint(survey, end))
        if survey.trigger > 0 and not always:
            out.append(_trigger(0))
        if has_turnaround:
            out.append(_waypoint(survey, (end[0] + extra[0], end[1] + extra[1])))
    if survey.trigger > 0 and survey.in_turnaround:
        out.append(_trigger(0))
    if len(out) > MAX_ITEMS:
        raise PlanError(f"survey: {len(out)} items; allowed: up to {MAX_ITEMS}: widen the spacing")
    return out


def _lines(survey: Survey) -> list[tuple[Flat, Flat]]:
    """Return each line from start to end, in metres north and east of the first corner."""
    origin = survey.polygon[0]
    bearing = math.radians(survey.angle)
    cosine, sine = math.cos(bearing), math.sin(bearing)
    turned = []
    for north, east in (offset(origin, point) for point in survey.polygon):
        turned.append((north * cosine + east * sine, east * cosine - north * sine))
    left, right = min(v for _, v in turned), max(v for _, v in turned)
    count = max(1, math.ceil((right - left) / survey.spacing - 1e-9))
    if count > MAX_LINES:
        raise PlanError(f"survey: {count} lines; allowed: up to {MAX_LINES}: widen the spacing")
    first = (left + right - (count - 1) * survey.spacing) / 2
    crossings = []
    for number in range(count):
        v = first + number * survey.spacing
        us = _crossings(turned, v)
        if len(us) > 1 and us[-1] - us[0] > 1e-3:
            crossings.append((us[0], us[-1], v))
    if not crossings:
        raise PlanError("survey: its polygon has no area")
    if survey.entry & 1:
        crossings.reverse()
    forward = bool(survey.entry & 2)
    lines = []
    for low, high, v in crossings:
        ends = [(low, v), (high, v)] if forward else [(high, v), (low, v)]
        back = [(u * cosine - w * sine, u * sine + w * cosine) for u, w in ends]
        lines.append((back[0], back[1]))
        forward = not forward
    return lines


def _crossings(corners: Sequence[Flat], v: float) -> list[float]:
    """Return where the line at `v` meets the polygon, in order."""
    out = []
    for (u1, v1), (u2, v2) in pairwise([*corners, corners[0]]):
        if (v1 > v) != (v2 > v):
            out.append(u1 + (u2 - u1) * (v - v1) / (v2 - v1))
    return sorted(out)


def _waypoint(survey: Survey, at: Flat) -> Simple:
    place: Point = moved(survey.polygon[0], *at)
    params: Params = (0.0, 0.0, 0.0, None, *place, survey.altitude)
    return Simple(command=_WAYPOINT, frame=RELATIVE, params=params)


def _trigger(every: float) -> Simple:
    params: Params = (round(every, 3), 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    return Simple(command=_TRIGGER, frame=_MISSION_FRAME, params=params)
