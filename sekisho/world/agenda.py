"""What is due when: the virtual clock's list, with one entry for each who waits."""

import heapq
from typing import Final

_NEVER: Final = 1 << 62


class Agenda:
    """Deadlines of `count` who are numbered from 0. In the zero state nobody waits.

    Invariant: `pop` gives the earliest deadline that was set last for its owner, of equal ones that
    of the least number, and each once.
    """

    def __init__(self, count: int) -> None:
        self._due = [_NEVER] * count
        self._heap: list[tuple[int, int]] = []

    def set(self, number: int, due_ns: int | None) -> None:
        """Let somebody be due at another time, or at none."""
        due = _NEVER if due_ns is None else due_ns
        if due != self._due[number]:
            self._due[number] = due
            if due != _NEVER:
                heapq.heappush(self._heap, (due, number))

    def pop(self, until_ns: int) -> tuple[int, int] | None:
        """Take who is due first and when, None if nobody is by `until_ns`."""
        heap = self._heap
        while heap and heap[0][0] <= until_ns:
            due, number = heapq.heappop(heap)
            if self._due[number] == due:
                self._due[number] = _NEVER
                return due, number
        return None
