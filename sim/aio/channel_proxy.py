"""The channel as a process: a UDP port in front of another one, with the air in between."""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sim.channel.air import Air
from sim.channel.script import Way


@dataclass(frozen=True, slots=True)
class ProxySummary:
    """What happened to datagrams, by kind; and whether SIGINT ended it."""

    counts: dict[str, int]
    interrupted: bool


class _Port(asyncio.DatagramProtocol):
    """One side. What arrives goes to `receive`; errors of a peer that is gone mean nothing."""

    def __init__(self, receive: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._receive = receive

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take a datagram."""
        self._receive(data, addr)


async def run(
    air: Air, listen: tuple[str, int], target: tuple[str, int], ready: Callable[[str], None]
) -> ProxySummary:
    """Carry datagrams until SIGINT or SIGTERM.

    Args:
        air: What happens to them.
        listen: Address the side that begins sends to; port 0 takes a free one.
        target: Address of the other side.
        ready: Called once with the address taken.

    Raises:
        OSError: The address is taken, or there is no way to the other.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        ended.set()

    loop.add_signal_handler(signal.SIGINT, interrupt)
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    proxy = _Proxy(air)
    near, _ = await loop.create_datagram_endpoint(lambda: _Port(proxy.from_near), local_addr=listen)
    far, _ = await loop.create_datagram_endpoint(lambda: _Port(proxy.from_far), remote_addr=target)
    proxy.connect(near, far)
    try:
        host, port = near.get_extra_info("sockname")[:2]
        ready(f"{host}:{port}")
        await ended.wait()
    finally:
        proxy.close()
        near.close()
        far.close()
    return ProxySummary(dict(air.counts), interrupted)


class _Proxy:
    """Moves datagrams and time; decides nothing. It answers whom it heard last."""

    def __init__(self, air: Air) -> None:
        self._air = air
        self._loop = asyncio.get_running_loop()
        self._near: asyncio.DatagramTransport | None = None
        self._far: asyncio.DatagramTransport | None = None
        self._client: tuple[str, int] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connect(self, near: asyncio.DatagramTransport, far: asyncio.DatagramTransport) -> None:
        self._near, self._far = near, far

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def from_near(self, data: bytes, addr: tuple[str, int]) -> None:
        self._client = addr
        self._air.send(Way.FORTH, data, time.monotonic_ns())
        self._deliver()

    def from_far(self, data: bytes, _addr: tuple[str, int]) -> None:
        self._air.send(Way.BACK, data, time.monotonic_ns())
        self._deliver()

    def _deliver(self) -> None:
        assert self._near is not None
        assert self._far is not None
        now_ns = time.monotonic_ns()
        for way, datagram in self._air.outgoing(now_ns):
            if way is Way.FORTH:
                self._far.sendto(datagram)
            elif self._client is not None:
                self._near.sendto(datagram, self._client)
        self.close()
        deadline_ns = self._air.deadline_ns()
        if deadline_ns is not None:
            wait_s = max((deadline_ns - time.monotonic_ns()) * 1e-9, 0.0)
            self._timer = self._loop.call_later(wait_s, self._deliver)


def load_earlier(path: Path) -> dict[Way, list[bytes]]:
    """Read what a run before has kept: lines of a direction and hexadecimal digits.

    Raises:
        ValueError: It is no such file.
    """
    kept: dict[Way, list[bytes]] = {way: [] for way in Way}
    for line in path.read_text().splitlines():
        way, _, digits = line.partition(" ")
        kept[Way(way)].append(bytes.fromhex(digits))
    return kept


def keep(air: Air, path: Path) -> None:
    """Write what could be replayed, for a later run."""
    lines = [f"{way} {datagram.hex()}\n" for way in Way for datagram in air.heard(way)]
    path.write_text("".join(lines))
