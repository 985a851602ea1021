"""What a recording says of a flight: series over time, what happened, and what it comes to."""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from wire.mavlink import dialect, is_valid_frame, message_id

_EARTH_M: Final = 6_371_000.0
_ARMED: Final = dialect.MAV_MODE_FLAG_SAFETY_ARMED
_AUTOPILOT: Final = dialect.MAV_COMP_ID_AUTOPILOT1
_NO_PLACE: Final = (0, 0)
# A receiver that has just found its place jumps; nothing here flies that fast.
_JUMP_M_S: Final = 150.0
_OF_GROUND: Final = frozenset((dialect.MAV_TYPE_GCS, dialect.MAV_TYPE_ONBOARD_CONTROLLER))
_MAX_HAPPENINGS: Final = 2000


class Series:
    """Values over time: seconds since the beginning, rising."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.values: list[float] = []

    def add(self, time_s: float, value: float) -> None:
        """Add a value, unless it is no number."""
        if math.isfinite(value):
            self.times.append(time_s)
            self.values.append(value)

    def at(self, time_s: float) -> float | None:
        """Return the newest value at a time; None before the first."""
        place = bisect_right(self.times, time_s)
        return self.values[place - 1] if place else None


class Fix(NamedTuple):
    """Where the vehicle said that it was: seconds, degrees, metres above home."""

    time_s: float
    lat: float
    lon: float
    height: float


class Happening(NamedTuple):
    """Something that happened: `kind` groups it, `level` is 0 quiet, 2 caution, 3 alarm."""

    time_s: float
    kind: str
    level: int
    text: str


@dataclass(slots=True)
class FlightData:
    """One flight, as far as it has been read. The zero state has nothing.

    Times are seconds since the first frame, which came at `first_us` of the recorder's wall clock.
    """

    first_us: int | None = None
    last_us: int = 0
    frames: int = 0
    from_ground: int = 0
    sysid: int | None = None
    path: list[Fix] = field(default_factory=list)
    home: tuple[float, float] | None = None
    series: dict[str, Series] = field(default_factory=dict)
    happenings: list[Happening] = field(default_factory=list)
    armed: list[tuple[float, float]] = field(default_factory=list)  # from, to
    distance_m: float = 0.0
    refused: int = 0
    knows_link: bool = False  # whether anything beside the frames was there
    _armed_s: float | None = None
    _mode: int | None = None
    _target: tuple[float, float, float] | None = None
    _truths: list[tuple[float, float, float]] = field(default_factory=list)
    _decoder: Any = field(default_factory=lambda: dialect.MAVLink(None))

    def write(self, us: int, frame: bytes) -> None:
        """Take one frame."""
        if self.first_us is None:
            self.first_us = us
        self.last_us = us
        self.frames += 1
        number = message_id(frame)
        time_s = self.time_s(us)
        # Whoever has the public key can seal frames that no autopilot would send.
        if number in _DECODED and not is_valid_frame(frame):
            return
        if number == dialect.MAVLINK_MSG_ID_HEARTBEAT:
            self._heartbeat(frame, self._decoder.decode(bytearray(frame)), time_s)
        if frame[5] != self.sysid:
            if number in _ORDERS:
                self._order(self._decoder.decode(bytearray(frame)), time_s)
            self.from_ground += 1
        elif number in _TAKEN and (frame[6] == _AUTOPILOT or number in _OF_ANYONE_ABOARD):
            _TAKEN[number](self, self._decoder.decode(bytearray(frame)), time_s)

    def finish(self) -> None:
        """Close what is open."""
        if self._armed_s is not None:
            self.armed.append((self._armed_s, self.duration_s))
            self._armed_s = None
        self._compare_with_truth()

    def note(self, us: int, kind: str, level: int, text: str) -> None:
        """Add something that is not in the frames."""
        self.knows_link = True
        self._happen(self.time_s(us), kind, level, text)

    def time_s(self, us: int) -> float:
        """Return a time of the recorder's clock as seconds since the first frame."""
        return (us - (self.first_us or us)) / 1e6

    @property
    def duration_s(self) -> float:
        """How long the recording is."""
        return self.time_s(self.last_us)

    def of(self, name: str) -> Series:
        """Return a series by its name, empty if there is none."""
        return self.series.setdefault(name, Series())

    def _happen(self, time_s: float, kind: str, level: int, text: str) -> None:
        if len(self.happenings) < _MAX_HAPPENINGS:
            self.happenings.append(Happening(time_s, kind, level, text))

    def _heartbeat(self, frame: bytes, beat: Any, time_s: float) -> None:  # noqa: ANN401 - pymavlink's
        is_vehicle = frame[6] == _AUTOPILOT and beat.type not in _OF_GROUND
        if self.sysid is None and is_vehicle and beat.autopilot != 8:  # MAV_AUTOPILOT_INVALID
            self.sysid = frame[5]
        if frame[5] != self.sysid or not is_vehicle:
            return
        armed = bool(beat.base_mode & _ARMED)
        if armed and self._armed_s is None:
            self._armed_s = time_s
            self._happen(time_s, "state", 0, "Armed")
        elif not armed and self._armed_s is not None:
            self.armed.append((self._armed_s, time_s))
            self._armed_s = None
            self._happen(time_s, "state", 0, "Disarmed")
        if beat.custom_mode != self._mode:
            self._mode = beat.custom_mode
            known = dialect.enums["COPTER_MODE"].get(beat.custom_mode)
            name = (
                f"mode {beat.custom_mode}" if known is None else known.name[len("COPTER_MODE_") :]
            )
            self._happen(time_s, "mode", 0, f"Mode {name}")

    def _position(self, message: Any, time_s: float) -> None:  # noqa: ANN401
        place = (message.lat, message.lon)
        if place == _NO_PLACE:
            return
        fix = Fix(time_s, message.lat / 1e7, message.lon / 1e7, message.relative_alt / 1e3)
        if self.path and self._armed_s is not None:
            last = self.path[-1]
            gone = metres(last.lat, last.lon, fix.lat, fix.lon)
            if gone <= _JUMP_M_S * max(0.05, time_s - last.time_s):
                self.distance_m += gone
        self.path.append(fix)
        self.of("height").add(time_s, fix.height)
        self.of("speed").add(time_s, math.hypot(message.vx, message.vy) / 100)
        self.of("climb").add(time_s, -message.vz / 100)
        if self._target is not None:
            lat, lon, height = self._target
            self.of("target_error").add(time_s, metres(lat, lon, fix.lat, fix.lon))
            self.of("target_height_error").add(time_s, height - fix.height)

    def _aim(self, message: Any, _time_s: float) -> None:  # noqa: ANN401
        is_relative = message.coordinate_frame in (3, 6)  # of MAV_FRAME, above home
        ignored = message.type_mask & 0b111
        place = (message.lat_int / 1e7, message.lon_int / 1e7, message.alt)
        self._target = place if is_relative and not ignored and any(place[:2]) else None

    def _truth(self, message: Any, time_s: float) -> None:  # noqa: ANN401
        if message.lat or message.lng:
            self._truths.append((time_s, message.lat / 1e7, message.lng / 1e7))

    def _compare_with_truth(self) -> None:
        """Hold the estimate, between two of its messages, against each word of the simulator."""
        truths, self._truths = self._truths, []
        times = [fix.time_s for fix in self.path]
        for time_s, lat, lon in truths:
            place = bisect_right(times, time_s)
            if 0 < place < len(times):
                before, after = self.path[place - 1], self.path[place]
                part = (time_s - before.time_s) / (after.time_s - before.time_s)
                own_lat = before.lat + part * (after.lat - before.lat)
                own_lon = before.lon + part * (after.lon - before.lon)
                self.of("truth_error").add(time_s, metres(own_lat, own_lon, lat, lon))

    def _attitude(self, message: Any, time_s: float) -> None:  # noqa: ANN401
        self.of("roll").add(time_s, math.degrees(message.roll))
        self.of("pitch").add(time_s, math.degrees(message.pitch))
        self.of("yaw").add(time_s, math.degrees(message.yaw) % 360)

    def _navigation(self, message: Any, time_s: float) -> None:  # noqa: ANN401
        self.of("cross_track").add(time_s, message.xtrack_error)
        self.of("height_error").add(time_s, message.alt_error)

    def _power(self, message: Any, time_s: float) -> None:  # noqa: ANN401
        if message.voltage_battery != 65535:
            self.of("volts").add(time_s, message.voltage_battery / 1e3)
        if message.current_battery != -1:
            self.of("amperes").add(time_s, message.current_battery / 100)
        if message.battery_remaining != -1:
            self.of("percent").add(time_s, message.battery_remaining)

    def _used(self, message: Any, time_s: float) -> None:  # noqa: ANN401
        if message.id == 0 and message.current_consumed != -1:
            self.of("consumed").add(time_s, message.current_consumed)

    def _home(self, message: Any, _time_s: float) -> None:  # noqa: ANN401
        self.home = (message.latitude / 1e7, message.longitude / 1e7)

    def _text(self, message: Any, time_s: float) -> None:  # noqa: ANN401
        text = printable(message.text.rstrip("\0"))
        severity = message.severity & 7
        level = 3 if severity <= 3 else 2 if severity == 4 else 0  # MAV_SEVERITY
        is_refusal = text.startswith("Refused: ")
        self.refused += is_refusal
        self._happen(time_s, "refused" if is_refusal else "message", level, text)

    def _order(self, message: Any, time_s: float) -> None:  # noqa: ANN401
        command = dialect.enums["MAV_CMD"].get(message.command)
        name = str(message.command) if command is None else command.name.removeprefix("MAV_CMD_")
        if name not in _ROUTINE:
            self._happen(time_s, "sent", 0, f"Sent {name}")


_TAKEN: Final[dict[int, Callable[[FlightData, Any, float], None]]] = {
    dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: FlightData._position,  # noqa: SLF001 - its table
    dialect.MAVLINK_MSG_ID_POSITION_TARGET_GLOBAL_INT: FlightData._aim,  # noqa: SLF001
    dialect.MAVLINK_MSG_ID_SIMSTATE: FlightData._truth,  # noqa: SLF001
    dialect.MAVLINK_MSG_ID_ATTITUDE: FlightData._attitude,  # noqa: SLF001
    dialect.MAVLINK_MSG_ID_NAV_CONTROLLER_OUTPUT: FlightData._navigation,  # noqa: SLF001
    dialect.MAVLINK_MSG_ID_SYS_STATUS: FlightData._power,  # noqa: SLF001
    dialect.MAVLINK_MSG_ID_BATTERY_STATUS: FlightData._used,  # noqa: SLF001
    dialect.MAVLINK_MSG_ID_HOME_POSITION: FlightData._home,  # noqa: SLF001
    dialect.MAVLINK_MSG_ID_STATUSTEXT: FlightData._text,  # noqa: SLF001
}
_OF_ANYONE_ABOARD: Final = frozenset((dialect.MAVLINK_MSG_ID_STATUSTEXT,))
_ORDERS: Final = frozenset(
    (dialect.MAVLINK_MSG_ID_COMMAND_LONG, dialect.MAVLINK_MSG_ID_COMMAND_INT)
)
_DECODED: Final = _ORDERS | _TAKEN.keys() | {dialect.MAVLINK_MSG_ID_HEARTBEAT}
_ROUTINE: Final = frozenset(("SET_MESSAGE_INTERVAL", "REQUEST_MESSAGE"))


def printable(text: str) -> str:
    """Return a text whose characters a stranger chose, without those that steer a display."""
    return "".join(c if c.isprintable() else "?" for c in text)


def metres(lat: float, lon: float, to_lat: float, to_lon: float) -> float:
    """Return the distance of two places on a sphere in metres, from degrees."""
    north = math.radians(to_lat - lat)
    east = math.radians((to_lon - lon + 540) % 360 - 180) * math.cos(math.radians(lat))
    return _EARTH_M * math.hypot(north, east)
