"""Reported position against the integral of the receiver's own velocity: jumps, drifts, freezes.

Code and Doppler of a receiver are separate measurements, so who shifts one and not the other shows
here, with no use of the accelerometer but for the shape of the path between two epochs.
"""

from typing import Final, NamedTuple

from flightcore.monitor.history import History
from flightcore.monitor.inertial import Integrals
from flightcore.monitor.messages import Fix
from flightcore.monitor.table import Detector

JUMP_WINDOWS_S: Final = (0.0, 1.0)
DRIFT_WINDOWS_S: Final = (2.0, 5.0, 12.0, 30.0)
_WINDOWS: Final = JUMP_WINDOWS_S + DRIFT_WINDOWS_S
_H_ACC_UNKNOWN: Final = 1.5
_H_ACC_RANGE: Final = (0.3, 3.0)
# Of the reported accuracy: what an honest receiver's position scatters within a second, at least,
# at first, and at most; and how its slow error wanders: u-blox-like 1 m of one-minute correlation
# under a reported 1.2 m is 0.023.
_SCATTER: Final = (0.25**2, 0.6**2, 2.0**2)
_WANDER: Final = (0.03, 0.09, 0.6)
_LEARN_S: Final = 40.0
_TEACHES_BELOW: Final = 3.0  # sigmas: what stands out is judged, not learnt
_DOPPLER_BIAS: Final = 0.02  # quantised to cm/s, and its own slow error [m/s]
_EPOCH_MISMATCH_S: Final = 0.03  # between the moments of position and velocity
_FROZEN_EPOCHS: Final = 4
_FREEZE_MEMORY_S: Final = 4.0


class _Point(NamedTuple):
    time_s: float
    offset: complex
    way: complex
    velocity: complex
    variance: float


class PositionTests:
    """Keeps the offset between position and integrated velocity over the last half minute."""

    def __init__(self) -> None:
        self._points: History[_Point] = History()
        self._before: tuple[complex, Integrals | None] | None = None
        self._scatter = 0.0
        self._wander = 0.0
        self._h_acc = 0.0
        self._frozen: _Frozen | None = None

    def forget(self) -> None:
        """Start again from here; what was learnt of the receiver stays."""
        self._points.clear()
        self._before = None
        self._frozen = None

    def step(
        self, time_s: float, fix: Fix, moved: complex, velocity: complex, noise: float,
        at: Integrals | None,
    ) -> list[tuple[Detector, float, float]]:  # fmt: skip
        """Return (detector, value, onset) of one epoch.

        Args:
            time_s: Vehicle time of the epoch.
            fix: The report.
            moved: Since the epoch before, north + j east [m].
            velocity: Reported, north + j east [m/s].
            noise: Variance of reported velocity [m2/s2].
            at: Dead reckoning at the moment, if there is any.
        """
        self._believe(fix)
        before, self._before = self._before, (velocity, at)
        last = self._points.newest()
        if before is None or last is None:
            self._points.remember(time_s, _Point(time_s, 0j, 0j, velocity, 0.0))
            return []
        dt_s = time_s - last.time_s
        flown = 0.5 * dt_s * (before[0] + velocity)
        variance = last.variance + dt_s * dt_s * noise
        if at is not None and before[1] is not None:
            shape, unsure = _shape(before[1], at)
            flown += shape
            variance += unsure
        else:
            variance += (0.3 * dt_s * dt_s) ** 2  # of 4 m/s2 that come and go within an epoch
        point = _Point(time_s, last.offset + moved - flown, last.way + moved, velocity, variance)
        found = self._windows(point)
        found.append((Detector.FREEZE, *self._freeze(fix, point, at)))
        self._points.remember(time_s, point)
        return found

    def _believe(self, fix: Fix) -> None:
        """Scale expectations by what the receiver claims, afresh when its claim changes."""
        low, high = _H_ACC_RANGE
        h_acc = fix.h_acc if fix.h_acc is not None else (fix.hdop or _H_ACC_UNKNOWN)
        h_acc = min(max(h_acc, low), high)
        if not 0.67 * self._h_acc < h_acc < 1.5 * self._h_acc:
            self._h_acc = h_acc
            self._scatter = _SCATTER[1] * h_acc * h_acc
            self._wander = _WANDER[1] * h_acc * h_acc

    def _windows(self, point: _Point) -> list[tuple[Detector, float, float]]:
        worst = {Detector.POSITION_JUMP: (0.0, 0.0), Detector.POSITION_DRIFT: (0.0, 0.0)}
        for window_s in _WINDOWS:
            then = self._points.not_after(point.time_s - window_s)
            if then is None:
                break
            change = point.offset - then.offset
            span_s = point.time_s - then.time_s
            variance = (
                self._scatter
                + self._wander * span_s
                + (point.variance - then.variance)
                + (_DOPPLER_BIAS * span_s) ** 2
                + (_EPOCH_MISMATCH_S * abs(point.velocity - then.velocity)) ** 2
            )
            z = abs(change) / variance**0.5
            jump = window_s in JUMP_WINDOWS_S
            name = Detector.POSITION_JUMP if jump else Detector.POSITION_DRIFT
            if z > worst[name][0]:
                worst[name] = (z, then.time_s)
            if z < _TEACHES_BELOW:
                self._learn(window_s, 0.5 * abs(change) ** 2 - variance, span_s)
        return [(name, z, onset) for name, (z, onset) in worst.items()]

    def _learn(self, window_s: float, excess: float, span_s: float) -> None:
        square = self._h_acc * self._h_acc
        part = 0.2 / _LEARN_S
        if window_s == 1.0:
            low, _, high = _SCATTER
            scatter = self._scatter + part * excess
            self._scatter = min(max(scatter, low * square), high * square)
        elif window_s == 12.0:
            low, _, high = _WANDER
            wander = self._wander + part * excess / span_s
            self._wander = min(max(wander, low * square), high * square)

    def _freeze(self, fix: Fix, point: _Point, at: Integrals | None) -> tuple[float, float]:
        frozen = self._frozen
        here = (fix.lat_deg_e7, fix.lon_deg_e7)
        if frozen is None or frozen.place != here:
            self._frozen = _Frozen(here, point.time_s, point.velocity, at, 1)
            return 0.0, point.time_s
        self._frozen = frozen = frozen._replace(epochs=frozen.epochs + 1)
        if frozen.epochs < _FROZEN_EPOCHS:
            return 0.0, frozen.since_s
        span_s = point.time_s - frozen.since_s
        way = abs(frozen.velocity + point.velocity) * 0.5 * span_s
        if at is not None and frozen.at is not None:
            turned = at.position - frozen.at.position - span_s * frozen.at.velocity
            way = max(way, abs(frozen.velocity * span_s + turned))
        if span_s > _FREEZE_MEMORY_S:
            self._frozen = frozen._replace(since_s=point.time_s, velocity=point.velocity, at=at)
        return way, frozen.since_s


class _Frozen(NamedTuple):
    place: tuple[int, int]
    since_s: float
    velocity: complex
    at: Integrals | None
    epochs: int


def _shape(before: Integrals, now: Integrals) -> tuple[complex, float]:
    """Return how far the path between two epochs leaves the trapezoid rule, and its variance."""
    dt_s = now.time_s - before.time_s
    way = now.position - before.position - dt_s * before.velocity
    shape = way - 0.5 * dt_s * (now.velocity - before.velocity)
    return shape, dt_s * dt_s * (now.variance - before.variance)
