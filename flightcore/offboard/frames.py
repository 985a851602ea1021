"""Where a document's zero lies in the estimator's frame, whose own zero is its origin, not home."""

import math
import struct
from typing import Final

from flightcore.offboard.setpoints import Vec
from wire.mavlink import HEADER_BYTES, dialect
from wire.trajectory import Reference

ORIGIN_ID: Final = dialect.MAVLINK_MSG_ID_GPS_GLOBAL_ORIGIN
_PLACE: Final = struct.Struct("<iii")
_METRES_PER_E7: Final = 0.011131884502145034  # along a meridian, ArduPilot's own constant
_LATITUDE_MAX: Final = 900_000_000


def offset(place: Reference, origin: Reference) -> Vec:
    """Return where a place lies from the origin. NED [m]."""
    middle = 0.5e-7 * (place.latitude_e7 + origin.latitude_e7)
    east = (place.longitude_e7 - origin.longitude_e7 + 1_800_000_000) % 3_600_000_000
    return (
        (place.latitude_e7 - origin.latitude_e7) * _METRES_PER_E7,
        (east - 1_800_000_000) * _METRES_PER_E7 * math.cos(math.radians(middle)),
        (origin.altitude_mm - place.altitude_mm) * 1e-3,
    )


def moved(origin: Reference, north: float, east: float) -> tuple[int, int]:
    """Return the place so far from the origin [m], the inverse of `offset`: [1e-7 degrees]."""
    latitude_e7 = round(origin.latitude_e7 + north / _METRES_PER_E7)
    middle = 0.5e-7 * (latitude_e7 + origin.latitude_e7)
    across = round(east / _METRES_PER_E7 / math.cos(math.radians(middle)))
    longitude_e7 = (origin.longitude_e7 + across + 1_800_000_000) % 3_600_000_000
    return latitude_e7, longitude_e7 - 1_800_000_000


def origin_untrusted(frame: bytes) -> Reference | None:
    """Return the origin that a GPS_GLOBAL_ORIGIN names, None if that is no place on Earth."""
    payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(_PLACE.size, b"\0")
    place = Reference(*_PLACE.unpack_from(payload))
    return place if abs(place.latitude_e7) <= _LATITUDE_MAX else None
