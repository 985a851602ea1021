"""ArduCopter's flight modes by number, and what the console offers of them.

Source: https://ardupilot.org/copter/docs/parameters.html (FLTMODE1).
"""

from typing import Final

STABILIZE: Final = 0
AUTO: Final = 3
GUIDED: Final = 4
LOITER: Final = 5
RTL: Final = 6
LAND: Final = 9
BRAKE: Final = 17
SMART_RTL: Final = 21

NAMES: Final = {
    STABILIZE: "STABILIZE",
    1: "ACRO",
    2: "ALT HOLD",
    AUTO: "AUTO",
    GUIDED: "GUIDED",
    LOITER: "LOITER",
    RTL: "RTL",
    7: "CIRCLE",
    LAND: "LAND",
    11: "DRIFT",
    13: "SPORT",
    14: "FLIP",
    15: "AUTOTUNE",
    16: "POSHOLD",
    BRAKE: "BRAKE",
    18: "THROW",
    19: "AVOID ADSB",
    20: "GUIDED NOGPS",
    SMART_RTL: "SMART RTL",
    22: "FLOWHOLD",
    23: "FOLLOW",
    24: "ZIGZAG",
    25: "SYSTEM ID",
    26: "HELI AUTO",
    27: "AUTO RTL",
    28: "TURTLE",
}
# What an operator without sticks may want. The others need a pilot's hands, or are for tests.
OFFERED: Final = (GUIDED, AUTO, LOITER, BRAKE, RTL, SMART_RTL, LAND)
RETURNING: Final = frozenset((RTL, SMART_RTL, 27))


def mode_name(custom_mode: int | None) -> str:
    """Return the name of a mode, its number if it has none here."""
    if custom_mode is None:
        return "?"
    return NAMES.get(custom_mode, f"MODE {custom_mode}")
