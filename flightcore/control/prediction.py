"""Prediction: where the vehicle is by now, from where it was and what its rotors have done since.

Measurements are late. A controller that acts on them as they come answers what has passed, and at
high rates of turning swings; flown forward through the model with the commands given in the
meantime they are as late as the model is wrong in so short a time.
"""

from collections.abc import Callable

from flightcore.control.allocation import wrench
from flightcore.control.position import drag
from flightcore.control.vectors import add, axes_of, cross, scale, sub, to_outer, weigh
from flightcore.control.vehicle import Vehicle
from tracing.terms import Group, sqrt

Prediction = Callable[[Group, Group], tuple[Group]]


def prediction(vehicle: Vehicle, dt_s: float) -> Prediction:
    """Return one step of the model as a text: run it once for each step that passed.

    Args:
        vehicle: The model.
        dt_s: Step, a few milliseconds. [s]

    Returns:
        A function of (state, rotor thrusts [N]) that gives the state `dt_s` later, laid out as
        `tracking.STATE_ROWS` says.

    Invariant:
        The midpoint rule: the error of a step is of third order; the quaternion stays unit.
    """
    jx, jy, jz = vehicle.inertia

    def slope(state: Group, thrusts: Group) -> Group:
        velocity = state[3], state[4], state[5]
        w, x, y, z, p, q, r = state[6:]
        body = axes_of((w, x, y, z))
        total, torque = wrench((thrusts[0], thrusts[1], thrusts[2], thrusts[3]), vehicle)
        force = add(drag(body, velocity, vehicle), (0.0, 0.0, -total))
        ax, ay, az = scale(1.0 / vehicle.mass, to_outer(body, force))
        turning = sub(torque, cross((p, q, r), weigh(vehicle.inertia, (p, q, r))))
        return (
            *velocity,
            *(ax, ay, az + vehicle.gravity),
            -0.5 * (x * p + y * q + z * r),
            0.5 * (w * p + y * r - z * q),
            0.5 * (w * q + z * p - x * r),
            0.5 * (w * r + x * q - y * p),
            *weigh((1.0 / jx, 1.0 / jy, 1.0 / jz), turning),
        )

    def text(state: Group, thrusts: Group) -> tuple[Group]:
        middle = _along(state, slope(state, thrusts), 0.5 * dt_s)
        end = _along(state, slope(middle, thrusts), dt_s)
        w, x, y, z = end[6:10]
        k = 1.0 / sqrt(w * w + x * x + y * y + z * z)
        return ((*end[:6], k * w, k * x, k * y, k * z, *end[10:]),)

    return text


def _along(state: Group, slope: Group, dt_s: float) -> Group:
    return tuple(x + dt_s * k for x, k in zip(state, slope, strict=True))
