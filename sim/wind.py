"""Wind: a steady flow, Dryden turbulence carried along by it, and single gusts.

Theory. Close to the ground (below 300 m) MIL-F-8785C and MIL-HDBK-1797 give scales and strengths
by height: L_w = h, L_u = L_v = h / (0.177 + 0.000823 h)^1.2 in feet, sigma_w = sigma_u
(0.177 + 0.000823 h)^0.4. A vehicle that moves through the frozen field at airspeed V meets the
along-wind part as white noise through sigma sqrt(2 L / V) / (1 + T s), T = L / V, and the other
two through sigma sqrt(L / V) (1 + sqrt(3) T s) / (1 + T s)^2. The second is a sum of a first-order
lag and a lag of that lag; both steps are exact for any period, so strength and spectrum do not
depend on how often the wind is asked.
"""

import math
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from tracing.executors import Array

_FEET: Final = 0.3048
_LOW_FT, _HIGH_FT = 10.0, 1000.0
# Turbulence cannot be flown through at no speed: it also drifts and decays by itself.
_SPEED_LEAST: Final = 2.0
_ROOT3: Final = math.sqrt(3.0)


@dataclass(frozen=True, slots=True)
class Gust:
    """One gust: its speed rises and falls like 1 - cos (MIL-F-8785C, discrete gust).

    Attributes:
        start_s: When it begins, after power-up. [s]
        duration_s: How long it lasts. [s]
        peak_n: Velocity added to the wind at its height, NED. [m/s]
    """

    start_s: float
    duration_s: float
    peak_n: tuple[float, float, float]

    def share(self, now_s: float) -> float:
        """Return how much of the peak blows now [-]."""
        phase = (now_s - self.start_s) / self.duration_s
        return 0.5 - 0.5 * math.cos(2.0 * math.pi * phase) if 0.0 < phase < 1.0 else 0.0


def scales(height: Array) -> tuple[Array, Array]:
    """Return the length of horizontal turbulence and the vertical's share of its strength.

    Args:
        height: Above ground; held to 3 to 300 m. [m]

    Returns:
        L_u [m]; sigma_w / sigma_u [-]. L_w is the height itself.
    """
    feet = np.clip(height / _FEET, _LOW_FT, _HIGH_FT)
    share = 0.177 + 0.000823 * feet
    return feet * _FEET / share**1.2, share**0.4


class Turbulence:
    """Dryden turbulence at N places, independent of each other. The zero state is calm air.

    Attributes:
        velocity: Along the wind, across it to the right, down. Shape (N, 3). [m/s]
    """

    def __init__(self, count: int, noise: np.random.Generator) -> None:
        self.velocity = np.zeros((count, 3))
        self._noise = noise
        self._first = np.zeros((count, 3))
        self._second = np.zeros((count, 3))

    def step(self, dt_s: float, strength: float, airspeed: Array, height: Array) -> None:
        """Let it change over one period.

        Args:
            dt_s: Period. [s]
            strength: Standard deviation of the horizontal parts. [m/s]
            airspeed: Of each vehicle. Shape (N,). [m/s]
            height: Of each vehicle above ground. Shape (N,). [m]
        """
        length, share = scales(height)
        low = np.clip(height, _LOW_FT * _FEET, _HIGH_FT * _FEET)
        speed = np.maximum(airspeed, _SPEED_LEAST)
        sigma = strength * np.stack([np.ones_like(share), np.ones_like(share), share], 1)
        x = dt_s * speed[:, None] / np.stack([length, length, low], 1)
        kept = np.exp(-x)
        # Of the two lags the variances are a and a / 2, the covariance a / 2; the sum below then
        # has 2 a. What fresh noise must add follows from what decays: P - A P A^T.
        a = 0.5 * sigma**2
        a[:, 0] *= 2.0  # along the wind there is one lag only
        q11 = a * (1.0 - kept**2)
        q12 = 0.5 * a - kept**2 * (0.5 * a + x * a)
        q22 = 0.5 * a - kept**2 * (0.5 * a + x * a + x**2 * a)
        l11 = np.sqrt(q11)
        l21 = np.divide(q12, l11, out=np.zeros_like(q12), where=l11 > 0.0)
        l22 = np.sqrt(np.maximum(q22 - l21**2, 0.0))
        n1, n2 = self._noise.standard_normal((2, *a.shape))
        self._second = kept * (self._second + x * self._first) + l21 * n1 + l22 * n2
        self._first = kept * self._first + l11 * n1
        self.velocity[:] = _ROOT3 * self._first + (1.0 - _ROOT3) * self._second
        self.velocity[:, 0] = self._first[:, 0]


class Wind:
    """The air around one vehicle.

    Attributes:
        velocity: Of the air, NED. [m/s]
    """

    def __init__(self, noise: np.random.Generator, gusts: tuple[Gust, ...] = ()) -> None:
        self._turbulence = Turbulence(1, noise)
        self._gusts = gusts
        self.velocity = (0.0, 0.0, 0.0)

    def step(self, dt_s: float, now_s: float, flow: "Flow", vehicle: "Passing") -> None:
        """Let the air change over one period."""
        along = (-math.cos(flow.comes_from), -math.sin(flow.comes_from))
        north, east, down = flow.speed * along[0], flow.speed * along[1], 0.0
        if flow.turbulence > 0.0:
            vn, ve, vd = vehicle.velocity_n
            airspeed = math.sqrt((vn - north) ** 2 + (ve - east) ** 2 + vd**2)
            heights = np.array([vehicle.height])
            self._turbulence.step(dt_s, flow.turbulence, np.array([airspeed]), heights)
            u, v, w = self._turbulence.velocity[0].tolist()
            north += u * along[0] - v * along[1]
            east += u * along[1] + v * along[0]
            down += w
        for gust in self._gusts:
            share = gust.share(now_s)
            north, east, down = (
                wind + share * peak
                for wind, peak in zip((north, east, down), gust.peak_n, strict=True)
            )
        self.velocity = (north, east, down)


@dataclass(frozen=True, slots=True)
class Flow:
    """The weather.

    Attributes:
        speed: Mean wind. [m/s]
        comes_from: Direction the wind comes from, clockwise from north. [rad]
        turbulence: Standard deviation of its horizontal parts. [m/s]
    """

    speed: float
    comes_from: float
    turbulence: float


class Passing(msgspec.Struct, frozen=True, gc=False):
    """What passes through the air: its NED velocity [m/s] and its height above ground [m]."""

    velocity_n: tuple[float, float, float]
    height: float
