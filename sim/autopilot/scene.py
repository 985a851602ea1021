"""What telemetry is built from: the vehicle and its surroundings at one moment."""

from typing import TypeAlias

import msgspec
import numpy as np
from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.flight import Sensed
from sim.autopilot.vehicle import Vehicle

Message: TypeAlias = dialect.MAVLink_message


class Scene(msgspec.Struct, frozen=True, gc=False):
    """What a message is built from.

    Attributes:
        vehicle: The vehicle, with its last sensor values.
        now_ns: Vehicle time since power-up.
        utc_us: Wall time that GPS would give, microseconds since 1970.
        noise: Generator for sensor noise.
        wind_n: True wind, NED. [m/s]
    """

    vehicle: Vehicle
    now_ns: int
    utc_us: int
    noise: np.random.Generator
    wind_n: tuple[float, float, float]

    @property
    def sensed(self) -> Sensed:
        """Return the last sensor values."""
        return self.vehicle.sensed

    @property
    def ms(self) -> int:
        """Return time_boot_ms."""
        return (self.now_ns // 1_000_000) & 0xFFFFFFFF

    @property
    def us(self) -> int:
        """Return microseconds since power-up."""
        return self.now_ns // 1000
