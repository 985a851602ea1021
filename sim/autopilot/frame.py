"""Where the vehicle is on Earth: estimator origin and home, and altitudes between them."""

import math
from dataclasses import dataclass, field

from sim.autopilot.items import Item
from sim.control.vector import Vec3
from sim.geodesy import Place


@dataclass(slots=True)
class Ground:
    """Origin and home. Both are None until the estimator has set its origin.

    `start` is the true place of NED zero, which the origin will become; `rally` holds the places
    that a return may end at instead of home.
    """

    start: Place
    origin: Place | None = None
    home: Place | None = None
    home_locked: bool = False
    rally: list[Item] = field(default_factory=list)

    @property
    def home_down(self) -> float:
        """Return the NED down of home, 0 while it is not set [m]."""
        return self.start.alt - self.home.alt if self.home is not None else 0.0

    @property
    def home_alt(self) -> float:
        """Return the altitude above sea level that relative altitudes count from [m]."""
        return self.home.alt if self.home is not None else self.start.alt

    def home_north_east(self) -> tuple[float, float]:
        """Return home in NED, the origin while it is not set [m]."""
        if self.home is None:
            return 0.0, 0.0
        return self.start.north_east(self.home.lat_deg_e7, self.home.lon_deg_e7)

    def return_north_east(
        self, at: tuple[float, float], *, limit_m: float, include_home: bool
    ) -> tuple[float, float]:
        """Return where a return from a place ends: the nearest rally point, or home [m].

        Args:
            at: Where the vehicle is, NED north and east. [m]
            limit_m: Rally points further away than this are left out for home; 0: none is. [m]
            include_home: Whether home is chosen where it is nearer.
        """
        home = self.home_north_east()
        points = [self.start.north_east(item.x, item.y) for item in self.rally]
        if not points:
            return home
        best = min(points, key=lambda point: math.dist(point, at))
        nearer_home = math.dist(home, at) <= math.dist(best, at)
        too_far = 0.0 < limit_m < math.dist(best, at)
        return home if nearer_home and (include_home or too_far) else best

    def place(self, position_n: Vec3) -> Place:
        """Return the place of an NED position."""
        return self.start.offset(position_n[0], position_n[1], -position_n[2])

    def item_down(self, item: Item) -> float:
        """Return the NED down of a mission item's altitude [m]."""
        base = self.start.alt if item.frame == 0 else self.home_down
        return base - item.z

    def item_north_east(self, item: Item) -> tuple[float, float] | None:
        """Return a mission item in NED; None when its place is "here" (0, 0) [m]."""
        if item.x == 0 and item.y == 0:
            return None
        return self.start.north_east(item.x, item.y)
