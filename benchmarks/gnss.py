"""``gnss [DIR]``: the GNSS monitor on recorded flights, in simulated hours, and its cost.

Recorded flights need a directory of .tlog and .json; without one only the simulated are flown.
"""

import gc
import time
from concurrent.futures import ProcessPoolExecutor
from os import cpu_count
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from benchmarks import gnss_monte_carlo, report
from benchmarks.gnss_flights import Flight, flights_in, score
from benchmarks.gnss_monte_carlo import MonteCarlo
from benchmarks.gnss_plant import fly
from benchmarks.gnss_telemetry import draw, fixes_of, own_sensors, telemetry
from benchmarks.program import ProgramError
from benchmarks.report import Options, Spread
from flightcore.monitor.gnss import GnssMonitor
from wire.mavlink import message_id

_RAW_IMU, _ATTITUDE, _FIX = 27, 30, 24
_TARGETS: Final = {"RAW_IMU": "15", "ATTITUDE": "-", "GPS_RAW_INT": "60"}


class Result(msgspec.Struct, frozen=True):
    """What the benchmark leaves."""

    flights: list[Flight]
    monte_carlo: MonteCarlo
    us_per_frame: dict[str, Spread]


def run(options: Options) -> Result:
    """Score, simulate, measure."""
    flights: list[Flight] = []
    if options.directory is None:
        print("gnss: no DIR given, so no recorded flights; simulated ones follow")
    else:
        flights = _recorded(options.directory)
    simulated = gnss_monte_carlo.run(quick=options.quick)
    _print_simulated(simulated)
    return Result(flights, simulated, _cost(quick=options.quick))


def _recorded(directory: Path) -> list[Flight]:
    paths = flights_in(directory)
    if not paths:
        raise ProgramError(f"gnss: DIR = {directory}: holds no .tlog with a .json beside it")
    with ProcessPoolExecutor(cpu_count()) as pool:
        flights = list(pool.map(score, paths))
    report.table(
        f"recorded flights in {directory} (vehicle time; displacement of receiver and of vehicle)",
        ("flight", "verdict", "fault s", "alarm s", "delay s", "receiver m", "vehicle m",
         "detector", "ArduPilot after s", "EKF ratio"),
        [
            (f.name, f.verdict, _cell(f.fault_start_s), _cell(f.alarm_s), _cell(f.delay_s),
             _cell(f.gnss_displacement_m), _cell(f.vehicle_displacement_m), f.detector or "-",
             "-" if f.fault_start_s is None else
             "silent" if f.ardupilot_alarm_s is None else _cell(f.ardupilot_alarm_s),
             "-" if f.fault_start_s is None else _cell(f.ekf_ratio))
            for f in flights
        ],
    )  # fmt: skip
    for flight in flights:
        if flight.ardupilot:
            said = "; ".join(f"+{t:.1f} s {text}" for t, text in flight.ardupilot[:5])
            print(f"  ArduPilot in {flight.name}: {said}")
    return flights


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _print_simulated(result: MonteCarlo) -> None:
    clean = result.clean
    highest = list(clean.highest.items())[:6]
    print(
        f"\nsimulated clean flight: {clean.hours:.1f} h armed, {sum(clean.alarms.values())} alarms"
        f" {clean.alarms or ''}, {clean.per_hour:.3f} per hour (95 % below {clean.upper_95:.3f};"
        " target 0.25)\n  highest value over threshold: "
        + ", ".join(f"{name} {ratio:.2f}" for name, ratio in highest)
    )
    report.table(
        "simulated faults (delay in s and displacement in m at alarm: median, 95th percentile)",
        ("fault", "runs", "detected", "in 1 s", "delay", "p95", "moved", "p95", "target",
         "first"),
        [
            (name, str(f.runs), f"{100 * f.detected:.1f} %", f"{100 * f.within_1_s:.1f} %",
             _late(f.delay_s[0]), _late(f.delay_s[1]), _late(f.displacement_m[0]),
             _late(f.displacement_m[1]), f.target or "-", next(iter(f.first), "-"))
            for name, f in result.faults.items()
        ],
    )  # fmt: skip


def _late(value: float) -> str:
    return "never" if value < 0 else f"{value:.2f}"


def _cost(*, quick: bool) -> dict[str, Spread]:
    """Time `receive` on one simulated flight, message by message; the least of several passes."""
    g = np.random.default_rng(5)
    flights = fly(5, 1, 60.0, 2)
    receiver = draw(g, (0.02,))
    own, fixes = own_sensors(g, receiver, flights, 0), fixes_of(g, receiver, flights, 0)
    frames = [frame for _, frame in telemetry(g, receiver, flights, 0, fixes, own)]
    kinds = {"RAW_IMU": _RAW_IMU, "ATTITUDE": _ATTITUDE, "GPS_RAW_INT": _FIX}
    best: dict[int, float] = {}
    gc.disable()
    for _ in range(2 if quick else 7):
        monitor = GnssMonitor()
        for n, frame in enumerate(frames):
            start = time.perf_counter()
            monitor.receive(frame, n)
            spent = 1e6 * (time.perf_counter() - start)
            best[n] = min(spent, best.get(n, spent))
    gc.enable()
    ids = [message_id(frame) for frame in frames]
    late = len(frames) // 3  # windows are filled by then
    spreads = {
        name: Spread.of([best[n] for n in range(late, len(frames)) if ids[n] == kind], "us")
        for name, kind in kinds.items()
    }
    report.table(
        "cost of one frame (us, least of several passes)",
        ("message", "p50", "p99", "target"),
        [(name, report.figure(s.p50), report.figure(s.p99), _TARGETS[name])
         for name, s in spreads.items()],
    )  # fmt: skip
    return spreads
