"""Attitude control on the sphere and on SO(3): tilt before heading, no unwinding.

Attitudes enter as axes, where a quaternion and its negative are one and the same, so that there
is no sign to choose and no way to turn the long way round.
"""

from typing import Final

from flightcore.control.vectors import Axes, Vec, add, cross, dot, scale, sub, weigh
from tracing.terms import Real, choose, maximum, sqrt

# Squared cosine of half an angle: closer to half a turn than this the axis is chosen, not found.
_HALF_TURN: Final = 1e-10


def tilt_and_heading_error(body: Axes, setpoint: Axes) -> Vec:
    """Return how to turn the body onto its setpoint, first its thrust axis, then about it.

    The rotation from body to setpoint is split into the shortest one that aligns the z axes and
    one about z; each is given as its axis times the sine of half its angle. A vehicle whose
    heading is wrong thus never tips its thrust to correct it.

    Args:
        body: Attitude; body axes in the outer frame.
        setpoint: Attitude wanted.

    Returns:
        Frame FRD: x and y tilt, z heading. Each is at most 1. [-]

    Invariant:
        Zero at the setpoint only, also at half a turn; independent of how attitudes were written
        as quaternions.

    Source:
        Brescianini & D'Andrea, "Tilt-Prioritized Quadrocopter Attitude Control", IEEE TCST 2020.
    """
    zx, zy, zz = dot(body.x, setpoint.z), dot(body.y, setpoint.z), dot(body.z, setpoint.z)
    twice_half = 1.0 + zz  # 2 cos^2 of half the tilt
    along = 1.0 / maximum(twice_half, 2.0 * _HALF_TURN)
    sine = (dot(body.y, setpoint.x) - dot(body.x, setpoint.y)) * along
    cosine = (dot(body.x, setpoint.x) + dot(body.y, setpoint.y)) * along
    zx, per_cosine = _half_angle(zx, twice_half)
    sine, per_cosine_yaw = _half_angle(sine, 1.0 + cosine)
    return -zy * per_cosine, zx * per_cosine, sine * per_cosine_yaw


def _half_angle(sine: Real, twice_half: Real) -> tuple[Real, Real]:
    """Return sin a, of a size that can be relied on, and what makes sin(a/2) of it.

    Args:
        sine: sin a, or one component of it. [-]
        twice_half: 1 + cos a = 2 cos^2(a/2). [-]
    """
    squared = 0.5 * twice_half
    least = choose(sine, 2.0 * _HALF_TURN**0.5, -2.0 * _HALF_TURN**0.5)
    return choose(squared - _HALF_TURN, sine, least), 0.5 / sqrt(maximum(squared, _HALF_TURN))


def matrix_error(body: Axes, setpoint: Axes) -> Vec:
    """Return how to turn the body onto its setpoint: the sine of the angle along the axis.

    Returns:
        Minus Lee's e_R = (R_d^T R - R^T R_d)^v / 2, frame FRD. [-]

    Invariant:
        Small at the setpoint and at half a turn from it, where it vanishes too: the error to use
        for comparison with the literature, not for recovery.

    Source:
        Lee, Leok & McClamroch, "Geometric Tracking Control of a Quadrotor UAV on SE(3)", CDC 2010.
    """
    return (
        0.5 * (dot(body.z, setpoint.y) - dot(body.y, setpoint.z)),
        0.5 * (dot(body.x, setpoint.z) - dot(body.z, setpoint.x)),
        0.5 * (dot(body.y, setpoint.x) - dot(body.x, setpoint.y)),
    )


def angular_acceleration(
    error_b: Vec, rate_b: Vec, rate_sp_b: Vec, feed_forward_b: Vec, stiffness: Vec, damping: Vec
) -> Vec:
    """Return the angular acceleration that closes an attitude error. FRD [rad/s2].

    Args:
        error_b: As `tilt_and_heading_error` gives it. [-]
        rate_b: Angular rate. [rad/s]
        rate_sp_b: Rate of the setpoint, in the frame of the body. [rad/s]
        feed_forward_b: Angular acceleration of the setpoint, in the frame of the body. [rad/s2]
        stiffness: Per error. [rad/s2]
        damping: Per rate error. [1/s]
    """
    spring = weigh(stiffness, error_b)
    return add(add(spring, weigh(damping, sub(rate_sp_b, rate_b))), feed_forward_b)


def torque_for(acceleration_b: Vec, rate_b: Vec, inertia: Vec) -> Vec:
    """Return the torque that gives an angular acceleration: J a + w x (J w). FRD [N m]."""
    return add(weigh(inertia, acceleration_b), cross(rate_b, weigh(inertia, rate_b)))


def axes_from_thrust(down_n: Vec, right_n: Vec, body: Axes, hold: float) -> tuple[Axes, Real]:
    """Return the attitude whose z axis points along `down_n` and whose y axis follows the heading.

    Where `down_n` grows shorter than `hold` its direction means less and less, and the present one
    is held: a vehicle that needs no thrust need not turn. Where it comes to lie along `right_n`
    (a roll of a right angle) the present x axis takes the place of the heading.

    Args:
        down_n: Thrust wanted per mass, reversed; NED. [m/s2]
        right_n: Heading turned right by a right angle: (-sin yaw, cos yaw, 0). [-]
        body: Present attitude.
        hold: Length below which the present direction fills in, above 0. [m/s2]

    Returns:
        The attitude, and the length of `down_n`. [-], [m/s2]

    Invariant:
        Orthonormal, and continuous through loops, for any `down_n`.

    Source:
        The y axis, not the x axis, carries the heading: Faessler, Franchi & Scaramuzza, RA-L 2018.
    """
    length = sqrt(dot(down_n, down_n))
    held = add(down_n, scale(maximum(hold - length, 0.0), body.z))
    # Held against itself: should both just cancel, the present direction stays.
    z = _unit(held, body.z)
    forward = cross(right_n, z)
    clear = sqrt(dot(forward, forward))
    forward = add(forward, scale(maximum(0.05 - clear, 0.0), body.x))
    y = _unit(cross(z, forward), body.y)
    return Axes(cross(y, z), y, z), length


def _unit(v: Vec, fallback: Vec) -> Vec:
    """Return `v` over its length; `fallback` where there is none."""
    squared = dot(v, v)
    k = 1.0 / sqrt(maximum(squared, 1e-18))
    there = squared - 1e-18
    return (
        choose(there, v[0] * k, fallback[0]),
        choose(there, v[1] * k, fallback[1]),
        choose(there, v[2] * k, fallback[2]),
    )
