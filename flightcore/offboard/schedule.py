"""When which part of a trajectory is flown: time along it, which may run slower and stand still.

A trajectory need not begin or end at rest, and an operator may pause it anywhere. Its own time then
starts and stops as smoothly as its speed must: path and heading stay, only the pace changes.
"""

from typing import Final, NamedTuple

STEEPEST: Final = 15.0 / 8.0  # the greatest slope of the ramp from 0 to 1


class Along(NamedTuple):
    """Time along a trajectory with its derivatives. [s], [-], [1/s]."""

    time: float
    rate: float
    change: float


class Schedule(NamedTuple):
    """One change of pace.

    Attributes:
        begin_s: When it begins, on the clock of whoever asks. [s]
        from_s: Time along the trajectory at that instant. [s]
        rate: Pace before. [-]
        to_rate: Pace after. [-]
        ramp_s: How long the change takes. [s]
    """

    begin_s: float
    from_s: float
    rate: float
    to_rate: float
    ramp_s: float

    def at(self, now_s: float) -> Along:
        """Return where the trajectory is; three times differentiable."""
        since = now_s - self.begin_s
        if since <= 0.0:
            return Along(self.from_s + self.rate * since, self.rate, 0.0)
        step = self.to_rate - self.rate
        if since >= self.ramp_s:
            gone = (self.rate + 0.5 * step) * self.ramp_s + self.to_rate * (since - self.ramp_s)
            return Along(self.from_s + gone, self.to_rate, 0.0)
        u = since / self.ramp_s
        rise = u * u * u * (10.0 + u * (6.0 * u - 15.0))
        risen = u * u * u * u * (2.5 + u * (u - 3.0))  # its integral
        slope = 30.0 * u * u * (1.0 + u * (u - 2.0))
        return Along(
            self.from_s + self.rate * since + step * self.ramp_s * risen,
            self.rate + step * rise,
            step * slope / self.ramp_s,
        )

    def then(self, begin_s: float, to_rate: float, ramp_s: float) -> "Schedule":
        """Return the change of pace that follows from `begin_s` on; this one must be over by then.

        Where it is not, the new one begins when it is.
        """
        begin_s = max(begin_s, self.begin_s + self.ramp_s)
        return Schedule(begin_s, self.at(begin_s).time, self.to_rate, to_rate, ramp_s)

    def ends_s(self) -> float:
        """Return when the pace has changed."""
        return self.begin_s + self.ramp_s


def standing(at_s: float) -> Schedule:
    """Return the schedule that stays at `at_s` of the trajectory."""
    return Schedule(0.0, at_s, 0.0, 0.0, 0.0)
