"""All sensors of one vehicle: sampled together, read as one record of plain numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from sim.airframe import GRAVITY, Airframe
from sim.control.vector import ZERO, Quat, Vec3, conjugate, rotate_inverse
from sim.sensors.gnss import Deception, Gnss, Receiver
from sim.sensors.inertial import Imu, ImuFaults
from sim.sensors.normals import Normals
from sim.sensors.readings import Fix, Readings
from sim.sensors.surroundings import BaroFaults, Barometer, Magnetometer, Rangefinder

MAGNETIC_N: Final = (300.0, -40.0, 350.0)  # Tokyo-like field in milligauss, NED


class Truth(msgspec.Struct, frozen=True, gc=False):
    """What one vehicle's physics say: what sensors are to measure. NED and FRD.

    Attributes:
        position_n: [m]
        velocity_n: [m/s]
        acceleration_n: [m/s2]
        q_nb: [-]
        rate_b: [rad/s]
        rotor_speed: Of each rotor, over full speed. [-]
    """

    position_n: Vec3
    velocity_n: Vec3
    acceleration_n: Vec3
    q_nb: Quat
    rate_b: Vec3
    rotor_speed: Sequence[float]


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
        normals = Normals(noise)
        self._gnss = Gnss(noise, normals, deceptions)
        self._imu = Imu(noise, normals)
        self._baro = Barometer(normals)
        self._magnetometer = Magnetometer(normals)
        self._rangefinder = Rangefinder(normals)
        self._fix_due_s = 0.0
        self._fix: Fix | None = None

    def sample(self, now_s: float, dt_s: float, truth: Truth, faults: Faults) -> Readings:
        """Measure everything, GNSS when it is due."""
        position_n, q_nb, (ax, ay, az) = truth.position_n, truth.q_nb, truth.acceleration_n
        imu, full = self._imu, self._airframe.speed_max
        force_b = rotate_inverse(q_nb, (ax, ay, az - GRAVITY))
        rates = [share * full for share in truth.rotor_speed]
        imu.sample(dt_s, force_b, truth.rate_b, rates, faults.imu, full)
        height = -position_n[2]
        self._baro.sample(dt_s, height, faults.baro)
        self._magnetometer.sample(
            rotate_inverse(q_nb, MAGNETIC_N), faults.magnetic_noise, faults.iron_b
        )
        _, x, y, _ = q_nb
        upright = 1.0 - 2.0 * (x * x + y * y)
        self._rangefinder.sample(height, upright, faults.range_noise, faults.range_glitch)
        self._gnss.remember(now_s, position_n, truth.velocity_n)
        if self._fix is None or now_s >= self._fix_due_s - 1e-6:
            self._fix_due_s = now_s + 1.0 / faults.rate_hz
            self._fix = self._gnss.measure(now_s, faults.receiver)
        bias = imu.force_bias
        return Readings(
            imu.force_b,
            imu.rate_b,
            rotate_inverse(conjugate(q_nb), bias) if bias != ZERO else ZERO,
            self._magnetometer.field_b,
            self._baro.height,
            self._baro.error,
            self._rangefinder.distance,
            imu.shaking,
            imu.clipped,
            self._fix,
        )
