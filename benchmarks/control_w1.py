"""Workload W1: Hummingbirds on circles, the closed loop that open simulators can be run on too.

Vehicle and model are those of rotorpy 3.0's Hummingbird: rigid body, four first-order motors,
thrust and torque by the square of their speed, rotor drag, translational lift, quadratic drag of
the frame; no wind, no ground, no noise. The controller is Lee's on SE(3) with rotorpy's gains, at
every step of 2.5 ms; integration is the classical Runge-Kutta, quaternions renormalised once a
step. Frames as there: z up, body forward-left-up. Vehicle i flies a circle of R = 1 + (i % 16)/16 m
at 0.2 + 0.02 (i % 7) Hz and a height of 1 + i % 5 m, yaw 0, and starts on it at rest.
"""

import math
from typing import Final

import numpy as np

from flightcore.control.attitude import matrix_error
from flightcore.control.vectors import Axes, Vec, add, cross, dot, scale, sub, weigh
from tracing.executors import Array
from tracing.terms import Group, Real, clamp, cos, maximum, minimum, sin, sqrt

DT_S: Final = 0.0025
STATE: Final = 17  # position 3, velocity 3, quaternion (w, x, y, z) 4, rate 3, rotor speed 4
CIRCLE: Final = 3  # radius [m], angular rate [rad/s], height [m]
SIZES: Final = (STATE, CIRCLE, 1)  # the last is time [s]

_MASS: Final = 0.5
_GRAVITY: Final = 9.81
_INERTIA: Final = (3.65e-3, 3.68e-3, 7.03e-3)
_THRUST: Final = 5.57e-6  # [N s2]
_TORQUE: Final = 1.36e-7  # [N m s2]
_IN_PLANE: Final = 1.19e-4  # rotor drag [N s2 / m]
_AXIAL: Final = 2.32e-4
_LIFT: Final = 3.39e-3
_FRAME: Final = (0.005, 0.005, 0.01)
_LAG_S: Final = 0.005
_FASTEST: Final = 1500.0
_D: Final = 0.17 * 0.5**0.5
_PLACES: Final = ((_D, _D), (_D, -_D), (-_D, -_D), (-_D, _D))
_SPINS: Final = (1.0, -1.0, 1.0, -1.0)
_KP: Final = (6.5, 6.5, 15.0)
_KV: Final = (4.0, 4.0, 9.0)
_KR: Final = 544.0
_KW: Final = 46.64
_INVERSE: Final = np.linalg.inv(
    np.array(
        [
            [1.0] * 4,
            [y for _, y in _PLACES],
            [-x for x, _ in _PLACES],
            [_TORQUE / _THRUST * spin for spin in _SPINS],
        ]
    )
).tolist()


def start(count: int) -> tuple[Array, Array]:
    """Return the state and the circles of `count` vehicles, vehicles last."""
    i = np.arange(count)
    circle = np.array([1.0 + i % 16 / 16.0, 2.0 * np.pi * (0.2 + 0.02 * (i % 7)), 1.0 + i % 5])
    state = np.zeros((STATE, count))
    state[0], state[2], state[6] = circle[0], circle[2], 1.0
    state[13:] = math.sqrt(_MASS * _GRAVITY / 4.0 / _THRUST)
    return state, circle


def control(state: Group, circle: Group, time: Group) -> tuple[Group]:
    """Return the rotor speeds that reference and controller ask for [rad/s]."""
    position, velocity, rate = _vec(state, 0), _vec(state, 3), _vec(state, 10)
    radius, turning, height = circle
    s, c = sin(turning * time[0]), cos(turning * time[0])
    speed = radius * turning
    rush = speed * turning
    error = sub((radius * c, radius * s, height), position)
    error_rate = sub((-speed * s, speed * c, 0.0), velocity)
    wanted = add(weigh(_KP, error), weigh(_KV, error_rate))
    force = scale(_MASS, add(wanted, (-rush * c, -rush * s, _GRAVITY)))
    body = _axes(state)
    z = scale(1.0 / sqrt(dot(force, force)), force)
    across = cross(z, (1.0, 0.0, 0.0))
    y = scale(1.0 / sqrt(dot(across, across)), across)
    error_b = matrix_error(body, Axes(cross(y, z), y, z))
    turn = weigh(_INERTIA, sub(scale(_KR, error_b), scale(_KW, rate)))
    torque = add(turn, cross(rate, weigh(_INERTIA, rate)))
    asked = (dot(force, body.z), *torque)
    squares = [
        (row[0] * asked[0] + row[1] * asked[1] + row[2] * asked[2] + row[3] * asked[3]) / _THRUST
        for row in _INVERSE
    ]
    return (tuple(minimum(sqrt(maximum(square, 0.0)), _FASTEST) for square in squares),)


def step(state: Group, circle: Group, time: Group) -> tuple[Group, Group]:
    """Return state and time after one step of the closed loop."""
    (command,) = control(state, circle, time)
    return (_runge_kutta(state, command), (time[0] + DT_S,))


def _runge_kutta(state: Group, command: Group) -> Group:
    # Summed as they come: kept until the end, four slopes would fill the cache.
    slope = _derivative(state, command)
    total = slope
    for part, weight in ((0.5, 2.0), (0.5, 2.0), (1.0, 1.0)):
        slope = _derivative(_along(state, slope, part * DT_S), command)
        total = _along(total, slope, weight)
    end = _along(state, total, DT_S / 6.0)
    w, x, y, z = end[6:10]
    k = 1.0 / sqrt(w * w + x * x + y * y + z * z)
    speeds = [clamp(speed, 0.0, _FASTEST) for speed in end[13:]]
    return (*end[:6], k * w, k * x, k * y, k * z, *end[10:13], *speeds)


def _along(state: Group, slope: Group, dt_s: float) -> Group:
    return tuple(x + dt_s * k for x, k in zip(state, slope, strict=True))


def _derivative(state: Group, command: Group) -> Group:
    velocity, rate = _vec(state, 3), _vec(state, 10)
    p, q, r = rate
    speeds = state[13:]
    axes = _axes(state)
    b = dot(axes.x, velocity), dot(axes.y, velocity), dot(axes.z, velocity)
    # The rotors are placed symmetrically, so sums over them of x, y and their cubes vanish.
    total, along, across, alternating = _sums(speeds)
    thrust, pitch, roll, yaw = _sums(tuple(speed * speed for speed in speeds))
    in_plane = b[0] * b[0] + b[1] * b[1]
    fast = sqrt(in_plane + b[2] * b[2])
    reach = 2.0 * _D * _D
    lift = _LIFT * (4.0 * in_plane + (4.0 * reach) * (r * r))
    # All four arms have x^2 = y^2 = d^2, and x y alternates in sign.
    mixed = _D * _D * alternating
    share = _D * _D * total
    force: Vec = (
        -_IN_PLANE * (b[0] * total - r * across) - _FRAME[0] * fast * b[0],
        -_IN_PLANE * (b[1] * total + r * along) - _FRAME[1] * fast * b[1],
        _THRUST * thrust
        + lift
        - _AXIAL * (b[2] * total + p * across - q * along)
        - _FRAME[2] * fast * b[2],
    )
    swing = (8.0 * _LIFT * _D * _D) * r
    torque: Vec = (
        _THRUST * roll - swing * b[0] - _AXIAL * (b[2] * across + p * share - q * mixed),
        -_THRUST * pitch - swing * b[1] + _AXIAL * (b[2] * along + p * mixed - q * share),
        _TORQUE * yaw - _IN_PLANE * (b[1] * along - b[0] * across + 2.0 * r * share),
    )
    jx, jy, jz = _INERTIA
    ax, ay, az = (
        (axes.x[i] * force[0] + axes.y[i] * force[1] + axes.z[i] * force[2]) / _MASS
        for i in range(3)
    )
    w, x, y, z = state[6:10]
    return (
        *velocity,
        *(ax, ay, az - _GRAVITY),
        -0.5 * (x * p + y * q + z * r),
        0.5 * (w * p + y * r - z * q),
        0.5 * (w * q + z * p - x * r),
        0.5 * (w * r + x * q - y * p),
        (torque[0] - (jz - jy) * q * r) / jx,
        (torque[1] - (jx - jz) * p * r) / jy,
        (torque[2] - (jy - jx) * p * q) / jz,
        *((u - speed) / _LAG_S for u, speed in zip(command, speeds, strict=True)),
    )


def _sums(values: Group) -> tuple[Real, Real, Real, Real]:
    """Return the sums over the rotors: plain, times x, times y, times spin."""
    a, b, c, d = values
    front, back, right, left = a + b, c + d, a - b, d - c
    return front + back, _D * (front - back), _D * (right + left), right - left


def _axes(state: Group) -> Axes:
    """Return the body axes; the plant's own rotation, for quaternions that are not quite unit."""
    w, x, y, z = state[6:10]
    n = 2.0 / (w * w + x * x + y * y + z * z)
    nx, ny, nz = n * x, n * y, n * z
    xx, yy, zz, xy, xz, yz = x * nx, y * ny, z * nz, x * ny, x * nz, y * nz
    wx, wy, wz = w * nx, w * ny, w * nz
    return Axes(
        (1.0 - yy - zz, xy + wz, xz - wy),
        (xy - wz, 1.0 - xx - zz, yz + wx),
        (xz + wy, yz - wx, 1.0 - xx - yy),
    )


def _vec(group: Group, first: int) -> Vec:
    return group[first], group[first + 1], group[first + 2]
