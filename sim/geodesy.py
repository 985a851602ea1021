"""Latitude and longitude around one origin, on the tangent plane ArduPilot uses.

One 1e-7 degree of latitude is 0.01113 m (the equatorial radius on a sphere); longitude shrinks
with the cosine of the latitude. Good to a few centimetres within the kilometres of a flight.
"""

import math
from functools import lru_cache
from typing import Final

import msgspec

METRES_PER_E7: Final = math.radians(1e-7) * 6378100.0


class Place(msgspec.Struct, frozen=True, gc=False):
    """A point: latitude and longitude in 1e-7 degree, altitude above mean sea level [m]."""

    lat_deg_e7: int
    lon_deg_e7: int
    alt: float

    def offset(self, north: float, east: float, up: float = 0.0) -> "Place":
        """Return the point at this NED offset, `up` positive upwards [m]."""
        return Place(
            self.lat_deg_e7 + round(north / METRES_PER_E7),
            self.lon_deg_e7 + round(east / (METRES_PER_E7 * _shrink(self.lat_deg_e7))),
            self.alt + up,
        )

    def north_east(self, lat_deg_e7: int, lon_deg_e7: int) -> tuple[float, float]:
        """Return where a latitude and longitude lie from here: north and east [m]."""
        return (
            (lat_deg_e7 - self.lat_deg_e7) * METRES_PER_E7,
            (lon_deg_e7 - self.lon_deg_e7) * METRES_PER_E7 * _shrink(self.lat_deg_e7),
        )


@lru_cache(256)
def _shrink(lat_deg_e7: int) -> float:
    """Return how much shorter a degree of longitude is than at the equator [-]."""
    return max(math.cos(math.radians(lat_deg_e7 * 1e-7)), 0.01)
