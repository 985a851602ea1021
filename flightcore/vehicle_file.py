"""The vehicle file: what the control laws know of a vehicle, as it is written in TOML.

    mass = 1.5                            # kg
    inertia = [0.0123, 0.0123, 0.0224]    # about the body axes, FRD [kg m2]
    rotors = [                            # x forward, y to the right [m], torque per thrust [m];
      [0.159, 0.159, 0.0135],             # positive: turns counter-clockwise seen from above
      [-0.159, -0.159, 0.0135],
      [0.159, -0.159, -0.0135],
      [-0.159, 0.159, -0.0135],
    ]
    thrust_max = 8.3                      # of one rotor [N]
    drag = [0.35, 0.35, 0.1]              # per body axis [N s/m]
    lift = 0.0                            # per square of the speed in the rotors' plane [N s2/m2]
    curve = 0.65                          # share of the square in the thrust curve [-]
    volts = 15.2                          # to which thrust_max refers [V]

Mass, inertia and rotors are weighed and measured; the rest may be identified from a flight.
"""

import math

import msgspec

from flightcore.control.vehicle import GRAVITY, Rotor, Vehicle

_Three = tuple[float, float, float]


class VehicleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A vehicle file; the module's text says what its keys mean."""

    mass: float
    inertia: _Three
    rotors: tuple[_Three, _Three, _Three, _Three]
    thrust_max: float
    thrust_min: float = 0.0
    drag: _Three = (0.0, 0.0, 0.0)
    lift: float = 0.0
    gravity: float = GRAVITY
    curve: float | None = None
    volts: float | None = None

    def check(self) -> None:
        """Raise ValueError for what no vehicle is, naming key, value and what is allowed."""
        for key in (
            "mass",
            "thrust_max",
            "gravity",
            *(["volts"] if self.volts is not None else []),
        ):
            value = getattr(self, key)
            if not 0.0 < value < math.inf:
                raise ValueError(f"{key} = {value}: allowed: more than 0")
        if not all(0.0 < moment < math.inf for moment in self.inertia):
            raise ValueError(f"inertia = {list(self.inertia)}: allowed: three numbers above 0")
        if not 0.0 <= self.thrust_min < self.thrust_max:
            raise ValueError(f"thrust_min = {self.thrust_min}: allowed: from 0 to thrust_max")
        turns = sorted(math.copysign(1.0, turn) for _, _, turn in self.rotors)
        if turns != [-1.0, -1.0, 1.0, 1.0] or not all(turn for _, _, turn in self.rotors):
            raise ValueError(f"rotors = {self.rotors}: allowed: two that turn each way")
        if not all(math.isfinite(v) for v in (*self.drag, self.lift, *sum(self.rotors, ()))):
            raise ValueError("drag, lift, rotors: allowed: finite numbers")
        if self.curve is not None and not 0.0 <= self.curve <= 1.0:
            raise ValueError(f"curve = {self.curve}: allowed: from 0 to 1")

    def vehicle(self) -> Vehicle:
        """Return what the control laws take."""
        first, second, third, fourth = (Rotor(*rotor) for rotor in self.rotors)
        return Vehicle(
            self.mass,
            self.inertia,
            (first, second, third, fourth),
            self.thrust_min,
            self.thrust_max,
            self.drag,
            self.lift,
            self.gravity,
        )

    def text(self, *, said: str) -> str:
        """Return the file, after a comment."""
        lines = [f"# {line}" for line in said.splitlines()]
        for key, value in msgspec.to_builtins(self).items():
            if key == "rotors":
                lines += ["rotors = [", *(f"  {list(rotor)!r}," for rotor in value), "]"]
            else:
                lines.append(
                    f"{key} = {list(value) if isinstance(value, tuple | list) else value!r}"
                )
        return "\n".join(lines) + "\n"
