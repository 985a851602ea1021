"""One status word for a drone, and the reasons for it: a table in order of importance.

The first row that holds and has a word gives the word. Every row that holds and has a reason adds
it. The worst level of all rows that hold colours the word: FLYING with a low battery is amber.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from groundstation.screen.modes import LAND, RETURNING, mode_name

LATE_S: Final = 2.0
SILENT_S: Final = 3.0
_STATE_CRITICAL: Final = 5  # MAV_STATE
_STATE_EMERGENCY: Final = 6
_FIX_3D: Final = 3


class Level(IntEnum):
    """How much an operator has to care."""

    QUIET = 0  # nothing is known, or nothing is going on
    GOOD = 1
    CAUTION = 2
    ALARM = 3


class Situation(NamedTuple):
    """What the word is made of. None is unknown; ages in seconds; shares from 0 to 1."""

    link: str = "none"  # none | live | lost
    heard_s: float | None = None
    picture_s: float | None = None
    attack: str = ""
    noise: str = ""
    loss_down: float | None = None
    navigation_suspect: bool = False
    is_holder: bool = False
    holder_lost: bool = False
    sysid_clash: str = ""
    heartbeat_s: float | None = None
    armed: bool | None = None
    flying: bool = False
    mode: int | None = None
    system_status: int | None = None
    prearm_good: bool | None = None
    unhealthy: Sequence[str] = ()
    battery_percent: float | None = None
    fix_type: int | None = None
    ekf_faults: Sequence[str] = ()
    fence_breached: bool = False
    prearm_texts: Sequence[str] = ()


class Reason(NamedTuple):
    """One reason, for people."""

    level: Level
    text: str


class Word(NamedTuple):
    """The status word, its level, and the reasons, worst first."""

    text: str
    level: Level
    reasons: Sequence[Reason]


class Row(NamedTuple):
    """One row of the table; an empty word or reason is none."""

    word: str
    level: Level
    holds: Callable[[Situation], bool]
    reason: Callable[[Situation], str] | str = ""


def _is_live(s: Situation) -> bool:
    return s.link == "live"


def _is_silent(s: Situation) -> bool:
    return _is_live(s) and (s.heartbeat_s is None or s.heartbeat_s > SILENT_S)


def _on_ground(s: Situation) -> bool:
    return _is_live(s) and s.armed is False


def _below(s: Situation, percent: float) -> bool:
    return s.battery_percent is not None and s.battery_percent <= percent


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} s"


ROWS: Final[Sequence[Row]] = (
    Row("NOT CONNECTED", Level.QUIET, lambda s: s.link == "none", "The drone has not answered yet"),
    Row(
        "LINK LOST",
        Level.ALARM,
        lambda s: s.link == "lost",
        lambda s: f"Nothing heard for {_seconds(s.heard_s)}; the drone follows its own failsafe",
    ),
    Row("SYSID CLASH", Level.ALARM, lambda s: bool(s.sysid_clash), lambda s: s.sysid_clash),
    Row("UNDER ATTACK", Level.ALARM, lambda s: bool(s.attack), lambda s: f"Link: {s.attack}"),
    Row(
        "NAV SUSPECT",
        Level.ALARM,
        lambda s: s.navigation_suspect,
        "The position may be false: fly by sight; clear the alarm when you have seen it",
    ),
    Row(
        "NO AUTOPILOT",
        Level.ALARM,
        _is_silent,
        lambda s: f"The companion answers, the autopilot does not ({_seconds(s.heartbeat_s)})",
    ),
    Row(
        "TELEMETRY LATE",
        Level.ALARM,
        lambda s: _is_live(s) and s.picture_s is not None and s.picture_s > LATE_S,
        lambda s: f"What is shown may be {s.picture_s:.1f} s old",
    ),
    Row(
        "EMERGENCY",
        Level.ALARM,
        lambda s: _is_live(s) and s.system_status == _STATE_EMERGENCY,
        "The autopilot reports an emergency",
    ),
    Row(
        "FAILSAFE",
        Level.ALARM,
        lambda s: _is_live(s) and s.system_status == _STATE_CRITICAL,
        lambda s: f"The autopilot is in a failsafe, mode {mode_name(s.mode)}",
    ),
    Row(
        "BATTERY CRITICAL",
        Level.ALARM,
        lambda s: bool(s.armed) and _below(s, 15),
        lambda s: f"Battery {s.battery_percent:.0f} %: land now",
    ),
    Row("FENCE BREACHED", Level.ALARM, lambda s: s.fence_breached, "Outside the fence"),
    Row("LANDING", Level.GOOD, lambda s: s.flying and s.mode == LAND),
    Row("RETURNING", Level.GOOD, lambda s: s.flying and s.mode in RETURNING),
    Row("FLYING", Level.GOOD, lambda s: s.flying),
    Row("ARMED", Level.CAUTION, lambda s: bool(s.armed), "Motors may start at any moment"),
    Row("NOT READY", Level.CAUTION, lambda s: _on_ground(s) and s.prearm_good is False),
    Row("READY", Level.GOOD, lambda s: _on_ground(s) and s.prearm_good is True),
    Row("DISARMED", Level.QUIET, _on_ground),
    # What follows never gives the word.
    Row(
        "",
        Level.CAUTION,
        lambda s: _on_ground(s) and s.prearm_good is False,
        lambda s: "; ".join(s.prearm_texts) or "Pre-arm checks have not passed",
    ),
    Row(
        "",
        Level.CAUTION,
        lambda s: _below(s, 30) and not (bool(s.armed) and _below(s, 15)),
        lambda s: f"Battery {s.battery_percent:.0f} %",
    ),
    Row(
        "",
        Level.CAUTION,
        lambda s: _is_live(s) and s.fix_type is not None and s.fix_type < _FIX_3D,
        "GNSS has no 3D fix",
    ),
    Row(
        "",
        Level.CAUTION,
        lambda s: bool(s.ekf_faults),
        lambda s: f"EKF: {', '.join(s.ekf_faults)}",
    ),
    Row(
        "",
        Level.CAUTION,
        lambda s: bool(s.unhealthy),
        lambda s: f"Not healthy: {', '.join(s.unhealthy)}",
    ),
    Row("", Level.CAUTION, lambda s: bool(s.noise), lambda s: s.noise),
    Row(
        "",
        Level.CAUTION,
        lambda s: s.loss_down is not None and s.loss_down >= 0.1,
        lambda s: f"{100 * (s.loss_down or 0):.0f} % of the drone's datagrams are lost",
    ),
    Row(
        "",
        Level.CAUTION,
        lambda s: s.holder_lost,
        "The station in command is lost",
    ),
    Row(
        "",
        Level.QUIET,
        lambda s: _is_live(s) and not s.is_holder and not s.holder_lost,
        "Another station commands",
    ),
)


def judge(situation: Situation) -> Word:
    """Return the word and its reasons."""
    word, worst = "CONNECTED", Level.QUIET
    reasons: list[Reason] = []
    has_word = False
    for row in ROWS:
        if not row.holds(situation) or (row.word and has_word and row.level < Level.ALARM):
            continue
        if row.word and not has_word:
            word, has_word = row.word, True
        worst = max(worst, row.level)
        text = row.reason if isinstance(row.reason, str) else row.reason(situation)
        if text:
            reasons.append(Reason(row.level, text))
    reasons.sort(key=lambda reason: -reason.level)
    return Word(word, worst, reasons)
