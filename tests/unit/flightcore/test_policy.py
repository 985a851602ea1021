"""The tables: all of the dialect has a row, and each verdict is what the end-to-end lists say.

Mutants killed: DO_SET_SERVO forwarded; NAV_LAND refused; MISSION_COUNT without its case; the own
system id, the component, the target system or the length not looked at; an unknown state taken for
disarmed; signed frames let through; names not cut at the first zero; `upper` left out; the case
`switch` left out; `param5` left out of the forced calibrations; the kind of an item not compared;
`current` not looked at; infinity let through; a gimbal's NaN refused; `least` not looked at.
"""

import re
from collections import Counter

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from crypto.pair import Role
from flightcore.policy import BUILT_IN, FlightState, Forward, Refuse, TwoStep
from flightcore.policy.compiled import MAX_TEXT
from flightcore.policy.rows import Does, Kind, by_name, lines
from flightcore.policy.tables import BUILT_IN_TABLE
from tests.e2e.link_end import ARMED, DISARMED, SILENT
from tests.e2e.policy_lists import COMMANDS, everything, long, outcome, parameter
from wire.mavlink import is_valid_frame

STATE = {
    DISARMED: FlightState.DISARMED,
    ARMED: FlightState.ARMED,
    SILENT: FlightState.UNKNOWN,
}
LETTER = {Forward: "F", TwoStep: "2", Refuse: "-"}
EVERYTHING = [(frame, expected) for frame, expected in everything() if is_valid_frame(frame)]


@pytest.mark.parametrize("state", STATE)
@pytest.mark.parametrize("role", ["commander", "supervisor"])
def test_each_verdict_is_what_the_lists_say(role, state):
    judged = [
        LETTER[type(BUILT_IN.judge(frame, Role(role), 1, STATE[state]))] for frame, _ in EVERYTHING
    ]
    wanted = [outcome(expected, state, role) for _, expected in EVERYTHING]
    wrong = [
        (frame.hex(), expected, got)
        for (frame, expected), got, want in zip(EVERYTHING, judged, wanted, strict=True)
        if got != want
    ]
    assert wrong == []


def test_an_observer_and_an_unknown_autopilot_get_nothing():
    for frame, _ in EVERYTHING:
        for state in FlightState:
            assert isinstance(BUILT_IN.judge(frame, Role.OBSERVER, 1, state), Refuse)
            assert isinstance(BUILT_IN.judge(frame, Role.SUPERVISOR, None, state), Refuse)


def test_every_message_of_the_dialect_has_one_row():
    """A dialect with a new message fails here until somebody has said what becomes of it."""
    rows = Counter(row.name for group in BUILT_IN_TABLE[Kind.MESSAGE] for row in group.rows)
    assert rows == Counter(m.msgname for m in mavlink.mavlink_map.values())


def test_every_command_of_the_dialect_has_one_row():
    rows = Counter(row.name for group in BUILT_IN_TABLE[Kind.COMMAND] for row in group.rows)
    names = (mavlink.enums["MAV_CMD"][number].name for number in COMMANDS)
    assert rows == Counter(name.removeprefix("MAV_CMD_") for name in names)


def test_no_item_does_what_takes_a_second_step_as_a_command():
    only_items = {"only in a mission"}
    commands, items = by_name(BUILT_IN_TABLE, Kind.COMMAND), by_name(BUILT_IN_TABLE, Kind.ITEM)
    for name, item in items.items():
        command = commands[name]
        passes = command.rule.does is Does.FORWARD and command.rule.elsewhere is None
        if item.rule.does is Does.FORWARD:
            assert passes or command.why in only_items, name
        for case in item.cases:
            assert case.rule.does is not Does.FORWARD or case.key in {c.key for c in command.cases}


def test_what_is_shown_fits_one_status_text_and_names_what_was_refused():
    long_name = parameter(b"SERIAL12_OPTIONS", -1.23456789e-30)
    frames = [frame for frame, _ in EVERYTHING] + [long_name]
    for frame in frames:
        for state in FlightState:
            verdict = BUILT_IN.judge(frame, Role.COMMANDER, 1, state)
            if not isinstance(verdict, Forward):
                assert verdict.text.isascii()
                assert 0 < len(verdict.text) <= MAX_TEXT, verdict.text
    verdict = BUILT_IN.judge(long(218, 31, 2), Role.COMMANDER, 1, FlightState.ARMED)
    assert verdict.text == "DO_AUX_FUNCTION: one number stops motors"


def test_each_row_says_why_in_a_few_words():
    for kind in Kind:
        for row in by_name(BUILT_IN_TABLE, kind).values():
            for why in (row.why, *(case.why for case in row.cases)):
                assert re.fullmatch(r"[\w ,:;.'-]{4,41}", why), (row.name, why)
    assert len(lines(BUILT_IN_TABLE)) > 500
