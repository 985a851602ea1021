"""The drone's address on the local link: one UDP socket, there before the address is."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from typing import Final

from wire.aio.link_socket import link_socket, receive
from wire.locality import Address, NotAllowedError

_BURST: Final = 64
_IP_FREEBIND: Final = 15  # linux/in.h; Python 3.11 has no name for it


class LinkPort:
    """Datagrams from anyone on this site, in bursts; `dropped` counts what came from elsewhere.

    The address need not exist yet: Wi-Fi may come up after the service, and go and come again.
    """

    def __init__(
        self,
        bind: Address,
        on_datagram: Callable[[bytes, Address], None],
        on_burst_end: Callable[[], None],
    ) -> None:
        """Take the address; `on_burst_end` is called when what waited has been handed over.

        Raises:
            NotAllowedError: Someone else has it.
        """
        self.dropped: Counter[str] = Counter()
        self._bind = bind
        self._on_datagram = on_datagram
        self._on_burst_end = on_burst_end
        self._loop = asyncio.get_running_loop()
        self._socket = link_socket()
        self._socket.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        try:
            self._socket.bind(bind)
        except OSError as error:
            self._socket.close()
            host, port = bind
            allowed = f"an address whose port is free ({error.strerror})"
            raise NotAllowedError("link.udp.bind", f"{host}:{port}", allowed) from None

    def start(self) -> None:
        """Listen."""
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def has_address(self) -> bool:
        """Tell whether this machine has the address now."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((self._bind[0], 0))
            except OSError:
                return False
        return True

    def send(self, datagram: bytes, to: Address) -> None:
        """Send, or count: no route, no buffer, nobody there. Freshness will tell."""
        try:
            self._socket.sendto(datagram, to)
        except OSError:
            self.dropped["not_sent"] += 1

    def close(self) -> None:
        """Hear nobody."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _readable(self) -> None:
        for _ in range(_BURST):
            try:
                datagram, sender, is_local = receive(self._socket)
            except (BlockingIOError, ConnectionRefusedError):
                break
            if is_local:
                self._on_datagram(datagram, sender)
            else:
                self.dropped["not_local"] += 1
        self._on_burst_end()
