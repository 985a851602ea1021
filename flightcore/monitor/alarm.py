"""What the GNSS monitor tells: its state, its alarm with the evidence, its present values."""

from dataclasses import dataclass
from enum import StrEnum

from flightcore.monitor.table import TABLE, Detector


class State(StrEnum):
    """What the monitor can say now."""

    LEARNING = "learning"
    OK = "ok"
    DEGRADED = "degraded"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Why the receiver is no longer to be trusted.

    Attributes:
        detector: Which test was first.
        value: What it measured, in the unit of its row in `table.TABLE`.
        threshold: What it should have stayed below.
        onset_s: Vehicle time at which the evidence begins.
        vehicle_s: Vehicle time of the alarm.
        alarm_ns: The caller's time of the alarm.
        evidence: All detectors at that moment, as value over threshold.
    """

    detector: Detector
    value: float
    threshold: float
    onset_s: float
    vehicle_s: float
    alarm_ns: int
    evidence: tuple[tuple[str, float], ...]

    @property
    def text(self) -> str:
        """One line for STATUSTEXT, at most 50 characters."""
        return f"GNSS: {TABLE[self.detector].text}"


@dataclass(frozen=True, slots=True)
class Status:
    """A moment of the monitor, for status reports.

    Attributes:
        state: As `GnssMonitor.state`.
        missing: Messages that are absent or too slow.
        alarm: The latched alarm's text, None without.
        ratios: Present value over threshold of each detector that has one.
        epochs: GNSS epochs judged since the vehicle started.
        lag_s: Learnt delay of the receiver behind the accelerometer.
    """

    state: State
    missing: tuple[str, ...]
    alarm: str | None
    ratios: dict[str, float]
    epochs: int
    lag_s: float
