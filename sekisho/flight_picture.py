"""One flight as one picture, with matplotlib."""

import io
from typing import Any, Final

from crypto.aio.files import StoreError
from groundstation.flight_data import FlightData, metres
from sekisho.flight_report import Origin, lost_spans

_PLOTS: Final = (
    ("Height above home [m]", (("height", "height"),)),
    ("Speed [m/s]", (("over ground", "speed"), ("climb", "climb"))),
    ("Roll and pitch [degree]", (("roll", "roll"), ("pitch", "pitch"))),
    (
        "Errors [m]",
        (
            ("from the aim", "target_error"),
            ("cross track", "cross_track"),
            ("estimate against truth", "truth_error"),
        ),
    ),
    ("Battery [%]", (("left", "percent"),)),
)


def draw(flight: FlightData, origin: Origin) -> bytes:
    """Return a PNG.

    Raises:
        StoreError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise StoreError(
            "a picture needs matplotlib: pip install 'sekisho[plot]'; a page (.html) needs nothing"
        ) from None
    flight.finish()
    figure = Figure(figsize=(12, 9), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(_PLOTS), 2, width_ratios=(1.1, 1))
    _path(figure.add_subplot(grid[:, 0]), flight)
    lost = lost_spans(sorted(flight.happenings), flight)
    for row, (title, lines) in enumerate(_PLOTS):
        axes = figure.add_subplot(grid[row, 1])
        for label, name in lines:
            series = flight.of(name)
            if series.times:
                axes.plot(series.times, series.values, label=label, linewidth=1)
        for start, end in flight.armed:
            axes.axvspan(start, end, color="#eaf2f9", zorder=0)
        for start, end in lost:
            axes.axvspan(start, end, color="#f7d3d3", zorder=1)
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_xlim(0, max(flight.duration_s, 1))
        axes.grid(alpha=0.3)
        axes.tick_params(labelsize=8)
        if len(lines) > 1 and axes.lines:
            axes.legend(fontsize=7, loc="upper right")
    figure.suptitle(
        f"Flight of {origin.name}: {flight.distance_m:.0f} m in {flight.duration_s:.0f} s"
    )
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()


def _path(axes: Any, flight: FlightData) -> None:  # noqa: ANN401 - matplotlib's
    axes.set_title("Path over the ground [m]", fontsize=9, loc="left")
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(alpha=0.3)
    if not flight.path:
        return
    lat, lon = flight.home or (flight.path[0].lat, flight.path[0].lon)
    east = [metres(lat, lon, lat, fix.lon) * (1 if fix.lon >= lon else -1) for fix in flight.path]
    north = [metres(lat, lon, fix.lat, lon) * (1 if fix.lat >= lat else -1) for fix in flight.path]
    shown = axes.scatter(east, north, c=[fix.height for fix in flight.path], s=3, cmap="viridis")
    axes.figure.colorbar(shown, ax=axes, label="height [m]", shrink=0.6)
    axes.plot(0, 0, marker="^", color="black", markersize=9)
