"""What the control laws know of a vehicle, and how hard they may steer it."""

import math
from dataclasses import dataclass
from typing import Final

from flightcore.control.vectors import Vec

GRAVITY: Final = 9.80665


@dataclass(frozen=True, slots=True)
class Rotor:
    """One rotor, thrusting along body -z.

    Attributes:
        x: Place forward of the centre of gravity. [m]
        y: Place to the right of it. [m]
        torque_per_thrust: Torque about body z (down) per thrust; positive for a rotor that turns
            counter-clockwise seen from above. [m]
    """

    x: float
    y: float
    torque_per_thrust: float


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A quadrotor as the controller believes it to be. SI units, FRD body axes.

    Attributes:
        mass: All-up mass. [kg]
        inertia: Principal moments about the body axes. [kg m2]
        rotors: The four rotors.
        thrust_min: Least thrust of one rotor. [N]
        thrust_max: Greatest thrust of one rotor. [N]
        drag: Force against the velocity through the air, per body axis. [N s/m]
        lift: Lift of the rotors per square of the velocity in their plane. [N s2/m2]
        gravity: Where it flies. [m/s2]
    """

    mass: float
    inertia: Vec
    rotors: tuple[Rotor, Rotor, Rotor, Rotor]
    thrust_min: float
    thrust_max: float
    drag: tuple[float, float, float] = (0.0, 0.0, 0.0)
    lift: float = 0.0
    gravity: float = GRAVITY


@dataclass(frozen=True, slots=True)
class Gains:
    """Stiffness and damping of the loops; the vehicle's mass and inertia scale them.

    Attributes:
        position: Acceleration per position error, NED. [1/s2]
        velocity: Acceleration per velocity error, NED. [1/s]
        integral: Acceleration per position error and second, NED. [1/s3]
        tilt: Angular acceleration per sine of half the tilt error. [1/s2]
        yaw: Angular acceleration per sine of half the heading error. [1/s2]
        rate: Angular acceleration per rate error, FRD. [1/s]
    """

    position: Vec
    velocity: Vec
    tilt: float
    yaw: float
    rate: Vec
    integral: Vec = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the controller may ask for.

    Attributes:
        position_error: Longest position error that is acted on. [m]
        velocity_error: Longest velocity error that is acted on. [m/s]
        integral: Greatest acceleration the integral may hold, per axis. [m/s2]
        tilt: Greatest angle of the thrust from the vertical, below a right angle; None where
            loops are flown. [rad]
        hold: Below this specific thrust the direction of thrust is held. [m/s2]
        rate: Greatest feed-forward rate, per axis. [rad/s]
        angular_acceleration: Greatest feed-forward angular acceleration, per axis. [rad/s2]
    """

    position_error: float = 5.0
    velocity_error: float = 10.0
    integral: float = 3.0
    tilt: float | None = None
    hold: float = 1.0
    rate: float = 20.0
    angular_acceleration: float = 300.0

    def __post_init__(self) -> None:
        if self.tilt is not None and not 0.0 < self.tilt < 0.5 * math.pi:
            raise ValueError(f"tilt = {self.tilt}: allowed: more than 0, less than pi/2")
