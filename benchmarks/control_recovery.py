"""Recovery from almost upside down: Lee, Leok & McClamroch 2010, case II, and what reproduces it.

Published: from rest, turned over, Psi(0) = 1.995, and Psi < 1 from 0.88 s on; Psi is one minus the
cosine of the angle to the attitude the law asks for, so it passes 1 at a right angle. The printed
attitude gives Psi(0) = 1.9995. Of the damping of the rate two values are about: 2.54 (arXiv
1003.2005v4) and 1.54, found in a re-implementation of the conference paper together with
k_x = 59.02 = 13.6 m and k_v = 24.30 = 5.6 m. Every reading is flown here, by their whole law (with
position, velocity and feed-forward, thrust along the axis even if negative) on the accuracy
benchmarks' plant, and by ours.
"""

import math
from typing import Final, NamedTuple

import msgspec
import numpy as np

from benchmarks import report
from benchmarks.control_flights import quaternion
from benchmarks.control_plant import Plant, Truth
from flightcore.control.allocation import effectiveness
from flightcore.control.tracking import MEMORY_ROWS, SIZES, tracking
from flightcore.control.vehicle import Gains, Limits, Rotor, Vehicle
from tracing.executors import Array, floats

PUBLISHED_S: Final = 0.88
_INERTIA: Final = (0.0820, 0.0845, 0.1377)
_ARM, _TURN = 0.315, 8.004e-4
LEE: Final = Vehicle(
    mass=4.34,
    inertia=_INERTIA,
    rotors=(
        Rotor(_ARM, 0.0, _TURN),
        Rotor(0.0, _ARM, -_TURN),
        Rotor(-_ARM, 0.0, _TURN),
        Rotor(0.0, -_ARM, -_TURN),
    ),
    thrust_min=0.0,
    thrust_max=25.0,
    gravity=9.81,
)
STIFFNESS: Final = 8.81
PRINTED: Final = math.pi - math.asin(0.0314)  # of R(0) [rad]
ROUNDED: Final = math.acos(1.0 - 1.995)  # of Psi(0) [rad]
_STEP_S: Final = 1e-3
_LIMIT_S: Final = 5.0
_DOWN: Final = np.array([0.0, 0.0, 1.0])
_UNMIX: Final = np.linalg.inv(np.array(effectiveness(LEE)))


class Reading(NamedTuple):
    """One way to read the paper.

    Attributes:
        name: What is read how.
        angle: Of the start. [rad]
        damping: k_W. [N m s]
        spring: k_x per mass. [1/s2]
        moving: Position, velocity and feed-forward in the law; else the attitude wanted is level.
        least: Thrust. [N]
        error: Factor on (R_d^T R - R^T R_d)^v; one half as printed.
    """

    name: str
    angle: float = PRINTED
    damping: float = 2.54
    spring: float = 16.0
    moving: bool = True
    least: float = -math.inf
    error: float = 0.5


READINGS: Final = (
    Reading("arXiv v4: k_W 2.54, printed attitude"),
    Reading("the same, attitude alone", moving=False),
    Reading("k_W 2.54, Psi(0) = 1.995", ROUNDED),
    Reading("k_W 2.54, Psi(0) = 1.995, attitude alone", ROUNDED, moving=False),
    Reading("k_W 2.54, error vector without its half", error=1.0),
    Reading("k_W 1.54, k_x 13.6 m, printed attitude", damping=1.54, spring=13.6),
    Reading("the same, attitude alone", damping=1.54, moving=False),
    Reading("the same, no thrust backwards", damping=1.54, spring=13.6, least=0.0),
    Reading("k_W 1.54, k_x 13.6 m, Psi(0) = 1.995", ROUNDED, damping=1.54, spring=13.6),
)


class Recovered(msgspec.Struct, frozen=True):
    """How long it takes until Psi < 1 [s]."""

    name: str
    seconds: float


def recover() -> list[Recovered]:
    """Fly every reading and ours, print the table and return it."""
    found = [Recovered(reading.name, lee(reading)) for reading in READINGS]
    for damping in (2.54, 1.54):
        name = f"ours, k_W {damping}: tilt first, rotors of 0 to 25 N, printed attitude"
        found.append(Recovered(name, ours(damping)))
    report.table(
        f"recovery from upside down, Lee et al. 2010 (published: {PUBLISHED_S} s)",
        ("reading", "s until Psi < 1"),
        [(each.name, f"{each.seconds:.3f}") for each in found],
    )
    return found


def lee(reading: Reading) -> float:
    """Fly their law; return when Psi falls below 1 [s]."""
    plant = _turned(reading.angle)
    inertia = np.array(_INERTIA)
    last = np.eye(3)
    rate_sp = turning_sp = np.zeros(3)
    for k in range(round(_LIMIT_S / _STEP_S)):
        position, velocity, rate = plant.state[:3, 0], plant.state[3:6, 0], plant.state[10:, 0]
        body = _matrix(plant.state[6:10, 0])
        springs = reading.spring * position + 5.6 * velocity if reading.moving else np.zeros(3)
        force = -LEE.mass * (springs + LEE.gravity * _DOWN)
        wanted = _attitude(-force)
        if 0.5 * np.trace(np.eye(3) - wanted.T @ body) < 1.0:
            return round(k * _STEP_S, 4)
        if reading.moving and k > 0:
            before, rate_sp = rate_sp, _vector(last.T @ wanted - wanted.T @ last) / 2.0 / _STEP_S
            turning_sp = (rate_sp - before) / _STEP_S if k > 1 else turning_sp
        last = wanted
        across = body.T @ wanted
        error = reading.error * _vector(wanted.T @ body - body.T @ wanted)
        torque = -STIFFNESS * error - reading.damping * (rate - across @ rate_sp)
        torque += np.cross(rate, inertia * rate)
        torque -= inertia * (np.cross(rate, across @ rate_sp) - across @ turning_sp)
        thrust = max(-float(force @ body[:, 2]), reading.least)
        plant.advance((_UNMIX @ [thrust, *torque])[:, None], 1)
    return math.inf


def ours(damping: float) -> float:
    """Fly the tracking controller, as stiff at small angles and as damped; return the time [s]."""
    jx, jy, jz = _INERTIA
    # Twice: per sine of half the angle.
    gains = Gains(
        (16.0,) * 3,
        (5.6,) * 3,
        2.0 * STIFFNESS / jx,
        2.0 * STIFFNESS / jz,
        (damping / jx, damping / jy, damping / jz),
    )
    program = floats(tracking(LEE, gains, Limits(), None, _STEP_S), SIZES)
    plant = _turned(PRINTED)
    hover = (0.0,) * 18
    memory: tuple[float, ...] = (0.0,) * MEMORY_ROWS
    for k in range(round(_LIMIT_S / _STEP_S)):
        if _matrix(plant.state[6:10, 0])[2, 2] > 0.0:  # against level: 1 - cos
            return round(k * _STEP_S, 4)
        command, memory = program(tuple(plant.state[:, 0].tolist()), hover, (0.0,) * 7, memory)
        plant.advance(np.array(command)[:, None], 1)
    return math.inf


def _turned(angle: float) -> Plant:
    """Return the vehicle at rest, turned about its x axis."""
    plant = Plant(LEE, [Truth()], 0.0, _STEP_S)
    c, s = math.cos(angle), math.sin(angle)
    start = np.array([[[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]]])
    plant.state[6:10] = quaternion(start).T
    return plant


def _matrix(q_nb: Array) -> Array:
    w, x, y, z = q_nb
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _attitude(down: Array) -> Array:
    """Return the attitude whose z axis lies along `down` and whose x axis looks north."""
    z = down / np.linalg.norm(down)
    y = np.cross(z, [1.0, 0.0, 0.0])
    y /= np.linalg.norm(y)
    return np.column_stack([np.cross(y, z), y, z])


def _vector(skew: Array) -> Array:
    return np.array([skew[2, 1], skew[0, 2], skew[1, 0]])
