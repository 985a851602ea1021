"""A plan as the autopilot has it: three lists of numbered items, and what differs between two.

Two items are the same if the bytes are that ArduPilot keeps of them: parameters as 32 bit floats,
places in 1e-7 degrees, heights in centimetres, the frame where there is a place. It keeps no
difference between a parameter without a value and 0. Item 0 of a mission is home, which the
autopilot sets itself: it is not compared.

Source: https://mavlink.io/en/services/mission.html
"""

import hashlib
import math
import struct
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final, NamedTuple

from groundstation.plan.model import (
    ABSOLUTE,
    RELATIVE,
    WITH_PLACE,
    Circle,
    Params,
    Plan,
    PlanError,
    Point,
    Polygon,
    Rally,
    Simple,
    Zone,
    flown,
)
from wire.mavlink import dialect

MISSION: Final = dialect.MAV_MISSION_TYPE_MISSION
FENCE: Final = dialect.MAV_MISSION_TYPE_FENCE
RALLY: Final = dialect.MAV_MISSION_TYPE_RALLY
KINDS: Final = (MISSION, FENCE, RALLY)
KIND_NAMES: Final = {MISSION: "mission", FENCE: "fence", RALLY: "rally points"}
_SCALE: Final = 10_000_000
_CENTIMETRES: Final = 100
_CORNER_IN: Final = dialect.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_INCLUSION
_CORNER_OUT: Final = dialect.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_EXCLUSION
_CIRCLE_IN: Final = dialect.MAV_CMD_NAV_FENCE_CIRCLE_INCLUSION
_CIRCLE_OUT: Final = dialect.MAV_CMD_NAV_FENCE_CIRCLE_EXCLUSION
_RALLY_POINT: Final = dialect.MAV_CMD_NAV_RALLY_POINT
_SAME_FRAME: Final = {5: 0, 6: 3, 11: 10}
_NO_FRAME: Final = 255
_NO_HEIGHT: Final = -(1 << 62)
_FRAME_WORDS: Final = {0: "above the sea", 3: "above home", 10: "above the ground"}
_STORED: Final = struct.Struct("<4fiiqHB")


class OnboardItem(NamedTuple):
    """One item of a list aboard; NaN is a parameter without a value [1e-7 degree, m]."""

    command: int
    frame: int
    params: tuple[float, float, float, float]
    x: int
    y: int
    z: float

    @property
    def stored(self) -> bytes:
        """What ArduPilot keeps of it, as bytes."""
        params = (0.0 if math.isnan(p) else p + 0.0 for p in self.params)
        height = round(self.z * _CENTIMETRES) if abs(self.z) < 1e9 else _NO_HEIGHT
        frame = _SAME_FRAME.get(self.frame, self.frame)
        frame = frame if self.command in WITH_PLACE else _NO_FRAME
        return _STORED.pack(*params, self.x, self.y, height, self.command, frame)

    @property
    def text(self) -> str:
        """The item in words."""
        parts = [command_name(self.command)]
        if self.command in WITH_PLACE and (self.x or self.y):
            parts.append(f"{self.x / _SCALE:.7f}, {self.y / _SCALE:.7f}")
        elif self.x or self.y:
            parts.append(f"x {self.x}, y {self.y}")
        if self.command in WITH_PLACE:
            frame = _SAME_FRAME.get(self.frame, self.frame)
            parts.append(f"{self.z:.10g} m {_FRAME_WORDS.get(frame, f'frame {frame}')}")
        elif self.z:
            parts.append(f"z {self.z:.10g}")
        parts += [
            f"param{n} {value:.7g}"
            for n, value in enumerate(self.params, 1)
            if value and not math.isnan(value)
        ]
        return ", ".join(parts)


class Row(NamedTuple):
    """One line of a comparison: the item's number and text on either side, None if it has none."""

    ours: tuple[int, str] | None
    theirs: tuple[int, str] | None
    same: bool


def command_name(command: int) -> str:
    """Return a command's name without its prefixes."""
    known = dialect.enums["MAV_CMD"].get(command)
    return (
        f"command {command}"
        if known is None
        else str(known.name).removeprefix("MAV_CMD_").removeprefix("NAV_")
    )


def lists(plan: Plan) -> dict[int, list[OnboardItem]]:
    """Return what each list aboard will be, the mission without home.

    Raises:
        PlanError: An item cannot be sent; the text says which.
    """
    return {
        MISSION: [_onboard(f"mission item {one.number}", one.item) for one in flown(plan)],
        FENCE: [item for zone in plan.zones for item in _of_zone(zone)],
        RALLY: [
            OnboardItem(_RALLY_POINT, RELATIVE, _NO_PARAMS, *_whole((r.lat, r.lon)), r.altitude)
            for r in plan.rally
        ],
    }


def home_item(plan: Plan) -> OnboardItem:
    """Return item 0 of a mission, which the autopilot replaces by its own home."""
    home = plan.home
    if home is None:
        return OnboardItem(dialect.MAV_CMD_NAV_WAYPOINT, ABSOLUTE, _NO_PARAMS, 0, 0, 0.0)
    place = _whole((home.lat, home.lon))
    return OnboardItem(dialect.MAV_CMD_NAV_WAYPOINT, ABSOLUTE, _NO_PARAMS, *place, home.altitude)


def compare(ours: Sequence[OnboardItem], theirs: Sequence[OnboardItem], first: int) -> list[Row]:
    """Set two lists side by side, with as many of the same in one line as can be.

    `first` is the number of the first item of both.

    Invariant: all rows are the same exactly if the lists have the same bytes.
    """
    matcher = SequenceMatcher(
        None, [i.stored for i in ours], [i.stored for i in theirs], autojunk=False
    )
    rows = []
    for _, low, high, their_low, their_high in matcher.get_opcodes():
        pairs = zip_longest(range(low, high), range(their_low, their_high))
        for ours_at, theirs_at in pairs:
            mine = None if ours_at is None else (ours_at + first, ours[ours_at].text)
            other = None if theirs_at is None else (theirs_at + first, theirs[theirs_at].text)
            same = (
                ours_at is not None
                and theirs_at is not None
                and ours[ours_at].stored == theirs[theirs_at].stored
            )
            rows.append(Row(mine, other, same))
    return rows


def digest(items: Sequence[OnboardItem]) -> str:
    """Return a name for a list by its bytes."""
    return hashlib.sha256(b"".join(item.stored for item in items)).hexdigest()[:32]


def mission_of(items: Sequence[OnboardItem]) -> tuple[Simple, ...]:
    """Return a mission that is aboard, without home, as items of a draft.

    Raises:
        PlanError: An item makes no sense.
    """
    return tuple(_simple(number, item) for number, item in enumerate(items, 1))


def zones_of(items: Sequence[OnboardItem]) -> tuple[Zone, ...]:
    """Return a fence that is aboard as zones of a draft.

    Raises:
        PlanError: The corners do not make up polygons, or an item is none of a fence.
    """
    out: list[Zone] = []
    at = 0
    while at < len(items):
        item = items[at]
        inclusion = item.command in (_CORNER_IN, _CIRCLE_IN)
        if item.command in (_CIRCLE_IN, _CIRCLE_OUT):
            lat, lon = _place(f"fence item {at}", item)
            radius = item.params[0]
            if not 1 <= radius <= 100_000:
                raise PlanError(f"fence item {at}: radius {radius:g}; allowed: 1 to 100000 m")
            out.append(Circle(lat=lat, lon=lon, radius=_nearest(radius), inclusion=inclusion))
            at += 1
            continue
        if item.command not in (_CORNER_IN, _CORNER_OUT):
            name = command_name(item.command)
            raise PlanError(f"fence item {at}: {name} is not edited here")
        count = item.params[0]
        corners = items[at : at + int(count)] if 3 <= count <= len(items) else ()
        if len(corners) < 3 or any(
            (c.command, c.params[0]) != (item.command, count) for c in corners
        ):
            raise PlanError(f"fence item {at}: a polygon of {count:g} corners that are not there")
        points = tuple(_place(f"fence item {at + n}", c) for n, c in enumerate(corners))
        out.append(Polygon(points=points, inclusion=inclusion))
        at += len(corners)
    return tuple(out)


def rally_of(items: Sequence[OnboardItem]) -> tuple[Rally, ...]:
    """Return rally points that are aboard as those of a draft.

    Raises:
        PlanError: An item is none, or not above home.
    """
    out = []
    for number, item in enumerate(items):
        where = f"rally point {number}"
        if item.command != _RALLY_POINT or _SAME_FRAME.get(item.frame, item.frame) != RELATIVE:
            raise PlanError(f"{where}: {item.text} is not edited here")
        lat, lon = _place(where, item)
        out.append(Rally(lat=lat, lon=lon, altitude=_nearest(item.z)))
    return tuple(out)


_NO_PARAMS: Final = (0.0, 0.0, 0.0, 0.0)


def _onboard(where: str, item: Simple) -> OnboardItem:
    p1, p2, p3, p4, p5, p6, p7 = (math.nan if p is None else p for p in item.params)
    if not item.has_place:
        whole = [0 if math.isnan(value) else round(value) for value in (p5, p6)]
        height = 0.0 if math.isnan(p7) else p7
        return OnboardItem(item.command, item.frame, (p1, p2, p3, p4), whole[0], whole[1], height)
    if math.isnan(p7):
        raise PlanError(f"{where}: its altitude is not known, {_ASK_QGC}")
    place = _whole((0.0 if math.isnan(p5) else p5, 0.0 if math.isnan(p6) else p6))
    return OnboardItem(item.command, item.frame, (p1, p2, p3, p4), *place, p7)


_ASK_QGC: Final = "as it depends on terrain data that is not here: give it one"


def _of_zone(zone: Zone) -> list[OnboardItem]:
    if isinstance(zone, Circle):
        command = _CIRCLE_IN if zone.inclusion else _CIRCLE_OUT
        place = _whole((zone.lat, zone.lon))
        return [OnboardItem(command, ABSOLUTE, (zone.radius, 0.0, 0.0, 0.0), *place, 0.0)]
    command = _CORNER_IN if zone.inclusion else _CORNER_OUT
    params = (float(len(zone.points)), 0.0, 0.0, 0.0)
    return [OnboardItem(command, ABSOLUTE, params, *_whole(p), 0.0) for p in zone.points]


def _whole(place: Point) -> tuple[int, int]:
    return round(place[0] * _SCALE), round(place[1] * _SCALE)


def _place(where: str, item: OnboardItem) -> Point:
    lat, lon = round(item.x / _SCALE, 7), round(item.y / _SCALE, 7)
    if abs(lat) > 90 or abs(lon) > 180:
        raise PlanError(f"{where}: {item.text}: no place on earth")
    return lat, lon


def _simple(number: int, item: OnboardItem) -> Simple:
    has_place = item.command in WITH_PLACE
    scale = _SCALE if has_place else 1
    params: Params = (
        *(None if math.isnan(p) else _nearest(p) for p in item.params),  # type: ignore[assignment]
        round(item.x / scale, 7),
        round(item.y / scale, 7),
        _nearest(item.z),
    )
    if any(p is not None and not abs(p) <= 1e9 for p in params):
        raise PlanError(f"mission item {number}: {item.text}: numbers out of bounds")
    try:
        return Simple(command=item.command, frame=item.frame, params=params)
    except ValueError as error:
        raise PlanError(f"mission item {number}: {error}") from None


def _nearest(value: float) -> float:
    """Return the shortest decimal number that is the same 32 bit float."""
    for digits in range(6, 10):
        short = float(f"{value:.{digits}g}")
        if struct.pack("<f", short) == struct.pack("<f", value):
            return short
    return value
