"""The autopilot's side of `sekisho doctor`: the pre-arm gate as the running service knows it.

Without a service the line is opened here, with the same cores.
"""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec
import serial

from flightcore.aio.port_finder import candidates, find
from flightcore.autopilot import AUTOPILOT_COMPID, Autopilot
from flightcore.config import DroneConfig
from flightcore.parameters import UNDER_WAY, Parameters
from flightcore.policy import FlightState
from flightcore.prearm import PrearmGate, PrearmStatus, requirements
from flightcore.remote_id import RemoteId, is_transmitters
from flightcore.voice import Voice
from flightcore.watch import Part
from sekisho.runtime import OperationFailedError, query
from sekisho.services import WriteParameter
from wire.aio.alarm import monotonic_ns

READ_S: Final = 6.0
_WRITE_S: Final = 4.0
_POLL_S: Final = 0.05


class Asked(Protocol):
    """Somebody who knows the gate, and can write a parameter."""

    def gate(self) -> PrearmStatus | None:
        """Return the gate once everything has been read or had its time; None without autopilot."""

    def state(self) -> str:
        """Return what the autopilot says of itself: silent, disarmed or armed."""

    def write(self, name: str, value: float) -> str:
        """Write one parameter and read it back; return what became of it."""


class _AutopilotReport(msgspec.Struct):
    state: str


class _Report(msgspec.Struct):
    pid: int
    autopilot: _AutopilotReport
    prearm: PrearmStatus


class ServiceAsked:
    """The running service."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _report(self) -> _Report:
        return msgspec.json.decode(query(self._path), type=_Report)

    def pid(self) -> int:
        """Return the process that answers."""
        return self._report().pid

    def state(self) -> str:
        """Return what the autopilot says of itself."""
        return self._report().autopilot.state

    def gate(self) -> PrearmStatus | None:
        """Return the gate, having given a service that has just started time to read."""
        _wait(lambda: _is_read(self._report().prearm), READ_S)
        report = self._report()
        return None if report.autopilot.state == "silent" else report.prearm

    def write(self, name: str, value: float) -> str:
        """Write one parameter and read it back."""
        request = msgspec.json.encode(WriteParameter(name, value))
        answer = query(self._path, request).decode()
        if answer != UNDER_WAY:
            return answer
        _wait(lambda: self._report().prearm.writes.get(name, UNDER_WAY) != UNDER_WAY, _WRITE_S)
        return self._report().prearm.writes.get(name, UNDER_WAY)


class LineAsked:
    """The line itself, while no service has it."""

    def __init__(self, config: DroneConfig) -> None:
        where = find(config.autopilot, candidates)
        if where is None:
            raise OperationFailedError("no autopilot is heard on any serial device")
        self._port = serial.Serial(*where, timeout=_POLL_S, exclusive=True)
        self._autopilot = Autopilot()
        self._voice = Voice(self._autopilot)
        options = config.prearm_options
        table = requirements(options)
        names = [row.names for row in table]
        self._parameters = Parameters(names, self._autopilot, self._voice)
        remote_id = RemoteId() if options.requires_remote_id else None
        self._gate = PrearmGate(table, self._parameters, self._voice, options, remote_id)
        self._listening: list[Part] = [self._parameters]
        if remote_id is not None:
            self._listening.append(remote_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._port.close()

    def state(self) -> str:
        """Return what the autopilot says of itself now."""
        self._exchange(lambda: False, 1.5)
        state = self._autopilot.flight_state(monotonic_ns())
        return "silent" if state is FlightState.UNKNOWN else state.value

    def gate(self) -> PrearmStatus | None:
        """Return the gate when everything has been read, or had its time."""
        self._exchange(lambda: _is_read(self._gate.describe(monotonic_ns())), READ_S)
        is_heard = self._autopilot.is_heard(monotonic_ns())
        return self._gate.describe(monotonic_ns()) if is_heard else None

    def write(self, name: str, value: float) -> str:
        """Write one parameter and read it back."""
        refusal = self._parameters.write(name, value, monotonic_ns())
        if refusal is not None:
            return refusal
        self._exchange(lambda: self._parameters.describe_writes()[name] != UNDER_WAY, _WRITE_S)
        return self._parameters.describe_writes()[name]

    def _exchange(self, done: Callable[[], bool], timeout_s: float) -> None:
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s and not done():
            data = self._port.read(max(1, self._port.in_waiting))
            now_ns = monotonic_ns()
            for frame in self._autopilot.receive(data, now_ns):
                number = int.from_bytes(frame[7:10], "little")
                is_its_word = frame[5:7] == bytes((self._autopilot.sysid or 0, AUTOPILOT_COMPID))
                if is_its_word or is_transmitters(frame):
                    for part in self._listening:
                        if number in part.watched:
                            part.receive(frame, now_ns)
            self._parameters.tick(now_ns)
            self._port.write(b"".join(self._voice.outgoing().to_line))


def _is_read(gate: PrearmStatus) -> bool:
    are_read = all(parameter.value is not None for parameter in gate.parameters.values())
    return are_read and gate.hindrance is None


def _wait(done: Callable[[], bool], timeout_s: float) -> None:
    until_s = time.monotonic() + timeout_s
    while time.monotonic() < until_s and not done():
        time.sleep(_POLL_S)
