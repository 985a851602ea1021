"""Differential flatness with rotor drag: the attitude, rate and thrust a reference implies.

A quadrotor's state follows from its position and heading as functions of time. Derivatives of the
attitude are not written out but carried along: each vector is a jet, its value with its first and
second derivative, and products and roots of jets follow Leibniz' rule. What comes out are the
exact derivatives of whatever the text computes, so there is no formula to get wrong.

Source: Faessler, Franchi & Scaramuzza, "Differential Flatness of Quadrotor Dynamics Subject to
Rotor Drag for Accurate Tracking of High-Speed Trajectories", RA-L 2018.
"""

from typing import NamedTuple

from flightcore.control.vectors import Axes, Vec, add, cross, dot, scale, to_body
from flightcore.control.vehicle import Limits, Vehicle
from tracing.terms import Real, choose, clamp, cos, maximum, sin, sqrt


class FlatOutput(NamedTuple):
    """One instant of a trajectory. NED; SI units. In arrays its rows lie in this order.

    Attributes:
        position_n: [m]
        velocity_n: [m/s]
        acceleration_n: [m/s2]
        jerk_n: [m/s3]
        snap_n: [m/s4]
        heading: Yaw, its rate and its acceleration. [rad], [rad/s], [rad/s2]
    """

    position_n: Vec
    velocity_n: Vec
    acceleration_n: Vec
    jerk_n: Vec
    snap_n: Vec
    heading: Vec

    @classmethod
    def of(cls, rows: tuple[Real, ...]) -> "FlatOutput":
        """Return the output written in `FLAT_ROWS` numbers, in the order of the attributes."""
        p, v, a, j, s, h = ((rows[i], rows[i + 1], rows[i + 2]) for i in range(0, FLAT_ROWS, 3))
        return cls(p, v, a, j, s, h)


FLAT_ROWS = 18


class Implied(NamedTuple):
    """What a flat output implies.

    Attributes:
        axes: Attitude; y across the heading.
        rate_b: Angular rate, in the frame of `axes`. [rad/s]
        acceleration_b: Angular acceleration, in the frame of `axes`. [rad/s2]
        thrust: Of all rotors together. [N]
    """

    axes: Axes
    rate_b: Vec
    acceleration_b: Vec
    thrust: Real


class _Jet(NamedTuple):
    """A vector with its first and second derivative with respect to time."""

    value: Vec
    first: Vec
    second: Vec


def implied(flat: FlatOutput, vehicle: Vehicle, limits: Limits) -> Implied:
    """Return the state that flies `flat` exactly.

    Where the thrust per mass falls below `Limits.hold`, or the thrust comes to lie across the
    heading, its direction turns faster than anything can follow: there attitude is scaled as if at
    the threshold, and what is fed forward is limited.

    Invariant:
        Away from those places rates and accelerations are the exact derivatives of the attitude,
        and thrust, drag and weight give the acceleration of the reference.
    """
    yaw, yaw_rate, yaw_acceleration = flat.heading
    s, c = sin(yaw), cos(yaw)
    right = _Jet(
        (-s, c, 0.0),
        (-c * yaw_rate, -s * yaw_rate, 0.0),
        (
            s * (yaw_rate * yaw_rate) - c * yaw_acceleration,
            -c * (yaw_rate * yaw_rate) - s * yaw_acceleration,
            0.0,
        ),
    )
    along = [_against(flat, d / vehicle.mass, vehicle.gravity) for d in vehicle.drag]
    x = _unit(_cross(right, along[0]), limits.hold)
    y = _unit(_cross(along[1], x), limits.hold)
    z = cross(x.value, y.value)
    z_first = add(cross(x.first, y.value), cross(x.value, y.first))
    axes = Axes(x.value, y.value, z)
    most, hardest = limits.rate, limits.angular_acceleration
    rate = dot(z, y.first), -dot(z, x.first), dot(y.value, x.first)
    turning = (
        dot(z_first, y.first) + dot(z, y.second),
        -(dot(z_first, x.first) + dot(z, x.second)),
        dot(y.first, x.first) + dot(y.value, x.second),
    )
    vx, vy, _ = to_body(axes, flat.velocity_n)
    thrust = vehicle.mass * dot(along[2].value, z) - vehicle.lift * (vx * vx + vy * vy)
    return Implied(axes, _bound(rate, most), _bound(turning, hardest), thrust)


def _against(flat: FlatOutput, drag: float, gravity: float) -> _Jet:
    """Return gravity less acceleration less drag per mass: where body z points."""
    ax, ay, az = flat.acceleration_n
    return _Jet(
        add((-ax, -ay, gravity - az), scale(-drag, flat.velocity_n)),
        add(scale(-1.0, flat.jerk_n), scale(-drag, flat.acceleration_n)),
        add(scale(-1.0, flat.snap_n), scale(-drag, flat.jerk_n)),
    )


def _bound(v: Vec, most: float) -> Vec:
    return clamp(v[0], -most, most), clamp(v[1], -most, most), clamp(v[2], -most, most)


def _cross(a: _Jet, b: _Jet) -> _Jet:
    middle = scale(2.0, cross(a.first, b.first))
    return _Jet(
        cross(a.value, b.value),
        add(cross(a.first, b.value), cross(a.value, b.first)),
        add(add(cross(a.second, b.value), middle), cross(a.value, b.second)),
    )


def _unit(a: _Jet, least: float) -> _Jet:
    """Return `a` over its length, or over `least` where it is shorter.

    How the length bends is left out: that adds to the second derivative along `a` alone, which
    turns nothing, so rates and angular accelerations do not contain it.
    """
    squared = dot(a.value, a.value)
    k = 1.0 / sqrt(maximum(squared, least * least))
    k_first = choose(squared - least * least, -dot(a.value, a.first) * (k * k * k), 0.0)
    return _Jet(
        scale(k, a.value),
        add(scale(k_first, a.value), scale(k, a.first)),
        add(scale(2.0 * k_first, a.first), scale(k, a.second)),
    )
