"""Trajectories that papers report errors on."""

import math
from typing import Final, NamedTuple

from flightcore.trajectory.harmonic import SINE, Harmonic, Wave, lemniscate

_DOWN: Final = -5.0


class Ellipse(NamedTuple):
    """One of the 144 ellipses of Sun et al.

    Attributes:
        vertical: In the plane of north and down, heading north; else level, heading inwards.
        ratio: Of the half axes.
        peak_acceleration: [m/s2]
        top_speed: [m/s]
        feasible: By the paper's Table III, with its vehicle.
    """

    vertical: bool
    ratio: int
    peak_acceleration: float
    top_speed: float
    feasible: bool

    def trajectory(self, duration: float) -> Harmonic:
        """Return it, from its utmost point on the small half axis; its long half axis is north."""
        rate = self.peak_acceleration / self.top_speed
        long = self.top_speed**2 / self.peak_acceleration
        other = (Wave(long / self.ratio, rate),)
        north = (Wave(long, rate, SINE),)
        centre = (0.0, 0.0, _DOWN)
        if self.vertical:
            return Harmonic(centre, (north, (), _reversed(other)), duration)
        return Harmonic(centre, (north, _reversed(other), ()), duration, None)


# Rows: peak acceleration 10 to 60 m/s2. Columns: top speed 5, 10, 15, 20 m/s.
_LEVEL: Final = {
    1: "1111 1111 1111 1111 0000 0000",
    2: "1111 1111 0111 0111 0000 0000",
    5: "1111 0111 0011 0001 0000 0000",
}
_UPRIGHT: Final = dict.fromkeys((1, 2, 5), "1111 1111 1111 0000 0000 0000")


def sun_2022() -> tuple[Ellipse, ...]:
    """Return the 144 ellipses: 76 that their vehicle can fly and 68 that it cannot.

    Their y and z, left and up, are east and down here with the sign changed.

    Source:
        Sun, Romero, Foehn, Kaufmann & Scaramuzza, "A Comparative Study of Nonlinear MPC and
        Differential-Flatness-Based Control for Quadrotor Agile Flight", T-RO 2022, eqs (36) to
        (38) and Table III.
    """
    return tuple(
        Ellipse(vertical, ratio, 10.0 * (i + 1), 5.0 * (j + 1), mark == "1")
        for vertical, table in ((False, _LEVEL), (True, _UPRIGHT))
        for ratio, rows in table.items()
        for i, row in enumerate(rows.split())
        for j, mark in enumerate(row)
    )


def tal_karaman_roulette() -> Harmonic:
    """Return one lap of the roulette curve, as eq. (51) is printed; about 6 m/s at most.

    Source:
        Tal & Karaman, "Accurate Tracking of Aggressive Quadrotor Trajectories Using Incremental
        Nonlinear Dynamic Inversion and Differential Flatness", IEEE TCST 2021.
    """
    slow, fast, middle = 0.28, 2.8, 1.4
    north = Wave(6.0, slow), Wave(1.8, fast), Wave(0.6, middle, SINE)
    east = Wave(-2.25, slow, SINE), Wave(0.6, fast, SINE), Wave(-0.3, middle)
    return Harmonic((0.0, 0.0, _DOWN), (north, east, ()), 22.4)


def faessler_circle(speed: float, duration: float) -> Harmonic:
    """Return the level circle of 1.8 m of Faessler et al., RA-L 2018, heading north."""
    rate = speed / 1.8
    return Harmonic((0.0, 0.0, _DOWN), ((Wave(1.8, rate),), (Wave(1.8, rate, SINE),), ()), duration)


def faessler_lemniscate(duration: float) -> Harmonic:
    """Return the figure of eight of 4 m by 2 m of Faessler et al., RA-L 2018, heading north."""
    return lemniscate((0.0, 0.0, _DOWN), 2.0, 2.0, math.sqrt(2.0), duration)


def _reversed(waves: tuple[Wave, ...]) -> tuple[Wave, ...]:
    return tuple(Wave(-amplitude, rate, phase) for amplitude, rate, phase in waves)
