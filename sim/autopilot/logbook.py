"""The logs aboard: one for each time the vehicle was armed, and their list and download."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot import dataflash
from sim.autopilot.dataflash import Record, Value
from sim.autopilot.outbox import Outbox, Severity
from sim.autopilot.parameters import Parameters
from sim.autopilot.scene import Message, Scene
from sim.control.vector import Quat, Vec3, to_euler

_LOG_BYTES_MAX: Final = 4_000_000
_LOGS_MAX: Final = 16
_FAST_S: Final = 0.1
_SLOW_S: Final = 0.2
_DATA_BYTES: Final = 90
# What the real one sends at a time.
_PACKETS: Final = 40
_PACE_S: Final = 0.02
_WEEK_S: Final = 604_800
_GPS_EPOCH_S: Final = 315_964_800
_ARMED_EVENT: Final = 10
_DISARMED_EVENT: Final = 11


@dataclass(slots=True)
class Log:
    """One log.

    Attributes:
        began_s: Wall time of its beginning. [s since 1970]
        data: Its records.
    """

    began_s: int
    data: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class _Sending:
    """A download under way."""

    number: int
    offset: int
    left: int
    wait_s: float = 0.0


class Logbook:
    """Keeps the newest logs. The zero state has none.

    Invariant: at most sixteen logs of four megabytes; a longer one ends there.
    """

    def __init__(self, parameters: Parameters, outbox: Outbox) -> None:
        self._parameters = parameters
        self._outbox = outbox
        self.logs: list[Log] = []
        self._open: Log | None = None
        self._since_s = 0.0
        self._slow = False
        self._mode = -1
        self._listing: Iterator[int] = iter(())
        self._sending: _Sending | None = None
        self._warned = False

    def restore(self, old: "Logbook") -> None:
        """Take over the logs of before a reboot."""
        self.logs = old.logs

    def step(self, scene: Scene, dt_s: float) -> None:
        """Write what is due, and send what was asked for."""
        armed = scene.vehicle.flight.armed
        if armed and self._open is None:
            self._begin(scene)
        elif not armed and self._open is not None:
            self._write(dataflash.ARM, scene.us, 0, 0, 0, 0)
            self._write(dataflash.EV, scene.us, _DISARMED_EVENT)
            self._open = None
        if self._open is not None:
            self._keep(scene, dt_s)
        elif not armed:
            self._send(dt_s)

    def request_list(self, message: Message, *, armed: bool) -> None:
        """Act on LOG_REQUEST_LIST."""
        if self._refused(armed=armed):
            return
        count = len(self.logs)
        if count == 0:
            self._entry(0)
            return
        self._listing = iter(range(max(message.start, 1), min(message.end, count) + 1))

    def request_data(self, message: Message, *, armed: bool) -> None:
        """Act on LOG_REQUEST_DATA; what is under way goes on."""
        if self._refused(armed=armed) or self._sending is not None:
            return
        if 1 <= message.id <= len(self.logs):
            size = len(self.logs[message.id - 1].data)
            left = min(max(size - message.ofs, 0), message.count)
            self._sending = _Sending(message.id, message.ofs, left)

    def request_end(self) -> None:
        """Act on LOG_REQUEST_END."""
        self._sending = None
        self._listing = iter(())

    def erase(self, *, armed: bool) -> None:
        """Forget every log."""
        if not self._refused(armed=armed):
            self.request_end()
            self.logs = []

    def _refused(self, *, armed: bool) -> bool:
        if armed and not self._warned:
            self._outbox.text(Severity.ERROR, "Disarm for log download")
        self._warned = armed
        return armed

    def _send(self, dt_s: float) -> None:
        number = next(self._listing, None)
        if number is not None:
            self._entry(number)
        sending = self._sending
        if sending is None:
            return
        sending.wait_s -= dt_s
        if sending.wait_s > 0.0:
            return
        sending.wait_s += _PACE_S
        log = self.logs[sending.number - 1]
        for _ in range(_PACKETS):
            size = min(sending.left, _DATA_BYTES)
            piece = bytes(log.data[sending.offset : sending.offset + size])
            self._outbox.send(
                dialect.MAVLink_log_data_message(
                    sending.number,
                    sending.offset,
                    len(piece),
                    list(piece.ljust(_DATA_BYTES, b"\0")),
                )
            )
            sending.offset += len(piece)
            sending.left -= len(piece)
            if len(piece) < _DATA_BYTES or sending.left == 0:
                self._sending = None
                return

    def _entry(self, number: int) -> None:
        log = self.logs[number - 1] if number else Log(0)
        count = len(self.logs)
        self._outbox.send(
            dialect.MAVLink_log_entry_message(number, count, count, log.began_s, len(log.data))
        )

    def _begin(self, scene: Scene) -> None:
        self.request_end()
        self._open = Log(scene.utc_us // 1_000_000)
        self.logs = [*self.logs, self._open][-_LOGS_MAX:]
        for kind in dataflash.KINDS:
            self._open.data += kind.description()
        self._write(dataflash.MSG, scene.us, "ArduCopter V4.7.0-dev (sekisho embedded)")
        for name, value, _ in self._parameters:
            default = self._parameters.default(name)
            self._write(dataflash.PARM, scene.us, name, value, default)
        self._write(dataflash.ARM, scene.us, 1, self._parameters.bits("ARMING_CHECK"), 0, 0)
        self._write(dataflash.EV, scene.us, _ARMED_EVENT)
        self._mode, self._since_s = -1, _FAST_S

    def _keep(self, scene: Scene, dt_s: float) -> None:
        mode = int(scene.vehicle.mode)
        if mode != self._mode:
            self._mode = mode
            self._write(dataflash.MODE, scene.us, mode, mode, 0)
        self._since_s += dt_s
        if self._since_s < _FAST_S:
            return
        self._since_s -= _FAST_S
        self._movement(scene)
        self._slow = not self._slow
        if self._slow:
            self._sensors(scene)

    def _movement(self, scene: Scene) -> None:
        vehicle, motion, us = scene.vehicle, scene.sensed.motion, scene.us
        roll_sp, pitch_sp, yaw_sp = _degrees(vehicle.flight.attitude_sp)
        roll, pitch, yaw = _degrees(motion.q_nb)
        self._write(dataflash.ATT, us, roll_sp, roll, pitch_sp, pitch, yaw_sp, yaw)
        down = vehicle.flight.reference.position_n[2]
        hover = self._parameters["MOT_THST_HOVER"]
        height, climb = -motion.position_n[2], -motion.velocity_n[2]
        self._write(dataflash.CTUN, us, vehicle.flight.collective, hover, -down, height, climb)
        self._write(dataflash.RCIN, us, *vehicle.sticks.channels(vehicle.now_s))
        pulses = [round(1000.0 + 1000.0 * u) for u in scene.sensed.throttles]
        self._write(dataflash.RCOU, us, *(pulses + [0] * 8)[:8])

    def _sensors(self, scene: Scene) -> None:
        vehicle, sensed, us = scene.vehicle, scene.sensed, scene.us
        readings, fix, motion = sensed.readings, sensed.readings.fix, sensed.motion
        self._write(dataflash.IMU, us, 0, *readings.rate_b, *readings.force_b)
        place, v = vehicle.ground.place(fix.position_n), fix.velocity_n
        gps_s = scene.utc_us * 1e-6 - fix.late_s - _GPS_EPOCH_S
        week = int(gps_s // _WEEK_S)
        self._write(
            dataflash.GPS, us, 0, 6 if fix.locked else 1, int(1e3 * (gps_s - week * _WEEK_S)), week,
            fix.satellites, 1.21, place.lat_deg_e7, place.lon_deg_e7, place.alt,
            math.hypot(v[0], v[1]), math.degrees(math.atan2(v[1], v[0])) % 360.0, v[2],
        )  # fmt: skip
        self._write(dataflash.BARO, us, 0, readings.baro_height, 0.0, 35.0)
        self._write(
            dataflash.BAT, us, 0, sensed.volts, sensed.current, sensed.consumed_mah,
            sensed.consumed_wh, round(100.0 * sensed.remaining),
        )  # fmt: skip
        at = vehicle.ground.place(motion.position_n)
        above = at.alt - vehicle.ground.home_alt
        self._write(dataflash.POS, us, at.lat_deg_e7, at.lon_deg_e7, at.alt, above)
        self._write(
            dataflash.XKF1, us, 0, *_degrees(motion.q_nb), *motion.velocity_n,
            motion.velocity_n[2], *motion.position_n,
        )  # fmt: skip

    def _write(self, kind: Record, *values: Value) -> None:
        assert self._open is not None
        if len(self._open.data) < _LOG_BYTES_MAX:
            self._open.data += kind.pack(*values)


def _degrees(q_nb: Quat) -> Vec3:
    """Return roll, pitch, and yaw from 0 to 360 [degree]."""
    roll, pitch, yaw = to_euler(q_nb)
    return math.degrees(roll), math.degrees(pitch), math.degrees(yaw) % 360.0
