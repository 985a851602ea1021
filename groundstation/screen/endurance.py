"""How long a drone's battery will last, as far as can be told."""

from typing import Final

from groundstation.screen.vehicle import VehicleScreen
from wire.mavlink import dialect

_SYSTEM: Final = dialect.MAVLINK_MSG_ID_SYS_STATUS
_BATTERY: Final = dialect.MAVLINK_MSG_ID_BATTERY_STATUS
_SMOOTHING: Final = 0.02  # of the current, at ten looks a second: about 5 s


class Endurance:
    """The zero state has seen no current."""

    def __init__(self) -> None:
        self._current: float | None = None

    def look(self, screen: VehicleScreen, now_ns: int, *, flying: bool) -> int | None:
        """Return how many seconds are left, None if too little is known.

        The drone's own word counts, else what is left over the mean current.
        """
        current = screen.fresh(_SYSTEM, "current_battery", now_ns)
        percent = screen.fresh(_SYSTEM, "battery_remaining", now_ns)
        consumed = screen.fresh(_BATTERY, "current_consumed", now_ns)
        if current is not None:
            mean = current if self._current is None else self._current
            self._current = mean + _SMOOTHING * (current - mean)
        told = screen.fresh(_BATTERY, "time_remaining", now_ns)
        if told is not None:
            return int(told)
        if self._current is None or percent is None or consumed is None or not flying:
            return None
        if not 0 < percent <= 97 or self._current < 0.5:  # too little is known to tell
            return None
        left_mah = consumed * percent / (100 - percent)
        return round(left_mah * 3.6 / self._current / 10) * 10
