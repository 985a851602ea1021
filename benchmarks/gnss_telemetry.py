"""Receiver, filter and telemetry of a simulated flight, as MAVLink 2 frames in order of arrival."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final

import numpy as np
from fastcrc.crc16 import mcrf4xx

from benchmarks.gnss_faults import Fixes
from benchmarks.gnss_plant import ARM_S, GRAVITY, Flights, Plane, Real
from wire.mavlink import CRC_EXTRA

METRES_PER_DEG: Final = 111_319.4908
LAT_DEG, LON_DEG = 35.6586, 139.7454
_ATTITUDE, _RAW_IMU = Struct("<Iffffff"), Struct("<QhhhhhhhhhBh")
_FIX, _LOCAL = Struct("<QiiiHHHHBBiIIIIH"), Struct("<Iffffff")
_REPORT, _PRESSURE = Struct("<fffffHf"), Struct("<Iffhh")
_TIME, _HEARTBEAT = Struct("<QI"), Struct("<IBBBBB")
Spoil = Callable[[Fixes], None]


@dataclass(frozen=True, slots=True)
class Receiver:
    """One vehicle's receiver and telemetry, drawn at random.

    Attributes:
        lag_s: Of a fix behind the autopilot's note of it.
        white, slow, slow_s: Position noise and its wandering [m, m, s].
        velocity: Noise [m/s].
        h_acc: What it claims [m].
        period_s: Between epochs.
        imu_s: Between ATTITUDE and RAW_IMU messages.
        loss: Part of messages that never come.
    """

    lag_s: float
    white: float
    slow: float
    slow_s: float
    velocity: float
    h_acc: float
    period_s: float
    imu_s: float
    loss: float


def draw(g: np.random.Generator, imu_s: tuple[float, ...]) -> Receiver:
    """Draw a consumer receiver, and a link with one of the given periods of inertial messages."""
    white, slow = g.uniform(0.15, 0.6), g.uniform(0.4, 1.3)
    return Receiver(
        lag_s=g.uniform(0.05, 0.2),
        white=white,
        slow=slow,
        slow_s=g.uniform(40.0, 100.0),
        velocity=g.uniform(0.03, 0.08),
        h_acc=float(np.hypot(white, slow) * g.uniform(0.8, 1.4)),
        period_s=0.2 if g.random() < 0.8 else 0.1,
        imu_s=float(g.choice(imu_s)),
        loss=float(g.choice([0.0, 0.01, 0.03])),
    )


def fixes_of(g: np.random.Generator, receiver: Receiver, flights: Flights, i: int) -> Fixes:
    """Return what the receiver of vehicle `i` reports without a fault."""
    end_s = float(flights.time_s[-1])
    time_s = np.arange(1.0, end_s, receiver.period_s)
    n = len(time_s)
    moment = time_s - receiver.lag_s
    position = np.interp(moment, flights.time_s, flights.position[i])
    velocity = np.interp(moment, flights.time_s, flights.velocity[i])
    noise = receiver.white * _plane(g, n) + _wander(g, n, receiver)
    kind = np.where(time_s < 3.0, 1, 3)
    satellites = np.clip(14 + np.cumsum(g.choice([-1, 0, 1], n, p=[0.02, 0.96, 0.02])), 9, 18)
    return Fixes(
        time_s + np.abs(g.normal(0.0, 0.004, n)),
        position + noise,
        velocity + receiver.velocity * _plane(g, n),
        position,
        velocity,
        np.where(time_s < 3.0, 2, satellites).astype(float),
        kind.astype(float),
    )


def _plane(g: np.random.Generator, n: int) -> Plane:
    return g.normal(size=n) + 1j * g.normal(size=n)


def _wander(g: np.random.Generator, n: int, receiver: Receiver) -> Plane:
    keep = float(np.exp(-receiver.period_s / receiver.slow_s))
    out = np.empty(n, complex)
    state = receiver.slow * complex(g.normal(), g.normal())
    pushes = receiver.slow * np.sqrt(1 - keep * keep) * _plane(g, n)
    for k in range(n):
        state = keep * state + pushes[k]
        out[k] = state
    return out


@dataclass(frozen=True, slots=True)
class _Filter:
    """A plain two-gain filter in place of the EKF: its estimates and ratios at the fixes."""

    position: Plane
    velocity: Plane
    position_ratio: Real
    velocity_ratio: Real


def _filtered(fixes: Fixes, receiver: Receiver) -> _Filter:
    """Track the fixes; what fails a 5 sigma gate is left out for ten seconds, then adopted.

    It is carried by the true change of velocity, as an EKF is by a good IMU.
    """
    n = len(fixes.time_s)
    p, v = np.empty(n, complex), np.empty(n, complex)
    ratios = np.zeros((2, n))
    sigma_p = 1.4 * float(np.hypot(receiver.h_acc, 0.5))
    sigma_v = 0.3
    position, velocity, refused_s = complex(fixes.position[0]), complex(fixes.velocity[0]), 0.0
    for k in range(n):
        step_s = receiver.period_s
        if k:
            change = complex(fixes.true_velocity[k] - fixes.true_velocity[k - 1])
            position += step_s * (velocity + 0.5 * change)
            velocity += change
        if fixes.kind[k] >= 3:
            miss = complex(fixes.position[k]) - position
            slip = complex(fixes.velocity[k]) - velocity
            ratios[:, k] = abs(miss) / (5 * sigma_p), abs(slip) / (5 * sigma_v)
            if ratios[:, k].max() < 1.0:
                position, velocity, refused_s = position + 0.1 * miss, velocity + 0.15 * slip, 0.0
            else:
                refused_s += step_s
                if refused_s > 10.0:
                    position, velocity, refused_s = position + miss, velocity + slip, 0.0
        p[k], v[k] = position, velocity
    return _Filter(p, v, ratios[0], ratios[1])


def frame(message_id: int, payload: bytes) -> bytes:
    """Encode one MAVLink 2 frame of system 1, component 1."""
    payload = payload.rstrip(b"\0") or b"\0"
    head = bytes((len(payload), 0, 0, 0, 1, 1, message_id & 255, message_id >> 8 & 255, 0))
    body = head + payload
    return b"\xfd" + body + mcrf4xx(body + CRC_EXTRA[message_id]).to_bytes(2, "little")


def own_sensors(
    g: np.random.Generator, receiver: Receiver, flights: Flights, i: int
) -> list[tuple[float, bytes]]:
    """Return (sending time, frame) of all that does not depend on the receiver."""
    return [*_inertial(flights, i, receiver.imu_s), *_slow(g, flights, i)]


def telemetry(
    g: np.random.Generator,
    receiver: Receiver,
    flights: Flights,
    i: int,
    fixes: Fixes,
    own: list[tuple[float, bytes]],
) -> list[tuple[float, bytes]]:
    """Return (arrival time, frame), some lost, some late, in order of arrival.

    `own` is `own_sensors` of the same vehicle.
    """
    sent = [
        *own,
        *_receiver(fixes, receiver, flights, i, g),
        *_estimates(fixes, _filtered(fixes, receiver)),
    ]
    kept = [
        (at + (0.06 if late < 0.003 else 0.0), data)
        for (at, data), lost, late in zip(
            sent, g.random(len(sent)), g.random(len(sent)), strict=True
        )
        if lost >= receiver.loss
    ]
    kept.sort(key=lambda item: item[0])
    return kept


def _inertial(flights: Flights, i: int, every_s: float) -> Iterator[tuple[float, bytes]]:
    step = max(1, round(every_s / float(flights.time_s[1] - flights.time_s[0])))
    counts = np.clip(np.trunc(flights.force[:, i, ::step] * (1000 / GRAVITY)), -32767, 32767)
    imu = counts.astype(int).T.tolist()
    euler = flights.euler[:, i, ::step].T.tolist()
    rates = flights.rates[:, i, ::step].T.tolist()
    for t, counts_k, euler_k, rates_k in zip(
        flights.time_s[::step].tolist(), imu, euler, rates, strict=True
    ):
        ms = round(t * 1000)
        yield t, frame(30, _ATTITUDE.pack(ms, *euler_k, *rates_k))
        yield t, frame(27, _RAW_IMU.pack(round(t * 1e6), *counts_k, 0, 0, 0, 0, 0, 0, 0, 4500))


def _receiver(
    fixes: Fixes, receiver: Receiver, flights: Flights, i: int, g: np.random.Generator
) -> Iterator[tuple[float, bytes]]:
    n = len(fixes.time_s)
    height = np.interp(fixes.time_s - receiver.lag_s, flights.time_s, flights.height[i])
    height = height + 1.5 * (receiver.white * g.normal(size=n) + _wander(g, n, receiver).real)
    course = np.degrees(np.angle(fixes.velocity)) % 360.0
    lat = LAT_DEG + fixes.position.real / METRES_PER_DEG
    lon = LON_DEG + fixes.position.imag / (METRES_PER_DEG * np.cos(np.radians(lat)))
    claims = g.normal(1.0, 0.03, n)
    for k in range(n):
        # The receiver's stamp is its arrival at the autopilot; the message follows at once.
        payload = _FIX.pack(
            round(fixes.time_s[k] * 1e6), round(lat[k] * 1e7), round(lon[k] * 1e7),
            round(1000 * (40.0 + height[k])), 80, 120, int(100 * abs(fixes.velocity[k])),
            int(100 * course[k]), int(fixes.kind[k]), int(fixes.satellites[k]), 0,
            round(1000 * receiver.h_acc * claims[k]), round(1500 * receiver.h_acc * claims[k]),
            round(2500 * receiver.velocity * claims[k]), 0, 0,
        )  # fmt: skip
        yield float(fixes.time_s[k]) + 0.03, frame(24, payload)


def _estimates(fixes: Fixes, estimate: _Filter) -> Iterator[tuple[float, bytes]]:
    for k, t in enumerate(fixes.time_s.tolist()):
        flags = 831 if t > 8.0 else 167
        if max(estimate.position_ratio[k], estimate.velocity_ratio[k]) >= 1.0:
            flags |= 1 << 15
        ratios = estimate.velocity_ratio[k], estimate.position_ratio[k]
        yield t + 0.08, frame(193, _REPORT.pack(*ratios, 0.05, 0.05, 0.0, flags, 0.0))
        p, v = complex(estimate.position[k]), complex(estimate.velocity[k])
        payload = _LOCAL.pack(round(t * 1000), p.real, p.imag, 0.0, v.real, v.imag, 0.0)
        yield t + 0.05, frame(32, payload)


def _slow(g: np.random.Generator, flights: Flights, i: int) -> Iterator[tuple[float, bytes]]:
    end_s = float(flights.time_s[-1])
    wander = 0.0
    for t in np.arange(0.5, end_s, 0.2).tolist():
        k = int(np.searchsorted(flights.time_s, t))
        wander += 0.2 / 60.0 * -wander + 0.07 * g.normal()
        wind = 0.012 * abs(flights.velocity[i, k]) ** 2  # of pressure, as height
        h = 40.0 + flights.height[i, k] + wander - wind + 0.12 * g.normal()
        hpa = 1013.25 * (1.0 - h / 44_330.77) ** (1 / 0.190263)
        yield t, frame(29, _PRESSURE.pack(round(t * 1000), hpa, 0.0, 3500, 0))
    for t in np.arange(0.3, end_s, 1.0).tolist():
        armed = 128 if ARM_S < t < end_s - 6.0 else 0
        yield t, frame(0, _HEARTBEAT.pack(4, 2, 3, 89 | armed, 4, 3))
        unix_us = 1_800_000_000_000_000 + round(t * 1e6)
        yield t, frame(2, _TIME.pack(unix_us, round(t * 1000)))
