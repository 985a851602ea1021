"""The autopilot as one sans-I/O core: bytes and time in, bytes out.

It runs the tasks of its parts and the outer control once a period, 100 times a second. The inner
control runs with the physics (`sim.control.inner`); `dispatch` decides what becomes of messages.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.airframe import Airframe
from sim.autopilot.chores import Chores
from sim.autopilot.commands import Commands
from sim.autopilot.dispatch import Dispatch, Parts
from sim.autopilot.failsafe import BatteryFailsafe, FenceFailsafe, GcsFailsafe
from sim.autopilot.flight import Sensed
from sim.autopilot.ftp import FileTransfer
from sim.autopilot.logbook import Logbook
from sim.autopilot.navigation import Navigation
from sim.autopilot.outbox import Outbox, Severity
from sim.autopilot.parameters import ParameterProtocol, Parameters
from sim.autopilot.scene import Scene
from sim.autopilot.signing import LineSigning
from sim.autopilot.stores import Stores
from sim.autopilot.streams import Streams
from sim.autopilot.telemetry import BUILDERS
from sim.autopilot.vehicle import Vehicle
from sim.control.inner import Aim
from sim.geodesy import Place
from wire.mavlink import FrameSplitter

_IMPACT_SAID: Final = 0.05
_SELDOM_S: Final = 0.1 - 1e-6  # the sum of periods may be a hair less


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one simulated autopilot from another."""

    airframe: Airframe
    start: Place
    sysid: int = 1
    ekf_ready_s: float = 9.0


class Autopilot:
    """An ArduCopter on one link. The zero state is power-up at time 0.

    Invariant: nothing that arrives makes `receive` raise. One caller drives it: `receive` with
    bytes, `step` once a period of vehicle time, `outgoing` to write.
    """

    def __init__(
        self, identity: Identity, noise: np.random.Generator, parameters: Parameters | None = None
    ) -> None:
        self.parameters = parameters if parameters is not None else Parameters()
        self.parameters.store("MAV_SYSID", identity.sysid)
        self.splitter = FrameSplitter()
        self.signing = LineSigning()
        self.undecodable = 0
        self.outbox = Outbox(identity.sysid)
        self.vehicle = Vehicle(
            identity.airframe, identity.start, self.parameters, self.outbox, identity.ekf_ready_s
        )
        self._noise = noise
        self._decoder = dialect.MAVLink(None)
        self._streams = Streams(self.parameters)
        self._protocol = ParameterProtocol(self.parameters, self.outbox)
        self._commands = Commands(self.vehicle, self._streams, self.outbox)
        self._navigation = Navigation(self.vehicle, self.outbox)
        self.gcs_failsafe = GcsFailsafe(self.vehicle, self.outbox)
        self._battery_failsafe = BatteryFailsafe(self.vehicle, self.outbox)
        self._fence_failsafe = FenceFailsafe(self.vehicle, self.outbox)
        self._ftp = FileTransfer(self.parameters, self.outbox)
        self.stores = Stores(self.vehicle, self.parameters, self._protocol, self.outbox)
        self._chores = Chores(self.vehicle, self.parameters, self._protocol, self.outbox)
        self.logbook = Logbook(self.parameters, self.outbox)
        self._dispatch = Dispatch(
            Parts(
                self.vehicle,
                self.parameters,
                self.outbox,
                self._streams,
                self._protocol,
                self._commands,
                self.gcs_failsafe,
                self._ftp,
                self.stores,
                self.logbook,
                lambda: self.signing,
                self._scene,
            )
        )
        self._now_ns = 0
        self._utc_us = 0
        self._wind_n = (0.0, 0.0, 0.0)
        self._seldom_s = 0.0

    @property
    def reboot_wanted(self) -> bool:
        """Tell whether a client asked for a reboot, which only the owner of this core can do."""
        return self._commands.reboot_wanted

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take bytes from the link."""
        self._now_ns = now_ns
        for frame in self.splitter.receive(data):
            if not self.signing.accept(frame):
                continue
            try:
                message = self._decoder.decode(bytearray(frame))
            except (dialect.MAVError, ValueError):
                # Text that is no text, say.
                self.undecodable += 1
                continue
            self._dispatch.receive(message, now_ns)

    def step(
        self,
        sensed: Sensed,
        now_ns: int,
        utc_us: int,
        dt_s: float,
        wind_n: tuple[float, float, float],
    ) -> Aim:
        """Run one period of `dt_s`; return what the inner loop is to hold meanwhile."""
        self._now_ns, self._utc_us, self._wind_n = now_ns, utc_us, wind_n
        self._navigation.step(sensed, now_ns * 1e-9, dt_s)
        sensed = self._navigation.believed(sensed)
        if sensed.impact_speed > _IMPACT_SAID:
            text = f"SIM Hit ground at {sensed.impact_speed:f} m/s"
            self.outbox.text(Severity.INFO, text)
        self._slow_step(sensed, now_ns, dt_s)
        return self.vehicle.flight.step(sensed, dt_s)

    def restore(self, old: "Autopilot") -> None:
        """Take over what flash memory keeps besides parameters: what was uploaded, and the logs."""
        self.stores.restore(old.stores)
        self.logbook.restore(old.logbook)

    def outgoing(self) -> list[bytes]:
        """Return the frames to write, oldest first, and forget them."""
        return [self.signing.sign(frame) for frame in self.outbox.outgoing()]

    def _slow_step(self, sensed: Sensed, now_ns: int, dt_s: float) -> None:
        now_s = now_ns * 1e-9
        self.vehicle.step(sensed, now_s, dt_s)
        self._fence_failsafe.step(sensed, now_s, dt_s)
        self.stores.step(now_ns)
        self._commands.step(now_s)
        self._protocol.step(dt_s)
        self._ftp.step(dt_s)
        self._seldom_s += dt_s
        if self._seldom_s > _SELDOM_S:
            self._seldom_step(sensed, now_ns, self._seldom_s)
            self._seldom_s = 0.0
        scene = self._scene()
        self.logbook.step(scene, dt_s)
        for message_id in self._streams.due(now_ns):
            message = BUILDERS[message_id](scene)
            if message is not None:
                self.outbox.send(message)

    def _seldom_step(self, sensed: Sensed, now_ns: int, dt_s: float) -> None:
        """Run the tasks that ArduCopter too runs at 10 Hz or less."""
        self.gcs_failsafe.step(now_ns * 1e-9)
        self._battery_failsafe.step(sensed, dt_s)
        self.signing.step(now_ns)
        self._chores.step(now_ns, dt_s)

    def _scene(self) -> Scene:
        return Scene(self.vehicle, self._now_ns, self._utc_us, self._noise, self._wind_n)
