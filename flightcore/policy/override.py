"""`policy.toml`: changes of rows by name, and how they differ from what is built in.

A file is a table for each kind of row, with a table for each row that it changes:

    [command.DO_SET_SERVO]
    verdict = "forward"
    freshness = "command"
    states = ["disarmed"]
"""

import difflib
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeVar

import msgspec

from crypto.pair import Role
from flightcore.policy.compiled import MAX_TEXT
from flightcore.policy.rows import ALWAYS, Does, Group, Kind, Row, Rule, Table, by_name, lines
from flightcore.policy.verdicts import FlightState, Freshness
from wire.locality import NotAllowedError

_PATTERN: Final = re.compile(r"[A-Z0-9_*]{1,16}")
_FRESHNESS: Final = {freshness.name.lower(): freshness for freshness in Freshness}
_PRESENCE: Final = frozenset(("HEARTBEAT", "RC_CHANNELS_OVERRIDE", "MANUAL_CONTROL"))
_NEVER_ASKED_BACK: Final = {
    Kind.ITEM: "an item cannot be asked back",
    Kind.TRAJECTORY: "what is asked of a trajectory cannot be asked back",
}
FINGERPRINT_CHARACTERS: Final = 16

_T = TypeVar("_T")
Given = dict[str, dict[str, object]]


class PolicyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of `policy.toml`, not yet checked."""

    message: Given = {}
    command: Given = {}
    item: Given = {}
    parameter: Given = {}
    file: Given = {}
    trajectory: Given = {}
    always: object = None


class Change(NamedTuple):
    """What becomes of one row, or of one of its cases."""

    verdict: Does
    freshness: str = "command"
    states: tuple[FlightState, ...] = tuple(FlightState)
    role: Role = Role.COMMANDER

    def rule(self) -> Rule:
        """Return the rule."""
        if self.verdict is Does.REFUSE:
            return Rule(Does.REFUSE)
        return Rule(self.verdict, _FRESHNESS[self.freshness], frozenset(self.states), self.role)


Override = Mapping[Kind, Mapping[str, Change]]


def check(file: PolicyFile, table: Table) -> Override:
    """Return the changes that a file makes to a table.

    Raises:
        NotAllowedError: It names what is not there, or loosens what may not be loosened.
    """
    if file.always is not None:
        never = ", ".join(always.reason for always in ALWAYS)
        raise NotAllowedError("always", file.always, f"nothing: these never pass: {never}")
    given: dict[Kind, Given] = {kind: getattr(file, kind.value) for kind in Kind}
    return {
        kind: {name: _checked(table, kind, name, raw) for name, raw in changes.items()}
        for kind, changes in given.items()
    }


def overridden(table: Table, override: Override) -> Table:
    """Return the table with the changes made."""
    return {kind: _changed(kind, groups, override.get(kind, {})) for kind, groups in table.items()}


def differences(before: Table, after: Table) -> list[str]:
    """Return a line for every row that differs, as a person reviews it."""
    old, new = lines(before), lines(after)
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return [f"{name}: {old.get(name, 'no row')} -> {new.get(name, 'no row')}" for name in changed]


def fingerprint(before: Table, after: Table) -> str:
    """Return what names this change of this table: another table or change has another."""
    both = [[*lines(table).items()] for table in (before, after)]
    return hashlib.sha256(repr(both).encode()).hexdigest()[:FINGERPRINT_CHARACTERS]


def _changed(
    kind: Kind, groups: Iterable[Group], changes: Mapping[str, Change]
) -> tuple[Group, ...]:
    left = dict(changes)

    def one(row: Row) -> Row:
        if row.name in left:
            row = _replaced(row, left.pop(row.name))
        cases = []
        for case in row.cases:
            change = left.pop(f"{row.name}.{case.key}", None)
            why = case.why if change is None else _why(row.name, change)
            rule = case.rule if change is None else change.rule()
            cases.append(case._replace(rule=rule, why=why))
        return row._replace(cases=tuple(cases))

    changed = tuple(Group(group.title, tuple(map(one, group.rows))) for group in groups)
    if not left:
        return changed
    rows = tuple(_replaced(Row(name, Rule(Does.REFUSE), ""), new) for name, new in left.items())
    if kind is Kind.PARAMETER:  # the first pattern that matches decides
        return (Group("By policy.toml", rows), *changed)
    return (*changed, Group("By policy.toml", rows))


def _replaced(row: Row, change: Change) -> Row:
    """Return the row changed. Refused is refused, whatever is in it; else its cases stay."""
    cases = () if change.verdict is Does.REFUSE else row.cases
    return row._replace(rule=change.rule(), why=_why(row.name, change), cases=cases)


def _why(name: str, change: Change) -> str:
    """Return what is asked or answered: a question must say what it is about."""
    if change.verdict is Does.REFUSE:
        return "refused by policy.toml"
    words = f"{name}, by policy.toml"
    return words if len(words) <= MAX_TEXT else name


def _checked(table: Table, kind: Kind, name: str, raw: Mapping[str, object]) -> Change:
    key = f"{kind.value}.{name}"
    row = _row(table, kind, name)
    allowed_keys = ("verdict", "freshness", "states", "role")
    for field, value in raw.items():
        if field not in allowed_keys:
            raise NotAllowedError(f"{key}.{field}", value, ", ".join(allowed_keys))
    does = _one_of(f"{key}.verdict", raw.get("verdict"), {does.value: does for does in Does})
    if does is Does.REFUSE:
        for field in allowed_keys[1:]:
            if field in raw:
                raise NotAllowedError(
                    f"{key}.{field}", raw[field], 'nothing beside verdict = "refuse"'
                )
        return Change(does)
    if row is not None and row.is_fixed:
        raise NotAllowedError(f"{key}.verdict", does.value, f'only "refuse": {row.why}')
    if kind in _NEVER_ASKED_BACK and does is Does.TWO_STEP:
        raise NotAllowedError(
            f"{key}.verdict", does.value, f'"forward" or "refuse": {_NEVER_ASKED_BACK[kind]}'
        )
    freshness = _one_of(f"{key}.freshness", raw.get("freshness"), _FRESHNESS)
    if kind is Kind.MESSAGE and name in _PRESENCE and freshness > Freshness.PRESENCE:
        allowed = "control or presence: the autopilot takes it for the operator's presence"
        raise NotAllowedError(f"{key}.freshness", freshness.name.lower(), allowed)
    states = _states(f"{key}.states", raw.get("states", [state.value for state in FlightState]))
    roles = {role.value: role for role in (Role.COMMANDER, Role.SUPERVISOR)}
    role = _one_of(f"{key}.role", raw.get("role", Role.COMMANDER.value), roles)
    return Change(does, str(raw["freshness"]), states, role)


def _row(table: Table, kind: Kind, name: str) -> Row | None:
    """Return the row that is named, None for one that the change adds."""
    rows = by_name(table, kind)
    if name in rows:
        return rows[name]
    owner, _, key = name.partition(".")
    if owner in rows and any(case.key == key for case in rows[owner].cases):
        return rows[owner]
    known = rows
    if kind is Kind.PARAMETER:
        if _PATTERN.fullmatch(name):
            return None
        raise NotAllowedError(kind.value, name, "a pattern of A to Z, 0 to 9, _ and *, to 16 long")
    if kind is Kind.ITEM:
        known = by_name(table, Kind.COMMAND)
        if name in known:
            return None
    cases = [f"{row.name}.{case.key}" for row in rows.values() for case in row.cases]
    near = difflib.get_close_matches(name, [*known, *cases], 3)
    hint = f" (near: {', '.join(near)})" if near else ""
    raise NotAllowedError(
        kind.value, name, f"a name in the table of `sekisho config show --policy`{hint}"
    )


def _one_of(key: str, value: object, choices: Mapping[str, _T]) -> _T:
    if not isinstance(value, str) or value not in choices:
        raise NotAllowedError(key, value, ", ".join(choices))
    return choices[value]


def _states(key: str, value: object) -> tuple[FlightState, ...]:
    choices = {state.value: state for state in FlightState}
    if not isinstance(value, list) or not value:
        raise NotAllowedError(key, value, "a list of " + ", ".join(choices))
    return tuple(_one_of(key, name, choices) for name in value)
