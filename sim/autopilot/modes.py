"""Flight modes: ArduCopter's numbers and what each mode allows, as a table."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Mode(IntEnum):
    """The modes the embedded autopilot flies, with ArduCopter's custom_mode numbers."""

    STABILIZE = 0
    ALT_HOLD = 2
    AUTO = 3
    GUIDED = 4
    LOITER = 5
    RTL = 6
    LAND = 9
    POSHOLD = 16
    BRAKE = 17
    SMART_RTL = 21


@dataclass(frozen=True, slots=True)
class Traits:
    """What a mode is. `piloted`: flown by the sticks, which FS_OPTIONS bit 4 spares."""

    name: str
    needs_position: bool = True
    armable: bool = False
    piloted: bool = False


TRAITS: Final[dict[Mode, Traits]] = {
    Mode.STABILIZE: Traits("STABILIZE", needs_position=False, armable=True, piloted=True),
    Mode.ALT_HOLD: Traits("ALT_HOLD", needs_position=False, armable=True, piloted=True),
    Mode.AUTO: Traits("AUTO"),
    Mode.GUIDED: Traits("GUIDED", armable=True),
    Mode.LOITER: Traits("LOITER", armable=True, piloted=True),
    Mode.RTL: Traits("RTL"),
    Mode.LAND: Traits("LAND", needs_position=False),
    Mode.POSHOLD: Traits("POSHOLD", armable=True, piloted=True),
    Mode.BRAKE: Traits("BRAKE"),
    Mode.SMART_RTL: Traits("SMARTRTL"),
}


@dataclass(frozen=True, slots=True)
class Unready:
    """A mode that ArduCopter has, and refuses as long as nothing was set up for it."""

    name: str
    hints: tuple[str, ...] = ()
    reason: str = "init failed"


UNREADY: Final[dict[int, Unready]] = {
    14: Unready("FLIP"),
    15: Unready("AUTOTUNE"),
    22: Unready("FLOWHOLD"),
    23: Unready("FOLLOW", ("Set FOLL_ENABLE = 1",)),
    25: Unready("SYSTEMID", ("No axis selected, SID_AXIS = 0",)),
    27: Unready(
        "AUTO RTL",
        ("Unable to start landing sequence",),
        "No return path or landing sequence found",
    ),
    28: Unready("TURTLE"),
}


def mode_of(number: int) -> Mode | None:
    """Return the mode with this custom_mode number, or None if it is not flown here."""
    try:
        return Mode(number)
    except ValueError:
        return None
