"""The simulated autopilot's telemetry port over UDP: it sends to one address and hears it only."""

import socket
from typing import Final

from wire.locality import Address
from wire.mavlink import frame_bytes_untrusted

_DATAGRAM_BYTES: Final = 1200
_READ_BYTES: Final = 2048
_SENT_AT_ONCE: Final = 1 << 20  # what a socket keeps for a reader who is late [B]


class UdpEnd:
    """One socket. `path` is where it sends to; as on a wire, nobody needs to listen there."""

    def __init__(self, target: Address) -> None:
        self.path = f"udp:{target[0]}:{target[1]}"
        self.bytes_dropped = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)  # noqa: FBT003 - the library's name for it
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SENT_AT_ONCE)
        self._socket.connect(target)

    def read(self) -> bytes:
        """Return what was sent here, empty if there is nothing."""
        data = []
        while True:
            try:
                data.append(self._socket.recv(_READ_BYTES))
            except (BlockingIOError, ConnectionRefusedError):
                return b"".join(data)

    def write(self, data: bytes, _now_s: float) -> None:
        """Send whole MAVLink frames, as many as go into each datagram."""
        begin = at = 0
        while (size := frame_bytes_untrusted(data, at)) is not None:
            if at + size - begin > _DATAGRAM_BYTES:
                self._send(data[begin:at])
                begin = at
            at += size
        if at > begin:
            self._send(data[begin:at])

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _send(self, datagram: bytes) -> None:
        try:
            self._socket.send(datagram)
        except (BlockingIOError, ConnectionRefusedError):
            self.bytes_dropped += len(datagram)
