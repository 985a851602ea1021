"""Piecewise polynomials: smoothest curves through points, straight legs, stops."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from flightcore.trajectory.sampled import DERIVATIVES, ROWS, Array, Trajectory

Point: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Piecewise:
    """Polynomials of time, one after the other.

    Attributes:
        breaks: Where pieces begin, and where the last ends; from 0, rising. Shape (S + 1,). [s]
        coefficients: Of north, east, down and yaw by powers of the time since a piece began,
            constant first. Shape (S, 4, degree + 1). [m/s^i], [rad/s^i]
    """

    breaks: Array
    coefficients: Array

    @property
    def duration(self) -> float:
        """Return how long it lasts [s]."""
        return float(self.breaks[-1])

    def sample(self, times: Array) -> Array:
        """Return flat outputs. Shape (18, n)."""
        last = len(self.breaks) - 2
        piece = np.clip(np.searchsorted(self.breaks, times, side="right") - 1, 0, last)
        since = times - self.breaks[piece]
        by_power = self.coefficients[piece].transpose(2, 1, 0).copy()  # power, axis, time
        flat = np.zeros((ROWS, len(times)))
        for order in range(DERIVATIVES):
            value = np.zeros((4, len(times)))
            for k in by_power[::-1]:
                value = value * since + k
            flat[3 * order : 3 * order + 3] = value[:3]
            if order < 3:
                flat[15 + order] = value[3]
            by_power = by_power[1:] * np.arange(1.0, len(by_power))[:, None, None]
        return flat

    def slowed(self, factor: float) -> "Piecewise":
        """Return the same curve, flown `factor` times as slowly."""
        powers = float(factor) ** -np.arange(self.coefficients.shape[2], dtype=np.float64)
        return Piecewise(self.breaks * factor, self.coefficients * powers)


def joined(pieces: Sequence[Piecewise]) -> Piecewise:
    """Return trajectories flown one after the other; each must begin where the last one ends."""
    width = max(piece.coefficients.shape[2] for piece in pieces)
    starts = np.cumsum([0.0, *(piece.duration for piece in pieces)])
    breaks = [piece.breaks[:-1] + at for piece, at in zip(pieces, starts[:-1], strict=True)]
    padded = [
        np.pad(p.coefficients, ((0, 0), (0, 0), (0, width - p.coefficients.shape[2])))
        for p in pieces
    ]
    return Piecewise(np.concatenate([*breaks, starts[-1:]]), np.concatenate(padded))


# Rises from 0 to 1 over 0 to 1 with three derivatives at rest on both ends.
_SMOOTH = np.array([0.0, 0.0, 0.0, 0.0, 35.0, -84.0, 70.0, -20.0])
_STEEPEST = 35.0 / 16.0  # its greatest slope


def line(start_n: Point, end_n: Point, speed: float, acceleration: float, yaw: float) -> Piecewise:
    """Return a straight leg from rest to rest, at constant speed in between.

    Speed rises and falls so smoothly that jerk and snap begin and end at zero: legs may be joined.

    Args:
        start_n: NED. [m]
        end_n: NED; not where it starts. [m]
        speed: Greatest; it is not reached on a short leg. [m/s]
        acceleration: Greatest. [m/s2]
        yaw: Heading. [rad]
    """
    start, way = np.array(start_n), np.subtract(end_n, start_n)
    length = float(np.linalg.norm(way))
    if length == 0.0:
        raise ValueError(f"end_n = {end_n}: allowed: another point than start_n")
    # Speeding up and slowing down take speed^2 * steepest / acceleration of way together.
    fastest = min(speed, (length * acceleration / _STEEPEST) ** 0.5)
    ramp = fastest * _STEEPEST / acceleration
    cruise = length / fastest - ramp
    gained = np.array([0.0, *(_SMOOTH / np.arange(1.0, 9.0))])  # integral of the rise
    scaled = fastest * ramp * gained / ramp ** np.arange(9.0)
    steady = np.zeros((3, 9))
    steady[:, 1] = fastest
    up, level, down = steady
    up[:] = scaled
    level[0] = 0.5 * fastest * ramp
    down[:] -= scaled
    down[0] = 0.5 * fastest * ramp + fastest * cruise
    along = np.stack([up, level, down])
    coefficients = np.zeros((3, 4, 9))
    coefficients[:, :3] = along[:, None, :] * (way / length)[None, :, None]
    coefficients[:, :3, 0] += start
    coefficients[:, 3, 0] = yaw
    breaks = np.cumsum([0.0, ramp, cruise, ramp])
    return Piecewise(breaks, coefficients)


def minimum_snap(points_n: Sequence[Point], durations: Sequence[float], yaw: float) -> Piecewise:
    """Return the curve through points, from rest to rest, whose integral of snap squared is least.

    That minimum is the natural spline of degree seven: between points a polynomial, at points
    six derivatives continuous. These are as many equations as coefficients, so the programme of
    the source becomes one linear system.

    Args:
        points_n: Two or more, NED. [m]
        durations: Of each piece. [s]
        yaw: Heading. [rad]

    Source:
        Mellinger & Kumar, "Minimum Snap Trajectory Generation and Control for Quadrotors", 2011.
    """
    points, spans = np.array(points_n, dtype=np.float64), np.array(durations, dtype=np.float64)
    count = len(spans)
    if len(points) != count + 1:
        raise ValueError(f"{len(points)} points, {count} durations: allowed: one duration less")
    # Each piece runs over 0 to 1 of its own time, for the sake of conditioning.
    system, right = np.zeros((8 * count, 8 * count)), np.zeros((8 * count, 3))
    begin = np.array([_derivative(order, 0.0) for order in range(7)])
    end = np.array([_derivative(order, 1.0) for order in range(7)])
    row = 0
    for order in range(1, 4):
        system[row, :8], system[row + 1, -8:] = begin[order], end[order]
        row += 2
    for piece in range(count):
        columns = slice(8 * piece, 8 * piece + 8)
        system[row, columns], right[row] = begin[0], points[piece]
        system[row + 1, columns], right[row + 1] = end[0], points[piece + 1]
        row += 2
        if piece + 1 < count:
            following = slice(8 * piece + 8, 8 * piece + 16)
            ratio = spans[piece] / spans[piece + 1]
            for order in range(1, 7):
                system[row, columns] = end[order]
                system[row, following] = -begin[order] * ratio**order
                row += 1
    solved = np.linalg.solve(system, right).reshape(count, 8, 3).transpose(0, 2, 1)
    coefficients = np.zeros((count, 4, 8))
    coefficients[:, :3] = solved / spans[:, None, None] ** np.arange(8.0)
    coefficients[:, 3, 0] = yaw
    return Piecewise(np.concatenate([[0.0], np.cumsum(spans)]), coefficients)


def through(points_n: Sequence[Point], speed: float, acceleration: float, yaw: float) -> Piecewise:
    """Return the smoothest curve through points within a speed and an acceleration.

    Each piece is given the time that speeding up, cruising and braking over its length would
    take; the whole is then flown as slowly as both limits ask, which leaves its shape as it is.

    Args:
        points_n: Two or more, NED, neighbours apart. [m]
        speed: Greatest. [m/s]
        acceleration: Greatest. [m/s2]
        yaw: Heading. [rad]
    """
    lengths = np.linalg.norm(np.diff(np.array(points_n, dtype=np.float64), axis=0), axis=1)
    if not (lengths > 0.0).all():
        raise ValueError("points_n: allowed: neighbours that differ")
    knee = speed * speed / acceleration
    spans = np.where(
        lengths < knee,
        2.0 * np.sqrt(lengths / acceleration),
        lengths / speed + speed / acceleration,
    )
    curve = minimum_snap(points_n, spans.tolist(), yaw)
    fastest, hardest = peaks(curve)
    return curve.slowed(max(fastest / speed, (hardest / acceleration) ** 0.5))


def stop(position_n: Point, velocity_n: Point, deceleration: float, yaw: float) -> Piecewise:
    """Return a stop as soon as `deceleration` allows, straight ahead, then rest.

    Args:
        position_n: Where it begins, NED. [m]
        velocity_n: With which it begins, NED. [m/s]
        deceleration: Greatest. [m/s2]
        yaw: Heading, kept. [rad]
    """
    speed = float(np.linalg.norm(velocity_n))
    span = max(speed * _STEEPEST / deceleration, 0.1)
    kept = np.array([1.0, *(-_SMOOTH[1:])])  # the share of the velocity that is left
    gained = span * np.array([0.0, *(kept / np.arange(1.0, 9.0))]) / span ** np.arange(9.0)
    coefficients = np.zeros((1, 4, 9))
    coefficients[0, :3] = np.outer(velocity_n, gained)
    coefficients[0, :3, 0] = position_n
    coefficients[0, 3, 0] = yaw
    return Piecewise(np.array([0.0, span]), coefficients)


def peaks(trajectory: Trajectory) -> tuple[float, float]:
    """Return the greatest speed [m/s] and acceleration [m/s2], of 1,000 samples."""
    flat = trajectory.sample(np.linspace(0.0, trajectory.duration, 1_000))
    speed, acceleration = (np.linalg.norm(flat[i : i + 3], axis=0).max() for i in (3, 6))
    return float(speed), float(acceleration)


def _derivative(order: int, at: float) -> Array:
    """Return a row that takes eight coefficients to a derivative at a place."""
    row = np.zeros(8)
    for power in range(order, 8):
        factor = float(np.prod(np.arange(power - order + 1, power + 1)))
        row[power] = factor * at ** (power - order)
    return row
