"""A replay shows at any time what a screen shows that has been fed everything up to then.

Mutants that died here: a jump that takes one frame too few; one too many; only the newest
heartbeat, so that the time of arming is lost; one message kept; frames fed twice while playing; a
speed that is not applied; a picture that is sent though nothing changed.
"""

import random
import struct
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from groundstation.replay import SPEEDS, Recording, RecordingName, Replay
from groundstation.screen.vehicle import VehicleScreen

S = 10**9
FLIGHT = Path(__file__).parents[2] / "data" / "tlog" / "arducopter-guided-flight.tlog"
TITLE = RecordingName("flights-a/0000000001.slog", "a", "clean, 3 chunks", 1)
ZERO_NS = 1_000_000


def recording(tlog, batch=100):
    made = Recording(tlog, TITLE)
    at = 0
    while at is not None:
        at = made.index(at, batch)
    return made


@cache
def flown():
    return recording(FLIGHT.read_bytes())


@cache
def frames():
    data, at, found = FLIGHT.read_bytes(), 0, []
    first = int.from_bytes(data[:8], "big")
    while at < len(data):
        size = 12 + data[at + 9]
        time_ns = (int.from_bytes(data[at : at + 8], "big") - first) * 1000
        found.append((time_ns, data[at + 8 : at + 8 + size]))
        at += 8 + size
    return found


def slow_screen(at_ns):
    """The obvious way: everything from the beginning."""
    screen = VehicleScreen()
    sysid = flown().flight.sysid
    for time_ns, frame in frames():
        if time_ns <= at_ns and frame[5] == sysid:
            screen.receive(frame, ZERO_NS + time_ns)
    return screen


def shown(screen):
    groups = screen.since(0)
    texts = [(each.seen_ns, each.severity, each.text) for each in screen.messages]
    return groups, texts, screen.armed_ns, screen.flying_ns


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("seek"), st.floats(-1, 200)),
        st.tuples(st.just("play"), st.sampled_from(SPEEDS)),
        st.tuples(st.just("wait"), st.floats(0, 30)),
        st.tuples(st.just("pause"), st.just(0)),
    ),
    max_size=8,
)


@settings(max_examples=25)
@given(STEPS)
@example([("seek", 30), ("play", 2.0), ("wait", 5), ("wait", 5), ("seek", 20)])
@example([("seek", 1e9), ("play", 16.0), ("wait", 3)])
@example([("play", 0.25), ("wait", 20), ("pause", 0), ("wait", 9)])
@example([("play", 16.0), ("wait", 2), ("wait", 2), ("wait", 30)])
def test_the_screen_is_that_of_all_frames_until_then(steps):
    replay = Replay(flown())
    now_ns, expected_ns, speed = 50 * S, 0, None
    length_ns = flown().length_ns
    for what, value in steps:
        match what:
            case "seek":
                replay.seek(round(value * S))
                expected_ns = min(max(0, round(value * S)), length_ns)
            case "play":
                expected_ns = 0 if expected_ns >= length_ns else expected_ns
                replay.play(value, now_ns)
                speed = value
            case "wait":
                passed = round(value * S)
                now_ns += passed
                replay.picture(now_ns)
                if speed is not None:
                    expected_ns = min(expected_ns + round(passed * speed), length_ns)
                    speed = speed if expected_ns < length_ns else None
            case _:
                replay.pause()
                speed = None
        assert replay.at_ns == expected_ns
    assert shown(replay._screen) == shown(slow_screen(expected_ns))


def test_pictures_put_together_are_the_screen():
    replay = Replay(flown())
    groups, now_ns = {}, 0
    replay.play(16.0, now_ns)
    pictures = 0
    while replay.is_playing:
        now_ns += S // 10
        picture = replay.picture(now_ns)
        pictures += 1
        if picture["fresh"]:
            groups = {}
        groups |= picture["changes"].get("groups", {})
    assert pictures == pytest.approx(flown().length_ns / S * 10 / 16, abs=2)
    whole = slow_screen(flown().length_ns).since(0)
    assert groups == {
        name: (seen_ns // 1_000_000, *values) for name, (seen_ns, values) in whole.items()
    }
    assert replay.picture(now_ns + S) is None, "nothing has changed"
    replay.seek(0)
    assert replay.picture(now_ns + S)["fresh"]


def test_what_is_in_it():
    flight = flown().flight
    texts = [happening.text for happening in flight.happenings]
    assert "Armed" in texts
    assert any(text.startswith("Mode ") for text in texts)
    assert flown().track()[0][1:3] == pytest.approx((flight.path[0].lat, flight.path[0].lon))
    assert flight.duration_s == pytest.approx(frames()[-1][0] / S, abs=1e-5)


@pytest.mark.parametrize("size", [0, 7, 8, 17, 30, 1000])
def test_cut_anywhere_it_ends_there(size):
    made = recording(FLIGHT.read_bytes()[:size], 3)
    replay = Replay(made)
    replay.play(1.0, 0)
    assert replay.picture(10 * S)["at"] >= 1


def test_frames_that_no_autopilot_sends_raise_nothing():
    """Whoever has the public key can seal anything."""
    generator = random.Random(1)
    tlog = b""
    beat = bytes(
        dialect.MAVLink_heartbeat_message(2, 3, 209, 4, 4, 3).pack(
            dialect.MAVLink(None, srcSystem=1, srcComponent=1)
        )
    )
    for number in (0, 1, 24, 30, 33, 62, 74, 76, 87, 147, 164, 242, 253, 9999, 0xFFFFFF):
        for size in (0, 1, 9, 40, 255):
            body = bytes((0xFD, size, 0, 0, 7, 1, 1)) + number.to_bytes(3, "little")
            tlog += struct.pack(">Q", generator.randrange(1 << 50)) + body
            tlog += generator.randbytes(size + 2)
            tlog += struct.pack(">Q", 5) + beat
    made = recording(tlog)
    replay = Replay(made)
    for at_s in (0, 1, 1e6):
        replay.seek(round(at_s * S))
        replay.picture(1)
    made.track()
