"""What a spoofer, jammer or broken receiver does to the fixes of a simulated flight."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.gnss_plant import Plane, Real


@dataclass
class Fixes:
    """The receiver's epochs of one flight, changed in place by a fault. Shapes (epochs,).

    Attributes:
        time_s: When the autopilot notes the fix.
        position: Reported, north + j east from the start [m].
        velocity: Reported [m/s].
        true_position: At the moment of the measurement, without noise.
        true_velocity: The same.
        satellites: Seen; 0 with `kind` 1 means no fix.
        kind: GPS_FIX_TYPE.
    """

    time_s: Real
    position: Plane
    velocity: Plane
    true_position: Plane
    true_velocity: Plane
    satellites: Real
    kind: Real


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of fault.

    Attributes:
        apply: Changes fixes from a moment on, in a direction (a unit complex number).
        seconds: How long it is watched before it counts as missed.
        target: What issue and design ask for, in words; empty if nothing.
    """

    apply: Callable[[Fixes, float, complex], None]
    seconds: float
    target: str = ""


def _since(fixes: Fixes, start_s: float) -> Real:
    since: Real = np.maximum(fixes.time_s - start_s, 0.0)
    return since


def _jump(metres: float) -> Callable[[Fixes, float, complex], None]:
    def apply(fixes: Fixes, start_s: float, way: complex) -> None:
        fixes.position += way * metres * (fixes.time_s >= start_s)

    return apply


def _drift(speed: float, *, in_velocity: bool) -> Callable[[Fixes, float, complex], None]:
    def apply(fixes: Fixes, start_s: float, way: complex) -> None:
        fixes.position += way * speed * _since(fixes, start_s)
        if in_velocity:
            fixes.velocity += way * speed * (fixes.time_s >= start_s)

    return apply


def _pull(acceleration: float, most: float) -> Callable[[Fixes, float, complex], None]:
    def apply(fixes: Fixes, start_s: float, way: complex) -> None:
        t = _since(fixes, start_s)
        rising_s = most / acceleration
        rise = np.minimum(t, rising_s)
        fixes.position += way * (0.5 * acceleration * rise**2 + most * (t - rise))
        fixes.velocity += way * acceleration * rise

    return apply


def _velocity(speed: float) -> Callable[[Fixes, float, complex], None]:
    def apply(fixes: Fixes, start_s: float, way: complex) -> None:
        fixes.velocity += way * speed * (fixes.time_s >= start_s)

    return apply


def _freeze(fixes: Fixes, start_s: float, way: complex) -> None:
    del way
    first = int(np.searchsorted(fixes.time_s, start_s))
    fixes.position[first:] = fixes.position[first]
    fixes.velocity[first:] = fixes.velocity[first]


def _delay(seconds: float) -> Callable[[Fixes, float, complex], None]:
    def apply(fixes: Fixes, start_s: float, way: complex) -> None:
        del way
        step_s = float(np.median(np.diff(fixes.time_s)))
        back = max(1, math.ceil(seconds / step_s))
        first = int(np.searchsorted(fixes.time_s, start_s))
        for series in (fixes.position, fixes.velocity):
            series[first:] = series[first - back : len(series) - back].copy()

    return apply


def _jam(fixes: Fixes, start_s: float, way: complex) -> None:
    del way
    lost = fixes.time_s >= start_s
    fixes.satellites[lost] = 2
    fixes.kind[lost] = 1


FAMILIES: Final[dict[str, Family]] = {
    "jump 10 m": Family(_jump(10.0), 20.0, "99 % in 1 s"),
    "drift 2 m/s, abrupt": Family(_drift(2.0, in_velocity=True), 20.0, "99 % in 1 s"),
    "drift 0.5 m/s, abrupt": Family(_drift(0.5, in_velocity=True), 20.0, "99 % in 1 s"),
    "pull-off 0.5 m/s2 to 1 m/s": Family(_pull(0.5, 1.0), 20.0),
    "pull-off 0.2 m/s2 to 2 m/s": Family(_pull(0.2, 2.0), 20.0, "2.5 s, 1 m"),
    "pull-off 0.1 m/s2 to 1 m/s": Family(_pull(0.1, 1.0), 30.0),
    "pull-off 0.05 m/s2 to 1 m/s": Family(_pull(0.05, 1.0), 30.0),
    "position only, 1 m/s": Family(_drift(1.0, in_velocity=False), 20.0, "5 s"),
    "velocity only, 3 m/s": Family(_velocity(3.0), 20.0, "99 % in 1 s"),
    "freeze": Family(_freeze, 30.0),
    "delay 1 s": Family(_delay(1.0), 30.0),
    "jam": Family(_jam, 20.0),
}
