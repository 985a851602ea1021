"""What the autopilot is connected to: a serial line, or for development a UDP socket."""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Protocol

from wire.locality import Address


class Port(Protocol):
    """Bytes to and from the autopilot."""

    @property
    def is_open(self) -> bool:
        """Tell whether the line is there."""

    @property
    def unsent_dropped(self) -> int:
        """How many bytes were not sent."""

    def describe(self) -> dict[str, str | int]:
        """Say where the line is."""

    @property
    def is_scheduled(self) -> bool:
        """Whether something will read the line, or try to open it."""

    def start(self) -> None:
        """Open the line, now or as soon as it is there."""

    def write(self, data: bytes) -> None:
        """Send, or drop and count when the line does not keep up."""

    def close(self) -> None:
        """Close the line for good."""


class UdpPort:
    """For development: an autopilot that sends MAVLink to a local UDP address."""

    def __init__(self, bind: Address, on_bytes: Callable[[bytes], None]) -> None:
        self.is_open = False
        self.unsent_dropped = 0
        self._bind = bind
        self._on_bytes = on_bytes
        self._loop = asyncio.get_running_loop()
        self._peer: Address | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind(bind)

    def describe(self) -> dict[str, str | int]:
        """Say where the line is."""
        return {"device": f"udp:{self._bind[0]}:{self._bind[1]}"}

    def start(self) -> None:
        """Listen."""
        self.is_open = True
        self._loop.add_reader(self._socket.fileno(), self._readable)

    @property
    def is_scheduled(self) -> bool:
        """Whether something will read the socket."""
        return self.is_open

    def write(self, data: bytes) -> None:
        """Send to whoever sent last, or drop and count."""
        try:
            if self._peer is not None:
                self._socket.sendto(data, self._peer)
                return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNREFUSED, errno.ENOBUFS):
                raise
        self.unsent_dropped += len(data)

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        self.is_open = False

    def _readable(self) -> None:
        chunks = []
        for _ in range(64):
            try:
                data, self._peer = self._socket.recvfrom(2048)
            except (BlockingIOError, ConnectionRefusedError):
                break
            chunks.append(data)
        if chunks:
            self._on_bytes(b"".join(chunks))
