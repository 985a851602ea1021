"""One simulated vehicle: physics, battery, wind and autopilot, advanced together.

Vehicle time starts at zero and moves only through `step`; the caller decides how fast. Nothing
here reads a clock.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from sim.airframe import QUAD_X, Airframe
from sim.autopilot.core import Autopilot, Identity
from sim.autopilot.flight import Sensed
from sim.autopilot.signing import LineSigning
from sim.battery import Battery
from sim.control.cascade import Motion
from sim.dynamics import BODY
from sim.faults import faults_of, rotor_health
from sim.geodesy import Place
from sim.rigid_body import Body, Felt, RigidBody
from sim.sensors.gnss import Deception
from sim.sensors.readings import Readings
from sim.sensors.suite import Faults, Sensors, Truth
from sim.wind import Flow, Gust, Passing, Wind

TICK_NS: Final = 2_500_000
TICK_S: Final = TICK_NS * 1e-9
_SLOW_NS: Final = 100_000_000
_FRAME_CLASSES: Final = {4: 1, 6: 2, 8: 3}


class Pace(NamedTuple):
    """How finely a vehicle is simulated.

    Attributes:
        tick_ns: Step of the physics and of the inner control, a divisor of 100 ms.
        period: Ticks from one step of the autopilot to the next, a divisor of 100 ms.
        sense: Ticks from one sample of the sensors to the next, a multiple of `period`.
    """

    tick_ns: int
    period: int
    sense: int


FINE: Final = Pace(TICK_NS, 4, 4)  # as ArduCopter does it
# A fifth of the work: for fleets, and for what does not look at single milliseconds.
COARSE: Final = Pace(4 * TICK_NS, 5, 10)


@dataclass(frozen=True, slots=True)
class World:
    """Where and in what weather a vehicle stands.

    Attributes:
        start: Where it stands; NED zero.
        heading: Where it looks. [rad]
        wind_speed: Mean wind. [m/s]
        wind_from: Direction the wind comes from, clockwise from north. [rad]
        gusts: Standard deviation of the horizontal turbulence. [m/s]
        single_gusts: Gusts that come once.
        deceptions: What is done to the GNSS receiver, and when.
        epoch_us: Wall time at power-up, which GPS time counts from. [us since 1970]
    """

    start: Place
    heading: float = 0.0
    wind_speed: float = 0.0
    wind_from: float = 0.0
    gusts: float = 0.0
    single_gusts: tuple[Gust, ...] = ()
    deceptions: tuple[Deception, ...] = ()
    epoch_us: int = 1_795_253_000_000_000


class Simulation:
    """A vehicle in its world. The zero state is power-up on the ground.

    One caller steps it; or, if it was given a body, steps the physics of all bodies together after
    each has decided (`sim.fleet`).
    """

    def __init__(
        self,
        world: World,
        noise: np.random.Generator,
        *,
        sysid: int = 1,
        ekf_ready_s: float = 9.0,
        airframe: Airframe = QUAD_X,
        body: Body | None = None,
        pace: Pace = FINE,
    ) -> None:
        self.now_ns = 0
        self._world = world
        self._pace = pace
        self._slow = _SLOW_NS // (pace.period * pace.tick_ns)
        self._sense_every = pace.sense // pace.period
        self._noise = noise
        self._identity = Identity(airframe, world.start, sysid, ekf_ready_s)
        self._physics: RigidBody | None = None
        if body is None:
            self._physics = RigidBody(airframe, dt_s=pace.tick_ns * 1e-9, is_steered=True)
            body = self._physics.one(0)
        self.body = body
        half = 0.5 * world.heading
        self.body.q_nb[0] = (math.cos(half), 0.0, 0.0, math.sin(half))
        self.battery = Battery(airframe.pack)
        self.wind = Wind(noise, world.single_gusts)
        self._sensors = Sensors(airframe, noise.spawn(1)[0], world.deceptions)
        self._faults = Faults()
        self._flow = Flow(0.0, 0.0, 0.0)
        self._changes = -1
        self._readings: Readings | None = None
        self.autopilot = Autopilot(self._identity, noise)
        if airframe is not QUAD_X:
            self.autopilot.parameters.store("FRAME_CLASS", _FRAME_CLASSES[len(airframe.rotors)])
            self.autopilot.parameters.store("MOT_THST_HOVER", airframe.hover_thrust_fraction)
        for name, value in (
            ("SIM_WIND_SPD", world.wind_speed),
            ("SIM_WIND_DIR", math.degrees(world.wind_from)),
            ("SIM_WIND_TURB", world.gusts),
        ):
            if value:
                self.autopilot.parameters.store(name, value)
        self._booted_ns = 0
        self._last_words: list[bytes] = []
        self._ticks = 0  # if it steps itself
        self._periods = 0

    def receive(self, data: bytes) -> None:
        """Take bytes from the link."""
        self.autopilot.receive(data, self.now_ns - self._booted_ns)

    def outgoing(self) -> list[bytes]:
        """Return the frames to write, oldest first, and forget them."""
        last_words, self._last_words = self._last_words, []
        return last_words + self.autopilot.outgoing()

    def step(self) -> None:
        """Advance autopilot and physics by one tick."""
        assert self._physics is not None
        if self._ticks % self._pace.period == 0:
            (felt,) = self._physics.felt()
            self.body.command[0] = self.decide(felt)
        else:
            self.now_ns += self._pace.tick_ns
        self._ticks += 1
        self._physics.advance()

    def decide(self, felt: Felt) -> tuple[float, ...]:
        """Run the autopilot for a period; return its aim. The time is then one tick into it."""
        pace, periods = self._pace, self._periods
        self._periods = periods + 1
        if periods % self._slow == 0:
            self.battery.step(_load(felt), _SLOW_NS * 1e-9)
            self._follow_parameters()
            self._blow(felt, _SLOW_NS * 1e-9)
            if self.autopilot.reboot_wanted:
                self._reboot()
        self.now_ns += pace.tick_ns
        truth = _truth(felt)
        if self._readings is None or periods % self._sense_every == 0:
            dt_s = pace.sense * pace.tick_ns * 1e-9
            self._readings = self._sensors.sample(self.now_ns * 1e-9, dt_s, truth, self._faults)
        return self.autopilot.step(
            self._sense(felt, truth, self._readings),
            self.now_ns - self._booted_ns,
            self._world.epoch_us + self.now_ns // 1000,
            pace.period * pace.tick_ns * 1e-9,
            self.wind.velocity,
        ).numbers()

    def _blow(self, felt: Felt, dt_s: float) -> None:
        """Let the air change, as the SIM_WIND_ parameters say."""
        _, _, down, vx, vy, vz = felt.state[:6]
        before = self.wind.velocity
        self.wind.step(dt_s, self.now_ns * 1e-9, self._flow, Passing((vx, vy, vz), -down))
        if self.wind.velocity != before:
            self.body.wind_n[0] = self.wind.velocity

    def _follow_parameters(self) -> None:
        """Let blow and break what the SIM_ parameters ask for."""
        p = self.autopilot.parameters
        if p.changes == self._changes:
            return
        self._changes = p.changes
        self._flow = Flow(p["SIM_WIND_SPD"], math.radians(p["SIM_WIND_DIR"]), p["SIM_WIND_TURB"])
        self._faults = faults_of(p, self._world.start)
        self.body.health[0] = rotor_health(p, self.body.health.shape[1])

    def _sense(self, felt: Felt, truth: Truth, readings: Readings) -> Sensed:
        battery = self.battery
        motion = Motion(truth.position_n, truth.velocity_n, truth.q_nb, truth.rate_b)
        return Sensed(
            motion,
            motion,
            readings,
            truth.acceleration_n,
            felt.on_ground,
            felt.impact_speed,
            battery.volts,
            battery.volts_ratio,
            battery.current,
            battery.consumed_mah,
            battery.consumed_wh,
            battery.remaining,
            tuple(felt.throttle),
        )

    def _reboot(self) -> None:
        """Start the autopilot anew; what is in flash memory survives: parameters, mission, keys."""
        old = self.autopilot
        self._last_words = old.outgoing()
        self.autopilot = Autopilot(self._identity, self._noise, old.parameters)
        self.autopilot.restore(old)
        self.autopilot.signing = LineSigning(old.signing.stored)
        self._booted_ns = self.now_ns


def _load(felt: Felt) -> float:
    """Return the mean over the rotors of (speed / full speed)^3, as shaft power goes."""
    speeds = felt.state[BODY:]
    return sum(s * s * s for s in speeds) / len(speeds)


def _truth(felt: Felt) -> Truth:
    px, py, pz, vx, vy, vz, qw, qx, qy, qz, wx, wy, wz = felt.state[:BODY]
    ax, ay, az = felt.acceleration_n
    position_n, velocity_n, q_nb = (px, py, pz), (vx, vy, vz), (qw, qx, qy, qz)
    return Truth(position_n, velocity_n, (ax, ay, az), q_nb, (wx, wy, wz), felt.state[BODY:])
