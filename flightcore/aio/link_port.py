"""The drone's address on the local link: a queue for strangers, and a lane for each live station.

A socket connected to a station's address gets that station's datagrams, and the kernel gives it a
queue of its own: what anybody else sends neither fills it nor is served before it. The one socket
that is not connected hears everybody else, in small bursts, and no faster than `_STRANGERS_EVERY_S`
allows while a station is live: then it matters for handshakes and for stations that have moved, and
a flood beyond that is dropped by the kernel, which costs us nothing. Whoever forges a station's own
address is in its lane; that costs time, and no frame of theirs passes.
"""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Callable, Set
from typing import Final

from wire.aio.link_socket import RECEIVE_BUFFER_BYTES, link_socket, receive
from wire.locality import Address, NotAllowedError

_LANE_BURST: Final = 64
# A few hundred datagrams: what waits longer than those take is stale when its turn comes.
_LANE_BYTES: Final = 1 << 17
_STRANGERS_BURST: Final = 16
_STRANGERS_EVERY_S: Final = 0.002
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
        self._lanes: dict[Address, socket.socket] = {}
        self._pause: asyncio.TimerHandle | None = None
        self._strangers = _unbound()
        try:
            self._strangers.bind(bind)
        except OSError as error:
            self._strangers.close()
            host, port = bind
            allowed = f"an address whose port is free ({error.strerror})"
            raise NotAllowedError("link.udp.bind", f"{host}:{port}", allowed) from None

    def start(self) -> None:
        """Listen."""
        self._loop.add_reader(self._strangers.fileno(), self._from_strangers)

    def follow(self, stations: Set[Address]) -> None:
        """Have a lane for each of these addresses, and for no other."""
        if stations == self._lanes.keys():
            return
        for gone in self._lanes.keys() - stations:
            self._loop.remove_reader(self._lanes[gone].fileno())
            self._lanes.pop(gone).close()
        for station in stations - self._lanes.keys():
            # Without one (no route back, no descriptor) it is heard among the strangers.
            with contextlib.suppress(OSError):
                self._open(station)

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
            self._strangers.sendto(datagram, to)
        except OSError:
            self.dropped["not_sent"] += 1

    def close(self) -> None:
        """Hear nobody."""
        self.follow(frozenset())
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._strangers.fileno())
        self._strangers.close()

    def _open(self, station: Address) -> None:
        """Make a lane. Only meanwhile may the port be shared, and by processes of this user."""
        lane = _unbound(_LANE_BYTES)
        sharing = (self._strangers, *self._lanes.values(), lane)
        try:
            for sock in sharing:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            lane.bind(self._bind)
            lane.connect(station)
        except OSError:
            lane.close()
            sharing = sharing[:-1]
            raise
        finally:
            for sock in sharing:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
        self._lanes[station] = lane
        self._loop.add_reader(lane.fileno(), self._from_station, lane)

    def _from_station(self, lane: socket.socket) -> None:
        self._take(lane, _LANE_BURST)
        self._on_burst_end()

    def _from_strangers(self) -> None:
        self._take(self._strangers, _STRANGERS_BURST)
        if self._lanes:
            self._loop.remove_reader(self._strangers.fileno())
            self._pause = self._loop.call_later(_STRANGERS_EVERY_S, self.start)
        self._on_burst_end()

    def _take(self, sock: socket.socket, most: int) -> None:
        for _ in range(most):
            try:
                datagram, sender, is_local = receive(sock)
            except BlockingIOError:
                break
            except OSError:
                continue  # what an ICMP message says, from anyone, of a datagram that was sent
            if is_local:
                self._on_datagram(datagram, sender)
            else:
                self.dropped["not_local"] += 1


def _unbound(receive_buffer_bytes: int = RECEIVE_BUFFER_BYTES) -> socket.socket:
    made = link_socket(receive_buffer_bytes)
    made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
    return made
