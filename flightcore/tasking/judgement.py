"""Whether a trajectory keeps within the fence, in slices: the link must not wait for it."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from flightcore.flown import SPACING, Flown, Stretch, closely
from flightcore.offboard.setpoints import Vec
from flightcore.trajectory.geofence import Circle, Fence, Zone
from flightcore.trajectory.sampled import POSITION

# Samples times edges looked at in one slice: about a millisecond of a small computer.
_SLICE: Final = 50_000


class Judgement:
    """Looks along the way to where a trajectory begins, and along the trajectory.

    Args:
        fence: To be kept.
        flown: In the frame of the fence.
        from_n: Where the vehicle is, if it is to fly there from here. NED [m].
        is_kept: The trajectory itself is known to keep it.
    """

    def __init__(
        self, fence: Fence, flown: Flown, *, from_n: Vec | None = None, is_kept: bool = False
    ) -> None:
        self._fence = fence
        edges = sum(map(_edges, (*fence.inclusions, *fence.exclusions)))
        self._samples = max(20, _SLICE // max(1, edges))
        self._slices = self._sliced(flown, from_n, is_kept=is_kept)

    def step(self) -> str | None:
        """Look at the next slice; return why it is refused, nothing if it is not, None to go on."""
        found = next(self._slices, None)
        if found is None:
            return ""
        where, stretch = found
        breach = self._fence.breach(stretch.positions, stretch.slack)
        if breach is None:
            return None
        at = where or f"at {stretch.times[breach.sample]:.1f} s"
        return f"{at} it comes {breach.by:.1f} m too near to or beyond {breach.bound} of the fence"

    def _sliced(
        self, flown: Flown, from_n: Vec | None, *, is_kept: bool
    ) -> Iterator[tuple[str, Stretch]]:
        if from_n is not None:
            begin = flown.sample_piece(0, np.zeros(1))[POSITION]
            way = begin - np.array(from_n)[:, None]
            length = float(np.linalg.norm(way))
            count = 2 + int(min(length / SPACING, 1e5))
            along = np.linspace(0.0, 1.0, count)
            slack = 0.5 * length / (count - 1)
            there = Stretch(along, np.array(from_n)[:, None] + way * along, slack)
            yield from self._cut("on the way to where it begins", there)
        for stretch in () if is_kept else closely(flown):
            yield from self._cut("", stretch)

    def _cut(self, where: str, stretch: Stretch) -> Iterator[tuple[str, Stretch]]:
        for begin in range(0, len(stretch.times), self._samples):
            part = slice(begin, begin + self._samples)
            yield (
                where,
                Stretch(stretch.times[part], stretch.positions[:, part], stretch.slack),
            )


def _edges(zone: Zone) -> int:
    return 1 if isinstance(zone, Circle) else len(zone.corners)
