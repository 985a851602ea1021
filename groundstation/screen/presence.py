"""What the console sends a drone of itself: that an operator is there, and what it wants to see."""

from typing import Final

from groundstation.screen.vehicle import VehicleScreen
from groundstation.screen.watched import WATCHED
from wire.mavlink import dialect

BEAT_NS: Final = 1_000_000_000
ASK_NS: Final = 5_000_000_000
RADIO_SHARE: Final = 0.25  # of the rates asked for elsewhere
_HOME: Final = dialect.MAVLINK_MSG_ID_HOME_POSITION


class Presence:
    """The zero state has sent nothing yet."""

    def __init__(self) -> None:
        self._beat_ns = 0
        self._ask_ns = 0

    def beat(self, now_ns: int) -> list[dialect.MAVLink_message]:
        """Return the heartbeat that tells the autopilot of an operator's presence."""
        if now_ns < self._beat_ns:
            return []
        self._beat_ns = now_ns + BEAT_NS
        return [
            dialect.MAVLink_heartbeat_message(
                dialect.MAV_TYPE_GCS,
                dialect.MAV_AUTOPILOT_INVALID,
                0,
                0,
                dialect.MAV_STATE_ACTIVE,
                3,
            )
        ]

    def ask(
        self, screen: VehicleScreen, sysid: int, now_ns: int, *, is_radio: bool
    ) -> list[dialect.MAVLink_message]:
        """Ask for what the console watches and the drone does not send, without any haste."""
        if now_ns < self._ask_ns:
            return []
        self._ask_ns = now_ns + ASK_NS
        asked: list[dialect.MAVLink_message] = []
        for number, watched in WATCHED.items():
            age_s = screen.age_s(number, now_ns)
            if watched.rate_hz and (age_s is None or age_s > watched.stale_s):
                rate_hz = watched.rate_hz * (RADIO_SHARE if is_radio else 1)
                every_us = round(1e6 / rate_hz)
                asked.append(
                    _command(sysid, dialect.MAV_CMD_SET_MESSAGE_INTERVAL, number, every_us)
                )
        if screen.values(_HOME) is None:
            asked.append(_command(sysid, dialect.MAV_CMD_REQUEST_MESSAGE, _HOME))
        return asked


def _command(sysid: int, number: int, *params: float) -> dialect.MAVLink_message:
    values = [*map(float, params), *(0.0,) * (7 - len(params))]
    return dialect.MAVLink_command_long_message(
        sysid, dialect.MAV_COMP_ID_AUTOPILOT1, number, 0, *values
    )
