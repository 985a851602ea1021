"""The way flown, remembered for SmartRTL: points every few metres, straightened, loops cut out."""

import math
from typing import Final

from sim.autopilot.parameters import Parameters
from sim.control.vector import Vec3

_PERIOD_S: Final = 1.0 / 3.0
_PRUNE: Final = 2.0


class Trail:
    """Points from where the vehicle was armed to where it is. The zero state remembers nothing.

    Invariant: no more points than SRTL_POINTS; when straightening frees no room, the trail is
    lost, as in ArduPilot, because a return along half of it would lead elsewhere.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._points: list[Vec3] = []
        self._due_s = 0.0

    @property
    def usable(self) -> bool:
        """Tell whether a return along it can begin."""
        return bool(self._points)

    def begin(self, position_n: Vec3) -> None:
        """Forget all, and start here."""
        wanted = self._parameters["SRTL_POINTS"] > 0.0
        self._points = [position_n] if wanted else []

    def lose(self) -> None:
        """Forget all."""
        self._points = []

    def step(self, position_n: Vec3, now_s: float) -> None:
        """Remember this place, if it is far enough from the last one."""
        if not self._points or now_s < self._due_s:
            return
        self._due_s = now_s + _PERIOD_S
        accuracy = self._accuracy()
        if math.dist(position_n, self._points[-1]) < accuracy:
            return
        self._points.append(position_n)
        if len(self._points) >= self._parameters["SRTL_POINTS"]:
            self._points = _without_loops(straightened(self._points, accuracy), accuracy)
            if len(self._points) >= self._parameters["SRTL_POINTS"]:
                self.lose()

    def back(self) -> list[Vec3]:
        """Return the points of the way back, the next one first, the start last."""
        accuracy = self._accuracy()
        tidy = _without_loops(straightened(self._points, accuracy), accuracy)
        return tidy[::-1]

    def _accuracy(self) -> float:
        return max(self._parameters["SRTL_ACCURACY"], 0.5)


def straightened(points: list[Vec3], within: float) -> list[Vec3]:
    """Return the points without those that are nearer than this to the line past them.

    Source: D. H. Douglas, T. K. Peucker, "Algorithms for the reduction of the number of points
    required to represent a digitized line or its caricature", 1973.
    """
    if len(points) < 3:
        return list(points)
    kept = {0, len(points) - 1}
    spans = [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        middle = range(first + 1, last)
        far = max(middle, key=lambda i: _from_line(points[i], points[first], points[last]))
        if _from_line(points[far], points[first], points[last]) > 0.5 * within:
            kept.add(far)
            spans += [(first, far), (far, last)]
    return [points[i] for i in sorted(kept)]


def _without_loops(points: list[Vec3], accuracy: float) -> list[Vec3]:
    """Return the points without those between two places where the way meets itself."""
    way = list(points)
    i = len(way) - 1
    while i > 1:
        near = (
            j
            for j in range(i - 1)
            if _from_line(way[i], way[j], way[j + 1]) < _PRUNE * accuracy * 0.5
        )
        meets = next(near, None)
        if meets is not None:
            del way[meets + 1 : i]
            i = meets + 1
        i -= 1
    return way


def _from_line(at: Vec3, a: Vec3, b: Vec3) -> float:
    """Return the distance of a point from a stretch of line [m]."""
    ab = (b[0] - a[0], b[1] - a[1], b[2] - a[2])
    square = ab[0] * ab[0] + ab[1] * ab[1] + ab[2] * ab[2]
    along = 0.0
    if square > 0.0:
        along = sum((at[k] - a[k]) * ab[k] for k in range(3)) / square
    share = min(max(along, 0.0), 1.0)
    return math.dist(at, (a[0] + share * ab[0], a[1] + share * ab[1], a[2] + share * ab[2]))
