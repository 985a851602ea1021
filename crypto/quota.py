"""How much may be recorded: what must go, and what is left."""

from collections.abc import Sequence
from typing import NamedTuple


class Budget(NamedTuple):
    """What the owner allows, in bytes: for all recordings together, and left free on the medium."""

    total: int
    keep_free: int
    may_delete: bool


class Room(NamedTuple):
    """Whether something fits once the oldest `delete` finished recordings are gone.

    `left` is what could be written after it, were every finished recording deleted that may be.
    """

    fits: bool
    delete: int
    left: int


def make_room(
    budget: Budget, finished: Sequence[int], current: int, free: int, needed: int
) -> Room:
    """Find room for `needed` bytes.

    Args:
        budget: What is allowed.
        finished: Sizes of the finished recordings, the oldest first.
        current: Size of the one being written, which is never deleted.
        free: Free bytes of the medium.
        needed: Bytes about to be written.
    """
    left = min(budget.total - sum(finished) - current, free - budget.keep_free) - needed
    if not budget.may_delete:
        return Room(left >= 0, 0, left)
    delete, missing = 0, -left
    while missing > 0 and delete < len(finished):
        missing -= finished[delete]
        delete += 1
    fits = missing <= 0
    return Room(fits, delete if fits else 0, left + sum(finished))
