"""The autopilot's parameters that the companion needs, as last read over the line.

Each is asked for by name, a few a second: ArduPilot queues 20 requests and drops what is too much.
What anyone else sets or reads is followed too, because the autopilot announces it on every line. It
does not do that everywhere (a write over USB may be echoed there only), so what has been read is
read again while the vehicle is disarmed, and is trusted for a stated time. In flight nothing is
read but what never was, and what is trusted stays so: motors are waiting for other things.

A parameter's answer does not say to whom. While an operator's tool waits for one of its own, what
is known already is not asked for.

A parameter may have had another name in an older version. All its names are asked for until one
is answered.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flightcore.autopilot import AUTOPILOT_COMPID, SILENCE_NS, Autopilot
from flightcore.policy import FlightState
from flightcore.voice import Voice
from wire.mavlink import HEADER_BYTES, dialect

READ_EVERY_NS: Final = 10_000_000_000
TRUST_NS: Final = 30_000_000_000
ASK_EVERY_NS: Final = 50_000_000  # between any two requests
ANSWER_NS: Final = 500_000_000  # until the same request goes out again, doubled each time
QUIET_NS: Final = 5_000_000_000  # after an operator's tool has asked for a parameter
LATEST_NS: Final = 20_000_000_000  # since it was read, however much the tools ask
WRITE_TRIES: Final = 4
UNDER_WAY: Final = "under way"
WRITTEN: Final = "written"
_REBOOT_MS: Final = 1000  # by so much time_boot_ms may go back between two kinds of messages

_HEARTBEAT: Final = dialect.MAVLINK_MSG_ID_HEARTBEAT
_PARAM_VALUE: Final = dialect.MAVLINK_MSG_ID_PARAM_VALUE
# Where these have time_boot_ms. A restart can be quicker than the silence that would show it.
_BOOT_TIME_AT: Final = {
    dialect.MAVLINK_MSG_ID_SYSTEM_TIME: 8,
    dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: 0,
}
_PARAMETER_REQUESTS: Final = frozenset(
    number.to_bytes(3, "little")
    for number in (
        dialect.MAVLINK_MSG_ID_PARAM_REQUEST_READ,
        dialect.MAVLINK_MSG_ID_PARAM_REQUEST_LIST,
        dialect.MAVLINK_MSG_ID_PARAM_SET,
    )
)
_VALUE: Final = struct.Struct("<fHH16s")
_FLOAT: Final = struct.Struct("<f")
_U32: Final = struct.Struct("<I")

Names = tuple[str, ...]
"""One parameter under all its names, the newest first."""


@dataclass(slots=True)
class _Entry:
    """What is known of one name."""

    value: float | None = None
    read_ns: int = 0
    due_ns: int = 0  # when to ask
    asked: int = 0  # in vain, since the last answer


@dataclass(slots=True)
class _Write:
    """A write under way, or what became of it."""

    value: float
    due_ns: int
    tries: int = 0
    result: str | None = None


class Parameters:
    """A part of `Watch`. The zero state has read nothing.

    Invariant: every value is finite, and came from the autopilot since it was last lost.
    """

    watched = frozenset((_HEARTBEAT, _PARAM_VALUE, *_BOOT_TIME_AT))

    def __init__(self, wanted: Sequence[Names], autopilot: Autopilot, voice: Voice) -> None:
        self._wanted = {names[0]: names for names in wanted}
        self._writable = tuple(self._wanted)
        self._autopilot = autopilot
        self._voice = voice
        self.forget()

    def forget(self) -> None:
        """Forget everything: what comes back may be another autopilot."""
        self._entries = {name: _Entry() for names in self._wanted.values() for name in names}
        self._writes: dict[str, _Write] = {}
        self._ask_ns = 0
        self._beat_ns: int | None = None
        self._boot_ms = 0
        self._state = FlightState.UNKNOWN
        self._kept_ns = 0  # while armed: until then what was trusted has not aged
        self._has_changed = True  # since `_deadline_ns` was worked out
        self._deadline_ns: int | None = None

    def want(self, more: Sequence[Names]) -> None:
        """Read these too from now on; they may not be written."""
        for names in more:
            if names[0] not in self._wanted:
                self._wanted[names[0]] = names
                self._entries |= {name: _Entry() for name in names}
                self._has_changed = True

    def value(self, name: str, now_ns: int) -> float | None:
        """Return a parameter that was read lately enough to be relied on."""
        found = self._found(name)
        return found[1].value if found is not None and self._is_trusted(found[1], now_ns) else None

    def last(self, name: str) -> float | None:
        """Return a parameter as it was last read, however long ago."""
        found = self._found(name)
        return None if found is None else found[1].value

    def age_ns(self, name: str, now_ns: int) -> int | None:
        """Return how long ago a parameter was last read."""
        found = self._found(name)
        return None if found is None else now_ns - found[1].read_ns

    def spelled(self, name: str) -> str:
        """Return what this autopilot calls a parameter; the newest name until it has said so."""
        found = self._found(name)
        return name if found is None else found[0]

    def receive(self, frame: bytes, now_ns: int) -> None:
        """Take a heartbeat, a parameter, or what tells of a restart."""
        number = int.from_bytes(frame[7:10], "little")
        if number == _HEARTBEAT:
            self._receive_heartbeat(now_ns)
        elif number == _PARAM_VALUE:
            self._receive_value(frame, now_ns)
        else:
            at = _BOOT_TIME_AT[number]
            (boot_ms,) = _U32.unpack_from(_payload(frame, at + _U32.size), at)
            if boot_ms + _REBOOT_MS < self._boot_ms:
                self._restarted("the autopilot has restarted")
            self._boot_ms = boot_ms

    def passed(self, frames: Sequence[bytes], now_ns: int) -> None:
        """Note what an operator has been let say to the autopilot."""
        if any(frame[7:10] in _PARAMETER_REQUESTS for frame in frames):
            self._has_changed = True
            for entry in self._entries.values():
                if entry.value is not None:
                    quiet_ns = min(now_ns + QUIET_NS, entry.read_ns + LATEST_NS)
                    entry.due_ns = max(entry.due_ns, quiet_ns)

    def deadline_ns(self) -> int | None:
        """Return when the next request is due; asked after every frame, changed by few."""
        if self._has_changed:
            self._has_changed = False
            self._deadline_ns = self._next_ns()
        return self._deadline_ns

    def _next_ns(self) -> int | None:
        if self._beat_ns is None:
            return None
        due = [entry.due_ns for entry in self._to_ask().values()]
        due += [write.due_ns for write in self._writes.values() if write.result is None]
        return max(self._ask_ns, min(due)) if due else None

    def tick(self, now_ns: int) -> None:
        """Send the one request that has waited longest, if it is time for one."""
        due_ns = self.deadline_ns()
        if due_ns is None or now_ns < due_ns:
            return
        self._ask_ns = now_ns + ASK_EVERY_NS
        self._has_changed = True
        for name, write in self._writes.items():
            if write.result is None and now_ns >= write.due_ns:
                self._carry_on(name, write, now_ns)
                return
        name, entry = min(self._to_ask().items(), key=lambda item: item[1].due_ns)
        entry.due_ns = now_ns + min(ANSWER_NS << entry.asked, READ_EVERY_NS)
        entry.asked = min(entry.asked + 1, 8)
        self._voice.command(
            dialect.MAVLink_param_request_read_message(
                self._autopilot.sysid, AUTOPILOT_COMPID, name.encode(), -1
            )
        )

    def write(self, name: str, value: float, now_ns: int) -> str | None:
        """Begin to write a parameter, on the ground only; return why not, None if it is under way.

        What becomes of it is in `describe_writes`.
        """
        if name not in self._writable:
            return f"{name} is none of {', '.join(self._writable)}"
        if self._autopilot.flight_state(now_ns) is not FlightState.DISARMED:
            return f"{name}: only while the autopilot is heard and disarmed"
        self._writes[self.spelled(name)] = _Write(_FLOAT.unpack(_FLOAT.pack(value))[0], now_ns)
        self._has_changed = True
        self._voice.note(f"parameter {self.spelled(name)}={value:g}: asked for on this machine")
        return None

    def describe_writes(self) -> dict[str, str]:
        """Say of each write what became of it."""
        return {name: write.result or UNDER_WAY for name, write in self._writes.items()}

    def _found(self, name: str) -> tuple[str, _Entry] | None:
        """Return the name under which this autopilot has answered."""
        names = self._wanted.get(name, ())
        entries = ((spelling, self._entries[spelling]) for spelling in names)
        return next((found for found in entries if found[1].value is not None), None)

    def _is_trusted(self, entry: _Entry, now_ns: int) -> bool:
        return now_ns - max(entry.read_ns, self._kept_ns) < TRUST_NS

    def _to_ask(self) -> dict[str, _Entry]:
        """Return what is worth asking for: no name whose other name was answered."""
        asked: dict[str, _Entry] = {}
        for name, names in self._wanted.items():
            found = self._found(name)
            if found is None:
                asked.update((spelling, self._entries[spelling]) for spelling in names)
            elif self._state is not FlightState.ARMED:
                asked[found[0]] = found[1]
        return asked

    def _receive_heartbeat(self, now_ns: int) -> None:
        if self._beat_ns is not None and now_ns - self._beat_ns > SILENCE_NS:
            self._restarted("the autopilot was silent")
        self._beat_ns = now_ns
        self._has_changed = True
        before, self._state = self._state, self._autopilot.state
        if self._state is FlightState.ARMED:
            if before is not FlightState.ARMED:
                for name, entry in self._entries.items():
                    if not self._is_trusted(entry, now_ns):
                        self._entries[name] = _Entry()
            self._kept_ns = now_ns
        elif before is FlightState.ARMED:
            for entry in self._entries.values():
                entry.due_ns, entry.asked = now_ns, 0

    def _receive_value(self, frame: bytes, now_ns: int) -> None:
        value, _, _, padded = _VALUE.unpack_from(_payload(frame, _VALUE.size))
        name = padded.rstrip(b"\0").decode("ascii", "replace")
        entry = self._entries.get(name)
        if entry is None or not math.isfinite(value):
            return
        if entry.value is not None and entry.value != value:
            self._voice.note(f"parameter {name}={value:g}, was {entry.value:g}")
        entry.value, entry.read_ns = value, now_ns
        entry.due_ns, entry.asked = now_ns + READ_EVERY_NS, 0
        self._has_changed = True
        write = self._writes.get(name)
        if write is not None and write.result is None and write.tries and value == write.value:
            write.result = WRITTEN
            self._voice.note(f"parameter {name}={value:g}: written and read back")

    def _carry_on(self, name: str, write: _Write, now_ns: int) -> None:
        """Write again, or give up. A read that crosses a write shows the old value: no answer."""
        if self._autopilot.flight_state(now_ns) is not FlightState.DISARMED:
            write.result = "given up: no longer disarmed"
        elif write.tries == WRITE_TRIES:
            value = self._entries[name].value
            write.result = "no answer" if value is None else f"refused: it is still {value:g}"
        else:
            write.tries += 1
            write.due_ns = now_ns + ANSWER_NS
            self._voice.command(
                dialect.MAVLink_param_set_message(
                    self._autopilot.sysid,
                    AUTOPILOT_COMPID,
                    name.encode(),
                    write.value,
                    dialect.MAV_PARAM_TYPE_REAL32,
                )
            )

    def _restarted(self, why: str) -> None:
        self._voice.note(f"{why}: its parameters are read again")
        beat_ns = self._beat_ns
        self.forget()
        self._beat_ns = beat_ns  # and all of it is due


def _payload(frame: bytes, size: int) -> bytes:
    """Return the payload with the zeros that were cut off at its end."""
    return frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(size, b"\0")
