"""Reads one list that the drone has aboard: MAVLink's mission protocol, download.

A few items are asked for at a time, and again when no answer comes, so a lossy link makes it slow,
never wrong. What is known is replaced only by a complete list.

Source: https://mavlink.io/en/services/mission.html
"""

from typing import Final

from groundstation.plan.onboard import OnboardItem
from wire.mavlink import HEADER_BYTES, dialect

ASK_AGAIN_NS: Final = 1_000_000_000
GIVE_UP_NS: Final = (
    12_000_000_000  # an upload that broke off keeps ArduPilot busy for eight seconds
)
AT_ONCE: Final = 5
MAX_ITEMS: Final = 1000
_ITEM_BYTES: Final = 38
_COUNT_BYTES: Final = 5


class Reader:
    """Reads one kind of list, a MAV_MISSION_TYPE. The zero state is idle and knows nothing.

    `items` is what the drone has given last, None if nothing; `failed` whether the last reading
    came to nothing.

    Invariant: `items` is a list that the drone has given completely.
    """

    def __init__(self, kind: int) -> None:
        self.items: list[OnboardItem] | None = None
        self.version = 0
        self.failed = False
        self._kind = kind
        self._count: int | None = None
        self._coming: dict[int, OnboardItem] = {}
        self._asked_ns: dict[int, int] = {}
        self._give_up_ns: int | None = None
        self._list_ns = 0

    @property
    def is_reading(self) -> bool:
        """Tell whether a list is being asked for."""
        return self._give_up_ns is not None

    @property
    def progress(self) -> tuple[int, int]:
        """How many items have come, of how many."""
        return len(self._coming), self._count or 0

    def begin(self, now_ns: int) -> None:
        """Ask for the list from the beginning."""
        self.failed, self._count = False, None
        self._coming, self._asked_ns = {}, {}
        self._list_ns, self._give_up_ns = now_ns, now_ns + GIVE_UP_NS

    def stop(self) -> None:
        """Ask no further; what was known stays."""
        self._give_up_ns, self.failed = None, True

    def receive_count(self, frame: bytes, now_ns: int) -> None:
        """Take a MISSION_COUNT."""
        payload = _payload(frame, _COUNT_BYTES)
        if self._give_up_ns is None or self._count is not None or payload[4] != self._kind:
            return
        self._count, self._give_up_ns = int.from_bytes(payload[:2], "little"), now_ns + GIVE_UP_NS
        if self._count > MAX_ITEMS:
            self.stop()
        elif self._count == 0:
            self._finish()

    def receive_item(self, frame: bytes, now_ns: int) -> None:
        """Take a MISSION_ITEM_INT, if it is one of those asked for."""
        payload = _payload(frame, _ITEM_BYTES)
        number = int.from_bytes(payload[28:30], "little")
        if self._give_up_ns is None or payload[37] != self._kind or number not in self._asked_ns:
            return
        del self._asked_ns[number]
        self._coming[number] = item_of(payload)
        self._give_up_ns = now_ns + GIVE_UP_NS
        if len(self._coming) == self._count:
            self._finish()

    def outgoing(self, sysid: int, now_ns: int) -> list[dialect.MAVLink_message]:
        """Return what to ask now; gives up when nothing has come for long."""
        if self._give_up_ns is None:
            return []
        if now_ns >= self._give_up_ns:
            self.stop()
            return []
        target = (sysid, dialect.MAV_COMP_ID_AUTOPILOT1)
        if self._count is None:
            if now_ns < self._list_ns:
                return []
            self._list_ns = now_ns + ASK_AGAIN_NS
            return [dialect.MAVLink_mission_request_list_message(*target, self._kind)]
        for number in range(self._count):
            if len(self._asked_ns) == AT_ONCE:
                break
            if number not in self._coming:
                self._asked_ns.setdefault(number, now_ns)
        due = [number for number, ask_ns in self._asked_ns.items() if ask_ns <= now_ns]
        for number in due:
            self._asked_ns[number] = now_ns + ASK_AGAIN_NS
        return [dialect.MAVLink_mission_request_int_message(*target, n, self._kind) for n in due]

    def _finish(self) -> None:
        self.version += 1
        self.items = [self._coming[number] for number in sorted(self._coming)]
        self._give_up_ns = None


def item_of(payload: bytes) -> OnboardItem:
    """Return the item in the whole payload of a MISSION_ITEM_INT."""
    message = dialect.MAVLink_mission_item_int_message.unpacker.unpack(payload)
    p1, p2, p3, p4, x, y, z = message[:7]
    command = int.from_bytes(payload[30:32], "little")
    return OnboardItem(command, payload[34], (p1, p2, p3, p4), x, y, z)


def _payload(frame: bytes, size: int) -> bytes:
    return frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(size, b"\0")[:size]
