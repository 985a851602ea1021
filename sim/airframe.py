"""What the simulated vehicle is made of: mass, inertia, rotors, drag, battery."""

from dataclasses import dataclass
from typing import Final

GRAVITY: Final = 9.80665


@dataclass(frozen=True, slots=True)
class Airframe:
    """A quadrotor in X, in SI units.

    Rotors are numbered as ArduPilot numbers a quad X: 1 front right (counter-clockwise from
    above), 2 rear left (counter-clockwise), 3 front left (clockwise), 4 rear right (clockwise).

    Attributes:
        mass: All-up mass. [kg]
        inertia: Principal moments about the FRD body axes. [kg m2]
        arm: Distance of each rotor from the centre, along the 45 degree diagonals. [m]
        thrust_max: Static thrust of one rotor at full throttle and full voltage. [N]
        torque_per_thrust: Reaction torque over thrust of one rotor. [m]
        motor_time_constant: First-order lag from throttle to rotor speed. [s]
        rotor_drag: Linear drag in the rotor plane. [N s/m]
        axial_drag: Linear drag along the rotor axes. [N s/m]
    """

    mass: float
    inertia: tuple[float, float, float]
    arm: float
    thrust_max: float
    torque_per_thrust: float
    motor_time_constant: float
    rotor_drag: float
    axial_drag: float

    @property
    def rotors(self) -> tuple[tuple[float, float, float], ...]:
        """Return (x, y, spin) of each rotor: place in the FRD body frame [m], yaw torque sign."""
        d = self.arm * 0.5**0.5
        return ((d, d, 1.0), (-d, -d, 1.0), (d, -d, -1.0), (-d, d, -1.0))

    @property
    def hover_thrust_fraction(self) -> float:
        """Return the share of full static thrust that carries the weight [-]."""
        return self.mass * GRAVITY / (4.0 * self.thrust_max)


# 1.5 kg with hover at 0.39 of full thrust, which is MOT_THST_HOVER of the parameter table.
QUAD_X: Final = Airframe(
    mass=1.5,
    inertia=(0.0170, 0.0170, 0.0290),
    arm=0.225,
    thrust_max=1.5 * GRAVITY / (4.0 * 0.39),
    torque_per_thrust=0.016,
    motor_time_constant=0.022,
    rotor_drag=0.30,
    axial_drag=0.15,
)


@dataclass(frozen=True, slots=True)
class Pack:
    """A lithium polymer battery as a voltage behind a resistance.

    Attributes:
        capacity_mah: Charge from full to empty. [mAh]
        volts_full: Open-circuit voltage when full. [V]
        volts_empty: Open-circuit voltage when empty. [V]
        resistance: Internal resistance. [ohm]
        watts_full: Electrical power of all four motors at full static thrust. [W]
        watts_idle: Power of the electronics. [W]
    """

    capacity_mah: float
    volts_full: float
    volts_empty: float
    resistance: float
    watts_full: float
    watts_idle: float


PACK_3S: Final = Pack(
    capacity_mah=3300.0,
    volts_full=12.6,
    volts_empty=10.2,
    resistance=0.012,
    watts_full=1000.0,
    watts_idle=5.0,
)
