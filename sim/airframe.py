"""What the simulated vehicle is made of: mass, inertia, rotors, drag, battery; read from data."""

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import msgspec

GRAVITY: Final = 9.80665
_CLOCKWISE: Final = {"cw": -1.0, "ccw": 1.0}
_PLACES: Final = 12  # of the rotors, so that what is symmetrical is so to the last bit


class AirframeError(Exception):
    """There is no such airframe."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A lithium polymer battery as a voltage behind a resistance.

    Attributes:
        capacity_mah: Charge from full to empty. [mAh]
        volts_full: Open-circuit voltage when full. [V]
        volts_empty: Open-circuit voltage when empty. [V]
        resistance: Internal resistance. [ohm]
        watts_full: Electrical power of all motors at full static thrust. [W]
        watts_idle: Power of the electronics. [W]
    """

    capacity_mah: float
    volts_full: float
    volts_empty: float
    resistance: float
    watts_full: float
    watts_idle: float


@dataclass(frozen=True, slots=True)
class Airframe:
    """A multicopter with its rotors in one plane, in SI units.

    A rotor's speed is given as a share of its speed at full throttle and full voltage.

    Attributes:
        mass: All-up mass. [kg]
        inertia: Principal moments about the FRD body axes. [kg m2]
        rotors: (x, y, spin) of each, in the order of the autopilot's outputs: place in the FRD body
            frame [m], sign of the reaction torque about body z (+1: turns counter-clockwise).
        thrust_max: Static thrust of one rotor at full speed. [N]
        torque_per_thrust: Reaction torque over thrust of one rotor. [m]
        speed_max: Full speed. [rad/s]
        motor_time_constant: First-order lag from throttle to rotor speed. [s]
        rotor_drag: Drag of one rotor at full speed, in the rotor plane. [N s/m]
        axial_drag: The same along its axis: thrust lost to inflow. [N s/m]
        translational_lift: Thrust one rotor gains from air across it. [N s2/m2]
        frame_drag: Of the frame, along each body axis. [N s2/m2]
        pack: The battery.
        thrust_expo: Share of the square in an ESC's thrust curve; 1: command is rotor speed. [-]
        gravity: Where it flies. [m/s2]
    """

    mass: float
    inertia: tuple[float, float, float]
    rotors: tuple[tuple[float, float, float], ...]
    thrust_max: float
    torque_per_thrust: float
    speed_max: float
    motor_time_constant: float
    rotor_drag: float
    axial_drag: float
    translational_lift: float
    frame_drag: tuple[float, float, float]
    pack: Pack
    thrust_expo: float = 1.0
    gravity: float = GRAVITY

    @property
    def hover_thrust_fraction(self) -> float:
        """Return the share of full static thrust that carries the weight [-]."""
        return self.mass * self.gravity / (len(self.rotors) * self.thrust_max)

    @property
    def hover_drag(self) -> tuple[float, float, float]:
        """Return the drag of all rotors along the body axes at hover, which is linear [N s/m]."""
        turning = len(self.rotors) * math.sqrt(self.hover_thrust_fraction)
        return turning * self.rotor_drag, turning * self.rotor_drag, turning * self.axial_drag


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An airframe as it is written: rotors by angle from the nose [degree] and direction."""

    mass: float
    inertia: tuple[float, float, float]
    arm: float
    thrust_max: float
    torque_per_thrust: float
    speed_max: float
    motor_time_constant: float
    rotor_drag: float
    axial_drag: float
    translational_lift: float
    frame_drag: tuple[float, float, float]
    rotors: tuple[tuple[float, str], ...]
    battery: Pack
    thrust_expo: float = 1.0


def airframes() -> list[str]:
    """Return the names of the airframes there are."""
    files = resources.files("sim").joinpath("data", "airframes").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files)


@cache
def airframe(name: str) -> Airframe:
    """Return an airframe by its name.

    Raises:
        AirframeError: There is none of that name.
    """
    if name not in airframes():
        raise AirframeError(f"{name!r} is none of {', '.join(airframes())}")
    text = resources.files("sim").joinpath("data", "airframes", f"{name}.toml").read_text()
    file = msgspec.convert(tomllib.loads(text), _File)
    return Airframe(
        mass=file.mass,
        inertia=file.inertia,
        rotors=tuple(
            (
                round(file.arm * math.cos(math.radians(angle)), _PLACES),
                round(file.arm * math.sin(math.radians(angle)), _PLACES),
                _CLOCKWISE[turning],
            )
            for angle, turning in file.rotors
        ),
        thrust_max=file.thrust_max,
        torque_per_thrust=file.torque_per_thrust,
        speed_max=file.speed_max,
        motor_time_constant=file.motor_time_constant,
        rotor_drag=file.rotor_drag,
        axial_drag=file.axial_drag,
        translational_lift=file.translational_lift,
        frame_drag=file.frame_drag,
        pack=file.battery,
        thrust_expo=file.thrust_expo,
    )


QUAD_X: Final = airframe("quad")
