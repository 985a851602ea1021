"""The gateway's shell: one link socket and the loopback endpoints of each drone."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from typing import Final

import msgspec

from crypto.pair import PairRecord
from groundstation.aio.endpoints import Endpoint, TcpServer, UdpOut, UdpServer
from groundstation.config import Drone, GroundConfig
from groundstation.station import Station, StationStatus
from wire.aio.alarm import Alarm, monotonic_ns
from wire.locality import NotAllowedError, parse_local, parse_loopback
from wire.summary import LinkSummary, merge_drops

_log = logging.getLogger(__name__)

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
        self._alarm = Alarm(lambda: self._pump(monotonic_ns()))
        self._unsent = 0
        self._was_live = False

    async def start(self) -> None:
        """Open the endpoints and start calling the drone.

        Raises:
            NotAllowedError: An endpoint's address is taken.
        """
        config = self._config
        for text in config.mavlink_out:
            self.endpoints.append(UdpOut(parse_loopback(text), self._from_tools))
        if config.mavlink_udp is not None:
            with _naming("mavlink_udp", config.mavlink_udp, self.name):
                server = UdpServer(parse_loopback(config.mavlink_udp), self._from_tools)
            self.endpoints.append(server)
        if config.mavlink_tcp is not None:
            tcp = TcpServer(self._from_tools)
            with _naming("mavlink_tcp", config.mavlink_tcp, self.name):
                await tcp.start(parse_loopback(config.mavlink_tcp))
            self.endpoints.append(tcp)
        self._loop.add_reader(self._sock.fileno(), self._from_link)
        self._pump(monotonic_ns())

    def close(self) -> None:
        """Stop at once."""
        self._alarm.cancel()
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

    def _pump(self, now_ns: int) -> None:
        station = self.station
        self._send()
        deadline_ns = station.deadline_ns()
        if deadline_ns is not None and deadline_ns <= now_ns:
            station.tick(now_ns)
            self._send()
            deadline_ns = station.deadline_ns()
        self._alarm.set(deadline_ns, now_ns)
        if station.is_live(now_ns) != self._was_live:
            self._was_live = not self._was_live
            _log.info("%s: link %s", self.name, "up" if self._was_live else "lost")

    def _send(self) -> None:
        for datagram in self.station.outgoing():
            try:
                self._sock.send(datagram)
            except OSError:
                # No route, no buffer, nobody there: the link is lossy, and freshness will tell.
                self._unsent += 1


@contextlib.contextmanager
def _naming(key: str, text: str, drone: str) -> Iterator[None]:
    """Turn a failure to listen into an error that says which key of which drone is at fault."""
    try:
        yield
    except OSError as error:
        allowed = f"a loopback address whose port is free ({error.strerror})"
        raise NotAllowedError(f"drone {drone!r}: {key}", text, allowed) from None


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
