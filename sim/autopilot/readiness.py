"""Start-up: when the estimator converges, what the vehicle says meanwhile, why it will not arm.

A real EKF takes 40 s from power-up to "is using GPS"; the embedded one replays that sequence,
stretched or shortened to `ekf_ready_s`, because nobody testing a link wants to wait for it.
"""

from typing import Final, NamedTuple

from sim.autopilot.outbox import Severity

_MEASURED_READY_S: Final = 40.4

# Vehicle time of each text in a recorded start of ArduCopter 4.7, in seconds.
_TEXTS: Final[tuple[tuple[float, str], ...]] = (
    (0.88, "Barometer 1 calibration complete"),
    (0.88, "Barometer 2 calibration complete"),
    (1.40, "ArduPilot Ready"),
    (1.40, "AHRS: DCM active"),
    (1.70, "RC7: SaveWaypoint LOW"),
    (3.40, "EKF3 IMU0 initialised"),
    (3.40, "EKF3 IMU1 initialised"),
    (3.41, "AHRS: EKF3 active"),
    (4.75, "EKF3 IMU0 tilt alignment complete"),
    (4.75, "EKF3 IMU1 tilt alignment complete"),
    (4.85, "EKF3 IMU0 MAG0 initial yaw alignment complete"),
    (4.85, "EKF3 IMU1 MAG0 initial yaw alignment complete"),
    (8.76, "GPS 1: probing for u-blox at 230400 baud"),
    (8.78, "GPS 1: detected u-blox"),
    (18.98, "EKF3 IMU0 origin set"),
    (19.17, "EKF3 IMU1 origin set"),
    (40.38, "EKF3 IMU0 is using GPS"),
    (40.38, "EKF3 IMU1 is using GPS"),
)
_TILT_ALIGNED_S: Final = 4.75
_ACCELS_AGREE_S: Final = 7.0
_GYROS_AGREE_S: Final = 21.0
_GPS_FIX_S: Final = 9.5
_USING_GPS_S: Final = 40.38

_CHECK_ALL: Final = 1
_CHECK_INS: Final = 1 << 4


class Phase(NamedTuple):
    """How far the start has come. Each is true from its moment on."""

    tilt_aligned: bool
    gps_fix: bool
    position_ok: bool


_STARTED: Final = Phase(tilt_aligned=True, gps_fix=True, position_ok=True)


class Readiness:
    """The start-up sequence. The zero state is power-up."""

    def __init__(self, ekf_ready_s: float) -> None:
        self._scale = ekf_ready_s / _MEASURED_READY_S
        self._said = 0

    def phase(self, now_s: float) -> Phase:
        """Return how far the start has come `now_s` after power-up."""
        if self.is_over:
            return _STARTED
        at = now_s / self._scale
        return Phase(
            at >= _TILT_ALIGNED_S,
            at >= _GPS_FIX_S,
            at >= _USING_GPS_S,
        )

    @property
    def is_over(self) -> bool:
        """Tell whether everything has been said."""
        return self._said == len(_TEXTS)

    def texts(self, now_s: float) -> list[tuple[Severity, str]]:
        """Return the texts that have become due."""
        due: list[tuple[Severity, str]] = []
        while self._said < len(_TEXTS) and now_s >= _TEXTS[self._said][0] * self._scale:
            due.append((Severity.INFO, _TEXTS[self._said][1]))
            self._said += 1
        return due

    def reasons(self, now_s: float, *, checks: int, needs_position: bool) -> list[str]:
        """Return why arming would be refused, in ArduCopter's words; empty when it would not.

        Args:
            now_s: Time since power-up. [s]
            checks: ARMING_CHECK: bit 0 all, bit 4 inertial sensors.
            needs_position: Whether the mode needs a position estimate, which no mask waives.
        """
        at = now_s / self._scale
        reasons: list[str] = []
        if checks & (_CHECK_ALL | _CHECK_INS):
            if at < _ACCELS_AGREE_S:
                reasons.append("Accels inconsistent")
            elif at < _GYROS_AGREE_S:
                reasons.append("Gyros inconsistent")
            if at < _TILT_ALIGNED_S:
                reasons.append("EKF attitude is bad")
        if at < _TILT_ALIGNED_S:
            reasons.append("AHRS: EKF3 still initialising")
        elif needs_position and at < _USING_GPS_S:
            reasons.append("Need Position Estimate")
        return reasons
