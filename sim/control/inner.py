"""The inner half of the cascade as one text over `Real`: attitude, rate and mixer, at every tick.

It runs with the physics, in plain floats or in numpy rows, so that a fleet's fast loop costs one
batch and not a Python call for each vehicle. What it is to do arrives as an `Aim`.
"""

from typing import Final

import msgspec

from sim.airframe import Airframe
from sim.control.vector import Quat, Vec3
from sim.dynamics import BODY, over_ground, runge_kutta
from tracing.executors import Text
from tracing.terms import Group, Real, choose, clamp, maximum, minimum, sqrt

AIM: Final = 11
_ATTITUDE_P: Final = 7.0
_RATE_P: Final = 18.0
_RATE_MAX: Final = 3.5
_YAW_RATE_MAX: Final = 1.8
_TORQUE_YAW_SHARE: Final = 0.3
_TILT_SHARE: Final = 0.25


class Aim(msgspec.Struct, frozen=True, gc=False):
    """What the inner loop holds until it is told otherwise.

    Attributes:
        q_nb: Attitude. [-]
        rate_b: Rates added to those that turn the vehicle to it, FRD. [rad/s]
        attitude_weight: 1; 0 to turn at `rate_b` alone. [-]
        specific_thrust: Thrust over mass. [m/s2]
        volts_ratio: Voltage over full voltage. [-]
        held: Throttle of every rotor, whatever the rest says; negative to fly. [-]
    """

    q_nb: Quat
    rate_b: Vec3
    attitude_weight: float
    specific_thrust: float
    volts_ratio: float
    held: float

    def numbers(self) -> tuple[float, ...]:
        """Return it as a group of the text."""
        return (
            *self.q_nb,
            *self.rate_b,
            self.attitude_weight,
            self.specific_thrust,
            self.volts_ratio,
            self.held,
        )


def throttles(airframe: Airframe, q_nb: Group, rate_b: Group, aim: Group) -> Group:
    """Return one throttle per rotor, as its speed over that at full voltage [-].

    Roll and pitch come first, then thrust, then yaw: a multicopter that cannot keep its heading
    still flies, one that cannot keep its tilt does not.
    """
    weight, specific_thrust, volts_ratio, held = aim[7:]
    wanted = _rates(q_nb, aim[:4], aim[4:7], weight)
    full = airframe.thrust_max
    rotors = airframe.rotors
    thrust_full = len(rotors) * full
    # What each rotor adds for a torque of 1 N m, as a share of its full thrust.
    reach_x = sum(x * x for x, _, _ in rotors) * full
    reach_y = sum(y * y for _, y, _ in rotors) * full
    roll, pitch, yaw = (
        inertia * gain * (sp - now)
        for inertia, gain, sp, now in zip(
            airframe.inertia, (_RATE_P, _RATE_P, 0.5 * _RATE_P), wanted, rate_b, strict=True
        )
    )
    tilts = [
        clamp(roll * (-y / reach_y), -_TILT_SHARE, _TILT_SHARE)
        + clamp(pitch * (x / reach_x), -_TILT_SHARE, _TILT_SHARE)
        for x, y, _ in rotors
    ]
    yaw = yaw / (thrust_full * airframe.torque_per_thrust)
    yaw = clamp(yaw, -_TORQUE_YAW_SHARE, _TORQUE_YAW_SHARE)
    needed: Real = 0.0
    for tilt in tilts:
        needed = maximum(maximum(tilt, -tilt), needed)
    ceiling = volts_ratio * volts_ratio
    collective = clamp(
        specific_thrust * (airframe.mass / thrust_full),
        minimum(needed, 0.5 * ceiling),
        maximum(ceiling - needed, 0.0),
    )
    room = maximum(minimum(collective, ceiling - collective) - needed, 0.0)
    yaw = clamp(yaw, -room, room)
    return tuple(
        choose(held, held, minimum(sqrt(maximum(collective + tilt + yaw * spin, 0.0)), volts_ratio))
        for tilt, (_, _, spin) in zip(tilts, rotors, strict=True)
    )


def _rates(q_nb: Group, q_nb_sp: Group, rate_b: Group, weight: Real) -> Group:
    """Return the rates that turn the attitude onto its setpoint, the shorter way. FRD [rad/s]."""
    (aw, ax, ay, az), (bw, bx, by, bz) = q_nb, q_nb_sp
    w = aw * bw + ax * bx + ay * by + az * bz
    x = aw * bx - ax * bw - ay * bz + az * by
    y = aw * by + ax * bz - ay * bw - az * bx
    z = aw * bz - ax * by + ay * bx - az * bw
    gain = weight * choose(w, 2.0 * _ATTITUDE_P, -2.0 * _ATTITUDE_P)
    rx, ry = gain * x, gain * y
    shortened = _RATE_MAX / maximum(sqrt(rx * rx + ry * ry), _RATE_MAX)
    rz = clamp(0.5 * gain * z, -_YAW_RATE_MAX, _YAW_RATE_MAX)
    return rx * shortened + rate_b[0], ry * shortened + rate_b[1], rz + rate_b[2]


def steered(airframe: Airframe, dt_s: float) -> tuple[Text, tuple[int, ...]]:
    """Return one tick of control and physics as a text, and the sizes of its input groups.

    Groups: state, aim, wind_n, and health, which may be left out when every rotor has its own;
    out: state, contact (`sim.dynamics`), throttles.
    """
    rotors = len(airframe.rotors)
    whole = (1.0,) * rotors

    def text(
        state: Group, aim: Group, wind_n: Group, health: Group = whole
    ) -> tuple[Group, Group, Group]:
        command = throttles(airframe, state[6:10], state[10:BODY], aim)
        end = runge_kutta(airframe, dt_s, state, command, wind_n, health)
        return (*over_ground(state, end, dt_s), command)

    return text, (BODY + rotors, AIM, 3, rotors)
