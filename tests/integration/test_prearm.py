"""Arming through the link, with each required parameter wrong once, unread, and set by others.

Mutants killed: a row that allows 0; forced arming passes; COMMAND_INT passes; an unread parameter
counts as right; trust does not end, or ends in flight; a confirmed arming is not judged again;
sticks pass on the ground; disarming is gated; nothing is read again; the older name is not asked
for; a restart, a silence unnoticed; no patience with an autopilot that does not answer; NaN taken;
a write in flight, or without reading back; a switch that arms; one sequence for line and ground; a
tool that waits is not minded, or minded without end; a recorder's fault held, or not.
"""

import dataclasses

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from flightcore.options import DEFAULT_OPTIONS
from flightcore.parameters import READ_EVERY_NS, TRUST_NS
from flightcore.prearm import MAX_TEXTS, PrearmOptions, arms, requirements
from tests.aboard import SAFE, parameter_value
from tests.world import S, World, command

ARM, DISARM = command(400, 1), command(400, 0)
FORCED = command(400, 1, 2989)
MAV = dialect.MAVLink(None, srcSystem=255, srcComponent=190)
ARM_INT = bytes(
    dialect.MAVLink_command_int_message(1, 1, 0, 400, 0, 0, 1, 0, 0, 0, 0, 0, 0).pack(MAV)
)
STICKS = [
    bytes(message.pack(MAV))
    for message in (
        dialect.MAVLink_rc_channels_override_message(1, 1, *(1500,) * 8),
        dialect.MAVLink_manual_control_message(1, 0, 0, 500, 0, 0),
    )
]

# Each wrong once, and what the operator is told.
WRONG = [
    ("FS_GCS_ENABLE", 0, "FS_GCS_ENABLE is 0, wanted 1, 3, 4 or 5"),
    ("FS_GCS_ENABLE", 2, "FS_GCS_ENABLE is 2, wanted 1, 3, 4 or 5"),
    ("FS_GCS_ENABLE", 6, "FS_GCS_ENABLE is 6, wanted 1, 3, 4 or 5"),
    ("FS_GCS_ENABLE", 7, "FS_GCS_ENABLE is 7, wanted 1, 3, 4 or 5"),
    ("FS_GCS_ENABLE", 1.5, "FS_GCS_ENABLE is 1.5, wanted 1, 3, 4 or 5"),
    ("FS_OPTIONS", 16, "FS_OPTIONS is 16, wanted bits 1 and 4 off"),
    ("FS_OPTIONS", 2, "FS_OPTIONS is 2, wanted bits 1 and 4 off"),
    ("FS_OPTIONS", 26, "FS_OPTIONS is 26, wanted bits 1 and 4 off"),
    ("FS_GCS_TIMEOUT", 5.5, "FS_GCS_TIMEOUT is 5.5, wanted 2 to 5"),
    ("FS_GCS_TIMEOUT", 0, "FS_GCS_TIMEOUT is 0, wanted 2 to 5"),
    ("FENCE_ENABLE", 0, "FENCE_ENABLE is 0, wanted 1"),
    ("FS_EKF_ACTION", 0, "FS_EKF_ACTION is 0, wanted 1, 2 or 3"),
    ("FS_EKF_THRESH", 0, "FS_EKF_THRESH is 0, wanted 0.1 to 1"),
    ("FS_EKF_THRESH", 1.5, "FS_EKF_THRESH is 1.5, wanted 0.1 to 1"),
    ("MAV_GCS_SYSID", 254, "MAV_GCS_SYSID is 254, wanted 255"),
]
RIGHT = [("FS_GCS_ENABLE", 3), ("FS_GCS_ENABLE", 4), ("FS_GCS_ENABLE", 5), ("FS_OPTIONS", 8)]
RIGHT += [("FS_GCS_TIMEOUT", 2), ("FS_EKF_ACTION", 3), ("FS_EKF_THRESH", 1.0)]


def a_world(random_bytes, ms=3000, **options):
    world = World(random_bytes, **options)
    world.run(ms)
    return world


def options(**chosen):
    return dataclasses.replace(DEFAULT_OPTIONS, prearm=PrearmOptions(**chosen))


def said(world, kind):
    messages = dialect.MAVLink(None).parse_buffer(bytearray(world.grounds["a"].tools)) or []
    return [message for message in messages if message.get_type() == kind]


def texts(world):
    return [message.text for message in said(world, "STATUSTEXT")]


def results(world):
    return [message.result for message in said(world, "COMMAND_ACK")]


def test_every_requirement_is_wrong_once_here():
    assert {name for name, _, _ in WRONG} == {r.names[0] for r in requirements(PrearmOptions())}
    assert {name for name, _, _ in WRONG} == set(SAFE)


def test_with_everything_right_it_arms_soon_after_the_first_heartbeat(random_bytes):
    world = a_world(random_bytes, 1000)  # in which the link comes up too
    for frame in (ARM, ARM_INT, STICKS[0], STICKS[1]):
        assert world.executes(frame)
    assert world.companion.status(world.now).prearm.open
    times = [when for when, _ in world.far_end.asked]
    assert max(times) - min(times) < S  # and that was all that was asked


@pytest.mark.parametrize(("name", "value", "text"), WRONG)
def test_one_parameter_wrong(random_bytes, name, value, text):
    world = World(random_bytes)
    world.far_end.parameters[name] = value
    world.run(3000)
    for frame in (ARM, ARM_INT):
        world.grounds["a"].tools = b""
        assert not world.executes(frame)
        assert results(world) == [dialect.MAV_RESULT_DENIED]
        assert texts(world) == [f"Refused: {text}"]
        world.run(1000)
    for frame in (FORCED, *STICKS):
        assert not world.executes(frame)
    assert world.companion.stations["a"].uplink.dropped == {"prearm": 3, "prearm_sticks": 2}
    assert not world.station().command.challenge(world.now)  # forced: not even asked back
    assert world.executes(DISARM)
    status = world.companion.status(world.now).prearm
    assert not status.open
    assert status.missing == {name: text}
    # Put right by anyone: the autopilot says so on every line.
    world.companion.receive_line(parameter_value(name, SAFE[name]), world.now)
    assert world.executes(ARM)


@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_other_values_that_are_right(random_bytes, name, value):
    world = World(random_bytes)
    world.far_end.parameters[name] = value
    world.run(3000)
    assert world.executes(ARM)


def test_every_text_fits_into_a_statustext():
    for _, _, text in WRONG:
        assert len(f"Refused: {text}") <= 50
    for row in requirements(PrearmOptions()):
        assert len(f"Refused: {row.names[0]} not read, wanted {row.wanted}") <= 58


def test_nothing_read_and_several_wrong_is_said_within_bounds(random_bytes):
    world = World(random_bytes)
    world.far_end.answers = False
    world.run(3000)
    for _ in range(10):
        assert not world.executes(ARM, ms=50)
    assert len(texts(world)) == MAX_TEXTS  # once a second at most
    assert texts(world)[0].startswith("Refused: FS_GCS_ENABLE not read")
    assert texts(world)[-1] == "and 3 more: sekisho doctor"
    assert len(results(world)) == 10


def test_a_change_made_over_another_port_is_noticed_while_disarmed(random_bytes):
    world = a_world(random_bytes)
    assert world.executes(ARM)
    world.far_end.parameters["FS_GCS_ENABLE"] = 0
    world.run(READ_EVERY_NS // 10**6 + 1000)
    assert not world.executes(ARM)


def test_what_is_no_longer_answered_is_no_longer_trusted(random_bytes):
    world = a_world(random_bytes)
    world.far_end.answers = False
    world.run((TRUST_NS - READ_EVERY_NS) // 10**6 - 2000)
    assert world.executes(ARM)
    world.run(READ_EVERY_NS // 10**6 + 4000)
    assert not world.executes(ARM)
    world.far_end.answers = True
    world.run(READ_EVERY_NS // 10**6 + 2000)
    assert world.executes(ARM)


@pytest.mark.parametrize(
    "wanted",
    [
        dialect.MAVLink_param_request_read_message(1, 1, b"RTL_ALT", -1),
        dialect.MAVLink_param_request_list_message(1, 1),
        dialect.MAVLink_param_set_message(1, 1, b"RTL_ALT", 1500, 9),
    ],
)
def test_while_a_tool_waits_for_a_parameter_no_other_is_asked_for(random_bytes, wanted):
    """An answer does not say to whom it is."""
    world = a_world(random_bytes, 9_500)  # half a second before the next reading
    world.far_end.asked.clear()
    world.station().send([bytes(wanted.pack(MAV))], world.now)
    world.run(4900)
    assert world.far_end.asked == []
    world.run(1000)
    assert len(world.far_end.asked) == len(SAFE)
    for _ in range(20):  # and however much is asked, nothing gets old
        world.station().send([bytes(wanted.pack(MAV))], world.now)
        world.run(3000)
        assert world.companion.watch.prearm.missing(world.now) == []
    assert len(world.far_end.asked) <= len(SAFE) * 5


def test_in_flight_nothing_is_asked_and_nothing_ages(random_bytes):
    world = a_world(random_bytes)
    world.run(1500, armed=True)
    world.far_end.asked.clear()
    world.run(2 * TRUST_NS // 10**6, step=50, armed=True)
    assert world.far_end.asked == []
    assert world.executes(ARM)  # after a disarming by mistake it must arm at once
    assert all(world.executes(frame) for frame in STICKS)
    world.run(1500, armed=False)
    assert world.far_end.asked != []


def test_sticks_fly_an_armed_vehicle_whatever_the_gate_says(random_bytes):
    world = World(random_bytes)
    world.far_end.parameters["FS_GCS_ENABLE"] = 0
    world.run(3000, armed=True)
    assert all(world.executes(frame) for frame in STICKS)
    assert not world.executes(ARM)


@pytest.mark.parametrize("gone", ["line", "silence", "clock", "time"])
def test_another_autopilot_is_read_anew(random_bytes, gone):
    world = a_world(random_bytes)
    system_time = lambda ms: bytes(  # noqa: E731
        dialect.MAVLink_system_time_message(0, ms).pack(
            dialect.MAVLink(None, srcSystem=1, srcComponent=1)
        )
    )
    world.companion.receive_line(system_time(60_000), world.now)
    assert world.executes(ARM)
    world.far_end.answers = False
    match gone:
        case "line":
            world.companion.line_lost()
        case "silence":
            world.now += 5 * S
        case "clock":
            world.companion.receive_line(system_time(1000), world.now)
        case "time":  # and a small step back is none
            world.companion.receive_line(system_time(59_500), world.now)
    world.run(2000)
    assert world.executes(ARM) == (gone == "time")


def test_an_older_autopilot_has_another_name_for_the_operators_id(random_bytes):
    world = World(random_bytes)
    world.far_end.parameters["SYSID_MYGCS"] = world.far_end.parameters.pop("MAV_GCS_SYSID")
    world.run(3000)
    assert world.executes(ARM)
    world.far_end.asked.clear()
    world.run(15_000)
    asked = {name for _, name in world.far_end.asked}
    assert "SYSID_MYGCS" in asked
    assert "MAV_GCS_SYSID" not in asked
    world.far_end.parameters["SYSID_MYGCS"] = 252
    world.run(11_000)
    assert not world.executes(ARM)
    assert "Refused: SYSID_MYGCS is 252, wanted 255" in texts(world)


def test_requests_are_few_however_long_nobody_answers(random_bytes):
    world = World(random_bytes)
    world.far_end.answers = False
    world.run(60_000, step=50)
    by_second = [when // S for when, _ in world.far_end.asked]
    assert max(map(by_second.count, by_second)) <= 20
    assert len(by_second) < 60_000 / 1000 * 2


def test_a_forced_arming_is_judged_again_when_it_is_confirmed(random_bytes):
    world = a_world(random_bytes)
    world.line.clear()
    world.station().send([FORCED], world.now)
    world.run(200)
    challenge = world.station().command.challenge(world.now)
    world.companion.receive_line(parameter_value("FENCE_ENABLE", 0), world.now)
    assert world.station().command.confirm(challenge.nonce, world.now)
    world.run(200)
    assert world.line == []
    assert world.companion.stations["a"].uplink.dropped == {"prearm": 1}


def test_not_enforced_it_says_so_and_refuses_nothing(random_bytes):
    world = World(random_bytes, options=options(is_enforced=False))
    world.far_end.parameters["FS_GCS_ENABLE"] = 0
    world.run(3000)
    for frame in (ARM, *STICKS):
        assert world.executes(frame)
    assert any("prearm.enforce = false" in note for note in world.notes)
    assert any("FS_GCS_ENABLE is 0" in note for note in world.notes)
    status = world.companion.status(world.now).prearm
    assert (status.enforced, status.open) == (False, False)


def test_limits_and_own_rows_of_the_owner(random_bytes):
    chosen = options(gcs_timeout_most=20, gcs_sysid=250, require=(("RTL_ALT", 1500, 5000),))
    world = World(random_bytes, options=chosen)
    world.far_end.parameters |= {"FS_GCS_TIMEOUT": 20, "MAV_GCS_SYSID": 250, "RTL_ALT": 1000}
    world.run(3000)
    assert not world.executes(ARM)
    assert "Refused: RTL_ALT is 1000, wanted 1500 to 5000" in texts(world)
    world.companion.receive_line(parameter_value("RTL_ALT", 1500), world.now)
    assert world.executes(ARM)


@pytest.mark.parametrize("is_required", [False, True])
def test_arming_waits_for_the_recorder_if_the_owner_wants_that(random_bytes, is_required):
    world = a_world(random_bytes, options=options(requires_recorder=is_required))
    world.companion.watch.prearm.recorder_is("recorder: disk full")
    assert world.executes(ARM) is not is_required
    assert ("Refused: recorder: disk full" in texts(world)) is is_required
    world.companion.watch.prearm.recorder_is(None)
    assert world.executes(ARM)


def test_no_value_that_the_line_may_say_raises(random_bytes):
    world = a_world(random_bytes)
    for value in (float("nan"), float("inf"), -float("inf")):
        world.companion.receive_line(parameter_value("FS_OPTIONS", value), world.now)
    assert world.executes(ARM)  # none of them is a value
    for value in (-3.4e38, 3.4e38, -1.0, 0.5):
        world.companion.receive_line(parameter_value("FS_OPTIONS", value), world.now)
        assert not world.executes(ARM)


def test_a_write_is_repeated_read_back_and_only_on_the_ground(random_bytes):
    world = World(random_bytes)
    world.far_end.parameters |= {"FS_GCS_ENABLE": 0, "FENCE_ENABLE": 0}
    world.run(3000)
    parameters = world.companion.watch.parameters
    assert parameters.write("RTL_ALT", 1, world.now).startswith("RTL_ALT is none of")
    assert parameters.write("FS_GCS_ENABLE", 1, world.now) is None
    world.run(500)
    assert parameters.describe_writes() == {"FS_GCS_ENABLE": "written"}
    world.far_end.answers = False
    assert parameters.write("FENCE_ENABLE", 1, world.now) is None
    world.run(3000)
    assert parameters.describe_writes()["FENCE_ENABLE"] == "refused: it is still 0"
    sets = [m.param_id for m in world.far_end.own if m.get_type() == "PARAM_SET"]
    assert sets == ["FS_GCS_ENABLE"] + ["FENCE_ENABLE"] * 4
    world.run(2000, armed=True)
    assert "only while" in parameters.write("FENCE_ENABLE", 1, world.now)


def test_a_switch_that_arms_is_arming():
    assert arms(command(218, 153, 2))
    assert not arms(command(218, 9, 2))
    assert arms(command(400, 1))
    assert not arms(command(400, 0))
    assert not arms(parameter_value("FS_OPTIONS", 1))


def test_what_is_asked_of_the_autopilot_leaves_no_gap_on_the_ground(random_bytes):
    """Ground software counts a jump of the sequence number as lost frames."""
    world = a_world(random_bytes)
    for number in range(3):
        world.companion.watch.voice.tell(4, f"text {number}")
        world.run(11_000)  # and every parameter is read in between
    numbers = [m.get_seq() for m in said(world, "STATUSTEXT") if m.get_srcComponent() == 191]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
