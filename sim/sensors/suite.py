"""All sensors of one vehicle: sampled together, read as one record of plain numbers."""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sim.airframe import GRAVITY, Airframe
from sim.control.vector import ZERO, Vec3
from sim.dynamics import body_axes
from sim.rigid_body import Body
from sim.sensors.gnss import Deception, Gnss, Receiver
from sim.sensors.inertial import Imu, ImuFaults
from sim.sensors.readings import Fix, Readings
from sim.sensors.surroundings import BaroFaults, Barometer, Magnetometer, Rangefinder

MAGNETIC_N: Final = np.array([300.0, -40.0, 350.0])  # Tokyo-like field in milligauss, NED


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with each sensor; without arguments, what ordinary ones have.

    Attributes:
        receiver: Of GNSS.
        rate_hz: How often it gives a fix. [Hz]
        imu: Of the inertial unit.
        baro: Of the barometer.
        magnetic_noise: Of the magnetometer. [mG]
        iron_b: Field of the vehicle itself, FRD. [mG]
        range_noise: Of the rangefinder. [m]
        range_glitch: Added to its distance. [m]
    """

    receiver: Receiver = field(default_factory=Receiver)
    rate_hz: float = 5.0
    imu: ImuFaults = field(default_factory=ImuFaults)
    baro: BaroFaults = field(default_factory=BaroFaults)
    magnetic_noise: float = 1.0
    iron_b: Vec3 = ZERO
    range_noise: float = 0.0
    range_glitch: float = 0.0


class Sensors:
    """The sensors of one vehicle. `sample` them every 10 ms or so."""

    def __init__(
        self, airframe: Airframe, noise: np.random.Generator, deceptions: tuple[Deception, ...] = ()
    ) -> None:
        self._airframe = airframe
        self._gnss = Gnss(1, noise, deceptions)
        self._imu = Imu(1, noise)
        self._baro = Barometer(1, noise)
        self._magnetometer = Magnetometer(1, noise)
        self._rangefinder = Rangefinder(1, noise)
        self._fix_due_s = 0.0
        self._fix: Fix | None = None

    def sample(self, now_s: float, dt_s: float, body: Body, faults: Faults) -> Readings:
        """Measure everything, GNSS when it is due."""
        axes = body_axes(tuple(body.q_nb[0].tolist()))
        to_body = np.array([axes.x, axes.y, axes.z])
        pull = body.acceleration_n[0] - (0.0, 0.0, GRAVITY)
        frame = self._airframe
        self._imu.sample(
            dt_s, (to_body @ pull)[None], body.rate_b, body.rotor_speed * frame.speed_max,
            faults.imu, frame.speed_max,
        )  # fmt: skip
        height = -body.position_n[:, 2]
        self._baro.sample(dt_s, height, faults.baro)
        self._magnetometer.sample(
            (to_body @ MAGNETIC_N)[None], faults.magnetic_noise, faults.iron_b
        )
        upright = to_body[2:3, 2]
        self._rangefinder.sample(height, upright, faults.range_noise, faults.range_glitch)
        self._gnss.remember(now_s, body.position_n, body.velocity_n)
        if self._fix is None or now_s >= self._fix_due_s - 1e-6:
            self._fix_due_s = now_s + 1.0 / faults.rate_hz
            self._fix = self._measure(now_s, faults.receiver)
        distance = float(self._rangefinder.distance[0])
        return Readings(
            _vec3(self._imu.force_b[0]),
            _vec3(self._imu.rate_b[0]),
            _vec3(self._imu.force_bias[0] @ to_body),
            _vec3(self._magnetometer.field_b[0]),
            float(self._baro.height[0]),
            float(self._baro.error[0]),
            None if math.isnan(distance) else distance,
            float(self._imu.shaking[0]),
            int(self._imu.clipped[0]),
            self._fix,
        )

    def _measure(self, now_s: float, receiver: Receiver) -> Fix:
        fixes = self._gnss.measure(now_s, receiver)
        return Fix(
            self._fix.epoch + 1 if self._fix is not None else 0,
            now_s,
            bool(fixes.locked[0]),
            _vec3(fixes.position_n[0]),
            _vec3(fixes.velocity_n[0]),
            _vec3(fixes.position_error_n[0]),
            _vec3(fixes.velocity_error_n[0]),
            int(fixes.satellites[0]),
            float(fixes.accuracy[0]),
            float(fixes.speed_accuracy[0]),
            fixes.late_s,
        )


def _vec3(row: np.typing.NDArray[np.float64]) -> Vec3:
    x, y, z = row.tolist()
    return x, y, z
