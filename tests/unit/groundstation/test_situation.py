"""The status word: its table, row by row, and what holds for every situation.

Mutants killed: a row further up is skipped; the level is that of the row that gave the word; the
reasons come in the order of the table; values of a lost drone still colour the word; a reason is
given twice.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundstation.screen.situation import ROWS, Level, Situation, judge

READY = Situation(
    link="live",
    heard_s=0.1,
    is_holder=True,
    heartbeat_s=0.5,
    armed=False,
    mode=4,
    system_status=3,
    prearm_good=True,
    battery_percent=90,
    fix_type=3,
)
FLYING = READY._replace(armed=True, flying=True, system_status=4)


@pytest.mark.parametrize(
    ("situation", "word", "level"),
    [
        (Situation(), "NOT CONNECTED", Level.QUIET),
        (READY, "READY", Level.GOOD),
        (READY._replace(prearm_good=False), "NOT READY", Level.CAUTION),
        (READY._replace(prearm_good=None), "DISARMED", Level.QUIET),
        (READY._replace(battery_percent=30), "READY", Level.CAUTION),
        (READY._replace(armed=True), "ARMED", Level.CAUTION),
        (FLYING, "FLYING", Level.GOOD),
        (FLYING._replace(mode=6), "RETURNING", Level.GOOD),
        (FLYING._replace(mode=9), "LANDING", Level.GOOD),
        (FLYING._replace(battery_percent=25), "FLYING", Level.CAUTION),
        (FLYING._replace(battery_percent=15), "BATTERY CRITICAL", Level.ALARM),
        (FLYING._replace(system_status=5), "FAILSAFE", Level.ALARM),
        (FLYING._replace(link="lost", heard_s=4), "LINK LOST", Level.ALARM),
        (FLYING._replace(heartbeat_s=3.1), "NO AUTOPILOT", Level.ALARM),
        (FLYING._replace(picture_s=2.1), "TELEMETRY LATE", Level.ALARM),
        (FLYING._replace(attack="3 forged"), "UNDER ATTACK", Level.ALARM),
        (FLYING._replace(navigation_suspect=True), "NAV SUSPECT", Level.ALARM),
        (FLYING._replace(sysid_clash="two"), "SYSID CLASH", Level.ALARM),
        (FLYING._replace(link="lost", attack="3 forged"), "LINK LOST", Level.ALARM),
        (FLYING._replace(fence_breached=True), "FENCE BREACHED", Level.ALARM),
        (FLYING._replace(loss_down=0.1), "FLYING", Level.CAUTION),
    ],
)
def test_the_word(situation, word, level):
    judged = judge(situation)
    assert (judged.text, judged.level) == (word, level)
    assert bool(judged.reasons) == (
        level in (Level.CAUTION, Level.ALARM) or word == "NOT CONNECTED"
    )


def test_every_alarm_is_among_the_reasons():
    word = judge(FLYING._replace(link="lost", attack="3 forged", navigation_suspect=True))
    assert [reason.level for reason in word.reasons[:3]] == [Level.ALARM] * 3


SITUATIONS = st.builds(
    Situation,
    link=st.sampled_from(["none", "live", "lost"]),
    heard_s=st.none() | st.floats(0, 100),
    picture_s=st.none() | st.floats(0, 5),
    attack=st.sampled_from(["", "3 forged"]),
    noise=st.sampled_from(["", "noise"]),
    loss_down=st.none() | st.floats(0, 1),
    navigation_suspect=st.booleans(),
    is_holder=st.booleans(),
    holder_lost=st.booleans(),
    heartbeat_s=st.none() | st.floats(0, 5),
    armed=st.none() | st.booleans(),
    flying=st.booleans(),
    mode=st.none() | st.integers(0, 30),
    system_status=st.none() | st.integers(0, 9),
    prearm_good=st.none() | st.booleans(),
    unhealthy=st.sampled_from([(), ("compass",)]),
    battery_percent=st.none() | st.integers(0, 100),
    fix_type=st.none() | st.integers(0, 6),
    ekf_faults=st.sampled_from([(), ("compass",)]),
    fence_breached=st.booleans(),
    prearm_texts=st.sampled_from([(), ("Compass not healthy",)]),
)


@given(SITUATIONS)
def test_every_situation(situation):
    word = judge(situation)
    holding = [row for row in ROWS if row.holds(situation)]
    words = [row for row in holding if row.word]
    assert word.text == (words[0].word if words else "CONNECTED")
    alarms = [row for row in holding if row.level is Level.ALARM]
    assert (word.level is Level.ALARM) == bool(alarms)
    assert sum(reason.level is Level.ALARM for reason in word.reasons) == len(alarms)
    levels = [reason.level for reason in word.reasons]
    assert levels == sorted(levels, reverse=True)
    assert all(reason.text for reason in word.reasons)
