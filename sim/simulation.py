"""One simulated vehicle: physics, battery, wind and autopilot, advanced together.

Vehicle time starts at zero and moves only through `step`; the caller decides how fast. Nothing
here reads a clock.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.airframe import PACK_3S, QUAD_X, Airframe
from sim.autopilot.core import Autopilot, Identity
from sim.autopilot.flight import Sensed
from sim.autopilot.signing import LineSigning
from sim.battery import Battery
from sim.control.cascade import Motion
from sim.geodesy import Place
from sim.rigid_body import RigidBody
from sim.wind import Wind

TICK_NS: Final = 2_500_000
TICK_S: Final = TICK_NS * 1e-9
_BATTERY_DIVIDER: Final = 40


@dataclass(frozen=True, slots=True)
class World:
    """Where and in what weather a vehicle stands.

    Attributes:
        start: Where it stands; NED zero.
        heading: Where it looks. [rad]
        wind_speed: Mean wind. [m/s]
        wind_from: Direction the wind comes from, clockwise from north. [rad]
        gusts: Standard deviation of the gusts. [m/s]
        epoch_us: Wall time at power-up, which GPS time counts from. [us since 1970]
    """

    start: Place
    heading: float = 0.0
    wind_speed: float = 0.0
    wind_from: float = 0.0
    gusts: float = 0.0
    epoch_us: int = 1_795_253_000_000_000


class Simulation:
    """A vehicle in its world. The zero state is power-up on the ground."""

    def __init__(
        self,
        world: World,
        noise: np.random.Generator,
        *,
        sysid: int = 1,
        ekf_ready_s: float = 9.0,
        airframe: Airframe = QUAD_X,
    ) -> None:
        self._world = world
        self._noise = noise
        self._identity = Identity(airframe, world.start, sysid, ekf_ready_s)
        self.body = RigidBody(airframe, heading=world.heading)
        self.battery = Battery(PACK_3S)
        self.wind = Wind(world.wind_speed, world.wind_from, world.gusts, noise)
        self.autopilot = Autopilot(self._identity, noise)
        self.now_ns = 0
        self._booted_ns = 0
        self._last_words: list[bytes] = []
        self._ticks = 0
        self._throttle = np.zeros((1, 4))

    def receive(self, data: bytes) -> None:
        """Take bytes from the link."""
        self.autopilot.receive(data, self.now_ns - self._booted_ns)

    def outgoing(self) -> list[bytes]:
        """Return the frames to write, oldest first, and forget them."""
        last_words, self._last_words = self._last_words, []
        return last_words + self.autopilot.outgoing()

    def step(self) -> None:
        """Advance physics and autopilot by one tick of 2.5 ms."""
        if self._ticks % _BATTERY_DIVIDER == 0:
            load = float((self.body.rotor_speed**3).mean())
            self.battery.step(load, _BATTERY_DIVIDER * TICK_S)
            self.wind.step(_BATTERY_DIVIDER * TICK_S)
            if self.autopilot.reboot_wanted:
                self._reboot()
        self._ticks += 1
        self.now_ns += TICK_NS
        uptime_ns = self.now_ns - self._booted_ns
        utc_us = self._world.epoch_us + self.now_ns // 1000
        self._throttle[0] = self.autopilot.step(
            self._sense(), uptime_ns, utc_us, self.wind.velocity
        )
        self.body.step(self._throttle, self.wind.velocity_n, TICK_S)

    def _sense(self) -> Sensed:
        body, battery = self.body, self.battery
        px, py, pz = body.position_n[0].tolist()
        vx, vy, vz = body.velocity_n[0].tolist()
        ax, ay, az = body.acceleration_n[0].tolist()
        qw, qx, qy, qz = body.q_nb[0].tolist()
        wx, wy, wz = body.rate_b[0].tolist()
        return Sensed(
            Motion((px, py, pz), (vx, vy, vz), (qw, qx, qy, qz), (wx, wy, wz)),
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
        self.autopilot.vehicle.mission.items.extend(old.vehicle.mission.items)
        self.autopilot.signing = LineSigning(old.signing.stored)
        self._booted_ns = self.now_ns
