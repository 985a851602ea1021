"""The detectors: what each measures, where it alarms, and where that number comes from."""

from enum import StrEnum
from typing import Final, NamedTuple


class Detector(StrEnum):
    """Names as they appear in alarms, status and results."""

    VELOCITY_INNOVATION = "velocity_innovation"
    VELOCITY_CUSUM = "velocity_cusum"
    VELOCITY_WINDOW = "velocity_window"
    POSITION_JUMP = "position_jump"
    POSITION_DRIFT = "position_drift"
    FREEZE = "freeze"
    SILENCE = "silence"
    FIX_LOST = "fix_lost"
    SATELLITES = "satellites"
    ACCURACY = "accuracy"
    EKF_RATIO = "ekf_ratio"
    EKF_RATIO_MEAN = "ekf_ratio_mean"
    EKF_GLITCH = "ekf_glitch"
    EKF_RESET = "ekf_reset"
    HEIGHT = "height"
    TIME = "time"


class Row(NamedTuple):
    """One detector.

    Attributes:
        threshold: The value that alarms, in `unit`.
        unit: Of the value.
        on_ground: Factor on the threshold while disarmed; None: not judged there.
        text: For the operator, after "GNSS: "; at most 44 characters.
        measures: What the value is, for the documentation.
        source: Why this threshold.
    """

    threshold: float
    unit: str
    on_ground: float | None
    text: str
    measures: str
    source: str


_RAYLEIGH = "Rayleigh tail exp(-z^2/2): at most 1e-8 an epoch"
_CALIBRATED = (
    "19 simulated clean hours: crossed twice at most; twice the greatest of clean SITL flights"
)

TABLE: Final[dict[Detector, Row]] = {
    Detector.VELOCITY_INNOVATION: Row(
        5.5, "sigma", 3.0, "velocity contradicts the accelerometer",
        "one reported velocity against its prediction", _CALIBRATED,
    ),
    Detector.VELOCITY_CUSUM: Row(
        8.6, "sigma", None, "velocity pulls away from the inertial one",
        "two-sided vector CUSUM of the innovations, slack 0.8 sigma",
        _CALIBRATED,
    ),
    Detector.VELOCITY_WINDOW: Row(
        6.3, "sigma", None, "velocity drifts from the inertial one",
        "filter against its own state of 1, 2, 4 and 8 s ago, dead reckoned", _CALIBRATED,
    ),
    Detector.POSITION_JUMP: Row(
        7.0, "sigma", 10.0, "position jumped",
        "position against the integral of Doppler velocity over one epoch and 1 s", _RAYLEIGH,
    ),
    Detector.POSITION_DRIFT: Row(
        5.8, "sigma", 10.0, "position drifts from its own velocity",
        "the same over 2, 5, 12 and 30 s", _RAYLEIGH,
    ),
    Detector.FREEZE: Row(
        2.0, "m", None, "position frozen while moving",
        "way that velocity or accelerometer say was flown under identical positions",
        "position quantum is 11 mm; at most 4 s of dead reckoning",
    ),
    Detector.SILENCE: Row(
        2.0, "s", None, "receiver stopped", "age of the fix that is still being sent",
        "ten epochs; the autopilot itself waits 4 s",
    ),
    Detector.FIX_LOST: Row(
        1.5, "s", None, "fix lost in flight", "time without a 3D fix",
        "a turn may cost an epoch or two",
    ),
    Detector.SATELLITES: Row(
        0.35, "s", None, "satellites vanished",
        "time with four satellites or fewer, or half of their usual number",
        "four are no redundancy; a steep bank hides a third of the sky",
    ),
    Detector.ACCURACY: Row(
        0.35, "s", None, "receiver accuracy collapsed",
        "time with an accuracy four times worse than usual and bad (3 m, 1 m/s, HDOP 4)",
        "a turn costs a factor of two",
    ),
    Detector.EKF_RATIO: Row(
        0.8, "ratio", None, "EKF rejects the receiver",
        "position or velocity ratio of EKF_STATUS_REPORT, latched",
        "FS_EKF_THRESH; chance 1e-7 (ratio 1 is the 5 sigma gate)",
    ),
    Detector.EKF_RATIO_MEAN: Row(
        0.45, "ratio", None, "EKF and receiver disagree",
        "mean of the same over 2 s", "clean SITL flights stay below 0.15",
    ),
    Detector.EKF_GLITCH: Row(
        1.0, "flag", None, "EKF reports a GPS glitch", "flag bit 15 of EKF_STATUS_REPORT",
        "the autopilot's own verdict",
    ),
    Detector.EKF_RESET: Row(
        3.0, "m", None, "EKF position was reset",
        "step of LOCAL_POSITION_NED that its velocity does not explain",
        "a lane switch moves it by decimetres; after 10 s of rejection the EKF adopts the spoof",
    ),
    Detector.HEIGHT: Row(
        1.0, "limit", 3.0, "height contradicts the barometer",
        "change of GNSS less barometric height over 1, 5 and 20 s, over 7, 10 and 15 m",
        "ten times vertical noise; wind pressure and ground effect make up to 3 m",
    ),
    Detector.TIME: Row(
        1.0, "s", None, "GNSS time jumped",
        "step of wall time against time since boot", "a whole-second leap at boot is let pass",
    ),
}  # fmt: skip
