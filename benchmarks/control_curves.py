"""Curves that papers name, flown with drag, with its model and without: what the model is worth."""

from dataclasses import replace
from typing import Final

from benchmarks import report
from benchmarks.control_flights import Setup, fly
from benchmarks.control_plant import Truth
from benchmarks.control_sun import GAINS, LIMITS, SUN
from flightcore.trajectory.literature import (
    faessler_circle,
    faessler_lemniscate,
    tal_karaman_roulette,
)

_FAESSLER_DRAG: Final = (0.544, 0.386, 0.0)  # of the vehicle in their published code [1/s]


def fly_curves() -> dict[str, tuple[float, str]]:
    """Fly the curves, print the table and return errors [cm] with what was published."""
    x, y, z = (k * SUN.mass for k in _FAESSLER_DRAG)
    dragged = replace(SUN, drag=(x, y, z), lift=0.0)
    lap = tal_karaman_roulette()
    named = (
        ("Tal & Karaman roulette", lap, "9.0"),
        ("Faessler circle, 4 m/s", faessler_circle(4.0, lap.duration), "-"),
        ("Faessler lemniscate", faessler_lemniscate(lap.duration), "-"),
    )
    curves: dict[str, tuple[float, str]] = {}
    for suffix, believed in (("", (x, y, z)), (", no drag in the model", (0.0, 0.0, 0.0))):
        setup = Setup(replace(dragged, drag=believed), GAINS, LIMITS, None, lag_s=0.02)
        flights = [curve for _, curve, _ in named]
        (outcome,) = fly(setup, flights, [Truth()], lap.duration, built=dragged)
        for (name, _, published), error in zip(named, outcome.position, strict=True):
            curves[name + suffix] = (round(100.0 * float(error), 2), published)
    report.table(
        "named curves, rotors 20 ms late (position RMSE in cm)",
        ("", "cm", "published"),
        [(name, f"{cm:.1f}", published) for name, (cm, published) in curves.items()],
    )
    return curves
