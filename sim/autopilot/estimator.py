"""The estimator's error: where the vehicle believes it is, less where it is.

Theory. Place and velocity come from integrating what the accelerometers feel, pulled towards GNSS
and barometer by Kalman gains. Such a filter is linear, so its error obeys an equation of its own,
driven by nothing but the errors of the sensors; that equation is what runs here, and with faultless
sensors it stays at exactly nothing. Attitude is taken as known. Gains, gates, time limits and
resets are those of ArduPilot's EKF3 (AP_NavEKF3_PosVelFusion.cpp): a fix further off than five
standard deviations is refused, and after ten seconds of refusals (seven without velocity) the
filter gives in and jumps onto it. Fifteen seconds without any aid, and it has no position.
"""

import math
from dataclasses import dataclass
from typing import Final

import msgspec

from sim.autopilot.parameters import Parameters
from sim.control.vector import ZERO, Vec3

_RETRY_WITH_VELOCITY_S: Final = 10.0
_RETRY_WITHOUT_S: Final = 7.0
_ADRIFT_S: Final = 15.0
_HGT_RETRY_S: Final = 5.0
_GLITCH_S: Final = 1.0
_GLITCH_OVER_S: Final = 10.0
_PLACE_VARIANCE: Final = 0.25
_SPEED_VARIANCE: Final = 0.02


class Observation(msgspec.Struct, frozen=True, gc=False):
    """What GNSS says, as errors: reported less true. NED.

    Attributes:
        position_error_n: Of place. [m]
        velocity_error_n: Of velocity. [m/s]
        accuracy: Of place, as the receiver claims. [m]
        speed_accuracy: Of velocity, as the receiver claims. [m/s]
    """

    position_error_n: Vec3
    velocity_error_n: Vec3
    accuracy: float
    speed_accuracy: float


@dataclass(slots=True)
class _Axis:
    """Error of place and velocity along one axis, and their covariance."""

    place: float = 0.0
    speed: float = 0.0
    pp: float = _PLACE_VARIANCE
    pv: float = 0.0
    vv: float = _SPEED_VARIANCE

    def predict(self, acceleration_error: float, growth: float, dt_s: float) -> None:
        self.place += self.speed * dt_s
        self.speed += acceleration_error * dt_s
        pv, widening = self.pv, dt_s * self.vv
        self.pp += dt_s * (2.0 * pv + widening)
        self.pv = pv + widening
        self.vv += growth

    def fuse_place(self, innovation: float, variance: float) -> None:
        k, j = self.pp / (self.pp + variance), self.pv / (self.pp + variance)
        self.place += k * innovation
        self.speed += j * innovation
        self.vv -= j * self.pv
        self.pv -= k * self.pv
        self.pp -= k * self.pp

    def fuse_speed(self, innovation: float, variance: float) -> None:
        k, j = self.pv / (self.vv + variance), self.vv / (self.vv + variance)
        self.place += k * innovation
        self.speed += j * innovation
        self.pp -= k * self.pv
        self.pv -= j * self.pv
        self.vv -= j * self.vv


class Estimator:
    """One filter. The zero state is aided, and exactly right.

    Attributes:
        velocity_ratio: Square root of the test ratio of velocity: above 1 it is refused. [-]
        position_ratio: The same of horizontal place; 0 just after a reset. [-]
        height_ratio: The same of height. [-]
        glitching: Whether fixes disagree: for more than a second, until ten without.
        adrift: Whether it has gone without any aid for so long that it has no position.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._axes = (_Axis(), _Axis(), _Axis())
        self._passed_s = {"place": 0.0, "speed": 0.0, "height": 0.0}
        self.velocity_ratio = 0.0
        self.position_ratio = 0.0
        self.height_ratio = 0.0
        self.adrift = False
        self.glitching = False
        self._failed_s = -math.inf
        self._agreed_s = 0.0
        self._shift_n = ZERO

    @property
    def position_error_n(self) -> Vec3:
        """Return place believed less place. NED [m]."""
        n, e, d = self._axes
        return n.place, e.place, d.place

    @property
    def velocity_error_n(self) -> Vec3:
        """Return velocity believed less velocity. NED [m/s]."""
        n, e, d = self._axes
        return n.speed, e.speed, d.speed

    def take_shift(self) -> Vec3:
        """Return by how much the place has jumped since last asked. NED [m]."""
        shift, self._shift_n = self._shift_n, ZERO
        return shift

    def start(self, now_s: float) -> None:
        """Begin to be aided: nothing has been refused yet."""
        self._passed_s = dict.fromkeys(self._passed_s, now_s)
        self._agreed_s = now_s

    def predict(self, dt_s: float, acceleration_error_n: Vec3, now_s: float) -> None:
        """Let the errors grow over one period, by what the accelerometers are off."""
        growth = (self._parameters["EK3_ACC_P_NSE"] * dt_s) ** 2
        axis_n, axis_e, axis_d = self._axes
        error_n, error_e, error_d = acceleration_error_n
        axis_n.predict(error_n, growth, dt_s)
        axis_e.predict(error_e, growth, dt_s)
        axis_d.predict(error_d, growth, dt_s)
        aided = max(self._passed_s["place"], self._passed_s["speed"])
        self.adrift = now_s - aided > _ADRIFT_S

    def fuse_gnss(self, seen: Observation, now_s: float) -> None:
        """Take a fix, refuse it, or give in to it."""
        p = self._parameters
        down_variance = max(seen.speed_accuracy, p["EK3_VELD_M_NSE"]) ** 2
        level_variance = max(seen.speed_accuracy, p["EK3_VELNE_M_NSE"]) ** 2
        variances = (level_variance, level_variance, down_variance)
        speeds = [e - a.speed for e, a in zip(seen.velocity_error_n, self._axes, strict=True)]
        total = sum(a.vv + v for a, v in zip(self._axes, variances, strict=True))
        self.velocity_ratio = _ratio(speeds, total, p["EK3_VEL_I_GATE"])
        level = self._axes[:2]
        places = [e - a.place for e, a in zip(seen.position_error_n, level, strict=False)]
        variance = max(seen.accuracy, p["EK3_POSNE_M_NSE"]) ** 2
        total = sum(a.pp + variance for a in level)
        self.position_ratio = _ratio(places, total, p["EK3_POS_I_GATE"])
        self._judge(now_s)
        silent_s = now_s - self._passed_s["speed"]
        retry_s = _RETRY_WITH_VELOCITY_S if silent_s < 1.0 else _RETRY_WITHOUT_S
        uncertain = sum(a.pp for a in level) > max(p["EK3_GLITCH_RAD"], 1.0) ** 2
        if self.position_ratio < 1.0:
            self._passed_s["place"] = now_s
            for axis, innovation in zip(level, places, strict=True):
                axis.fuse_place(innovation, variance)
        elif now_s - self._passed_s["place"] > retry_s or uncertain or self.adrift:
            self._jump(seen, now_s)
        if self.velocity_ratio < 1.0:
            self._passed_s["speed"] = now_s
            for axis, innovation, v in zip(self._axes, speeds, variances, strict=True):
                axis.fuse_speed(innovation, v)
        elif silent_s > _RETRY_WITH_VELOCITY_S or self.adrift:
            self._reset_velocity(seen, now_s)

    def fuse_height(self, error: float, now_s: float) -> None:
        """Take the barometer's height, whose error is positive downwards [m]."""
        p = self._parameters
        axis, variance = self._axes[2], p["EK3_ALT_M_NSE"] ** 2
        innovation = error - axis.place
        self.height_ratio = _ratio([innovation], axis.pp + variance, p["EK3_HGT_I_GATE"])
        if self.height_ratio < 1.0:
            self._passed_s["height"] = now_s
            axis.fuse_place(innovation, variance)
        elif now_s - self._passed_s["height"] > _HGT_RETRY_S:
            self._passed_s["height"] = now_s
            self._shift_n = (self._shift_n[0], self._shift_n[1], self._shift_n[2] + innovation)
            axis.place, axis.pp, axis.pv = error, variance, 0.0

    def _judge(self, now_s: float) -> None:
        worst = max(self.velocity_ratio, self.position_ratio) ** 2
        if worst < 1.0:
            self._agreed_s = now_s
        else:
            self._failed_s = now_s
        if now_s - self._agreed_s > _GLITCH_S:
            self.glitching = True
        elif now_s - self._failed_s > _GLITCH_OVER_S:
            self.glitching = False

    def _jump(self, seen: Observation, now_s: float) -> None:
        variance = (0.5 * max(self._parameters["EK3_GLITCH_RAD"], 1.0)) ** 2
        shift = list(self._shift_n)
        for i, axis in enumerate(self._axes[:2]):
            shift[i] += seen.position_error_n[i] - axis.place
            axis.place, axis.pp, axis.pv = seen.position_error_n[i], variance, 0.0
        self._shift_n = (shift[0], shift[1], shift[2])
        self._passed_s["place"] = now_s
        self.position_ratio = 0.0
        if self.velocity_ratio >= 1.0:
            self._reset_velocity(seen, now_s)

    def _reset_velocity(self, seen: Observation, now_s: float) -> None:
        for axis, error in zip(self._axes, seen.velocity_error_n, strict=True):
            axis.speed, axis.vv, axis.pv = error, seen.speed_accuracy**2 + _SPEED_VARIANCE, 0.0
        self._passed_s["speed"] = now_s
        self.velocity_ratio = 0.0


def _ratio(innovations: list[float], variance: float, gate: float) -> float:
    """Return the square root of ArduPilot's test ratio; the gate is in hundredths of a sigma."""
    square = sum(i * i for i in innovations)
    return math.sqrt(square / (max(0.01 * gate, 1.0) ** 2 * variance))
