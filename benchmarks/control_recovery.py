"""Recovery from almost upside down, by two laws of attitude alone.

Vehicle, gains and attitude are those of Lee, Leok & McClamroch 2010, case II. The error is their
Psi = (1 - cos) of the angle to go; it passes 1 at a right angle. The printed initial attitude gives
Psi = 1.9995, the text says 1.995 and 0.88 s; the two do not fit each other, and with position
control in the loop the printed attitude takes 1.3 s. So the paper's own law is run beside ours.
"""

import math
from collections.abc import Callable
from typing import Final

from flightcore.control.attitude import matrix_error, tilt_and_heading_error
from flightcore.control.vectors import Axes, Vec, axes_of, scale, sub

_INERTIA: Final = (0.0820, 0.0845, 0.1377)
_STIFFNESS: Final = 8.81
_DAMPING: Final = 2.54
_STEP_S: Final = 1e-4
_LIMIT_S: Final = 5.0
_LEVEL: Final = Axes((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
START_ANGLE: Final = math.pi - math.asin(0.0314)


def seconds_to_upright() -> dict[str, float]:
    """Return how long each law takes from `START_ANGLE` to a right angle [s]."""
    return {
        "Lee's matrix error": _recover(matrix_error),
        "tilt first, twice the half angle's sine": _recover(_doubled),
    }


def _doubled(body: Axes, setpoint: Axes) -> Vec:
    """Return our error, scaled to the same stiffness at small angles."""
    return scale(2.0, tilt_and_heading_error(body, setpoint))


def _recover(error: Callable[[Axes, Axes], Vec]) -> float:
    """Return the time at which Psi falls below 1, in small steps of one fixed axis [s]."""
    angle, rate, now = START_ANGLE, 0.0, 0.0
    while 1.0 - math.cos(angle) >= 1.0 and now < _LIMIT_S:
        body = axes_of((math.cos(0.5 * angle), math.sin(0.5 * angle), 0.0, 0.0))
        rate_b = (rate, 0.0, 0.0)
        moment = sub(scale(_STIFFNESS, error(body, _LEVEL)), scale(_DAMPING, rate_b))
        turning = moment[0] / _INERTIA[0]
        assert isinstance(turning, float)
        rate += turning * _STEP_S
        angle += rate * _STEP_S
        now += _STEP_S
    return round(now, 3)
