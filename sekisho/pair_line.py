"""The line a pairing runs over: a serial device, or one TCP connection between neighbours.

Messages are COBS-encoded between zero bytes on both: a line that is joined in the middle, or that
still held something, is in step again at the next zero.
"""

import os
import socket
from typing import Final, Protocol

import serial
from cobs import cobs

from crypto.pairing_messages import MAX_MESSAGE_BYTES
from wire.locality import Address

WRITE_WITHIN_S: Final = 5.0
CONNECT_WITHIN_S: Final = 5.0
DIRECT_TTL: Final = 255
_IP_MINTTL: Final = 21  # linux/in.h; the socket module does not name it
_MAX_FRAME_BYTES: Final = MAX_MESSAGE_BYTES + MAX_MESSAGE_BYTES // 254 + 1
_READ_BYTES: Final = 4096


def encode_frame(message: bytes) -> bytes:
    """Return a message as it goes on the line."""
    encoded: bytes = cobs.encode(message)
    return b"\0" + encoded + b"\0"


class FrameReader:
    """Cut what comes from the line into messages. The zero state holds no bytes.

    Invariant: holds at most one frame. A frame that is too long or no COBS comes out as an empty
    message, which nothing takes for a good one.
    """

    def __init__(self) -> None:
        self._rest = b""

    def receive_untrusted(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; return the messages they complete."""
        *frames, self._rest = (self._rest + data).split(b"\0")
        if len(self._rest) > _MAX_FRAME_BYTES:
            frames, self._rest = [*frames, self._rest], b""
        return [_decode_untrusted(frame) for frame in frames if frame]


def _decode_untrusted(frame: bytes) -> bytes:
    if len(frame) > _MAX_FRAME_BYTES:
        return b""
    try:
        message: bytes = cobs.decode(frame)
    except cobs.DecodeError:
        return b""
    return message


class Line(Protocol):
    """Bytes to and from the other end; `OSError` when the line is gone."""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable."""

    def read(self) -> bytes | None:
        """Return what has come, None once the line is closed."""

    def write(self, data: bytes) -> None:
        """Send all of it, within 5 s."""

    def close(self) -> None:
        """Close the line."""


class SerialLine:
    """A serial device that nobody else uses meanwhile."""

    def __init__(self, device: str, baud: int) -> None:
        self._serial = serial.Serial(
            device, baud, timeout=0, write_timeout=WRITE_WITHIN_S, exclusive=True
        )
        self._serial.reset_input_buffer()  # what was said to somebody else

    def fileno(self) -> int:
        """Return the device's descriptor."""
        number: int = self._serial.fileno()
        return number

    def read(self) -> bytes | None:
        """Return what has come, None once the device is gone."""
        return os.read(self.fileno(), _READ_BYTES) or None

    def write(self, data: bytes) -> None:
        """Send all of it."""
        self._serial.write(data)

    def close(self) -> None:
        """Close the device; the kernel lets the last bytes leave."""
        self._serial.close()


class TcpLine:
    """A connection; until one has come, a listener that takes exactly one.

    Both ends send with TTL 255 and accept no less (GTSM, RFC 5082): the other end is not behind a
    router, whatever its address says.
    """

    def __init__(self, endpoint: socket.socket, *, is_connected: bool) -> None:
        self._socket = endpoint
        self._is_connected = is_connected

    @classmethod
    def listen(cls, address: Address) -> "TcpLine":
        """Wait for the other end on a local address."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, DIRECT_TTL)
        listener.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, DIRECT_TTL)
        listener.bind(address)
        listener.listen(1)
        listener.settimeout(CONNECT_WITHIN_S)  # should a caller vanish before it is accepted
        return cls(listener, is_connected=False)

    @classmethod
    def connect(cls, address: Address) -> "TcpLine":
        """Call the other end."""
        endpoint = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        endpoint.settimeout(CONNECT_WITHIN_S)
        endpoint.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, DIRECT_TTL)
        endpoint.connect(address)
        # Only now: a refusal comes with the kernel's own TTL, and should be seen as one.
        endpoint.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, DIRECT_TTL)
        endpoint.settimeout(WRITE_WITHIN_S)
        return cls(endpoint, is_connected=True)

    def fileno(self) -> int:
        """Return the descriptor of the listener, then of the connection."""
        return self._socket.fileno()

    def read(self) -> bytes | None:
        """Take the one connection, or return what has come; None once the other end closed it."""
        if not self._is_connected:
            connection, _ = self._socket.accept()
            self._socket.close()
            connection.settimeout(WRITE_WITHIN_S)
            self._socket, self._is_connected = connection, True
            return b""
        return self._socket.recv(_READ_BYTES) or None

    def write(self, data: bytes) -> None:
        """Send all of it."""
        self._socket.sendall(data)

    def close(self) -> None:
        """Close it; what was written still arrives."""
        self._socket.close()
