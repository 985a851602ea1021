"""Workload W1 on the simulator: Hummingbirds on circles, under Lee's controller, as rotorpy's are.

Vehicle, controller, circles and steps are those of `benchmarks.control_w1`; the physics is that of
`sim.dynamics`, without wind and ground, so frames are NED and FRD here, and rotor speeds shares of
1,500 rad/s. Turned half about x the two frames differ in signs alone, so the numbers can be
compared to the last place.
"""

import math
from typing import Final

import numpy as np

from benchmarks import control_w1
from flightcore.control.attitude import matrix_error
from flightcore.control.vectors import Axes, add, cross, dot, scale, sub, weigh
from sim.airframe import Airframe, Pack
from sim.dynamics import BODY, STILL, body_axes, runge_kutta
from tracing.executors import Array
from tracing.terms import Group, cos, maximum, minimum, sin, sqrt

DT_S: Final = control_w1.DT_S
STATE: Final = BODY + 4
SIZES: Final = (STATE, control_w1.CIRCLE, 1)  # state, circle, time [s]
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
    state, circle = control_w1.start(count)
    return mirrored(state), circle


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


def hover_share() -> float:
    """Return the share of full speed at which the vehicle hovers [-]."""
    return math.sqrt(HUMMINGBIRD.hover_thrust_fraction)
