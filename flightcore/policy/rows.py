"""What a row of the policy is made of: data, read by `judge`, documents and overrides."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from crypto.pair import Role
from flightcore.policy.verdicts import FlightState, Freshness, Reason

Fields = Mapping[str, float]
"""The numbers of one message by name; of a command or mission item `param1` to `param7`."""


class Kind(StrEnum):
    """What rows are about, and the tables of an override."""

    MESSAGE = "message"
    COMMAND = "command"
    ITEM = "item"
    PARAMETER = "parameter"
    FILE = "file"
    TRAJECTORY = "trajectory"


class Does(StrEnum):
    """What is done with a frame."""

    FORWARD = "forward"
    TWO_STEP = "two-step"
    REFUSE = "refuse"


ANY_STATE: Final = frozenset(FlightState)
ON_GROUND: Final = frozenset((FlightState.DISARMED,))


class Rule(NamedTuple):
    """What is done in which flight states, by whom; in other states `elsewhere`, or refused."""

    does: Does
    freshness: Freshness = Freshness.COMMAND
    states: frozenset[FlightState] = ANY_STATE
    least: Role = Role.COMMANDER
    elsewhere: "Rule | None" = None

    def words(self) -> str:
        """Return the rule as documents and differences show it."""
        if self.does is Does.REFUSE:
            return "refuse"
        words = f"{self.does.value} ({self.freshness.name.lower()})"
        if self.least is not Role.COMMANDER:
            words += f" from a {self.least.value}"
        if self.states != ANY_STATE:
            words += " while " + " or ".join(sorted(state.value for state in self.states))
            words += ", else " + ("refuse" if self.elsewhere is None else self.elsewhere.words())
        return words


class Case(NamedTuple):
    """A frame of a row that is treated differently for what is in it.

    `key` is what an override calls it, after the row's name and a dot.
    """

    key: str
    when: str
    applies: Callable[[Fields], bool]
    rule: Rule
    why: str


class Row(NamedTuple):
    """One message, command, mission item, parameter pattern or file operation.

    The first case that applies decides, else `rule`. A fixed row may not be loosened by an
    override.
    """

    name: str
    rule: Rule
    why: str
    cases: tuple[Case, ...] = ()
    is_fixed: bool = False


class Group(NamedTuple):
    """Rows that belong together, under a title of the documents."""

    title: str
    rows: tuple[Row, ...]


Table = Mapping[Kind, tuple[Group, ...]]


def rows(rule: Rule, why: str, names: str) -> tuple[Row, ...]:
    """Return a row for each of the names, all alike."""
    return tuple(Row(name, rule, why) for name in names.split())


def by_name(table: Table, kind: Kind) -> dict[str, Row]:
    """Return the rows of one kind, in their order."""
    return {row.name: row for group in table[kind] for row in group.rows}


def lines(table: Table) -> dict[str, str]:
    """Return every row and case of a table as a name and its rule in words."""
    found = {}
    for kind in Kind:
        for name, row in by_name(table, kind).items():
            for case in row.cases:
                found[f"{kind.value} {name}.{case.key} ({case.when})"] = case.rule.words()
            found[f"{kind.value} {name}"] = row.rule.words()
    return found


REFUSE: Final = Rule(Does.REFUSE)
SAFE: Final = Rule(Does.FORWARD, Freshness.SAFE)
CONTROL: Final = Rule(Does.FORWARD, Freshness.CONTROL)
PRESENCE: Final = Rule(Does.FORWARD, Freshness.PRESENCE)
COMMAND: Final = Rule(Does.FORWARD, Freshness.COMMAND)
TRANSFER: Final = Rule(Does.FORWARD, Freshness.TRANSFER)
COMMAND_ON_GROUND: Final = Rule(Does.FORWARD, Freshness.COMMAND, ON_GROUND)
COMMAND_IN_FLIGHT: Final = Rule(Does.FORWARD, Freshness.COMMAND, frozenset((FlightState.ARMED,)))
TWO_STEPS: Final = Rule(Does.TWO_STEP, Freshness.COMMAND)
TWO_STEPS_ON_GROUND: Final = Rule(Does.TWO_STEP, Freshness.COMMAND, ON_GROUND)
TWO_STEPS_IN_FLIGHT: Final = Rule(Does.FORWARD, Freshness.COMMAND, ON_GROUND, elsewhere=TWO_STEPS)


class Always(NamedTuple):
    """What no row and no override changes."""

    reason: Reason
    why: str


ALWAYS: Final = (
    Always(Reason.OBSERVER, "this ground station may only watch"),
    Always(Reason.AUTOPILOT_UNKNOWN, "the autopilot has not been heard yet"),
    Always(Reason.FORGED_SOURCE, "the frame claims to come from aboard"),
    Always(Reason.SIGNED_FRAME, "signed: sign on the autopilot's line"),
    Always(Reason.UNKNOWN_FIELDS, "longer than the message known here"),
    Always(Reason.OTHER_VEHICLE, "addressed to another vehicle"),
    Always(Reason.NOT_FINITE, "a number in it is not finite"),
)
