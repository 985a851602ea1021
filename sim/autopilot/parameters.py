"""The parameter table and its protocol: list, read, set, as ArduCopter answers them."""

import json
import math
import re
from collections import deque
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Final

import numpy as np
from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.outbox import Outbox, Severity

_INTEGER_RANGE: Final[dict[int, tuple[int, int]]] = {
    dialect.MAV_PARAM_TYPE_INT8: (-(2**7), 2**7 - 1),
    dialect.MAV_PARAM_TYPE_INT16: (-(2**15), 2**15 - 1),
    dialect.MAV_PARAM_TYPE_INT32: (-(2**31), 2**31 - 1),
}
# What ArduPilot marks for internal use. FORMAT_VERSION is not among them: the recorded vehicle let
# it be written.
_READ_ONLY: Final = re.compile(r"(MIS|FENCE|RALLY)_TOTAL|BARO\d_GND_PRESS|\w+_DEVID")
NO_INDEX: Final = 0xFFFF
_REQUESTS_MAX: Final = 20
# The list takes at most 30 % of the link: 1,354 frames of 37 bytes in about 5 s, as measured on
# the real autopilot at 921,600 baud.
_LIST_PER_S: Final = 270.0


@cache
def _default_table() -> list[tuple[str, float, int]]:
    text = resources.files("sim").joinpath("data", "arducopter-params.json").read_text()
    return [(name, float(value), int(kind)) for name, value, kind in json.loads(text)]


class Parameters:
    """The table. Invariant: every value is finite and fits its type. Values are float32.

    Attributes:
        changes: How often a value has been stored, so that who depends on some may wait for one.
    """

    def __init__(self) -> None:
        table = _default_table()
        self.names = [name for name, _, _ in table]
        self._default = {name: value for name, value, _ in table}
        self._value = dict(self._default)
        self._kind = {name: kind for name, _, kind in table}
        self.changes = 0

    def __getitem__(self, name: str) -> float:
        return self._value[name]

    def __contains__(self, name: str) -> bool:
        return name in self._value

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[str, float, int]]:
        for name in self.names:
            yield name, self._value[name], self._kind[name]

    def default(self, name: str) -> float:
        """Return what a parameter is without anybody's setting."""
        return self._default[name]

    def bits(self, name: str) -> int:
        """Return a bit mask parameter."""
        return int(self._value[name])

    def store(self, name: str, value: float) -> None:
        """Set a parameter from inside the vehicle, in its own type."""
        limits = _INTEGER_RANGE.get(self._kind[name])
        if limits is not None:
            value = float(min(max(math.floor(value + 0.5), limits[0]), limits[1]))
        self._value[name] = float(np.float32(value))
        self.changes += 1

    def message(self, name: str, index: int = NO_INDEX) -> dialect.MAVLink_message:
        """Return the PARAM_VALUE of a known parameter."""
        return dialect.MAVLink_param_value_message(
            name.encode(), self._value[name], self._kind[name], len(self.names), index
        )


class ParameterProtocol:
    """Answers the PARAM messages. The zero state streams nothing."""

    def __init__(self, parameters: Parameters, outbox: Outbox) -> None:
        self._parameters = parameters
        self._outbox = outbox
        self._next = 0
        self._end = 0
        self._credit = 0.0
        self._requests: deque[tuple[str, int]] = deque()

    def request_list(self) -> None:
        """Start the list, or start it again."""
        self._next, self._end, self._credit = 0, len(self._parameters), 0.0

    def request_read(self, name: str, index: int) -> None:
        """Queue one read; the queue is as short as ArduPilot's and drops what is too much."""
        if len(self._requests) < _REQUESTS_MAX:
            self._requests.append((name, index))

    def set(self, name: str, value: float) -> bool:
        """Act on PARAM_SET; return whether the table changed.

        An unknown name and a value that is not finite are ignored without an answer; a parameter
        of the vehicle's own answers with what it was.
        """
        if name not in self._parameters or not math.isfinite(value):
            return False
        writable = _READ_ONLY.fullmatch(name) is None
        if writable:
            self._parameters.store(name, value)
        else:
            self._outbox.text(Severity.WARNING, f"Param write denied ({name})")
        self.announce(name)
        return writable

    def announce(self, name: str) -> None:
        """Tell the link the value of a parameter that was set."""
        self._outbox.send_later(self._parameters.message(name))

    def step(self, dt_s: float) -> None:
        """Send what the pace allows of the list, and the queued reads."""
        names = self._parameters.names
        while self._requests:
            name, index = self._requests.popleft()
            if index >= 0:
                if index < len(names):
                    self._outbox.send(self._parameters.message(names[index], index))
            elif name in self._parameters:
                self._outbox.send(self._parameters.message(name))
        if self._next < self._end:
            self._credit += _LIST_PER_S * dt_s
            while self._credit >= 1.0 and self._next < self._end:
                self._credit -= 1.0
                self._outbox.send(self._parameters.message(names[self._next], self._next))
                self._next += 1
