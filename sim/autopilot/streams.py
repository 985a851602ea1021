"""Which message goes out how often: stream groups, single intervals, and their limits."""

from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.parameters import Parameters
from sim.autopilot.telemetry import BUILDERS

# REQUEST_DATA_STREAM number, parameter of the rate, messages.
_GROUPS: Final[dict[int, tuple[str, tuple[int, ...]]]] = {
    dialect.MAV_DATA_STREAM_RAW_SENSORS: (
        "MAV1_RAW_SENS",
        (
            dialect.MAVLINK_MSG_ID_RAW_IMU,
            dialect.MAVLINK_MSG_ID_SCALED_IMU2,
            dialect.MAVLINK_MSG_ID_SCALED_IMU3,
            dialect.MAVLINK_MSG_ID_SCALED_PRESSURE,
            dialect.MAVLINK_MSG_ID_SCALED_PRESSURE2,
        ),
    ),
    dialect.MAV_DATA_STREAM_EXTENDED_STATUS: (
        "MAV1_EXT_STAT",
        (
            dialect.MAVLINK_MSG_ID_SYS_STATUS,
            dialect.MAVLINK_MSG_ID_POWER_STATUS,
            dialect.MAVLINK_MSG_ID_MEMINFO,
            dialect.MAVLINK_MSG_ID_MISSION_CURRENT,
            dialect.MAVLINK_MSG_ID_GPS_RAW_INT,
            dialect.MAVLINK_MSG_ID_NAV_CONTROLLER_OUTPUT,
            dialect.MAVLINK_MSG_ID_FENCE_STATUS,
            dialect.MAVLINK_MSG_ID_POSITION_TARGET_GLOBAL_INT,
        ),
    ),
    dialect.MAV_DATA_STREAM_RC_CHANNELS: (
        "MAV1_RC_CHAN",
        (dialect.MAVLINK_MSG_ID_SERVO_OUTPUT_RAW, dialect.MAVLINK_MSG_ID_RC_CHANNELS),
    ),
    dialect.MAV_DATA_STREAM_RAW_CONTROLLER: ("MAV1_RAW_CTRL", ()),
    dialect.MAV_DATA_STREAM_POSITION: (
        "MAV1_POSITION",
        (dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT, dialect.MAVLINK_MSG_ID_LOCAL_POSITION_NED),
    ),
    dialect.MAV_DATA_STREAM_EXTRA1: (
        "MAV1_EXTRA1",
        (
            dialect.MAVLINK_MSG_ID_ATTITUDE,
            dialect.MAVLINK_MSG_ID_SIMSTATE,
            dialect.MAVLINK_MSG_ID_AHRS2,
        ),
    ),
    dialect.MAV_DATA_STREAM_EXTRA2: ("MAV1_EXTRA2", (dialect.MAVLINK_MSG_ID_VFR_HUD,)),
    dialect.MAV_DATA_STREAM_EXTRA3: (
        "MAV1_EXTRA3",
        (
            dialect.MAVLINK_MSG_ID_AHRS,
            dialect.MAVLINK_MSG_ID_SYSTEM_TIME,
            dialect.MAVLINK_MSG_ID_WIND,
            dialect.MAVLINK_MSG_ID_BATTERY_STATUS,
            dialect.MAVLINK_MSG_ID_EKF_STATUS_REPORT,
            dialect.MAVLINK_MSG_ID_VIBRATION,
        ),
    ),
}
_GROUP_OF: Final = dict(_GROUPS.values())
_RATE_MAX: Final = 50
# 0.8 of the 400 Hz loop, and only ten distinct intervals on one link.
_INTERVAL_MIN_MS: Final = 4
_INTERVAL_MAX_MS: Final = 60_000
_BUCKETS: Final = 10
HEARTBEAT: Final = dialect.MAVLINK_MSG_ID_HEARTBEAT


class Streams:
    """The schedule. The zero state follows the MAV1_ parameters: nothing but heartbeats."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._interval_ms: dict[int, int] = {HEARTBEAT: 1000}
        self._due_ns: dict[int, int] = {HEARTBEAT: 0}
        self._first_ns = 0  # nothing is due before

    def request_group(self, stream: int, rate: int, *, start: bool) -> None:
        """Act on REQUEST_DATA_STREAM; MAV_DATA_STREAM_ALL is every group [Hz]."""
        rate = min(max(rate, 0), _RATE_MAX) if start else 0
        everything = stream == dialect.MAV_DATA_STREAM_ALL
        for number, (name, _) in _GROUPS.items():
            if everything or number == stream:
                self._parameters.store(name, rate)
                self.follow_parameter(name)

    def follow_parameter(self, name: str) -> None:
        """Apply a stream-rate parameter that was set."""
        for message_id in _GROUP_OF.get(name, ()):
            self._set(message_id, self._default_ms(message_id))

    def set_interval(self, message_id: int, interval_us: int) -> int:
        """Act on SET_MESSAGE_INTERVAL; return the MAV_RESULT or -1 for an unknown message.

        0 restores the default, -1 stops; whole milliseconds, at least one.
        """
        if message_id not in BUILDERS:
            return -1
        if interval_us == 0:
            interval_ms = self._default_ms(message_id)
        elif interval_us == -1:
            interval_ms = 0
        elif interval_us < 0:
            return int(dialect.MAV_RESULT_DENIED)
        else:
            interval_ms = min(max(interval_us // 1000, 1), _INTERVAL_MAX_MS)
            if interval_ms < _INTERVAL_MIN_MS:
                return int(dialect.MAV_RESULT_TEMPORARILY_REJECTED)
        self._set(message_id, self._snap(message_id, interval_ms))
        return int(dialect.MAV_RESULT_ACCEPTED)

    def interval_us(self, message_id: int) -> int:
        """Return the interval GET_MESSAGE_INTERVAL reports: -1 off, 0 unknown message."""
        if message_id not in BUILDERS:
            return 0
        interval_ms = self._interval_ms.get(message_id, 0)
        return interval_ms * 1000 if interval_ms else -1

    def due(self, now_ns: int) -> list[int]:
        """Return the messages to send now."""
        ready: list[int] = []
        if now_ns < self._first_ns:
            return ready
        for message_id, due_ns in self._due_ns.items():
            if now_ns >= due_ns:
                ready.append(message_id)
        for message_id in ready:
            interval_ns = self._interval_ms[message_id] * 1_000_000
            # A schedule, not a gap: late sending must not lower the rate. After a pause it
            # starts afresh rather than catching up.
            following = self._due_ns[message_id] + interval_ns
            self._due_ns[message_id] = following if following > now_ns else now_ns + interval_ns
        self._first_ns = min(self._due_ns.values(), default=0)
        return ready

    def _set(self, message_id: int, interval_ms: int) -> None:
        if interval_ms == 0:
            self._interval_ms.pop(message_id, None)
            self._due_ns.pop(message_id, None)
            return
        self._interval_ms[message_id] = interval_ms
        self._due_ns.setdefault(message_id, 0)
        self._first_ns = 0

    def _snap(self, message_id: int, interval_ms: int) -> int:
        used = {ms for other, ms in self._interval_ms.items() if other != message_id}
        if interval_ms == 0 or interval_ms in used or len(used) < _BUCKETS:
            return interval_ms
        return min(used, key=lambda ms: abs(ms - interval_ms))

    def _default_ms(self, message_id: int) -> int:
        if message_id == HEARTBEAT:
            return 1000
        for name, messages in _GROUP_OF.items():
            if message_id in messages:
                rate = self._parameters[name]
                return int(1000.0 / rate) if rate > 0.0 else 0
        return 0
