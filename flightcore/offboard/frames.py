"""Where things lie in the estimator's frame: a document's zero, home, and the fence about it."""

import math
import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from flightcore.offboard.setpoints import Vec
from flightcore.parameters import Parameters
from flightcore.trajectory.sampled import Array
from wire.mavlink import HEADER_BYTES, dialect, message_id
from wire.trajectory import Reference

ORIGIN_ID: Final = dialect.MAVLINK_MSG_ID_GPS_GLOBAL_ORIGIN
HOME_ID: Final = dialect.MAVLINK_MSG_ID_HOME_POSITION
_PLACE: Final = struct.Struct("<iii")
_METRES_PER_E7: Final = 0.011131884502145034  # along a meridian, ArduPilot's own constant
_LATITUDE_MAX: Final = 900_000_000
_CEILING, _CIRCLE = 1, 2  # bits of FENCE_TYPE

FENCE_PARAMETERS: Final = ("FENCE_ENABLE", "FENCE_TYPE", "FENCE_ALT_MAX", "FENCE_RADIUS")


def offset(place: Reference, origin: Reference) -> Vec:
    """Return where a place lies from the origin. NED [m]."""
    middle = 0.5e-7 * (place.latitude_e7 + origin.latitude_e7)
    east = (place.longitude_e7 - origin.longitude_e7 + 1_800_000_000) % 3_600_000_000
    return (
        (place.latitude_e7 - origin.latitude_e7) * _METRES_PER_E7,
        (east - 1_800_000_000) * _METRES_PER_E7 * math.cos(math.radians(middle)),
        (origin.altitude_mm - place.altitude_mm) * 1e-3,
    )


class Places:
    """The estimator's origin and home, as the autopilot says them. They are not the same point."""

    watched = frozenset((ORIGIN_ID, HOME_ID))

    def __init__(self) -> None:
        self.origin: Reference | None = None
        self._home: Reference | None = None

    def receive(self, frame: bytes) -> None:
        """Take a frame of `watched`; a place that is none is not believed."""
        payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(_PLACE.size, b"\0")
        place = Reference(*_PLACE.unpack_from(payload))
        if abs(place.latitude_e7) > _LATITUDE_MAX:
            return
        if message_id(frame) == ORIGIN_ID:
            self.origin = place
        else:
            self._home = place

    def home_n(self) -> Vec | None:
        """Return where home is. NED from the origin [m]."""
        if self.origin is None or self._home is None:
            return None
        return offset(self._home, self.origin)


class Breach(NamedTuple):
    """Where a track leaves the fence: its row, and how it says so."""

    row: int
    text: str


@dataclass(frozen=True, slots=True)
class Fence:
    """Circle and ceiling about home. A polygon is the autopilot's to keep: it is not read here.

    Attributes:
        home_n: NED [m].
        ceiling: Above home. [m]
        radius: About home. [m]
    """

    home_n: Vec
    ceiling: float
    radius: float

    def first_breach(self, rows: Array) -> Breach | None:
        """Return where the rows of a track, shape (n, 18), first leave it."""
        north, east, down = (rows[:, i] - self.home_n[i] for i in range(3))
        checks = (
            (np.hypot(north, east), self.radius, "circle of the fence, {:.0f} of {:.0f} m"),
            (-down, self.ceiling, "ceiling of the fence, {:.0f} of {:.0f} m"),
        )
        for value, allowed, text in checks:
            beyond = value > allowed
            if beyond.any():
                return Breach(int(np.argmax(beyond)), text.format(value.max(), allowed))
        return None


def fence_of(parameters: Parameters, home_n: Vec | None) -> Fence | None:
    """Return the fence that is enabled, as far as its parameters have been read."""
    kinds = parameters.last("FENCE_TYPE")
    if not parameters.last("FENCE_ENABLE") or kinds is None or home_n is None:
        return None
    ceiling, radius = parameters.last("FENCE_ALT_MAX"), parameters.last("FENCE_RADIUS")
    has_ceiling = int(kinds) & _CEILING and ceiling is not None
    has_circle = int(kinds) & _CIRCLE and radius is not None
    return Fence(
        home_n,
        ceiling if has_ceiling and ceiling is not None else math.inf,
        radius if has_circle and radius is not None else math.inf,
    )
