"""Wind: a steady flow and first-order gusts on top of it."""

import math

import numpy as np

from tracing.executors import Array

_CORRELATION_S = 2.0


class Wind:
    """The air's velocity at one place. Gusts are a Gauss-Markov process, zero at the start.

    Attributes:
        velocity_n: NED velocity of the air. Shape (1, 3). [m/s]
        velocity: The same as floats.
    """

    def __init__(
        self, speed: float, comes_from: float, gusts: float, noise: np.random.Generator
    ) -> None:
        self._mean = np.array([[-speed * math.cos(comes_from), -speed * math.sin(comes_from), 0.0]])
        self._gusts = gusts
        self._noise = noise
        self._gust_n = np.zeros((1, 3))
        self.velocity_n: Array = self._mean
        self.velocity = self._as_floats()

    def step(self, dt_s: float) -> None:
        """Let the gusts change over one period."""
        if self._gusts == 0.0:
            return
        kept = math.exp(-dt_s / _CORRELATION_S)
        fresh = self._gusts * math.sqrt(1.0 - kept * kept)
        self._gust_n = kept * self._gust_n + fresh * self._noise.standard_normal((1, 3))
        self.velocity_n = self._mean + self._gust_n
        self.velocity = self._as_floats()

    def _as_floats(self) -> tuple[float, float, float]:
        north, east, down = self.velocity_n[0].tolist()
        return north, east, down
