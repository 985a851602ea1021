"""The channel as a process: between two UDP ports or two terminals, the air in between."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sim.aio.pty import Pty
from sim.channel.air import Air
from sim.channel.script import Way

PIECE_BYTES: Final = 64  # of a line: what a radio puts into one packet, and loses together


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


class _Proxy:
    """Moves datagrams and time; decides nothing. `forward` and `back` take what arrives."""

    def __init__(self, air: Air) -> None:
        self.forward: Callable[[bytes], None] = _lose
        self.back: Callable[[bytes], None] = _lose
        self._air = air
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def send(self, way: Way, data: bytes) -> None:
        self._air.send(way, data, time.monotonic_ns())
        self._deliver()

    def _deliver(self) -> None:
        now_ns = time.monotonic_ns()
        for way, datagram in self._air.outgoing(now_ns):
            if way is Way.FORTH:
                self.forward(datagram)
            else:
                self.back(datagram)
        self.close()
        deadline_ns = self._air.deadline_ns()
        if deadline_ns is not None:
            wait_s = max((deadline_ns - time.monotonic_ns()) * 1e-9, 0.0)
            self._timer = self._loop.call_later(wait_s, self._deliver)


def _lose(_datagram: bytes) -> None:
    """Lose what has nowhere to go yet."""


async def run(
    air: Air, listen: tuple[str, int], target: tuple[str, int], ready: Callable[[str], None]
) -> ProxySummary:
    """Carry datagrams between two UDP ports until SIGINT or SIGTERM.

    Args:
        air: What happens to them.
        listen: Address the side that begins sends to; port 0 takes a free one.
        target: Address of the other side.
        ready: Called once with the address taken.

    Raises:
        OSError: The address is taken, or there is no way to the other.
    """
    loop = asyncio.get_running_loop()
    ended = _until_signal()
    proxy = _Proxy(air)
    client: tuple[str, int] | None = None

    def from_near(data: bytes, addr: tuple[str, int]) -> None:
        nonlocal client
        client = addr  # it answers whom it heard last
        proxy.send(Way.FORTH, data)

    def from_far(data: bytes, _addr: tuple[str, int]) -> None:
        proxy.send(Way.BACK, data)

    near, _ = await loop.create_datagram_endpoint(lambda: _Port(from_near), local_addr=listen)
    far, _ = await loop.create_datagram_endpoint(lambda: _Port(from_far), remote_addr=target)

    def back(data: bytes) -> None:
        if client is not None:
            near.sendto(data, client)

    proxy.forward, proxy.back = far.sendto, back
    try:
        host, port = near.get_extra_info("sockname")[:2]
        ready(f"{host}:{port}")
        interrupted = await ended
    finally:
        proxy.close()
        near.close()
        far.close()
    return ProxySummary(dict(air.counts), interrupted)


async def run_tty(air: Air, near: Path, far: Path, ready: Callable[[str], None]) -> ProxySummary:
    """Be a serial radio between two pseudo-terminals until SIGINT or SIGTERM.

    Bytes are carried in pieces of `PIECE_BYTES`, which share their fate. A terminal that nobody
    has opened loses what it is sent.

    Args:
        air: What happens to the pieces.
        near: Symbolic link to the terminal of the side that begins.
        far: That of the other side.
        ready: Called with each link once it can be opened.

    Raises:
        LinkInUseError: Something that is not a symbolic link is there.
        OSError: There is no terminal to be had, or the link cannot be made.
    """
    loop = asyncio.get_running_loop()
    ended = _until_signal()
    proxy = _Proxy(air)
    with ExitStack() as stack:
        ends = []
        for link in (near, far):
            pty = Pty()
            stack.callback(pty.close)
            pty.link(link)
            ends.append(pty)

        def read(pty: Pty, way: Way) -> None:
            data = pty.read()
            for at in range(0, len(data), PIECE_BYTES):
                proxy.send(way, data[at : at + PIECE_BYTES])

        proxy.forward = lambda data: ends[1].write(data, time.monotonic())
        proxy.back = lambda data: ends[0].write(data, time.monotonic())
        for pty, way in zip(ends, (Way.FORTH, Way.BACK), strict=True):
            loop.add_reader(pty.fd, read, pty, way)
            stack.callback(loop.remove_reader, pty.fd)
        stack.callback(proxy.close)
        for link in (near, far):
            ready(str(link))
        interrupted = await ended
    return ProxySummary(dict(air.counts), interrupted)


def _until_signal() -> Awaitable[bool]:
    """Return what ends with SIGINT or SIGTERM, and tells whether it was the first."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[bool] = loop.create_future()

    def end(interrupted: bool) -> None:  # noqa: FBT001 - which signal
        if not ended.done():
            ended.set_result(interrupted)

    loop.add_signal_handler(signal.SIGINT, end, True)  # noqa: FBT003 - as above
    loop.add_signal_handler(signal.SIGTERM, end, False)  # noqa: FBT003 - as above
    return ended


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
