"""Battery: charge drawn, voltage under load."""

from sim.airframe import Pack


class Battery:
    """One pack. The zero state is full and unloaded."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self.current = 0.0
        self.consumed_mah = 0.0
        self.consumed_wh = 0.0
        self.volts = pack.volts_full

    @property
    def remaining(self) -> float:
        """Return the share of charge left, 0 to 1. [-]"""
        return max(0.0, 1.0 - self.consumed_mah / self._pack.capacity_mah)

    @property
    def volts_ratio(self) -> float:
        """Return voltage over full voltage, which scales the speed the motors can reach. [-]"""
        return self.volts / self._pack.volts_full

    def step(self, speed_cubed_mean: float, dt_s: float) -> None:
        """Draw charge for one period.

        Args:
            speed_cubed_mean: Mean over the rotors of (speed / full speed)^3: shaft power. [-]
            dt_s: Period. [s]
        """
        pack = self._pack
        watts = pack.watts_idle + pack.watts_full * speed_cubed_mean
        rest = pack.volts_empty + (pack.volts_full - pack.volts_empty) * self.remaining
        self.current = watts / max(self.volts, 1.0)
        self.volts = rest - self.current * pack.resistance
        self.consumed_mah += self.current * dt_s / 3.6
        self.consumed_wh += watts * dt_s / 3600.0
