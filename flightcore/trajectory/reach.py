"""The nearest motion to a trajectory that the rotors can give: planned ahead, where it is known.

What asks for more thrust than there is cannot be followed; a controller that tries falls behind,
and out of phase. Here the motion is looked for that stays as near as it can: least squares of the
distance, with the thrust per mass inside a ball. The problem is convex and is solved by the
alternating direction method of multipliers, window by window, each looking further ahead than it
decides, so that any length takes bounded memory. The motion is a quintic spline with uniform knots.

Source: Boyd et al., "Distributed Optimization and Statistical Learning via ADMM", 2011, section 5.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flightcore.control.vehicle import Vehicle
from flightcore.trajectory.polynomial import Piecewise
from flightcore.trajectory.sampled import (
    DERIVATIVES,
    HEADING,
    POSITION,
    VELOCITY,
    Array,
    Trajectory,
)

_KNOT_S: Final = 0.05
_AHEAD: Final = 80  # knots a window sees
_DECIDED: Final = 20  # and those it decides
_PER_KNOT: Final = 2  # samples
_DEGREE: Final = 5
_PENALTY: Final = 3e-3  # of the multipliers' method, per squared acceleration [s4]
_ANCHOR: Final = 1e4  # weight of place and speed of the beginning
_ROUNDS: Final = 150
# One piece of the spline by powers of the time within it, for the six coefficients it depends on.
_PIECE: Final = (
    np.array(
        [
            [1, -5, 10, -10, 5, -1],
            [26, -50, 20, 20, -20, 5],
            [66, 0, -60, 0, 30, -10],
            [26, 50, 20, -20, -20, 10],
            [1, 5, 10, 10, 5, -5],
            [0, 0, 0, 0, 0, 1],
        ],
        dtype=np.float64,
    )
    / 120.0
)


@dataclass(frozen=True, slots=True)
class Reached:
    """A motion within reach, under the heading of the trajectory that it stands for.

    Attributes:
        motion: Its yaw is not used.
        intended: What was to be flown.
    """

    motion: Piecewise
    intended: Trajectory

    @property
    def duration(self) -> float:
        """Return how long it lasts [s]."""
        return self.intended.duration

    def sample(self, times: Array) -> Array:
        """Return flat outputs. Shape (18, n)."""
        flat = self.motion.sample(times)
        flat[HEADING] = self.intended.sample(times)[HEADING]
        return flat


class _Window(NamedTuple):
    """Matrices from coefficients to samples: of position and its derivatives, at their times."""

    times: Array
    order: Array  # shape (5, samples, coefficients)


def within_reach(
    trajectory: Trajectory, vehicle: Vehicle, *, share: float = 0.97, turning_s: float = 0.086
) -> "Reached":
    """Return the motion nearest to `trajectory` for which there is thrust.

    Args:
        trajectory: To be followed; where the vehicle can, it is.
        vehicle: Its thrust and drag bound the motion.
        share: Of all thrust that may be planned with; the rest is for control. [-]
        turning_s: What changes within less than this is smoothed, because thrust must be turned
            before it can push: in a motion that nothing else bounds, an oscillation of `w` rad/s
            keeps 1 / (1 + (turning_s w)^8) of its amplitude. [s]

    Returns:
        A motion that begins where the trajectory begins, as fast, and lasts as long.

    Invariant:
        Continuous up to snap. The thrust it implies exceeds `share` by a hundredth or so at most
        (drag is taken as the same along all axes), but for the first tenths of a second of a
        trajectory that begins beyond its reach.
    """
    knots = max(1, math.ceil(trajectory.duration / _KNOT_S - 1e-9))
    knot_s = trajectory.duration / knots
    coefficients = np.zeros((knots + _DEGREE, 3))
    first = 0
    while True:
        size = min(_AHEAD, knots - first)
        window = _window(size, knot_s)
        flat = trajectory.sample(np.minimum(first * knot_s + window.times, trajectory.duration))
        held = coefficients[first : first + (_DEGREE if first else 0)]
        found = _nearest(window, flat, held, vehicle, share, turning_s)
        coefficients[first + len(held) : first + size + _DEGREE] = found
        if first + size == knots:
            break
        first += _DECIDED
    return Reached(_piecewise(coefficients, knot_s), trajectory)


def _window(knots: int, knot_s: float) -> _Window:
    at = np.linspace(0.0, float(knots), _PER_KNOT * knots + 1)
    piece = np.minimum(at.astype(np.intp), knots - 1)
    since = at - piece
    order = np.zeros((DERIVATIVES, len(at), knots + _DEGREE))
    by_power = _PIECE
    rows: NDArray[np.intp] = np.arange(len(at))
    for derivative in range(DERIVATIVES):
        for j in range(_DEGREE + 1):
            value = np.zeros_like(since)
            for k in by_power[j, ::-1]:
                value = value * since + k
            order[derivative, rows, piece + j] = value / knot_s**derivative
        by_power = by_power[:, 1:] * np.arange(1.0, by_power.shape[1])
    return _Window(at * knot_s, order)


def _nearest(
    window: _Window, flat: Array, held: Array, vehicle: Vehicle, share: float, turning_s: float
) -> Array:
    """Return the coefficients of one window that are not held. Shape (coefficients, 3)."""
    known, free = window.order[:, :, : len(held)] @ held, window.order[:, :, len(held) :]
    place, speed, push, _, snap = free
    drag = sum(vehicle.drag) / (3.0 * vehicle.mass)
    to_thrust = push + drag * speed
    offset = known[2] + drag * known[1] - np.array([0.0, 0.0, vehicle.gravity])
    smooth = turning_s**8 * snap.T
    # Where nothing is held yet, it begins where and as fast as the trajectory does.
    begin = _ANCHOR * free[:2, 0].T * (len(held) == 0)
    normal = place.T @ place + smooth @ snap + begin @ free[:2, 0]
    wanted = place.T @ (flat[POSITION].T - known[0]) - smooth @ known[4]
    wanted += begin @ np.stack([flat[POSITION][:, 0], flat[VELOCITY][:, 0]])
    most = share * 4.0 * vehicle.thrust_max / vehicle.mass
    coefficients = np.linalg.solve(normal, wanted)
    granted = _shortened(to_thrust @ coefficients + offset, most)
    price: Array = np.zeros_like(granted)
    solve = np.linalg.inv(normal + _PENALTY * to_thrust.T @ to_thrust)
    for _ in range(_ROUNDS):
        right = wanted + _PENALTY * to_thrust.T @ (granted - price - offset)
        coefficients = solve @ right
        thrust = to_thrust @ coefficients + offset
        granted = _shortened(thrust + price, most)
        price += thrust - granted
    return coefficients


def _shortened(vectors: Array, longest: float) -> Array:
    length = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    shortened: Array = vectors * (longest / np.maximum(length, longest))
    return shortened


def _piecewise(coefficients: Array, knot_s: float) -> Piecewise:
    """Return the spline as polynomials by powers of time. Yaw is left zero."""
    windows = np.lib.stride_tricks.sliding_window_view(coefficients, _DEGREE + 1, axis=0)
    powers = np.zeros((len(windows), 4, _DEGREE + 1))
    powers[:, :3] = windows @ _PIECE / knot_s ** np.arange(_DEGREE + 1)
    breaks = knot_s * np.arange(len(windows) + 1, dtype=np.float64)
    return Piecewise(breaks, powers)
