"""Closed curves as sums of harmonics: circles, ellipses, lemniscates, orbits."""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from flightcore.trajectory.sampled import DERIVATIVES, ROWS, Array, face


class Wave(NamedTuple):
    """amplitude * cos(rate * t + phase) [m], [rad/s], [rad]."""

    amplitude: float
    rate: float
    phase: float = 0.0


SINE: Final = -0.5 * math.pi  # the phase that makes a sine of a cosine


@dataclass(frozen=True, slots=True)
class Harmonic:
    """A centre plus waves on each axis.

    Attributes:
        centre_n: NED. [m]
        waves: Of north, east and down.
        duration: How long it is flown. [s]
        yaw: Constant heading [rad]; None keeps the nose on the centre.
    """

    centre_n: tuple[float, float, float]
    waves: tuple[tuple[Wave, ...], tuple[Wave, ...], tuple[Wave, ...]]
    duration: float
    yaw: float | None = 0.0

    def sample(self, times: Array) -> Array:
        """Return flat outputs. Shape (18, n)."""
        flat = np.zeros((ROWS, len(times)))
        for axis, waves in enumerate(self.waves):
            flat[axis] = self.centre_n[axis]
            for amplitude, rate, phase in waves:
                for order in range(DERIVATIVES):
                    turned = rate * times + (phase + 0.5 * math.pi * order)
                    flat[3 * order + axis] += amplitude * rate**order * np.cos(turned)
        if self.yaw is None:
            face(flat, self.centre_n[0], self.centre_n[1])
        else:
            flat[15] = self.yaw
        return flat


def orbit(
    centre_n: tuple[float, float, float], radius: float, speed: float, *, turns: float = 1.0
) -> Harmonic:
    """Return a level circle, clockwise from above from its northmost point, nose to the centre.

    Args:
        centre_n: NED. [m]
        radius: [m]
        speed: Along the circle; negative flies it counter-clockwise. [m/s]
        turns: How many times round.
    """
    rate = speed / radius
    waves = (Wave(radius, rate),), (Wave(radius, rate, SINE),), ()
    return Harmonic(centre_n, waves, 2.0 * math.pi * turns / abs(rate), None)


def lemniscate(
    centre_n: tuple[float, float, float], length: float, width: float, rate: float, duration: float
) -> Harmonic:
    """Return Gerono's level figure of eight: length cos(wt) north, width / 2 sin(2wt) east.

    Args:
        centre_n: Where it crosses itself, NED. [m]
        length: Half its extent along north. [m]
        width: Its extent along east. [m]
        rate: w. [rad/s]
        duration: How long it is flown. [s]
    """
    waves = (Wave(length, rate),), (Wave(0.5 * width, 2.0 * rate, SINE),), ()
    return Harmonic(centre_n, waves, duration)
