"""The words of the policy: freshness classes, flight states, and what is done with a frame."""

from collections.abc import Mapping
from enum import Enum, IntEnum, StrEnum
from typing import Final, NamedTuple

from crypto.pair import Role


class Freshness(IntEnum):
    """Classes of traffic; the value is the greatest age, in ns, at which a frame may pass.

    These are the limits for Wi-Fi and Ethernet, and the defaults of the configuration.
    """

    CONTROL = 400_000_000  # sticks and setpoints: an old one is a wrong one
    PRESENCE = 1_000_000_000  # heartbeats, and the silence after which the link is lost (T1)
    COMMAND = 1_500_000_000  # arm, mode, go to
    TRANSFER = 5_000_000_000  # parameters, missions, requests
    SAFE = 10_000_000_000  # hold, return, land


AgeLimits = Mapping[Freshness, int]

WIFI_LIMITS: Final[AgeLimits] = {freshness: freshness.value for freshness in Freshness}
RADIO_LIMITS: Final[AgeLimits] = {
    Freshness.CONTROL: 1_000_000_000,
    Freshness.PRESENCE: 3_000_000_000,
    Freshness.COMMAND: 3_000_000_000,
    Freshness.TRANSFER: 10_000_000_000,
    Freshness.SAFE: 10_000_000_000,
}


class FlightState(Enum):
    """What the autopilot's heartbeat says."""

    UNKNOWN = "unknown"
    DISARMED = "disarmed"
    ARMED = "armed"


class Reason(StrEnum):
    """Why the policy refuses a frame: what is counted."""

    OBSERVER = "observer"
    AUTOPILOT_UNKNOWN = "autopilot_unknown"
    FORGED_SOURCE = "forged_source"
    SIGNED_FRAME = "signed_frame"
    UNKNOWN_FIELDS = "unknown_fields"
    OTHER_VEHICLE = "other_vehicle"
    NOT_FINITE = "not_finite"
    NEEDS_SUPERVISOR = "needs_supervisor"
    NOT_ON_GROUND = "not_on_ground"
    NOT_IN_THIS_STATE = "not_in_this_state"
    MESSAGE = "message_not_allowed"
    COMMAND = "command_not_allowed"
    ITEM = "item_not_allowed"
    PARAMETER = "parameter_not_allowed"
    FILE = "file_write"
    TRAJECTORY = "trajectory_not_allowed"


class Forward(NamedTuple):
    """The frame may pass if it is no older than `freshness`, from a station of role `least`."""

    freshness: Freshness
    least: Role = Role.COMMANDER


class TwoStep(NamedTuple):
    """The frame may pass like one to forward if, asked back with `text`, it is confirmed."""

    freshness: Freshness
    text: str
    least: Role = Role.COMMANDER


class Refuse(NamedTuple):
    """The frame does not pass; `reason` is counted, `text` and `more` are shown to the operator."""

    reason: str
    text: str
    more: tuple[str, ...] = ()


Verdict = Forward | TwoStep | Refuse
