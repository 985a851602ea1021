"""What the autopilot says of its motion, put on our clock; read without raising."""

import math
import struct
from collections import Counter
from typing import Final, NamedTuple

from flightcore.offboard.setpoints import Quat, Vec
from wire.mavlink import HEADER_BYTES, dialect, message_id

POSITION_ID: Final = dialect.MAVLINK_MSG_ID_LOCAL_POSITION_NED
ATTITUDE_ID: Final = dialect.MAVLINK_MSG_ID_ATTITUDE_QUATERNION
WINDOW_S: Final = 2.0
FARTHEST_S: Final = 0.1  # between an attitude and the position that it is joined with

_POSITION: Final = struct.Struct("<I6f")
_ATTITUDE: Final = struct.Struct("<I7f")


class Motion(NamedTuple):
    """The estimator's state at one instant.

    Attributes:
        time_s: When it was so, on our monotonic clock. [s]
        position_n: NED from the estimator's origin. [m]
        velocity_n: NED. [m/s]
        q_nb: Body to NED, w first; unit.
    """

    time_s: float
    position_n: Vec
    velocity_n: Vec
    q_nb: Quat


class VehicleClock:
    """Relates time_boot_ms to our clock: the least delay seen in the last seconds counts as none.

    A line delays, never hastens. What drifts (a simulator slower than the wall) is followed.
    """

    def __init__(self) -> None:
        self._offset_s = self._next_s = math.inf
        self._turns_s = -math.inf

    def local_s(self, boot_ms: int, now_s: float) -> float:
        """Return when the vehicle's clock showed `boot_ms`, on ours, never later than now."""
        offset = now_s - boot_ms * 1e-3
        if now_s >= self._turns_s:
            self._offset_s, self._next_s = self._next_s, math.inf
            self._turns_s = now_s + 0.5 * WINDOW_S
        self._next_s = min(self._next_s, offset)
        self._offset_s = min(self._offset_s, offset)
        return boot_ms * 1e-3 + self._offset_s


class MotionReader:
    """Joins LOCAL_POSITION_NED with ATTITUDE_QUATERNION. The zero state has heard neither."""

    watched = frozenset((POSITION_ID, ATTITUDE_ID))

    def __init__(self, dropped: Counter[str]) -> None:
        self.dropped = dropped
        self._clock = VehicleClock()
        self._attitude: tuple[int, Quat, Vec] | None = None

    def receive(self, frame: bytes, now_ns: int) -> Motion | None:
        """Take a frame of `watched`; return the motion that a position completes."""
        number = message_id(frame)
        payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(_ATTITUDE.size, b"\0")
        layout = _POSITION if number == POSITION_ID else _ATTITUDE
        boot_ms, *values = layout.unpack_from(payload)
        if not all(map(math.isfinite, values)):
            self.dropped["motion_not_finite"] += 1
            return None
        time_s = self._clock.local_s(boot_ms, now_ns * 1e-9)
        if number == ATTITUDE_ID:
            w, x, y, z, *rate = values
            length = math.sqrt(w * w + x * x + y * y + z * z)
            if not 0.9 < length < 1.1:
                self.dropped["motion_no_attitude"] += 1
                return None
            q = (w / length, x / length, y / length, z / length)
            self._attitude = boot_ms, q, (rate[0], rate[1], rate[2])
            return None
        if self._attitude is None:
            return None
        since_s = (boot_ms - self._attitude[0]) * 1e-3
        if abs(since_s) > FARTHEST_S:
            self.dropped["motion_apart"] += 1
            return None
        px, py, pz, vx, vy, vz = values
        q = turned(self._attitude[1], self._attitude[2], since_s)
        return Motion(time_s, (px, py, pz), (vx, vy, vz), q)


def turned(q_nb: Quat, rate_b: Vec, for_s: float) -> Quat:
    """Return an attitude after turning at a body rate [rad/s] for a moment [s]."""
    x, y, z = (0.5 * for_s * r for r in rate_b)
    half = math.sqrt(x * x + y * y + z * z)
    share = math.sin(half) / half if half > 1e-9 else 1.0
    a, (b, c, d) = math.cos(half), (share * x, share * y, share * z)
    w, i, j, k = q_nb
    return (
        w * a - i * b - j * c - k * d,
        w * b + i * a + j * d - k * c,
        w * c - i * d + j * a + k * b,
        w * d + i * c - j * b + k * a,
    )
