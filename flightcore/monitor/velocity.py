"""Reported velocity against the inertial prediction: at once, accumulated, and over windows.

A spoofer that starts at the true velocity and pulls away smoothly never makes a large innovation,
because the prediction follows it. Two tests remember: a CUSUM adds up what is left of many
innovations, and dead reckoning from a state some seconds old has not yet been misled.
"""

import math
from typing import Final

from flightcore.monitor.history import History
from flightcore.monitor.inertial import Integrals
from flightcore.monitor.prediction import Prediction, Snapshot, separation
from flightcore.monitor.table import Detector

WINDOWS_S: Final = (1.0, 2.0, 4.0, 8.0)
_EPOCH_S: Final = 0.2
_SLACK: Final = 0.8  # half of the shift, in sigmas, that the CUSUM finds soonest
_LAG_0_S: Final = 0.1  # of a receiver behind the moment the autopilot notes for its fix
_LAG_VARIANCE_0: Final = 0.08**2
# A lag not learnt yet errs the same way throughout a manoeuvre, as if an epoch were four.
_LAG_PERSISTS: Final = 4.0
_LAG_VARIANCE_MIN: Final = 0.003**2
_JITTER: Final = 0.01**2  # of the moments of accelerometer and receiver [s2]
_LAG_MAX_S: Final = 0.4
_MANOEUVRE: Final = 0.6  # m/s2


class VelocityTests:
    """Feeds each epoch to the prediction and tests it; also learns the receiver's lag.

    The lag is found from how innovations go with acceleration: reported late by e, a velocity is
    short of acceleration times e.
    """

    def __init__(self) -> None:
        self.prediction = Prediction()
        self.lag_s = _LAG_0_S
        self._lag_variance = _LAG_VARIANCE_0
        self._absorbed = 0j
        self._sum = 0j
        self._sum_since_s = 0.0
        self._summed_s = -math.inf
        self._past: History[Snapshot] = History()

    def forget(self) -> None:
        """Start the tests again from here; what was learnt of the sensors stays."""
        self._sum = 0j
        self._past.clear()

    def unsettle(self, tilt_steps: float, yaw_steps: float) -> None:
        """Take note that the attitude stepped; what was predicted before cannot be compared."""
        if tilt_steps or yaw_steps:
            self.prediction.unsettle(tilt_steps, yaw_steps)
            self._past.clear()

    def step(self, at: Integrals, reported: complex) -> list[tuple[Detector, float, float]]:
        """Return (detector, value, onset) of one epoch."""
        change = at.acceleration - self._absorbed
        uncertain = (_LAG_PERSISTS * self._lag_variance + _JITTER) * abs(change) ** 2
        is_first = self.prediction.state is None
        value, variance = self.prediction.step(at, reported, uncertain)
        if is_first:
            return []
        self._absorbed += self.prediction.gain * change
        self._learn_lag(value, variance, change)
        z = value / variance**0.5
        self._accumulate(z * (1.0 - uncertain / variance), at.time_s)
        return [
            (Detector.VELOCITY_INNOVATION, abs(z), at.time_s),
            (Detector.VELOCITY_CUSUM, abs(self._sum), self._sum_since_s),
            self._windows(),
        ]

    def _accumulate(self, z: complex, time_s: float) -> None:
        """Add to the CUSUM; epochs closer than at 5 Hz err alike, and count for less."""
        weight = min((time_s - self._summed_s) / _EPOCH_S, 1.0)
        self._summed_s = time_s
        added = self._sum + weight * z
        length, slack = abs(added), weight * _SLACK
        if length <= slack:
            self._sum, self._sum_since_s = 0j, time_s
        else:
            self._sum = added * (1.0 - slack / length)

    def _windows(self) -> tuple[Detector, float, float]:
        """Judge the present state against those of the windows' starts."""
        now = self.prediction.state
        assert now is not None
        time_s = now.at.time_s
        worst, onset = 0.0, time_s
        for window_s in WINDOWS_S:
            then = self._past.not_after(time_s - window_s)
            if then is None:
                break
            z = separation(now, then)
            if z > worst:
                worst, onset = z, then.at.time_s
        self._past.remember(time_s, now)
        return Detector.VELOCITY_WINDOW, worst, onset

    def _learn_lag(self, innovation: complex, variance: float, change: complex) -> None:
        # A scalar Kalman filter beside the other; an outlier counts as three sigma. What is no
        # manoeuvre is left out: there the accelerometer's noise is in both, and looks like a lag.
        if abs(change) < _MANOEUVRE:
            return
        size = abs(innovation) / variance**0.5
        if size > 3.0:
            innovation *= 3.0 / size
        precision = self._lag_variance / variance
        kept = 1.0 / (1.0 + precision * abs(change) ** 2)
        lag = self.lag_s - kept * precision * (innovation * change.conjugate()).real
        self.lag_s = min(max(lag, 0.0), _LAG_MAX_S)
        self._lag_variance = max(kept * self._lag_variance, _LAG_VARIANCE_MIN)
