"""Read the tables: decide whether a frame from the ground may reach the autopilot.

What can be decided by the message alone is decided without looking inside. A frame is judged as if
it were addressed to the autopilot, whatever component it names: the real ArduCopter executes
commands addressed to a component that does not exist, or to everyone.
"""

import math
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from crypto.pair import Role
from flightcore.policy.commands import MAY_BE_NAN, NEEDS_ALTITUDE
from flightcore.policy.compiled import ByState, Cases, compiled, text, verdict_of
from flightcore.policy.messages import FENCE, MISSION, RALLY
from flightcore.policy.parameters import FILE_OPCODES
from flightcore.policy.payloads import USED, all_finite, floats_of, offset, printable
from flightcore.policy.rows import (
    ALWAYS,
    Does,
    Kind,
    Row,
    Table,
    by_name,
)
from flightcore.policy.tables import BUILT_IN_TABLE
from flightcore.policy.verdicts import (
    FlightState,
    Freshness,
    Reason,
    Refuse,
    Verdict,
)
from wire.mavlink import HEADER_BYTES, dialect, message_id

COMMAND_MESSAGES: Final = frozenset(
    (dialect.MAVLINK_MSG_ID_COMMAND_LONG, dialect.MAVLINK_MSG_ID_COMMAND_INT)
)
ITEM_MESSAGES: Final = frozenset(
    (dialect.MAVLINK_MSG_ID_MISSION_ITEM, dialect.MAVLINK_MSG_ID_MISSION_ITEM_INT)
)
# What ground software speaks as: 0 (unset), 25 to 99 (user), 190 (GCS), 230 (MAVProxy).
GROUND_COMPONENTS: Final = frozenset((0, 190, 230, *range(25, 100)))

_PREFIX: Final = "MAV_CMD_"
COMMAND_NUMBER: Final[dict[str, int]] = {
    entry.name.removeprefix(_PREFIX): number
    for number, entry in dialect.enums["MAV_CMD"].items()
    if entry.name != "MAV_CMD_ENUM_END"
}
_COMMAND_NAME: Final = {number: name for name, number in COMMAND_NUMBER.items()}

_STOP: Final = {always.reason: Refuse(always.reason, always.why) for always in ALWAYS}
_UNKNOWN_MESSAGE: Final = Refuse(Reason.MESSAGE, "unknown message")
_NEEDS_SUPERVISOR: Final = Refuse(Reason.NEEDS_SUPERVISOR, "takes a supervisor's station")

# Where things are in payloads. COMMAND_LONG, COMMAND_INT and both mission items begin with param1
# to param7; in the _INT messages param5 and param6 are integers.
_PARAMS = struct.Struct("<7f")
_PARAMS_INT = struct.Struct("<4f2if")
_WITH_INTEGERS: Final = frozenset(("COMMAND_INT", "MISSION_ITEM_INT"))
_COMMAND_AT, _ITEM_COMMAND_AT, _ITEM_CURRENT_AT, _ITEM_TYPE_AT = 28, 30, 35, 37
_OPCODE_AT = 6
_PARAMETER = struct.Struct("<f2x16s")

_TYPE_OF_ITEM: Final = {
    **{n: FENCE for name, n in COMMAND_NUMBER.items() if name.startswith("NAV_FENCE_")},
    COMMAND_NUMBER["NAV_RALLY_POINT"]: RALLY,
}
_CURRENT_ITEMS: Final = (0, 1)
_GO_THERE, _GO_TO_HEIGHT = 2, 3


_Look = Callable[[bytes, FlightState], Verdict]


class _Entry(NamedTuple):
    """A message: its length at most, where its target system is, and its verdict, or who looks."""

    size: int
    target_at: int
    verdicts: ByState
    look: _Look | None


class Policy:
    """One table, ready to judge. Invariant: what has no row is refused."""

    def __init__(self, table: Table, fingerprint: str | None = None) -> None:
        self.table = table
        self.fingerprint = fingerprint  # of an override, None if this is the built-in table
        commands, items = by_name(table, Kind.COMMAND), by_name(table, Kind.ITEM)
        self._commands = _numbered(Kind.COMMAND, commands, COMMAND_NUMBER)
        self._items = _numbered(Kind.ITEM, items, COMMAND_NUMBER)
        self._files = _numbered(Kind.FILE, by_name(table, Kind.FILE), FILE_OPCODES)
        parameters = by_name(table, Kind.PARAMETER)
        patterns = (re.escape(name).replace(r"\*", ".*") for name in parameters)
        # The first alternative that matches is the group that matched.
        self._pattern = re.compile("|".join(f"({pattern})" for pattern in patterns), re.DOTALL)
        self._parameters = [(row.rule, row.why) for row in parameters.values()]
        self._trajectories = {
            name: compiled(Kind.TRAJECTORY, row)
            for name, row in by_name(table, Kind.TRAJECTORY).items()
        }
        rows = by_name(table, Kind.MESSAGE)
        self._messages = {
            number: self._entry(message, rows[message.msgname])
            for number, message in dialect.mavlink_map.items()
            if message.msgname in rows
        }

    def judge(
        self, frame: bytes, role: Role, vehicle_sysid: int | None, state: FlightState
    ) -> Verdict:
        """Decide whether an authenticated, checksummed frame may reach the autopilot.

        Args:
            frame: One MAVLink 2 frame of the dialect.
            role: What the sender's pair record lets it do.
            vehicle_sysid: The autopilot's system id, None before its first heartbeat.
            state: Whether the autopilot is armed, as it says itself.
        """
        if role is Role.OBSERVER:
            return _STOP[Reason.OBSERVER]
        if vehicle_sysid is None:
            return _STOP[Reason.AUTOPILOT_UNKNOWN]
        # ArduPilot obeys its own system id even when told to enforce the ground station's.
        if frame[5] == vehicle_sysid or frame[6] not in GROUND_COMPONENTS:
            return _STOP[Reason.FORGED_SOURCE]
        if frame[2]:  # the key of the autopilot's line is not on the ground
            return _STOP[Reason.SIGNED_FRAME]
        entry = self._messages.get(message_id(frame))
        if entry is None:
            return _UNKNOWN_MESSAGE
        length = frame[1]
        if length > entry.size:  # fields that nobody has judged
            return _STOP[Reason.UNKNOWN_FIELDS]
        # A field that is not sent is zero, which addresses everyone.
        if entry.target_at < length and frame[HEADER_BYTES + entry.target_at] not in (
            0,
            vehicle_sysid,
        ):
            return _STOP[Reason.OTHER_VEHICLE]
        if entry.look is None:
            verdict = entry.verdicts.of(state)
        else:
            payload = frame[HEADER_BYTES : HEADER_BYTES + length].ljust(entry.size, b"\0")
            verdict = entry.look(payload, state)
        return _for_role(verdict, role)

    def judge_trajectory(self, what: str, role: Role, state: FlightState) -> Verdict:
        """Decide whether the companion may be asked for something of a trajectory.

        Args:
            what: `UPLOAD`, or a verb.
            role: What the sender's pair record lets it do.
            state: Whether the autopilot is armed, as it says itself.
        """
        if role is Role.OBSERVER:
            return _STOP[Reason.OBSERVER]
        return _for_role(self._trajectories[what].otherwise.of(state), role)

    def _entry(self, message: Any, row: Row) -> _Entry:  # noqa: ANN401 - a generated class
        cases = compiled(Kind.MESSAGE, row)
        size = message.unpacker.size
        target_at = offset(message, ("target_system", "target"))
        # A row made one refusal needs no look inside.
        look = (
            None if row.rule.does is Does.REFUSE and not row.cases else self._look(message, cases)
        )
        return _Entry(size, target_at, cases.otherwise, look)

    def _look(self, message: Any, cases: Cases) -> _Look | None:  # noqa: ANN401 - as above
        """Return what judges the contents of a message, None if nothing in it needs judging."""
        params = _PARAMS_INT if message.msgname in _WITH_INTEGERS else _PARAMS
        match message.msgname:
            case "COMMAND_LONG" | "COMMAND_INT":
                return lambda payload, state: self._judge_command(payload, params, state)
            case "MISSION_ITEM" | "MISSION_ITEM_INT":
                return lambda payload, state: self._judge_item(payload, params, state)
            case "PARAM_SET":
                return self._judge_parameter
            case "FILE_TRANSFER_PROTOCOL":
                return self._judge_file
            case _:
                pass
        if cases.cases:
            return _by_fields(message, cases)
        floats = floats_of(message)
        if not floats.size:
            return None
        used = USED.get(message.msgname, all_finite)

        def look(payload: bytes, state: FlightState) -> Verdict:
            if used(payload, floats.unpack_from(payload)):
                return cases.otherwise.of(state)
            return _STOP[Reason.NOT_FINITE]

        return look

    def _judge_command(self, payload: bytes, params: struct.Struct, state: FlightState) -> Verdict:
        number = payload[_COMMAND_AT] | payload[_COMMAND_AT + 1] << 8
        row = self._commands.get(number)
        if row is None:
            return Refuse(Reason.COMMAND, f"command {number} is not allowed")
        return _by_params(row, params.unpack_from(payload), state)

    def _judge_item(self, payload: bytes, params: struct.Struct, state: FlightState) -> Verdict:
        number = payload[_ITEM_COMMAND_AT] | payload[_ITEM_COMMAND_AT + 1] << 8
        row, values = self._items.get(number), params.unpack_from(payload)
        kind, current = payload[_ITEM_TYPE_AT], payload[_ITEM_CURRENT_AT]
        if row is None or kind != _TYPE_OF_ITEM.get(number, MISSION):
            name = _COMMAND_NAME.get(number, str(number))
            return Refuse(Reason.ITEM, text(name, "not as an item"))
        if current in _CURRENT_ITEMS:
            return _by_params(row, values, state)
        # No part of a mission: "go there now" and "change height now".
        if current not in (_GO_THERE, _GO_TO_HEIGHT) or row.name != "NAV_WAYPOINT":
            return Refuse(Reason.ITEM, "an item that is no part of a mission")
        if not all(map(math.isfinite, values)):
            return _STOP[Reason.NOT_FINITE]
        found = _by_params(row, values, state)
        if isinstance(found, Refuse):
            return found
        return found._replace(freshness=Freshness.COMMAND)

    def _judge_parameter(self, payload: bytes, state: FlightState) -> Verdict:
        value, raw = _PARAMETER.unpack_from(payload)
        # ArduPilot finds parameters whatever their case, and reads names up to the first zero.
        name = printable(raw.partition(b"\0")[0].upper())
        if not math.isfinite(value):
            return Refuse(Reason.NOT_FINITE, text(name, "not a finite number"))
        match = self._pattern.fullmatch(name)
        assert match is not None  # the last pattern matches all
        assert match.lastindex is not None
        rule, why = self._parameters[match.lastindex - 1]
        does = why if rule.does is Does.REFUSE else f"set {name}={value:g}"
        return verdict_of(Kind.PARAMETER, name, does, rule, state)

    def _judge_file(self, payload: bytes, state: FlightState) -> Verdict:
        row = self._files.get(payload[_OPCODE_AT])
        if row is None:
            return Refuse(Reason.FILE, "no known operation on files")
        return row.otherwise.of(state)


def _for_role(verdict: Verdict, role: Role) -> Verdict:
    if isinstance(verdict, Refuse) or verdict.least is Role.COMMANDER:
        return verdict
    return verdict if role is Role.SUPERVISOR else _NEEDS_SUPERVISOR


def _numbered(kind: Kind, rows: dict[str, Row], numbers: dict[str, int]) -> dict[int, Cases]:
    return {numbers[name]: compiled(kind, row) for name, row in rows.items() if name in numbers}


def _by_params(row: Cases, values: Sequence[float], state: FlightState) -> Verdict:
    """Judge a command or an item.

    Honest software leaves at most yaw and position (param4 to param7) open; ArduCopter does
    arithmetic on the others unchecked. Nobody means infinity.
    """
    if row.name not in MAY_BE_NAN and not all(map(math.isfinite, values[:3])):
        return _STOP[Reason.NOT_FINITE]
    if any(map(math.isinf, values)) or (row.name in NEEDS_ALTITUDE and math.isnan(values[6])):
        return _STOP[Reason.NOT_FINITE]
    if not row.cases:
        return row.otherwise.of(state)
    return row.of({f"param{i}": value for i, value in enumerate(values, 1)}, state)


def _by_fields(message: Any, cases: Cases) -> _Look:  # noqa: ANN401 - a generated class
    names, unpacker = message.ordered_fieldnames, message.unpacker

    def look(payload: bytes, state: FlightState) -> Verdict:
        return cases.of(dict(zip(names, unpacker.unpack(payload), strict=True)), state)

    return look


BUILT_IN: Final = Policy(BUILT_IN_TABLE)
judge: Final = BUILT_IN.judge
