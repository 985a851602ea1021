"""Plans a trajectory on the ground: places from the operator or a file, motions, limits."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np

from flightcore.control.vehicle import Vehicle
from flightcore.flown import Flown, document_of, first_jump
from flightcore.offboard.frames import offset
from flightcore.offboard.worth import DEFAULT_ABILITY, shortcoming
from flightcore.trajectory.harmonic import Harmonic
from flightcore.trajectory.polynomial import Piecewise
from flightcore.trajectory.sampled import POSITION
from sekisho.config_file import ConfigError
from sekisho.runtime import OperationFailedError
from wire.trajectory import Document, Reference, encode

MAX_FILE_BYTES: Final = 4 << 20
MAX_CORNERS: Final = 1000
_SAMPLES: Final = 20_000

Latitude = Annotated[float, msgspec.Meta(ge=-90.0, le=90.0)]
Longitude = Annotated[float, msgspec.Meta(ge=-180.0, le=180.0)]


class Spot(NamedTuple):
    """A place on the map. [degrees]."""

    latitude: float
    longitude: float

    def reference(self, ground: float) -> Reference:
        """Return it as a reference; `ground` is above mean sea level [m]."""
        return Reference(
            round(self.latitude * 1e7), round(self.longitude * 1e7), round(ground * 1e3)
        )

    def from_(self, reference: Reference) -> tuple[float, float]:
        """Return where it lies from a reference: north, east [m]."""
        north, east, _ = offset(self.reference(reference.altitude_mm * 1e-3), reference)
        return north, east


class Area(NamedTuple):
    """What a file says of where to fly; `ground` above mean sea level [m], None if it does not."""

    corners: tuple[Spot, ...]
    ground: float | None


class _Polygon(msgspec.Struct, tag_field="type", tag="Polygon"):
    coordinates: list[list[list[float]]]


class _Other(msgspec.Struct, tag_field="type", tag="LineString"):
    coordinates: list[list[float]]


class _Point(msgspec.Struct, tag_field="type", tag="Point"):
    coordinates: list[float]


_Geometry: TypeAlias = _Polygon | _Other | _Point


class _Feature(msgspec.Struct, tag_field="type", tag="Feature"):
    geometry: _Geometry


class _Collection(msgspec.Struct, tag_field="type", tag="FeatureCollection"):
    features: list[_Feature]


_Corner = tuple[Latitude, Longitude]


class _Item(msgspec.Struct):
    complex_type: str | None = msgspec.field(default=None, name="complexItemType")
    polygon: list[_Corner] = []


class _Mission(msgspec.Struct):
    items: list[_Item]
    home: tuple[float, float, float] | None = msgspec.field(
        default=None, name="plannedHomePosition"
    )


class _Zone(msgspec.Struct):
    polygon: list[_Corner]
    inclusion: bool = True


class _GeoFence(msgspec.Struct):
    polygons: list[_Zone] = []


class _Plan(msgspec.Struct):
    file_type: Literal["Plan"] = msgspec.field(name="fileType")
    mission: _Mission
    fence: _GeoFence = msgspec.field(default_factory=_GeoFence, name="geoFence")


def load_area(path: Path) -> Area:
    """Read the one polygon of a GeoJSON file, or of a plan of QGroundControl.

    Of a plan it is the survey's polygon, or without a survey the fence's inclusion.

    Raises:
        ConfigError: It is none of these, or not one polygon; the text says what is allowed.
    """
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: allowed: at most {MAX_FILE_BYTES} bytes")
    try:
        area = _of_plan(path, data) if path.suffix == ".plan" else _of_geojson(path, data)
    except msgspec.MsgspecError as error:
        allowed = "a GeoJSON polygon, or a .plan of QGroundControl"
        raise ConfigError(f"{path}: {error}; allowed: {allowed}") from None
    count = len(area.corners)
    if not 3 <= count <= MAX_CORNERS:
        raise ConfigError(f"{path}: a polygon of {count} corners; allowed: 3 to {MAX_CORNERS}")
    return area


def _of_geojson(path: Path, data: bytes) -> Area:
    found = msgspec.json.decode(data, type=_Collection | _Feature | _Geometry)
    features = found.features if isinstance(found, _Collection) else [found]
    geometries = [f.geometry if isinstance(f, _Feature) else f for f in features]
    polygons = [g for g in geometries if isinstance(g, _Polygon)]
    if len(polygons) != 1 or len(polygons[0].coordinates) != 1:
        raise ConfigError(f"{path}: {len(polygons)} polygons; allowed: one, without holes")
    ring = msgspec.convert(
        [position[:2] for position in polygons[0].coordinates[0]],
        list[tuple[Longitude, Latitude]],
    )
    corners = tuple(Spot(latitude, longitude) for longitude, latitude in ring)
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners = corners[:-1]
    return Area(corners, None)


def _of_plan(path: Path, data: bytes) -> Area:
    plan = msgspec.json.decode(data, type=_Plan)
    surveys = [item.polygon for item in plan.mission.items if item.complex_type == "survey"]
    zones = [zone.polygon for zone in plan.fence.polygons if zone.inclusion]
    found = surveys or zones
    if len(found) != 1:
        what = f"{len(surveys)} surveys, {len(zones)} inclusion polygons of the fence"
        raise ConfigError(f"{path}: {what}; allowed: one survey, or without one one such polygon")
    home = plan.mission.home
    return Area(tuple(Spot(*corner) for corner in found[0]), None if home is None else home[2])


class Planned(NamedTuple):
    """A trajectory and what it asks for."""

    document: Document
    data: bytes
    length_m: float
    duration_s: float
    speed: float
    acceleration: float
    height_m: tuple[float, float]

    def in_words(self) -> str:
        """Say it in lines."""
        low, high = self.height_m
        return (
            f"trajectory {self.document.identity.hex()}: {len(self.document.pieces)} pieces, "
            f"{len(self.data)} bytes\n"
            f"length {self.length_m:.0f} m, duration {self.duration_s:.1f} s, "
            f"height {low:.1f} to {high:.1f} m\n"
            f"at most {self.speed:.1f} m/s, {self.acceleration:.1f} m/s2"
        )

    def as_json(self) -> str:
        """Say it as one JSON object."""
        told = {
            "identity": self.document.identity.hex(),
            "pieces": len(self.document.pieces),
            "bytes": len(self.data),
            "length_m": round(self.length_m, 1),
            "duration_s": round(self.duration_s, 2),
            "height_m": [round(height, 2) for height in self.height_m],
            "speed": round(self.speed, 3),
            "acceleration": round(self.acceleration, 3),
        }
        return msgspec.json.encode(told).decode()


def planned(
    motions: Sequence[Piecewise | Harmonic],
    reference: Reference,
    hover: float,
    vehicle: Vehicle | None = None,
) -> Planned:
    """Return what motions come to as a document.

    Args:
        motions: One after the other.
        reference: Where their zero lies.
        hover: Throttle that holds the drone. [-]
        vehicle: What else is known of it, if anything.

    Raises:
        OperationFailedError: It cannot be flown, or not carried; the text says what is too much.
    """
    document = document_of(motions, reference)
    try:
        data = encode(document)
    except ValueError as error:
        raise OperationFailedError(f"this trajectory cannot be carried: {error}") from None
    flown = Flown(document)
    refusal = shortcoming(flown, DEFAULT_ABILITY, hover, vehicle)
    jump = first_jump(flown)
    if jump is not None:
        refusal = refusal or f"it jumps at {jump.at_s:.1f} s"
    if refusal:
        raise OperationFailedError(f"this trajectory cannot be flown: {refusal}")
    return describe(document, data)


def describe(document: Document, data: bytes) -> Planned:
    """Return how long, fast and high a document is, of many samples."""
    flown = Flown(document)
    flat = flown.sample(np.linspace(0.0, flown.duration, _SAMPLES))
    way = np.linalg.norm(np.diff(flat[POSITION], axis=1), axis=0)
    speed, acceleration = (float(np.linalg.norm(flat[i : i + 3], axis=0).max()) for i in (3, 6))
    heights = -flat[2]
    return Planned(
        document,
        data,
        math.fsum(way),
        flown.duration,
        speed,
        acceleration,
        (float(heights.min()), float(heights.max())),
    )
