"""Incremental disturbance rejection: what moved the vehicle beyond the model, and its removal.

The forces and torques the rotors gave a moment ago are known; so is the acceleration that
followed. Their difference is whatever the model lacks: wind, a shifted centre of gravity, a
heavier load. Measured rates must be differentiated and so filtered; the rotors' torque passes the
same filter, so that both are equally late and their difference is free of the delay.

Source: Smeur, Chu & de Croon, "Adaptive Incremental Nonlinear Dynamic Inversion for Attitude
Control of Micro Air Vehicles", JGCD 2016; Tal & Karaman, "Accurate Tracking of Aggressive
Quadrotor Trajectories Using INDI and Differential Flatness", IEEE TCST 2021.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from flightcore.control.attitude import torque_for
from flightcore.control.vectors import Vec, add, scale, sub


@dataclass(frozen=True, slots=True)
class Rejection:
    """How fast disturbances are believed.

    Attributes:
        torque_bandwidth: Cut-off of the filter on rate and torque. [rad/s]
        force_bandwidth: Cut-off of the filter on force. [rad/s]
    """

    torque_bandwidth: float = 60.0
    force_bandwidth: float = 20.0


class TorqueMemory(NamedTuple):
    """Filtered rate and rotor torque. FRD; [rad/s], [N m]."""

    rate_b: Vec
    torque_b: Vec


def share(bandwidth: float, dt_s: float) -> float:
    """Return how much of a step a first-order filter takes up in `dt_s` [-]."""
    return 1.0 - math.exp(-bandwidth * dt_s)


def low_pass(held: Vec, measured: Vec, taken: float) -> Vec:
    """Return the filter's state after a measurement."""
    return add(held, scale(taken, sub(measured, held)))


def torque_disturbance(
    memory: TorqueMemory, rate_b: Vec, torque_b: Vec, inertia: Vec, taken: float, dt_s: float
) -> tuple[Vec, TorqueMemory]:
    """Return the torque the rotors do not explain, FRD [N m], and the new memory.

    Args:
        memory: From the step before.
        rate_b: Measured rate. [rad/s]
        torque_b: Mean torque of the rotors since the step before. [N m]
        inertia: Principal moments. [kg m2]
        taken: `share` of the torque filter.
        dt_s: Step. [s]

    Invariant:
        Zero for a vehicle that follows the model; a constant torque is found whole.
    """
    rate_f = low_pass(memory.rate_b, rate_b, taken)
    torque_f = low_pass(memory.torque_b, torque_b, taken)
    measured = scale(1.0 / dt_s, sub(rate_f, memory.rate_b))
    needed = torque_for(measured, rate_f, inertia)
    return sub(needed, torque_f), TorqueMemory(rate_f, torque_f)


def force_disturbance(held_n: Vec, measured_n: Vec, modelled_n: Vec, taken: float) -> Vec:
    """Return the force the model does not explain. NED [N].

    Args:
        held_n: Estimate of the step before. [N]
        measured_n: Mass times specific force, from the accelerometer. [N]
        modelled_n: Thrust and drag of the model, of the same instant. [N]
        taken: `share` of the force filter.
    """
    return low_pass(held_n, sub(measured_n, modelled_n), taken)
