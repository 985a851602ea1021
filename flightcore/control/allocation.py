"""Rotor thrusts for a collective thrust and three torques, within what rotors can give.

Where not everything can be had, the least deviation is taken in order of importance: first roll
and pitch torque (a quadrotor that loses its tilt falls), then the collective thrust, yaw torque
last. With one thrust per wanted component and limits that are intervals each of the three
problems has one unknown, so the lexicographic optimum is found in closed form, without iterations
and without branches.
"""

from typing import TypeAlias

import numpy as np

from flightcore.control.terms import Real, clamp, maximum, minimum
from flightcore.control.vectors import Vec
from flightcore.control.vehicle import Vehicle

Thrusts: TypeAlias = tuple[Real, Real, Real, Real]


def effectiveness(vehicle: Vehicle) -> tuple[tuple[float, ...], ...]:
    """Return (thrust [N], torque x, y, z [N m]) per rotor thrust: four rows of four."""
    return (
        (1.0, 1.0, 1.0, 1.0),
        tuple(-rotor.y for rotor in vehicle.rotors),
        tuple(rotor.x for rotor in vehicle.rotors),
        tuple(rotor.torque_per_thrust for rotor in vehicle.rotors),
    )


def wrench(thrusts: Thrusts, vehicle: Vehicle) -> tuple[Real, Vec]:
    """Return the collective thrust [N] and the torque [N m] of rotor thrusts [N]. FRD."""
    total, roll, pitch, yaw = (
        row[0] * thrusts[0] + row[1] * thrusts[1] + row[2] * thrusts[2] + row[3] * thrusts[3]
        for row in effectiveness(vehicle)
    )
    return total, (roll, pitch, yaw)


def allocate(thrust: Real, torque_b: Vec, vehicle: Vehicle) -> Thrusts:
    """Return the thrust of each rotor [N].

    Args:
        thrust: Collective thrust wanted. [N]
        torque_b: Torque wanted. FRD [N m]
        vehicle: Its rotors and their limits.

    Invariant:
        Each within [thrust_min, thrust_max]. What can be had is had exactly; otherwise roll and
        pitch keep their ratio and are shortened only if the rotors' whole range does not suffice;
        thrust is as close as that leaves it; yaw is as close as both leave it.

    Source:
        The order: Brescianini & D'Andrea, TCST 2020; Sun et al., T-RO 2022, eq. (31) weighs the
        same four with (0.001, 10, 10, 0.1) in a quadratic programme.
    """
    inverse = np.linalg.inv(np.array(effectiveness(vehicle))).tolist()
    low, high = vehicle.thrust_min, vehicle.thrust_max
    roll, pitch, yaw = torque_b
    lift = [row[0] for row in inverse]
    tilt = [row[1] * roll + row[2] * pitch for row in inverse]
    spread = _largest(tilt) - _smallest(tilt)
    shorter = (high - low) / maximum(spread, high - low)
    tilt = [shorter * t for t in tilt]
    least = _largest([(low - t) / k for k, t in zip(lift, tilt, strict=True)])
    most = _smallest([(high - t) / k for k, t in zip(lift, tilt, strict=True)])
    # Rounding may leave `least` a hair above `most` where tilt takes the whole range.
    total = minimum(maximum(thrust, least), most)
    base = [k * total + t for k, t in zip(lift, tilt, strict=True)]
    turns = [row[3] for row in inverse]
    up = _smallest([_room(k, b, low, high) for k, b in zip(turns, base, strict=True)])
    down = _smallest([_room(-k, b, low, high) for k, b in zip(turns, base, strict=True)])
    turn = minimum(maximum(yaw, -maximum(down, 0.0)), maximum(up, 0.0))
    a, b, c, d = (clamp(f + k * turn, low, high) for f, k in zip(base, turns, strict=True))
    return a, b, c, d


def _room(slope: float, base: Real, low: float, high: float) -> Real:
    """Return how much yaw torque a rotor at `base` can still take up, `slope` thrust each."""
    return (high - base) / slope if slope > 0.0 else (low - base) / slope


def _largest(values: list[Real]) -> Real:
    return maximum(maximum(values[0], values[1]), maximum(values[2], values[3]))


def _smallest(values: list[Real]) -> Real:
    return minimum(minimum(values[0], values[1]), minimum(values[2], values[3]))
