"""Whatever an authenticated ground station sends, the policy answers and nothing raises.

Mutants killed: `upper` left out; names cut at the last zero; the finite
check of a setpoint, of a parameter, or of a command's first three numbers left out.
"""

import math
import struct

import pytest
from fastcrc.crc16 import mcrf4xx
from hypothesis import given, settings
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
    uplink = Uplink(Role.COMMANDER, lambda frame, state, now_ns: None)
    opened = Opened("station-a", b"".join(frames), 0, (1, 1), 0)
    context = Context(0, True, True, 10**18, WIFI_LIMITS, (0, -1))
    passed = uplink.receive(frames, opened, autopilot, context, 10**12)
    stopped = passed.frames + [frame for frame, _ in passed.unconfirmed]
    assert all(frame in frames for frame in stopped)
    assert len(stopped) + uplink.dropped.total() == len(frames)
    for answer in passed.answers:
        assert is_valid_frame(answer)
        assert answer[5] == 1


PREFIXES = ("FS_", "FENCE_", "ARMING_", "SYSID_", "SERIAL", "MAV", "RC", "AUTO_OPTIONS", "GPS")
STEMS = st.sampled_from([*PREFIXES, "FS", "XFS_", "_FS_", "AUTO_OPTION", "WPNAV_SPEED", ""])
MIXED = st.builds(
    lambda text, flips: bytes(ord(c.lower() if flips >> i & 1 else c) for i, c in enumerate(text)),
    STEMS,
    st.integers(0, 65535),
)
NAMES = st.builds(
    lambda stem, tail: (stem + tail)[:16],
    MIXED,
    st.sampled_from([b"", b"\0", b"\0FS_", b"\0XYZ", b"A" * 16]) | st.binary(max_size=16),
)
EDGES = st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf, -math.inf, 3.4e38, 1e-45])


def is_protected(raw):
    """The slow model: what a C program would read, compared letter by letter."""
    name = ""
    for byte in raw:
        if byte == 0:
            break
        name += chr(byte - 32) if ord("a") <= byte <= ord("z") else chr(byte)
    return any(
        name == prefix if prefix == "AUTO_OPTIONS" else name.startswith(prefix)
        for prefix in PREFIXES
    )


@settings(max_examples=400)
@given(NAMES, st.one_of(st.just(1.0), EDGES))
def test_a_protected_parameter_is_one_however_it_is_written(raw, value):
    payload = struct.pack("<fBB16sB", value, 1, 1, raw, 9)
    flying = judge(frame_of(23, payload), Role.COMMANDER, 1, FlightState.ARMED)
    landed = judge(frame_of(23, payload), Role.COMMANDER, 1, FlightState.DISARMED)
    if not math.isfinite(value):
        assert isinstance(flying, Refuse)
        assert isinstance(landed, Refuse)
    elif is_protected(raw):
        assert isinstance(flying, Refuse)
        assert isinstance(landed, TwoStep)
    elif raw.upper().startswith((b"XFS_", b"_FS_", b"WPNAV")):
        assert isinstance(flying, Forward)


# Which floats of a message may be NaN, of those with floats that pass when all are zero.
MAY_BE_NAN = {76: {3, 4, 5}, 39: {3, 4, 5, 6}}  # a take-off needs an altitude
FLOATS = {  # how payloads begin, and what follows the floats and makes them pass
    76: ("<7f", struct.pack("<H3B", 22, 1, 1, 0)),
    39: ("<7f", struct.pack("<HH6B", 0, 16, 1, 1, 3, 0, 1, 0)),
    23: ("<f", b"\1\1WPNAV_SPEED"),
    82: ("<4x8f", b"\1\1\0"),
    84: ("<4x11f", struct.pack("<HBBB", 0, 1, 1, 1)),
    86: ("<12x9f", struct.pack("<HBBB", 0, 1, 1, 6)),
}


@pytest.mark.parametrize("number", FLOATS)
@given(changed=st.dictionaries(st.integers(0, 10), EDGES, max_size=2))
def test_what_is_not_finite_passes_only_where_it_may(number, changed):
    form, tail = FLOATS[number]
    values = [changed.get(at, 0.0) for at in range(11)]
    used = values[: int("".join(c for c in form.split("x")[-1] if c.isdigit()) or 1)]
    verdict = judge(
        frame_of(number, struct.pack(form, *used) + tail), Role.COMMANDER, 1, FlightState.DISARMED
    )
    open_ = MAY_BE_NAN.get(number, set())
    passes = all(math.isfinite(v) or (math.isnan(v) and i in open_) for i, v in enumerate(used))
    assert isinstance(verdict, Forward) == passes
