"""The flood: what is thrown at the drone's port, and who throws it.

The attacker hears the air (a packet socket on loopback), so it knows the session's index and the
counter, and has recordings; it has no keys. It may forge the ground station's own address, which is
the hardest for the drone: those datagrams wait in the same queue as the authentic ones.
"""

import multiprocessing
import os
import random
import socket
import struct
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

from benchmarks.datagrams import Address, Sender
from benchmarks.program import ProgramError

_ETH_P_IP: Final = 0x0800
_ETHER_BYTES: Final = 14
_PREPARED: Final = 4096
_TICK_S: Final = 0.001
_HS1_BYTES: Final = 76


class Air(NamedTuple):
    """What was heard: datagrams to the drone, the newest last, and where the ground sends from."""

    datagrams: list[bytes]
    ground: Address

    @property
    def frames(self) -> list[bytes]:
        """Sealed frames."""
        return [datagram for datagram in self.datagrams if datagram[0] & 0x80]


def listen(drone: Address, seconds: float) -> Air:
    """Hear the air for a while.

    Raises:
        ProgramError: This process may not, or nothing was heard.
    """
    try:
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_IP))
    except PermissionError:
        raise ProgramError("flood: hearing the air takes root (CAP_NET_RAW)") from None
    heard: list[bytes] = []
    ground = ("", 0)
    with tap:
        tap.bind(("lo", _ETH_P_IP))
        tap.settimeout(0.05)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                packet = tap.recv(4096)
            except TimeoutError:
                continue
            ip = packet[_ETHER_BYTES:]
            header = (ip[0] & 15) * 4
            source, target = struct.unpack_from("!HH", ip, header)
            if ip[9] == socket.IPPROTO_UDP and target == drone[1]:
                heard.append(ip[header + 8 :])
                ground = (socket.inet_ntoa(ip[12:16]), source)
    if not heard:
        raise ProgramError("flood: nothing was heard on the air")
    return Air(heard, ground)


def _garbage(draw: random.Random, _: Air) -> bytes:
    return draw.randbytes(draw.randint(1, 300))


def _forged(draw: random.Random, air: Air) -> bytes:
    """The right index, a counter that is to come, and nothing that authenticates."""
    newest = air.frames[-1]
    counter = int.from_bytes(newest[1:4], "big") + draw.randint(1, 200_000)
    return newest[:1] + counter.to_bytes(3, "big") + draw.randbytes(draw.randint(93, 180))


def _replayed(draw: random.Random, air: Air) -> bytes:
    return draw.choice(air.frames)


def _handshake(draw: random.Random, _: Air) -> bytes:
    """HS1 as it should be, but for the MAC that only a paired station can make."""
    return b"\x01\x01" + bytes((draw.randint(0, 1), draw.randint(0, 63))) + draw.randbytes(72)


KINDS: Final[dict[str, Callable[[random.Random, Air], bytes]]] = {
    "garbage": _garbage,
    "forged frames": _forged,
    "replays": _replayed,
    "handshakes": _handshake,
}
MIXED: Final = "all of these, and from the ground's own address"


class Flood:
    """A process that sends at a steady rate until it is told to stop."""

    def __init__(self, kind: str, air: Air, drone: Address, rate: int, cores: set[int]) -> None:
        draw = random.Random(kind)
        makers = list(KINDS.values()) if kind == MIXED else [KINDS[kind]]
        payloads = [makers[i % len(makers)](draw, air) for i in range(_PREPARED)]
        if kind == MIXED:
            sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            sock.connect((drone[0], 0))
            payloads = [_packet(payload, air.ground, drone) for payload in payloads]
        else:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(("127.0.0.66", 0))
            sock.connect(drone)
        context = multiprocessing.get_context("fork")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_send, args=(theirs, sock, payloads, rate, cores), daemon=True
        )
        self._process.start()
        sock.close()

    def stop(self) -> float:
        """End it; return how many datagrams a second it sent."""
        self._connection.send(None)
        rate = float(self._connection.recv())
        self._process.join()
        return rate


def _packet(payload: bytes, source: Address, target: Address) -> bytes:
    """Put a payload into IP and UDP headers of our choice; the kernel fills in the checksum."""
    length = 8 + len(payload)
    ends = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 255, socket.IPPROTO_UDP, 0)
    return ip + ends + struct.pack("!HHHH", source[1], target[1], length, 0) + payload


def _send(
    connection: Connection, sock: socket.socket, payloads: list[bytes], rate: int, cores: set[int]
) -> None:
    os.sched_setaffinity(0, cores)
    sender = Sender(sock, payloads)
    begun = time.perf_counter()
    sent = 0
    while not connection.poll(0):
        due = int((time.perf_counter() - begun) * rate) - sent
        if due > 0:
            sender.send(due)
            sent += due
        time.sleep(_TICK_S)
    connection.send(sent / (time.perf_counter() - begun))
