"""Workload W1: Hummingbirds on circles, the closed loop that open simulators can be run on too.

Vehicle and model are those of rotorpy 3.0's Hummingbird: rigid body, four first-order motors,
thrust and torque by the square of their speed, rotor drag, translational lift, quadratic drag of
the frame; no wind, no ground, no noise. The controller is Lee's on SE(3) with rotorpy's gains, at
every step of 2.5 ms. Vehicle i flies a circle of R = 1 + (i % 16)/16 m at 0.2 + 0.02 (i % 7) Hz and
a height of 1 + i % 5 m, yaw 0, and starts on it at rest.

The physics is that of `sim.dynamics`, so frames are NED and FRD, and rotor speeds shares of 1,500
rad/s. Turned half about x, these and rotorpy's (z up; forward, left, up) differ in signs alone, so
the numbers can be compared to the last place.
"""

import math
from typing import Final

import numpy as np

from flightcore.control.attitude import matrix_error
from flightcore.control.vectors import Axes, add, cross, dot, scale, sub, weigh
from sim.airframe import Airframe, Pack
from sim.dynamics import BODY, STILL, body_axes, runge_kutta
from tracing.executors import Array
from tracing.terms import Group, cos, maximum, minimum, sin, sqrt

DT_S: Final = 0.0025
STATE: Final = BODY + 4
CIRCLE: Final = 3  # radius [m], angular rate [rad/s], height [m]
SIZES: Final = (STATE, CIRCLE, 1)  # the last is time [s]
FASTEST: Final = 1500.0
_D: Final = 0.17 * 0.70710678118  # as rotorpy writes it
HUMMINGBIRD: Final = Airframe(
    mass=0.5,
    inertia=(3.65e-3, 3.68e-3, 7.03e-3),
    rotors=((_D, -_D, -1.0), (_D, _D, 1.0), (-_D, _D, -1.0), (-_D, -_D, 1.0)),
    thrust_max=5.57e-6 * FASTEST**2,
    torque_per_thrust=1.36e-7 / 5.57e-6,
    speed_max=FASTEST,
    motor_time_constant=0.005,
    rotor_drag=1.19e-4 * FASTEST,
    axial_drag=2.32e-4 * FASTEST,
    translational_lift=3.39e-3,
    frame_drag=(0.005, 0.005, 0.01),
    pack=Pack(1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    gravity=9.81,
)
_KP: Final = (6.5, 6.5, 15.0)
_KV: Final = (4.0, 4.0, 9.0)
_KR: Final = 544.0
_KW: Final = 46.64
_INVERSE: Final = np.linalg.inv(
    np.array(
        [
            [1.0] * 4,
            [-y for _, y, _ in HUMMINGBIRD.rotors],
            [x for x, _, _ in HUMMINGBIRD.rotors],
            [spin * HUMMINGBIRD.torque_per_thrust for _, _, spin in HUMMINGBIRD.rotors],
        ]
    )
).tolist()
_MIRROR: Final = np.array([[1, -1, -1, 1, -1, -1, 1, 1, -1, -1, 1, -1, -1] + [1 / FASTEST] * 4]).T


def mirrored(state: Array) -> Array:
    """Return a state of rotorpy's frames and units (vehicles last) in ours."""
    there: Array = state * _MIRROR
    return there


def start(count: int) -> tuple[Array, Array]:
    """Return the state and the circles of `count` vehicles, vehicles last."""
    i = np.arange(count)
    circle = np.array([1.0 + i % 16 / 16.0, 2.0 * np.pi * (0.2 + 0.02 * (i % 7)), 1.0 + i % 5])
    state = np.zeros((STATE, count))
    state[0], state[2], state[6] = circle[0], -circle[2], 1.0
    state[BODY:] = math.sqrt(HUMMINGBIRD.hover_thrust_fraction)
    return state, circle


def control(state: Group, circle: Group, time: Group) -> tuple[Group]:
    """Return the commands that reference and controller ask for [-]."""
    frame = HUMMINGBIRD
    radius, turning, height = circle
    s, c = sin(turning * time[0]), cos(turning * time[0])
    speed = radius * turning
    rush = speed * turning
    error = sub((radius * c, -radius * s, -height), (state[0], state[1], state[2]))
    error_rate = sub((-speed * s, -speed * c, 0.0), (state[3], state[4], state[5]))
    wanted = add(weigh(_KP, error), weigh(_KV, error_rate))
    force = scale(frame.mass, add(wanted, (-rush * c, rush * s, -frame.gravity)))
    down = scale(-1.0 / sqrt(dot(force, force)), force)
    across = cross(down, (1.0, 0.0, 0.0))
    right = scale(1.0 / sqrt(dot(across, across)), across)
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = body_axes(state[6:10])
    body = Axes((xx, xy, xz), (yx, yy, yz), (zx, zy, zz))
    error_b = matrix_error(body, Axes(cross(right, down), right, down))
    rate = state[10], state[11], state[12]
    turn = weigh(frame.inertia, sub(scale(_KR, error_b), scale(_KW, rate)))
    torque = add(turn, cross(rate, weigh(frame.inertia, rate)))
    asked = (-dot(force, body.z), *torque)
    squares = [
        (r[0] * asked[0] + r[1] * asked[1] + r[2] * asked[2] + r[3] * asked[3]) / frame.thrust_max
        for r in _INVERSE
    ]
    return (tuple(minimum(sqrt(maximum(square, 0.0)), 1.0) for square in squares),)


def step(state: Group, circle: Group, time: Group) -> tuple[Group, Group]:
    """Return state and time after one step of the closed loop."""
    (command,) = control(state, circle, time)
    end = runge_kutta(HUMMINGBIRD, DT_S, state, command, STILL, (1.0,) * 4)
    return end, (time[0] + DT_S,)
