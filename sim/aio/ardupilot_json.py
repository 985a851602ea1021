"""The socket of the JSON interface: answers ArduPilot as fast as it asks.

A blocking socket and nothing else: in lock-step there is never more than one packet to wait for,
and an event loop would cost as much as the physics.
"""

import contextlib
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Final

from sim.ardupilot_json import JsonPhysics

_LOG = logging.getLogger(__name__)
_WAIT_S: Final = 0.2
_PACKET_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class JsonSummary:
    """What happened.

    Attributes:
        vehicle_s: Simulated time. [s]
        wall_s: Real time from the first frame to the last. [s]
        speedup: Simulated over real time.
        busy_share: Share of that time this process worked.
        frames: Frames answered.
        repeats: Frames that came twice.
        gaps: Frames that never came.
        foreign: Packets that were none of ArduPilot's.
        interrupted: Whether SIGINT ended it, rather than ArduPilot's silence or SIGTERM.
    """

    vehicle_s: float
    wall_s: float
    speedup: float
    busy_share: float
    frames: int
    repeats: int
    gaps: int
    foreign: int
    interrupted: bool


class _Stop:
    """Set by a signal; the first one decides."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self.signal = self.signal or number


def serve(
    physics: JsonPhysics, port: int, silence_s: float, ready: Callable[[int], None]
) -> JsonSummary:
    """Answer ArduPilot on a port of this machine until it is silent or a signal comes.

    Args:
        physics: What flies.
        port: UDP port; 0 takes a free one.
        silence_s: Wall time without a packet, once there was one, after which it ends. [s]
        ready: Called once with the port.

    Raises:
        OSError: The port is taken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", port))
        line.settimeout(_WAIT_S)
        ready(line.getsockname()[1])
        with _signals() as stop:
            return _answer(physics, line, silence_s, stop)


def _answer(
    physics: JsonPhysics, line: socket.socket, silence_s: float, stop: _Stop
) -> JsonSummary:
    first_s = last_s = None
    busy_before = time.process_time()
    while stop.signal is None:
        try:
            packet, sender = line.recvfrom(_PACKET_BYTES)
        except TimeoutError:
            if last_s is not None and time.monotonic() - last_s > silence_s:
                _LOG.info("no packet for %.0f s: ArduPilot is gone", silence_s)
                break
            continue
        answer = physics.receive(packet)
        if answer is not None:
            # A peer that has just gone is noticed by its silence, not by this error.
            with contextlib.suppress(ConnectionRefusedError):
                line.sendto(answer, sender)
            physics.advance()
            last_s = time.monotonic()
            first_s = first_s if first_s is not None else last_s
    wall_s = last_s - first_s if first_s is not None and last_s is not None else 0.0
    return JsonSummary(
        vehicle_s=physics.now_s,
        wall_s=wall_s,
        speedup=physics.now_s / wall_s if wall_s > 0.0 else 0.0,
        busy_share=(time.process_time() - busy_before) / wall_s if wall_s > 0.0 else 0.0,
        frames=physics.frames,
        repeats=physics.repeats,
        gaps=physics.gaps,
        foreign=physics.foreign,
        interrupted=stop.signal == signal.SIGINT,
    )


@contextlib.contextmanager
def _signals() -> Iterator[_Stop]:
    """Let SIGINT and SIGTERM end the loop, and put back what they did before."""
    stop = _Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
