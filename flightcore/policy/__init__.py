"""What a ground station may say to the autopilot. Default deny: what has no row does not pass."""

from flightcore.policy.judge import (
    COMMAND_MESSAGES,
    COMMANDS,
    MESSAGES,
    RADIO_LIMITS,
    WIFI_LIMITS,
    AgeLimits,
    FlightState,
    Forward,
    Freshness,
    Refuse,
    TwoStep,
    Verdict,
    decode,
    judge,
)

__all__ = [
    "COMMANDS",
    "COMMAND_MESSAGES",
    "MESSAGES",
    "RADIO_LIMITS",
    "WIFI_LIMITS",
    "AgeLimits",
    "FlightState",
    "Forward",
    "Freshness",
    "Refuse",
    "TwoStep",
    "Verdict",
    "decode",
    "judge",
]
