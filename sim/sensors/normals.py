"""Standard normal numbers, drawn in blocks: one by one, they would cost what a whole block does."""

from typing import Final

import numpy as np

_BLOCK: Final = 256


class Normals:
    """A source of numbers with mean 0 and variance 1, in the order of the generator."""

    def __init__(self, noise: np.random.Generator) -> None:
        self._noise = noise
        self._drawn: list[float] = []
        self._next = 0

    def take(self, count: int) -> list[float]:
        """Return the next ones; at most as many as a block holds."""
        end = self._next + count
        if end > len(self._drawn):
            left = self._drawn[self._next :]
            self._drawn = left + self._noise.standard_normal(_BLOCK).tolist()
            end = count
        taken = self._drawn[end - count : end]
        self._next = end
        return taken
