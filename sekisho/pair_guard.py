"""No pairing while armed (R9): ask the service, or listen to the autopilot. Nor of a ninth peer."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic_ns
from typing import Final

import msgspec
import serial

from crypto.aio.files import StoreError
from crypto.aio.store import Store
from crypto.responder import MAX_PEERS
from crypto.revocation import usable_pairs
from flightcore.aio.port_finder import candidates, find
from flightcore.autopilot import SILENCE_NS, Autopilot
from flightcore.config import UDP_DEVICE, AutopilotConfig
from flightcore.policy import FlightState
from sekisho.runtime import query, socket_path
from wire.locality import parse_local

_POLL_S: Final = 0.1


class RefusedError(Exception):
    """Pairing is not allowed now; the text says why and what to do."""


class _AutopilotStatus(msgspec.Struct):
    state: str


class _Status(msgspec.Struct):
    autopilot: _AutopilotStatus


def check_room(store: Store, name: str | None) -> None:
    """Return if a drone can have another ground station, or the one called `name` anew.

    Raises:
        StoreError: It has as many as it can serve.
    """
    usable, _ = usable_pairs(store.load_pairs(), store.load_revocations())
    others = [pair.peer for pair in usable if pair.peer != name]
    if len(others) >= MAX_PEERS:
        raise StoreError(
            f"{store.directory / 'pairs'}: {len(others)} ground stations are paired "
            f"({', '.join(others)}), and a drone serves {MAX_PEERS}; remove one first: "
            "`sekisho keys remove`"
        )


@dataclass(frozen=True, slots=True)
class Guard:
    """What to ask about the vehicle. `no_autopilot` is the user's word that none is connected."""

    state_dir: Path
    autopilot: AutopilotConfig | None
    no_autopilot: bool

    def check(self) -> None:
        """Return if the vehicle is known to be disarmed.

        An autopilot that says it is armed is believed against the user's word that there is none.

        Raises:
            RefusedError: It is armed, or nothing was heard of it and there should be something.
        """
        state = self._ask_service() or self._listen()
        if state is FlightState.ARMED:
            raise RefusedError("the vehicle is armed: no pairing; land and disarm, then pair")
        if state is not FlightState.DISARMED and not self.no_autopilot:
            raise RefusedError(
                f"nothing tells whether the vehicle is armed ({self._unheard()}); connect and "
                "power the autopilot, or add --no-autopilot if none is connected"
            )

    def _unheard(self) -> str:
        if self.autopilot is None:
            return "no --config, and no service is running with this state"
        return f"no heartbeat on autopilot.device = {self.autopilot.device!r}"

    def _ask_service(self) -> FlightState | None:
        """Return the autopilot's state as the running service knows it, None if none runs."""
        try:
            answer = query(socket_path("drone", self.state_dir))
        except OSError:
            return None
        state = msgspec.json.decode(answer, type=_Status).autopilot.state
        return FlightState.UNKNOWN if state == "silent" else FlightState(state)

    def _listen(self) -> FlightState:
        """Return the last state heard in 3 s: the first may have waited in a buffer for long."""
        if self.autopilot is None:
            return FlightState.UNKNOWN
        autopilot = Autopilot()
        until_ns = monotonic_ns() + SILENCE_NS
        with contextlib.suppress(OSError):  # as silent as a line can be
            for data in _chunks(self.autopilot):
                now_ns = monotonic_ns()
                autopilot.receive(data, now_ns)
                if autopilot.state is FlightState.ARMED or now_ns > until_ns:
                    break
        return autopilot.state


def _chunks(config: AutopilotConfig) -> Iterator[bytes]:
    """Yield what the autopilot sends, and nothing every 0.1 s while it does not."""
    if config.device.startswith(UDP_DEVICE):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
            endpoint.settimeout(_POLL_S)
            endpoint.bind(parse_local(config.device.removeprefix(UDP_DEVICE)))
            while True:
                try:
                    yield endpoint.recv(2048)
                except TimeoutError:
                    yield b""
    else:
        found = find(config, candidates)
        if found is None:
            return
        with serial.Serial(*found, timeout=_POLL_S, exclusive=True) as port:
            port.reset_input_buffer()
            while True:
                yield port.read(max(1, port.in_waiting))
