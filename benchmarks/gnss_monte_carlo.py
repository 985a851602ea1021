"""The GNSS monitor over simulated flights: false alarms by the hour, faults by the family."""

import copy
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from os import cpu_count
from typing import Final

import msgspec
import numpy as np

from benchmarks.gnss_faults import FAMILIES, Fixes
from benchmarks.gnss_plant import ARM_S, Flights, fly
from benchmarks.gnss_telemetry import Receiver, draw, fixes_of, own_sensors, telemetry
from flightcore.monitor.gnss import GnssMonitor

_CLEAN_PERIODS_S: Final = (0.02, 0.02, 0.05, 0.05, 0.1)
_FAULT_PERIODS_S: Final = (0.02, 0.05)  # 10 Hz is too slow for what is hard to see
_EVERY: Final = 2  # of 10 ms: sensors at 50 Hz
_VEHICLES: Final = 40
_CLEAN_S: Final = 300.0
_FAULT_AT_S: Final = 75.0
_AFTER_LANDING_S: Final = 6.0
_LANDING_S: Final = 27.0


class Clean(msgspec.Struct, frozen=True):
    """Hours without a fault.

    Attributes:
        hours: Armed exposure.
        alarms: By detector; each was cleared, and the flight went on.
        per_hour: Alarms over hours.
        upper_95: Poisson upper bound of `per_hour`, one-sided 95 %.
        highest: Greatest value over threshold, by detector.
    """

    hours: float
    alarms: dict[str, int]
    per_hour: float
    upper_95: float
    highest: dict[str, float]


class Faulty(msgspec.Struct, frozen=True):
    """One family of faults.

    Attributes:
        runs: Flights with it.
        detected: Part of them that alarmed while watched.
        within_1_s: Part of them that alarmed within a second.
        delay_s: Median and 95th percentile over all runs, the missed ones as infinite (-1).
        displacement_m: Of the reported position at the alarm, the same.
        first: Which detector was first, how often.
        target: What was asked for.
    """

    runs: int
    detected: float
    within_1_s: float
    delay_s: tuple[float, float]
    displacement_m: tuple[float, float]
    first: dict[str, int]
    target: str


class MonteCarlo(msgspec.Struct, frozen=True):
    """Both parts, with what is needed to run them again."""

    clean: Clean
    faults: dict[str, Faulty]
    seed: int


class _Hours(msgspec.Struct):
    hours: float
    alarms: Counter[str]
    highest: dict[str, float]


class _Hit(msgspec.Struct):
    """One run: the family, and delay, displacement, detector of its alarm if there was one."""

    family: str
    alarm: tuple[float, float, str] | None


def run(*, quick: bool, seed: int = 1) -> MonteCarlo:
    """Fly the clean hours and the faults on every core."""
    batches, groups = (2, 2) if quick else (8, 3)
    seconds = 120.0 if quick else _CLEAN_S
    vehicles = 5 if quick else _VEHICLES
    with ProcessPoolExecutor(cpu_count()) as pool:
        clean = [pool.submit(_fly_clean, seed + i, vehicles, seconds) for i in range(batches)]
        faults = [pool.submit(_fly_faults, seed + 1000 + i, vehicles) for i in range(groups)]
        _show_progress([*clean, *faults])
        return MonteCarlo(
            _summarise_clean([future.result() for future in clean]),
            _summarise_faults([hit for future in faults for hit in future.result()]),
            seed,
        )


def _show_progress(futures: Sequence[Future[_Hours] | Future[list[_Hit]]]) -> None:
    for done, _ in enumerate(as_completed(futures), 1):
        if sys.stderr.isatty():
            print(f"\r  simulated flights: {done}/{len(futures)} ", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)


def _fly_clean(seed: int, vehicles: int, seconds: float) -> _Hours:
    flights = fly(seed, vehicles, seconds, _EVERY)
    g = np.random.default_rng(seed + 10_000)
    seen = _Hours(vehicles * (seconds - ARM_S - _AFTER_LANDING_S) / 3600.0, Counter(), {})
    for i in range(vehicles):
        receiver = draw(g, _CLEAN_PERIODS_S)
        monitor = GnssMonitor()
        own = own_sensors(g, receiver, flights, i)
        fixes = fixes_of(g, receiver, flights, i)
        frames = telemetry(g, receiver, flights, i, fixes, own)
        for n, (at_s, frame) in enumerate(frames):
            alarm = monitor.receive(frame, round(at_s * 1e9))
            if alarm is not None:
                seen.alarms[alarm.detector.value] += 1
                monitor.clear(round(at_s * 1e9))
            if n % 20 == 0 and at_s > _FAULT_AT_S:
                _note(seen.highest, monitor.status(round(at_s * 1e9)).ratios.items())
    return seen


def _note(highest: dict[str, float], ratios: Iterable[tuple[str, float]]) -> None:
    for name, ratio in ratios:
        if ratio > highest.get(name, 0.0):
            highest[name] = ratio


def _fly_faults(seed: int, vehicles: int) -> list[_Hit]:
    longest_s = max(family.seconds for family in FAMILIES.values())
    flights = fly(seed, vehicles, _FAULT_AT_S + longest_s + _LANDING_S, _EVERY)
    g = np.random.default_rng(seed + 10_000)
    hits: list[_Hit] = []
    for i in range(vehicles):
        receiver = draw(g, _FAULT_PERIODS_S)
        way = np.exp(1j * g.uniform(-math.pi, math.pi))
        hits += _one_vehicle(int(g.integers(1 << 30)), receiver, flights, i, complex(way))
    return hits


def _one_vehicle(
    seed: int, receiver: Receiver, flights: Flights, i: int, way: complex
) -> Iterator[_Hit]:
    """Judge every family in one flight; up to the fault it is the same flight."""
    base: GnssMonitor | None = None
    own = own_sensors(np.random.default_rng(seed + 2), receiver, flights, i)
    honest = fixes_of(np.random.default_rng(seed), receiver, flights, i)
    for name, family in FAMILIES.items():
        fixes = fixes_of(np.random.default_rng(seed), receiver, flights, i)
        family.apply(fixes, _FAULT_AT_S, way)
        noise = np.random.default_rng(seed + 1)
        frames = telemetry(noise, receiver, flights, i, fixes, own)
        if base is None:
            base = GnssMonitor()
            for at_s, frame in frames:
                if at_s < _FAULT_AT_S and base.receive(frame, round(at_s * 1e9)):
                    base.clear(round(at_s * 1e9))
        monitor = copy.deepcopy(base)
        yield _Hit(name, _watch(monitor, frames, family.seconds, fixes, honest))


def _watch(
    monitor: GnssMonitor,
    frames: Sequence[tuple[float, bytes]],
    seconds: float,
    fixes: Fixes,
    honest: Fixes,
) -> tuple[float, float, str] | None:
    for at_s, frame in frames:
        if at_s < _FAULT_AT_S:
            continue
        if at_s > _FAULT_AT_S + seconds:
            break
        alarm = monitor.receive(frame, round(at_s * 1e9))
        if alarm is not None:
            k = max(0, int(np.searchsorted(fixes.time_s, alarm.vehicle_s + 1e-6)) - 1)
            moved = abs(complex(fixes.position[k] - honest.position[k]))
            return at_s - _FAULT_AT_S, moved, alarm.detector.value
    return None


def _summarise_clean(parts: Sequence[_Hours]) -> Clean:
    hours = sum(part.hours for part in parts)
    alarms: Counter[str] = Counter()
    highest: dict[str, float] = {}
    for part in parts:
        alarms += part.alarms
        _note(highest, part.highest.items())
    count = alarms.total()
    return Clean(
        round(hours, 2),
        dict(alarms),
        round(count / hours, 4),
        round(poisson_upper(count) / hours, 4),
        dict(sorted(highest.items(), key=lambda item: -item[1])),
    )


def _summarise_faults(hits: Sequence[_Hit]) -> dict[str, Faulty]:
    results: dict[str, Faulty] = {}
    for name, family in FAMILIES.items():
        runs = [hit.alarm for hit in hits if hit.family == name]
        found = [alarm for alarm in runs if alarm is not None]
        delays = sorted([alarm[0] for alarm in found] + [math.inf] * (len(runs) - len(found)))
        moves = sorted([alarm[1] for alarm in found] + [math.inf] * (len(runs) - len(found)))
        results[name] = Faulty(
            len(runs),
            round(len(found) / len(runs), 4),
            round(sum(alarm[0] <= 1.0 for alarm in found) / len(runs), 4),
            (_quantile(delays, 0.5), _quantile(delays, 0.95)),
            (_quantile(moves, 0.5), _quantile(moves, 0.95)),
            dict(Counter(alarm[2] for alarm in found).most_common()),
            family.target,
        )
    return results


def _quantile(ordered: Sequence[float], part: float) -> float:
    value = ordered[min(len(ordered) - 1, int(part * len(ordered)))]
    return -1.0 if math.isinf(value) else round(value, 2)


def poisson_upper(count: int, confidence: float = 0.95) -> float:
    """Return the mean of which `count` or fewer events would come with 1 - confidence."""
    low, high = 0.0, 10.0 + 3.0 * count
    for _ in range(60):
        mean = 0.5 * (low + high)
        term = total = math.exp(-mean)
        for k in range(1, count + 1):
            term *= mean / k
            total += term
        low, high = (mean, high) if total > 1 - confidence else (low, mean)
    return high
