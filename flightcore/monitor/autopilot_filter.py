"""What the autopilot's own filter gives away: test ratios, its glitch flag, and position resets.

It rejects what fails its gates for ten seconds and then resets to the receiver, after which its
ratios look healthy: the first exceedance and the reset are all there is to see.
"""

from collections import deque
from typing import Final

from flightcore.monitor.messages import FilterReport, Local
from flightcore.monitor.table import Detector

_GLITCHING: Final = 1 << 15  # EKF_GPS_GLITCHING
_POSITION_ABSOLUTE: Final = 1 << 4  # EKF_POS_HORIZ_ABS
_MEAN_S: Final = 2.0
_STEADY_S: Final = 5.0  # after the filter starts to use the receiver, it may still step
_LONGEST_STEP_S: Final = 2.0
_AGILITY: Final = 5.0  # m/s2: what a velocity may do between two reports


class FilterTests:
    """Judges EKF_STATUS_REPORT, which has no time of its own, and LOCAL_POSITION_NED."""

    def __init__(self) -> None:
        self._ratios: deque[tuple[float, float]] = deque()
        self._absolute_since_s: float | None = None
        self._local: Local | None = None

    def forget(self) -> None:
        """Start again from here."""
        self.__init__()  # type: ignore[misc]

    def report(self, time_s: float, report: FilterReport) -> list[tuple[Detector, float, float]]:
        """Judge a status report heard at `time_s`."""
        if not report.flags & _POSITION_ABSOLUTE:
            self._absolute_since_s = None
        elif self._absolute_since_s is None:
            self._absolute_since_s = time_s
        if not self._is_steady(time_s):
            self._ratios.clear()
            return []
        ratio = max(report.velocity, report.position)
        ratios = self._ratios
        ratios.append((time_s, min(ratio, 1.0)))
        while ratios[0][0] < time_s - _MEAN_S:
            ratios.popleft()
        filled = time_s - ratios[0][0] > 0.7 * _MEAN_S
        mean = sum(r for _, r in ratios) / len(ratios) if filled else 0.0
        glitch = 1.0 if report.flags & _GLITCHING else 0.0
        return [
            (Detector.EKF_RATIO, ratio, time_s),
            (Detector.EKF_RATIO_MEAN, mean, ratios[0][0]),
            (Detector.EKF_GLITCH, glitch, time_s),
        ]

    def local(self, local: Local) -> list[tuple[Detector, float, float]]:
        """Judge the filter's position against its own velocity."""
        before, self._local = self._local, local
        if before is None:
            return []
        dt_s = local.time_s - before.time_s
        if dt_s > _LONGEST_STEP_S or not self._is_steady(local.time_s):
            return []
        flown = 0.5 * dt_s * (before.velocity + local.velocity)
        step = abs(local.position - before.position - flown)
        beyond = max(0.0, step - 0.25 * _AGILITY * dt_s * dt_s)
        return [(Detector.EKF_RESET, beyond, before.time_s)]

    def _is_steady(self, time_s: float) -> bool:
        since = self._absolute_since_s
        return since is not None and time_s - since > _STEADY_S
