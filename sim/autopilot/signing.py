"""Message signing as ArduPilot does it on a serial port other than USB, its shortcomings included.

Its time is a count of frames that others pull forward, not a clock; it knows sixteen streams and
forgets none; a stream it has not met may be a minute old.
"""

import hashlib
from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from wire.mavlink import CRC_EXTRA, message_id

_MINUTE: Final = 6_000_000  # in its unit, 10 us
_SAVE_NS: Final = 30_000_000_000
_STREAMS: Final = 16
_SIGNED: Final = 1
_NEVER_SIGNED: Final = (dialect.MAVLINK_MSG_ID_RADIO_STATUS, dialect.MAVLINK_MSG_ID_RADIO)


class LineSigning:
    """One port. The zero state is not signed; `stored` is what flash memory keeps over a reboot."""

    def __init__(self, stored: tuple[bytes, int] = (bytes(32), 0)) -> None:
        self.stored = stored
        self.refused = 0
        self.timestamp = stored[1] + _MINUTE
        self._link_id = 1
        self._streams: dict[tuple[int, int, int], int] = {}
        self._saved_ns = 0

    @property
    def is_on(self) -> bool:
        """Tell whether a key has been set."""
        return any(self.stored[0])

    def set_up(self, key: bytes, timestamp: int) -> None:
        """Act on SETUP_SIGNING; a key of zeros switches signing off."""
        self.stored = (key, timestamp)
        self.timestamp = timestamp + _MINUTE

    def accept(self, frame: bytes) -> bool:
        """Tell whether a checksummed frame may be acted on."""
        if not self.is_on:
            return True
        if not frame[2] & _SIGNED:
            return message_id(frame) in _NEVER_SIGNED or self._refuse()
        link_id, time_bytes, signature = frame[-13], frame[-12:-6], frame[-6:]
        if hashlib.sha256(self.stored[0] + frame[:-6]).digest()[:6] != signature:
            return self._refuse()
        timestamp = int.from_bytes(time_bytes, "little")
        stream = (frame[5], frame[6], link_id)
        if stream not in self._streams:
            if len(self._streams) >= _STREAMS or timestamp + _MINUTE < self.timestamp:
                return self._refuse()
        elif timestamp <= self._streams[stream]:
            return self._refuse()
        self._streams[stream] = timestamp
        self.timestamp = max(self.timestamp, timestamp)
        return True

    def sign(self, frame: bytes) -> bytes:
        """Return a frame as it leaves the port."""
        if not self.is_on:
            return frame
        payload = frame[10:-2]
        header = b"\xfd" + bytes((len(payload), _SIGNED)) + frame[3:10]
        checksum: int = dialect.x25crc(header[1:] + payload + CRC_EXTRA[message_id(frame)]).crc
        signed = header + payload + checksum.to_bytes(2, "little")
        signed += bytes((self._link_id,)) + self.timestamp.to_bytes(6, "little")
        self.timestamp += 1
        return signed + hashlib.sha256(self.stored[0] + signed).digest()[:6]

    def step(self, now_ns: int) -> None:
        """Store the time twice a minute."""
        if now_ns - self._saved_ns >= _SAVE_NS:
            self._saved_ns = now_ns
            self.stored = (self.stored[0], max(self.stored[1], self.timestamp))

    def _refuse(self) -> bool:
        self.refused += 1
        return False
