"""Reads what the drone has aboard, mission and fence, for the map: MAVLink's mission protocol.

One item is asked for at a time and asked for again when no answer comes, so a lossy link makes it
slow, never wrong. What is shown is replaced only by a complete list.

Source: https://mavlink.io/en/services/mission.html (download).
"""

from typing import Final, NamedTuple

from wire.mavlink import HEADER_BYTES, dialect

ASK_AGAIN_NS: Final = 1_500_000_000
MAX_TRIES: Final = 5
MAX_ITEMS: Final = 1000
_ITEM_BYTES: Final = 38
_SCALE: Final = 1e-7
_GLOBAL_FRAMES: Final = frozenset((0, 3, 5, 6, 10, 11))


class Item(NamedTuple):
    """One item: a MAV_CMD, where it is (None if nowhere), and its first parameter.

    In a fence the first parameter is a radius [m] or the number of a polygon's vertices.
    """

    command: int
    lat: float | None
    lon: float | None
    altitude: float
    param1: float


class PlanReader:
    """Reads one kind of list, a MAV_MISSION_TYPE. The zero state is idle and knows nothing.

    Invariant: `items` is a list that the drone has given completely, or None.
    """

    def __init__(self, kind: int) -> None:
        self.items: list[Item] | None = None
        self.version = 0
        self._kind = kind
        self._coming: list[Item] | None = None
        self._count: int | None = None
        self._tries = 0
        self._ask_ns: int | None = None

    @property
    def is_reading(self) -> bool:
        """Tell whether a list is being asked for."""
        return self._ask_ns is not None

    def begin(self, now_ns: int) -> None:
        """Ask for the list from the beginning."""
        self._coming, self._count, self._tries, self._ask_ns = None, None, 0, now_ns

    def receive_count(self, frame: bytes, now_ns: int) -> None:
        """Take a MISSION_COUNT."""
        payload = _payload(frame, 9)
        if self._ask_ns is None or self._count is not None or payload[4] != self._kind:
            return
        self._count = int.from_bytes(payload[:2], "little")
        self._coming, self._tries, self._ask_ns = [], 0, now_ns
        if self._count > MAX_ITEMS:
            self._ask_ns = None
        elif self._count == 0:
            self._finish()

    def receive_item(self, frame: bytes, now_ns: int) -> None:
        """Take a MISSION_ITEM_INT, if it is the one asked for."""
        payload = _payload(frame, _ITEM_BYTES)
        coming = self._coming
        if self._ask_ns is None or coming is None or payload[37] != self._kind:
            return
        if int.from_bytes(payload[28:30], "little") != len(coming):
            return
        message = dialect.MAVLink_mission_item_int_message.unpacker.unpack(payload)
        param1, x, y, z = message[0], message[4], message[5], message[6]
        is_on_earth = abs(x) <= 90 / _SCALE and abs(y) <= 180 / _SCALE and (x, y) != (0, 0)
        has_place = payload[34] in _GLOBAL_FRAMES and is_on_earth
        coming.append(
            Item(
                int.from_bytes(payload[30:32], "little"),
                round(x * _SCALE, 7) if has_place else None,
                round(y * _SCALE, 7) if has_place else None,
                z if abs(z) < 1e6 else 0.0,
                param1 if abs(param1) < 1e6 else 0.0,
            )
        )
        self._tries, self._ask_ns = 0, now_ns
        if len(coming) == self._count:
            self._finish()

    def outgoing(self, sysid: int, now_ns: int) -> list[dialect.MAVLink_message]:
        """Return what to ask now; gives up after `MAX_TRIES` without an answer."""
        if self._ask_ns is None or now_ns < self._ask_ns:
            return []
        if self._tries == MAX_TRIES:
            self._ask_ns = None
            return []
        self._tries += 1
        self._ask_ns = now_ns + ASK_AGAIN_NS
        target = (sysid, dialect.MAV_COMP_ID_AUTOPILOT1)
        if self._coming is None:
            return [dialect.MAVLink_mission_request_list_message(*target, self._kind)]
        wanted = len(self._coming)
        return [dialect.MAVLink_mission_request_int_message(*target, wanted, self._kind)]

    def _finish(self) -> None:
        self.version += 1
        self.items, self._coming, self._ask_ns = self._coming, None, None


def _payload(frame: bytes, size: int) -> bytes:
    return frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(size, b"\0")[:size]
