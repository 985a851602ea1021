"""Whatever an authenticated ground station sends, the policy answers and nothing raises."""

from fastcrc.crc16 import mcrf4xx
from hypothesis import given
from hypothesis import strategies as st

from crypto.generation import Opened
from crypto.pair import Role
from flightcore.autopilot import Autopilot
from flightcore.policy import (
    WIFI_LIMITS,
    FlightState,
    Forward,
    Refuse,
    TwoStep,
    judge,
)
from flightcore.policy.judge import COMMAND_NUMBER
from flightcore.uplink import Context, Uplink
from wire.mavlink import CRC_EXTRA, is_valid_frame

# Bytes that make numbers special: zeros, ones, NaN and infinity as float32, small commands.
PIECES = st.sampled_from(
    [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\x01"]
)
PAYLOADS = st.lists(st.one_of(PIECES, st.binary(max_size=40)), max_size=20).map(
    lambda parts: b"".join(parts)[:255]
)
COMMAND_PAYLOADS = st.builds(
    lambda head, number, tail: head + number.to_bytes(2, "little") + tail,
    st.binary(min_size=28, max_size=28),
    st.one_of(st.sampled_from(sorted(COMMAND_NUMBER.values())), st.integers(0, 65535)),
    st.binary(max_size=5),
)


def frame_of(number, payload, sysid=255, compid=190):
    body = bytes((len(payload), 0, 0, 0, sysid, compid)) + number.to_bytes(3, "little") + payload
    frame = b"\xfd" + body + mcrf4xx(body + CRC_EXTRA[number]).to_bytes(2, "little")
    assert is_valid_frame(frame)
    return frame


# Messages that are judged by what is in them: modes, parameters, plans, setpoints, files, gimbals.
LOOKED_INTO = [11, 23, 38, 39, 44, 45, 73, 82, 84, 86, 110, 282, 287, 288]
FRAMES = st.one_of(
    st.builds(frame_of, st.sampled_from(LOOKED_INTO), PAYLOADS),
    st.builds(frame_of, st.sampled_from([75, 76]), COMMAND_PAYLOADS),
    st.builds(frame_of, st.sampled_from(sorted(CRC_EXTRA)), PAYLOADS),
)


@given(FRAMES, st.sampled_from(FlightState), st.sampled_from(Role))
def test_every_frame_gets_a_verdict(frame, state, role):
    verdict = judge(frame, role, 1, state)
    assert isinstance(verdict, Forward | TwoStep | Refuse)
    if role is Role.OBSERVER:
        assert isinstance(verdict, Refuse)


@given(st.lists(FRAMES, max_size=4))
def test_every_datagram_is_passed_or_answered(frames):
    autopilot = Autopilot()
    autopilot.sysid, autopilot.state = 1, FlightState.DISARMED
    uplink = Uplink(Role.COMMANDER)
    opened = Opened("station-a", b"".join(frames), 0, (1, 1), 0)
    context = Context(0, True, True, 10**18, WIFI_LIMITS, (0, -1))
    passed = uplink.receive(frames, opened, autopilot, context, 10**12)
    stopped = passed.frames + [frame for frame, _ in passed.unconfirmed]
    assert all(frame in frames for frame in stopped)
    assert len(stopped) + uplink.dropped.total() == len(frames)
    for answer in passed.answers:
        assert is_valid_frame(answer)
        assert answer[5] == 1
