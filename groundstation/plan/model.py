"""What a plan is made of: mission, fence, rally points. Frozen, so that undoing is keeping the old.

Whatever a file says that is not modelled here stays with its element in `kept`; it is written back.
"""

from typing import Annotated, Any, Final

import msgspec

from wire.mavlink import dialect

MAX_ITEMS: Final = 1000  # of a plan's list, and flown
MAX_CORNERS: Final = 200
MAX_ALTITUDE: Final = 10_000.0
RELATIVE, ABSOLUTE, TERRAIN = 3, 0, 10  # MAV_FRAME, as autopilots store it
_SAME_FRAME: Final = {5: ABSOLUTE, 6: RELATIVE, 11: TERRAIN}
# MAVLink says which commands have a place; jumps name an item by its number.
WITH_PLACE: Final = frozenset(
    number for number, entry in dialect.enums["MAV_CMD"].items() if entry.has_location
)
JUMP: Final = dialect.MAV_CMD_DO_JUMP

Number = Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Altitude = Annotated[float, msgspec.Meta(ge=-MAX_ALTITUDE, le=MAX_ALTITUDE)]
Percent = Annotated[float, msgspec.Meta(ge=0, le=95)]
Point = tuple[Latitude, Longitude]
Corners = Annotated[tuple[Point, ...], msgspec.Meta(min_length=3, max_length=MAX_CORNERS)]
Optional = Number | None
Params = tuple[Optional, Optional, Optional, Optional, Optional, Optional, Optional]
Kept = dict[str, Any]


class PlanError(Exception):
    """A plan cannot be used, or not be changed like that; the text names what is wrong where."""


class _Element(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Anything in a plan. `id` names it as long as the draft lives; 0 is none yet."""

    id: int = 0
    kept: Kept = {}


class Simple(_Element, frozen=True, tag="item", kw_only=True):
    """One item of MAVLink; None is a parameter without a value.

    Of a command that has a place the last three of `params` are latitude, longitude [degrees]
    and altitude [m] in `frame`.
    """

    command: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    params: Params
    frame: Annotated[int, msgspec.Meta(ge=0, le=21)] = RELATIVE
    auto_continue: bool = True

    def __post_init__(self) -> None:
        lat, lon, alt = self.params[4:]
        if not self.has_place:
            return
        if abs(lat or 0) > 90 or abs(lon or 0) > 180:
            raise ValueError(f"place {lat}, {lon}: allowed: degrees north and east")
        if alt is not None and abs(alt) > MAX_ALTITUDE:
            raise ValueError(f"altitude {alt:g}: allowed: up to {MAX_ALTITUDE:g} m")

    @property
    def has_place(self) -> bool:
        """Tell whether the command has a place."""
        return self.command in WITH_PLACE

    @property
    def place(self) -> Point | None:
        """Where the item is; None if nowhere, or where the drone is by then (0, 0)."""
        lat, lon = self.params[4:6]
        if not self.has_place or lat is None or lon is None or lat == lon == 0:
            return None
        return lat, lon

    @property
    def altitude(self) -> float | None:
        """How high the item is in its frame; None if it has no place."""
        return self.params[6] if self.has_place else None

    @property
    def frame_stored(self) -> int:
        """The frame without the distinction of how numbers are sent."""
        return _SAME_FRAME.get(self.frame, self.frame)


class Camera(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A camera that looks down: sensor and focal length [mm], picture [pixels]."""

    name: Annotated[str, msgspec.Meta(max_length=100)]
    sensor_width: Annotated[float, msgspec.Meta(gt=0, le=200)]
    sensor_height: Annotated[float, msgspec.Meta(gt=0, le=200)]
    image_width: Annotated[int, msgspec.Meta(gt=0, le=100_000)]
    image_height: Annotated[int, msgspec.Meta(gt=0, le=100_000)]
    focal_length: Annotated[float, msgspec.Meta(gt=0, le=2000)]
    landscape: bool = True


class Survey(_Element, frozen=True, tag="survey", kw_only=True):
    """Lines to and fro over a polygon, altitude above home.

    `angle` is the bearing of the lines [degrees], `spacing` the distance between them, `trigger`
    the distance between pictures (0: none), `turnaround` how far a line goes on past it [m].
    `entry` is the corner, looking along `angle`: 1 right, 2 at the near end, 3 both, 0 neither.
    With a camera, spacing and trigger follow from the overlaps.
    `items` is what is flown; a file's own items stay until the survey is changed.
    """

    polygon: Corners
    altitude: Annotated[float, msgspec.Meta(ge=0.1, le=1000)] = 50.0
    angle: Annotated[float, msgspec.Meta(ge=-360, le=360)] = 0.0
    spacing: Annotated[float, msgspec.Meta(ge=0.1, le=5000)] = 25.0
    trigger: Annotated[float, msgspec.Meta(ge=0, le=5000)] = 0.0
    turnaround: Annotated[float, msgspec.Meta(ge=0, le=500)] = 10.0
    entry: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0
    in_turnaround: bool = True
    camera: Camera | None = None
    front_overlap: Percent = 70.0
    side_overlap: Percent = 70.0
    items: tuple[Simple, ...] = ()


class Foreign(_Element, frozen=True, tag="foreign", kw_only=True):
    """A complex item of a file that is not edited here, kept as it is.

    `items` is what the file says is flown; None if only its own program can tell.
    """

    kind: str
    items: tuple[Simple, ...] | None


class Polygon(_Element, frozen=True, tag="polygon", kw_only=True):
    """A zone of the fence: to stay in, or out of."""

    points: Corners
    inclusion: bool = True


class Circle(_Element, frozen=True, tag="circle", kw_only=True):
    """A round zone of the fence; the radius in metres."""

    lat: Latitude
    lon: Longitude
    radius: Annotated[float, msgspec.Meta(ge=1, le=100_000)]
    inclusion: bool = True


class Rally(_Element, frozen=True, tag="rally", kw_only=True):
    """A place to return to instead of home; the altitude is above home [m]."""

    lat: Latitude
    lon: Longitude
    altitude: Altitude


Entry = Simple | Survey | Foreign
Zone = Polygon | Circle
Element = Simple | Survey | Foreign | Polygon | Circle | Rally


class Home(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the drone is planned to start; the altitude is above the sea [m]."""

    lat: Latitude
    lon: Longitude
    altitude: Altitude


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole plan. The zero state is empty.

    `ceiling` is the highest altitude above home that is wanted [m], None if the plan has none.
    """

    items: tuple[Entry, ...] = ()
    zones: tuple[Zone, ...] = ()
    rally: tuple[Rally, ...] = ()
    home: Home | None = None
    hover_speed: Annotated[float, msgspec.Meta(gt=0, le=100)] = 5.0
    cruise_speed: Annotated[float, msgspec.Meta(gt=0, le=200)] = 15.0
    ceiling: Annotated[float, msgspec.Meta(ge=1, le=MAX_ALTITUDE)] | None = None
    kept: dict[str, Kept] = {}

    def elements(self) -> tuple[Element, ...]:
        """Return everything that has an id."""
        return (*self.items, *self.zones, *self.rally)


class Flown(msgspec.Struct, frozen=True):
    """One item as the autopilot gets it: from which entry, and its number, 1 for the first."""

    entry: int
    number: int
    item: Simple


def flown(plan: Plan) -> list[Flown]:
    """Return the mission as the autopilot gets it, without home.

    Invariant: numbers count from 1 without a gap.
    """
    out: list[Flown] = []
    for entry in plan.items:
        items = (entry,) if isinstance(entry, Simple) else entry.items or ()
        out += [Flown(entry.id, len(out) + 1 + n, item) for n, item in enumerate(items)]
    return out
