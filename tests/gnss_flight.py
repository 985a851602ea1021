"""A small vehicle for tests of the GNSS monitor: exact physics, telemetry as real MAVLink frames.

Moves in a plane with a given acceleration, level but for the tilt that acceleration needs; no
drag, no sensor error but a repeatable ripple. What is reported can be changed from a moment on.
"""

import cmath
import itertools
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

os.environ["MAVLINK20"] = "1"

from pymavlink.dialects.v20 import ardupilotmega as dialect

G = 9.80665
LAG_S = 0.1
LAT, LON = 35.0, 139.0
METRES_PER_DEG = math.pi / 180 * 6_378_137.0
ARMED_S = 3.0
START_S = 6.0  # of flight
FAULT_S = 30.0


@dataclass(frozen=True)
class Told:
    """What the telemetry says at a moment; position and velocity are north + j east."""

    position: complex
    velocity: complex
    alt: float = 50.0
    satellites: int = 14
    fix_type: int = 3
    h_acc: float = 0.8
    vel_acc: float = 0.1
    stamp_s: float | None = None
    ratio: float = 0.05
    flags: int = 831
    local_step: complex = 0j
    unix_step_s: float = 0.0


@dataclass
class Vehicle:
    """Yields (arrival, frame) from `begin_s` to `end_s` of vehicle time."""

    acceleration: Callable[[float], complex] = lambda t: 0.6 * math.cos(0.5 * t) + 0j
    spoil: Callable[[float, Told], Told] = lambda t, told: told
    armed: bool = True
    boot_s: float = 0.0
    yaw: float = 0.3
    mav: dialect.MAVLink = field(default_factory=lambda: dialect.MAVLink(None, 1, 1))

    def frames(
        self, begin_s=0.0, end_s=FAULT_S + 15.0, without=()
    ) -> Iterator[tuple[float, bytes]]:
        position, velocity = 0j, 0j
        past: list[tuple[complex, complex]] = []
        ripple = itertools.cycle([0.03, -0.02, 0.01, -0.03, 0.02, -0.01, 0.0])
        for k in range(round(begin_s * 20), round(end_s * 20)):
            t = k / 20
            a = self.acceleration(t) if t > START_S else 0j
            past.append((position, velocity))
            for message in self._messages(t, k, a, past, ripple):
                if message.get_type() not in without:
                    yield t + self.boot_s, message.pack(self.mav)
            a_next = self.acceleration(t + 0.05) if t + 0.05 > START_S else 0j
            position += 0.05 * velocity + 0.00125 * a
            velocity += 0.025 * (a + a_next)

    def _messages(self, t, k, a, past, ripple):
        ms = round(1000 * t)
        ahead = a * cmath.exp(-1j * self.yaw)
        roll = math.atan2(ahead.imag, math.hypot(ahead.real, G))
        pitch = math.atan2(-ahead.real, G)
        lift = math.sqrt(abs(a) ** 2 + G * G)
        yield dialect.MAVLink_attitude_message(ms, roll, pitch, self.yaw, 0, 0, 0)
        yield dialect.MAVLink_raw_imu_message(
            ms * 1000, 0, 0, round(-lift / G * 1000), 0, 0, 0, 0, 0, 0
        )
        if k % 20 == 0:
            mode = 89 | (128 if self.armed and t > ARMED_S else 0)
            yield dialect.MAVLink_heartbeat_message(2, 3, mode, 4, 4, 3)
        now = Told(*past[max(0, len(past) - 1 - round(LAG_S * 20))])
        now = self.spoil(t, now)
        if k % 20 == 0:
            unix_us = round((1.8e9 + now.unix_step_s + t) * 1e6)
            yield dialect.MAVLink_system_time_message(unix_us, ms)
        if k % 4 == 0:
            wave = complex(next(ripple), next(ripple))
            at = now.position + wave
            speed = now.velocity + 0.5 * wave
            cos_lat = math.cos(math.radians(LAT))
            yield dialect.MAVLink_gps_raw_int_message(
                round(1e6 * (t if now.stamp_s is None else now.stamp_s)),
                now.fix_type,
                round(1e7 * (LAT + at.real / METRES_PER_DEG)),
                round(1e7 * (LON + at.imag / METRES_PER_DEG / cos_lat)),
                round(1000 * now.alt), 90, 150, round(100 * abs(speed)),
                round(100 * math.degrees(cmath.phase(speed))) % 36000, now.satellites, 0,
                round(1000 * now.h_acc), 1200, round(1000 * now.vel_acc), 0, 0,
            )  # fmt: skip
            yield dialect.MAVLink_ekf_status_report_message(
                now.flags, now.ratio, now.ratio, 0.1, 0.1, 0.0, 0.0
            )
            hpa = 1013.25 * (1 - 50.0 / 44_330.77) ** (1 / 0.190263)
            yield dialect.MAVLink_scaled_pressure_message(ms, hpa, 0, 3000, 0)
        if k % 2 == 0:
            p, v = past[-1]
            p += now.local_step
            yield dialect.MAVLink_local_position_ned_message(
                ms, p.real, p.imag, 0, v.real, v.imag, 0
            )


def after(start_s, **changes):
    """Return a `spoil` that replaces fields from a moment on; callables get (dt, told)."""

    def spoil(t, told):
        if t < start_s:
            return told
        values = {k: v(t - start_s, told) if callable(v) else v for k, v in changes.items()}
        return replace(told, **values)

    return spoil


def feed(monitor, frames):
    """Feed all frames; return the first alarm."""
    first = None
    for at_s, frame in frames:
        alarm = monitor.receive(frame, round(at_s * 1e9))
        first = first or alarm
    return first
