"""The velocity a GNSS receiver should report, from dead reckoning and what it reported before.

A Kalman filter over the horizontal plane written as complex numbers (north + j east). State:
velocity v, accelerometer bias b in the heading frame, and misalignment g, whose real part is an
error of scale and whose imaginary part an error of yaw. From one epoch to the next

    v' = v + (1 + g) dI + b dC      dI: integral of acceleration, dC: of exp(j yaw)

All noises are circular, so every variance is one real number for each axis.
"""

from typing import Final, NamedTuple

from flightcore.monitor.inertial import Correction, Integrals

_VELOCITY_0: Final = 0.5**2
_BIAS_0: Final = 0.15**2  # uncalibrated consumer accelerometer, or 0.9 degrees of tilt [m/s2]
_MISALIGNMENT_0: Final = 0.05**2  # 3 degrees of yaw
_BIAS_WALK: Final = 0.004**2  # per second; with _BIAS_TURN, what EKF tilt errors do in flight
_MISALIGNMENT_WALK: Final = 0.002**2  # per second
_NOISE_0: Final = 0.12**2  # of the receiver's velocity, each axis [m2/s2]
NOISE_MIN: Final = 0.05**2
NOISE_MAX: Final = 0.4**2
_NOISE_RISE_S: Final = 30.0  # time constant of learning the noise
_NOISE_CLIP: Final = 4.0  # an outlier counts as two sigma, so that a fault teaches little
_GRAVITY: Final = 9.81


class Snapshot(NamedTuple):
    """The filter after one epoch. Covariances are E[x y*] for each axis."""

    at: Integrals
    v: complex
    b: complex
    g: complex
    vv: float
    vb: complex
    vg: complex
    bb: float
    bg: complex
    gg: float


class Residual(NamedTuple):
    """Reported less predicted velocity, and its variance for each axis."""

    value: complex
    variance: float


def carry(s: Snapshot, to: Integrals) -> Snapshot:
    """Predict from a snapshot to a later moment without any report in between."""
    c = to.heading - s.at.heading
    d = to.velocity - s.at.velocity
    dt_s = to.time_s - s.at.time_s
    cc, dd = c.conjugate(), d.conjugate()
    walk = _BIAS_WALK * dt_s
    vv = (
        s.vv
        + abs(c) ** 2 * (s.bb + walk / 3)
        + abs(d) ** 2 * s.gg
        + 2 * (cc * s.vb + dd * s.vg + c * dd * s.bg).real
        + (to.variance - s.at.variance)
    )
    return Snapshot(
        to,
        s.v + d * (1 + s.g) + c * s.b,
        s.b,
        s.g,
        vv,
        s.vb + c * s.bb + d * s.bg.conjugate(),
        s.vg + c * s.bg + d * s.gg,
        s.bb + walk,
        s.bg,
        s.gg + _MISALIGNMENT_WALK * dt_s,
    )


class Prediction:
    """Follows the receiver; one call of `step` per epoch.

    Zero state: the first epoch is believed. `noise` is the learnt variance of reported velocity.
    """

    def __init__(self) -> None:
        self.state: Snapshot | None = None
        self.noise = _NOISE_0
        self.gain = 0.0

    def step(
        self, at: Integrals, reported: complex, extra: float, correction: Correction
    ) -> Residual:
        """Return the innovation, then take the report in.

        Args:
            at: Dead reckoning at the moment the report is for.
            reported: North + j east [m/s].
            extra: Variance to allow on top, of an uncertain moment [m2/s2].
            correction: Of the attitude since the last epoch. The filter, led by the receiver,
                leans the attitude to make a deception plausible: this takes it back.
        """
        before = self.state
        if before is None:
            self.state = Snapshot(
                at, reported, 0j, 0j, _VELOCITY_0, 0j, 0j, _BIAS_0, 0j, _MISALIGNMENT_0
            )
            return Residual(0j, _VELOCITY_0)
        s = carry(before, at)
        leant = _GRAVITY * correction.tilt
        bb = s.bb + abs(leant) ** 2
        gg = s.gg + correction.yaw**2
        innovation = reported - s.v
        noise = self.noise + extra
        total = s.vv + noise
        gain = innovation / total
        self.gain = s.vv / total
        kept = noise / total
        self.state = Snapshot(
            at,
            s.v + s.vv * gain,
            s.b + leant + s.vb.conjugate() * gain,
            s.g + s.vg.conjugate() * gain,
            s.vv * kept,
            s.vb * kept,
            s.vg * kept,
            bb - abs(s.vb) ** 2 / total,
            s.bg - s.vb.conjugate() * s.vg / total,
            gg - abs(s.vg) ** 2 / total,
        )
        seen = min(0.5 * abs(innovation) ** 2, _NOISE_CLIP * total)
        part = min((at.time_s - before.at.time_s) / _NOISE_RISE_S, 0.1)
        self.noise = min(max(self.noise + part * (seen - total), NOISE_MIN), NOISE_MAX)
        return Residual(innovation, total)
