"""Whether a vehicle can fly a trajectory: found before take-off, not in the air."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from flightcore.control.allocation import effectiveness
from flightcore.control.attitude import torque_for
from flightcore.control.flatness import FLAT_ROWS, FlatOutput, implied
from flightcore.control.vehicle import Limits, Vehicle
from flightcore.trajectory.sampled import ACCELERATION, POSITION, VELOCITY, Array, Trajectory
from tracing.executors import Rows
from tracing.terms import Group


class Excess(StrEnum):
    """What a trajectory asks too much of."""

    NOT_FINITE = "a number that is not finite"
    SPEED = "speed"
    ACCELERATION = "acceleration"
    TILT = "tilt"
    THRUST = "rotor thrust"
    HEIGHT = "height"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is allowed. SI units.

    Attributes:
        speed: Greatest. [m/s]
        acceleration: Greatest. [m/s2]
        tilt: Greatest angle of the thrust from the vertical. [rad]
        down_min: The ceiling, NED down, so negative. [m]
        down_max: The floor. [m]
        reserve: Share of each rotor's range kept for control, on both ends. [-]
    """

    speed: float
    acceleration: float
    tilt: float = math.pi
    down_min: float = -math.inf
    down_max: float = math.inf
    reserve: float = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """The worst instant of one excess: when, how much, and what is allowed."""

    excess: Excess
    at_s: float
    value: float
    allowed: float


def check(
    trajectory: Trajectory, vehicle: Vehicle, envelope: Envelope, *, step_s: float = 0.01
) -> list[Finding]:
    """Return what the trajectory asks too much of; nothing if it can be flown.

    Args:
        trajectory: To be flown.
        vehicle: Its rotors must give the thrusts that flatness implies.
        envelope: To be kept within.
        step_s: Between samples. [s]
    """
    times = np.linspace(
        0.0, trajectory.duration, max(2, math.ceil(trajectory.duration / step_s) + 1)
    )
    flat = trajectory.sample(times)
    finite = np.isfinite(flat).all(axis=0)
    if not finite.all():
        return [Finding(Excess.NOT_FINITE, float(times[int(np.argmin(finite))]), math.nan, 0.0)]
    thrusts, tilt = _implied(flat, vehicle)
    spare = envelope.reserve * (vehicle.thrust_max - vehicle.thrust_min)
    down = flat[POSITION][2]
    demands = (
        (Excess.SPEED, np.linalg.norm(flat[VELOCITY], axis=0), envelope.speed),
        (Excess.ACCELERATION, np.linalg.norm(flat[ACCELERATION], axis=0), envelope.acceleration),
        (Excess.TILT, tilt, envelope.tilt),
        (Excess.THRUST, thrusts.max(axis=0), vehicle.thrust_max - spare),
        (Excess.THRUST, -thrusts.min(axis=0), -vehicle.thrust_min - spare),
        (Excess.HEIGHT, -down, -envelope.down_min),
        (Excess.HEIGHT, down, envelope.down_max),
    )
    findings = []
    for excess, value, allowed in demands:
        worst = int(np.argmax(value))
        if value[worst] > allowed:
            findings.append(
                Finding(excess, float(times[worst]), float(value[worst]), float(allowed))
            )
    return findings


def _implied(flat: Array, vehicle: Vehicle) -> tuple[Array, Array]:
    """Return rotor thrusts, shape (4, n) [N], and tilt, shape (n,) [rad]."""
    # Nothing is held or bounded here: what cannot be flown must show.
    exact = Limits(hold=1e-6, rate=math.inf, angular_acceleration=math.inf)

    def text(reference: Group) -> tuple[Group]:
        state = implied(FlatOutput.of(reference), vehicle, exact)
        torque = torque_for(state.acceleration_b, state.rate_b, vehicle.inertia)
        return ((state.thrust, *torque, state.axes.z[2]),)

    rows = Rows(text, (FLAT_ROWS,), flat.shape[1])
    rows.inputs[0][:] = flat
    rows.run()
    (found,) = rows.outputs
    thrusts: Array = np.linalg.inv(np.array(effectiveness(vehicle))) @ found[:4]
    return thrusts, np.arccos(np.clip(found[4], -1.0, 1.0))
