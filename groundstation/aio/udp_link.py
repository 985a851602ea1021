"""The link over UDP: one drone's address, called from whatever address this machine has now."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from typing import Final

from wire.aio.link_socket import link_socket, receive
from wire.locality import Address

_BURST: Final = 64


class UdpLink:
    """A socket that hears one drone only.

    Connected, it keeps the address this machine had; when that is gone, so is the socket's use.
    Then, and when there was no network at the start, the next datagram makes another.
    """

    def __init__(self, drone: Address, on_datagrams: Callable[[list[bytes]], None]) -> None:
        self.dropped = Counter[str]()
        self._drone = drone
        self._on_datagrams = on_datagrams
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None

    def send(self, datagram: bytes) -> None:
        """Send, or count: no route, no buffer, nobody there. The link is lossy anyway."""
        if self._socket is None:
            self._connect()
        try:
            if self._socket is not None:
                self._socket.send(datagram)
                return
        except OSError:
            self._connect()
        self.dropped["not_sent"] += 1

    def close(self) -> None:
        """Hear nobody."""
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _connect(self) -> None:
        """Make a socket, and use it unless the one there is has the same address.

        Then the error was about something else, or forged, and answers may be on their way.
        """
        fresh = link_socket()
        try:
            fresh.connect(self._drone)
        except OSError:
            fresh.close()
            return
        if self._socket and self._socket.getsockname()[0] == fresh.getsockname()[0]:
            fresh.close()
            return
        self.close()
        self._socket = fresh
        self._loop.add_reader(fresh.fileno(), self._readable, fresh)

    def _readable(self, sock: socket.socket) -> None:
        datagrams = []
        for _ in range(_BURST):
            try:
                datagram, _, is_local = receive(sock)
            except BlockingIOError:
                break
            except OSError:
                continue  # what an ICMP message says, from anyone, of a datagram that was sent
            if is_local:
                datagrams.append(datagram)
            else:
                self.dropped["not_local"] += 1
        self._on_datagrams(datagrams)
