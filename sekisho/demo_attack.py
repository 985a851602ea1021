"""`sekisho demo --attack`: a hostile relay between gateway and companion, and what it achieves.

An attack succeeds if a frame of its making reaches the autopilot. While one runs the operator is
silent, so every frame that the companion forwards in that time counts against us; for held-back
commands, every one that is still executed does. What each attack does is a script in
`sim/data/attacks`, and `sekisho channel --script` plays the same.
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

from sim.channel.air import Air
from sim.channel.script import Script, Way, attack
from wire.locality import Address
from wire.mavlink import dialect

HELD_COMMANDS: Final = 5
_CLEAR: Final = Script(())
_SETTLE_S = 0.5
_POLL_S = 0.05
# What each is counted by: what the air says it has made of datagrams.
_MADE: Final = {
    "replay": "replayed",
    "tamper": "tampered",
    "inject": "injected",
    "flood": "injected",
    "reflect": "reflected",
}


class Outcome(msgspec.Struct):
    """How often an attack was tried and how often it got through."""

    tried: int
    succeeded: int


class HostileRelay:
    """A UDP relay on its own thread; the gateway calls it, it calls the companion."""

    def __init__(self, drone: Address) -> None:
        mav = dialect.MAVLink(None, srcSystem=255, srcComponent=dialect.MAV_COMP_ID_MISSIONPLANNER)
        terminate = dialect.MAVLink_command_long_message(1, 1, 185, 0, 1, 0, 0, 0, 0, 0, 0)
        disarm = dialect.MAVLink_command_long_message(1, 1, 400, 0, 0, 21196, 0, 0, 0, 0, 0)
        plain = [bytes(message.pack(mav)) for message in (terminate, disarm)]
        self._air = Air(Script((), seed=secrets.randbelow(1 << 32)), forged=plain)
        self._lock = threading.Lock()  # around the air: one plays, the other relays
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        self._back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._back.connect(drone)
        self.port: int = self._front.getsockname()[1]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop relaying."""
        self._stopping.set()
        self._thread.join()
        for sock in (self._front, self._back):
            sock.close()

    def attack(
        self, forwarded: Callable[[], int], give_command: Callable[[], None]
    ) -> dict[str, Outcome]:
        """Try everything once; `forwarded` counts what has reached the autopilot so far."""
        outcomes = {}
        for name, made in _MADE.items():
            before, made_before = forwarded(), self._air.counts[made]
            time.sleep(self._play(attack(name)))
            tried = self._air.counts[made] - made_before
            outcomes[name] = Outcome(tried, self._settled(forwarded) - before)
        before = forwarded()
        rest_s = self._play(attack("delay"))
        for _ in range(HELD_COMMANDS):
            give_command()
            time.sleep(0.1)
        time.sleep(rest_s - 0.1 * HELD_COMMANDS)
        outcomes["delay"] = Outcome(HELD_COMMANDS, self._settled(forwarded) - before)
        with self._lock:
            self._air.play(_CLEAR, time.monotonic_ns())
        return outcomes

    def _play(self, script: Script) -> float:
        with self._lock:
            self._air.play(script, time.monotonic_ns())
        return script.ends_s

    def _settled(self, forwarded: Callable[[], int]) -> int:
        time.sleep(_SETTLE_S)
        return forwarded()

    def _relay(self) -> None:
        ground: Address | None = None
        while not self._stopping.is_set():
            ready, _, _ = select.select([self._front, self._back], [], [], self._wait_s())
            with self._lock:
                for sock in ready:
                    with contextlib.suppress(ConnectionRefusedError):
                        if sock is self._front:
                            datagram, ground = self._front.recvfrom(2048)
                            self._air.send(Way.FORTH, datagram, time.monotonic_ns())
                        else:
                            datagram = self._back.recv(2048)
                            self._air.send(Way.BACK, datagram, time.monotonic_ns())
                arrived = self._air.outgoing(time.monotonic_ns())
            for way, datagram in arrived:
                with contextlib.suppress(ConnectionRefusedError):
                    if way is Way.FORTH:
                        self._back.send(datagram)
                    elif ground is not None:
                        self._front.sendto(datagram, ground)

    def _wait_s(self) -> float:
        with self._lock:
            deadline_ns = self._air.deadline_ns()
        if deadline_ns is None:
            return _POLL_S
        return min(max((deadline_ns - time.monotonic_ns()) * 1e-9, 0.0), _POLL_S)
