"""A trajectory that has been taken aboard: its track, its pace, its first and its last place."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from flightcore.offboard.outer import Craft
from flightcore.offboard.pilot import Form
from flightcore.offboard.schedule import STEEPEST, Schedule
from flightcore.offboard.setpoints import PositionTarget, Vec
from flightcore.offboard.track import LONGEST_S, table
from flightcore.offboard.worth import Ability, shortcoming
from flightcore.parameters import Names, Parameters
from flightcore.trajectory.sampled import POSITION, VELOCITY, Array, Trajectory

HORIZON_S: Final = 0.4  # what is ordered takes effect beyond what the loop looks ahead
PACE: Final = 2.0  # greatest acceleration by which a pace changes [m/s2]
_AT_REST: Final = 0.1  # [m/s]
_LEAST_PACE_S: Final = 0.5
_YAW: Final = 15
_THRUST_BIT: Final = 1 << 3

PARAMETERS: Final[tuple[Names, ...]] = (
    ("GUID_OPTIONS",),
    ("GUID_TIMEOUT",),
    ("MOT_THST_HOVER",),
    ("WPNAV_SPEED_UP",),
    ("WPNAV_SPEED_DN",),
)


@dataclass(frozen=True, slots=True)
class Aboard:
    """What a control loop is made for.

    Attributes:
        identity: Names it.
        rows: Of its track. Shape (n, 18).
        duration_s: [s]
        form: What setpoints say.
        craft: The vehicle, as its parameters are.
        pace_s: How long the pace takes to change. [s]
    """

    identity: bytes
    rows: Array
    duration_s: float
    form: Form
    craft: Craft
    pace_s: float

    @property
    def first(self) -> PositionTarget:
        """Where it begins."""
        return _place(self.rows[0])

    @property
    def last(self) -> PositionTarget:
        """Where it ends."""
        return _place(self.rows[-1])

    def begin(self, now_s: float) -> Schedule:
        """Return how it is begun: where it begins in motion, at a growing pace."""
        ramp_s = self.pace_s if _is_moving(self.rows[0]) else 0.0
        return Schedule(now_s + HORIZON_S, 0.0, 0.0, 1.0, ramp_s)

    def change(self, schedule: Schedule, to_rate: float, now_s: float) -> Schedule:
        """Return how it is paused, or gone on with."""
        return schedule.then(now_s + HORIZON_S, to_rate, self.pace_s)

    def ending(self, schedule: Schedule, now_s: float, look_s: float) -> Schedule:
        """Return how it is ended: where it ends in motion, at a falling pace from a little before.

        Nothing changes until the end is near; it is asked again within `look_s`.
        """
        if schedule.to_rate == 0.0 or not _is_moving(self.rows[-1]):
            return schedule
        full_s = max(now_s, schedule.ends_s())
        begin_s = full_s + self.duration_s - schedule.at(full_s).time - 0.5 * self.pace_s
        if begin_s > now_s + HORIZON_S + look_s:
            return schedule
        return schedule.then(begin_s, 0.0, self.pace_s)

    def is_over(self, schedule: Schedule, now_s: float) -> bool:
        """Tell whether it has been flown."""
        if schedule.to_rate == 0.0:
            return now_s >= schedule.ends_s()
        return schedule.at(now_s).time >= self.duration_s


def take(
    trajectory: Trajectory,
    shift_n: Vec,
    identity: bytes,
    ability: Ability,
    form: Form,
    craft: Craft,
) -> Aboard | str:
    """Return a trajectory as it is flown, or why it cannot be.

    Args:
        trajectory: To be flown.
        shift_n: Where its zero lies. NED from the estimator's origin [m].
        identity: Names it.
        ability: What it may ask for.
        form: What setpoints will say.
        craft: The vehicle.
    """
    if trajectory.duration > LONGEST_S:
        return f"it lasts {trajectory.duration:.0f} s; allowed: {LONGEST_S:.0f}"
    refusal = shortcoming(trajectory, ability, craft.hover)
    if refusal:
        return refusal
    rows = table(trajectory, shift_n)
    speed = float(np.linalg.norm(rows[:, VELOCITY], axis=1).max())
    pace_s = max(_LEAST_PACE_S, speed * STEEPEST / PACE)
    return Aboard(identity, rows, trajectory.duration, form, craft, pace_s)


def craft_of(parameters: Parameters) -> Craft:
    """Return the vehicle as its parameters are, those that have not been read as usual."""
    last, usual = parameters.last, Craft()
    options = last("GUID_OPTIONS") or 0.0
    up, down = last("WPNAV_SPEED_UP"), last("WPNAV_SPEED_DN")
    return Craft(
        last("MOT_THST_HOVER") or usual.hover,
        bool(int(options) & _THRUST_BIT),
        0.01 * up if up else usual.climb_up,
        0.01 * down if down else usual.climb_down,
    )


def _is_moving(row: Array) -> bool:
    return float(np.linalg.norm(row[VELOCITY])) > _AT_REST


def _place(row: Array) -> PositionTarget:
    north, east, down = row[POSITION].tolist()
    return PositionTarget((north, east, down), float(row[_YAW]))
