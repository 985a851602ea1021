"""Many simulated vehicles whose physics run as one batch; each has its own autopilot and world."""

from collections.abc import Sequence

import numpy as np

from sim.airframe import QUAD_X, Airframe
from sim.rigid_body import RigidBody
from sim.simulation import FINE, Pace, Simulation, World
from tracing.executors import Batch


class Fleet:
    """N vehicles of one kind, stepped together. The zero state is power-up on the ground.

    Invariant: vehicle i does what it would do alone with the same world, generator and input.
    """

    def __init__(
        self,
        worlds: Sequence[World],
        noises: Sequence[np.random.Generator],
        *,
        sysid: int = 1,
        ekf_ready_s: float = 9.0,
        airframe: Airframe = QUAD_X,
        pace: Pace = FINE,
        executor: type[Batch] | None = None,
    ) -> None:
        """Make one vehicle per world; their system ids count up from `sysid`.

        `executor` runs the physics (`RigidBody`): `tracing.compiled.Compiled`, say.
        """
        count = len(worlds)
        self.pace = pace
        self._ticks = 0
        self._body = RigidBody(
            airframe, count, dt_s=pace.tick_ns * 1e-9, is_steered=True, executor=executor
        )
        self.simulations = [
            Simulation(
                world,
                noise,
                sysid=sysid + i,
                ekf_ready_s=ekf_ready_s,
                airframe=airframe,
                body=self._body.one(i),
                pace=pace,
            )
            for i, (world, noise) in enumerate(zip(worlds, noises, strict=True))
        ]

    @property
    def now_ns(self) -> int:
        """Return the vehicles' common time."""
        return self.simulations[0].now_ns

    def step(self) -> None:
        """Advance every vehicle by one tick."""
        if self._ticks % self.pace.period == 0:
            pairs = zip(self.simulations, self._body.felt(), strict=True)
            self._body.command[:] = [simulation.decide(felt) for simulation, felt in pairs]
        else:
            for simulation in self.simulations:
                simulation.now_ns += self.pace.tick_ns
        self._ticks += 1
        self._body.advance()
