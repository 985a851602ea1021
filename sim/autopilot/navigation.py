"""Navigation: feeds the estimator, and acts when it fails (ArduCopter's ekf_check.cpp)."""

from typing import Final

from msgspec.structs import replace

from sim.autopilot.estimator import Observation
from sim.autopilot.flight import Sensed
from sim.autopilot.modes import TRAITS, Mode
from sim.autopilot.outbox import Outbox, Severity
from sim.autopilot.vehicle import Vehicle
from sim.control.cascade import Motion
from sim.control.vector import ZERO

_BARO_S: Final = 0.1
_CHECK_S: Final = 0.1
_FAILURES: Final = 10
_WARN_AGAIN_S: Final = 30.0
_REPORT_ONLY: Final = 0
_ALT_HOLD: Final = 2
_EVEN_STABILIZE: Final = 3


class Navigation:
    """Owned by the autopilot, which steps it once a period, before anything else."""

    def __init__(self, vehicle: Vehicle, outbox: Outbox) -> None:
        self._vehicle = vehicle
        self._outbox = outbox
        self._epoch = -1
        self._baro_s = 0.0
        self._check_s = 0.0
        self._failures = 0
        self._bad = False
        self._warned_s = -_WARN_AGAIN_S
        self._glitching = False
        self._adrift = False
        self.failsafe = False

    def step(self, sensed: Sensed, now_s: float, dt_s: float) -> None:
        """Let the estimator take what is new; every 100 ms, judge it."""
        vehicle, estimator = self._vehicle, self._vehicle.estimator
        readings = sensed.readings
        if not vehicle.readiness.phase(now_s).position_ok:
            estimator.start(now_s)
            self._epoch = readings.fix.epoch
            return
        error = readings.force_error_n if not sensed.on_ground else ZERO
        estimator.predict(dt_s, error, now_s)
        fix = readings.fix
        if fix.epoch != self._epoch:
            self._epoch = fix.epoch
            if fix.locked:
                seen = Observation(
                    fix.position_error_n, fix.velocity_error_n, fix.accuracy, fix.speed_accuracy
                )
                estimator.fuse_gnss(seen, now_s)
        self._baro_s += dt_s
        if self._baro_s >= _BARO_S:
            self._baro_s = 0.0
            estimator.fuse_height(-readings.baro_error, now_s)
        shift = estimator.take_shift()
        if shift != ZERO:
            vehicle.flight.shift(shift)
        self._tell()
        vehicle.flight.blind = estimator.adrift
        self._check_s += dt_s
        if self._check_s >= _CHECK_S:
            self._check_s = 0.0
            self._check(now_s)

    def believed(self, sensed: Sensed) -> Sensed:
        """Return what the vehicle takes for true."""
        estimator, motion = self._vehicle.estimator, sensed.motion
        (px, py, pz), (vx, vy, vz) = motion.position_n, motion.velocity_n
        (ex, ey, ez), (fx, fy, fz) = estimator.position_error_n, estimator.velocity_error_n
        moved = Motion(
            (px + ex, py + ey, pz + ez), (vx + fx, vy + fy, vz + fz), motion.q_nb, motion.rate_b
        )
        return replace(sensed, motion=moved)

    def _tell(self) -> None:
        estimator = self._vehicle.estimator
        if estimator.glitching != self._glitching:
            self._glitching = estimator.glitching
            text = "GPS Glitch or Compass error" if self._glitching else "Glitch cleared"
            self._outbox.text(Severity.CRITICAL, text)
        if estimator.adrift != self._adrift:
            self._adrift = estimator.adrift
            for imu in (0, 1):
                if self._adrift:
                    self._outbox.text(Severity.WARNING, f"EKF3 IMU{imu} stopped aiding")
                else:
                    self._outbox.text(Severity.INFO, f"EKF3 IMU{imu} is using GPS")

    def _check(self, now_s: float) -> None:
        """Count bad tenths of a second; ten in a row are a failsafe."""
        threshold = self._vehicle.parameters["FS_EKF_THRESH"]
        if threshold <= 0.0:
            self._failures, self._bad = 0, False
            self._clear()
            return
        if not (self._over(threshold) or self._adrift):
            self._failures = max(self._failures - 1, 0)
            if self._bad and self._failures == 0:
                self._bad = False
                self._clear()
            return
        self._failures = min(self._failures + 1, _FAILURES)
        if self._failures == _FAILURES and not self._bad:
            self._bad = True
            if now_s - self._warned_s > _WARN_AGAIN_S:
                self._warned_s = now_s
                self._outbox.text(Severity.CRITICAL, "EKF variance")
            self._act()

    def _over(self, threshold: float) -> bool:
        """Tell whether two of three are over: here there is no compass to be the third."""
        estimator = self._vehicle.estimator
        count = 0
        if estimator.velocity_ratio >= 2.0 * threshold:
            count = 2
        elif estimator.velocity_ratio >= threshold:
            count = 1
        return count >= 2 or (estimator.position_ratio >= threshold and count >= 1)

    def _act(self) -> None:
        vehicle = self._vehicle
        if not vehicle.flight.armed:
            return
        self.failsafe = True
        choice = int(vehicle.parameters["FS_EKF_ACTION"])
        needed = TRAITS[vehicle.mode].needs_position or choice == _EVEN_STABILIZE
        if choice == _REPORT_ONLY or not needed:
            self._outbox.text(Severity.CRITICAL, "EKF Failsafe")
            return
        mode = Mode.ALT_HOLD if choice == _ALT_HOLD else Mode.LAND
        if vehicle.set_mode(mode, of_own_accord=True):
            name = TRAITS[mode].name
            self._outbox.text(Severity.CRITICAL, f"EKF Failsafe: changed to {name} Mode")

    def _clear(self) -> None:
        if self.failsafe:
            self.failsafe = False
            self._outbox.text(Severity.CRITICAL, "EKF Failsafe Cleared")
