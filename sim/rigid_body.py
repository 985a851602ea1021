"""Multicopters as rigid bodies: the text of `sim.dynamics`, for one vehicle or for many.

One vehicle runs in plain floats, from a dozen on they run in numpy rows: the same operations in
the same order. The step is the classical Runge-Kutta rule; its error against a step ten times
finer is below a millimetre after ten seconds of aerobatics (`tests/unit/sim/test_rigid_body.py`).
"""

import math
from functools import cache
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from sim.airframe import Airframe
from sim.control.inner import AIM, steered
from sim.dynamics import BODY, CONTACT, over_ground, runge_kutta
from tracing.executors import Array, Batch, FloatProgram, Rows, Text, floats
from tracing.terms import Group

_ROWS_FROM: Final = 12  # vehicles; fewer are faster one by one


def flight(airframe: Airframe, dt_s: float) -> tuple[Text, tuple[int, ...]]:
    """Return one step over the ground as a text, and the sizes of its input groups.

    Groups: state, command, wind_n, and health, which may be left out when every rotor has its
    own; out: state, contact (`sim.dynamics`).
    """
    rotors = len(airframe.rotors)
    whole = (1.0,) * rotors

    def text(
        state: Group, command: Group, wind_n: Group, health: Group = whole
    ) -> tuple[Group, Group]:
        end = runge_kutta(airframe, dt_s, state, command, wind_n, health)
        return over_ground(state, end, dt_s)

    return text, (BODY + rotors, rotors, 3, rotors)


@cache
def programs(
    airframe: Airframe, dt_s: float, *, is_steered: bool = False
) -> tuple[FloatProgram, FloatProgram]:
    """Return one step for one vehicle with every rotor whole, and one that is told their health.

    The first is a quarter faster, because what is multiplied by 1 vanishes from its text.
    """
    text, sizes = (steered if is_steered else flight)(airframe, dt_s)
    return floats(text, sizes[:-1]), floats(text, sizes)


class Body(NamedTuple):
    """One of the vehicles of a `RigidBody`: views of its arrays, with one row each."""

    state: Array
    position_n: Array
    velocity_n: Array
    acceleration_n: Array
    q_nb: Array
    rate_b: Array
    rotor_speed: Array
    health: Array
    on_ground: NDArray[np.bool_]
    impact_speed: Array
    throttle: Array
    command: Array
    wind_n: Array


class Felt(msgspec.Struct, frozen=True, gc=False):
    """What one vehicle's physics are at one moment, in plain numbers: a row of each array.

    Attributes:
        state: As `RigidBody.state`.
        acceleration_n: Mean NED acceleration of the last step. [m/s2]
        on_ground: Whether it touches the ground.
        impact_speed: Of a touch-down since it was felt last, 0 without one. [m/s]
        throttle: Of each rotor. [-]
    """

    state: list[float]
    acceleration_n: list[float]
    on_ground: bool
    impact_speed: float
    throttle: list[float]


class RigidBody:
    """N vehicles of one kind over a flat ground at NED down = 0.

    Invariant: attitude stays unit to rounding; nothing is ever below the ground. The zero state
    stands on the ground at the NED origin, rotors still. One caller steps it. The arrays may be
    written to between steps; they are views of the state. A steered one flies itself: it is given
    an aim (`sim.control.inner`) for its throttles, and finds those itself at each step.

    Attributes:
        state: Position, velocity, attitude, rate and rotor speed, as below, in one row. Shape
            (N, 13 + rotors).
        position_n: NED position. Shape (N, 3). [m]
        velocity_n: NED velocity. Shape (N, 3). [m/s]
        acceleration_n: Mean NED acceleration of the last step; 0 at rest. Shape (N, 3). [m/s2]
        q_nb: Attitude. Shape (N, 4). [-]
        rate_b: Angular rate in FRD. Shape (N, 3). [rad/s]
        rotor_speed: Speed over the speed at full throttle. Shape (N, rotors). [-]
        health: Share of its forces each rotor gives. Shape (N, rotors). [-]
        on_ground: Whether each vehicle touches the ground. Shape (N,).
        impact_speed: Speed of the last touch-down, until somebody writes 0. Shape (N,). [m/s]
        throttle: Speed each rotor is driven towards, over its full speed. Shape (N, rotors). [-]
        command: What `advance` takes: throttles, shape (N, rotors), or aims, shape (N, `AIM`).
        wind_n: Velocity of the air in NED. Shape (N, 3). [m/s]
    """

    def __init__(
        self,
        airframe: Airframe,
        count: int = 1,
        *,
        dt_s: float,
        heading: float = 0.0,
        is_steered: bool = False,
        executor: type[Batch] | None = None,
    ) -> None:
        """Make `count` vehicles on the ground.

        Args:
            airframe: Of all of them.
            count: N.
            dt_s: Step. [s]
            heading: Of all of them. [rad]
            is_steered: `advance` takes aims, and the inner loops run with the physics.
            executor: What runs them, as `tracing.compiled.Compiled`; by default floats or rows, by
                their number.
        """
        self._rows: Batch | None = None
        rotors = len(airframe.rotors)
        if executor is None and count >= _ROWS_FROM:
            executor = Rows
        if executor is not None:
            text, sizes = (steered if is_steered else flight)(airframe, dt_s)
            self._rows = executor(text, sizes, count, feedback=((0, 0),))
            self._state, self._command, self._wind, health = self._rows.inputs
            self._contact = self._rows.outputs[1]
            throttle = self._rows.outputs[2] if is_steered else self._command
        else:
            self._whole, self._broken = programs(airframe, dt_s, is_steered=is_steered)
            self._state, self._contact = np.zeros((BODY + rotors, count)), np.zeros((5, count))
            self._command = np.zeros((AIM if is_steered else rotors, count))
            self._wind = np.zeros((3, count))
            throttle = np.zeros((rotors, count)) if is_steered else self._command
            health = np.zeros((rotors, count))
        assert len(self._contact) == CONTACT
        self._state[6], self._state[9] = math.cos(heading / 2), math.sin(heading / 2)
        self.state: Array = self._state.T
        self.position_n: Array = self._state[0:3].T
        self.velocity_n: Array = self._state[3:6].T
        self.q_nb: Array = self._state[6:10].T
        self.rate_b: Array = self._state[10:BODY].T
        self.rotor_speed: Array = self._state[BODY:].T
        self.health: Array = health.T
        self.health[:] = 1.0
        self.acceleration_n: Array = self._contact[2:5].T
        self.on_ground: NDArray[np.bool_] = np.ones(count, dtype=np.bool_)
        self.impact_speed: Array = np.zeros(count)
        self.throttle: Array = throttle.T
        self.command: Array = self._command.T
        self.wind_n: Array = self._wind.T
        self._is_steered = is_steered

    def one(self, index: int) -> Body:
        """Return one of the vehicles."""
        row = slice(index, index + 1)
        return Body(
            self.state[row],
            self.position_n[row],
            self.velocity_n[row],
            self.acceleration_n[row],
            self.q_nb[row],
            self.rate_b[row],
            self.rotor_speed[row],
            self.health[row],
            self.on_ground[row],
            self.impact_speed[row],
            self.throttle[row],
            self.command[row],
            self.wind_n[row],
        )

    def felt(self) -> list[Felt]:
        """Return what each vehicle feels now; a touch-down is told once."""
        felt = [
            Felt(*row)
            for row in zip(
                self.state.tolist(),
                self.acceleration_n.tolist(),
                self.on_ground.tolist(),
                self.impact_speed.tolist(),
                self.throttle.tolist(),
                strict=True,
            )
        ]
        self.impact_speed[:] = 0.0
        return felt

    def step(self, command: Array, wind_n: Array) -> None:
        """Advance every vehicle by one step.

        Args:
            command: Throttles, shape (N, rotors); of a steered one aims, shape (N, `AIM`).
            wind_n: Velocity of the air in NED. Shape (N, 3) or (1, 3). [m/s]
        """
        self.command[:], self.wind_n[:] = command, wind_n
        self.advance()

    def advance(self) -> None:
        """Advance every vehicle by one step, with what `command` and `wind_n` hold."""
        if self._rows is None:
            self._step_each()
        else:
            self._rows.run()
        touching = self._contact[0] > 0.0
        struck = touching & ~self.on_ground
        np.copyto(self.impact_speed, self._contact[1], where=struck)
        self.on_ground[:] = touching

    def _step_each(self) -> None:
        groups = (self._state.T.tolist(), self.command.tolist(), self.wind_n.tolist())
        for i, (state, command, wind) in enumerate(zip(*groups, strict=True)):
            health = self.health[i].tolist()
            if min(health) == 1.0:
                after = self._whole(state, command, wind)
            else:
                after = self._broken(state, command, wind, health)
            self._state[:, i], self._contact[:, i] = after[:2]
            if self._is_steered:
                self.throttle[i] = after[2]
