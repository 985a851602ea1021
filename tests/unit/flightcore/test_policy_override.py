"""`policy.toml`: what it changes, what it may not, and that a difference is seen before it counts.

Mutants killed: a fixed row loosened; an item asked back; a row refused with its cases kept; a new
parameter pattern put last; a fingerprint over the changed table alone; `states` not used.
"""

import msgspec
import pytest

from crypto.pair import Role
from flightcore.policy import BUILT_IN, FlightState, Forward, Policy, Refuse, TwoStep
from flightcore.policy.override import PolicyFile, check, differences, fingerprint, overridden
from flightcore.policy.rows import Kind
from tests.e2e.policy_lists import item, long, parameter
from wire.locality import NotAllowedError

TABLE = BUILT_IN.table
FORWARD = {"verdict": "forward", "freshness": "transfer"}


def changed(**given):
    return overridden(TABLE, check(msgspec.convert(given, PolicyFile), TABLE))


def verdict(table, frame, state=FlightState.DISARMED, role=Role.COMMANDER):
    return Policy(table).judge(frame, role, 1, state)


def test_a_row_changes_and_nothing_else():
    table = changed(command={"DO_SET_SERVO": FORWARD | {"states": ["disarmed"]}})
    assert differences(TABLE, table) == [
        "command DO_SET_SERVO: two-step (command) -> forward (transfer) while disarmed, else refuse"
    ]
    assert isinstance(verdict(table, long(183, 9, 1900)), Forward)
    assert isinstance(verdict(table, long(183, 9, 1900), FlightState.ARMED), Refuse)
    assert isinstance(verdict(table, long(183, 9, 1900), FlightState.UNKNOWN), Refuse)


def test_refused_is_refused_whatever_is_in_it():
    table = changed(command={"DO_FLIGHTTERMINATION": {"verdict": "refuse"}})
    assert isinstance(verdict(TABLE, long(185, 1)), TwoStep)
    assert isinstance(verdict(table, long(185, 1)), Refuse)
    table = changed(message={"PARAM_SET": {"verdict": "refuse"}})
    assert isinstance(verdict(table, parameter(b"WPNAV_SPEED")), Refuse)


def test_a_case_changes_alone_and_a_row_keeps_its_cases():
    table = changed(command={"COMPONENT_ARM_DISARM.force_arming": {"verdict": "refuse"}})
    assert isinstance(verdict(table, long(400, 1, 2989)), Refuse)
    assert isinstance(verdict(table, long(400, 0, 21196)), TwoStep)
    assert isinstance(verdict(table, long(400, 1)), Forward)
    two = {"verdict": "two-step", "freshness": "command"}
    table = changed(command={"COMPONENT_ARM_DISARM": two})
    asked = verdict(table, long(400, 1))
    assert isinstance(asked, TwoStep)
    assert asked.text.startswith("COMPONENT_ARM_DISARM")
    assert verdict(table, long(400, 0, 21196)).text == "force disarming"


def test_patterns_and_items_may_be_added():
    table = changed(parameter={"RC*_TRIM": FORWARD}, item={"DO_SET_SERVO": FORWARD})
    assert isinstance(verdict(table, parameter(b"rc3_trim"), FlightState.ARMED), Forward)
    assert isinstance(verdict(table, parameter(b"RC3_MIN"), FlightState.ARMED), Refuse)
    assert isinstance(verdict(table, item(183, 0)), Forward)
    assert isinstance(verdict(TABLE, item(183, 0)), Refuse)


def test_a_row_for_supervisors_only():
    table = changed(command={"NAV_TAKEOFF": FORWARD | {"role": "supervisor"}})
    assert isinstance(verdict(table, long(22)), Refuse)
    assert isinstance(verdict(table, long(22), role=Role.SUPERVISOR), Forward)


def test_what_must_be_finite_must_be_finite_however_it_is_allowed():
    table = changed(command={"DO_SET_SERVO": FORWARD}, message={"GPS_INPUT": FORWARD})
    assert isinstance(verdict(table, long(183, float("nan"))), Refuse)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"message": {"GPS_RTCM": FORWARD}}, "GPS_RTCM_DATA"),
        ({"command": {"DO_SET_SERVOS": FORWARD}}, "DO_SET_SERVO"),
        ({"command": {"COMPONENT_ARM_DISARM.forced": FORWARD}}, "force_arming"),
        ({"command": {"DO_SET_SERVO": {"verdict": "allow"}}}, "forward, two-step, refuse"),
        ({"command": {"DO_SET_SERVO": {}}}, "command.DO_SET_SERVO.verdict"),
        (
            {"command": {"DO_SET_SERVO": {"verdict": "forward"}}},
            "control, presence, command, transfer, safe",
        ),
        ({"message": {"HEARTBEAT": FORWARD}}, "the operator's presence"),
        ({"message": {"MANUAL_CONTROL": FORWARD}}, "the operator's presence"),
        ({"command": {"DO_SET_SERVO": FORWARD | {"states": []}}}, "disarmed"),
        ({"command": {"DO_SET_SERVO": FORWARD | {"states": ["flying"]}}}, "disarmed"),
        ({"command": {"DO_SET_SERVO": FORWARD | {"states": "armed"}}}, "a list of"),
        ({"command": {"DO_SET_SERVO": FORWARD | {"role": "observer"}}}, "commander, supervisor"),
        ({"command": {"DO_SET_SERVO": FORWARD | {"age": 1}}}, "verdict, freshness, states, role"),
        ({"command": {"DO_SET_SERVO": FORWARD | {"verdict": "refuse"}}}, "nothing beside"),
        ({"message": {"SETUP_SIGNING": FORWARD}}, "keys are set at the line"),
        ({"message": {"COMMAND_LONG": FORWARD}}, "by the command in it"),
        ({"command": {"FLASH_BOOTLOADER": FORWARD}}, "no firmware"),
        ({"item": {"DO_SET_SERVO": FORWARD | {"verdict": "two-step"}}}, "cannot be asked back"),
        ({"item": {"NOTHING": FORWARD}}, "a name in the table"),
        ({"parameter": {"fs_*": FORWARD}}, "A to Z"),
        ({"file": {"Write": FORWARD}}, "WriteFile"),
        ({"always": {"forged_source": FORWARD}}, "never pass"),
    ],
)
def test_what_may_not_be_changed(given, says):
    with pytest.raises(NotAllowedError) as error:
        changed(**given)
    assert says in str(error.value)


def test_the_fingerprint_is_of_both_tables():
    servo = changed(command={"DO_SET_SERVO": FORWARD})
    relay = changed(command={"DO_SET_RELAY": FORWARD})
    marks = {fingerprint(TABLE, servo), fingerprint(TABLE, relay), fingerprint(relay, servo)}
    assert len(marks) == 3
    assert fingerprint(TABLE, servo) == fingerprint(
        TABLE, changed(command={"DO_SET_SERVO": FORWARD})
    )


def test_every_row_can_be_refused_and_then_nothing_passes():
    refuse = {"verdict": "refuse"}
    table = changed(
        **{
            kind.value: {row.name: refuse for group in TABLE[kind] for row in group.rows}
            for kind in Kind
        }
    )
    for frame in (long(400, 1), parameter(b"WPNAV_SPEED"), item(16, 0)):
        assert isinstance(verdict(table, frame), Refuse)
