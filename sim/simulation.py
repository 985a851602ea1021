"""One simulated vehicle: physics, battery, wind and autopilot, advanced together.

Vehicle time starts at zero and moves only through `step`; the caller decides how fast. Nothing
here reads a clock.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.airframe import QUAD_X, Airframe
from sim.autopilot.core import Autopilot, Identity
from sim.autopilot.flight import Sensed
from sim.autopilot.signing import LineSigning
from sim.battery import Battery
from sim.control.cascade import Motion
from sim.faults import faults_of, rotor_health
from sim.geodesy import Place
from sim.rigid_body import Body, RigidBody
from sim.sensors.gnss import Deception
from sim.sensors.readings import Readings
from sim.sensors.suite import Faults, Sensors
from sim.wind import Flow, Gust, Passing, Wind

TICK_NS: Final = 2_500_000
TICK_S: Final = TICK_NS * 1e-9
_SLOW_DIVIDER: Final = 40
_SENSE_DIVIDER: Final = 4
_FRAME_CLASSES: Final = {4: 1, 6: 2, 8: 3}


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

    Attributes:
        throttle: What the autopilot has decided. Shape (1, rotors). [-]
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
    ) -> None:
        self._world = world
        self._noise = noise
        self._identity = Identity(airframe, world.start, sysid, ekf_ready_s)
        self._physics: RigidBody | None = None
        if body is None:
            self._physics = RigidBody(airframe, dt_s=TICK_S)
            body = self._physics.one(0)
        self.body = body
        half = 0.5 * world.heading
        self.body.q_nb[0] = (math.cos(half), 0.0, 0.0, math.sin(half))
        self.battery = Battery(airframe.pack)
        self.wind = Wind(noise, world.single_gusts)
        self._sensors = Sensors(airframe, noise.spawn(1)[0], world.deceptions)
        self._faults = Faults()
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
        self.now_ns = 0
        self._booted_ns = 0
        self._last_words: list[bytes] = []
        self._ticks = 0
        self.throttle = np.zeros((1, len(airframe.rotors)))

    def receive(self, data: bytes) -> None:
        """Take bytes from the link."""
        self.autopilot.receive(data, self.now_ns - self._booted_ns)

    def outgoing(self) -> list[bytes]:
        """Return the frames to write, oldest first, and forget them."""
        last_words, self._last_words = self._last_words, []
        return last_words + self.autopilot.outgoing()

    def step(self) -> None:
        """Advance autopilot and physics by one tick of 2.5 ms."""
        assert self._physics is not None
        self.decide()
        self._physics.step(self.throttle, self.wind.velocity_n)

    def decide(self) -> None:
        """Advance all but the physics by one tick."""
        if self._ticks % _SLOW_DIVIDER == 0:
            load = float((self.body.rotor_speed**3).mean())
            self.battery.step(load, _SLOW_DIVIDER * TICK_S)
            self._blow(_SLOW_DIVIDER * TICK_S)
            self._fail()
            if self.autopilot.reboot_wanted:
                self._reboot()
        self._ticks += 1
        self.now_ns += TICK_NS
        uptime_ns = self.now_ns - self._booted_ns
        utc_us = self._world.epoch_us + self.now_ns // 1000
        if self._readings is None or self._ticks % _SENSE_DIVIDER == 1:
            self._readings = self._sensors.sample(
                self.now_ns * 1e-9, _SENSE_DIVIDER * TICK_S, self.body, self._faults
            )
        self.throttle[0] = self.autopilot.step(
            self._sense(self._readings), uptime_ns, utc_us, self.wind.velocity
        )

    def _blow(self, dt_s: float) -> None:
        """Let the air change, as the SIM_WIND_ parameters say."""
        p = self.autopilot.parameters
        flow = Flow(p["SIM_WIND_SPD"], math.radians(p["SIM_WIND_DIR"]), p["SIM_WIND_TURB"])
        north, east, down = self.body.velocity_n[0].tolist()
        passing = Passing((north, east, down), -float(self.body.position_n[0, 2]))
        self.wind.step(dt_s, self.now_ns * 1e-9, flow, passing)

    def _fail(self) -> None:
        """Let break what the SIM_ parameters ask for."""
        parameters = self.autopilot.parameters
        self._faults = faults_of(parameters, self._world.start)
        self.body.health[0] = rotor_health(parameters, self.body.health.shape[1])

    def _sense(self, readings: Readings) -> Sensed:
        body, battery = self.body, self.battery
        px, py, pz = body.position_n[0].tolist()
        vx, vy, vz = body.velocity_n[0].tolist()
        ax, ay, az = body.acceleration_n[0].tolist()
        qw, qx, qy, qz = body.q_nb[0].tolist()
        wx, wy, wz = body.rate_b[0].tolist()
        motion = Motion((px, py, pz), (vx, vy, vz), (qw, qx, qy, qz), (wx, wy, wz))
        return Sensed(
            motion,
            motion,
            readings,
            (ax, ay, az),
            bool(body.on_ground[0]),
            float(body.impact_speed[0]),
            battery.volts,
            battery.volts_ratio,
            battery.current,
            battery.consumed_mah,
            battery.consumed_wh,
            battery.remaining,
        )

    def _reboot(self) -> None:
        """Start the autopilot anew; what is in flash memory survives: parameters, mission, keys."""
        old = self.autopilot
        self._last_words = old.outgoing()
        self.autopilot = Autopilot(self._identity, self._noise, old.parameters)
        self.autopilot.restore(old)
        self.autopilot.signing = LineSigning(old.signing.stored)
        self._booted_ns = self.now_ns
