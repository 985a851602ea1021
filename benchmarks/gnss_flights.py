"""The GNSS monitor over recorded flights: NAME.tlog with NAME.json in a directory.

A .tlog is a sequence of an 8-byte big-endian time in microseconds and a MAVLink frame; its time is
the vehicle's here. The .json says when the fault started (``fault_start_s``, absent in a clean
flight). SIMSTATE is the truth, which the monitor is never given. Two displacements are reported:

* of the receiver: where GPS_RAW_INT says it is, against the truth at the moment it was measured;
* of the vehicle: where its filter believes it is, against the truth, which is how far it has been
  led away from where it was meant to be.

Both less their mean over the ten seconds before the fault: a filter and a home are offset a little.
The receiver's own lag is taken from those seconds too, as the one that fits the truth best.
"""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from flightcore.monitor.gnss import WATCHED, GnssMonitor
from wire.mavlink import FrameSplitter, dialect, message_id

_EPOCH_S: Final = 1_700_000_000.0
_BEFORE_S: Final = 10.0
_LAGS_S: Final = tuple(0.02 * k for k in range(16))
_STAMP: Final = Struct(">Q")
_STATUSTEXT, _SIMSTATE, _FIX, _GLOBAL, _REPORT = 253, 164, 24, 33, 193
_CONCERNS_GNSS: Final = re.compile(r"glitch|gps|ekf|lane|failsafe|compass", re.IGNORECASE)
_METRES_PER_DEG: Final = 111_319.4908
Series = NDArray[np.float64]


class Flight(msgspec.Struct, frozen=True):
    """One flight's score; times in seconds of the vehicle, displacements in metres.

    Attributes:
        name: Of the file.
        fault_start_s: None in a clean flight.
        alarm_s: When the monitor alarmed first, None if it did not.
        delay_s: From fault to alarm; negative is a false alarm.
        detector: Which one.
        text: As the operator sees it.
        gnss_displacement_m: Of the receiver at the alarm; None without one.
        vehicle_displacement_m: Of the vehicle at the alarm.
        greatest_displacement_m: Of the receiver, at any time.
        ardupilot: What the autopilot said after the fault, as (seconds after it, text).
        ardupilot_alarm_s: Delay of its first word of a glitch or EKF failsafe, None if silent.
        ekf_ratio: Greatest velocity or position ratio after the fault (1 is the gate).
        verdict: detected, missed, clean or false alarm.
    """

    name: str
    fault_start_s: float | None
    alarm_s: float | None
    delay_s: float | None
    detector: str | None
    text: str | None
    gnss_displacement_m: float | None
    vehicle_displacement_m: float | None
    greatest_displacement_m: float | None
    ardupilot: tuple[tuple[float, str], ...]
    ardupilot_alarm_s: float | None
    ekf_ratio: float
    verdict: str


def frames_of(path: Path) -> Iterator[tuple[float, bytes]]:
    """Return (vehicle time, frame) of the whole, checksummed MAVLink 2 frames in a .tlog."""
    data = path.read_bytes()
    splitter = FrameSplitter()
    at = 0
    while at + 8 < len(data):
        time_s = _STAMP.unpack_from(data, at)[0] * 1e-6 - _EPOCH_S
        at += 8
        size = 12 + data[at + 1] + (13 if data[at + 2] & 1 else 0)
        if data[at] != 0xFD:
            size = 8 + data[at + 1]
        for frame in splitter.receive(data[at : at + size]):
            yield time_s, frame
        at += size


class _Truth:
    """What a flight's frames tell a judge, and not the monitor."""

    def __init__(self, frames: list[tuple[float, bytes]]) -> None:
        rows: dict[int, list[tuple[float, ...]]] = {_SIMSTATE: [], _FIX: [], _GLOBAL: []}
        self.said: list[tuple[float, str]] = []
        self.ratios: list[tuple[float, float]] = []
        parser = dialect.MAVLink(None)
        for time_s, frame in frames:
            kind = message_id(frame)
            if kind not in rows and kind not in {_STATUSTEXT, _REPORT}:
                continue
            message = parser.decode(bytearray(frame))
            if kind == _SIMSTATE:
                rows[kind].append((time_s, message.lat, message.lng))
            elif kind == _FIX:
                if message.fix_type >= 3:
                    rows[kind].append((message.time_usec * 1e-6, message.lat, message.lon))
            elif kind == _GLOBAL:
                rows[kind].append((message.time_boot_ms * 1e-3, message.lat, message.lon))
            elif kind == _STATUSTEXT:
                self.said.append((time_s, message.text))
            else:
                ratio = max(message.velocity_variance, message.pos_horiz_variance)
                self.ratios.append((time_s, float(ratio)))
        self._sim = np.array(rows[_SIMSTATE])
        self._fixes = np.array(rows[_FIX])
        self._global = np.array(rows[_GLOBAL])

    def displacements(self, from_s: float) -> tuple[tuple[Series, Series], tuple[Series, Series]]:
        """Return (times, metres) of the receiver's and of the vehicle's displacement."""
        steady = self._fixes[:, 0] < from_s
        steady &= self._fixes[:, 0] > from_s - _BEFORE_S
        misses = [(float(np.std(np.abs(self._off(self._fixes, lag))[steady])), lag)
                  for lag in _LAGS_S]  # fmt: skip
        return (
            self._less_before(self._fixes, min(misses)[1], from_s),
            self._less_before(self._global, 0.0, from_s),
        )

    def _less_before(self, rows: Series, lag_s: float, from_s: float) -> tuple[Series, Series]:
        off = self._off(rows, lag_s)
        times = rows[:, 0]
        before = off[(times < from_s) & (times > from_s - _BEFORE_S)]
        return times, np.abs(off - (before.mean() if len(before) else 0.0))

    def _off(self, rows: Series, lag_s: float) -> NDArray[np.complex128]:
        times = rows[:, 0] - lag_s
        lat = np.interp(times, self._sim[:, 0], self._sim[:, 1])
        lon = np.interp(times, self._sim[:, 0], self._sim[:, 2])
        north = (rows[:, 1] - lat) * 1e-7 * _METRES_PER_DEG
        east = (rows[:, 2] - lon) * 1e-7 * _METRES_PER_DEG * np.cos(np.radians(lat * 1e-7))
        off: NDArray[np.complex128] = north + 1j * east
        return off


def score(path: Path) -> Flight:
    """Feed one flight to a monitor, then compare with the truth."""
    about = json.loads(path.with_suffix(".json").read_text())
    fault_s: float | None = about.get("fault_start_s")
    frames = list(frames_of(path))
    monitor = GnssMonitor()
    alarm = None
    for time_s, frame in frames:
        if message_id(frame) in WATCHED:
            alarm = monitor.receive(frame, round(time_s * 1e9)) or alarm
    truth = _Truth(frames)
    since_s = fault_s if fault_s is not None else math.inf
    said = tuple(
        (round(time_s - since_s, 2), text)
        for time_s, text in truth.said
        if time_s >= since_s and _CONCERNS_GNSS.search(text)
    )
    loud = [t for t, text in said if re.search(r"glitch|failsafe", text, re.IGNORECASE)]
    moved: tuple[float | None, float | None, float | None] = (None, None, None)
    if fault_s is not None:
        gnss, vehicle = truth.displacements(fault_s)
        greatest = round(float(gnss[1][gnss[0] > fault_s].max(initial=0.0)), 2)
        moved = (None, None, greatest)
        if alarm is not None:
            moved = (_at(gnss, alarm.vehicle_s), _at(vehicle, alarm.vehicle_s), greatest)
    return Flight(
        name=path.stem,
        fault_start_s=fault_s,
        alarm_s=None if alarm is None else round(alarm.vehicle_s, 2),
        delay_s=None if alarm is None or fault_s is None else round(alarm.vehicle_s - fault_s, 2),
        detector=None if alarm is None else alarm.detector.value,
        text=None if alarm is None else alarm.text,
        gnss_displacement_m=moved[0],
        vehicle_displacement_m=moved[1],
        greatest_displacement_m=moved[2],
        ardupilot=said,
        ardupilot_alarm_s=loud[0] if loud else None,
        ekf_ratio=round(max((r for t, r in truth.ratios if t >= since_s), default=0.0), 2),
        verdict=_verdict(fault_s, None if alarm is None else alarm.vehicle_s),
    )


def _at(series: tuple[Series, Series], time_s: float) -> float:
    k = max(0, int(np.searchsorted(series[0], time_s + 1e-6)) - 1)
    return round(float(series[1][k]), 2)


def _verdict(fault_s: float | None, alarm_s: float | None) -> str:
    if alarm_s is None:
        return "clean" if fault_s is None else "missed"
    return "detected" if fault_s is not None and alarm_s >= fault_s else "false alarm"


def flights_in(directory: Path) -> list[Path]:
    """Return the flights of a directory: every .tlog that has its .json."""
    return sorted(p for p in directory.glob("*.tlog") if p.with_suffix(".json").exists())
