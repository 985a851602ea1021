"""Two independent witnesses: the barometer for GNSS height, the autopilot's clock for GNSS time."""

from typing import Final

from flightcore.monitor.history import History
from flightcore.monitor.messages import Fix, Pressure, SystemTime
from flightcore.monitor.table import Detector

WINDOWS: Final = ((1.0, 7.0), (5.0, 10.0), (20.0, 15.0))  # (s, m)
_OLDEST_PRESSURE_S: Final = 0.6
_V_ACC_COVERED: Final = 2.0  # vertical accuracy that the limits are meant for [m]
_V_ACC_MOST: Final = 6.0
_LEAPS_S: Final = 18  # GPS less UTC: what a receiver may correct once it has the almanac
_ALMANAC_S: Final = 900.0  # 12.5 minutes, and some
_WEEKS_S: Final = 1024 * 604_800  # of week roll-over
_TICK_S: Final = 0.05


class HeightTests:
    """GNSS height less barometric height must not change quickly."""

    def __init__(self) -> None:
        self._pressure: Pressure | None = None
        self._past: History[float] = History()

    def forget(self) -> None:
        """Start again from here."""
        self._past.clear()

    def pressure(self, pressure: Pressure) -> None:
        """Take a barometric height."""
        self._pressure = pressure

    def step(self, time_s: float, fix: Fix) -> list[tuple[Detector, float, float]]:
        """Judge one epoch, if a barometric height is at hand."""
        pressure = self._pressure
        if pressure is None or abs(pressure.time_s - time_s) > _OLDEST_PRESSURE_S:
            return []
        difference = fix.alt - pressure.height
        scale = min(max((fix.v_acc or _V_ACC_COVERED) / _V_ACC_COVERED, 1.0), _V_ACC_MOST)
        worst, onset = 0.0, time_s
        for window_s, limit in WINDOWS:
            then = self._past.not_after(time_s - window_s)
            if then is None:
                break
            change = abs(difference - then) / (scale * limit)
            if change > worst:
                worst, onset = change, time_s - window_s
        self._past.remember(time_s, difference)
        return [(Detector.HEIGHT, worst, onset)]


class TimeTests:
    """Wall time less time since boot is a constant, once the receiver has settled."""

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._first_s = 0.0

    def step(self, time: SystemTime) -> list[tuple[Detector, float, float]]:
        """Judge one SYSTEM_TIME."""
        offset, before = time.unix_s - time.time_s, self._offset_s
        if before is None:
            self._offset_s, self._first_s = offset, time.time_s
            return []
        step = offset - before
        if time.time_s - self._first_s < _ALMANAC_S and _is_settling(step):
            self._offset_s = offset
            return [(Detector.TIME, 0.0, time.time_s)]
        return [(Detector.TIME, abs(step), time.time_s)]

    def forget(self) -> None:
        """Take the next time as it is."""
        self._offset_s = None


def _is_settling(step_s: float) -> bool:
    whole = round(step_s)
    if abs(step_s - whole) > _TICK_S:
        return False
    return 0 < abs(whole) <= _LEAPS_S or (whole != 0 and whole % _WEEKS_S == 0)
