"""Loopback MAVLink endpoints: the ordinary plain MAVLink that existing ground software speaks.

Each takes whole frames out of what a client sends and hands every client the same bytes. Only
loopback addresses ever get here (`groundstation.config`).
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

from wire.locality import Address
from wire.mavlink import FrameSplitter, Noise

OnFrames = Callable[[list[bytes]], None]

MAX_CLIENTS: Final = 16
CLIENT_SILENCE_S: Final = 60.0
MAX_BEHIND_BYTES: Final = 1 << 20
_BURST = 64
_MAX_DATAGRAM = 65535


class Endpoint(Protocol):
    """A place where ground software connects."""

    dropped: Counter[str]

    def send(self, data: bytes) -> None:
        """Give MAVLink bytes to every client; never waits."""

    def close(self) -> None:
        """Let all clients go."""


def _socket(receive_bytes: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    return sock


class UdpOut:
    """Send to one address where a client listens; take what that address answers."""

    def __init__(self, target: Address, on_frames: OnFrames) -> None:
        self.dropped: Counter[str] = Counter()
        self._on_frames = on_frames
        self._splitter = FrameSplitter(self.dropped)
        self._loop = asyncio.get_running_loop()
        self._sock = _socket(1 << 20)
        self._sock.connect(target)  # so that only this address is heard
        self._loop.add_reader(self._sock.fileno(), self._readable)

    def send(self, data: bytes) -> None:
        """Give MAVLink bytes to the client, if one listens."""
        try:
            self._sock.send(data)
        except OSError:
            self.dropped["nobody_listening"] += 1

    def close(self) -> None:
        """Let the client go."""
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _readable(self) -> None:
        frames: list[bytes] = []
        for _ in range(_BURST):
            try:
                frames += self._splitter.receive(self._sock.recv(_MAX_DATAGRAM))
            except ConnectionRefusedError:
                continue
            except BlockingIOError:
                break
        if frames:
            self._on_frames(frames)


class _Client:
    __slots__ = ("heard_s", "splitter")

    def __init__(self, dropped: Counter[str]) -> None:
        self.splitter = FrameSplitter(dropped)
        self.heard_s = 0.0


class UdpServer:
    """Serve clients that speak first: whoever has sent a valid frame in the last minute.

    A datagram that holds no MAVLink frame makes nobody a client, so a stray byte diverts nothing.
    """

    def __init__(self, bind: Address, on_frames: OnFrames) -> None:
        self.dropped: Counter[str] = Counter()
        self._on_frames = on_frames
        self._clients: dict[Address, _Client] = {}
        self._loop = asyncio.get_running_loop()
        self._sock = _socket(1 << 20)
        self._sock.bind(bind)
        self._loop.add_reader(self._sock.fileno(), self._readable)

    def send(self, data: bytes) -> None:
        """Give MAVLink bytes to every client."""
        oldest = self._loop.time() - CLIENT_SILENCE_S
        for address, client in list(self._clients.items()):
            if client.heard_s < oldest:
                del self._clients[address]
                continue
            try:
                self._sock.sendto(data, address)
            except OSError:
                self.dropped["nobody_listening"] += 1

    def close(self) -> None:
        """Let all clients go."""
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _readable(self) -> None:
        for _ in range(_BURST):
            try:
                data, address = self._sock.recvfrom(_MAX_DATAGRAM)
            except ConnectionRefusedError:
                continue
            except BlockingIOError:
                break
            client = self._clients.get(address) or _Client(self.dropped)
            mavlink_1 = self.dropped[Noise.MAVLINK_1]
            frames = client.splitter.receive(data)
            if frames or self.dropped[Noise.MAVLINK_1] > mavlink_1:
                self._welcome(address, client)
            if frames:
                self._on_frames(frames)

    def _welcome(self, address: Address, client: _Client) -> None:
        """Note a client that spoke MAVLink; a MAVLink 1 speaker learns version 2 by listening."""
        if address not in self._clients and len(self._clients) >= MAX_CLIENTS:
            stalest = min(self._clients, key=lambda known: self._clients[known].heard_s)
            del self._clients[stalest]
        client.heard_s = self._loop.time()
        self._clients[address] = client


class TcpServer:
    """Serve any number of TCP clients up to a limit; one that stops reading is let go."""

    def __init__(self, on_frames: OnFrames) -> None:
        self.dropped: Counter[str] = Counter()
        self._on_frames = on_frames
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self, bind: Address) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, *bind)

    def send(self, data: bytes) -> None:
        """Give MAVLink bytes to every client."""
        for writer in list(self._writers):
            if writer.transport.get_write_buffer_size() > MAX_BEHIND_BYTES:
                self.dropped["slow_client"] += 1
                self._writers.discard(writer)
                writer.transport.abort()
            else:
                writer.write(data)

    def close(self) -> None:
        """Let all clients go."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._writers) >= MAX_CLIENTS:
            self.dropped["too_many_clients"] += 1
            writer.close()
            return
        splitter = FrameSplitter(self.dropped)
        self._writers.add(writer)
        try:
            while data := await reader.read(_MAX_DATAGRAM):
                frames = splitter.receive(data)
                if frames:
                    self._on_frames(frames)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client or the gateway is leaving; nothing waits for this task
        finally:
            self._writers.discard(writer)
            writer.close()
