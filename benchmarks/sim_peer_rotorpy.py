"""``python benchmarks/sim_peer_rotorpy.py STEPS N...``: W1 on rotorpy; figures as one line of JSON.

A program of its own, because rotorpy and torch live in an interpreter of their own. The batch runs
torch's fourth-order method at a fixed step, on every core, as rotorpy is meant to be run.
"""

import json
import sys
import time

import numpy as np
import torch
from numpy.typing import NDArray
from rotorpy.controllers.quadrotor_control import BatchedSE3Control, SE3Control
from rotorpy.trajectories.circular_traj import BatchedThreeDCircularTraj, ThreeDCircularTraj
from rotorpy.vehicles.hummingbird_params import quad_params
from rotorpy.vehicles.multirotor import BatchedMultirotor, BatchedMultirotorParams, Multirotor

Array = NDArray[np.float64]
DT_S = 0.0025
HOVER = np.sqrt(quad_params["mass"] * 9.81 / 4 / quad_params["k_eta"])


def circles(count: int) -> tuple[Array, Array, Array]:
    i = np.arange(float(count))
    return 1.0 + i % 16.0 / 16.0, 0.2 + 0.02 * (i % 7.0), 1.0 + i % 5.0


def single(steps: int) -> float:
    """Return microseconds a step of one vehicle with rotorpy's own integrator, the best of 3."""
    best = np.inf
    for _ in range(3):
        radius, turning, height = (float(a[0]) for a in circles(1))
        state = {
            "x": np.array([radius, 0, height]),
            "v": np.zeros(3),
            "q": np.array([0, 0, 0, 1.0]),
            "w": np.zeros(3),
            "wind": np.zeros(3),
            "rotor_speeds": np.full(4, HOVER),
        }
        path = ThreeDCircularTraj(
            np.array([0, 0, height]), np.array([radius, radius, 0.0]), np.full(3, turning)
        )
        vehicle, controller = Multirotor(quad_params, state), SE3Control(quad_params)
        start = time.perf_counter()
        for k in range(steps):
            command = controller.update(k * DT_S, state, path.update(k * DT_S))
            state = vehicle.step(state, command, DT_S)
        best = min(best, (time.perf_counter() - start) / steps)
    return best * 1e6


def batch(count: int, steps: int, repeats: int) -> tuple[float, list[list[float]]]:
    """Return vehicle-steps per second, the best, and the state after all steps."""
    radius, turning, height = circles(count)
    device = torch.device("cpu")
    parameters = BatchedMultirotorParams([quad_params] * count, count, device)
    zeros = np.zeros_like(radius)
    state = {
        "x": torch.from_numpy(np.stack([radius, zeros, height.astype(float)], 1)),
        "v": torch.zeros(count, 3, dtype=torch.double),
        "q": torch.tensor([[0.0, 0.0, 0.0, 1.0]] * count, dtype=torch.double),
        "w": torch.zeros(count, 3, dtype=torch.double),
        "wind": torch.zeros(count, 3, dtype=torch.double),
        "rotor_speeds": torch.full((count, 4), float(HOVER), dtype=torch.double),
    }
    vehicle = BatchedMultirotor(
        parameters, count, state, device,
        control_abstraction="cmd_motor_speeds", aero=True, integrator="rk4",
    )  # fmt: skip
    controller = BatchedSE3Control(parameters, count, device)
    path = BatchedThreeDCircularTraj(
        np.stack([zeros, zeros, height], 1),
        np.stack([radius, radius, zeros], 1),
        np.stack([turning] * 3, 1),
        np.zeros(count, bool),
    )
    every, now, best = np.arange(count), 0.0, np.inf
    with torch.no_grad():
        for _ in range(repeats):
            start = time.perf_counter()
            for _ in range(steps):
                command = controller.update(now, state, path.update(now), every)
                state = vehicle.step(state, command, DT_S, every)
                now += DT_S
            best = min(best, (time.perf_counter() - start) / steps)
    q = state["q"].numpy()
    columns = [state["x"], state["v"], q[:, [3, 0, 1, 2]], state["w"], state["rotor_speeds"]]
    return count / best, np.concatenate([np.asarray(c) for c in columns], 1).tolist()


if __name__ == "__main__":
    steps = int(sys.argv[1])
    rates = {n: batch(int(n), max(8, 20_000 // int(n)), 4)[0] for n in sys.argv[2:]}
    print(
        json.dumps(
            {"us": single(200), "rates": rates, "steps": steps, "states": batch(6, steps, 1)[1]}
        )
    )
