"""Flights of the tracking controller: trajectories times conditions, all in one batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.control_plant import STATE, Plant, Truth
from flightcore.control.flatness import FLAT_ROWS, FlatOutput, implied
from flightcore.control.indi import Rejection
from flightcore.control.prediction import prediction
from flightcore.control.tracking import SIZES, tracking
from flightcore.control.vehicle import Gains, Limits, Vehicle
from flightcore.trajectory.sampled import Trajectory
from tracing.executors import Array, Batch, Rows
from tracing.terms import Group

_BOX_M = 5.0  # further from the reference than this is a crash, as in Sun et al.


@dataclass(frozen=True, slots=True)
class Setup:
    """What flies: the model, how it is steered, and how finely it is integrated.

    Attributes:
        vehicle: The model.
        gains: Of the controller.
        limits: Of the controller.
        rejection: Whether and how fast it believes in disturbances.
        rate_hz: Of the controller.
        substeps: Integration steps for one of the controller's.
        lag_s: Time constant of the rotors. [s]
        predicts: Whether it flies what it sees forward to the present.
    """

    vehicle: Vehicle
    gains: Gains
    limits: Limits
    rejection: Rejection | None
    rate_hz: int = 300
    substeps: int = 2
    lag_s: float = 0.0
    predicts: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """Per flight: root mean square of the position error [m], and whether it left the box."""

    position: Array
    left: NDArray[np.bool_]


def fly(
    setup: Setup,
    trajectories: Sequence[Trajectory],
    truths: Sequence[Truth],
    duration: float,
    *,
    built: Vehicle | None = None,
    aims: Sequence[Trajectory] | None = None,
    executor: type[Batch] = Rows,
) -> list[Outcome]:
    """Fly every trajectory under every truth; return one outcome per truth.

    Args:
        setup: What the controller believes and how it steers.
        trajectories: Each starts where it starts, in the state that it implies.
        truths: How vehicles differ from the one that was built.
        duration: Of every flight. [s]
        built: The vehicle that was built; as believed if not given.
        aims: What the controller is given in the trajectories' place; errors count from these.
        executor: What runs the controllers and the plants.
    """
    dt_s = 1.0 / setup.rate_hz
    steps, lanes, conditions = round(duration * setup.rate_hz), len(trajectories), len(truths)
    times = np.arange(steps + 1, dtype=np.float64) * dt_s
    table = _table(trajectories, times)
    given = table if aims is None else _table(aims, times)
    plant = Plant(
        built or setup.vehicle,
        [truth for truth in truths for _ in range(lanes)],
        setup.lag_s,
        dt_s / setup.substeps,
        executor,
    )
    start_state, start_thrust = start(setup, table[0])
    plant.state[:] = np.tile(start_state, conditions)
    plant.thrusts[:] = np.tile(start_thrust, conditions)
    plant.mean_thrusts[:] = plant.thrusts
    text = tracking(setup.vehicle, setup.gains, setup.limits, setup.rejection, dt_s)
    controller = executor(text, SIZES, lanes * conditions, feedback=((1, 3),))
    seen, reference, sensed, memory = controller.inputs
    memory[3:6] = plant.state[10:13]
    late = [round(truth.latency_s * setup.rate_hz) for truth in truths]
    plant.feel()
    past = [plant.measured()] * (max(late) + 1)
    by_truth = (slice(i * lanes, (i + 1) * lanes) for i in range(conditions))
    views = [(part, age) for part, age in zip(by_truth, late, strict=True)]
    model = Rows(prediction(setup.vehicle, dt_s), (STATE, 4), lanes, feedback=((0, 0),))
    commands = [plant.thrusts.copy()] * (max(late) + 1)
    squared = np.zeros((conditions, lanes))
    left = np.zeros((conditions, lanes), dtype=np.bool_)
    shaped = reference.reshape(FLAT_ROWS, conditions, lanes)
    with np.errstate(all="ignore"):  # what has left may go where it likes
        for k in range(steps):
            past = [plant.measured(), *past[:-1]]
            for part, age in views:
                seen[:, part], sensed[:, part] = np.split(past[age][:, part], [STATE])
                if setup.predicts:
                    model.inputs[0][:] = seen[:, part]
                    for command in commands[age - 1 :: -1] if age else ():
                        model.inputs[1][:] = command[:, part]
                        model.run()
                    seen[:, part] = model.inputs[0]
            shaped[:] = given[k][:, None, :]
            controller.run()
            commands = [controller.outputs[0].copy(), *commands[:-1]]
            plant.advance(controller.outputs[0], setup.substeps)
            error = plant.state[:3].reshape(3, conditions, lanes) - table[k + 1][:3, None]
            away = (error * error).sum(axis=0)
            left |= ~(away < _BOX_M**2)
            squared += away
    rms = np.sqrt(squared / steps)
    return [Outcome(rms[i], left[i]) for i in range(conditions)]


def _table(trajectories: Sequence[Trajectory], times: Array) -> Array:
    """Return flat outputs. Shape (times, rows, trajectories)."""
    rows = np.stack([t.sample(times) for t in trajectories], axis=-1)
    return rows.transpose(1, 0, 2).copy()


def start(setup: Setup, reference: Array) -> tuple[Array, Array]:
    """Return the state and the rotor thrusts that fly the reference's first instant."""

    def text(flat: Group) -> tuple[Group]:
        state = implied(FlatOutput.of(flat), setup.vehicle, setup.limits)
        return ((*state.axes.x, *state.axes.y, *state.axes.z, *state.rate_b, state.thrust),)

    rows = Rows(text, (FLAT_ROWS,), reference.shape[1])
    rows.inputs[0][:] = reference
    rows.run()
    (found,) = rows.outputs
    matrix = found[:9].reshape(3, 3, -1).transpose(2, 1, 0)
    state = np.concatenate([reference[:6], quaternion(matrix).T, found[9:12]])
    return state, np.repeat(found[12:] / 4.0, 4, axis=0)


def quaternion(matrix: Array) -> Array:
    """Return unit quaternions of rotation matrices, (n, 3, 3) to (n, 4), from eigenvectors.

    Source:
        Bar-Itzhack, "New Method for Extracting the Quaternion from a Rotation Matrix", 2000.
    """
    m = matrix
    k = np.empty((len(m), 4, 4))
    trace = np.trace(m, axis1=1, axis2=2)
    k[:, 0, 0] = trace
    k[:, 1:, 1:] = m + m.transpose(0, 2, 1) - trace[:, None, None] * np.eye(3)
    k[:, 0, 1] = k[:, 1, 0] = m[:, 2, 1] - m[:, 1, 2]
    k[:, 0, 2] = k[:, 2, 0] = m[:, 0, 2] - m[:, 2, 0]
    k[:, 0, 3] = k[:, 3, 0] = m[:, 1, 0] - m[:, 0, 1]
    return np.ascontiguousarray(np.linalg.eigh(k)[1][:, :, -1])
