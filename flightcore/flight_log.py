"""A recorded flight as arrays: what the vehicle did and felt, on the clock of its accelerometer.

Frames are read in the order of a recording; what does not belong to the autopilot that spoke first
is left out. Times are the autopilot's own, as its messages carry them.
"""

import math
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wire.mavlink import dialect, is_valid_frame, message_id

Array: TypeAlias = NDArray[np.float64]

_MILLI_G: Final = 9.80665e-3
_IMU: Final = ("RAW_IMU", "SCALED_IMU2", "SCALED_IMU")  # in order of preference
_WRAP_S: Final = 2**32 * 1e-6  # of SERVO_OUTPUT_RAW's clock
_ROTORS: Final = range(1, 9)
_LEAST_SAMPLES: Final = 200
_LEAST_HZ: Final = 4.0
# What of the autopilot's parameters says how outputs become thrust, and the values it has unset.
_DEFAULTS: Final = {
    "MOT_PWM_MIN": 1000.0,
    "MOT_PWM_MAX": 2000.0,
    "MOT_SPIN_MIN": 0.15,
    "MOT_SPIN_MAX": 0.95,
    "MOT_THST_EXPO": 0.65,
}


class LogError(Exception):
    """A recording does not hold what is needed; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Flight:
    """The part of a recording that was flown. N samples.

    Attributes:
        time: Since the autopilot's start. Shape (N,). [s]
        rotors: Output of each motor between MOT_SPIN_MIN and MOT_SPIN_MAX. Shape (rotors, N). [-]
        volts: Of the battery; NaN where it never said. Shape (N,). [V]
        felt_b: Specific force, FRD. Shape (3, N). [m/s2]
        axes: Body axes in NED, as columns of the rotation: [i, j] is component i of axis j.
            Shape (3, 3, N). [-]
        velocity_n: Shape (3, N). [m/s]
        parameters: Of the outputs, as recorded or else by default.
        assumed: Names of those that were not recorded.
    """

    time: Array
    rotors: Array
    volts: Array
    felt_b: Array
    axes: Array
    velocity_n: Array
    parameters: dict[str, float]
    assumed: tuple[str, ...]

    def later_outputs(self, seconds: float) -> Array:
        """Return the outputs as they were so long before each sample. Shape (rotors, N)."""
        return np.stack([np.interp(self.time - seconds, self.time, row) for row in self.rotors])


@dataclass(slots=True)
class FlightLog:
    """Collects a recording, frame by frame. One caller; empty at first."""

    _series: dict[str, list[tuple[float, ...]]] = field(default_factory=dict)
    _parameters: dict[str, float] = field(default_factory=dict)
    _sysid: int | None = None
    _now: float = 0.0
    _parser: "dialect.MAVLink" = field(default_factory=lambda: dialect.MAVLink(None))

    def receive_untrusted(self, frame: bytes) -> None:
        """Take one frame; what is damaged or not asked for is left out."""
        is_read = message_id(frame) in _READ and is_valid_frame(frame)
        if not is_read or frame[6] != dialect.MAV_COMP_ID_AUTOPILOT1:
            return
        if self._sysid is None:
            self._sysid = frame[5]
        if frame[5] == self._sysid:
            self._take(self._parser.decode(bytearray(frame)))

    def _take(self, message: "dialect.MAVLink_message") -> None:
        kind = message.get_type()
        if kind == "PARAM_VALUE":
            if message.param_id in _DEFAULTS:
                self._parameters[message.param_id] = message.param_value
            return
        self._series.setdefault(kind, []).append((self._time(message), *_numbers(message)))

    def _time(self, message: "dialect.MAVLink_message") -> float:
        """Return when it was made [s]; what carries no time is as old as what came before it."""
        fields = message.get_fieldnames()
        if "time_boot_ms" in fields:
            self._now = message.time_boot_ms * 1e-3
        elif message.get_type() == "RAW_IMU":
            self._now = message.time_usec * 1e-6
        elif "time_usec" in fields:
            wrapped = float(message.time_usec) * 1e-6
            return wrapped + _WRAP_S * round((self._now - wrapped) / _WRAP_S)
        return self._now

    def flight(self) -> Flight:
        """Return what was flown: what is more than 1.5 m above the lowest place of the recording.

        Raises:
            LogError: A message is missing or too rare, or it holds too little flight.
        """
        imu = next((name for name in _IMU if name in self._series), None)
        if imu is None:
            raise LogError(f"no accelerometer: one of {', '.join(_IMU)} is needed")
        for name in ("ATTITUDE", "LOCAL_POSITION_NED", "SERVO_OUTPUT_RAW"):
            if name not in self._series:
                raise LogError(f"no {name}: request it from the autopilot, at 10 Hz or more")
        series = {name: _rising(np.array(rows)) for name, rows in self._series.items()}
        for name in (imu, "ATTITUDE", "LOCAL_POSITION_NED", "SERVO_OUTPUT_RAW"):
            rate = (len(series[name]) - 1) / max(series[name][-1, 0] - series[name][0, 0], 1e-9)
            if rate < _LEAST_HZ:
                raise LogError(
                    f"{name} comes {rate:.1f} times a second; {_LEAST_HZ:.0f} are needed"
                )
        place = series["LOCAL_POSITION_NED"]
        time = series[imu][:, 0]
        down = np.interp(time, place[:, 0], place[:, 1])
        flown = (time >= place[0, 0]) & (down < place[:, 1].max() - 1.5)
        if flown.sum() < _LEAST_SAMPLES:
            raise LogError(
                f"{flown.sum()} samples more than 1.5 m above its lowest place; "
                f"{_LEAST_SAMPLES} are needed"
            )
        return self._arrays(series, imu, time[flown], flown)

    def _arrays(
        self, series: dict[str, Array], imu: str, time: Array, flown: NDArray[np.bool_]
    ) -> Flight:
        parameters = _DEFAULTS | self._parameters
        pulses = _at(time, series["SERVO_OUTPUT_RAW"])
        pulses = pulses[pulses.max(axis=1) >= parameters["MOT_PWM_MIN"]]
        share = (pulses - parameters["MOT_PWM_MIN"]) / (
            parameters["MOT_PWM_MAX"] - parameters["MOT_PWM_MIN"]
        )
        # Outputs of something else that moves: a camera, a gripper. Motors are never still here.
        share = share[share.min(axis=1) > 0.5 * parameters["MOT_SPIN_MIN"]]
        if len(share) < len(_ROTORS) // 2:
            raise LogError(f"{len(share)} motors in SERVO_OUTPUT_RAW; at least 4 are needed")
        least, most = parameters["MOT_SPIN_MIN"], parameters["MOT_SPIN_MAX"]
        volts = np.full_like(time, math.nan)
        if "BATTERY_STATUS" in series:
            volts = _at(time, series["BATTERY_STATUS"])[0]
        return Flight(
            time,
            np.clip((share - least) / (most - least), 0.0, 1.0),
            volts,
            series[imu][flown, 1:4].T * _MILLI_G,
            _axes(time, series["ATTITUDE"]),
            _at(time, series["LOCAL_POSITION_NED"])[1:],
            parameters,
            tuple(name for name in _DEFAULTS if name not in self._parameters),
        )


_READ: Final = frozenset(
    getattr(dialect, f"MAVLINK_MSG_ID_{name}")
    for name in (
        *_IMU,
        "ATTITUDE",
        "LOCAL_POSITION_NED",
        "SERVO_OUTPUT_RAW",
        "BATTERY_STATUS",
        "PARAM_VALUE",
    )
)


def _numbers(message: "dialect.MAVLink_message") -> tuple[float, ...]:
    match message.get_type():
        case "ATTITUDE":
            return message.roll, message.pitch, message.yaw
        case "LOCAL_POSITION_NED":
            return message.z, message.vx, message.vy, message.vz
        case "SERVO_OUTPUT_RAW":
            return tuple(float(getattr(message, f"servo{i}_raw")) for i in _ROTORS)
        case "BATTERY_STATUS":
            cells = [v for v in message.voltages if v != 0xFFFF]
            return (sum(cells) * 1e-3,)
        case _:
            return message.xacc, message.yacc, message.zacc


def _rising(rows: Array) -> Array:
    """Return the rows whose time is later than all before."""
    before = np.maximum.accumulate(np.concatenate([[-math.inf], rows[:-1, 0]]))
    rising: Array = rows[rows[:, 0] > before]
    return rising


def _at(time: Array, rows: Array) -> Array:
    return np.stack([np.interp(time, rows[:, 0], column) for column in rows[:, 1:].T])


def _axes(time: Array, attitude: Array) -> Array:
    angles = [np.interp(time, attitude[:, 0], np.unwrap(a)) for a in attitude[:, 1:].T]
    (cr, cp, cy), (sr, sp, sy) = ([f(a) for a in angles] for f in (np.cos, np.sin))
    return np.array(
        [
            [cp * cy, sr * sp * cy - cr * sy, cr * sp * cy + sr * sy],
            [cp * sy, sr * sp * sy + cr * cy, cr * sp * sy - sr * cy],
            [-sp, sr * cp, cr * cp],
        ]
    )
