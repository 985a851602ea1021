"""The hostile places: a proxy on the radio path, and the far end of the serial line."""

import select
import socket
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Self

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from tests.e2e.processes import wait_until
from tests.e2e.vehicles import Line

LOOPBACK = "127.0.0.1"
# What ArduPilot takes for an operator: never said of the companion's own accord.
PRESENCE = {"HEARTBEAT", "RC_CHANNELS_OVERRIDE", "MANUAL_CONTROL"}


class Captured(NamedTuple):
    is_up: bool
    datagram: bytes


class LinkProxy:
    """Stands between ground and drone: keeps every datagram, may hold some back, may send more."""

    def __init__(self) -> None:
        self.captured: list[Captured] = []
        self._held: list[bytes] = []
        self._holds = False
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind((LOOPBACK, 0))
        self._back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._back.bind((LOOPBACK, 0))
        self.port = self._front.getsockname()[1]
        self.drone_port = 0
        self._ground = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            for readable in select.select([self._front, self._back], [], [], 0.1)[0]:
                is_up = readable is self._front
                datagram, sender = readable.recvfrom(65536)
                self.captured.append(Captured(is_up, datagram))
                if is_up:
                    self._ground = sender
                if is_up and self._holds:
                    self._held.append(datagram)
                elif is_up:
                    self.to_drone(datagram)
                else:
                    self.to_ground(datagram)

    def to_drone(self, datagram: bytes) -> None:
        self._back.sendto(datagram, (LOOPBACK, self.drone_port))

    def to_ground(self, datagram: bytes) -> None:
        if self._ground is not None:
            self._front.sendto(datagram, self._ground)

    def hold_back(self) -> None:
        """Deliver nothing that is on its way up, until released."""
        self._held.clear()
        self._holds = True

    def caught(self, kind: Callable[[bytes], bool], timeout_s: float = 10) -> bytes:
        """Return the first datagram of a kind that is held back."""
        return wait_until(
            lambda: next(filter(kind, self._held), None),
            timeout_s,
            "a datagram of the kind is sent",
            every_s=0.01,
        )

    def release(self) -> None:
        """Deliver what is held back, and everything from now on."""
        self._holds = False
        for datagram in self._held:
            self.to_drone(datagram)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._front.close()
        self._back.close()


class BenchAutopilot:
    """A disarmed autopilot that only says so, and keeps what the companion tells it."""

    SYSID = 1

    def __init__(self, line: Line) -> None:
        self._line = line
        self._received = bytearray()
        self._ended = threading.Event()
        self._packer = mavlink.MAVLink(None, srcSystem=self.SYSID, srcComponent=1)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        next_heartbeat = 0.0
        while not self._ended.is_set():
            if time.monotonic() >= next_heartbeat:
                next_heartbeat = time.monotonic() + 0.2
                message = mavlink.MAVLink_heartbeat_message(2, 3, 81, 0, 3, 3)
                self._line.write(bytes(message.pack(self._packer)), timeout_s=0)
            if select.select([self._line], [], [], 0.05)[0]:
                self._received += self._line.read()

    def take(self) -> list[mavlink.MAVLink_message]:
        """Return what was received since the last time, without what the companion itself asks.

        Fails if there was a byte that is no part of a valid frame.
        """
        received, self._received = self._received, bytearray()
        parser = mavlink.MAVLink(None)  # raises on a bad frame
        messages = parser.parse_buffer(received) or []
        assert len(parser.buf) <= parser.buf_index, "the line ends within a frame"
        companion = (self.SYSID, mavlink.MAV_COMP_ID_ONBOARD_COMPUTER)
        own = [m for m in messages if (m.get_srcSystem(), m.get_srcComponent()) == companion]
        assert not {m.get_type() for m in own} & PRESENCE
        return [m for m in messages if m not in own]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
