"""The companion's shell: owns the clock, the line and the link's socket; decides nothing."""

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import Final

from crypto.pair import PairRecord
from flightcore.aio.ports import Port, UdpPort
from flightcore.companion import Companion, CompanionStatus
from flightcore.config import UDP_DEVICE, DroneConfig
from wire.aio.alarm import Alarm, monotonic_ns
from wire.aio.serial_line import SerialLine
from wire.locality import NotAllowedError, parse_local

_BURST: Final = 64
_RECEIVE_BUFFER_BYTES: Final = 1 << 22
_MAX_DATAGRAM = 2048


class CompanionService:
    """Run one companion until closed."""

    def __init__(self, config: DroneConfig, pairs: Sequence[PairRecord], boot_count: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._companion = Companion(pairs, boot_count, os.urandom)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        try:
            self._socket.bind(parse_local(config.link.udp.bind))
        except OSError as error:
            allowed = f"an address of this machine whose port is free ({error.strerror})"
            raise NotAllowedError("link.udp.bind", config.link.udp.bind, allowed) from None
        device = config.autopilot.device
        self._port: Port
        if device.startswith(UDP_DEVICE):
            self._port = UdpPort(parse_local(device.removeprefix(UDP_DEVICE)), self._from_line)
        else:
            self._port = SerialLine(
                "autopilot.device",
                device,
                config.autopilot.baud,
                self._from_line,
                self._line_lost,
            )
        self._device = device
        self._alarm = Alarm(lambda: self._pump(monotonic_ns()))
        self._unsent = 0

    def start(self) -> None:
        """Open the line and the link."""
        self._port.start()
        self._loop.add_reader(self._socket.fileno(), self._from_link)
        self._pump(monotonic_ns())

    def close(self) -> None:
        """Stop at once; nothing is waiting that a later start would miss."""
        self._alarm.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        self._port.close()

    def status(self) -> CompanionStatus:
        """Describe everything that is counted."""
        status = self._companion.status(monotonic_ns())
        status.autopilot["device"] = self._device
        status.autopilot["line"] = "open" if self._port.is_open else "absent"
        status.autopilot["unsent_bytes"] = self._port.unsent_dropped
        if self._unsent:
            status.link.dropped["not_sent"] = self._unsent
        return status

    def _from_line(self, data: bytes) -> None:
        now_ns = monotonic_ns()
        self._companion.receive_line(data, now_ns)
        self._pump(now_ns)

    def _line_lost(self) -> None:
        self._companion.line_lost()

    def _from_link(self) -> None:
        now_ns = monotonic_ns()
        for _ in range(_BURST):
            try:
                datagram, path = self._socket.recvfrom(_MAX_DATAGRAM)
            except (BlockingIOError, ConnectionRefusedError):
                break
            self._companion.receive_link(datagram, path, now_ns)
            self._send()
        self._pump(now_ns)

    def _pump(self, now_ns: int) -> None:
        self._send()
        deadline_ns = self._companion.deadline_ns()
        if deadline_ns is not None and deadline_ns <= now_ns:
            self._companion.tick(now_ns)
            self._send()
            deadline_ns = self._companion.deadline_ns()
        self._alarm.set(deadline_ns, now_ns)

    def _send(self) -> None:
        to_line = self._companion.outgoing_line()
        if to_line:
            self._port.write(to_line)
        for datagram, path in self._companion.outgoing_link():
            try:
                self._socket.sendto(datagram, path)
            except OSError:
                # No route, no buffer, nobody there: the link is lossy, and freshness will tell.
                self._unsent += 1
