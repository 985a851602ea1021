"""``python benchmarks/sim_peer_crazyflow.py N...``: crazyflow on one CPU; a line of JSON.

Its nearest to W1: first-principles dynamics, Mellinger's controller at every step of 2 ms, RK4,
float32, the setpoint given anew at each step. A program of its own, as that of rotorpy.
"""

import json
import sys
import time

import jax
import numpy as np
from crazyflow.control import Control
from crazyflow.dynamics import Dynamics
from crazyflow.sim import Sim
from crazyflow.sim.integration import Integrator

HZ = 500


def rate(count: int, steps: int, repeats: int) -> float:
    """Return vehicle-steps per second, the best."""
    sim = Sim(
        n_worlds=count, n_drones=1, dynamics=Dynamics.first_principles, control=Control.state,
        integrator=Integrator.rk4, freq=HZ, state_freq=HZ, attitude_freq=HZ, body_rate_freq=HZ,
        force_torque_freq=HZ, device="cpu",
    )  # fmt: skip
    sim.reset()
    setpoint = np.zeros((count, 1, 16), np.float32)
    setpoint[..., 2], setpoint[..., 12] = 0.5, 1.0
    best = np.inf
    for repeat in range(repeats + 1):
        start = time.perf_counter()
        for _ in range(steps):
            sim.state_control(setpoint)
            sim.step(1)
        jax.block_until_ready(sim.data.states.pos)
        if repeat:  # the first compiles
            best = min(best, (time.perf_counter() - start) / steps)
    return count / best


if __name__ == "__main__":
    rates = {n: rate(int(n), max(8, 20_000 // int(n)), 4) for n in sys.argv[1:]}
    print(json.dumps({"us": 1e6 / rate(1, 300, 3), "rates": rates}))
