"""Notices that a GNSS receiver is being deceived or jammed, from the autopilot's telemetry alone.

Each frame is decoded, its own time stamp advances the vehicle's clock, and the families of tests
that use it give (detector, value, onset). A value at its threshold (`table`) raises the alarm,
which stays until the commander clears it: the autopilot's filter forgives a spoofer after ten
seconds, this does not.
"""

import math
from typing import Final, assert_never

from flightcore.monitor.alarm import Alarm, State, Status
from flightcore.monitor.autopilot_filter import FilterTests
from flightcore.monitor.height_and_time import HeightTests, TimeTests
from flightcore.monitor.inertial import DeadReckoning
from flightcore.monitor.messages import (
    METRES_PER_DEG_E7,
    WATCHED,
    Attitude,
    FilterReport,
    Fix,
    Heartbeat,
    Imu,
    Local,
    Message,
    Pressure,
    SystemTime,
    decode,
)
from flightcore.monitor.position import PositionTests
from flightcore.monitor.receiver import FIX_3D, ReceiverTests
from flightcore.monitor.table import TABLE, Detector
from flightcore.monitor.velocity import VelocityTests

__all__ = ["WATCHED", "Alarm", "GnssMonitor", "State", "Status"]

LEARNING_S: Final = 10.0  # of epochs with a 3D fix, before anything is judged
_GAP_S: Final = 5.0  # between epochs: the tests start again
_REORDERED_S: Final = 2.0  # a stamp further back than this is a reboot, less is a late packet
_SLOWEST_S: Final[dict[str, float]] = {
    "HEARTBEAT": 5.0,
    "GPS_RAW_INT": 1.2,
    "ATTITUDE": 0.5,
    "RAW_IMU": 0.5,
    "EKF_STATUS_REPORT": 2.0,
    "LOCAL_POSITION_NED": 2.0,
    "SCALED_PRESSURE": 2.0,
}
_NAMES: Final[dict[type[Message], str]] = {
    Heartbeat: "HEARTBEAT",
    Fix: "GPS_RAW_INT",
    Attitude: "ATTITUDE",
    Imu: "RAW_IMU",
    FilterReport: "EKF_STATUS_REPORT",
    Local: "LOCAL_POSITION_NED",
    Pressure: "SCALED_PRESSURE",
    SystemTime: "SYSTEM_TIME",
}
_HALF_TURN_E7: Final = 1_800_000_000
Found = list[tuple[Detector, float, float]]


class GnssMonitor:
    """The whole monitor of one vehicle.

    Invariant: no frame raises; once `alarm` is set only `clear` unsets it. Zero state: learning.
    """

    def __init__(self) -> None:
        self.alarm: Alarm | None = None
        self._heard_ns: dict[str, int] = {}
        self._reset()

    def _reset(self) -> None:
        """Know nothing of the vehicle: at start, and when it has rebooted."""
        self._time_s = -math.inf
        self._stamps: dict[str, float] = {}
        self._armed = False
        self._reckoning = DeadReckoning()
        self._velocity = VelocityTests()
        self._position = PositionTests()
        self._receiver = ReceiverTests()
        self._filter = FilterTests()
        self._height = HeightTests()
        self._clock = TimeTests()
        self._fix: Fix | None = None
        self._fix_s = -math.inf
        self._learnt_from_s: float | None = None
        self._ratios: dict[Detector, float] = {}
        self._epochs = 0

    def receive(self, frame: bytes, now_ns: int) -> Alarm | None:
        """Take one whole MAVLink 2 frame of the autopilot; return an alarm when it is raised."""
        message = decode(frame)
        if message is None:
            return None
        return self.observe(message, now_ns)

    def observe(self, message: Message, now_ns: int) -> Alarm | None:
        """Take a decoded message; `receive` with the decoding left out."""
        self._heard_ns[_NAMES[type(message)]] = now_ns
        match message:
            case Imu() | Attitude() | Local() | Pressure() | SystemTime():
                found = self._receive_stamped(message)
            case Fix():
                found = self._receive_fix(message)
            case FilterReport():
                found = self._filter.report(self._time_s, message)
            case Heartbeat():
                self._receive_heartbeat(message)
                return None
            case _:
                assert_never(message)
        return self._judge(found, now_ns) if found else None

    def _receive_heartbeat(self, heartbeat: Heartbeat) -> None:
        if not heartbeat.is_armed:
            self._clock.forget()  # on the ground the receiver may still settle its time
        self._armed = heartbeat.is_armed

    def _receive_stamped(self, message: Imu | Attitude | Local | Pressure | SystemTime) -> Found:
        if not self._is_in_order(_NAMES[type(message)], message.time_s):
            return []
        match message:
            case Imu():
                self._reckoning.receive_sample(message)
            case Attitude():
                self._reckoning.receive_attitude(message)
            case Pressure():
                self._height.pressure(message)
            case Local():
                return self._filter.local(message)
            case SystemTime():
                return self._clock.step(message)
        return []

    def _is_in_order(self, name: str, time_s: float) -> bool:
        """Advance the vehicle's clock; tell whether a stamp is newer than its stream's last."""
        last = self._stamps.get(name, -math.inf)
        if time_s < last - _REORDERED_S:
            self._reset()
        elif time_s <= last:
            return False
        self._stamps[name] = time_s
        self._time_s = max(self._time_s, time_s)
        return True

    def _receive_fix(self, fix: Fix) -> Found:
        time_s = self._time_s if fix.time_s is None else fix.time_s
        if time_s == -math.inf:
            return []  # no stream has said yet what time it is
        before = self._fix
        if before is not None and time_s < self._fix_s - _REORDERED_S:
            self._reset()
            return []
        if time_s <= self._fix_s:
            return self._receiver.repeated(self._time_s, fix) if time_s == self._fix_s else []
        gap_s = time_s - self._fix_s
        found = self._receiver.step(max(time_s, self._time_s), fix)
        if fix.type < FIX_3D or fix.velocity is None:
            return found
        self._fix, self._fix_s = fix, time_s
        self._time_s = max(self._time_s, time_s)
        self._epochs += 1
        if before is None or gap_s > _GAP_S:
            self._start(time_s)
        found += self._height.step(time_s, fix)
        velocity = self._velocity
        at = self._reckoning.at(time_s - velocity.lag_s)
        if at is not None:
            velocity.unsettle(*self._reckoning.take_steps())
            found += velocity.step(at, fix.velocity)
        moved = 0j if before is None else _moved(before, fix)
        noise = velocity.prediction.noise
        found += self._position.step(time_s, fix, moved, fix.velocity, noise, at)
        return found

    def _start(self, time_s: float) -> None:
        """Begin the tests afresh at an epoch: the first, after a gap, after `clear`."""
        self._velocity.forget()
        self._position.forget()
        self._height.forget()
        self._learnt_from_s = time_s

    def _judge(self, found: Found, now_ns: int) -> Alarm | None:
        """Note values over thresholds; raise the alarm at the first that reaches 1."""
        is_learnt = self._is_learnt()
        worst: tuple[float, Detector, float, float] | None = None
        for detector, value, onset_s in found:
            row = TABLE[detector]
            threshold = row.threshold
            if not self._armed:
                if row.on_ground is None:
                    self._ratios[detector] = 0.0
                    continue
                threshold *= row.on_ground
            ratio = value / threshold
            self._ratios[detector] = ratio
            if ratio >= 1.0 and is_learnt and (worst is None or ratio > worst[0]):
                worst = (ratio, detector, value, onset_s)
        if worst is None or self.alarm is not None:
            return None
        ratio, detector, value, onset_s = worst
        self.alarm = Alarm(
            detector,
            value,
            value / ratio,
            onset_s,
            self._time_s,
            now_ns,
            tuple((name.value, round(r, 3)) for name, r in self._ratios.items()),
        )
        return self.alarm

    def _is_learnt(self) -> bool:
        start = self._learnt_from_s
        return start is not None and self._time_s - start >= LEARNING_S

    def clear(self, now_ns: int) -> None:
        """Unset the alarm and learn again; only the commander may."""
        del now_ns
        self.alarm = None
        self._receiver.forget()
        self._filter.forget()
        self._clock.forget()
        if self._fix is not None:
            self._start(self._fix_s)

    def missing(self, now_ns: int) -> tuple[str, ...]:
        """Return the messages that are absent or too slow to judge by."""
        late = []
        for name, slowest_s in _SLOWEST_S.items():
            heard_ns = self._heard_ns.get(name)
            if heard_ns is None or now_ns - heard_ns > slowest_s * 1e9:
                late.append(name)
        return tuple(late)

    def state(self, now_ns: int) -> State:
        """Return what the monitor can say now."""
        if self.alarm is not None:
            return State.ALARM
        if self.missing(now_ns):
            return State.DEGRADED
        return State.OK if self._is_learnt() else State.LEARNING

    def status(self, now_ns: int) -> Status:
        """Return the whole state, for people and programs."""
        return Status(
            self.state(now_ns),
            self.missing(now_ns),
            None if self.alarm is None else self.alarm.text,
            {detector.value: round(ratio, 3) for detector, ratio in self._ratios.items()},
            self._epochs,
            self._velocity.lag_s,
        )


def _moved(before: Fix, now: Fix) -> complex:
    """Return the way between two fixes, north + j east [m]; the shorter way round the earth."""
    north = now.lat_deg_e7 - before.lat_deg_e7
    east = (now.lon_deg_e7 - before.lon_deg_e7 + _HALF_TURN_E7) % (2 * _HALF_TURN_E7)
    east -= _HALF_TURN_E7
    cos_lat = math.cos(math.radians(now.lat_deg_e7 * 1e-7))
    return complex(north, east * cos_lat) * METRES_PER_DEG_E7
