"""What the autopilot says: messages packed in order, texts cut into chunks.

ArduPilot sends replies at once and texts and parameter notices from a later task of the same
loop. Clients see the acknowledgement first, so the outbox keeps that order.
"""

from collections import deque
from enum import IntEnum
from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from wire.packer import pack

TEXT_BYTES: Final = 50
_COMPID: Final = 1


class Severity(IntEnum):
    """MAV_SEVERITY, as far as it is used."""

    CRITICAL = 2
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7


class Outbox:
    """Messages on their way to the link. The zero state is empty; the autopilot owns it."""

    def __init__(self, sysid: int) -> None:
        self._sysid = sysid
        self._sequence = 0
        self._ready: list[bytes] = []
        self._later: deque[dialect.MAVLink_message] = deque()
        self._text_id = 0

    @property
    def sysid(self) -> int:
        """Return the system id messages carry."""
        return self._sysid

    def send(self, message: dialect.MAVLink_message) -> None:
        """Send a message now."""
        self._ready.append(pack(message, self._sysid, _COMPID, self._sequence))
        self._sequence = (self._sequence + 1) & 0xFF

    def send_later(self, message: dialect.MAVLink_message) -> None:
        """Send a message after the replies of this loop."""
        self._later.append(message)

    def text(self, severity: Severity, text: str) -> None:
        """Send a STATUSTEXT, in chunks with a common id if it is longer than one holds."""
        data = text.encode()
        pieces = [data[i : i + TEXT_BYTES] for i in range(0, len(data), TEXT_BYTES)]
        identity = 0
        if len(pieces) > 1:
            self._text_id = self._text_id % 0xFFFF + 1
            identity = self._text_id
        for index, piece in enumerate(pieces):
            self._later.append(
                dialect.MAVLink_statustext_message(int(severity), piece, identity, index)
            )

    def outgoing(self) -> list[bytes]:
        """Return the frames to write, oldest first, and forget them."""
        while self._later:
            self.send(self._later.popleft())
        ready, self._ready = self._ready, []
        return ready
