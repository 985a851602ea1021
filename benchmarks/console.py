"""`console`: fifty drones live in the console: frames, freshness, CPU, and whether memory is flat.

A real gateway, its drones over UDP on loopback (`console_fleet`), and Debian's Chromium, without a
graphics processor: what it paints costs CPU as well. Everything shares this machine, so of each
process it is also said for how long it was ready to run and had to wait.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from benchmarks.console_page import Watched, watched
from benchmarks.console_stack import Stack, stack
from benchmarks.program import cpu_of_s, rss_of_mib, waited_of_s
from benchmarks.report import Options, Spread, figure, table

_SETTLE_S: Final = 15.0  # missions are read, and rates asked for
_MINUTE_S: Final = 60.0
_FLAT_HEAP: Final = 1.0  # MB/h, of the page's heap after its rubbish was collected
_FLAT_GATEWAY: Final = 2.0  # MB/h, of the gateway's resident memory
_FEWEST: Final = 5  # minutes in the second half, or a slope says nothing


class Minute(msgspec.Struct):
    """One window, mostly a minute. Shares are of one core; `waits` of one core too.

    Attributes:
        seconds: How long it was.
        fps: Animation frames of the page a second.
        frame_p95_ms, frame_max_ms: Time from one to the next.
        pictures_per_s, kb_per_s: Sent by the gateway to the page. [1000 byte]
        age_p50_ms, age_p95_ms: Of the newest position of a random drone, in the page.
        datagrams_per_s: Of all drones, opened by the gateway.
        slipped: Share of the time that the drones' clock stood still.
        cpu, waits: By job: gateway, chromium (all processes), renderer, drones.
        page_share: What the page's one thread did: script, layout, style, all tasks.
        gateway_mib, renderer_mib: Resident.
        heap_mb: JavaScript heap in use after a collection. [1e6 byte]
        nodes, listeners: Of the page, after a collection.
    """

    seconds: float
    fps: float
    frame_p95_ms: float
    frame_max_ms: float
    pictures_per_s: float
    kb_per_s: float
    age_p50_ms: float
    age_p95_ms: float
    datagrams_per_s: float
    slipped: float
    cpu: dict[str, float]
    waits: dict[str, float]
    page_share: dict[str, float]
    gateway_mib: float
    renderer_mib: float
    heap_mb: float
    nodes: int
    listeners: int


class ConsoleResult(msgspec.Struct):
    """The run; slopes are of its second half, least squares, null if it is too short for one."""

    drones: int
    minutes: list[Minute]
    fps: Spread
    age: Spread
    complaints: list[str]
    heap_slope_mb_h: float | None
    gateway_slope_mb_h: float | None
    renderer_slope_mb_h: float | None
    is_flat: bool | None


def run(options: Options) -> ConsoleResult:
    """Fly, watch, and measure minute by minute."""
    window_s = min(_MINUTE_S, options.minutes * _MINUTE_S)
    if options.quick:
        window_s = 5.0
    count = 1 if options.quick else max(1, round(options.minutes))
    with stack(options.drones) as made, watched(made.address(), options.drones) as page:
        time.sleep(_SETTLE_S)
        eye = _Eye(made, page)
        minutes = [eye.look(window_s) for _ in range(count)]
    result = _result(options.drones, minutes, eye.ages, page.complaints)
    _print(result)
    return result


class _Eye:
    """Looks at everything at once, and says what was between two looks."""

    def __init__(self, made: Stack, page: Watched) -> None:
        pids = page.pids()
        self._jobs: dict[str, Callable[[], Sequence[int]]] = {
            "gateway": made.gateway.pids,
            "chromium": lambda: pids.everything,
            "renderer": lambda: [pids.renderer],
            "drones": made.drones.pids,
        }
        self._made, self._page = made, page
        self.ages: list[float] = []
        self._page.take()
        self._before = self._figures()

    def look(self, seconds: float) -> Minute:
        """Let time pass; describe it."""
        time.sleep(seconds)
        self._made.check()
        counted = self._page.take()
        before, after = self._before, self._figures()
        self._page.take()  # what collecting the rubbish did to the frames is not the page's
        self._before = after
        took = {name: after[name] - value for name, value in before.items()}
        took_s = took["s"]
        self.ages += counted.ages
        frames, ages = sorted(counted.frames), Spread.of(counted.ages, "ms").quantiles
        return Minute(
            seconds=round(took_s, 2),
            fps=round(1000 * len(frames) / sum(frames), 2),
            frame_p95_ms=round(frames[int(0.95 * len(frames))], 1),
            frame_max_ms=round(frames[-1], 1),
            pictures_per_s=round(counted.pictures / took_s, 2),
            kb_per_s=round(counted.bytes / took_s / 1e3, 1),
            age_p50_ms=round(statistics.median(counted.ages), 1),
            age_p95_ms=round(ages[19], 1) if ages else round(max(counted.ages), 1),
            datagrams_per_s=round(took["datagrams"] / took_s, 1),
            slipped=round(took["slipped"] / took_s, 3),
            cpu={job: round(took[f"cpu {job}"] / took_s, 4) for job in self._jobs},
            waits={job: round(took[f"waited {job}"] / took_s, 4) for job in self._jobs},
            page_share={
                name: round(took[f"{name}Duration"] / took_s, 4)
                for name in ("Script", "Layout", "RecalcStyle", "Task")
            },
            gateway_mib=round(rss_of_mib(self._jobs["gateway"]()), 2),
            renderer_mib=round(rss_of_mib(self._jobs["renderer"]()), 2),
            heap_mb=round(after["JSHeapUsedSize"] / 1e6, 3),
            nodes=int(after["Nodes"]),
            listeners=int(after["JSEventListeners"]),
        )

    def _figures(self) -> dict[str, float]:
        figures = self._page.metrics() | {"s": time.monotonic()}
        figures["slipped"] = self._made.aloft()[1]
        figures["datagrams"] = self._made.datagrams()
        for job, pids in self._jobs.items():
            figures[f"cpu {job}"] = cpu_of_s(pids())
            figures[f"waited {job}"] = waited_of_s(pids())
        return figures


def slope_per_h(values: Sequence[float], apart_s: float) -> float | None:
    """Return the least-squares slope of the second half of evenly spaced values, per hour."""
    half = values[len(values) // 2 :]
    if len(half) < _FEWEST:
        return None
    hours = [i * apart_s / 3600 for i in range(len(half))]
    return round(statistics.linear_regression(hours, half).slope, 3)


def _result(
    drones: int, minutes: list[Minute], ages: list[float], complaints: list[str]
) -> ConsoleResult:
    apart_s = statistics.mean(minute.seconds for minute in minutes)
    heap = slope_per_h([m.heap_mb for m in minutes], apart_s)
    gateway = slope_per_h([m.gateway_mib * 1.048576 for m in minutes], apart_s)
    is_flat = None
    if heap is not None and gateway is not None:
        is_flat = heap < _FLAT_HEAP and gateway < _FLAT_GATEWAY
    return ConsoleResult(
        drones=drones,
        minutes=minutes,
        fps=Spread.of([m.fps for m in minutes], "frames/s, by minute"),
        age=Spread.of(ages, "ms"),
        complaints=complaints,
        heap_slope_mb_h=heap,
        gateway_slope_mb_h=gateway,
        renderer_slope_mb_h=slope_per_h([m.renderer_mib * 1.048576 for m in minutes], apart_s),
        is_flat=is_flat,
    )


def _print(result: ConsoleResult) -> None:
    rows = [
        [
            str(number + 1),
            figure(m.fps),
            figure(m.frame_p95_ms),
            figure(m.pictures_per_s),
            figure(m.kb_per_s),
            f"{figure(m.age_p50_ms)} / {figure(m.age_p95_ms)}",
            *(f"{100 * m.cpu[job]:.0f}+{100 * m.waits[job]:.0f}" for job in m.cpu),
            f"{100 * m.slipped:.0f}",
            figure(m.gateway_mib),
            figure(m.renderer_mib),
            f"{m.heap_mb:.2f}",
            str(m.nodes),
        ]
        for number, m in enumerate(result.minutes)
    ]
    head = ["minute", "fps", "frame p95 ms", "pictures/s", "kB/s", "age ms p50 / p95"]
    head += ["gateway %", "chromium %", "renderer %", "drones %", "slipped %"]
    head += ["gateway MiB", "renderer MiB", "heap MB", "nodes"]
    table(f"console: {result.drones} drones; CPU + waiting for a core, of one core", head, rows)
    slopes = [
        [f"page's heap, flat if below {_FLAT_HEAP:g}", _slope(result.heap_slope_mb_h)],
        [f"gateway, flat if below {_FLAT_GATEWAY:g}", _slope(result.gateway_slope_mb_h)],
        ["renderer process", _slope(result.renderer_slope_mb_h)],
    ]
    table("growth over the second half", ["", "MB/h"], slopes)


def _slope(value: float | None) -> str:
    return "too short to say" if value is None else f"{value:+.2f}"
