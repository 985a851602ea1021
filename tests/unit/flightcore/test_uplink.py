"""The order of trust after the tag, and the policy's rows."""

import pytest
from fastcrc.crc16 import mcrf4xx
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.generation import Opened
from crypto.pair import Role
from flightcore.autopilot import Autopilot
from flightcore.policy import (
    WIFI_LIMITS,
    FlightState,
    Freshness,
)
from flightcore.uplink import Context, Uplink
from wire.mavlink import CRC_EXTRA
from wire.records import parse_records

NOW = 10**12


def pack(message, sysid=255, compid=190):
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=sysid, srcComponent=compid)))


def command(number, *params, target=(1, 1), **source):
    values = [*params, *[0] * (7 - len(params))]
    return pack(dialect.MAVLink_command_long_message(*target, number, 0, *values), **source)


@pytest.fixture
def autopilot():
    autopilot = Autopilot()
    heartbeat = dialect.MAVLink_heartbeat_message(2, 3, 1, 0, 3, 3)
    autopilot.receive(pack(heartbeat, 1, 1), NOW)
    return autopilot


class Judge:
    def __init__(self, autopilot, role=Role.COMMANDER):
        self.uplink = Uplink(role, lambda frame, state, now_ns: None)
        self.autopilot = autopilot
        self.counter = 0

    def __call__(self, payload, *, age_ns=0, epoch=7, sent_epoch=7, is_holder=True, order=None):
        self.counter += 1
        order = (1, self.counter) if order is None else order
        opened = Opened("station-a", payload, age_ns, order, sent_epoch)
        frames, _ = parse_records(payload)
        context = Context(epoch, True, is_holder, 10**18, WIFI_LIMITS, self.uplink.last_order)
        passed = self.uplink.receive(frames, opened, self.autopilot, context, NOW)
        self.unconfirmed = passed.unconfirmed
        return passed.frames


@pytest.fixture
def passes(autopilot):
    return Judge(autopilot)


ARM = command(400, 1)
PARAMETER_LIST = pack(dialect.MAVLink_param_request_list_message(1, 1))


def test_what_is_allowed_passes_unchanged(passes):
    assert passes(ARM + PARAMETER_LIST) == [ARM, PARAMETER_LIST]
    assert passes.uplink.forwarded == 2


@pytest.mark.parametrize(
    ("frame", "limit_ns"),
    [
        (pack(dialect.MAVLink_manual_control_message(1, 0, 0, 500, 0, 0)), 400_000_000),
        (ARM, 1_500_000_000),
        (PARAMETER_LIST, 5_000_000_000),
        (command(20), 10_000_000_000),
    ],
)
def test_age_limits_of_the_classes(passes, frame, limit_ns):
    assert passes(frame, age_ns=limit_ns) == [frame]
    assert passes(frame, age_ns=limit_ns + 1) == []
    assert passes(frame, age_ns=None) == []
    assert passes.uplink.dropped == {"stale": 2}


def test_a_command_must_be_newer_than_the_last_one_executed(passes):
    assert passes(ARM, order=(1, 10)) == [ARM]
    assert passes(ARM, order=(1, 9)) == []
    assert passes(ARM, order=(1, 10)) == []
    assert passes(ARM, order=(2, 0)) == [ARM]
    assert passes(ARM, order=(1, 11)) == []  # the old generation's grace is not for commands
    assert passes(PARAMETER_LIST, order=(1, 12)) == [PARAMETER_LIST]
    assert passes.uplink.dropped == {"out_of_order": 3}


def test_a_refused_command_does_not_count_as_executed(passes):
    assert passes(command(999, 1), order=(1, 10)) == []
    assert passes(ARM, order=(1, 9)) == [ARM]


def test_commands_of_one_datagram_pass_together(passes):
    assert passes(ARM + command(20)) == [ARM, command(20)]


def test_only_the_holder_of_the_current_authority_commands(passes):
    assert passes(ARM, is_holder=False) == []
    assert passes(ARM, sent_epoch=6) == []
    assert passes(ARM, epoch=263, sent_epoch=7) == [ARM]  # the low byte is what the frame has
    assert passes.uplink.dropped == {"not_holder": 1, "stale_epoch": 1}


def test_observer_sends_nothing_at_all(autopilot):
    observer = Judge(autopilot, Role.OBSERVER)
    for number, extra in CRC_EXTRA.items():
        body = b"\x01\0\0\0\xff\xbe" + number.to_bytes(3, "little") + b"\0"
        frame = b"\xfd" + body + mcrf4xx(body + extra).to_bytes(2, "little")
        assert observer(frame) == []
    assert observer.uplink.dropped == {"observer": len(CRC_EXTRA)}


def test_frame_with_a_bad_checksum_is_refused(passes):
    damaged = bytearray(ARM)
    damaged[-1] ^= 1
    assert passes(bytes(damaged)) == []
    assert passes.uplink.dropped == {"bad_frame": 1}


@pytest.mark.parametrize("source", [{"sysid": 1}, {"compid": 1}, {"compid": 191}, {"compid": 154}])
def test_frames_that_claim_to_come_from_aboard_are_refused(passes, source):
    assert passes(command(400, 1, **source)) == []
    assert passes.uplink.dropped == {"forged_source": 1}


def test_nothing_passes_before_the_autopilot_is_known():
    silent = Judge(Autopilot())
    assert silent(ARM) == []
    assert silent.uplink.dropped == {"autopilot_unknown": 1}


@pytest.mark.parametrize("target", [(1, 1), (1, 77), (0, 0), (1, 0)])
def test_a_command_is_judged_alike_whatever_component_it_names(passes, target):
    """The real autopilot executes what is addressed to nobody or to everybody."""
    assert passes(command(400, 1, 21196, target=target)) == []
    assert passes.unconfirmed == [(command(400, 1, 21196, target=target), "force arming")]
    assert passes(command(999, 1, target=target)) == []
    assert passes.uplink.dropped == {"command_not_allowed": 1}


NAN = float("nan")


def local_target(mask, *values):
    return pack(dialect.MAVLink_set_position_target_local_ned_message(0, 1, 1, 1, mask, *values))


@pytest.mark.parametrize(
    "frame",
    [
        command(192, NAN, 1),
        command(192, -1, NAN),
        command(192, -1, 1, float("inf")),
        pack(dialect.MAVLink_command_int_message(1, 1, 6, 192, 0, 0, -1, 1, NAN, 0, 0, 0, 0)),
        command(22, 0, 0, 0, 0, 0, 0, NAN),
        pack(dialect.MAVLink_command_int_message(1, 1, 3, 22, 0, 0, 0, 0, 0, 0, 0, 0, NAN)),
        local_target(0xDF8, NAN, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        local_target(0xDC7, 0, 0, 0, 0, NAN, 0, 0, 0, 0, 0, 0),
        local_target(0xC3F, 0, 0, 0, 0, 0, 0, 0, 0, NAN, 0, 0),
        local_target(0x9F8, 0, 0, 0, 0, 0, 0, 0, 0, 0, NAN, 0),
        local_target(0x5F8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NAN),
        pack(dialect.MAVLink_set_attitude_target_message(0, 1, 1, 7, [1, NAN, 0, 0], 0, 0, 0, 0.5)),
        pack(dialect.MAVLink_set_attitude_target_message(0, 1, 1, 7, [1, 0, 0, 0], 0, 0, 0, NAN)),
        pack(
            dialect.MAVLink_set_attitude_target_message(0, 1, 1, 128, [1, 0, 0, 0], 0, NAN, 0, 0.5)
        ),
    ],
)
def test_what_the_autopilot_would_compute_with_must_be_finite(passes, frame):
    """The real autopilot does not check all of these, and its simulator aborts on some."""
    assert passes(frame) == []
    assert passes.uplink.dropped == {"not_finite": 1}


def test_what_the_autopilot_ignores_need_not_be_finite(passes):
    for frame in (
        command(21, 0, 0, 0, NAN),
        command(22, 0, 0, 0, NAN, NAN, NAN, 10),
        local_target(0xDF8, 1, 2, -3, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN),
        local_target(0xDC7, NAN, NAN, NAN, 1, 0, 0, NAN, NAN, NAN, NAN, NAN),
    ):
        assert passes(frame) == [frame]


REFUSED = {
    "termination taken back": command(185, 0),
    "stay in the bootloader": command(246, 3),
    "reboot of the companion": command(246, 1, 1),
    "storage reset": command(245, 2),
    "auxiliary function": command(218, 41, 2),
    "motor test": command(209, 1),
    "shell": pack(dialect.MAVLink_serial_control_message(10, 2, 0, 0, 1, [10] + [0] * 69)),
    "signing key": pack(dialect.MAVLink_setup_signing_message(1, 1, [1] * 32, 0)),
    "parameter that is no number": pack(
        dialect.MAVLink_param_set_message(1, 1, b"RTL_ALT", NAN, 9)
    ),
    "file removal": pack(
        dialect.MAVLink_file_transfer_protocol_message(0, 1, 1, [0, 0, 0, 8] + [0] * 247)
    ),
    "forged position": pack(
        dialect.MAVLink_gps_input_message(0, 0, 0, 0, 0, 3, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 9)
    ),
    "log erasure": pack(dialect.MAVLink_log_erase_message(1, 1)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_dangerous_frames_are_refused_from_a_commander(passes, name):
    assert passes(REFUSED[name]) == []
    assert passes.uplink.dropped.total() == 1


def parameter(name, value):
    return pack(dialect.MAVLink_param_set_message(1, 1, name, value, 2))


TWO_STEPS = {
    "force disarming": command(400, 0, 21196),
    "force arming": command(400, 1, 2989),
    "terminate the flight": command(185, 1),
    "restart the autopilot": command(246, 1),
    "switch the fence off": command(207, 0),
    "set FS_GCS_ENABLE=0": parameter(b"FS_GCS_ENABLE", 0),
    "set FENCE_ENABLE=0": parameter(b"fence_enable", 0),
}
ON_GROUND_ONLY = ("restart", "set ")


@pytest.mark.parametrize("text", TWO_STEPS)
def test_what_cannot_be_taken_back_takes_two_steps(autopilot, passes, text):
    frame = TWO_STEPS[text]
    assert passes(frame) == []
    assert passes.unconfirmed == [(frame, text)]
    assert passes.uplink.confirmed(frame, autopilot, NOW).frames == [frame]
    autopilot.state = FlightState.ARMED
    flies = not text.startswith(ON_GROUND_ONLY)
    assert passes.uplink.confirmed(frame, autopilot, NOW).frames == ([frame] if flies else [])
    assert passes(frame) == []
    assert bool(passes.unconfirmed) == flies


def test_calibration_only_on_the_ground(autopilot, passes):
    calibrate = command(241, 1)
    assert passes(calibrate) == [calibrate]
    autopilot.state = FlightState.ARMED
    assert passes(calibrate) == []
    autopilot.state = FlightState.UNKNOWN
    assert passes(calibrate) == []
    autopilot.state = FlightState.DISARMED
    autopilot.heard_ns = NOW - 3_000_000_000  # silent since: nobody knows what it does now
    assert passes(calibrate) == []


def test_returning_and_landing_are_accepted_longest(passes):
    for mode in (6, 9, 17, 5):
        assert passes(command(176, 1, mode), age_ns=Freshness.SAFE)
    assert passes(command(176, 1, 4), age_ns=Freshness.SAFE) == []
    set_mode = pack(dialect.MAVLink_set_mode_message(1, 1, 6))
    assert passes(set_mode, age_ns=Freshness.SAFE) == [set_mode]
