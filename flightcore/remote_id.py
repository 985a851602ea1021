"""Whether the remote identification transmitter says that the vehicle may be armed.

It says so about once a second: over MAVLink by itself, forwarded by the autopilot, or over
DroneCAN by the autopilot's word. ArduPilot asks the same if bit 0 of `DID_OPTIONS` is set.

Source: https://mavlink.io/en/services/opendroneid.html
"""

from typing import Final

from wire.mavlink import HEADER_BYTES, dialect, message_id

SILENT_NS: Final = 3_000_000_000
_TRANSMITTERS: Final = frozenset(
    (
        dialect.MAV_COMP_ID_ODID_TXRX_1,
        dialect.MAV_COMP_ID_ODID_TXRX_2,
        dialect.MAV_COMP_ID_ODID_TXRX_3,
    )
)
_TEXT_BYTES: Final = 50
_SPACE, _DELETE = 0x20, 0x7F  # what is printable of ASCII lies between
_MAX_TEXT: Final = 28  # what a refusal has room for beside its own words


def is_transmitters(frame: bytes) -> bool:
    """Tell whether a transmitter says in this frame what the gate asks of it."""
    return frame[6] in _TRANSMITTERS and message_id(frame) in RemoteId.watched


class RemoteId:
    """What the transmitter said last. The zero state has heard nothing, and holds arming."""

    watched = frozenset((dialect.MAVLINK_MSG_ID_OPEN_DRONE_ID_ARM_STATUS,))

    def __init__(self) -> None:
        self._heard_ns: int | None = None
        self._fault: str | None = None

    def receive(self, frame: bytes, now_ns: int) -> None:
        """Take one ARM_STATUS."""
        payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(1 + _TEXT_BYTES, b"\0")
        self._heard_ns, self._fault = now_ns, None
        if payload[0] != dialect.MAV_ODID_ARM_STATUS_GOOD_TO_ARM:
            said = payload[1:].split(b"\0")[0]
            text = "".join(chr(byte) if _SPACE <= byte < _DELETE else "?" for byte in said)
            self._fault = text.strip()[:_MAX_TEXT] or "not ready"

    def hindrance(self, now_ns: int) -> str | None:
        """Return what forbids arming, None if nothing does."""
        if self._heard_ns is None or now_ns - self._heard_ns > SILENT_NS:
            return "remote ID: not heard"
        return None if self._fault is None else f"remote ID: {self._fault}"

    def deadline_ns(self) -> int | None:
        """Return None: it waits for nothing."""
        return None

    def tick(self, now_ns: int) -> None:
        """Do nothing."""

    def forget(self) -> None:
        """Forget what was said: what comes back may be another vehicle."""
        self._heard_ns = self._fault = None
