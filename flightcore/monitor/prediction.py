"""The velocity a GNSS receiver should report, from dead reckoning and what it reported before.

A Kalman filter over the horizontal plane written as complex numbers (north + j east). State:
velocity v; b, an error of acceleration that turns with the vehicle (accelerometer bias); n, one
that does not (tilt); and g, whose real part is an error of scale and whose imaginary part one of
yaw. From one epoch to the next

    v' = v + (1 + g) dI + b dC + n dt      dI: integral of acceleration, dC: of exp(j yaw)

All noises are circular, so every variance is one real number for each axis.
"""

import math
from typing import Final, NamedTuple

from flightcore.monitor.inertial import Integrals
from flightcore.monitor.messages import STANDARD_GRAVITY

_VELOCITY_0: Final = 0.5**2
_BIAS_0: Final = 0.12**2  # consumer accelerometer [m/s2]
_TILT_0: Final = 0.10**2  # 0.6 degrees [m/s2]
_MISALIGNMENT_0: Final = 0.05**2  # 3 degrees of yaw
_BIAS_WALK: Final = 0.003**2  # per second
_TILT_WALK: Final = 0.010**2  # per second: what EKF tilt errors do in flight
# Manoeuvres shift the apparent tilt, by what no state here has: timing, cross axes, flexing.
_TILT_PER_EFFORT: Final = 0.004**2
_MISALIGNMENT_WALK: Final = 0.004**2  # per second
_NOISE_SHARE: Final = 8.0  # of variance: two axes, twice the deviation
_NOISE_0: Final = 0.12**2  # of the receiver's velocity, each axis [m2/s2]
NOISE_MIN: Final = 0.03**2
NOISE_MAX: Final = 0.4**2
_NOISE_RISE_S: Final = 30.0  # time constant of learning the noise
_NOISE_FIRST_S: Final = 5.0  # the same at first: quick, then steady
_NOISE_CLIP: Final = 4.0  # an outlier counts as two sigma, so that a fault teaches little
# Of a difference between the filter and its past, for what the model leaves out.
_SEPARATION_V: Final = 0.03**2
_SEPARATION_A: Final = 0.01**2


class Snapshot(NamedTuple):
    """The filter after one epoch: estimates, and covariances E[x y*] for each axis."""

    at: Integrals
    v: complex
    b: complex
    n: complex
    g: complex
    vv: float
    vb: complex
    vn: complex
    vg: complex
    bb: float
    bn: complex
    bg: complex
    nn: float
    ng: complex
    gg: float


class Residual(NamedTuple):
    """Reported less predicted velocity, and its variance for each axis."""

    value: complex
    variance: float


def carry(s: Snapshot, to: Integrals) -> Snapshot:
    """Predict from a snapshot to a later moment without any report in between."""
    (at, v, b, n, g, vv, vb, vn, vg, bb, bn, bg, nn, ng, gg) = s
    c = to.heading - at.heading
    moved = to.velocity - at.velocity
    d = _above_noise(moved, to.variance - at.variance)
    dt_s = to.time_s - at.time_s
    cc, dd = c.conjugate(), d.conjugate()
    cross = cc * vb + dt_s * vn + dd * vg + dt_s * c * bn + c * dd * bg + dt_s * dd * ng
    tilted = _TILT_WALK * dt_s + _TILT_PER_EFFORT * (to.effort - at.effort)
    walked = (_BIAS_WALK * dt_s + tilted) * dt_s * dt_s / 3.0
    squares = (cc * c).real * bb + dt_s * dt_s * nn + (dd * d).real * gg
    return Snapshot(
        to,
        v + moved + d * g + c * b + dt_s * n,
        b,
        n,
        g,
        vv + squares + 2.0 * cross.real + walked + to.variance - at.variance,
        vb + c * bb + dt_s * bn.conjugate() + d * bg.conjugate(),
        vn + c * bn + dt_s * nn + d * ng.conjugate(),
        vg + c * bg + dt_s * ng + d * gg,
        bb + _BIAS_WALK * dt_s,
        bn,
        bg,
        nn + tilted,
        ng,
        gg + _MISALIGNMENT_WALK * dt_s,
    )


def _above_noise(moved: complex, variance: float) -> complex:
    """Return the change of velocity as far as it is a manoeuvre.

    Noise of the accelerometer is in the reckoned velocity and not in the reported one, so that a
    regression on it would find a scale below one; it is shrunk away.
    """
    square = (moved * moved.conjugate()).real
    return (
        moved * (1.0 - _NOISE_SHARE * variance / square) if square > _NOISE_SHARE * variance else 0j
    )


class Prediction:
    """Follows the receiver; one call of `step` per epoch.

    Zero state: the first epoch is believed. `noise` is the learnt variance of reported velocity,
    `gain` the part of the last innovation that went into the velocity.
    """

    def __init__(self) -> None:
        self.state: Snapshot | None = None
        self.noise = _NOISE_0
        self.gain = 0.0
        self._followed_s = 0.0

    def unsettle(self, tilt_steps: float, yaw_steps: float) -> None:
        """Trust tilt and yaw less after the attitude stepped; squares of the steps [rad2]."""
        if self.state is not None:
            self.state = self.state._replace(
                nn=self.state.nn + STANDARD_GRAVITY**2 * tilt_steps, gg=self.state.gg + yaw_steps
            )

    def step(self, at: Integrals, reported: complex, extra: float) -> Residual:
        """Return the innovation, then take the report in.

        Args:
            at: Dead reckoning at the moment the report is for.
            reported: North + j east [m/s].
            extra: Variance to allow on top, of an uncertain moment [m2/s2].
        """
        before = self.state
        if before is None:
            self.state = Snapshot(
                at, reported, 0j, 0j, 0j, _VELOCITY_0, 0j, 0j, 0j,
                _BIAS_0, 0j, 0j, _TILT_0, 0j, _MISALIGNMENT_0,
            )  # fmt: skip
            return Residual(0j, _VELOCITY_0)
        (_, v, b, n, g, vv, vb, vn, vg, bb, bn, bg, nn, ng, gg) = carry(before, at)
        noise = self.noise + extra
        total = vv + noise
        innovation = reported - v
        gain = innovation / total
        kept = noise / total
        bv, nv, gv = vb.conjugate(), vn.conjugate(), vg.conjugate()
        self.state = Snapshot(
            at,
            v + vv * gain,
            b + bv * gain,
            n + nv * gain,
            g + gv * gain,
            vv * kept,
            vb * kept,
            vn * kept,
            vg * kept,
            bb - (bv * vb).real / total,
            bn - bv * vn / total,
            bg - bv * vg / total,
            nn - (nv * vn).real / total,
            ng - nv * vg / total,
            gg - (gv * vg).real / total,
        )
        self.gain = vv / total
        seen = min(0.5 * abs(innovation) ** 2, _NOISE_CLIP * total)
        dt_s = at.time_s - before.at.time_s
        self._followed_s += dt_s
        # Only as far as the innovation is the receiver's: a manoeuvre tells little of its noise.
        part = self.noise / total * dt_s / min(_NOISE_FIRST_S + self._followed_s, _NOISE_RISE_S)
        self.noise = min(max(self.noise + part * (seen - total), NOISE_MIN), NOISE_MAX)
        return Residual(innovation, total)


def separation(now: Snapshot, then: Snapshot) -> float:
    """Return how far the filter and its own past, carried here, are apart, in sigmas.

    Both are optimal and the one has seen all the other has, so the covariance of their difference
    is the difference of their covariances. Velocity and the error of acceleration a = b + n (in
    the heading frame) are judged together: a steady pull shows in both. The square of what is
    returned has a chi-square law of four degrees of freedom.
    """
    # What `carry` would do, without the parts that are not compared: this runs for every window.
    (at, v, b, n, g, vv, vb, vn, vg, bb, bn, bg, nn, ng, gg) = then
    c = now.at.heading - at.heading
    moved = now.at.velocity - at.velocity
    d = _above_noise(moved, now.at.variance - at.variance)
    dt_s = now.at.time_s - at.time_s
    cc, dd = c.conjugate(), d.conjugate()
    cross = cc * vb + dt_s * vn + dd * vg + dt_s * c * bn + c * dd * bg + dt_s * dd * ng
    vv += (cc * c).real * bb + dt_s * dt_s * nn + (dd * d).real * gg + 2.0 * cross.real
    walked = (_BIAS_WALK + _TILT_WALK) * dt_s + _TILT_PER_EFFORT * (now.at.effort - at.effort)
    vv += walked * dt_s * dt_s / 3.0 + now.at.variance - at.variance
    vv += _SEPARATION_V - now.vv
    size = abs(c)
    h = c / size if size > 0.0 else 1 + 0j  # mean heading
    va = (vb + c * bb + dt_s * bn.conjugate() + d * bg.conjugate() - now.vb) * h.conjugate()
    va += vn + c * bn + dt_s * nn + d * ng.conjugate() - now.vn
    aa = bb + nn + walked - now.bb - now.nn
    aa += 2.0 * (h * (bn - now.bn)).real + _SEPARATION_A
    determinant = vv * aa - (va.conjugate() * va).real
    if vv <= 0.0 or determinant <= 0.0:
        return 0.0
    apart_v = now.v - v - moved - d * g - c * b - dt_s * n
    apart_a = h * (now.b - b) + now.n - n
    square = (
        aa * (apart_v * apart_v.conjugate()).real
        - 2.0 * (apart_v.conjugate() * va * apart_a).real
        + vv * (apart_a * apart_a.conjugate()).real
    )
    return math.sqrt(max(square / determinant, 0.0))
