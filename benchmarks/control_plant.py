"""The plant of the accuracy benchmarks: N quadrotors whose truth may differ from the model.

Each vehicle has its own mass, drag, load and shift of the centre of gravity, so that every
condition of a table runs in one batch. Rigid body and linear drag with lift, as Sun et al. 2022
simulate; rotors follow their commands at once or with a first-order lag. The rotation is formed
here anew: plant and controller must not share a sign error.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from flightcore.control.allocation import effectiveness
from flightcore.control.vehicle import Vehicle
from tracing.executors import Array, Batch, Rows, Text
from tracing.terms import Group, Real, sqrt

STATE: Final = 13  # position 3, velocity 3, q_nb 4, rate 3
TRUTH: Final = 9  # mass, drag, shift, force 3, torque 3


@dataclass(frozen=True, slots=True)
class Truth:
    """How a vehicle differs from its model.

    Attributes:
        mass: Factor on the mass; inertia stays. [-]
        drag: Factor on drag and lift. [-]
        shift: Of the centre of gravity forward, per arm. [-]
        force_n: Load, NED. [N]
        torque_b: Load, FRD. [N m]
        latency_s: Age of all that the controller sees. [s]
    """

    mass: float = 1.0
    drag: float = 1.0
    shift: float = 0.0
    force_n: tuple[float, float, float] = (0.0, 0.0, 0.0)
    torque_b: tuple[float, float, float] = (0.0, 0.0, 0.0)
    latency_s: float = 0.0


class Plant:
    """Quadrotors in flight; `state` and `thrusts` may be written before the first step.

    Attributes:
        state: Truth. Shape (13, N).
        specific_force: What accelerometers read at the end of the last step, FRD. Shape (3, N).
        thrusts: Of the rotors now. Shape (4, N). [N]
        mean_thrusts: Over the last `advance`. Shape (4, N). [N]
    """

    def __init__(
        self,
        vehicle: Vehicle,
        truths: list[Truth],
        lag_s: float,
        dt_s: float,
        executor: type[Batch] = Rows,
    ) -> None:
        """Make the plant.

        Args:
            vehicle: The model the truths differ from.
            truths: One per vehicle.
            lag_s: Time constant of the rotors; 0 makes them ideal. [s]
            dt_s: Integration step. [s]
            executor: What runs them.
        """
        sizes = (STATE, 4, TRUTH)
        self._rows = executor(_text(vehicle, dt_s), sizes, len(truths), feedback=((0, 0),))
        self.state, self.thrusts, parameters = self._rows.inputs
        self.specific_force = self._rows.outputs[1]
        self.mean_thrusts = np.zeros_like(self.thrusts)
        for i, truth in enumerate(truths):
            numbers = truth.mass, truth.drag, truth.shift, *truth.force_n, *truth.torque_b
            parameters[:, i] = numbers
        self._keep = math.exp(-dt_s / lag_s) if lag_s > 0.0 else 0.0

    def feel(self) -> None:
        """Let the accelerometers read what state and thrusts give now; nothing moves."""
        kept = self.state.copy()
        self._rows.run()
        self.state[:] = kept

    def measured(self) -> Array:
        """Return state, specific force and mean thrusts as they are now. Shape (20, N)."""
        return np.concatenate([self.state, self.specific_force, self.mean_thrusts])

    def advance(self, command: Array, steps: int) -> None:
        """Fly `steps` integration steps under one command. Shape (4, N) [N]."""
        self.mean_thrusts[:] = 0.0
        for _ in range(steps):
            self.thrusts += (command - self.thrusts) * (1.0 - self._keep)
            self.mean_thrusts += self.thrusts / steps
            self._rows.run()


def _text(vehicle: Vehicle, dt_s: float) -> Text:
    reach = math.hypot(vehicle.rotors[0].x, vehicle.rotors[0].y)
    jx, jy, jz = vehicle.inertia
    dx, dy, dz = vehicle.drag

    def wrench(thrusts: Group, truth: Group) -> tuple[Real, Real, Real, Real]:
        total, roll, pitch, yaw = (
            sum((k * f for k, f in zip(row, thrusts, strict=True)), 0.0)
            for row in effectiveness(vehicle)
        )
        # Moved forward by s, the centre leaves every rotor s further behind.
        return total, roll + truth[6], pitch - truth[2] * reach * total + truth[7], yaw + truth[8]

    def specific_force(state: Group, total: Real, truth: Group) -> tuple[Real, ...]:
        """Return all forces but weight per mass, in body axes."""
        (ax, ay, az) = _axes(state)
        vx, vy, vz = (_dot(axis, state[3:6]) for axis in (ax, ay, az))
        fx, fy, fz = (_dot(axis, truth[3:6]) for axis in (ax, ay, az))
        lift = vehicle.lift * (vx * vx + vy * vy)
        mass, k = vehicle.mass * truth[0], truth[1]
        return (
            (fx - k * dx * vx) / mass,
            (fy - k * dy * vy) / mass,
            (fz - k * (dz * vz + lift) - total) / mass,
        )

    def derivative(state: Group, moved: tuple[Real, Real, Real, Real], truth: Group) -> Group:
        sx, sy, sz = specific_force(state, moved[0], truth)
        ax, ay, az = _axes(state)
        w, x, y, z, p, q, r = state[6:]
        return (
            *state[3:6],
            ax[0] * sx + ay[0] * sy + az[0] * sz,
            ax[1] * sx + ay[1] * sy + az[1] * sz,
            ax[2] * sx + ay[2] * sy + az[2] * sz + vehicle.gravity,
            -0.5 * (x * p + y * q + z * r),
            0.5 * (w * p + y * r - z * q),
            0.5 * (w * q + z * p - x * r),
            0.5 * (w * r + x * q - y * p),
            (moved[1] - (jz - jy) * q * r) / jx,
            (moved[2] - (jx - jz) * p * r) / jy,
            (moved[3] - (jy - jx) * p * q) / jz,
        )

    def step(state: Group, thrusts: Group, truth: Group) -> tuple[Group, Group]:
        moved = wrench(thrusts, truth)
        slope = derivative(state, moved, truth)
        total = slope
        for part, weight in ((0.5, 2.0), (0.5, 2.0), (1.0, 1.0)):
            slope = derivative(_along(state, slope, part * dt_s), moved, truth)
            total = _along(total, slope, weight)
        end = _along(state, total, dt_s / 6.0)
        w, x, y, z = end[6:10]
        k = 1.0 / sqrt(w * w + x * x + y * y + z * z)
        end = (*end[:6], k * w, k * x, k * y, k * z, *end[10:])
        return end, specific_force(end, moved[0], truth)

    return step


def _along(state: Group, slope: Group, dt_s: float) -> Group:
    return tuple(x + dt_s * k for x, k in zip(state, slope, strict=True))


def _dot(a: Group, b: Group) -> Real:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _axes(state: Group) -> tuple[Group, Group, Group]:
    """Return the body axes in NED: columns of the rotation, from products of the quaternion."""
    w, x, y, z = state[6:10]
    ww, xx, yy, zz = w * w, x * x, y * y, z * z
    return (
        (ww + xx - yy - zz, 2.0 * (x * y + w * z), 2.0 * (x * z - w * y)),
        (2.0 * (x * y - w * z), ww - xx + yy - zz, 2.0 * (y * z + w * x)),
        (2.0 * (x * z + w * y), 2.0 * (y * z - w * x), ww - xx - yy + zz),
    )
