"""Rows made ready to be read: for each flight state a verdict that needs no more thought."""

from collections.abc import Callable
from typing import Final, NamedTuple

from flightcore.policy.rows import ON_GROUND, Case, Does, Fields, Kind, Row, Rule
from flightcore.policy.verdicts import FlightState, Forward, Reason, Refuse, TwoStep, Verdict

# "Refused: " and the text make one STATUSTEXT.
MAX_TEXT: Final = 50 - len("Refused: ")

_REFUSED: Final = {
    Kind.MESSAGE: Reason.MESSAGE,
    Kind.COMMAND: Reason.COMMAND,
    Kind.ITEM: Reason.ITEM,
    Kind.PARAMETER: Reason.PARAMETER,
    Kind.FILE: Reason.FILE,
    Kind.TRAJECTORY: Reason.TRAJECTORY,
}


def text(name: str, why: str) -> str:
    """Return what is shown of a refusal, short enough for one STATUSTEXT."""
    whole = f"{name}: {why}"
    return whole if len(whole) <= MAX_TEXT else why


class ByState(NamedTuple):
    """What a rule comes to in each flight state."""

    disarmed: Verdict
    armed: Verdict
    unknown: Verdict

    def of(self, state: FlightState) -> Verdict:
        """Return the verdict in one state."""
        if state is FlightState.ARMED:
            return self.armed
        return self.disarmed if state is FlightState.DISARMED else self.unknown


class Cases(NamedTuple):
    """A row as it is read."""

    name: str
    cases: tuple[tuple[Callable[[Fields], bool], ByState], ...]
    otherwise: ByState

    def of(self, fields: Fields, state: FlightState) -> Verdict:
        """Return the verdict on a frame with these contents."""
        for applies, verdicts in self.cases:
            if applies(fields):
                return verdicts.of(state)
        return self.otherwise.of(state)


def compiled(kind: Kind, row: Row) -> Cases:
    """Make a row ready."""
    cases = tuple((case.applies, _by_state(kind, row, case)) for case in row.cases)
    return Cases(row.name, cases, _by_state(kind, row, row))


def _by_state(kind: Kind, row: Row, case: Row | Case) -> ByState:
    states = (FlightState.DISARMED, FlightState.ARMED, FlightState.UNKNOWN)
    return ByState(*(verdict_of(kind, row.name, case.why, case.rule, s) for s in states))


def verdict_of(kind: Kind, name: str, why: str, rule: Rule, state: FlightState) -> Verdict:
    """Return what a rule says in one state, in words that name what it is about."""
    if rule.does is Does.REFUSE:
        return Refuse(_REFUSED[kind], text(name, why))
    if state not in rule.states:
        if rule.elsewhere is not None:
            return verdict_of(kind, name, why, rule.elsewhere, state)
        if rule.states == ON_GROUND:
            return Refuse(Reason.NOT_ON_GROUND, text(name, "only while disarmed"))
        when = " or ".join(sorted(s.value for s in rule.states))
        return Refuse(Reason.NOT_IN_THIS_STATE, text(name, f"only while {when}"))
    if rule.does is Does.TWO_STEP:
        return TwoStep(rule.freshness, why, rule.least)
    return Forward(rule.freshness, rule.least)
