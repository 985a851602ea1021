"""The pre-arm gate: what the autopilot's parameters must be before anyone arms through the link.

A table says which parameter, what is required, why, and what to propose instead. What is not as
required, or has not been read lately, keeps the gate closed: a failsafe that is switched off shows
only when it is needed. Disarming always passes.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from flightcore.parameters import Names, Parameters
from flightcore.policy import COMMAND_MESSAGES, FlightState, Refuse
from flightcore.remote_id import RemoteId
from flightcore.voice import Voice
from wire.mavlink import HEADER_BYTES, dialect, message_id

MAX_TEXTS: Final = 5  # of one refusal
STICKS_SAID_EVERY_NS: Final = 30_000_000_000

_FLOAT32_SLACK: Final = 1e-6  # ArduPilot keeps 0.8 as 0.800000012


class OneOf(NamedTuple):
    """One of some values."""

    values: tuple[int, ...]

    def allows(self, value: float) -> bool:
        """Tell whether a value is as required."""
        return value in self.values

    def __str__(self) -> str:
        *first, last = map(str, self.values)
        return f"{', '.join(first)} or {last}" if first else last


class BitsOff(NamedTuple):
    """A bit mask in which some bits must be clear."""

    bits: tuple[int, ...]

    def allows(self, value: float) -> bool:
        """Tell whether a value is as required."""
        return self.cleared(value) == value

    def cleared(self, value: float) -> float | None:
        """Return a value with these bits clear, the others as they are; None if it is no mask."""
        off = sum(1 << bit for bit in self.bits)
        return float(int(value) & ~off) if self._is_mask(value) else None

    @staticmethod
    def _is_mask(value: float) -> bool:
        return value.is_integer() and 0 <= value < 1 << 31

    def __str__(self) -> str:
        return f"bits {' and '.join(map(str, self.bits))} off"


class Between(NamedTuple):
    """A range, its ends allowed."""

    least: float
    most: float

    def allows(self, value: float) -> bool:
        """Tell whether a value is as required."""
        slack = _FLOAT32_SLACK * max(abs(self.least), abs(self.most))
        return self.least - slack <= value <= self.most + slack

    def __str__(self) -> str:
        return f"{self.least:g} to {self.most:g}"


class Requirement(NamedTuple):
    """One row: a parameter under its names, what is wanted of it and why, and a value to propose.

    The owner's own rows propose nothing.
    """

    names: Names
    wanted: OneOf | BitsOff | Between
    why: str
    proposed: float | None

    def instead_of(self, value: float | None) -> float | None:
        """Return what to propose for a parameter that has a value; a bit mask keeps its others."""
        if isinstance(self.wanted, BitsOff) and value is not None:
            return self.wanted.cleared(value)
        return self.proposed


@dataclass(frozen=True, slots=True)
class PrearmOptions:
    """What the owner may choose about the gate. `gcs_timeout_most` is in seconds."""

    is_enforced: bool = True
    requires_recorder: bool = False
    requires_remote_id: bool = False
    gcs_timeout_most: float = 5.0
    gcs_sysid: int = 255
    require: tuple[tuple[str, float, float], ...] = ()


def requirements(options: PrearmOptions) -> tuple[Requirement, ...]:
    """Return the table."""
    rows = (
        Requirement(
            ("FS_GCS_ENABLE",),
            OneOf((1, 3, 4, 5)),
            "the autopilot returns or lands when it no longer hears the operator; 0 is off, "
            "2 was removed, 6 flies on in a mission, 7 hovers until the battery is empty",
            1,
        ),
        Requirement(
            ("FS_OPTIONS",),
            BitsOff((1, 4)),
            "with bit 1 it flies on in AUTO, with bit 4 in modes flown by sticks",
            0,
        ),
        Requirement(
            ("FS_GCS_TIMEOUT",),
            Between(2, options.gcs_timeout_most),
            "seconds until it acts: part of the bound that is promised",
            min(5.0, options.gcs_timeout_most),
        ),
        Requirement(
            ("FENCE_ENABLE",), OneOf((1,)), "the autopilot itself keeps the vehicle in bounds", 1
        ),
        Requirement(
            ("FS_EKF_ACTION",),
            OneOf((1, 2, 3)),
            "it does something when its position estimate fails; 0 only says so",
            1,
        ),
        Requirement(
            ("FS_EKF_THRESH",),
            Between(0.1, 1.0),
            "0 switches the same off, more than 1 sees nothing",
            0.8,
        ),
        Requirement(
            ("MAV_GCS_SYSID", "SYSID_MYGCS"),
            OneOf((options.gcs_sysid,)),
            "whose heartbeat is the operator's presence: `autopilot.gcs_sysid`",
            options.gcs_sysid,
        ),
    )
    own = (
        Requirement((name,), Between(least, most), "`prearm.require` of this drone", None)
        for name, least, most in options.require
    )
    return (*rows, *own)


class Missing(NamedTuple):
    """A requirement that is not met. `value` is None if the parameter has not been read."""

    name: str
    value: float | None
    requirement: Requirement

    def __str__(self) -> str:
        wanted = self.requirement.wanted
        if self.value is None:
            return f"{self.name} not read, wanted {wanted}"
        return f"{self.name} is {self.value:g}, wanted {wanted}"


class ParameterStatus(msgspec.Struct):
    """One required parameter as it was last read, `read_s` seconds ago, and what to make of it."""

    value: float | None
    read_s: float | None
    wanted: str
    why: str
    proposed: float | None


class PrearmStatus(msgspec.Struct):
    """The gate. `missing` says of each parameter that keeps it closed why it does.

    `hindrance` is what else keeps it closed.
    """

    enforced: bool
    open: bool
    missing: dict[str, str]
    parameters: dict[str, ParameterStatus]
    writes: dict[str, str]
    hindrance: str | None = None


class PrearmGate:
    """Judge what would arm the vehicle. The zero state has read nothing, so it is closed.

    `remote_id` is asked too, if there is one.
    """

    def __init__(
        self,
        table: Sequence[Requirement],
        parameters: Parameters,
        voice: Voice,
        options: PrearmOptions,
        remote_id: RemoteId | None = None,
    ) -> None:
        self._table = table
        self._parameters = parameters
        self._voice = voice
        self._options = options
        self._sticks_said_ns: int | None = None
        self._remote_id = remote_id
        self._recorder_fault: str | None = None
        if not options.is_enforced:
            voice.note("pre-arm gate: prearm.enforce = false, it warns and refuses nothing")

    def recorder_is(self, fault: str | None) -> None:
        """Take what keeps the recorder from recording, None if nothing; it may hold arming."""
        self._recorder_fault = fault if self._options.requires_recorder else None

    def hindrances(self, now_ns: int) -> list[str]:
        """Return what keeps it closed beside the parameters."""
        remote_id = None if self._remote_id is None else self._remote_id.hindrance(now_ns)
        return [fault for fault in (self._recorder_fault, remote_id) if fault is not None]

    def missing(self, now_ns: int) -> list[Missing]:
        """Return what is not as required."""
        found = []
        for row in self._table:
            value = self._parameters.value(row.names[0], now_ns)
            if value is None or not row.wanted.allows(value):
                found.append(Missing(self._parameters.spelled(row.names[0]), value, row))
        return found

    def judge(self, frame: bytes, state: FlightState, now_ns: int) -> Refuse | None:
        """Refuse what would arm the vehicle while something is not as required.

        Sticks arm by rudder and by switches on channels. They move nothing else on the ground.
        """
        is_sticks = message_id(frame) in _STICKS
        if not (is_sticks and state is not FlightState.ARMED) and not arms(frame):
            return None
        missing = self.missing(now_ns)
        texts = [*self.hindrances(now_ns), *map(str, missing)]
        if not texts:
            return None
        if not is_sticks:
            self._voice.note(f"arming: {'; '.join(texts)}")
        if not self._options.is_enforced:
            return None
        if is_sticks:
            return Refuse("prearm_sticks", self._sticks_text(now_ns))
        if len(texts) > MAX_TEXTS:
            texts[MAX_TEXTS - 1 :] = [f"and {len(texts) - MAX_TEXTS + 1} more: sekisho doctor"]
        return Refuse("prearm", texts[0], tuple(texts[1:]))

    def describe(self, now_ns: int) -> PrearmStatus:
        """Describe the gate for `sekisho status` and `sekisho doctor`."""
        missing, hindrances = self.missing(now_ns), self.hindrances(now_ns)
        parameters = {}
        for row in self._table:
            name = row.names[0]
            age_ns = self._parameters.age_ns(name, now_ns)
            value = self._parameters.last(name)
            parameters[self._parameters.spelled(name)] = ParameterStatus(
                value=value,
                read_s=None if age_ns is None else age_ns / 1e9,
                wanted=str(row.wanted),
                why=row.why,
                proposed=row.instead_of(value),
            )
        return PrearmStatus(
            enforced=self._options.is_enforced,
            open=not missing and not hindrances,
            hindrance="; ".join(hindrances) or None,
            missing={each.name: str(each) for each in missing},
            parameters=parameters,
            writes=self._parameters.describe_writes(),
        )

    def _sticks_text(self, now_ns: int) -> str:
        """Say it now and then: a joystick goes on many times a second."""
        said_ns = self._sticks_said_ns
        if said_ns is not None and now_ns - said_ns < STICKS_SAID_EVERY_NS:
            return ""
        self._sticks_said_ns = now_ns
        return "sticks, until arming is allowed"


def arms(frame: bytes) -> bool:
    """Tell whether a valid frame asks the autopilot to arm, forced or not."""
    if message_id(frame) not in COMMAND_MESSAGES:
        return False
    payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(_COMMAND_BYTES, b"\0")
    (first,) = _PARAM1.unpack_from(payload)
    match payload[28] | payload[29] << 8:
        case dialect.MAV_CMD_COMPONENT_ARM_DISARM:
            return bool(first != 0)
        case dialect.MAV_CMD_SOLO_BTN_FLY_CLICK | dialect.MAV_CMD_SOLO_BTN_FLY_HOLD:
            return True
        case dialect.MAV_CMD_DO_AUX_FUNCTION:
            return first in _ARMING_SWITCHES
        case _:
            return False


_STICKS: Final = frozenset(
    (dialect.MAVLINK_MSG_ID_RC_CHANNELS_OVERRIDE, dialect.MAVLINK_MSG_ID_MANUAL_CONTROL)
)
# COMMAND_LONG and COMMAND_INT both begin with param1 and hold the number at byte 28.
_COMMAND_BYTES: Final = 30
_PARAM1: Final = struct.Struct("<f")
# RCx_OPTION of ArduPilot: the switches that arm.
_ARMING_SWITCHES: Final = frozenset((153, 154, 165))
