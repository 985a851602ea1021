"""Logs in ArduPilot's DataFlash format: self-describing records, one kind after the other.

A record is two bytes of head, its kind, and its fields, little-endian; FMT records (kind 128) say
how long the records of a kind are and what their fields are called. Kinds, fields and formats are
ArduPilot's, as far as they are kept.

Source: ArduPilot, libraries/AP_Logger/LogStructure.h.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

Value: TypeAlias = float | int | str

_HEAD: Final = b"\xa3\x95"
_FMT_KIND: Final = 128
_FMT: Final = struct.Struct("<BB4s16s64s")
# Letter of the format to that of `struct`, and the factor a field is stored with.
_LETTERS: Final[dict[str, tuple[str, float | None]]] = {
    "b": ("b", 1.0),
    "B": ("B", 1.0),
    "h": ("h", 1.0),
    "H": ("H", 1.0),
    "i": ("i", 1.0),
    "I": ("I", 1.0),
    "Q": ("Q", 1.0),
    "f": ("f", None),
    "c": ("h", 100.0),
    "e": ("i", 100.0),
    "L": ("i", 1.0),
    "M": ("B", 1.0),
    "n": ("4s", None),
    "N": ("16s", None),
    "Z": ("64s", None),
}


@dataclass(frozen=True, slots=True)
class Record:
    """A kind of record."""

    kind: int
    name: str
    formats: str
    columns: str

    @property
    def layout(self) -> struct.Struct:
        """Return how its fields are packed."""
        return struct.Struct("<" + "".join(_LETTERS[letter][0] for letter in self.formats))

    def description(self) -> bytes:
        """Return the FMT record that announces it."""
        length = len(_HEAD) + 1 + self.layout.size
        names = (self.name.encode(), self.formats.encode(), self.columns.encode())
        return _HEAD + bytes((_FMT_KIND,)) + _FMT.pack(self.kind, length, *names)

    def pack(self, values: Sequence[Value]) -> bytes:
        """Return one record of it; text is cut to what its field holds."""
        fields: list[Value | bytes] = []
        for letter, value in zip(self.formats, values, strict=True):
            factor = _LETTERS[letter][1]
            if isinstance(value, str):
                fields.append(value.encode("ascii", "replace"))
            elif factor is None:
                fields.append(float(value))
            else:
                fields.append(round(value * factor))
        return _HEAD + bytes((self.kind,)) + self.layout.pack(*fields)


FMT: Final = Record(_FMT_KIND, "FMT", "BBnNZ", "Type,Length,Name,Format,Columns")
PARM: Final = Record(64, "PARM", "QNff", "TimeUS,Name,Value,Default")
MSG: Final = Record(91, "MSG", "QZ", "TimeUS,Message")
MODE: Final = Record(92, "MODE", "QMBB", "TimeUS,Mode,ModeNum,Rsn")
ARM: Final = Record(93, "ARM", "QBIBB", "TimeUS,ArmState,ArmChecks,Forced,Method")
EV: Final = Record(94, "EV", "QB", "TimeUS,Id")
ATT: Final = Record(95, "ATT", "Qffffff", "TimeUS,DesRoll,Roll,DesPitch,Pitch,DesYaw,Yaw")
IMU: Final = Record(96, "IMU", "QBffffff", "TimeUS,I,GyrX,GyrY,GyrZ,AccX,AccY,AccZ")
GPS: Final = Record(
    97, "GPS", "QBBIHBcLLefff", "TimeUS,I,Status,GMS,GWk,NSats,HDop,Lat,Lng,Alt,Spd,GCrs,VZ"
)
BARO: Final = Record(98, "BARO", "QBffc", "TimeUS,I,Alt,Press,Temp")
BAT: Final = Record(99, "BAT", "QBffffB", "TimeUS,Inst,Volt,Curr,CurrTot,EnrgTot,RemPct")
CTUN: Final = Record(100, "CTUN", "Qfffff", "TimeUS,ThO,ThH,DAlt,Alt,CRt")
RCIN: Final = Record(101, "RCIN", "QHHHHHHHH", "TimeUS,C1,C2,C3,C4,C5,C6,C7,C8")
RCOU: Final = Record(102, "RCOU", "QHHHHHHHH", "TimeUS,C1,C2,C3,C4,C5,C6,C7,C8")
POS: Final = Record(103, "POS", "QLLff", "TimeUS,Lat,Lng,Alt,RelHomeAlt")
XKF1: Final = Record(104, "XKF1", "QBffffffffff", "TimeUS,C,Roll,Pitch,Yaw,VN,VE,VD,dPD,PN,PE,PD")
KINDS: Final = (
    FMT, PARM, MSG, MODE, ARM, EV, ATT, IMU, GPS, BARO, BAT, CTUN, RCIN, RCOU, POS, XKF1,
)  # fmt: skip
