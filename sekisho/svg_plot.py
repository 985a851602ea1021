"""Plots as inline SVG, for reports that need nothing from outside: lines over time, a path."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from typing import Final, NamedTuple

from groundstation.flight_data import Fix, Series, metres

_WIDTH: Final = 960
_HEIGHT: Final = 210
_LEFT: Final = 56
_RIGHT: Final = 14
_TOP: Final = 30
_BOTTOM: Final = 26
_POINTS: Final = 900  # in a line: each column of the picture shows its least and greatest
_PATH_HEIGHT: Final = 520
_PATH_POINTS: Final = 4000
_SHADES: Final = 6
_STEPS: Final = (1, 2, 5, 10)
_TIME_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)


class Line(NamedTuple):
    """One line of a plot; its place in the list gives it its colour and dashes."""

    label: str
    series: Series


class Mark(NamedTuple):
    """A moment that is marked in every plot; `level` 2 is caution, 3 alarm."""

    time_s: float
    level: int
    text: str


class Frame(NamedTuple):
    """What all plots of one flight have in common: its length, and what happened when."""

    duration_s: float
    armed: Sequence[tuple[float, float]]
    lost: Sequence[tuple[float, float]]
    marks: Sequence[Mark]


def line_plot(title: str, unit: str, lines: Sequence[Line], frame: Frame) -> str:
    """Return a plot of values over the flight; "" if there are none."""
    lines = [line for line in lines if line.series.times]
    if not lines:
        return ""
    values = [value for line in lines for value in line.series.values]
    low, high, ticks = _scale(min(values), max(values), 4)
    span = max(frame.duration_s, 1e-3)

    def x(time_s: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * min(max(time_s / span, 0), 1)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low)

    top, bottom = _TOP, _HEIGHT - _BOTTOM
    parts = [
        f'<rect class="{kind}" x="{x(start):.1f}" y="{top}" width="{x(end) - x(start):.1f}" '
        f'height="{bottom - top}"/>'
        for kind, spans in (("armed", frame.armed), ("lost", frame.lost))
        for start, end in spans
    ]
    for tick in ticks:
        parts.append(f'<path class="grid" d="M{_LEFT} {y(tick):.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="y" x="{_LEFT - 6}" y="{y(tick) + 4:.1f}">{_short(tick)}</text>')
    parts += _time_axis(x, span, bottom)
    for mark in frame.marks:
        at = x(mark.time_s)
        parts.append(
            f'<g class="mark l{mark.level}"><path d="M{at:.1f} {top}V{bottom}"/>'
            f'<path class="tag" d="M{at - 4:.1f} {top - 6}h8l-4 6z"/>'
            f"<title>{clock(mark.time_s)} {escape(mark.text)}</title></g>"
        )
    for place, line in enumerate(lines):
        points = " ".join(f"{x(t):.1f},{y(v):.1f}" for t, v in _thin(line.series, span))
        parts.append(f'<polyline class="line c{place}" points="{points}"/>')
    at = _LEFT + 8.0 * len(f"{title} [{unit}]") + 18
    for place, line in enumerate(lines):
        parts.append(f'<path class="line c{place}" d="M{at:.0f} 12h22"/>')
        parts.append(f'<text class="legend" x="{at + 27:.0f}" y="16">{escape(line.label)}</text>')
        at += 52 + 7.2 * len(line.label)
    said = "; ".join(
        f"{line.label} {_short(min(line.series.values))} to {_short(max(line.series.values))}"
        for line in lines
    )
    return _svg(
        _HEIGHT, f"{title}: {said} {unit}", [_title(f"{title} [{unit}]", _LEFT - 40), *parts]
    )


def path_plot(path: Sequence[Fix], home: tuple[float, float] | None, marks: Sequence[Mark]) -> str:
    """Return the way over the ground, north up, coloured by height; "" if there is none."""
    if not path:
        return ""
    origin = home or (path[0].lat, path[0].lon)
    step = max(1, len(path) // _PATH_POINTS)
    points = [(*_local(origin, fix.lat, fix.lon), fix) for fix in (*path[::step], path[-1])]
    east = [point[0] for point in points] + [0.0]
    north = [point[1] for point in points] + [0.0]
    middle = (min(east) + max(east)) / 2, (min(north) + max(north)) / 2
    inner = _WIDTH - 2 * _LEFT, _PATH_HEIGHT - 2 * _TOP
    span = max(
        (max(east) - min(east)) / inner[0], (max(north) - min(north)) / inner[1], 20.0 / inner[1]
    )

    def place(e: float, n: float) -> tuple[float, float]:
        return _WIDTH / 2 + (e - middle[0]) / span, _PATH_HEIGHT / 2 - (n - middle[1]) / span

    heights = [fix.height for *_, fix in points]
    low, high = min(heights), max(max(heights), min(heights) + 1.0)
    parts = [_title("Path over the ground, north up", 16), *_ground_grid(span, middle)]
    for shade, run in _runs(points, low, high):
        drawn = " ".join("{:.1f},{:.1f}".format(*place(e, n)) for e, n, _ in run)
        parts.append(f'<polyline class="path h{shade}" points="{drawn}"/>')
    for mark in marks:
        near = min(points, key=lambda point: abs(point[2].time_s - mark.time_s))
        at = place(near[0], near[1])
        parts.append(
            f'<g class="mark l{mark.level}"><circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="5"/>'
            f"<title>{clock(mark.time_s)} {escape(mark.text)}</title></g>"
        )
    begin, end, own = place(*points[0][:2]), place(*points[-1][:2]), place(0.0, 0.0)
    parts += [
        f'<path class="home" d="M{own[0]:.1f} {own[1] - 8:.1f}l8 7v8h-16v-8z"/>',
        f'<circle class="begin" cx="{begin[0]:.1f}" cy="{begin[1]:.1f}" r="5"/>',
        f'<rect class="end" x="{end[0] - 5:.1f}" y="{end[1] - 5:.1f}" width="10" height="10"/>',
        *_path_legend(low, high),
    ]
    said = f"Path over the ground, {max(east) - min(east):.0f} m by {max(north) - min(north):.0f} m"
    return _svg(_PATH_HEIGHT, said, parts)


def clock(time_s: float) -> str:
    """Return a time within the flight as people write it."""
    sign, whole = "-" if time_s <= -1 else "", int(abs(time_s))
    hours, rest = divmod(whole, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{sign}{hours}:{minutes:02}:{seconds:02}" if hours else f"{sign}{minutes}:{seconds:02}"


def _svg(height: int, said: str, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(said)}">'
        f"{''.join(parts)}</svg>"
    )


def _title(text: str, at: float) -> str:
    return f'<text class="title" x="{at:.0f}" y="16">{escape(text)}</text>'


def _short(value: float) -> str:
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return "0" if float(text) == 0 else text


def _scale(low: float, high: float, wanted: int) -> tuple[float, float, list[float]]:
    """Return ends somewhat beyond the values, and the round numbers between them."""
    if high - low < 1e-6 * max(1.0, abs(high)):
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / wanted
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in _STEPS if size * factor >= rough * 0.999)
    margin = 0.06 * (high - low)
    low, high = (0.0 if 0 <= low < margin else low - margin), high + margin
    first, last = math.ceil(low / step), math.floor(high / step)
    return low, high, [number * step for number in range(first, last + 1)]


def _time_axis(x: Callable[[float], float], span: float, bottom: float) -> Iterator[str]:
    step = next((s for s in _TIME_STEPS if span / s <= 10), 3600 * math.ceil(span / 36000))
    for number in range(int(span // step) + 1):
        at = x(number * step)
        yield f'<path class="grid" d="M{at:.1f} {bottom}v4"/>'
        yield f'<text class="x" x="{at:.1f}" y="{bottom + 17}">{clock(number * step)}</text>'


def _thin(series: Series, span: float) -> Iterator[tuple[float, float]]:
    """Return a line of few points that looks the same: of each column the least and greatest."""
    if len(series.times) <= 2 * _POINTS:
        yield from zip(series.times, series.values, strict=True)
        return
    columns: dict[int, list[tuple[float, float]]] = {}
    for time_s, value in zip(series.times, series.values, strict=True):
        columns.setdefault(int(time_s / span * _POINTS), []).append((time_s, value))
    for points in columns.values():
        least, most = min(points, key=lambda p: p[1]), max(points, key=lambda p: p[1])
        yield from sorted({least, most})


def _local(origin: tuple[float, float], lat: float, lon: float) -> tuple[float, float]:
    north = math.copysign(metres(*origin, lat, origin[1]), lat - origin[0])
    turned = (lon - origin[1] + 540) % 360 - 180
    return math.copysign(metres(origin[0], 0.0, origin[0], turned), turned), north


def _runs(
    points: Sequence[tuple[float, float, Fix]], low: float, high: float
) -> Iterator[tuple[int, list[tuple[float, float, Fix]]]]:
    """Return stretches of one colour; each begins where the one before ends."""

    def shade(fix: Fix) -> int:
        return min(_SHADES - 1, int(_SHADES * (fix.height - low) / (high - low)))

    run = [points[0]]
    for point in points[1:]:
        run.append(point)
        if shade(point[2]) != shade(run[0][2]):
            yield shade(run[0][2]), run
            run = [point]
    yield shade(run[0][2]), run


def _ground_grid(span: float, middle: tuple[float, float]) -> Iterator[str]:
    """Return lines at round distances from home, and how far apart they are."""
    rough = 110 * span
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in _STEPS if size * factor >= rough * 0.999)
    half = _WIDTH / 2 * span, _PATH_HEIGHT / 2 * span
    for number in range(
        math.ceil((middle[0] - half[0]) / step), int((middle[0] + half[0]) // step) + 1
    ):
        at = _WIDTH / 2 + (number * step - middle[0]) / span
        yield f'<path class="grid" d="M{at:.1f} 26V{_PATH_HEIGHT}"/>'
    for number in range(
        math.ceil((middle[1] - half[1]) / step), int((middle[1] + half[1]) // step) + 1
    ):
        at = _PATH_HEIGHT / 2 - (number * step - middle[1]) / span
        if at > 26:
            yield f'<path class="grid" d="M0 {at:.1f}H{_WIDTH}"/>'
    width = step / span
    base = _PATH_HEIGHT - 14
    yield (
        f'<path class="scale" d="M16 {base}v-5M16 {base}h{width:.1f}v-5"/>'
        f'<text class="legend" x="{width + 22:.0f}" y="{_PATH_HEIGHT - 10}">{step:g} m</text>'
    )


def _path_legend(low: float, high: float) -> Iterator[str]:
    at = _WIDTH - 200
    for shade in range(_SHADES):
        yield f'<rect class="h{shade} key" x="{at + 20 * shade}" y="6" width="20" height="11"/>'
    yield f'<text class="legend to" x="{at - 6}" y="16">{low:.0f} m</text>'
    yield f'<text class="legend" x="{at + 126}" y="16">{high:.0f} m height</text>'
    for place, (label, shape) in enumerate(
        (
            ("home", '<path class="home" d="M0 -8l8 7v8h-16v-8z"/>'),
            ("begin", '<circle class="begin" r="5"/>'),
            ("end", '<rect class="end" x="-5" y="-5" width="10" height="10"/>'),
        )
    ):
        left = _WIDTH - 210 + 72 * place
        yield f'<g transform="translate({left} {_PATH_HEIGHT - 14})">{shape}</g>'
        yield f'<text class="legend" x="{left + 12}" y="{_PATH_HEIGHT - 10}">{label}</text>'
