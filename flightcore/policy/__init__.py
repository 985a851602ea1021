"""What a ground station may say to the autopilot. Default deny: what has no row does not pass."""

from flightcore.policy.judge import BUILT_IN, COMMAND_MESSAGES, ITEM_MESSAGES, Policy, judge
from flightcore.policy.payloads import decode
from flightcore.policy.verdicts import (
    RADIO_LIMITS,
    WIFI_LIMITS,
    AgeLimits,
    FlightState,
    Forward,
    Freshness,
    Reason,
    Refuse,
    TwoStep,
    Verdict,
)

__all__ = [
    "BUILT_IN",
    "COMMAND_MESSAGES",
    "ITEM_MESSAGES",
    "RADIO_LIMITS",
    "WIFI_LIMITS",
    "AgeLimits",
    "FlightState",
    "Forward",
    "Freshness",
    "Policy",
    "Reason",
    "Refuse",
    "TwoStep",
    "Verdict",
    "decode",
    "judge",
]
