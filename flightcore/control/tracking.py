"""The tracking controller: from state and flat reference to four rotor thrusts, one text.

Position and velocity errors become an acceleration, that a thrust vector, that an attitude; the
attitude error becomes an angular acceleration, that a torque; thrust and torque become rotor
thrusts. The reference feeds forward attitude rate and acceleration through differential flatness,
the incremental estimates feed back what the model lacks.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from flightcore.control.allocation import allocate, wrench
from flightcore.control.attitude import (
    angular_acceleration,
    axes_from_thrust,
    tilt_and_heading_error,
    torque_for,
)
from flightcore.control.flatness import FLAT_ROWS, FlatOutput, implied
from flightcore.control.indi import (
    Rejection,
    TorqueMemory,
    force_disturbance,
    share,
    torque_disturbance,
)
from flightcore.control.position import (
    acceleration,
    collective,
    drag,
    integrate,
    thrust_vector,
    within_tilt,
)
from flightcore.control.vectors import (
    ZERO,
    Axes,
    Vec,
    add,
    axes_of,
    scale,
    shorten,
    sub,
    to_body,
    to_outer,
)
from flightcore.control.vehicle import Gains, Limits, Vehicle
from tracing.terms import Group, Real, cos, sin

STATE_ROWS: Final = 13  # position_n 3, velocity_n 3, q_nb 4 (w, x, y, z), rate_b 3
SENSED_ROWS: Final = 7  # specific force in FRD 3 [m/s2], mean rotor thrusts since last step 4 [N]
MEMORY_ROWS: Final = 12  # integral_n 3, filtered rate_b 3, filtered torque_b 3, force_n 3
SIZES: Final = (STATE_ROWS, FLAT_ROWS, SENSED_ROWS, MEMORY_ROWS)
Tracking = Callable[[Group, Group, Group, Group], tuple[Group, Group]]


class _Memory(NamedTuple):
    integral_n: Vec
    torque: TorqueMemory
    force_n: Vec


def tracking(
    vehicle: Vehicle, gains: Gains, limits: Limits, rejection: Rejection | None, dt_s: float
) -> Tracking:
    """Return the controller's text, for `executors.floats` or `executors.Rows` with `SIZES`.

    Args:
        vehicle: The model.
        gains: Stiffness and damping.
        limits: What may be asked for.
        rejection: How fast disturbances are believed; None trusts the model.
        dt_s: Control period. [s]

    Returns:
        A function of (state, reference, sensed, memory), laid out as `STATE_ROWS`, `FlatOutput`,
        `SENSED_ROWS` and `MEMORY_ROWS` say, that gives (rotor thrusts [N], new memory). Without
        rejection `sensed` is not read. Memory starts as zeros; with rejection its first second is
        better when the filtered rate and torque start as they are.
    """
    strongest = 4.0 * vehicle.thrust_max / vehicle.mass

    def text(state: Group, reference: Group, sensed: Group, memory: Group) -> tuple[Group, Group]:
        position, velocity, rate = _vec(state, 0), _vec(state, 3), _vec(state, 10)
        body = axes_of((state[6], state[7], state[8], state[9]))
        flat = FlatOutput.of(reference)
        held = _Memory(
            _vec(memory, 0), TorqueMemory(_vec(memory, 3), _vec(memory, 6)), _vec(memory, 9)
        )
        torque_off, kept = ZERO, held
        if rejection is not None:
            torque_off, kept = _observe(body, velocity, rate, sensed, held, rejection)

        error = sub(flat.position_n, position)
        wanted = acceleration(
            error,
            sub(flat.velocity_n, velocity),
            flat.acceleration_n,
            held.integral_n,
            gains,
            limits,
        )
        asked = thrust_vector(wanted, body, velocity, kept.force_n, vehicle)
        # Cut before it is projected onto the present axis: a demand far beyond the rotors would
        # otherwise run them all at full thrust while they still point elsewhere.
        granted = shorten(within_tilt(asked, limits), strongest)
        integral = integrate(held.integral_n, error, sub(granted, asked), dt_s, gains, limits)
        torque = _turn(body, rate, granted, flat)
        thrusts = allocate(collective(granted, body, vehicle), sub(torque, torque_off), vehicle)
        return thrusts, (*integral, *kept.torque.rate_b, *kept.torque.torque_b, *kept.force_n)

    def _observe(
        body: Axes, velocity: Vec, rate: Vec, sensed: Group, held: _Memory, how: Rejection
    ) -> tuple[Vec, _Memory]:
        thrust, torque = wrench((sensed[3], sensed[4], sensed[5], sensed[6]), vehicle)
        torque_off, memory = torque_disturbance(
            held.torque, rate, torque, vehicle.inertia, share(how.torque_bandwidth, dt_s), dt_s
        )
        modelled = add(drag(body, velocity, vehicle), (0.0, 0.0, -thrust))
        force = force_disturbance(
            held.force_n,
            to_outer(body, scale(vehicle.mass, _vec(sensed, 0))),
            to_outer(body, modelled),
            share(how.force_bandwidth, dt_s),
        )
        return torque_off, _Memory(held.integral_n, memory, force)

    def _turn(body: Axes, rate: Vec, thrust_n: Vec, flat: FlatOutput) -> Vec:
        yaw = flat.heading[0]
        setpoint, _ = axes_from_thrust(
            scale(-1.0, thrust_n), (-sin(yaw), cos(yaw), 0.0), body, limits.hold
        )
        state = implied(flat, vehicle, limits)
        turning = angular_acceleration(
            tilt_and_heading_error(body, setpoint),
            rate,
            to_body(body, to_outer(state.axes, state.rate_b)),
            to_body(body, to_outer(state.axes, state.acceleration_b)),
            (gains.tilt, gains.tilt, gains.yaw),
            gains.rate,
        )
        return torque_for(turning, rate, vehicle.inertia)

    return text


def _vec(group: Group, first: int) -> tuple[Real, Real, Real]:
    return group[first], group[first + 1], group[first + 2]
