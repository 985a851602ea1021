"""From errors of position and velocity to the attitude and thrust that an autopilot is to hold."""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

from flightcore.control.attitude import axes_from_thrust
from flightcore.control.position import acceleration, within_tilt
from flightcore.control.vectors import ZERO, Axes, scale, sub
from flightcore.control.vehicle import GRAVITY, Gains, Limits
from flightcore.offboard.setpoints import Quat, Vec
from tracing.executors import floats
from tracing.terms import Group, Real, cos, sin

_SIZES: Final = (3, 3, 3, 3, 1)
_LEVEL: Final = Axes((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Craft:
    """What of the autopilot's parameters the pilot must know.

    Attributes:
        hover: Throttle that holds the height: MOT_THST_HOVER. ArduCopter's throttle is linear in
            thrust, MOT_THST_EXPO is its own affair. [-]
        gives_thrust: GUID_OPTIONS bit 3: thrust is taken as thrust, not as climb rate.
        climb_up: What a climb of 1 means: the waypoint speed up. [m/s]
        climb_down: What a climb of 0 means: the waypoint speed down. [m/s]
    """

    hover: float = 0.35
    gives_thrust: bool = False
    climb_up: float = 2.5
    climb_down: float = 1.5

    def throttle(self, up: float) -> float:
        """Return the thrust to ask for, for a vertical thrust per mass [m/s2]."""
        return min(max(up / GRAVITY * self.hover, 0.0), 1.0)

    def climb(self, speed: float) -> float:
        """Return the thrust to ask for, for a climb rate, positive up [m/s]."""
        full = self.climb_up if speed > 0.0 else self.climb_down
        return 0.5 + 0.5 * min(max(speed / full, -1.0), 1.0)


class Wish(NamedTuple):
    """What the law asks for.

    Attributes:
        q_nb: Attitude.
        thrust_n: Thrust per mass, NED; in hover it points up. [m/s2]
    """

    q_nb: Quat
    thrust_n: Vec


class Outer:
    """The law, as a program for one vehicle."""

    def __init__(self, gains: Gains, limits: Limits) -> None:
        assert limits.tilt is not None

        def text(
            error: Group, rate: Group, feed: Group, disturbance: Group, yaw: Group
        ) -> tuple[Group, ...]:
            wanted = acceleration(_vec(error), _vec(rate), _vec(feed), ZERO, gains, limits)
            x, y, z = sub(wanted, _vec(disturbance))
            thrust = within_tilt((x, y, z - GRAVITY), limits)
            right = (-sin(yaw[0]), cos(yaw[0]), 0.0)
            axes, _ = axes_from_thrust(scale(-1.0, thrust), right, _LEVEL, limits.hold)
            return thrust, axes.x, axes.y, axes.z

        self._program = floats(text, _SIZES)

    def wish(
        self, error_n: Vec, error_rate_n: Vec, feed_n: Vec, disturbance_n: Vec, yaw: float
    ) -> Wish:
        """Return attitude and thrust.

        Args:
            error_n: Reference less position. [m]
            error_rate_n: Reference less velocity. [m/s]
            feed_n: Acceleration of the reference. [m/s2]
            disturbance_n: Acceleration that nobody asked for. [m/s2]
            yaw: Heading. [rad]
        """
        thrust, x, y, z = self._program(error_n, error_rate_n, feed_n, disturbance_n, (yaw,))
        return Wish(quaternion_of(x, y, z), (thrust[0], thrust[1], thrust[2]))


def quaternion_of(x: tuple[float, ...], y: tuple[float, ...], z: tuple[float, ...]) -> Quat:
    """Return the unit quaternion of body axes given in the outer frame, w not negative."""
    trace = x[0] + y[1] + z[2]
    doubled = 2.0 * x[0] - trace, 2.0 * y[1] - trace, 2.0 * z[2] - trace
    cross = (y[2] - z[1], z[0] - x[2], x[1] - y[0])
    sums = (x[1] + y[0], z[0] + x[2], y[2] + z[1])
    rows = (
        (1.0 + trace, cross[0], cross[1], cross[2]),
        (cross[0], 1.0 + doubled[0], sums[0], sums[1]),
        (cross[1], sums[0], 1.0 + doubled[1], sums[2]),
        (cross[2], sums[1], sums[2], 1.0 + doubled[2]),
    )
    # Each row is the quaternion times four of its components; the greatest is the safe one.
    row = max(rows, key=lambda r: max(map(abs, r)))
    k = 1.0 / math.sqrt(sum(c * c for c in row))
    k = -k if row[0] < 0.0 else k
    return row[0] * k, row[1] * k, row[2] * k, row[3] * k


def _vec(group: Group) -> tuple[Real, Real, Real]:
    return group[0], group[1], group[2]
