"""What one drone has aboard, as it was read last, and the transfer under way, sans-I/O.

An upload is: send, read back, compare. Whatever becomes of the sending, the list is read back, so
that what is said to be aboard afterwards is what the drone says.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from groundstation.plan.check import Limits
from groundstation.plan.onboard import KIND_NAMES, KINDS, MISSION, OnboardItem, Row, compare
from groundstation.plan.reader import Reader
from groundstation.plan.sender import Sender
from wire.mavlink import HEADER_BYTES, dialect

OPERATOR: Final = (255, 190)  # the console's system and component
ASK_LIMITS_NS: Final = 2_000_000_000
MAX_ASKED: Final = 10
_ACK: Final = dialect.MAVLINK_MSG_ID_MISSION_ACK
_COUNT: Final = dialect.MAVLINK_MSG_ID_MISSION_COUNT
_ITEM: Final = dialect.MAVLINK_MSG_ID_MISSION_ITEM_INT
_REQUESTS: Final = frozenset(
    (dialect.MAVLINK_MSG_ID_MISSION_REQUEST, dialect.MAVLINK_MSG_ID_MISSION_REQUEST_INT)
)
_VALUE: Final = dialect.MAVLINK_MSG_ID_PARAM_VALUE
MESSAGES: Final = frozenset((_ACK, _COUNT, _ITEM, _VALUE)) | _REQUESTS
_CENTIMETRES: Final = 0.01
# Which parameter says which limit, and in which unit [m].
_LIMITS: Final[Mapping[bytes, tuple[str, float]]] = {
    b"FENCE_ALT_MAX": ("ceiling", 1.0),
    b"RTL_ALT": ("return_altitude", _CENTIMETRES),
}


class Verdict(StrEnum):
    """What became of an upload."""

    SAME = "same"  # aboard is exactly what was sent
    DIFFERS = "differs"
    UNKNOWN = "unknown"  # it could not be read back


class Outcome(msgspec.Struct, frozen=True):
    """One list that was sent: why it broke off, "" if not, and what was found aboard then."""

    kind: int
    why: str
    verdict: Verdict
    rows: list[Row]
    finished_ns: int


class Aboard:
    """One drone's lists and the transfer under way. The zero state knows nothing and does nothing.

    Invariant: at most one list is being sent or read at a time; a list is known (`known`) only if
    it was read completely and nobody has been seen to change it since.
    """

    def __init__(self) -> None:
        self.readers = {kind: Reader(kind) for kind in KINDS}
        self.read_ns: dict[int, int] = {}
        self.outcomes: list[Outcome] = []
        self.limits = Limits()
        self.version = 0
        self._to_read: deque[int] = deque()
        self._reading: int | None = None
        self._to_send: deque[tuple[int, list[OnboardItem]]] = deque()
        self._sender: Sender | None = None
        self._checked: Sender | None = None  # sent, and being read back
        self._limits_ns: int | None = None
        self._limits_asked = 0

    @property
    def is_busy(self) -> bool:
        """Tell whether a transfer is under way."""
        return self.is_sending or self._reading is not None or bool(self._to_read)

    @property
    def is_sending(self) -> bool:
        """Tell whether something is on its way to the drone, or being read back."""
        return bool(self._to_send) or self._sender is not None or self._checked is not None

    @property
    def activity(self) -> tuple[str, int, int, int]:
        """What is going on: word, kind, how many items of how many."""
        if self._sender is not None:
            return "sending", self._sender.kind, self._sender.done, len(self._sender.items)
        if self._reading is not None:
            word = "reading" if self._checked is None else "reading back"
            return word, self._reading, *self.readers[self._reading].progress
        return "", 0, 0, 0

    def known(self, kind: int) -> list[OnboardItem] | None:
        """Return a list as the drone has it, the mission without home; None if not known."""
        items = self.readers[kind].items
        if items is None or kind not in self.read_ns:
            return None
        return items[1:] if kind == MISSION else items

    def read(self, kinds: Sequence[int], now_ns: int) -> None:
        """Read lists from the drone, and the limits it keeps to."""
        for kind in kinds:
            if kind not in self._to_read:
                self._to_read.append(kind)
        self._limits_ns, self._limits_asked = now_ns, 0
        self._go_on(now_ns)

    def send(self, lists: Sequence[tuple[int, list[OnboardItem]]], now_ns: int) -> None:
        """Send lists, one after the other; the first that does not arrive is the last."""
        assert not self.is_sending
        self.outcomes = []
        self.version += 1
        if self._reading is not None:
            self.readers[self._reading].stop()
            self._reading = None
        self._to_read.clear()
        self._to_send.extend(lists)
        self._go_on(now_ns)

    def cancel(self, why: str, now_ns: int) -> None:
        """Break off: what is being sent stays as far as it has come, and is read back."""
        self._to_send.clear()
        self._to_read.clear()
        if self._sender is not None and self._sender.ended is None:
            self._sender.ended = why
        self.settle(now_ns)

    def receive(self, number: int, frame: bytes, now_ns: int) -> None:
        """Take a frame of one of `MESSAGES`."""
        if number == _COUNT and self._reading is not None:
            self.readers[self._reading].receive_count(frame, now_ns)
        elif number == _ITEM and self._reading is not None:
            self.readers[self._reading].receive_item(frame, now_ns)
        elif number in _REQUESTS and self._sender is not None and _is_for_us(frame, 2):
            self._sender.receive_request(frame, now_ns)
        elif number == _ACK:
            self._receive_ack(frame, now_ns)
        elif number == _VALUE:
            self._receive_value(frame)
        self.settle(now_ns)

    def settle(self, now_ns: int) -> None:
        """Go on to what comes next when a step has ended."""
        sender, reading = self._sender, self._reading
        if sender is not None and sender.ended is not None:
            self._sender, self._checked = None, sender
            if sender.ended:
                self._to_send.clear()
            self._begin_reading(sender.kind, now_ns)
        elif reading is not None and not self.readers[reading].is_reading:
            self._finish_reading(reading, now_ns)

    def outgoing(self, sysid: int, now_ns: int) -> list[dialect.MAVLink_message]:
        """Return what to send now."""
        messages: list[dialect.MAVLink_message] = []
        if self._sender is not None:
            messages += self._sender.outgoing(sysid, now_ns)
        elif self._reading is not None:
            messages += self.readers[self._reading].outgoing(sysid, now_ns)
        self.settle(now_ns)
        return messages + self._ask_limits(sysid, now_ns)

    def _go_on(self, now_ns: int) -> None:
        if self._sender is not None or self._reading is not None:
            return
        if self._to_send:
            kind, items = self._to_send.popleft()
            self.read_ns.pop(kind, None)
            self._sender = Sender(kind, items, now_ns)
        elif self._to_read:
            self._begin_reading(self._to_read.popleft(), now_ns)

    def _begin_reading(self, kind: int, now_ns: int) -> None:
        self._reading = kind
        self.readers[kind].begin(now_ns)

    def _finish_reading(self, kind: int, now_ns: int) -> None:
        reader, self._reading = self.readers[kind], None
        self.version += 1
        if not reader.failed:
            self.read_ns[kind] = now_ns
        if self._checked is not None:
            self._judge(self._checked, reader, now_ns)
            self._checked = None
        self._go_on(now_ns)

    def _judge(self, sent: Sender, reader: Reader, now_ns: int) -> None:
        rows: list[Row] = []
        verdict = Verdict.UNKNOWN
        if not reader.failed and reader.items is not None:
            first = 1 if sent.kind == MISSION else 0
            rows = compare(sent.items[first:], reader.items[first:], first)
            is_same = all(row.same for row in rows)
            verdict = Verdict.SAME if is_same else Verdict.DIFFERS
        if verdict is not Verdict.SAME:
            self._to_send.clear()
        self.outcomes.append(Outcome(sent.kind, sent.ended or "", verdict, rows, now_ns))

    def _receive_ack(self, frame: bytes, now_ns: int) -> None:
        payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(4, b"\0")
        kind, result = payload[3], payload[2]
        sender = self._sender
        if sender is not None and sender.kind == kind and _is_for_us(frame, 0):
            sender.receive_ack(result)
        elif result == dialect.MAV_MISSION_ACCEPTED and kind in KIND_NAMES:
            # Somebody else has given the drone another list; or it was ours, and comes late.
            self.read_ns.pop(kind, None)
            self.version += 1
            if self._reading == kind:
                self._begin_reading(kind, now_ns)

    def _receive_value(self, frame: bytes) -> None:
        payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(25, b"\0")
        field = _LIMITS.get(payload[8:24].rstrip(b"\0"))
        if field is None:
            return
        value = dialect.MAVLink_param_value_message.unpacker.unpack(payload)[0] * field[1]
        known = round(value, 2) if 0 <= value < 1e6 else None
        if getattr(self.limits, field[0]) != known:
            self.limits = self.limits._replace(**{field[0]: known})
            self.version += 1

    def _ask_limits(self, sysid: int, now_ns: int) -> list[dialect.MAVLink_message]:
        if self._limits_ns is None or now_ns < self._limits_ns:
            return []
        missing = [
            name for name, (field, _) in _LIMITS.items() if getattr(self.limits, field) is None
        ]
        self._limits_asked += 1
        is_over = self._limits_asked >= MAX_ASKED or not missing
        self._limits_ns = None if is_over else now_ns + ASK_LIMITS_NS
        names = missing or list(_LIMITS)
        return [
            dialect.MAVLink_param_request_read_message(
                sysid, dialect.MAV_COMP_ID_AUTOPILOT1, name, -1
            )
            for name in names
        ]


def _is_for_us(frame: bytes, at: int) -> bool:
    payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(at + 2, b"\0")
    return all(found in (0, own) for found, own in zip(payload[at : at + 2], OPERATOR, strict=True))
