"""The physics of a multicopter as one text over `Real`: forces, motion, Runge-Kutta, the ground.

Theory. Each rotor follows its command with a first-order lag. At share w of full speed it thrusts
T w^2 along body -z and turns the frame against its own spin; moving through the air with v at the
hub (rotation included) it also drags in proportion to w v, more in its plane than along its axis
(Faessler, Franchi & Scaramuzza, "Differential Flatness of Quadrotor Dynamics Subject to Rotor
Drag", 2018), and air across it adds lift (translational lift). The frame drags with the square of
the airspeed. Forces per rotor are summed here over moments of the speeds (sum of w, of x w, ...),
which costs a third of doing it rotor by rotor and is the same arithmetic for any number of them.
Model and figures of merit as in Folk, Paulos & Kumar, "RotorPy", 2023, in NED and FRD.

State: position_n 3, velocity_n 3, q_nb 4 (w, x, y, z), rate_b 3, then one share per rotor.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sim.airframe import Airframe
from tracing.terms import Group, Real, abreast, choose, clamp, maximum, minimum, sqrt

BODY: Final = 13
CONTACT: Final = 5
STILL: Final = (0.0, 0.0, 0.0)


class Axes(NamedTuple):
    """The body axes in NED: columns of R_nb."""

    x: Group
    y: Group
    z: Group


def body_axes(q_nb: Group) -> Axes:
    """Return the body axes of an attitude that need not be quite unit."""
    w, x, y, z = q_nb
    n = 2.0 / (w * w + x * x + y * y + z * z)
    nx, ny, nz = n * x, n * y, n * z
    xx, yy, zz, xy, xz, yz = x * nx, y * ny, z * nz, x * ny, x * nz, y * nz
    wx, wy, wz = w * nx, w * ny, w * nz
    return Axes(
        (1.0 - yy - zz, xy + wz, xz - wy),
        (xy - wz, 1.0 - xx - zz, yz + wx),
        (xz + wy, yz - wx, 1.0 - xx - yy),
    )


def weighted(weights: Sequence[float], values: Group) -> Real:
    """Return the sum of weights times values.

    Values whose weights differ only in sign are added before they are multiplied, in pairs, so
    that the pairs of one such sum serve the next.
    """
    total: Real = 0.0
    for size in dict.fromkeys(abs(weight) for weight in weights):
        chosen = [(v, w < 0.0) for w, v in zip(weights, values, strict=True) if abs(w) == size]
        value, negative = _pairwise(chosen)
        total = total + (-size if negative else size) * value
    return total


def _pairwise(values: Sequence[tuple[Real, bool]]) -> tuple[Real, bool]:
    """Return the sum of values with signs, as a value with a sign."""
    if len(values) == 1:
        return values[0]
    half = (len(values) + 1) // 2
    (left, negative), (right, other) = _pairwise(values[:half]), _pairwise(values[half:])
    return (left + right if negative == other else left - right), negative


def derivative(
    airframe: Airframe, state: Group, command: Group, wind_n: Group, health: Group
) -> Group:
    """Return the rate of change of the state.

    Args:
        airframe: What flies.
        state: As above.
        command: Share of full speed each rotor is driven towards. [-]
        wind_n: Velocity of the air in NED. [m/s]
        health: Share of its forces each rotor still gives: 0 has lost its propeller. [-]
    """
    velocity, rate, shares = state[3:6], state[10:13], state[BODY:]
    p, q, r = rate
    axes = body_axes(state[6:10])
    air = [v - w for v, w in zip(velocity, wind_n, strict=True)]
    u, v, w = (a[0] * air[0] + a[1] * air[1] + a[2] * air[2] for a in axes)
    force, torque = _wrench(airframe, (u, v, w), rate, shares, health)
    fast = sqrt(u * u + v * v + w * w)
    cx, cy, cz = airframe.frame_drag
    fx, fy, fz = force[0] - cx * fast * u, force[1] - cy * fast * v, force[2] - cz * fast * w
    ax, ay, az = (
        (axes.x[i] * fx + axes.y[i] * fy + axes.z[i] * fz) / airframe.mass for i in range(3)
    )
    jx, jy, jz = airframe.inertia
    w, x, y, z = state[6:10]
    rates = (
        *velocity,
        *(ax, ay, az + airframe.gravity),
        -0.5 * (x * p + y * q + z * r),
        0.5 * (w * p + y * r - z * q),
        0.5 * (w * q + z * p - x * r),
        0.5 * (w * r + x * q - y * p),
        (torque[0] - (jz - jy) * q * r) / jx,
        (torque[1] - (jx - jz) * p * r) / jy,
        (torque[2] - (jy - jx) * p * q) / jz,
        *((c - s) / airframe.motor_time_constant for c, s in zip(command, shares, strict=True)),
    )
    return abreast(rates)


def _wrench(
    airframe: Airframe, air_b: Group, rate: Group, shares: Group, health: Group
) -> tuple[Group, Group]:
    """Return force and torque of the rotors, FRD [N], [N m]."""
    u, v, w = air_b
    p, q, r = rate
    xs, ys, spins = zip(*airframe.rotors, strict=True)
    ones = (1.0,) * len(xs)
    alive = tuple(h * s for h, s in zip(health, shares, strict=True))
    squares = tuple(a * s for a, s in zip(alive, shares, strict=True))

    def moments(values: Group) -> tuple[Real, ...]:
        """Return the sums of 1, x, y, x^2, y^2 and x y times the values."""
        seconds = [[a * b for a, b in zip(m, n, strict=True)] for m, n in
                   ((xs, xs), (ys, ys), (xs, ys))]  # fmt: skip
        return tuple(weighted(weights, values) for weights in (ones, xs, ys, *seconds))

    s, sx, sy, sxx, syy, sxy = moments(alive)
    h, hx, hy, hxx, hyy, hxy = moments(health)
    cubic = [x * x + y * y for x, y in zip(xs, ys, strict=True)]
    hxrr = weighted([x * rr for x, rr in zip(xs, cubic, strict=True)], health)
    hyrr = weighted([y * rr for y, rr in zip(ys, cubic, strict=True)], health)
    # |air across a rotor|^2 = (u - r y)^2 + (v + r x)^2, summed with weights 1, x and y.
    across, turning = u * u + v * v, r * r
    lift = h * across + 2.0 * r * (v * hx - u * hy) + turning * (hxx + hyy)
    lift_x = hx * across + 2.0 * r * (v * hxx - u * hxy) + turning * hxrr
    lift_y = hy * across + 2.0 * r * (v * hxy - u * hyy) + turning * hyrr
    full, plane, axial = airframe.thrust_max, airframe.rotor_drag, airframe.axial_drag
    gain = airframe.translational_lift
    torque = full * airframe.torque_per_thrust
    return (
        (
            -plane * (u * s - r * sy),
            -plane * (v * s + r * sx),
            -(full * weighted(ones, squares) + gain * lift) - axial * (w * s + p * sy - q * sx),
        ),
        (
            -(full * weighted(ys, squares) + gain * lift_y) - axial * (w * sy + p * syy - q * sxy),
            full * weighted(xs, squares) + gain * lift_x + axial * (w * sx + p * sxy - q * sxx),
            torque * weighted(spins, squares) - plane * (v * sx - u * sy + r * (sxx + syy)),
        ),
    )


def runge_kutta(
    airframe: Airframe, dt_s: float, state: Group, command: Group, wind_n: Group, health: Group
) -> Group:
    """Return the state a step later: the classical rule of fourth order, attitude unit again."""
    # Summed as they come: kept until the end, four slopes would fill the cache.
    slope = derivative(airframe, state, command, wind_n, health)
    total = slope
    for part, weight in ((0.5, 2.0), (0.5, 2.0), (1.0, 1.0)):
        there = _along(state, slope, part * dt_s)
        slope = derivative(airframe, there, command, wind_n, health)
        total = _along(total, slope, weight)
    end = _along(state, total, dt_s / 6.0)
    w, x, y, z = end[6:10]
    k = 1.0 / sqrt(w * w + x * x + y * y + z * z)
    shares = (clamp(share, 0.0, 1.0) for share in end[BODY:])
    return (*end[:6], k * w, k * x, k * y, k * z, *end[10:BODY], *shares)


def _along(state: Group, slope: Group, dt_s: float) -> Group:
    steps = abreast(dt_s * k for k in slope)
    return abreast(x + step for x, step in zip(state, steps, strict=True))


def over_ground(start: Group, end: Group, dt_s: float) -> tuple[Group, Group]:
    """Return the state kept above a flat ground at down = 0, and what the contact was.

    A rigid, sticky ground that levels the legs: the vehicle leaves it only by lifting.

    Returns:
        The state; and (1 if it touches, speed downwards when it did, acceleration_n), `CONTACT`.
    """
    down, sinking = end[2], end[5]

    resting = minimum(down, sinking)

    def rests(yes: Real, no: Real) -> Real:
        return choose(resting, yes, no)

    w, z = end[6], end[9]
    # The turn about the vertical nearest to the attitude; heading north if upside down.
    upright = sqrt(w * w + z * z)
    safe = maximum(upright, 1e-9)
    level = (choose(upright - 1e-9, w / safe, 1.0), 0.0, 0.0, choose(upright - 1e-9, z / safe, 0.0))
    kept = (
        rests(start[0], end[0]),
        rests(start[1], end[1]),
        minimum(down, 0.0),
        *(rests(0.0, v) for v in end[3:6]),
        *(rests(flat, a) for flat, a in zip(level, end[6:10], strict=True)),
        *(rests(0.0, rate) for rate in end[10:BODY]),
        *end[BODY:],
    )
    acceleration = (rests(0.0, (b - a) / dt_s) for a, b in zip(start[3:6], end[3:6], strict=True))
    return kept, (choose(down, 1.0, 0.0), sinking, *acceleration)
