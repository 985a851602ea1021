"""Rotor thrusts for a collective thrust and three torques, within what rotors can give.

Where not everything can be had, the least deviation is taken in order of importance: first roll
and pitch torque (a quadrotor that loses its tilt falls), then the collective thrust, yaw torque
last. With one thrust per wanted component and limits that are intervals each of the three
problems has one unknown, so the lexicographic optimum is found in closed form, without iterations
and without branches.
"""

from typing import TypeAlias

import numpy as np

from flightcore.control.vectors import Vec
from flightcore.control.vehicle import Vehicle
from tracing.terms import Real, clamp, maximum, minimum

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

    Two rotors turn each way, opposite one another, so roll and pitch torque are a difference p
    within one pair and a difference q within the other; the collective is a mean c of all; and
    yaw torque is a shift y of one pair against the other. The rotors then lie at c + y +- p and
    c - y +- q, and each problem leaves an interval for the next.

    Args:
        thrust: Collective thrust wanted. [N]
        torque_b: Torque wanted. FRD [N m]
        vehicle: Its rotors and their limits.

    Invariant:
        Each within [thrust_min, thrust_max]. What can be had is had exactly. Otherwise roll and
        pitch keep their ratio and are shortened only if no thrust and no yaw makes room for them;
        thrust is as close as that leaves it; yaw is as close as both leave it, and may turn
        against what is wanted where that serves them.

    Source:
        The order: Brescianini & D'Andrea, TCST 2020; Sun et al., T-RO 2022, eq. (31) weighs the
        same four with (0.001, 10, 10, 0.1) in a quadratic programme.
    """
    (first, second), inverse = _pairs(vehicle)
    low, high = vehicle.thrust_min, vehicle.thrust_max
    roll, pitch, yaw = torque_b
    p = inverse[first[0]][1] * roll + inverse[first[0]][2] * pitch
    q = inverse[second[0]][1] * roll + inverse[second[0]][2] * pitch
    half = 0.5 * (high - low)
    shorter = half / maximum(maximum(_size(p), _size(q)), half)
    p, q = shorter * p, shorter * q
    wide, narrow = _size(p), _size(q)
    middle = 0.5 * (wide + narrow)
    mean = clamp(0.25 * thrust, low + middle, high - middle)
    shift = minimum(
        maximum(inverse[first[0]][3] * yaw, maximum(low + wide - mean, mean + narrow - high)),
        minimum(mean - narrow - low, high - mean - wide),
    )
    thrusts: list[Real] = [0.0] * 4
    for pair, at, apart in ((first, mean + shift, p), (second, mean - shift, q)):
        # What rounding adds is cut off: a limit is a limit.
        thrusts[pair[0]] = clamp(at + apart, low, high)
        thrusts[pair[1]] = clamp(at - apart, low, high)
    a, b, c, d = thrusts
    return a, b, c, d


def _pairs(vehicle: Vehicle) -> tuple[tuple[list[int], list[int]], list[list[float]]]:
    """Return which rotors turn alike, and thrust per (collective, torques): four rows of four.

    Raises:
        ValueError: The rotors are not two opposite pairs of equal strength.
    """
    turns = [rotor.torque_per_thrust for rotor in vehicle.rotors]
    pairs = [i for i in range(4) if turns[i] > 0.0], [i for i in range(4) if turns[i] < 0.0]
    if len(pairs[0]) == len(pairs[1]) == 2:
        inverse: list[list[float]] = np.linalg.inv(np.array(effectiveness(vehicle))).tolist()
        signs = np.sign(turns)
        lift, turn = [row[0] for row in inverse], [row[3] for row in inverse] * signs
        if np.allclose(lift, 0.25) and np.allclose(turn, turn[0]):
            return pairs, inverse
    raise ValueError(f"rotors = {vehicle.rotors}: allowed: two opposite pairs, equally far out")


def _size(x: Real) -> Real:
    return maximum(x, -x)
