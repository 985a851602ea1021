"""Telemetry on its way down: gather frames into datagrams, in order, without holding up answers.

Periodic telemetry may wait up to 20 ms for company; any other frame (an answer, a text, a
parameter) leaves at once and takes what was waiting with it. So the order never changes.
"""

from typing import Final

from wire.mavlink import dialect

FLUSH_AFTER_NS: Final = 20_000_000
MAX_DATAGRAM_BYTES: Final = 1200

_PERIODIC: Final = frozenset(
    number.to_bytes(3, "little")
    for number in (
        dialect.MAVLINK_MSG_ID_SYS_STATUS,
        dialect.MAVLINK_MSG_ID_SYSTEM_TIME,
        dialect.MAVLINK_MSG_ID_GPS_RAW_INT,
        dialect.MAVLINK_MSG_ID_RAW_IMU,
        dialect.MAVLINK_MSG_ID_SCALED_IMU2,
        dialect.MAVLINK_MSG_ID_SCALED_IMU3,
        dialect.MAVLINK_MSG_ID_SCALED_PRESSURE,
        dialect.MAVLINK_MSG_ID_SCALED_PRESSURE2,
        dialect.MAVLINK_MSG_ID_ATTITUDE,
        dialect.MAVLINK_MSG_ID_ATTITUDE_QUATERNION,
        dialect.MAVLINK_MSG_ID_LOCAL_POSITION_NED,
        dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT,
        dialect.MAVLINK_MSG_ID_SERVO_OUTPUT_RAW,
        dialect.MAVLINK_MSG_ID_MISSION_CURRENT,
        dialect.MAVLINK_MSG_ID_NAV_CONTROLLER_OUTPUT,
        dialect.MAVLINK_MSG_ID_RC_CHANNELS,
        dialect.MAVLINK_MSG_ID_VFR_HUD,
        dialect.MAVLINK_MSG_ID_POWER_STATUS,
        dialect.MAVLINK_MSG_ID_TERRAIN_REPORT,
        dialect.MAVLINK_MSG_ID_BATTERY_STATUS,
        dialect.MAVLINK_MSG_ID_MEMINFO,
        dialect.MAVLINK_MSG_ID_AHRS,
        dialect.MAVLINK_MSG_ID_AHRS2,
        dialect.MAVLINK_MSG_ID_SIMSTATE,
        dialect.MAVLINK_MSG_ID_WIND,
        dialect.MAVLINK_MSG_ID_EKF_STATUS_REPORT,
        dialect.MAVLINK_MSG_ID_VIBRATION,
        dialect.MAVLINK_MSG_ID_POSITION_TARGET_GLOBAL_INT,
        dialect.MAVLINK_MSG_ID_POSITION_TARGET_LOCAL_NED,
        dialect.MAVLINK_MSG_ID_ESC_TELEMETRY_1_TO_4,
    )
)


class Downlink:
    """Gather frames into payloads of at most `max_bytes`.

    Invariant: the payloads, joined, are the frames, joined. The zero state is empty.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._frames: list[bytes] = []
        self._bytes = 0
        self._due_ns: int | None = None

    @property
    def due_ns(self) -> int | None:
        """When what waits must leave, or None if nothing waits."""
        return self._due_ns

    def queue(self, frames: list[bytes], now_ns: int) -> list[list[bytes]]:
        """Take frames in the order they came; return the batches that leave now."""
        leaving = []
        for frame in frames:
            size = len(frame)
            if self._bytes + size > self._max_bytes:
                leaving.append(self.flush())
            self._frames.append(frame)
            self._bytes += size
            if frame[7:10] not in _PERIODIC:
                self._due_ns = now_ns
            elif self._due_ns is None:
                self._due_ns = now_ns + FLUSH_AFTER_NS
        if self._due_ns is not None and self._due_ns <= now_ns:
            leaving.append(self.flush())
        return leaving

    def flush(self) -> list[bytes]:
        """Return what waits."""
        frames = self._frames
        self._frames = []
        self._bytes = 0
        self._due_ns = None
        return frames
