"""Position and velocity control with feed-forward, limits and an integral that cannot wind up."""

import math
from typing import NamedTuple

from flightcore.control.vectors import (
    Axes,
    Vec,
    add,
    dot,
    scale,
    shorten,
    sub,
    to_body,
    to_outer,
    weigh,
)
from flightcore.control.vehicle import Gains, Limits, Vehicle
from tracing.terms import Real, choose, clamp, maximum, minimum, sqrt


class Wanted(NamedTuple):
    """What the outer loop asks for. NED; [m/s2] and [m/s2]."""

    acceleration_n: Vec
    integral_n: Vec


def acceleration(
    error_n: Vec, error_rate_n: Vec, reference_n: Vec, integral_n: Vec, gains: Gains, limits: Limits
) -> Vec:
    """Return the acceleration that closes an error of position and velocity. NED [m/s2].

    Args:
        error_n: Reference minus position; acted on up to `Limits.position_error`. [m]
        error_rate_n: Reference minus velocity; acted on up to `Limits.velocity_error`. [m/s]
        reference_n: Acceleration of the reference. [m/s2]
        integral_n: Acceleration held by the integral. [m/s2]
        gains: Of the vehicle.
        limits: Of the vehicle.
    """
    spring = weigh(gains.position, shorten(error_n, limits.position_error))
    damper = weigh(gains.velocity, shorten(error_rate_n, limits.velocity_error))
    return add(add(spring, damper), add(reference_n, integral_n))


def integrate(
    integral_n: Vec, error_n: Vec, shortfall_n: Vec, dt_s: float, gains: Gains, limits: Limits
) -> Vec:
    """Return the integral after a step. NED [m/s2].

    Args:
        integral_n: Before the step. [m/s2]
        error_n: Reference minus position. [m]
        shortfall_n: Acceleration granted by the limits minus acceleration asked for. Against it
            nothing is integrated, so that nothing is stored that cannot be flown. [m/s2]
        dt_s: Step. [s]
        gains: Of the vehicle.
        limits: Of the vehicle.

    Invariant:
        Never beyond `Limits.integral`; an axis that asks for more than it is granted keeps what it
        holds.
    """
    grown = weigh(gains.integral, shorten(error_n, limits.position_error))
    x, y, z = (
        clamp(held + choose(short * grow, dt_s * grow, 0.0), -limits.integral, limits.integral)
        for held, short, grow in zip(integral_n, shortfall_n, grown, strict=True)
    )
    return x, y, z


def drag(axes: Axes, velocity_n: Vec, vehicle: Vehicle) -> Vec:
    """Return the force of the air in body axes. FRD [N].

    Source:
        Sun et al., T-RO 2022, eqs (5) to (9): linear, with lift from flying sideways.
    """
    vx, vy, vz = to_body(axes, velocity_n)
    dx, dy, dz = vehicle.drag
    return -dx * vx, -dy * vy, -dz * vz - vehicle.lift * (vx * vx + vy * vy)


def thrust_vector(
    acceleration_n: Vec, axes: Axes, velocity_n: Vec, disturbance_n: Vec, vehicle: Vehicle
) -> Vec:
    """Return the thrust per mass that gives an acceleration against weight, drag and disturbance.

    Args:
        acceleration_n: Wanted. NED [m/s2]
        axes: Attitude.
        velocity_n: Through the air. NED [m/s]
        disturbance_n: Force that the model does not explain. NED [N]
        vehicle: The model.

    Returns:
        NED; in hover it points up, so its z is negative. [m/s2]
    """
    air = add(to_outer(axes, drag(axes, velocity_n, vehicle)), disturbance_n)
    x, y, z = sub(acceleration_n, scale(1.0 / vehicle.mass, air))
    return x, y, z - vehicle.gravity


def within_tilt(thrust_n: Vec, limits: Limits) -> Vec:
    """Return the thrust per mass, its level part shortened so that the tilt stays within limits.

    Height is kept and way is given up; a thrust that points down is refused. Without a limit on
    tilt it returns what it is given.
    """
    if limits.tilt is None:
        return thrust_n
    up = minimum(thrust_n[2], -limits.hold)
    level = sqrt(thrust_n[0] * thrust_n[0] + thrust_n[1] * thrust_n[1])
    most = -up * math.tan(limits.tilt)
    k: Real = most / maximum(level, most)
    return k * thrust_n[0], k * thrust_n[1], up


def collective(thrust_n: Vec, axes: Axes, vehicle: Vehicle) -> Real:
    """Return the thrust of all rotors for a thrust vector: its part along the present axis [N]."""
    return -vehicle.mass * dot(thrust_n, axes.z)
