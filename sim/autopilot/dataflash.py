"""Logs in ArduPilot's DataFlash format: self-describing records, one kind after the other.

A record is two bytes of head, its kind, and its fields, little-endian; FMT records (kind 128) say
how long the records of a kind are and what their fields are called. Kinds, fields and formats are
ArduPilot's, as far as they are kept.

Source: ArduPilot, libraries/AP_Logger/LogStructure.h.
"""

import struct
from typing import Final, TypeAlias

Value: TypeAlias = float | int | str

_HEAD: Final = b"\xa3\x95"
_FMT_KIND: Final = 128
_FMT: Final = struct.Struct("<BB4s16s64s")
# Letter of the format to that of `struct`.
_LETTERS: Final = {
    "b": "b",
    "B": "B",
    "h": "h",
    "H": "H",
    "i": "i",
    "I": "I",
    "Q": "Q",
    "f": "f",
    "c": "h",
    "e": "i",
    "L": "i",
    "M": "B",
    "n": "4s",
    "N": "16s",
    "Z": "64s",
}
_HUNDREDTHS: Final = "ce"
_TEXTS: Final = "nNZ"


class Record:
    """A kind of record, which never changes.

    Attributes:
        kind: Its number.
    """

    def __init__(self, kind: int, name: str, formats: str, columns: str) -> None:
        self.kind = kind
        self._names = (name.encode(), formats.encode(), columns.encode())
        self._layout = struct.Struct("<2sB" + "".join(_LETTERS[letter] for letter in formats))
        self._hundredths = [i for i, letter in enumerate(formats) if letter in _HUNDREDTHS]
        self._texts = [i for i, letter in enumerate(formats) if letter in _TEXTS]
        self._is_plain = not self._hundredths and not self._texts

    def description(self) -> bytes:
        """Return the FMT record that announces it."""
        head = _HEAD + bytes((_FMT_KIND,))
        return head + _FMT.pack(self.kind, self._layout.size, *self._names)

    def pack(self, *values: Value) -> bytes:
        """Return one record of it; text is cut to what its field holds."""
        if self._is_plain:
            return self._layout.pack(_HEAD, self.kind, *values)
        fields: list[Value | bytes] = [*values]
        for i in self._hundredths:
            fields[i] = round(100.0 * float(values[i]))
        for i in self._texts:
            fields[i] = str(values[i]).encode("ascii", "replace")
        return self._layout.pack(_HEAD, self.kind, *fields)


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
