"""System identification: thrust curve and drag per mass, from a recorded flight.

What an accelerometer feels is every force but weight, per mass: thrust along -z, and drag. Thrust
is taken as a share of the motors' command, curved as ArduPilot's MOT_THST_EXPO curves it, and as
the square of the voltage; drag as linear in the velocity through a wind that is constant and
unknown. Both are linear in what is sought, so they follow from least squares. Residuals of a flight
hang together over a second or so (gusts, lag), and errors computed as if they did not would
be several times too small: they are Newey and West's.

Source: Newey & West, "A Simple, Positive Semi-definite, Heteroskedasticity and Autocorrelation
Consistent Covariance Matrix", Econometrica 1987.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from flightcore.control.vehicle import GRAVITY
from flightcore.flight_log import Array, Flight

_TOGETHER_S: Final = 1.0  # how long residuals hang together
_LAGS_S: Final = np.arange(0.0, 0.2, 0.01)  # of thrust behind the outputs, that are tried
_SURE: Final = 0.1  # greatest error of a curve that is taken from the flight
_MOVING: Final = 1.0  # least deviation of speed along an axis from which its drag is found [m/s]
_SIGNIFICANT: Final = 3.0  # errors


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its standard error."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Identified:
    """What a flight tells of a vehicle. Per mass; what it does not tell is None.

    Attributes:
        full: Thrust of all motors at full command and `volts`. [m/s2]
        curve: Share of the square in the thrust curve. [-]
        curve_assumed: The flight was too even to tell it, so MOT_THST_EXPO was taken.
        hover: Share of full thrust that carries the weight: MOT_THST_HOVER. [-]
        volts: Median voltage of the flight, to which they refer. None: the battery never said.
        drag: Along each body axis. [1/s]
        lift: Per square of the speed in the rotors' plane. [1/m]
        wind_n: North and east, as the drag tells it. [m/s]
        lag_s: Of thrust behind the outputs as they are recorded. [s]
        residual: Root mean square of what is left along each body axis. [m/s2]
        seconds: Of flight.
        samples: How many.
    """

    full: Estimate
    curve: Estimate
    curve_assumed: bool
    hover: Estimate
    volts: float | None
    drag: tuple[Estimate | None, Estimate | None, Estimate | None]
    lift: Estimate | None
    wind_n: tuple[float, float] | None
    lag_s: float
    residual: tuple[float, float, float]
    seconds: float
    samples: int


class _Fit(NamedTuple):
    values: Array
    covariance: Array
    residual: Array

    def estimate(self, index: int) -> Estimate:
        return Estimate(float(self.values[index]), math.sqrt(self.covariance[index, index]))


def identify(flight: Flight) -> Identified:
    """Fit a vehicle to a flight."""
    speed_b = np.einsum("ijn,in->jn", flight.axes, flight.velocity_n)
    together = math.ceil(_TOGETHER_S / float(np.median(np.diff(flight.time))))
    level = [_level(flight, speed_b, axis, together) for axis in (0, 1)]
    known = [float(np.nanmedian(flight.volts))] if np.isfinite(flight.volts).any() else []
    squared = (flight.volts / known[0]) ** 2 if known else np.ones_like(flight.time)
    lag_s = min(_LAGS_S, key=lambda lag: _rms(_thrust(flight, speed_b, squared, lag, 0).residual))
    fit = _thrust(flight, speed_b, squared, lag_s, together)
    curve = _ratio(fit, 1, 0)
    assumed = curve.error > _SURE or abs(curve.value - 0.5) > 0.5 + _SIGNIFICANT * curve.error
    if assumed:
        curve = Estimate(flight.parameters["MOT_THST_EXPO"], 0.0)
    else:  # beyond its ends by no more than chance
        curve = Estimate(min(max(curve.value, 0.0), 1.0), curve.error)
    if curve.value in (0.0, 1.0) or assumed:
        fit = _thrust(flight, speed_b, squared, lag_s, together, curve.value)
    full = fit.estimate(0)
    axial, lift = fit.estimate(-2), fit.estimate(-1)
    moving = speed_b.std(axis=1) > _MOVING
    drag = tuple(
        fitted.estimate(0) if moves else None
        for fitted, moves in zip(level, moving[:2], strict=True)
    )
    return Identified(
        full,
        curve,
        assumed,
        Estimate(GRAVITY / full.value, GRAVITY / full.value**2 * full.error),
        known[0] if known else None,
        (drag[0], drag[1], axial if moving[2] else None),
        lift if moving[:2].any() and abs(lift.value) > _SIGNIFICANT * lift.error else None,
        _wind(level, moving[:2]),
        float(lag_s),
        (_rms(level[0].residual), _rms(level[1].residual), _rms(fit.residual)),
        float(flight.time[-1] - flight.time[0]),
        len(flight.time),
    )


def _level(flight: Flight, speed_b: Array, axis: int, together: int) -> _Fit:
    """Fit felt = -k (speed - wind) along body x or y: k, k wind north, k wind east."""
    columns = np.stack([-speed_b[axis], flight.axes[0, axis], flight.axes[1, axis]])
    return _least_squares(columns, flight.felt_b[axis], together)


def _thrust(
    flight: Flight,
    speed_b: Array,
    squared: Array,
    lag_s: float,
    together: int,
    curve: float | None = None,
) -> _Fit:
    """Fit what is felt along -z: full thrust, (full thrust times curve), axial drag, lift."""
    command = flight.later_outputs(lag_s)
    straight = squared * command.mean(axis=0)
    bent = squared * ((command * command).mean(axis=0) - command.mean(axis=0))
    thrust = [straight, bent] if curve is None else [straight + curve * bent]
    columns = np.stack([*thrust, speed_b[2], speed_b[0] ** 2 + speed_b[1] ** 2])
    return _least_squares(columns, -flight.felt_b[2], together)


def _least_squares(columns: Array, target: Array, together: int) -> _Fit:
    """Fit target = values . columns, with errors that allow for residuals that hang together."""
    inverse = np.linalg.pinv(columns @ columns.T, rcond=1e-12, hermitian=True)
    values: Array = inverse @ (columns @ target)
    residual = target - values @ columns
    scores = columns * residual
    middle = scores @ scores.T
    for lag in range(1, together + 1):
        cross = scores[:, lag:] @ scores[:, :-lag].T
        middle += (1.0 - lag / (together + 1.0)) * (cross + cross.T)
    return _Fit(values, inverse @ middle @ inverse, residual)


def _ratio(fit: _Fit, above: int, below: int) -> Estimate:
    """Return one value over another, its error to first order."""
    ratio = float(fit.values[above] / fit.values[below])
    slope = np.zeros(len(fit.values))
    slope[above], slope[below] = 1.0 / fit.values[below], -ratio / fit.values[below]
    return Estimate(ratio, math.sqrt(slope @ fit.covariance @ slope))


def _wind(level: list[_Fit], moving: Array) -> tuple[float, float] | None:
    """Return the mean of what the axes say that moved, weighted by how surely each says it."""
    told = [fit for fit, moves in zip(level, moving, strict=True) if moves and fit.values[0] > 0.0]
    if not told:
        return None
    north, east = (
        np.average([e.value for e in each], weights=[1.0 / e.error**2 for e in each])
        for each in ([_ratio(fit, i, 0) for fit in told] for i in (1, 2))
    )
    return float(north), float(east)


def _rms(values: Array) -> float:
    return math.sqrt(float((values * values).mean()))
