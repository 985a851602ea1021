"""Simulated copters for the GNSS monitor: flight, wind, sensors and an EKF's errors, in numpy.

Independent of the monitor and of `sim`: many vehicles at once (the first axis), the horizontal
plane as north + j east, 100 steps per second. What is random is drawn per vehicle, so a batch is a
fleet of different airframes, receivers and pilots.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Plane = NDArray[np.complex128]
DT_S: Final = 0.01
GRAVITY: Final = 9.80665
ARM_S: Final = 12.0
TAKEOFF_S: Final = 15.0
_LANDING_S: Final = 25.0


@dataclass(frozen=True, slots=True)
class Flights:
    """Time series of a batch, shape (vehicles, steps), every `every` steps of 10 ms.

    Attributes:
        time_s: Shape (steps,).
        position: True, north + j east [m].
        velocity: True [m/s].
        height: True, above the start [m].
        force: Measured specific force in FRD, shape (3, vehicles, steps) [m/s2].
        euler: Roll, pitch, yaw as the EKF says, shape (3, vehicles, steps).
        rates: Body rates as the EKF says, shape (3, vehicles, steps).
    """

    time_s: Real
    position: Plane
    velocity: Plane
    height: Real
    force: Real
    euler: Real
    rates: Real


def _gauss_markov(g: np.random.Generator, n: int, sigma: Real, tau_s: Real, steps: int) -> Real:
    keep = np.exp(-DT_S / tau_s)
    push = sigma * np.sqrt(1.0 - keep * keep)
    out = np.empty((n, steps))
    state = sigma * g.normal(size=n)
    for k in range(steps):
        state = keep * state + push * g.normal(size=n)
        out[:, k] = state
    return out


def _plane_markov(g: np.random.Generator, n: int, tau_s: float, steps: int) -> Plane:
    one, tau = np.ones(n), np.full(n, tau_s)
    return _gauss_markov(g, n, one, tau, steps) + 1j * _gauss_markov(g, n, one, tau, steps)


class _Pilot:
    """Draws velocity targets: hover, legs up to 12 m/s with stops and reversals, yawing."""

    def __init__(self, g: np.random.Generator, n: int) -> None:
        self.g = g
        self.until = np.zeros(n)
        self.goal: Plane = np.zeros(n, complex)
        self.yaw_rate = np.zeros(n)
        self.brisk = g.uniform(0.8, 2.0, n)  # time constant of the response [s]

    def targets(self, t: float, end_s: float) -> tuple[Plane, Real]:
        """Return wanted velocity and yaw rate."""
        due = np.flatnonzero(self.until <= t)
        if len(due):
            g, m = self.g, len(due)
            speed = np.where(g.random(m) < 0.4, 0.0, g.uniform(1.0, 12.0, m))
            speed *= t > TAKEOFF_S + 4.0 and t < end_s - _LANDING_S - 6.0
            self.goal[due] = speed * np.exp(1j * g.uniform(-np.pi, np.pi, m))
            self.yaw_rate[due] = np.where(g.random(m) < 0.5, 0.0, g.uniform(-1.2, 1.2, m))
            self.until[due] = t + g.uniform(4.0, 20.0, m)
        return self.goal, self.yaw_rate


def _vertical(t: float, end_s: float, height: Real) -> Real:
    """Return the wanted climb rate: up to 30 m, down at the end."""
    if t < TAKEOFF_S:
        return np.zeros_like(height)
    if t > end_s - _LANDING_S:
        return np.where(height > 0.05, np.where(height > 8.0, -2.5, -0.6), 0.0)
    return np.clip(0.5 * (30.0 - height), -2.0, 2.5)


def fly(seed: int, vehicles: int, seconds: float, every: int) -> Flights:
    """Fly a batch from standstill through take-off to landing; samples every `every` steps."""
    g = np.random.default_rng(seed)
    n, steps = vehicles, round(seconds / DT_S)
    pilot = _Pilot(g, n)
    wind: Plane = g.uniform(0.0, 9.0, n) * np.exp(1j * g.uniform(-np.pi, np.pi, n))
    gust_sigma = g.uniform(0.0, 0.25, n) * np.abs(wind) + 0.1  # Dryden, low altitude
    gust_length = 150.0 * g.uniform(0.3, 1.0, n)  # 30 m above ground and lower: [m]
    drag = g.uniform(0.1, 0.35, n)  # [1/s]
    lag_s = g.uniform(0.10, 0.25, n)
    gust: Plane = np.zeros(n, complex)
    rise: Real = np.zeros(n)
    position: Plane = np.zeros(n, complex)
    velocity: Plane = np.zeros(n, complex)
    wanted: Plane = np.zeros(n, complex)
    wanted_slope: Plane = np.zeros(n, complex)
    held: Plane = np.zeros(n, complex)
    thrust: Plane = np.zeros(n, complex)
    height, climb, climb_a = np.zeros(n), np.zeros(n), np.zeros(n)
    yaw, turn = g.uniform(-np.pi, np.pi, n), np.zeros(n)
    kept: list[tuple[NDArray[Any], ...]] = []
    for k in range(steps):
        t = k * DT_S
        goal, yaw_rate = pilot.targets(t, seconds)
        up = height > 0.05
        pace = 2.0 / pilot.brisk
        wanted_slope += DT_S * (pace * pace * (goal - wanted) - 2.0 * pace * wanted_slope)
        size = np.abs(wanted_slope)
        wanted_slope *= np.minimum(1.0, 5.0 / np.maximum(size, 1e-9))  # 5 m/s2: 27 degrees
        wanted += DT_S * wanted_slope
        white = (g.normal(size=n) + 1j * g.normal(size=n)) * np.sqrt(DT_S)
        pass_rate = np.maximum(np.abs(wind - velocity), 3.0) / gust_length
        gust += -DT_S * pass_rate * gust + gust_sigma * np.sqrt(2.0 * pass_rate) * white
        rise += -DT_S * 0.5 * rise + 0.3 * gust_sigma * g.normal(size=n) * np.sqrt(DT_S)
        error = wanted - velocity
        held += DT_S * 0.5 * error * up
        thrust += DT_S / lag_s * (wanted_slope + 2.0 * error + held - thrust)
        thrust *= np.minimum(1.0, 7.0 / np.maximum(np.abs(thrust), 1e-9)) * up
        push = np.where(up, thrust + drag * (wind + gust - velocity), -velocity / 0.15)  # skids
        velocity += DT_S * push
        position += DT_S * velocity
        climb_wanted = _vertical(t, seconds, height)
        climb_a += DT_S / 0.15 * (3.0 * (climb_wanted - climb) + 2.0 * rise * up - climb_a)
        landing = (height <= 0.05) & (climb_wanted <= 0.0)
        climb = np.where(landing, 0.0, climb + DT_S * climb_a)
        climb_a = np.where(landing, 0.0, climb_a)
        height = np.maximum(0.0, height + DT_S * climb)
        turn += DT_S / 0.3 * (yaw_rate * up - turn)
        yaw = yaw + DT_S * turn
        kept.append((position.copy(), velocity.copy(), push, thrust * up, height, climb_a, yaw))
    series = [np.stack([row[i] for row in kept], axis=1) for i in range(7)]
    return _sensed(g, series, every)


def _sensed(g: np.random.Generator, series: list[NDArray[Any]], every: int) -> Flights:
    """Turn the true motion into what accelerometer and EKF say."""
    position, velocity, push, thrust = series[:4]
    height, climb_a, yaw = (s.real for s in series[4:])
    n, steps = position.shape
    spread: Real = g.uniform(0.5, 1.5, (n,))
    heading = np.exp(-1j * yaw)
    ahead, aside = (thrust * heading).real, (thrust * heading).imag
    lift = GRAVITY + climb_a
    roll = np.arcsin(np.clip(aside / np.sqrt(ahead**2 + aside**2 + lift**2), -0.99, 0.99))
    pitch = np.arctan2(-ahead, lift)
    true = np.stack([roll, pitch, yaw])
    force = _into_body(push * heading, -lift, roll, pitch)
    # Accelerometer: offset, scale, sample noise and vibration folded down by sampling; low pass of
    # the autopilot at 10 Hz (two poles), quantised to 1 mg when it is encoded.
    force = _low_pass(force, 2)
    # What is folded sweeps as motor speeds do: by some hertz within seconds.
    sweep = np.stack([_gauss_markov(g, n, np.full(n, 3.0), np.full(n, 2.0), steps) for _ in "xyz"])
    hertz = g.uniform(0.0, 10.0, (3, n, 1)) + sweep
    tone = 2 * np.pi * np.cumsum(hertz, axis=-1) * DT_S
    vibration = g.uniform(0.0, 0.15, (3, n, 1)) * np.sin(tone) * (height > 0.05)
    noise = g.uniform(0.02, 0.10, (1, n, 1)) * g.normal(size=force.shape)
    offset = g.normal(0.0, 0.08, (3, n, 1)) + _walk(g, force.shape, 3e-4)
    force = force * (1.0 + g.normal(0, 0.005, (3, n, 1))) + offset + vibration + noise
    # EKF: a tilt that wanders by a quarter of a degree, fixed in the world and not in the vehicle,
    # part of it gyro drift, which the rates show, part corrections, which they do not; and yaw.
    corrected = np.radians(0.2) * spread[:, None] * _plane_markov(g, n, 60.0, steps)
    drifted = np.radians(0.15) * spread[:, None] * _plane_markov(g, n, 60.0, steps)
    lean = (corrected + drifted) * heading
    turn = _gauss_markov(g, n, np.radians(1.5) * spread, np.full(n, 100.0), steps)
    turn += np.radians(g.normal(0.0, 2.0, (n, 1)))
    euler = true + np.stack([-lean.imag, lean.real, turn])
    drift = _slope(drifted) * heading
    slopes = _slope(true) + np.stack([-drift.imag, drift.real, 0 * turn])
    rates = _body_rates(slopes, roll, pitch)
    rates = rates + g.normal(0, 0.002, rates.shape) + g.normal(0, 0.0005, (3, n, 1))
    cut = slice(None, None, every)
    return Flights(
        np.arange(0, steps, every, dtype=np.float64) * DT_S,
        position[:, cut],
        velocity[:, cut],
        height[:, cut],
        force[:, :, cut],
        (euler[:, :, cut] + np.pi) % (2 * np.pi) - np.pi,
        rates[:, :, cut],
    )


def _into_body(across: Plane, down: Real, roll: Real, pitch: Real) -> Real:
    """Rotate from the heading frame (forward + j right, down) into FRD."""
    middle = across.real * np.sin(pitch) + down * np.cos(pitch)
    return np.stack(
        [
            across.real * np.cos(pitch) - down * np.sin(pitch),
            middle * np.sin(roll) + across.imag * np.cos(roll),
            middle * np.cos(roll) - across.imag * np.sin(roll),
        ]
    )


def _body_rates(slopes: Real, roll: Real, pitch: Real) -> Real:
    """Turn the derivatives of Euler angles into p, q, r."""
    return np.stack(
        [
            slopes[0] - slopes[2] * np.sin(pitch),
            slopes[1] * np.cos(roll) + slopes[2] * np.sin(roll) * np.cos(pitch),
            slopes[2] * np.cos(roll) * np.cos(pitch) - slopes[1] * np.sin(roll),
        ]
    )


def _low_pass(x: Real, poles: int) -> Real:
    """Filter along the last axis with time constants that make 22 ms together."""
    keep = np.exp(-DT_S / 0.011)
    for _ in range(poles):
        out = np.empty_like(x)
        state = x[..., 0].copy()
        for k in range(x.shape[-1]):
            state = keep * state + (1.0 - keep) * x[..., k]
            out[..., k] = state
        x = out
    return x


def _slope(x: NDArray[Any]) -> NDArray[Any]:
    """Differentiate along the last axis."""
    slope: NDArray[Any] = np.diff(x, axis=-1, append=x[..., -1:]) / DT_S
    return slope


def _walk(g: np.random.Generator, shape: tuple[int, ...], per_root_s: float) -> Real:
    return np.cumsum(g.normal(0.0, per_root_s * np.sqrt(DT_S), shape), axis=-1)
