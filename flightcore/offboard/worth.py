"""Whether this vehicle can fly a trajectory, said to an operator in a line."""

import math
from dataclasses import dataclass
from typing import Final

from flightcore.control.vehicle import GRAVITY, Rotor, Vehicle
from flightcore.trajectory.feasibility import Envelope, Excess, check
from flightcore.trajectory.sampled import Trajectory

_ARM: Final = 0.2  # of a vehicle whose inertia does not count [m]
_INERTIA: Final = 1e-6
_FINEST_S: Final = 0.01
_SAMPLES: Final = 20_000
_UNITS: Final = {
    Excess.SPEED: ("m/s", 1.0),
    Excess.ACCELERATION: ("m/s2", 1.0),
    Excess.TILT: ("degrees", math.degrees(1.0)),
    Excess.THRUST: ("of full thrust", 1.0),
    Excess.HEIGHT: ("m", 1.0),
}


@dataclass(frozen=True, slots=True)
class Ability:
    """What a trajectory may ask for.

    Attributes:
        speed: [m/s]
        acceleration: [m/s2]
        tilt: [rad]
    """

    speed: float = 15.0
    acceleration: float = 6.0
    tilt: float = math.radians(32.0)


DEFAULT_ABILITY: Final = Ability()


def shortcoming(
    trajectory: Trajectory, ability: Ability, hover: float, vehicle: Vehicle | None = None
) -> str:
    """Return what a trajectory asks too much of; nothing if it can be flown.

    Args:
        trajectory: To be flown.
        ability: What it may ask for.
        hover: Throttle that holds the vehicle. [-]
        vehicle: What is known of it. None: only `hover` is, so thrust is told as a share of all.
    """
    vehicle = vehicle or _known_by(hover)
    envelope = Envelope(ability.speed, ability.acceleration, ability.tilt)
    # The link waits meanwhile: an hour is looked at less closely than a minute.
    step_s = max(_FINEST_S, trajectory.duration / _SAMPLES)
    findings = check(trajectory, vehicle, envelope, step_s=step_s)
    if not findings:
        return ""
    worst = findings[0]
    if worst.excess is Excess.NOT_FINITE:
        return f"at {worst.at_s:.1f} s it holds {worst.excess}"
    unit, scale = _UNITS[worst.excess]
    if worst.excess is Excess.THRUST:
        scale = 1.0 / vehicle.thrust_max
    return (
        f"at {worst.at_s:.1f} s its {worst.excess} is {worst.value * scale:.2g} {unit}; "
        f"allowed: {worst.allowed * scale:.2g}"
    )


def _known_by(hover: float) -> Vehicle:
    full = GRAVITY / hover
    corners = ((_ARM, _ARM, 0.01), (-_ARM, -_ARM, 0.01), (_ARM, -_ARM, -0.01), (-_ARM, _ARM, -0.01))
    first, second, third, fourth = (Rotor(*corner) for corner in corners)
    inertia = (_INERTIA, _INERTIA, _INERTIA)
    return Vehicle(1.0, inertia, (first, second, third, fourth), 0.0, 0.25 * full)
