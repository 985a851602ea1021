"""Reads the table one message a parameter: slower than a file, and every autopilot can do it.

After the list has run through, what was lost is asked for by number, a few at a time.

Source: https://mavlink.io/en/services/parameter.html
"""

import math
import struct
from typing import Final

from groundstation.parameters.table import MAX_PARAMETERS, NAME, Parameter
from wire.mavlink import HEADER_BYTES, dialect

WINDOW: Final = 10  # ArduPilot queues 20
ANSWER_NS: Final = 1_000_000_000
QUIET_NS: Final = 1_500_000_000
GIVE_UP_NS: Final = 12_000_000_000
_VALUE: Final = struct.Struct("<fHH16sB")
_NO_INDEX: Final = 0xFFFF


def parse_value_untrusted(frame: bytes) -> tuple[Parameter, int, int] | None:
    """Return a PARAM_VALUE: parameter, its number or 65535, how many there are; None if damaged."""
    payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(_VALUE.size, b"\0")
    value, count, index, padded, kind = _VALUE.unpack_from(payload)
    name = padded.rstrip(b"\0").decode("ascii", "replace")
    if not NAME.fullmatch(name) or not math.isfinite(value):
        return None
    return Parameter(name, value, kind), index, count


class ListReader:
    """The whole table, read once. The zero state asks for all of it.

    Invariant: `table` is None until every parameter has come.
    """

    def __init__(self, now_ns: int) -> None:
        self.table: list[Parameter] | None = None
        self.has_failed = False
        self._found: list[Parameter | None] = []
        self._missing = 0
        self._due_ns = now_ns
        self._news_ns = now_ns
        self._asked: dict[int, int] = {}

    @property
    def progress(self) -> tuple[int, int]:
        """How many parameters have come, and of how many; 0 of 0 until that is known."""
        return len(self._found) - self._missing, len(self._found)

    def receive_untrusted(self, frame: bytes, now_ns: int) -> None:
        """Take a PARAM_VALUE."""
        said = parse_value_untrusted(frame)
        if said is None or self.table is not None:
            return
        parameter, index, count = said
        if not self._found and 0 < count <= MAX_PARAMETERS:
            self._found, self._missing = [None] * count, count
        if index == _NO_INDEX or index >= len(self._found):
            return
        self._asked.pop(index, None)
        self._missing -= self._found[index] is None
        self._news_ns = now_ns if self._found[index] is None else self._news_ns
        self._found[index] = parameter
        if self._missing == 0:
            self.table = [each for each in self._found if each is not None]

    def outgoing(self, sysid: int, now_ns: int) -> list[dialect.MAVLink_message]:
        """Return what to ask now."""
        if self.table is not None or self.has_failed:
            return []
        quiet_ns = now_ns - self._news_ns
        if quiet_ns > GIVE_UP_NS:
            self.has_failed = True
            return []
        to = (sysid, dialect.MAV_COMP_ID_AUTOPILOT1)
        if not self._found:
            if now_ns < self._due_ns:
                return []
            self._due_ns = now_ns + 2 * ANSWER_NS
            return [dialect.MAVLink_param_request_list_message(*to)]
        if quiet_ns < QUIET_NS and not self._asked:
            return []
        return self._ask_again(to, now_ns)

    def _ask_again(self, to: tuple[int, int], now_ns: int) -> list[dialect.MAVLink_message]:
        asked = self._asked
        for number in [n for n, since_ns in asked.items() if now_ns - since_ns > ANSWER_NS]:
            del asked[number]
        out: list[dialect.MAVLink_message] = []
        for number, found in enumerate(self._found):
            if len(asked) >= WINDOW:
                break
            if found is None and number not in asked:
                asked[number] = now_ns
                out.append(dialect.MAVLink_param_request_read_message(*to, b"", number))
        return out
