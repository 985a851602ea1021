"""Arming checks on settings, battery and receiver, in ArduCopter's words and order."""

from collections.abc import Iterator
from typing import Final

from sim.autopilot.flight import Sensed
from sim.autopilot.parameters import Parameters

_ALL: Final = 1
_GPS: Final = 1 << 3
_PARAMETERS: Final = 1 << 5
_RADIO: Final = 1 << 6
_BATTERY: Final = 1 << 8
_HDOP: Final = 121.0  # of the simulated receiver, in hundredths
_THROTTLE_LOW_US: Final = 1100
_ANGLE_MAX: Final = (1000.0, 8000.0)
_RETURN_ABOVE_TERRAIN: Final = 1
# The throttle failsafe's pulse must lie below the transmitter's lowest, and above nothing at all.
_THROTTLE_VALUE: Final = (910.0, 1000.0 - 10.0)


def reasons(
    parameters: Parameters,
    sensed: Sensed,
    throttle_us: int,
    *,
    needs_position: bool,
    hands_free: bool,
) -> Iterator[str]:
    """Yield why the vehicle must not arm.

    Args:
        parameters: Of the vehicle; ARMING_CHECK selects the checks.
        sensed: The last sensor values.
        throttle_us: Pulse of the throttle stick. [us]
        hands_free: Whether the mode flies without the throttle stick.
        needs_position: Whether the mode, or the fence, needs a place.
    """
    p, checks = parameters, parameters.bits("ARMING_CHECK")

    def wanted(check: int) -> bool:
        return bool(checks & (_ALL | check))

    if wanted(_BATTERY):
        yield from _battery(p, sensed)
    if wanted(_GPS) and needs_position and not sensed.readings.fix.locked:
        yield "GPS 1: Bad fix"
    radio_lost = p["FS_THR_ENABLE"] > 0.0 and throttle_us < p["FS_THR_VALUE"]
    if wanted(_PARAMETERS):
        yield from _settings(p)
    if wanted(_GPS) and needs_position and p["GPS_HDOP_GOOD"] < _HDOP:
        yield "High GPS HDOP"
    if wanted(_RADIO) and throttle_us > _THROTTLE_LOW_US and not hands_free:
        yield "Throttle too high"
    if wanted(_RADIO) and radio_lost:
        yield "Throttle below failsafe"
        yield "Radio failsafe on"


def _settings(p: Parameters) -> Iterator[str]:
    low, high = _THROTTLE_VALUE
    if p["FS_THR_ENABLE"] > 0.0 and not low <= p["FS_THR_VALUE"] <= high:
        yield "Check FS_THR_VALUE"
    if not _ANGLE_MAX[0] <= p["ANGLE_MAX"] <= _ANGLE_MAX[1]:
        yield "Check ANGLE_MAX"
    if int(p["RTL_ALT_TYPE"]) == _RETURN_ABOVE_TERRAIN:
        yield "waiting for terrain data"


def _battery(p: Parameters, sensed: Sensed) -> Iterator[str]:
    left_mah = p["BATT_CAPACITY"] - sensed.consumed_mah
    if p["BATT_ARM_VOLT"] > 0.0 and sensed.volts < p["BATT_ARM_VOLT"]:
        yield "Battery 1 below minimum arming voltage"
    elif p["BATT_ARM_MAH"] > 0.0 and left_mah < p["BATT_ARM_MAH"]:
        yield "Battery 1 below minimum arming capacity"
    elif 0.0 < p["BATT_LOW_MAH"] <= p["BATT_CRT_MAH"]:
        yield "Battery 1 capacity failsafe critical >= low"
    elif 0.0 < p["BATT_LOW_VOLT"] <= p["BATT_CRT_VOLT"]:
        yield "Battery 1 voltage failsafe critical >= low"
