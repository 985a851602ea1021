"""What reaches the autopilot's line is exactly what the policy says, whatever is sent.

Every message of the dialect, every MAV_CMD as COMMAND_LONG, as COMMAND_INT and as item, from every
role, in every flight state, sealed by a real link end, through the real `sekisho drone`, with the
test behind its pty. What should arrive is written out in `policy_lists`.
"""

import re
import time

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from tests.e2e.link_end import DISARMED, VEHICLE, LinkEnd, pack
from tests.e2e.policy_lists import STATES, everything, file, item, long, outcome, parameter, plan

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def end(tmp_path, request):
    end = LinkEnd(tmp_path, request.param)
    try:
        end.pump(lambda: end.station.is_live(time.monotonic_ns()), 20, "the link is up")
        end.rest(1)
        yield end
    finally:
        end.close()


@pytest.mark.parametrize("end", ["observer"], indirect=True)
def test_of_an_observer_nothing_arrives(end):
    frames = [frame for frame, _ in everything()]
    bad = 4  # of a broken checksum or with unknown flags
    refused = 0
    for state in STATES:
        end.become(state)
        end.arrived.clear()
        refused += len(frames) - bad
        for at in range(0, len(frames), 25):
            end.send(frames[at : at + 25])
            end.rest(0.01)
        end.pump(lambda n=refused: end.dropped("observer") == n, 10, "all are refused")
        assert end.arrived == b""


@pytest.mark.parametrize("end", ["commander", "supervisor"], indirect=True)
def test_what_arrives_is_what_the_policy_says(end, request):
    role = request.node.callspec.params["end"]
    frames = everything()
    for state in STATES:
        end.become(state)
        arrived = end.exchange([frame for frame, _ in frames])
        wanted = [f for f, expected in frames if outcome(expected, state, role) == "F"]
        if arrived != b"".join(wanted):
            report_first_difference(end, frames, state, role)
        asked = [f for f, expected in frames if outcome(expected, state, role) == "2"]
        for frame in asked:
            assert confirmed(end, frame) == frame, frame.hex()


def report_first_difference(end, frames, state, role):
    """Send again one by one, to say which."""
    wrong = []
    for frame, expected in frames:
        arrived = end.exchange([frame])
        if arrived != (frame if outcome(expected, state, role) == "F" else b""):
            wrong.append((frame.hex(), expected, arrived.hex()))
    raise AssertionError(f"{state}, {role}: {wrong[:20]}")


def confirmed(end, frame):
    """Send a frame, take the second step; return what arrives, which was nothing before it."""
    end.arrived.clear()
    end.send([frame])
    command = end.station.command
    end.pump(
        lambda: (c := command.challenge(time.monotonic_ns())) and c.operation == frame,
        5,
        f"{frame.hex()} is asked back",
    )
    assert end.arrived == b""
    assert command.confirm(command.challenge(time.monotonic_ns()).nonce, time.monotonic_ns())
    end.pump(lambda: end.arrived, 5, f"{frame.hex()} arrives")
    arrived = bytes(end.arrived)
    assert end.exchange([]) == b""
    return arrived


@pytest.mark.parametrize("end", ["commander"], indirect=True)
def test_mavlink_1_never_passes(end):
    """It is no record of the link: whatever shares its datagram is dropped with it."""
    end.become(DISARMED)
    command = mavlink.MAVLink_command_long_message(1, 1, 400, 0, 1, 0, 0, 0, 0, 0, 0)
    old = mavlink.MAVLink(None, srcSystem=255, srcComponent=190)
    frame = bytes(command.pack(old, force_mavlink1=True))
    assert end.exchange([frame]) == b""
    end.send([long(400, 1), frame])
    end.pump(lambda: end.dropped("malformed_records") == 2, 5, "both are dropped")
    assert end.exchange([]) == b""


@pytest.mark.parametrize("end", ["commander"], indirect=True)
def test_a_refusal_is_answered_in_the_words_of_its_protocol(end):
    end.become(DISARMED)
    armed = [parameter(b"FS_GCS_ENABLE", 0), *plan(1), item(16, 1), file(7), long(218, 31, 2)]
    end.become("armed")
    end.answers()
    for frame in armed:
        assert end.exchange([frame]) == b""
    end.rest(0.3)
    answers = end.answers()
    told = {}
    for message in answers:
        told.setdefault(message.get_type(), []).append(message)
    assert all(m.get_srcSystem() == VEHICLE for m in answers)
    assert told["PARAM_ERROR"][0].param_id == "FS_GCS_ENABLE"
    assert told["PARAM_ERROR"][0].error == mavlink.MAV_PARAM_ERROR_PERMISSION_DENIED
    acks = [(m.type, m.mission_type, m.target_system) for m in told["MISSION_ACK"]]
    assert acks == [(mavlink.MAV_MISSION_DENIED, 1, 255)] * 4
    nak = told["FILE_TRANSFER_PROTOCOL"][0]
    assert (nak.payload[3:6], nak.payload[12], nak.target_component) == ([129, 1, 7], 9, 190)
    assert told["COMMAND_ACK"][0].result == mavlink.MAV_RESULT_DENIED
    texts = [m.text for m in told["STATUSTEXT"]]
    assert "Refused: FS_GCS_ENABLE: only while disarmed" in texts
    assert "Refused: DO_AUX_FUNCTION: one number stops motors" in texts


def test_an_override_is_in_force_once_accepted(tmp_path):
    override = '[message.GPS_RTCM_DATA]\nverdict = "forward"\nfreshness = "command"\n'
    (tmp_path / "policy.toml").write_text(override)
    named = '[policy]\nfile = "policy.toml"\n'
    end = LinkEnd(tmp_path, "commander", named)
    try:
        assert end.process.wait() == 2
        mark = re.search(r'write accept = "(\w+)"', end.process.output)[1]
        assert "message GPS_RTCM_DATA: refuse -> forward (command)" in end.process.output
    finally:
        end.close()
    again = tmp_path / "again"
    again.mkdir()
    (again / "policy.toml").write_text(override)
    end = LinkEnd(again, "commander", f'{named}accept = "{mark}"\n')
    try:
        end.process.expect(f"policy.toml overrides the built-in policy, fingerprint {mark}", 15)
        end.pump(lambda: end.station.is_live(time.monotonic_ns()), 20, "the link is up")
        end.become(DISARMED)
        corrections = pack(mavlink.MAVLink_gps_rtcm_data_message(0, 180, bytes(180)))
        assert end.exchange([corrections, long(209, 1)]) == corrections
    finally:
        end.close()
