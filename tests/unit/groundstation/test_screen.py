"""What a drone says, as the screen keeps it: values, ages, texts, track, from a real flight.

Mutants killed: bytes that MAVLink 2 cut off are not restored; the age is that of the first frame;
a component of another number overwrites the autopilot's values; a second battery overwrites the
first; NaN is passed on; the parts of a long text are separate texts; the track keeps everything.
"""

import json
import math
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from groundstation.screen.vehicle import MAX_MESSAGES, MAX_TRACK, VehicleScreen
from groundstation.screen.watched import WATCHED, decode

S = 10**9
FLIGHT = Path(__file__).parents[2] / "data" / "tlog" / "arducopter-guided-flight.tlog"


def frames():
    data, at = FLIGHT.read_bytes(), 0
    while at < len(data):
        time_us = int.from_bytes(data[at : at + 8], "big")
        size = 12 + data[at + 9]
        yield time_us * 1000, data[at + 8 : at + 8 + size]
        at += 8 + size


def pack(message, sysid=1, compid=1):
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=sysid, srcComponent=compid)))


def heartbeat(base_mode=81, custom_mode=4, status=3, **source):
    return pack(
        dialect.MAVLink_heartbeat_message(2, 3, base_mode, custom_mode, status, 3), **source
    )


def said(text, severity=6, identity=0, chunk=0):
    return pack(dialect.MAVLink_statustext_message(severity, text, identity, chunk))


@pytest.fixture(scope="module")
def flown():
    """The screen after a whole flight of the real ArduCopter, and the last of each message."""
    screen, last, texts = VehicleScreen(), {}, []
    parser = dialect.MAVLink(None)
    for seen_ns, frame in frames():
        screen.receive(frame, seen_ns)
        message = parser.decode(bytearray(frame))
        last[message.get_msgId()] = (seen_ns, message)
        if message.get_type() == "STATUSTEXT":
            texts.append(message.text)
    return screen, last, texts


def test_values_of_a_real_flight(flown):
    screen, last, _ = flown
    compared = 0
    for number, watched in WATCHED.items():
        if number not in last:
            continue
        seen_ns, message = last[number]
        assert screen.age_s(number, seen_ns + 3 * S) == 3
        for field, value in zip(watched.fields, screen.values(number), strict=True):
            told = getattr(message, field.name)
            if value is None:
                assert told == field.unknown
            else:
                assert value == pytest.approx(told * field.scale, abs=0.6 * 10**-field.decimals)
                compared += 1
    assert compared > 40


def test_texts_and_track_of_a_real_flight(flown):
    screen, _, texts = flown
    joined = "".join(texts)
    assert "".join(message.text for message in screen.messages) == joined
    assert [message.number for message in screen.messages] == list(
        range(1, 1 + len(screen.messages))
    )
    assert 10 < len(screen.track) <= 91  # the flight took 90 s
    assert screen.armed_ns is not None


def test_nothing_grows_without_end():
    screen = VehicleScreen()
    screen.receive(heartbeat(), 0)
    for second in range(2 * MAX_TRACK):
        screen.receive(said(b"text %d" % second), second * S)
        position = dialect.MAVLink_global_position_int_message(
            0, 350_000_000 + second, 1_390_000_000, 0, 0, 0, 0, 0, 0
        )
        screen.receive(pack(position), second * S)
    assert len(screen.track) == MAX_TRACK
    assert len(screen.messages) == MAX_MESSAGES
    assert screen.messages[-1].text == f"text {2 * MAX_TRACK - 1}"


def test_a_long_text_comes_in_parts():
    screen = VehicleScreen()
    screen.receive(said(b"a" * 50, identity=7), 0)
    screen.receive(said(b"b" * 50, identity=7, chunk=1), 0)
    version = screen.version
    screen.receive(said(b"c", identity=7, chunk=2), 0)
    screen.receive(said(b"other", identity=8, chunk=3), 0)
    assert [m.text for m in screen.messages] == ["a" * 50 + "b" * 50 + "c", "other"]
    assert screen.messages[0].version > version


@pytest.mark.parametrize("text", [b"\x1b[2Jgone", b"a\xe2\x80\xaeb", b"\xff\xfe", b"a\nb\rc"])
def test_a_text_is_printable(text):
    screen = VehicleScreen()
    screen.receive(said(text), 0)
    assert screen.messages[0].text.isprintable()


def test_others_do_not_speak_for_the_autopilot():
    screen = VehicleScreen()
    attitude = dialect.MAVLink_attitude_message(0, 1, 0, 0, 0, 0, 0)
    screen.receive(pack(attitude), 0)
    assert screen.values(dialect.MAVLINK_MSG_ID_ATTITUDE) is None  # nobody has introduced himself
    screen.receive(heartbeat(), 0)
    screen.receive(heartbeat(custom_mode=6, compid=191), 0)
    screen.receive(heartbeat(custom_mode=6, sysid=9), 0)
    screen.receive(pack(attitude, sysid=9), 0)
    assert screen.value(dialect.MAVLINK_MSG_ID_HEARTBEAT, "custom_mode") == 4
    assert screen.values(dialect.MAVLINK_MSG_ID_ATTITUDE) is None
    assert (screen.sysid, screen.other_sysid) == (1, 9)


def test_only_the_first_battery():
    screen = VehicleScreen()
    screen.receive(heartbeat(), 0)
    for battery in (0, 1):
        message = dialect.MAVLink_battery_status_message(
            battery, 0, 0, 0, [0] * 10, 0, 100 + battery, 0, 50
        )
        screen.receive(pack(message), 0)
    assert screen.value(dialect.MAVLINK_MSG_ID_BATTERY_STATUS, "current_consumed") == 100


def test_timers_follow_the_edges():
    screen = VehicleScreen()
    for second, (mode, status) in enumerate([(81, 3), (209, 3), (209, 4), (209, 5), (81, 3)]):
        screen.receive(heartbeat(mode, status=status), second * S)
        assert screen.armed_ns == (S if mode == 209 else None)
        assert screen.flying_ns == (2 * S if status > 3 else None)


def test_what_is_old_is_not_fresh():
    screen = VehicleScreen()
    screen.receive(heartbeat(), 0)
    mode = (dialect.MAVLINK_MSG_ID_HEARTBEAT, "custom_mode")
    assert screen.fresh(*mode, 3 * S) == 4
    assert screen.fresh(*mode, 3 * S + 1) is None
    assert screen.value(*mode) == 4


def test_only_what_has_come_since():
    screen = VehicleScreen()
    screen.receive(heartbeat(), 5)
    assert screen.since(0) == {"heartbeat": (5, (2, 81, 4, 3))}
    assert screen.since(screen.version) == {}


@given(st.sampled_from(sorted(WATCHED)), st.binary(max_size=255))
@example(dialect.MAVLINK_MSG_ID_ATTITUDE, b"\0\0\0\0\0\0\0N")  # 5e8 rad are 3e10 degrees
def test_any_payload_becomes_json(number, payload):
    head = bytes((0xFD, len(payload), 0, 0, 0, 1, 1, number & 255, number >> 8, 0))
    values = decode(number, head + payload + b"\0\0")
    assert len(values) == len(WATCHED[number].fields)
    assert all(v is None or (math.isfinite(v) and abs(v) < 1e10) for v in values)
    json.dumps(values, allow_nan=False)


@given(
    st.lists(st.tuples(st.sampled_from([0, 253, *WATCHED]), st.binary(max_size=80)), max_size=20)
)
def test_any_frames(stream):
    screen = VehicleScreen()
    screen.receive(heartbeat(), 0)
    for number, payload in stream:
        head = bytes((0xFD, len(payload), 0, 0, 0, 1, 1, number & 255, number >> 8, 0))
        screen.receive(head + payload + b"\0\0", 1)
    json.dumps(screen.since(0), allow_nan=False)
    assert all(message.text.isprintable() for message in screen.messages)
