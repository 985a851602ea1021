"""Reads QGroundControl's `.plan`: what is not understood is kept, or refused by name.

Source: https://docs.qgroundcontrol.com/master/en/qgc-dev-guide/file_formats/plan.html
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar

import msgspec

from groundstation.plan.model import (
    JUMP,
    Altitude,
    Camera,
    Circle,
    Corners,
    Entry,
    Foreign,
    Home,
    Kept,
    Latitude,
    Longitude,
    Optional,
    Params,
    Plan,
    PlanError,
    Point,
    Polygon,
    Rally,
    Simple,
    Survey,
    Zone,
    flown,
)
from groundstation.plan.survey import laid_out

MAX_CHARACTERS: Final = 500_000
SURVEY, TRANSECTS, CAMERA_CALC = "survey", "TransectStyleComplexItem", "CameraCalc"
POINTS, SHOTS = "VisualTransectPoints", "CameraShots"
OURS: Final = "sekisho"  # a key of ours at the top: QGroundControl passes over it
MANUAL_CAMERA: Final = "Manual (no camera specs)"
_SURVEY_VERSIONS: Final = (4, 5)
_RELATIVE_TO_HOME: Final = 1  # of QGroundControl's altitude modes

T = TypeVar("T", bound=msgspec.Struct)


class _File(msgspec.Struct, rename="camel"):
    file_type: str
    version: int
    mission: dict[str, Any]
    geo_fence: dict[str, Any] | None = None
    rally_points: dict[str, Any] | None = None
    sekisho: dict[str, Any] | None = None


class _Mission(msgspec.Struct, rename="camel"):
    version: int
    items: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=5000)]
    planned_home_position: tuple[Latitude, Longitude, Altitude | None]
    hover_speed: Annotated[float, msgspec.Meta(gt=0, le=100)] = 5.0
    cruise_speed: Annotated[float, msgspec.Meta(gt=0, le=200)] = 15.0


class _Simple(msgspec.Struct, rename="camel"):
    type: str
    command: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    frame: Annotated[int, msgspec.Meta(ge=0, le=21)]
    params: tuple[Optional, Optional, Optional, Optional, Optional, Optional, Optional]
    auto_continue: bool = True
    do_jump_id: int | None = None


class _Calc(msgspec.Struct, rename="pascal"):
    """CameraCalc; of a manual camera only the first four are there."""

    adjusted_footprint_side: Annotated[float, msgspec.Meta(ge=0.1, le=5000)]
    adjusted_footprint_frontal: Annotated[float, msgspec.Meta(ge=0, le=5000)]
    distance_to_surface: Annotated[float, msgspec.Meta(ge=0.1, le=1000)]
    camera_name: Annotated[str, msgspec.Meta(max_length=100)] = MANUAL_CAMERA
    sensor_width: Annotated[float, msgspec.Meta(gt=0, le=200)] | None = None
    sensor_height: Annotated[float, msgspec.Meta(gt=0, le=200)] | None = None
    image_width: Annotated[int, msgspec.Meta(gt=0, le=100_000)] | None = None
    image_height: Annotated[int, msgspec.Meta(gt=0, le=100_000)] | None = None
    focal_length: Annotated[float, msgspec.Meta(gt=0, le=2000)] | None = None
    landscape: bool = True
    frontal_overlap: Annotated[float, msgspec.Meta(ge=0, le=95)] = 70.0
    side_overlap: Annotated[float, msgspec.Meta(ge=0, le=95)] = 70.0


class _Transects(msgspec.Struct, rename="pascal"):
    camera_calc: dict[str, Any]
    items: list[dict[str, Any]]
    turn_around_distance: Annotated[float, msgspec.Meta(ge=0, le=500)]
    camera_trigger_in_turn_around: bool = True


class _Survey(msgspec.Struct, rename="camel"):
    version: int
    polygon: Corners
    angle: Annotated[float, msgspec.Meta(ge=-360, le=360)] = 0.0
    entry_location: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0


class _Zones(msgspec.Struct):
    version: int
    circles: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=200)] = []
    polygons: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=200)] = []


class _Polygon(msgspec.Struct):
    polygon: Corners
    inclusion: bool
    version: int = 1


class _Round(msgspec.Struct):
    center: Point
    radius: Annotated[float, msgspec.Meta(ge=1, le=100_000)]


class _Circle(msgspec.Struct):
    circle: _Round
    inclusion: bool
    version: int = 1


class _Rally(msgspec.Struct):
    version: int
    points: Annotated[list[tuple[Latitude, Longitude, Altitude]], msgspec.Meta(max_length=200)] = []


class _Ours(msgspec.Struct, forbid_unknown_fields=True):
    ceiling: Annotated[float, msgspec.Meta(ge=1, le=10_000)] | None = None


def read_plan_untrusted(text: str | bytes) -> Plan:
    """Read the contents of a `.plan` file.

    Raises:
        PlanError: It is none, or of a version or with an item that is not understood. The text says
            which, and where.
    """
    if len(text) > MAX_CHARACTERS:
        raise PlanError(f"the file has {len(text)} characters; allowed: up to {MAX_CHARACTERS}")
    try:
        raw = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise PlanError(f"the file is no JSON: {error}") from None
    file = _take("the file", raw, _File)
    if file.file_type != "Plan":
        raise PlanError(f"fileType = {file.file_type!r}; allowed: 'Plan'")
    _check_version("version", file.version, 1)
    plan = _mission(file.mission)
    if file.geo_fence is not None:
        plan = msgspec.structs.replace(plan, zones=_zones(file.geo_fence))
    if file.rally_points is not None:
        plan = msgspec.structs.replace(plan, rally=_rally(file.rally_points))
    if file.sekisho is not None:
        ours = _take(OURS, file.sekisho, _Ours)
        plan = msgspec.structs.replace(plan, ceiling=ours.ceiling)
    kept = {
        "file": _rest(raw, _File),
        "mission": _rest(file.mission, _Mission),
        "fence": _rest(file.geo_fence or {}, _Zones),
        "rally": _rest(file.rally_points or {}, _Rally),
    }
    return msgspec.structs.replace(plan, kept=kept)


def _mission(raw: Mapping[str, Any]) -> Plan:
    mission = _take("mission", raw, _Mission)
    _check_version("mission.version", mission.version, 2)
    lat, lon, altitude = mission.planned_home_position
    ids: list[int | None] = []
    entries = tuple(
        _entry(f"mission.items[{n}]", item, ids) for n, item in enumerate(mission.items)
    )
    plan = Plan(
        items=entries,
        home=Home(lat, lon, altitude or 0.0),
        hover_speed=mission.hover_speed,
        cruise_speed=mission.cruise_speed,
    )
    return _with_numbers(plan, ids)


def _with_numbers(plan: Plan, ids: Sequence[int | None]) -> Plan:
    """Let jumps name items by their number instead of the file's doJumpId."""
    numbers = {name: number for number, name in enumerate(ids, 1) if name is not None}
    if len(ids) != len(flown(plan)) or all(n == name for name, n in numbers.items()):
        return plan

    def renamed(entry: Entry) -> Entry:
        if not isinstance(entry, Simple) or entry.command != JUMP:
            return entry
        target, *others = entry.params
        number = numbers.get(int(target or 0), target)
        return msgspec.structs.replace(entry, params=(number, *others))

    return msgspec.structs.replace(plan, items=tuple(map(renamed, plan.items)))


def _entry(where: str, raw: Mapping[str, Any], ids: list[int | None]) -> Entry:
    match raw.get("type"):
        case "SimpleItem":
            return _simple(where, raw, ids)
        case "ComplexItem" if raw.get("complexItemType") == SURVEY:
            return _survey(where, raw, ids)
        case "ComplexItem":
            return _foreign(where, raw, ids)
        case other:
            raise PlanError(f"{where}.type = {other!r}; allowed: 'SimpleItem', 'ComplexItem'")


def _simple(where: str, raw: Mapping[str, Any], ids: list[int | None]) -> Simple:
    item = _take(where, raw, _Simple)
    params: Params = item.params
    try:
        simple = Simple(
            command=item.command,
            frame=item.frame,
            params=params,
            auto_continue=item.auto_continue,
            kept=_rest(raw, _Simple),
        )
    except ValueError as error:
        raise PlanError(f"{where}: {error}") from None
    ids.append(item.do_jump_id)
    return simple


def _survey(where: str, raw: Mapping[str, Any], ids: list[int | None]) -> Survey:
    survey = _take(where, raw, _Survey)
    if survey.version not in _SURVEY_VERSIONS:
        allowed = " or ".join(map(str, _SURVEY_VERSIONS))
        raise PlanError(f"{where}.version = {survey.version}; allowed: {allowed}")
    place = f"{where}.{TRANSECTS}"
    transects = _take(place, raw.get(TRANSECTS), _Transects)
    calc = _take(f"{place}.{CAMERA_CALC}", transects.camera_calc, _Calc)
    read = Survey(
        polygon=survey.polygon,
        altitude=calc.distance_to_surface,
        angle=survey.angle,
        spacing=calc.adjusted_footprint_side,
        trigger=calc.adjusted_footprint_frontal,
        turnaround=transects.turn_around_distance,
        entry=survey.entry_location,
        in_turnaround=transects.camera_trigger_in_turn_around,
        camera=_camera(calc),
        front_overlap=calc.frontal_overlap,
        side_overlap=calc.side_overlap,
        items=_inner(place, transects.items, ids),
        kept=_without_items(raw),
    )
    return read if read.items else laid_out(read)


def _camera(calc: _Calc) -> Camera | None:
    width, height, focal = calc.sensor_width, calc.sensor_height, calc.focal_length
    across, along = calc.image_width, calc.image_height
    if width is None or height is None or focal is None or across is None or along is None:
        return None
    return Camera(calc.camera_name, width, height, across, along, focal, calc.landscape)


def _foreign(where: str, raw: Mapping[str, Any], ids: list[int | None]) -> Foreign:
    kind = raw.get("complexItemType")
    if not isinstance(kind, str) or not 1 <= len(kind) <= 60 or not kind.isprintable():
        raise PlanError(f"{where}.complexItemType = {kind!r}; allowed: the name of a kind")
    inner = raw.get(TRANSECTS)
    items = None
    if inner is not None:
        found = _take(f"{where}.{TRANSECTS}", inner, _Transects)
        items = _inner(f"{where}.{TRANSECTS}", found.items, ids)
    return Foreign(kind=kind, items=items, kept=_without_items(raw))


def _without_items(raw: Mapping[str, Any]) -> Kept:
    """Return what is kept of a complex item: all but the items, which are modelled."""
    inner = raw.get(TRANSECTS)
    if not isinstance(inner, dict):
        return dict(raw)
    return {**raw, TRANSECTS: {key: value for key, value in inner.items() if key != "Items"}}


def _inner(
    where: str, raw: Sequence[Mapping[str, Any]], ids: list[int | None]
) -> tuple[Simple, ...]:
    return tuple(_simple(f"{where}.Items[{n}]", item, ids) for n, item in enumerate(raw))


def _zones(raw: Mapping[str, Any]) -> tuple[Zone, ...]:
    fence = _take("geoFence", raw, _Zones)
    _check_version("geoFence.version", fence.version, 2)
    out: list[Zone] = []
    for n, polygon in enumerate(fence.polygons):
        where = f"geoFence.polygons[{n}]"
        one = _take(where, polygon, _Polygon)
        _check_version(f"{where}.version", one.version, 1)
        kept = _rest(polygon, _Polygon)
        out.append(Polygon(points=one.polygon, inclusion=one.inclusion, kept=kept))
    for n, circle in enumerate(fence.circles):
        where = f"geoFence.circles[{n}]"
        ring = _take(where, circle, _Circle)
        _check_version(f"{where}.version", ring.version, 1)
        kept = _rest(circle, _Circle)
        if within := _rest(circle["circle"], _Round):
            kept["circle"] = within
        lat, lon = ring.circle.center
        out.append(
            Circle(lat=lat, lon=lon, radius=ring.circle.radius, inclusion=ring.inclusion, kept=kept)
        )
    return tuple(out)


def _rally(raw: Mapping[str, Any]) -> tuple[Rally, ...]:
    rally = _take("rallyPoints", raw, _Rally)
    _check_version("rallyPoints.version", rally.version, 2)
    return tuple(Rally(lat=lat, lon=lon, altitude=alt) for lat, lon, alt in rally.points)


def _take(where: str, raw: object, kind: type[T]) -> T:
    """Return JSON as a type; the error names the place in the file."""
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        text = str(error).replace("`$.", f"`{where}.").replace("`$`", f"`{where}`")
        text = text if where in text else f"{text} - at `{where}`"
        raise PlanError(text.replace("`the file.", "`")) from None


def _rest(raw: Mapping[str, Any], kind: type[msgspec.Struct]) -> Kept:
    """Return what of an object is not modelled."""
    known = set(kind.__struct_encode_fields__)
    return {key: value for key, value in raw.items() if key not in known}


def _check_version(where: str, version: int, allowed: int) -> None:
    if version != allowed:
        raise PlanError(f"{where} = {version}; allowed: {allowed}")
