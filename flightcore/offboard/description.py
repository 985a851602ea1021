"""How the companion's own flying stands, for those who ask."""

from typing import NamedTuple

from wire.tasking import FlyReason, FlyState


class Description(NamedTuple):
    """How things stand.

    Attributes:
        state: Of the trajectory aboard.
        reason: Why it was handed back.
        identity: Of the trajectory aboard; zeros without one.
        elapsed_s: Time along it. [s]
        duration_s: [s]
        error_m: From where the vehicle is to where it should be; None while nothing is flown. [m]
        lateness_us: 99th percentile of the loop; None before it runs. [us]
        text: Why it was handed back, in words.
    """

    state: FlyState
    reason: FlyReason
    identity: bytes
    elapsed_s: float
    duration_s: float
    error_m: float | None
    lateness_us: int | None
    text: str

    def status(self) -> dict[str, str | int | float | None]:
        """Return it for `sekisho status`."""
        return {
            "state": self.state.name.lower(),
            "reason": self.text,
            "identity": self.identity.hex(),
            "elapsed_s": round(self.elapsed_s, 3),
            "duration_s": round(self.duration_s, 3),
            "error_m": None if self.error_m is None else round(self.error_m, 3),
        }
