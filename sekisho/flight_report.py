"""One flight as one HTML page that needs nothing from outside, for the screen and for paper.

What comes from aboard is text and stays text; the page has no script and loads nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from typing import Final, NamedTuple

import sekisho
from groundstation.flight_data import FlightData, Happening
from sekisho.svg_plot import Frame, Line, Mark, clock, line_plot, path_plot

_NONE: Final = "\N{EN DASH}"
_LINK_KINDS: Final = frozenset(
    ("link", "attack", "refused", "failsafe", "authority", "session", "key", "order", "sent")
)
_MAX_MARKS: Final = 60
_MAX_ROWS: Final = 400


class Origin(NamedTuple):
    """Whence a flight comes: what it is called, and what can be said of its recording."""

    name: str
    source: str
    verdict: str  # "" if it is no recording
    level: int  # of the verdict: 1 good, 2 caution, 3 alarm
    facts: Sequence[str] = ()


def render(flight: FlightData, origin: Origin) -> str:
    """Return the page."""
    flight.finish()
    happenings = sorted(flight.happenings)
    marks = [Mark(h.time_s, h.level, h.text) for h in happenings if h.level >= 2][:_MAX_MARKS]
    frame = Frame(flight.duration_s, flight.armed, lost_spans(happenings, flight), marks)
    title = f"Flight of {origin.name}"
    style = (files(sekisho) / "flight_report.css").read_text()
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta http-equiv="Content-Security-Policy" '
            "content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{style}</style></head><body>",
            f"<header><h1>{escape(title)}</h1>",
            f'<p class="sub">{_when(flight)}</p>{_verdict(origin)}</header>',
            f"<main>{''.join(_summary(flight, frame))}{''.join(_plots(flight, frame))}",
            *_tables(happenings),
            f"</main>{_footer(flight, origin)}</body></html>",
            "",
        )
    )


def lost_spans(happenings: Sequence[Happening], flight: FlightData) -> list[tuple[float, float]]:
    """Return from when to when the link was lost, within the flight."""
    spans: list[tuple[float, float]] = []
    since: float | None = None
    for happening in happenings:
        if happening.kind != "link":
            continue
        if happening.text.startswith("lost"):
            since = max(0.0, happening.time_s)
        elif since is not None:
            spans.append((since, happening.time_s))
            since = None
    if since is not None:
        spans.append((since, flight.duration_s))
    return [(a, min(b, flight.duration_s)) for a, b in spans if b > 0 and a < flight.duration_s]


def _when(flight: FlightData) -> str:
    if flight.first_us is None:
        return "Nothing is recorded."
    begun = datetime.fromtimestamp(flight.first_us / 1e6, UTC)
    ended = datetime.fromtimestamp(flight.last_us / 1e6, UTC)
    return f"{begun:%Y-%m-%d %H:%M:%S} to {ended:%H:%M:%S} UTC, by the clock of who recorded it"


def _verdict(origin: Origin) -> str:
    if not origin.verdict:
        return ""
    kind = ("good", "good", "caution", "alarm")[origin.level]
    word = ("", "Whole", "Incomplete", "Damaged")[origin.level]
    return f'<p class="verdict {kind}"><b>{word}</b>{escape(origin.verdict)}</p>'


def _summary(flight: FlightData, frame: Frame) -> Iterator[str]:
    armed_s = sum(end - start for start, end in flight.armed)
    percent, consumed = flight.of("percent").values, flight.of("consumed").values
    volts, heights, speeds = (flight.of(name).values for name in ("volts", "height", "speed"))
    facts: list[tuple[str, str, str, str]] = [
        ("Armed for", clock(armed_s), "", ""),
        ("Recorded", clock(flight.duration_s), "", ""),
        ("Distance flown", _distance(flight.distance_m), "", ""),
        ("Greatest height", f"{max(heights):.1f}" if heights else _NONE, "m above home", ""),
        ("Greatest speed", f"{max(speeds):.1f}" if speeds else _NONE, "m/s over ground", ""),
        (
            "Battery used",
            f"{percent[0] - percent[-1]:.0f} %" if percent else _NONE,
            f"{consumed[-1] - consumed[0]:.0f} mAh" if consumed else "",
            "caution" if percent and percent[-1] <= 20 else "",
        ),
        ("Lowest voltage", f"{min(volts):.1f}" if volts else _NONE, "V", ""),
        *_link_facts(flight, frame),
        ("Refused by the drone", str(flight.refused), "", "caution" if flight.refused else ""),
        ("Frames down", str(flight.frames - flight.from_ground), "", ""),
        ("Frames up", str(flight.from_ground), "", ""),
    ]
    yield "<dl>"
    for label, value, unit, level in facts:
        shown = f"<dd class='{level}'>{value} <small>{unit}</small></dd>"
        yield f"<div><dt>{label}</dt>{shown}</div>"
    yield "</dl>"


def _link_facts(flight: FlightData, frame: Frame) -> list[tuple[str, str, str, str]]:
    if not flight.knows_link:
        return [("Link", "not recorded", "", "")]
    lost_s = sum(end - start for start, end in frame.lost)
    attacks = sum(h.kind == "attack" and h.level == 3 for h in flight.happenings)
    in_all = f"{lost_s:.0f} s in all" if frame.lost else ""
    return [
        ("Link lost", _times(len(frame.lost)), in_all, "alarm" if frame.lost else ""),
        ("Attacks noticed", str(attacks), "", "alarm" if attacks else ""),
    ]


def _times(count: int) -> str:
    return ("never", "once", "twice")[count] if count <= 2 else f"{count} times"


def _distance(distance_m: float) -> str:
    return f"{distance_m / 1000:.2f} km" if distance_m >= 1000 else f"{distance_m:.0f} m"


def _plots(flight: FlightData, frame: Frame) -> Iterator[str]:
    of = flight.of
    alarms = [mark for mark in frame.marks if mark.level == 3]
    groups = (
        ("Path", (path_plot(flight.path, flight.home, alarms),)),
        (
            "Height and speed",
            (
                line_plot("Height above home", "m", [Line("height", of("height"))], frame),
                line_plot(
                    "Speed",
                    "m/s",
                    [Line("over ground", of("speed")), Line("climb", of("climb"))],
                    frame,
                ),
            ),
        ),
        (
            "Attitude",
            (
                line_plot(
                    "Roll and pitch",
                    "°",
                    [Line("roll", of("roll")), Line("pitch", of("pitch"))],
                    frame,
                ),
                line_plot("Heading", "°", [Line("yaw", of("yaw"))], frame),
            ),
        ),
        (
            "Errors",
            (
                line_plot(
                    "From the point aimed at",
                    "m",
                    [
                        Line("over ground", of("target_error")),
                        Line("in height", of("target_height_error")),
                    ],
                    frame,
                ),
                line_plot(
                    "Of the autopilot's navigation",
                    "m",
                    [
                        Line("from the track", of("cross_track")),
                        Line("in height", of("height_error")),
                    ],
                    frame,
                ),
                line_plot(
                    "Of the estimate against the simulator's truth",
                    "m",
                    [Line("over ground", of("truth_error"))],
                    frame,
                ),
            ),
        ),
        (
            "Battery",
            (
                line_plot("Charge left", "%", [Line("left", of("percent"))], frame),
                line_plot("Voltage", "V", [Line("battery", of("volts"))], frame),
                line_plot("Current", "A", [Line("battery", of("amperes"))], frame),
            ),
        ),
    )
    for heading, plots in groups:
        drawn = [f"<figure>{plot}</figure>" for plot in plots if plot]
        if drawn:
            yield f"<h2>{heading}</h2>{''.join(drawn)}"


def _tables(happenings: Sequence[Happening]) -> Iterator[str]:
    link = [h for h in happenings if h.kind in _LINK_KINDS]
    yield _table("Link and orders", link, "Nothing was recorded of the link or of orders.")
    told = [h for h in happenings if h.kind not in _LINK_KINDS]
    yield _table("Flight and messages", told, "No messages.")


def _table(heading: str, rows: Sequence[Happening], none: str) -> str:
    if not rows:
        return f'<h2>{heading}</h2><p class="none">{none}</p>'
    body = "".join(
        f'<tr class="l{row.level}"><td>{clock(row.time_s)}</td><td>{escape(row.kind)}</td>'
        f"<td>{escape(row.text)}</td></tr>"
        for row in rows[:_MAX_ROWS]
    )
    left = len(rows) - _MAX_ROWS
    more = f'<p class="none">{left} more are left out.</p>' if left > 0 else ""
    return (
        f"<h2>{heading}</h2><table><thead><tr><th>Time</th><th>What</th><th>Text</th></tr></thead>"
        f"<tbody>{body}</tbody></table>{more}"
    )


def _footer(flight: FlightData, origin: Origin) -> str:
    facts = "".join(f"<br>{escape(fact)}" for fact in origin.facts)
    return (
        "<footer>Blue ground: armed. Red ground: link lost. Dashed: see the tables. "
        f"{flight.frames} frames from {escape(origin.source)}.{facts}</footer>"
    )
