"""The screen of `sekisho status --watch`.

Mutants killed: a lost link is no alarm; the worst is not on top; a line is wider than the terminal;
what does not fit vanishes; a drone's name steers the terminal.
"""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundstation.station import StationStatus
from sekisho.status_screen import Level, Line, StatusScreen, fitted
from wire.summary import LinkSummary

S = 1_000_000_000
AUTHORITY = {
    "is_holder": True,
    "navigation_suspect": False,
    "holder_lost": False,
    "offered": False,
    "challenge": None,
}


def peer(state="live", heard_s=0.1, authority=None, dropped=None, **more):
    link = LinkSummary(datagrams_down=100, dropped=dropped or {}, generation=3)
    status = StationStatus(
        state, "udp", heard_s, 0.05, link, {**AUTHORITY, **(authority or {})}, "suite", 2, 1, None,
        0, expected_down=more.pop("expected_down", 100), round_trip_s=0.012, **more,
    )  # fmt: skip
    return json.loads(msgspec.json.encode(status))


def ground(**peers):
    service = {"uptime_s": 4000.0, "exceptions": 0}
    return {"kind": "ground", "pid": 7, "peers": peers, "service": service, "mqtt": None}


def shown(answer, screen=None, now=100 * S):
    return (screen or StatusScreen()).lines([answer], now)


def text(lines):
    return "\n".join(line.text for line in lines)


def test_all_is_quiet():
    lines = shown(ground(a=peer(), b=peer()))
    assert lines[0] == Line("all quiet", Level.GOOD)
    assert "ground, pid 7, up 1 h 06 min" in text(lines)
    (row,) = [line.text for line in lines if line.text.startswith("a ")]
    assert " ".join(row.split()) == "a live udp 0.1 s 12 ms - 3, psk 2 this 0"


@pytest.mark.parametrize(
    ("fault", "said", "level"),
    [
        ({"state": "lost", "heard_s": 12.3}, "link lost, heard 12 s ago", Level.ALARM),
        ({"authority": {"navigation_suspect": True}}, "position may be false", Level.ALARM),
        ({"state": "none", "heard_s": None}, "has not answered yet", Level.CAUTION),
        ({"authority": {"holder_lost": True}}, "station in command is lost", Level.CAUTION),
        ({"authority": {"offered": True}}, "offered to this station", Level.CAUTION),
        ({"authority": {"challenge": "00"}}, "waits for `sekisho confirm`", Level.CAUTION),
    ],
)
def test_what_is_wrong_is_on_top(fault, said, level):
    lines = shown(ground(a=peer(authority={"offered": True}), b=peer(**fault)))
    assert said in text(lines)
    found = next(line for line in lines if "b: " in line.text)
    assert found.level is level
    assert found.text.startswith(level.name)
    levels = [line.level for line in lines]
    assert levels[0] == max(levels)


def test_an_attack_is_seen_from_what_the_counters_gained():
    screen = StatusScreen()
    quiet = shown(ground(a=peer(dropped={"bad_tag": 50})), screen, 100 * S)
    screen = StatusScreen()
    shown(ground(a=peer()), screen, 90 * S)
    attacked = shown(ground(a=peer(dropped={"bad_tag": 50})), screen, 91 * S)
    assert "under attack" not in text(quiet)
    assert "ALARM    a: under attack: 50 forged refused in 10 s" in text(attacked)


def test_loss():
    screen = StatusScreen()
    shown(ground(a=peer(expected_down=0)), screen, 90 * S)
    lines = shown(ground(a=peer(expected_down=150)), screen, 91 * S)
    assert "CAUTION  a: loses 100 %" in text(lines)


def test_nobody_answers():
    assert StatusScreen().lines([], 0)[0] == Line("ALARM    no service answers", Level.ALARM)


LINES = st.lists(st.builds(Line, st.text(max_size=120), st.sampled_from(Level)), max_size=40)


@given(LINES, st.integers(1, 100), st.integers(1, 30))
def test_it_fits(lines, width, height):
    drawn = fitted(lines, width, height)
    assert len(drawn) <= height
    assert all(len(line.text) <= width and line.text.isprintable() for line in drawn)
    if len(lines) > height:
        hidden = len(lines) - height + 1
        assert f"... {hidden} more lines".startswith(drawn[-1].text.rstrip("~"))


def test_fifty_drones_on_80_by_24():
    peers = {f"drone-{number}": peer() for number in range(50)}
    peers["drone-49"] = peer("lost", 30.0)
    drawn = fitted(shown(ground(**peers)), 80, 24)
    assert drawn[0].text == "ALARM    drone-49: link lost, heard 30 s ago"
    assert drawn[-1].text.startswith("... ")
