"""Writes QGroundControl's `.plan`, with everything that a file said and nobody has changed."""

from collections.abc import Sequence
from typing import Any

import msgspec

from groundstation.plan.model import (
    Circle,
    Entry,
    Foreign,
    Home,
    Plan,
    PlanError,
    Polygon,
    Simple,
    Survey,
    Zone,
)
from groundstation.plan.qgc import (
    CAMERA_CALC,
    MANUAL_CAMERA,
    OURS,
    POINTS,
    SHOTS,
    SURVEY,
    TRANSECTS,
)
from groundstation.plan.survey import density

_ARDUPILOT, _QUADROTOR = 3, 2  # MAV_AUTOPILOT, MAV_TYPE


def write_plan(plan: Plan, home: Home | None) -> str:
    """Return the contents of a `.plan` file; `home` is the drone's, for a plan without one.

    Raises:
        PlanError: Home is not known.
    """
    home = plan.home or home
    if home is None:
        raise PlanError("Set home first: a .plan says where the drone starts")
    mission = {
        "firmwareType": _ARDUPILOT,
        "vehicleType": _QUADROTOR,
        "globalPlanAltitudeMode": 1,
        **plan.kept.get("mission", {}),
        "cruiseSpeed": plan.cruise_speed,
        "hoverSpeed": plan.hover_speed,
        "items": _entries(plan.items),
        "plannedHomePosition": [home.lat, home.lon, home.altitude],
        "version": 2,
    }
    file = {
        "groundStation": "QGroundControl",
        **plan.kept.get("file", {}),
        "fileType": "Plan",
        "mission": mission,
        "geoFence": {
            **plan.kept.get("fence", {}),
            "circles": [_zone(z) for z in plan.zones if isinstance(z, Circle)],
            "polygons": [_zone(z) for z in plan.zones if isinstance(z, Polygon)],
            "version": 2,
        },
        "rallyPoints": {
            **plan.kept.get("rally", {}),
            "points": [[r.lat, r.lon, r.altitude] for r in plan.rally],
            "version": 2,
        },
        "version": 1,
    }
    if plan.ceiling is not None:
        file[OURS] = {"ceiling": plan.ceiling}
    data = msgspec.json.encode(_plain(file), order="sorted")
    return msgspec.json.format(data, indent=4).decode() + "\n"


def _entries(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    out, number = [], 1
    for entry in entries:
        match entry:
            case Simple():
                out.append(_simple(entry, number))
                number += 1
            case Survey():
                out.append(_survey(entry, number))
                number += len(entry.items)
            case Foreign(items=items, kept=kept):
                raw = dict(kept)
                if items is not None:
                    raw[TRANSECTS] = {**raw[TRANSECTS], "Items": _inner(items, number)}
                out.append(raw)
                number += len(items or ())
    return out


def _inner(items: Sequence[Simple], first: int) -> list[dict[str, Any]]:
    return [_simple(item, first + n) for n, item in enumerate(items)]


def _simple(item: Simple, number: int) -> dict[str, Any]:
    return {
        **item.kept,
        "autoContinue": item.auto_continue,
        "command": item.command,
        "doJumpId": number,
        "frame": item.frame,
        "params": list(item.params),
        "type": "SimpleItem",
    }


def _survey(survey: Survey, number: int) -> dict[str, Any]:
    transects = survey.kept.get(TRANSECTS, {})
    inner = {
        "HoverAndCapture": False,
        "Refly90Degrees": False,
        "version": 2,
        **transects,
        "CameraCalc": _camera_calc(survey, transects.get(CAMERA_CALC, {"version": 2})),
        "CameraTriggerInTurnAround": survey.in_turnaround,
        "Items": _inner(survey.items, number),
        "TurnAroundDistance": survey.turnaround,
    }
    places = [item.place for item in survey.items if item.place is not None]
    if POINTS not in transects:
        inner[POINTS] = [list(place) for place in places]
        inner[SHOTS] = _shots(survey)
    return {
        "flyAlternateTransects": False,
        "splitConcavePolygons": False,
        "type": "ComplexItem",
        "version": 5,
        **survey.kept,
        TRANSECTS: inner,
        "angle": survey.angle,
        "complexItemType": SURVEY,
        "entryLocation": survey.entry,
        "polygon": [list(point) for point in survey.polygon],
    }


def _camera_calc(survey: Survey, kept: dict[str, Any]) -> dict[str, Any]:
    calc = {
        **kept,
        "AdjustedFootprintFrontal": survey.trigger,
        "AdjustedFootprintSide": survey.spacing,
        "DistanceToSurface": survey.altitude,
    }
    # The first version said the same in another way.
    if kept.get("version") == 1:
        calc.setdefault("DistanceToSurfaceRelative", True)
    else:
        calc.setdefault("DistanceMode", 1)
    camera = survey.camera
    if camera is None:
        calc.setdefault("CameraName", MANUAL_CAMERA)
        return calc
    calc.setdefault("FixedOrientation", False)
    calc.setdefault("MinTriggerInterval", 0)
    calc.setdefault("ValueSetIsDistance", True)
    same = kept.get("DistanceToSurface") == survey.altitude and "ImageDensity" in kept
    return calc | {
        "CameraName": camera.name,
        "FocalLength": camera.focal_length,
        "FrontalOverlap": survey.front_overlap,
        "ImageDensity": kept["ImageDensity"] if same else density(camera, survey.altitude),
        "ImageHeight": camera.image_height,
        "ImageWidth": camera.image_width,
        "Landscape": camera.landscape,
        "SensorHeight": camera.sensor_height,
        "SensorWidth": camera.sensor_width,
        "SideOverlap": survey.side_overlap,
    }


def _shots(survey: Survey) -> int:
    """Return about how many pictures are taken."""
    if not survey.trigger:
        return 0
    return sum(1 for item in survey.items if item.place is not None)


def _zone(zone: Zone) -> dict[str, Any]:
    kept = dict(zone.kept)
    if isinstance(zone, Polygon):
        points = [list(point) for point in zone.points]
        return {**kept, "inclusion": zone.inclusion, "polygon": points, "version": 1}
    within = {**kept.pop("circle", {}), "center": [zone.lat, zone.lon], "radius": zone.radius}
    return {**kept, "circle": within, "inclusion": zone.inclusion, "version": 1}


def _plain(value: Any) -> Any:  # noqa: ANN401 - of JSON
    """Return JSON with whole numbers written as such, as QGroundControl does."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value
