"""What `sekisho status --watch` shows: lines of text from what the services count. No I/O.

Made for ssh and 80 by 24: the worst comes first, everything else one line a drone. Colour says
nothing that a word does not say too.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

import msgspec

from groundstation.screen.link import LinkView, LinkWatch
from groundstation.station import StationStatus

_NONE: Final = "-"
_MANY_LOST: Final = 0.1
_HEAD: Final = ("DRONE", "LINK", "PATH", "HEARD", "RTT", "LOSS", "KEYS", "COMMAND", "REFUSED")
_WIDTHS: Final = (13, 6, 6, 7, 8, 6, 10, 9, 9)


class Level(IntEnum):
    """How much somebody has to care."""

    PLAIN = 0
    GOOD = 1
    CAUTION = 2
    ALARM = 3


class Line(NamedTuple):
    """One line of the screen."""

    text: str
    level: Level = Level.PLAIN


class StatusScreen:
    """Follows services from answer to answer, since rates come from counters. Starts empty."""

    def __init__(self) -> None:
        self._watches: dict[tuple[int, str], LinkWatch] = {}

    def lines(self, answers: Sequence[Mapping[str, Any]], now_ns: int) -> list[Line]:
        """Return the screen for the answers of all services."""
        alarms: list[Line] = []
        body: list[Line] = []
        for answer in answers:
            if answer["kind"] == "ground":
                self._ground(answer, alarms, body, now_ns)
            else:
                _aboard(answer, alarms, body)
        if not answers:
            alarms.append(Line("ALARM    no service answers", Level.ALARM))
        alarms.sort(key=lambda line: -line.level)
        return [*(alarms or [Line("all quiet", Level.GOOD)]), Line(""), *body]

    def _ground(
        self, answer: Mapping[str, Any], alarms: list[Line], body: list[Line], now_ns: int
    ) -> None:
        body += [Line(_title("ground", answer)), Line(_row(_HEAD))]
        for name, peer in answer["peers"].items():
            status = msgspec.convert(peer, StationStatus)
            watch = self._watches.setdefault((answer["pid"], name), LinkWatch())
            view = watch.look(status, now_ns)
            own = _judge(name, status, view)
            alarms += own
            worst = max((line.level for line in own), default=Level.PLAIN)
            good = Level.GOOD if status.state == "live" else Level.PLAIN
            body.append(Line(_row(_link(name, status, view)), max(worst, good)))
        mqtt = answer.get("mqtt")
        if mqtt:
            state = "connected" if mqtt["connected"] else "NOT CONNECTED"
            text = f"mqtt     {state}, {mqtt['broker']}, {mqtt['published']} published"
            body.append(Line(text, Level.PLAIN if mqtt["connected"] else Level.CAUTION))
        body.append(Line(""))


def fitted(lines: Sequence[Line], width: int, height: int) -> list[Line]:
    """Return what fits on a terminal; what does not is counted on the last line."""
    cut = [line._replace(text=_cut(line.text, width)) for line in lines]
    if len(cut) <= height:
        return cut
    hidden = len(cut) - height + 1
    return [*cut[: height - 1], Line(_cut(f"... {hidden} more lines", width), Level.CAUTION)]


def _judge(name: str, status: StationStatus, view: LinkView) -> list[Line]:
    authority = status.authority
    late = status.telemetry_age_s is not None and status.telemetry_age_s > 2
    said = (
        (Level.ALARM, status.state == "lost", f"link lost, heard {_seconds(status.heard_s)} ago"),
        (Level.ALARM, bool(view.attack), f"under attack: {view.attack}"),
        (Level.ALARM, bool(authority["navigation_suspect"]), "the position may be false"),
        (Level.ALARM, late, f"telemetry is {_seconds(status.telemetry_age_s)} old"),
        (Level.CAUTION, status.state == "none", "has not answered yet"),
        (Level.CAUTION, bool(view.noise), view.noise),
        (Level.CAUTION, (view.loss_down or 0) >= _MANY_LOST, f"loses {_share(view.loss_down)}"),
        (Level.CAUTION, bool(authority["holder_lost"]), "the station in command is lost"),
        (Level.CAUTION, bool(authority["offered"]), "command is offered to this station"),
        (Level.CAUTION, authority["challenge"] is not None, "waits for `sekisho confirm`"),
    )
    return [Line(f"{level.name:8} {name}: {text}", level) for level, holds, text in said if holds]


def _link(name: str, status: StationStatus, view: LinkView) -> tuple[str, ...]:
    return (
        name,
        status.state,
        status.path,
        _seconds(status.heard_s),
        _NONE if view.round_trip_ms is None else f"{view.round_trip_ms:.0f} ms",
        _share(view.loss_down),
        f"{view.generation}, psk {view.ratchet}",
        "this" if status.authority["is_holder"] else "other",
        str(view.forged + view.replayed + view.plain),
    )


def _aboard(answer: Mapping[str, Any], alarms: list[Line], body: list[Line]) -> None:
    name, autopilot, failsafe = answer["name"], answer["autopilot"], answer["failsafe"]
    recorder = answer["recorder"]
    body += [
        Line(_title(f"drone {name}", answer)),
        Line(f"autopilot {autopilot['state']}, link {failsafe['link']}, "
             f"recorder {recorder['state']}"),
        Line(""),
    ]  # fmt: skip
    if autopilot["state"] not in ("armed", "disarmed"):
        alarms.append(Line(f"ALARM    {name}: the autopilot is not heard", Level.ALARM))


def _title(what: str, answer: Mapping[str, Any]) -> str:
    service = answer["service"]
    ours = f", {service['exceptions']} exceptions" if service["exceptions"] else ""
    return f"{what}, pid {answer['pid']}, up {_long(service['uptime_s'])}{ours}"


def _row(cells: Sequence[str]) -> str:
    padded = (
        _cut(cell, width - 1).ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True)
    )
    return "".join(padded).rstrip()


def _cut(text: str, width: int) -> str:
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return printable if len(printable) <= width else printable[: max(0, width - 1)] + "~"


def _seconds(value: float | None) -> str:
    if value is None:
        return _NONE
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


def _long(seconds: float) -> str:
    minutes = int(seconds) // 60
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{100 * value:.0f} %"
