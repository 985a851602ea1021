"""The gateway's shell: one link socket and the loopback endpoints of each drone."""

import asyncio
import functools
import logging
import os
import socket
import time
from typing import Final

import msgspec

from crypto.pair import PairRecord
from groundstation.aio.endpoints import Endpoint, TcpServer, UdpOut, UdpServer
from groundstation.config import Drone, GroundConfig
from groundstation.station import Station, StationStatus
from wire.locality import parse_local, parse_loopback
from wire.summary import LinkSummary, merge_drops

_log = logging.getLogger(__name__)

# Not slewed by NTP or GNSS time, unlike every other clock.
monotonic_ns = functools.partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC_RAW)

_BURST: Final = 64
_RECEIVE_BUFFER_BYTES: Final = 1 << 22
_MAX_DATAGRAM = 2048


class GatewayStatus(msgspec.Struct):
    """The gateway for `sekisho status`; `link` adds up all drones."""

    link: LinkSummary
    peers: dict[str, StationStatus]


class _DroneLink:
    """One drone: its socket, its core and its endpoints."""

    def __init__(self, config: Drone, pair: PairRecord, boot_count: int) -> None:
        self.name = config.name
        self.station = Station(pair, boot_count, os.urandom)
        self.endpoints: list[Endpoint] = []
        self._loop = asyncio.get_running_loop()
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.settimeout(0)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        self._sock.connect(parse_local(config.address))
        self._config = config
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns: int | None = None
        self._unsent = 0
        self._was_live = False

    async def start(self) -> None:
        """Open the endpoints and start calling the drone."""
        config = self._config
        self.endpoints += [
            UdpOut(parse_loopback(text), self._from_tools) for text in config.mavlink_out
        ]
        if config.mavlink_udp is not None:
            self.endpoints.append(UdpServer(parse_loopback(config.mavlink_udp), self._from_tools))
        if config.mavlink_tcp is not None:
            server = TcpServer(self._from_tools)
            await server.start(parse_loopback(config.mavlink_tcp))
            self.endpoints.append(server)
        self._loop.add_reader(self._sock.fileno(), self._from_link)
        self._pump(monotonic_ns())

    def close(self) -> None:
        """Stop at once."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        for endpoint in self.endpoints:
            endpoint.close()

    def status(self) -> StationStatus:
        """Describe everything that is counted."""
        status = self.station.status(monotonic_ns())
        noise = [
            {f"tools_{reason}": count for reason, count in endpoint.dropped.items()}
            for endpoint in self.endpoints
        ]
        status.link.dropped = merge_drops(status.link.dropped, {"not_sent": self._unsent}, *noise)
        return status

    def _from_link(self) -> None:
        now_ns = monotonic_ns()
        for _ in range(_BURST):
            try:
                datagram = self._sock.recv(_MAX_DATAGRAM)
            except ConnectionRefusedError:
                continue
            except BlockingIOError:
                break
            plain = self.station.receive_link(datagram, now_ns)
            if plain:
                for endpoint in self.endpoints:
                    endpoint.send(plain)
        self._pump(now_ns)

    def _from_tools(self, frames: list[bytes]) -> None:
        now_ns = monotonic_ns()
        self.station.send(frames, now_ns)
        self._pump(now_ns)

    def _on_timer(self) -> None:
        self._timer = self._timer_ns = None
        self._pump(monotonic_ns())

    def _pump(self, now_ns: int) -> None:
        station = self.station
        deadline_ns = station.deadline_ns()
        if deadline_ns is not None and deadline_ns <= now_ns:
            station.tick(now_ns)
            deadline_ns = station.deadline_ns()
        for datagram in station.outgoing():
            try:
                self._sock.send(datagram)
            except OSError:
                # No route, no buffer, nobody there: the link is lossy, and freshness will tell.
                self._unsent += 1
        if deadline_ns is not None and (self._timer_ns is None or deadline_ns < self._timer_ns):
            if self._timer is not None:
                self._timer.cancel()
            self._timer_ns = deadline_ns
            delay = max(0, deadline_ns - now_ns) / 1e9
            self._timer = self._loop.call_later(delay, self._on_timer)
        if station.is_live(now_ns) != self._was_live:
            self._was_live = not self._was_live
            _log.info("%s: link %s", self.name, "up" if self._was_live else "lost")


class Gateway:
    """All drones of one `ground.toml`."""

    def __init__(self, config: GroundConfig, pairs: dict[str, PairRecord], boot_count: int) -> None:
        self._links = [_DroneLink(drone, pairs[drone.name], boot_count) for drone in config.drone]

    async def start(self) -> None:
        """Open every endpoint and start calling every drone."""
        for link in self._links:
            await link.start()

    def close(self) -> None:
        """Stop at once."""
        for link in self._links:
            link.close()

    def status(self) -> GatewayStatus:
        """Describe everything that is counted."""
        peers = {link.name: link.status() for link in self._links}
        links = [peer.link for peer in peers.values()]
        return GatewayStatus(link=LinkSummary.total(links), peers=peers)
