"""Reads the autopilot's fence over the line: its parameters, its stored items, and home.

It is read when a trajectory is to be judged, not before: what counts is what the autopilot keeps
then. Each thing is asked for until it is answered; an answer to an operator's tool is as good. What
was read stands until an operator has been let change something of the fence, or the autopilot has
been away. A fence that cannot be read whole is not known, and what is not known refuses.
"""

import math
import struct
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from flightcore.autopilot import AUTOPILOT_COMPID, Autopilot
from flightcore.policy import COMMAND_MESSAGES
from flightcore.tasking.stored_fence import (
    AROUND_HOME,
    CEILING,
    FLOOR,
    NEEDED,
    OPTIONAL,
    ZONES,
    Item,
    StoredFence,
)
from flightcore.voice import Voice
from wire.mavlink import HEADER_BYTES, dialect, message_id
from wire.trajectory import Reference

ASK_EVERY_NS: Final = 50_000_000  # ArduPilot queues 20 requests for parameters
ANSWER_NS: Final = 500_000_000
TRIES: Final = 5
TRIES_OPTIONAL: Final = 3
TRUST_NS: Final = 60_000_000_000
MAX_ITEMS: Final = 1000

_FENCE: Final = dialect.MAV_MISSION_TYPE_FENCE
_PARAM_VALUE: Final = dialect.MAVLINK_MSG_ID_PARAM_VALUE
_COUNT: Final = dialect.MAVLINK_MSG_ID_MISSION_COUNT
_ITEM: Final = dialect.MAVLINK_MSG_ID_MISSION_ITEM_INT
_HOME: Final = dialect.MAVLINK_MSG_ID_HOME_POSITION
_SYS_STATUS: Final = dialect.MAVLINK_MSG_ID_SYS_STATUS
_VALUE: Final = struct.Struct("<fHH16s")
_COUNT_BODY: Final = struct.Struct("<HBBB")
_ITEM_BODY: Final = struct.Struct("<4fiifHHBBBBBB")
_HOME_BODY: Final = struct.Struct("<iii")
_SENSORS: Final = struct.Struct("<II")
# What changes the fence, and where it has its mission_type.
_TYPE_AT: Final = {
    dialect.MAVLINK_MSG_ID_MISSION_COUNT: 4,
    dialect.MAVLINK_MSG_ID_MISSION_WRITE_PARTIAL_LIST: 6,
    dialect.MAVLINK_MSG_ID_MISSION_CLEAR_ALL: 2,
    dialect.MAVLINK_MSG_ID_MISSION_ITEM: 37,
    _ITEM: 37,
}
_EVERYTHING: Final = 255
_PARAM_SET: Final = dialect.MAVLINK_MSG_ID_PARAM_SET
_COMMAND_AT: Final = 28
_CHANGES: Final = frozenset((dialect.MAV_CMD_DO_FENCE_ENABLE, dialect.MAV_CMD_DO_SET_HOME))


class Reading(StrEnum):
    """How far the fence has been read."""

    IDLE = "idle"
    PARAMETERS = "parameters"
    HOME = "home"
    COUNT = "count"
    ITEMS = "items"
    KNOWN = "known"
    FAILED = "failed"


_DONE: Final = frozenset((Reading.IDLE, Reading.KNOWN, Reading.FAILED))


class FenceReader:
    """A part of the watch. The zero state has read nothing and asks for nothing."""

    watched = frozenset((_PARAM_VALUE, _COUNT, _ITEM, _HOME, _SYS_STATUS))

    def __init__(self, autopilot: Autopilot, voice: Voice) -> None:
        self._autopilot = autopilot
        self._voice = voice
        self.why = ""  # it failed
        self.forget()

    def forget(self) -> None:
        """Forget everything: what comes back may be another autopilot."""
        self.reading = Reading.IDLE
        self._values: dict[str, float] = {}
        self._asked: dict[str, int] = {}
        self._lacks: set[str] = set()  # what this version has not
        self._items: list[Item] = []
        self._count = 0
        self._home: Reference | None = None
        self._is_on = False  # by SYS_STATUS, whatever the parameters say
        self._tries = 0
        self._ask_ns = 0
        self._read_ns = 0

    def begin(self, now_ns: int) -> None:
        """Read the fence, unless it is known or being read."""
        is_known = self.reading is Reading.KNOWN and now_ns - self._read_ns < TRUST_NS
        if self.reading in _DONE and not is_known:
            self._values = dict.fromkeys(self._lacks, 0.0)
            self._asked.clear()
            self._items.clear()
            self._home = None
            self._enter(Reading.PARAMETERS, now_ns)

    def fence(self, now_ns: int) -> StoredFence | None:
        """Return what was read, while it can be relied on."""
        if self.reading is not Reading.KNOWN or now_ns - self._read_ns >= TRUST_NS:
            return None
        return StoredFence(self._is_in_force, dict(self._values), tuple(self._items), self._home)

    @property
    def is_under_way(self) -> bool:
        """Tell whether it is being read."""
        return self.reading not in _DONE

    def receive(self, frame: bytes, now_ns: int) -> None:
        """Take one frame of the autopilot."""
        number = message_id(frame)
        payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]]
        if number == _SYS_STATUS:
            present, enabled = _SENSORS.unpack(payload[:8].ljust(8, b"\0"))
            is_on = bool(present & enabled & dialect.MAV_SYS_STATUS_GEOFENCE)
            if is_on and not self._is_on and self.reading is Reading.KNOWN:
                self.reading = Reading.IDLE
            self._is_on = is_on
            return
        match self.reading:
            case Reading.PARAMETERS if number == _PARAM_VALUE:
                self._receive_value(payload, now_ns)
            case Reading.HOME if number == _HOME:
                place = _HOME_BODY.unpack(payload[:12].ljust(12, b"\0"))
                self._home = Reference(*place)
                self._go_on(now_ns)
            case Reading.COUNT if number == _COUNT:
                self._receive_count(payload, now_ns)
            case Reading.ITEMS if number == _ITEM:
                self._receive_item(payload, now_ns)
            case Reading.KNOWN if number == _PARAM_VALUE:
                name, value = _parameter(payload)
                if self._values.get(name, value) != value:
                    self.reading = Reading.IDLE
            case _:
                pass

    def passed(self, frames: Sequence[bytes]) -> None:
        """Note what an operator has been let say: what was read may not hold any more."""
        if any(_changes_fence(frame) for frame in frames):
            self.reading = Reading.IDLE

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do."""
        return self._ask_ns if self.is_under_way else None

    def tick(self, now_ns: int) -> None:
        """Ask for what has not been answered."""
        if not self.is_under_way or now_ns < self._ask_ns:
            return
        if self.reading is Reading.PARAMETERS:
            self._ask_parameter(now_ns)
            return
        if self._tries == TRIES:
            self._fail(f"its {self.reading.value} was not answered")
            return
        self._tries += 1
        self._ask_ns = now_ns + ANSWER_NS
        to = self._autopilot.sysid, AUTOPILOT_COMPID
        match self.reading:
            case Reading.HOME:
                wanted = dialect.MAV_CMD_REQUEST_MESSAGE, 0, _HOME, *(0.0,) * 6
                message: dialect.MAVLink_message = dialect.MAVLink_command_long_message(
                    *to, *wanted
                )
            case Reading.COUNT:
                message = dialect.MAVLink_mission_request_list_message(*to, _FENCE)
            case _:
                number = len(self._items)
                message = dialect.MAVLink_mission_request_int_message(*to, number, _FENCE)
        self._voice.command(message)

    def _ask_parameter(self, now_ns: int) -> None:
        """Ask for the next parameter; what a version may lack is given up without a word."""
        open_ = [name for name in (*NEEDED, *OPTIONAL) if name not in self._values]
        name = min(open_, key=lambda name: self._asked.get(name, 0))
        tries = self._asked.get(name, 0)
        if name in OPTIONAL and tries == TRIES_OPTIONAL:
            self._lacks.add(name)
            self._take(name, 0.0, now_ns)
            return
        if tries == TRIES:
            self._fail(f"{name} was not answered")
            return
        self._asked[name] = tries + 1
        is_round_over = min(self._asked.get(name, 0) for name in open_) > tries
        self._ask_ns = now_ns + (ANSWER_NS if is_round_over else ASK_EVERY_NS)
        self._voice.command(
            dialect.MAVLink_param_request_read_message(
                self._autopilot.sysid, AUTOPILOT_COMPID, name.encode(), -1
            )
        )

    def _receive_value(self, payload: bytes, now_ns: int) -> None:
        name, value = _parameter(payload)
        if (name in NEEDED or name in OPTIONAL) and math.isfinite(value):
            self._take(name, value, now_ns)

    def _take(self, name: str, value: float, now_ns: int) -> None:
        self._values[name] = value
        if len(self._values) == len(NEEDED) + len(OPTIONAL):
            self._go_on(now_ns)

    def _receive_count(self, payload: bytes, now_ns: int) -> None:
        body = payload[: _COUNT_BODY.size].ljust(_COUNT_BODY.size, b"\0")
        count, _, _, kind = _COUNT_BODY.unpack(body)
        if kind == _FENCE:
            self._count = count
            if count > MAX_ITEMS:
                self._fail(f"it has {count} items")
            else:
                self._go_on(now_ns)

    def _receive_item(self, payload: bytes, now_ns: int) -> None:
        body = payload[: _ITEM_BODY.size].ljust(_ITEM_BODY.size, b"\0")
        size, _, _, _, latitude, longitude, _, number, command, *rest = _ITEM_BODY.unpack(body)
        if rest[-1] == _FENCE and number == len(self._items):
            self._items.append(Item(command, size, latitude, longitude))
            self._tries, self._ask_ns = 0, now_ns
            if len(self._items) == self._count:
                self._finish(now_ns)

    def _go_on(self, now_ns: int) -> None:
        """Enter what comes next: what is not in force is not read."""
        kinds = int(self._values["FENCE_TYPE"]) if self._is_in_force else 0
        if self.reading is Reading.PARAMETERS and kinds & (CEILING | FLOOR | AROUND_HOME):
            self._enter(Reading.HOME, now_ns)
        elif self.reading in (Reading.PARAMETERS, Reading.HOME) and kinds & ZONES:
            self._enter(Reading.COUNT, now_ns)
        elif self.reading is Reading.COUNT and self._count:
            self._enter(Reading.ITEMS, now_ns)
        else:
            self._finish(now_ns)

    @property
    def _is_in_force(self) -> bool:
        """Tell whether it acts, or will once the vehicle is armed or has taken off."""
        value = self._values
        return self._is_on or value["FENCE_ENABLE"] != 0.0 or value["FENCE_AUTOENABLE"] != 0.0

    def _finish(self, now_ns: int) -> None:
        if self._count and self._items:
            to = self._autopilot.sysid, AUTOPILOT_COMPID
            accepted = dialect.MAV_MISSION_ACCEPTED
            self._voice.command(dialect.MAVLink_mission_ack_message(*to, accepted, _FENCE))
        self.reading = Reading.KNOWN
        self._read_ns = now_ns

    def _enter(self, reading: Reading, now_ns: int) -> None:
        self.reading = reading
        self._tries = 0
        self._ask_ns = now_ns

    def _fail(self, why: str) -> None:
        self.reading = Reading.FAILED
        self.why = why


def _parameter(payload: bytes) -> tuple[str, float]:
    value, _, _, padded = _VALUE.unpack(payload[: _VALUE.size].ljust(_VALUE.size, b"\0"))
    return padded.rstrip(b"\0").decode("ascii", "replace"), value


def _changes_fence(frame: bytes) -> bool:
    number = message_id(frame)
    payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]]
    at = _TYPE_AT.get(number)
    if at is not None:
        kind = payload[at] if at < len(payload) else 0
        return kind in (_FENCE, _EVERYTHING)
    if number == _PARAM_SET:
        return payload[6:12].upper() == b"FENCE_"
    if number in COMMAND_MESSAGES:
        command = payload[_COMMAND_AT : _COMMAND_AT + 2].ljust(2, b"\0")
        return int.from_bytes(command, "little") in _CHANGES
    return False
