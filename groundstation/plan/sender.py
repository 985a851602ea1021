"""Sends one list to the drone: MAVLink's mission protocol, upload.

The autopilot asks for each item and is given it as often as it asks. That the list has arrived is
not taken from its acknowledgement, which may be lost or be about a doubled item, but from reading
the list back: here an upload only ends, and says why when it ends badly.

Source: https://mavlink.io/en/services/mission.html
"""

from collections.abc import Sequence
from typing import Final

from groundstation.plan.onboard import OnboardItem
from wire.mavlink import HEADER_BYTES, dialect

BEGIN_AGAIN_NS: Final = 1_500_000_000
SILENCE_NS: Final = 9_000_000_000  # ArduPilot gives up after eight seconds
AFTER_LAST_NS: Final = 2_500_000_000
# ArduPilot answers so to an item that comes twice: on the way, and after the last.
_OF_DOUBLES: Final = dialect.MAV_MISSION_INVALID_SEQUENCE
_OF_LAST_DOUBLE: Final = dialect.MAV_MISSION_ERROR
_ACCEPTED: Final = dialect.MAV_MISSION_ACCEPTED


class Sender:
    """One upload of one kind of list, from its beginning. `ended` is None while it goes on.

    Invariant: nothing is sent once it has ended.
    """

    def __init__(self, kind: int, items: Sequence[OnboardItem], now_ns: int) -> None:
        self.kind = kind
        self.items = list(items)
        self.ended: str | None = None  # "" well, else why not
        self.done = 0  # items that the drone has been given
        self._begin_ns = now_ns
        self._give_up_ns = now_ns + SILENCE_NS
        self._wanted: int | None = None

    def receive_request(self, frame: bytes, now_ns: int) -> None:
        """Take a MISSION_REQUEST or MISSION_REQUEST_INT."""
        payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(5, b"\0")
        number = int.from_bytes(payload[:2], "little")
        if payload[4] != self.kind or number >= len(self.items):
            return
        self._wanted = number
        self.done = max(self.done, number + 1)
        is_last = number + 1 == len(self.items)
        self._give_up_ns = now_ns + (AFTER_LAST_NS if is_last else SILENCE_NS)

    def receive_ack(self, result: int) -> None:
        """Take the result of a MISSION_ACK that is about this list and meant for us."""
        if result == _OF_DOUBLES or self.ended is not None:
            return
        if result == _ACCEPTED or (result == _OF_LAST_DOUBLE and self._is_all_given):
            self.ended = ""
        else:
            self.ended = f"refused: {result_name(result)}"

    def outgoing(self, sysid: int, now_ns: int) -> list[dialect.MAVLink_message]:
        """Return what to send now."""
        target = (sysid, dialect.MAV_COMP_ID_AUTOPILOT1)
        if self.ended is not None:
            return []
        if now_ns >= self._give_up_ns:
            asked = f"after item {self.done - 1}" if self.done else "to the announcement"
            self.ended = "" if self._is_all_given else f"no answer {asked}"
            return []
        if self._wanted is not None:
            number, self._wanted = self._wanted, None
            return [_message(self.items[number], number, self.kind, target)]
        if self.done or now_ns < self._begin_ns:
            return []
        self._begin_ns = now_ns + BEGIN_AGAIN_NS
        return [dialect.MAVLink_mission_count_message(*target, len(self.items), self.kind)]

    @property
    def _is_all_given(self) -> bool:
        return bool(self.items) and self.done == len(self.items)


def result_name(result: int) -> str:
    """Return the name of a MAV_MISSION_RESULT without its prefix."""
    known = dialect.enums["MAV_MISSION_RESULT"].get(result)
    return f"result {result}" if known is None else str(known.name).removeprefix("MAV_MISSION_")


def _message(
    item: OnboardItem, number: int, kind: int, target: tuple[int, int]
) -> dialect.MAVLink_message:
    return dialect.MAVLink_mission_item_int_message(
        *target,
        number,
        item.frame,
        item.command,
        0,
        1,
        *item.params,
        item.x,
        item.y,
        item.z,
        kind,
    )
