"""What the receiver says of itself: fix, satellites, accuracy, and whether it still speaks."""

from typing import Final

from flightcore.monitor.messages import Fix
from flightcore.monitor.table import Detector

FIX_3D: Final = 3  # GPS_FIX_TYPE_3D_FIX, and everything above it
_FEW_SATELLITES: Final = 4
_MANY_LOST: Final = 0.55  # of the usual number: ten become five
_USUAL_S: Final = 20.0  # time constant of what is usual
_TIMES_WORSE: Final = 4.0
_BAD_H_ACC: Final = 3.0
_BAD_VEL_ACC: Final = 1.0
_BAD_HDOP: Final = 4.0


class ReceiverTests:
    """Compares each epoch with the receiver's own recent past.

    A condition counts by how long it lasts, so one bad epoch is none.
    """

    def __init__(self) -> None:
        self._satellites: float | None = None
        self._h_acc: float | None = None
        self._vel_acc: float | None = None
        self._since: dict[Detector, float] = {}
        self._fix_s = 0.0
        self._first_repeat_s: float | None = None
        self._had_fix = False

    def forget(self) -> None:
        """What is usual is learnt again."""
        self.__init__()  # type: ignore[misc]

    def repeated(self, heard_s: float, fix: Fix) -> list[tuple[Detector, float, float]]:
        """Judge a report whose time of fix has not moved; `heard_s` is the present time."""
        found = [self._fix(heard_s, fix)]
        if self._had_fix:
            if self._first_repeat_s is None:
                self._first_repeat_s = heard_s
            since = self._first_repeat_s
            found.append((Detector.SILENCE, heard_s - since, since))
        return found

    def step(self, time_s: float, fix: Fix) -> list[tuple[Detector, float, float]]:
        """Judge a new epoch."""
        self._first_repeat_s = None
        found = [self._fix(time_s, fix), (Detector.SILENCE, 0.0, time_s)]
        satellites = fix.satellites
        if satellites is not None:
            usual = self._satellites
            few = usual is not None and usual > _FEW_SATELLITES + 1 and (
                satellites <= _FEW_SATELLITES or satellites <= _MANY_LOST * usual
            )  # fmt: skip
            found.append(self._lasting(Detector.SATELLITES, time_s, holds=few))
            if not few and fix.type >= FIX_3D:
                self._satellites = _towards(usual, satellites)
        bad = _is_worse(fix.h_acc, self._h_acc, _BAD_H_ACC) or _is_worse(
            fix.vel_acc, self._vel_acc, _BAD_VEL_ACC
        )
        bad = bad or (fix.hdop is not None and fix.hdop > _BAD_HDOP)
        found.append(self._lasting(Detector.ACCURACY, time_s, holds=bad))
        if not bad:
            self._h_acc = _towards(self._h_acc, fix.h_acc or 0.0)
            self._vel_acc = _towards(self._vel_acc, fix.vel_acc or 0.0)
        return found

    def _fix(self, time_s: float, fix: Fix) -> tuple[Detector, float, float]:
        if fix.type >= FIX_3D or not self._had_fix:
            self._had_fix = self._had_fix or fix.type >= FIX_3D
            self._fix_s = time_s
        return Detector.FIX_LOST, time_s - self._fix_s, self._fix_s

    def _lasting(
        self, detector: Detector, time_s: float, *, holds: bool
    ) -> tuple[Detector, float, float]:
        if not holds:
            self._since.pop(detector, None)
            return detector, 0.0, time_s
        since = self._since.setdefault(detector, time_s)
        return detector, time_s - since, since


def _is_worse(value: float | None, usual: float | None, bad: float) -> bool:
    return value is not None and usual is not None and value > bad and value > _TIMES_WORSE * usual


def _towards(usual: float | None, value: float) -> float:
    return value if usual is None else usual + (value - usual) * 0.2 / _USUAL_S
