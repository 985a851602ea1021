"""`sekisho demo --attack`: a hostile relay between gateway and companion, and what it achieves.

An attack succeeds if a frame of its making reaches the autopilot. While one runs the operator is
silent, so every frame that the companion forwards in that time counts against us; for held-back
commands, every one that is still executed does.
"""

import contextlib
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec

from sim.channel.attacks import HostileChannel
from wire.locality import Address
from wire.mavlink import dialect

HOLD_S: Final = 2.5
TRIES: Final = 600
HELD_COMMANDS: Final = 5
_SETTLE_S = 0.5
_PACE_S = 0.0005
_POLL_S = 0.05


class Outcome(msgspec.Struct):
    """How often an attack was tried and how often it got through."""

    tried: int
    succeeded: int


class HostileRelay:
    """A UDP relay on its own thread; the gateway calls it, it calls the companion."""

    def __init__(self, drone: Address) -> None:
        self.channel = HostileChannel(secrets.randbelow)
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        self._back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._back.connect(drone)
        self._stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._stranger.connect(drone)
        self.port: int = self._front.getsockname()[1]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop relaying."""
        self._stopping.set()
        self._thread.join()
        for sock in (self._front, self._back, self._stranger):
            sock.close()

    def attack(
        self, forwarded: Callable[[], int], give_command: Callable[[], None]
    ) -> dict[str, Outcome]:
        """Try everything once; `forwarded` counts what has reached the autopilot so far."""
        channel = self.channel
        mav = dialect.MAVLink(None, srcSystem=255, srcComponent=dialect.MAV_COMP_ID_MISSIONPLANNER)
        terminate = dialect.MAVLink_command_long_message(1, 1, 185, 0, 1, 0, 0, 0, 0, 0, 0)
        disarm = dialect.MAVLink_command_long_message(1, 1, 400, 0, 0, 21196, 0, 0, 0, 0, 0)
        plain = [bytes(message.pack(mav)) for message in (terminate, disarm)]
        outcomes = {}
        for name, datagrams, through in (
            ("replay", channel.replayed(TRIES), self._back),
            ("tamper", channel.tampered(TRIES), self._back),
            ("inject", channel.injected(TRIES, plain), self._stranger),
        ):
            before = forwarded()
            for datagram in datagrams:
                with contextlib.suppress(OSError):
                    through.send(datagram)
                time.sleep(_PACE_S)
            time.sleep(_SETTLE_S)
            outcomes[name] = Outcome(len(datagrams), forwarded() - before)
        before = forwarded()
        channel.hold()
        for _ in range(HELD_COMMANDS):
            give_command()
            time.sleep(0.1)
        time.sleep(HOLD_S)
        for datagram in channel.release():
            self._back.send(datagram)
        time.sleep(_SETTLE_S)
        outcomes["delay"] = Outcome(HELD_COMMANDS, forwarded() - before)
        return outcomes

    def _relay(self) -> None:
        ground: Address | None = None
        while not self._stopping.is_set():
            ready, _, _ = select.select([self._front, self._back], [], [], _POLL_S)
            for sock in ready:
                with contextlib.suppress(ConnectionRefusedError):
                    if sock is self._front:
                        datagram, ground = self._front.recvfrom(2048)
                        for passed in self.channel.pass_up(datagram):
                            self._back.send(passed)
                    else:
                        datagram = self._back.recv(2048)
                        if ground is not None:
                            self._front.sendto(datagram, ground)
