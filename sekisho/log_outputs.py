"""What a recording is written out as: .tlog, tables, a track; with or without where it was."""

import csv
import re
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol, TextIO

from fastcrc.crc16 import mcrf4xx

from wire.mavlink import CRC_EXTRA, HEADER_BYTES, MESSAGE_NAME, dialect
from wire.mavlink import message_id as id_of
from wire.tlog import STAMP

_DEGREES: Final = re.compile(
    r"(?:^|_|gps|Offset)(?:lat|lon|lng|latitude|longitude)(?:_\w+)?$", re.IGNORECASE
)
# Fields that hold a latitude or longitude and are not called so.
_UNNAMED: Final = {
    dialect.MAVLINK_MSG_ID_COMMAND_LONG: ("param5", "param6"),
    dialect.MAVLINK_MSG_ID_COMMAND_INT: ("x", "y"),
    dialect.MAVLINK_MSG_ID_MISSION_ITEM: ("x", "y"),
    dialect.MAVLINK_MSG_ID_MISSION_ITEM_INT: ("x", "y"),
    dialect.MAVLINK_MSG_ID_ORBIT_EXECUTION_STATUS: ("x", "y"),
}
# Files, tunnels and terrain: what they carry may hold a position anywhere, so they are left out.
OPAQUE: Final = frozenset(
    (
        dialect.MAVLINK_MSG_ID_CANFD_FRAME,
        dialect.MAVLINK_MSG_ID_CAN_FRAME,
        dialect.MAVLINK_MSG_ID_DATA16,
        dialect.MAVLINK_MSG_ID_DATA32,
        dialect.MAVLINK_MSG_ID_DATA64,
        dialect.MAVLINK_MSG_ID_DATA96,
        dialect.MAVLINK_MSG_ID_DEVICE_OP_READ_REPLY,
        dialect.MAVLINK_MSG_ID_DEVICE_OP_WRITE,
        dialect.MAVLINK_MSG_ID_ENCAPSULATED_DATA,
        dialect.MAVLINK_MSG_ID_FILE_TRANSFER_PROTOCOL,
        dialect.MAVLINK_MSG_ID_GPS_INJECT_DATA,
        dialect.MAVLINK_MSG_ID_GPS_RTCM_DATA,
        dialect.MAVLINK_MSG_ID_LOGGING_DATA,
        dialect.MAVLINK_MSG_ID_LOGGING_DATA_ACKED,
        dialect.MAVLINK_MSG_ID_LOG_DATA,
        dialect.MAVLINK_MSG_ID_OPEN_DRONE_ID_MESSAGE_PACK,
        dialect.MAVLINK_MSG_ID_REMOTE_LOG_DATA_BLOCK,
        dialect.MAVLINK_MSG_ID_SERIAL_CONTROL,
        dialect.MAVLINK_MSG_ID_TERRAIN_DATA,
        dialect.MAVLINK_MSG_ID_TUNNEL,
        dialect.MAVLINK_MSG_ID_V2_EXTENSION,
    )
)


def _places() -> dict[int, list[slice]]:
    """Return where in the payload of each message latitudes and longitudes are."""
    found = {}
    for number, message in dialect.mavlink_map.items():
        at, slices = 0, []
        tokens = re.findall(r"\d*[a-zA-Z]", message.unpacker.format)
        for name, token in zip(message.ordered_fieldnames, tokens, strict=True):
            size = struct.calcsize(f"<{token}")
            if _DEGREES.search(name) or name in _UNNAMED.get(number, ()):
                slices.append(slice(at, at + size))
            at += size
        if slices:
            found[number] = slices
    return found


PLACES: Final[Mapping[int, list[slice]]] = _places()


def strip_position(frame: bytes) -> bytes | None:
    """Return a frame with every latitude and longitude zero; None if it may hold one anywhere.

    What is measured from an origin that is not said, as LOCAL_POSITION_NED, and heights stay.
    """
    number = id_of(frame)
    if number in OPAQUE:
        return None
    slices = PLACES.get(number)
    if slices is None:
        return frame
    payload = bytearray(frame[HEADER_BYTES : HEADER_BYTES + frame[1]])
    for place in slices:
        payload[place] = bytes(len(payload[place]))
    shortened = bytes(payload).rstrip(b"\0") or b"\0"
    covered = bytes((len(shortened),)) + frame[2:HEADER_BYTES] + shortened
    checksum = mcrf4xx(covered + CRC_EXTRA[number])
    return frame[:1] + covered + checksum.to_bytes(2, "little")


class Output(Protocol):
    """Where the frames of a recording go; nothing of it is left if it was not finished."""

    def write(self, us: int, frame: bytes) -> None:
        """Take one frame."""

    def finish(self) -> None:
        """Complete what was written."""


class TlogOutput:
    """Another .tlog."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")

    def write(self, us: int, frame: bytes) -> None:
        """Write one frame behind its time."""
        self._file.write(STAMP.pack(us) + frame)

    def finish(self) -> None:
        """Complete the file."""
        self._file.close()


def row_of(us: int, frame: bytes, message: dialect.MAVLink_message) -> dict[str, float | str]:
    """Return a decoded frame as the row of a table: one column for each number."""
    row: dict[str, float | str] = {"us": us, "sysid": frame[5], "compid": frame[6]}
    for field in message.get_fieldnames():
        value = getattr(message, field)
        if isinstance(value, list):
            row |= {f"{field}_{index}": item for index, item in enumerate(value)}
        else:
            row[field] = value
    return row


class CsvOutput:
    """A directory with a table for each type of message, one column for each number."""

    def __init__(self, path: Path) -> None:
        path.mkdir(mode=0o700)
        self._path = path
        self._files: dict[str, TextIO] = {}
        self._parser = dialect.MAVLink(None)

    def write(self, us: int, frame: bytes) -> None:
        """Write one row."""
        message = self._parser.decode(bytearray(frame))
        name, row = message.get_type(), row_of(us, frame, message)
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = (self._path / f"{name}.csv").open("x", newline="")
            csv.writer(file).writerow(row)
        csv.writer(file).writerow(row.values())

    def finish(self) -> None:
        """Complete the tables."""
        for file in self._files.values():
            file.close()


class GpxOutput:
    """The track by GLOBAL_POSITION_INT, as maps read it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("x")
        self._parser = dialect.MAVLink(None)
        self._file.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<gpx version="1.1" creator="sekisho" xmlns="http://www.topografix.com/GPX/1/1">\n'
            "<trk><trkseg>\n"
        )

    def write(self, us: int, frame: bytes) -> None:
        """Write one point, if the frame says where the vehicle is."""
        if id_of(frame) != dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT:
            return
        position = self._parser.decode(bytearray(frame))
        if position.lat or position.lon:
            time = datetime.fromtimestamp(us / 1e6, UTC).isoformat(timespec="milliseconds")
            self._file.write(
                f'<trkpt lat="{position.lat / 1e7:.7f}" lon="{position.lon / 1e7:.7f}">'
                f"<ele>{position.alt / 1e3:.3f}</ele><time>{time}</time></trkpt>\n"
            )

    def finish(self) -> None:
        """Complete the file."""
        self._file.write("</trkseg></trk>\n</gpx>\n")
        self._file.close()


class Contents:
    """What a recording holds, by type of message."""

    def __init__(self) -> None:
        self.messages: Counter[int] = Counter()
        self.first_us: int | None = None
        self.last_us: int | None = None

    def write(self, us: int, frame: bytes) -> None:
        """Count one frame."""
        self.messages[id_of(frame)] += 1
        self.first_us = us if self.first_us is None else self.first_us
        self.last_us = us

    def lines(self) -> Iterator[str]:
        """Describe it, saying which messages tell where the vehicle was."""
        if self.first_us is None or self.last_us is None:
            yield "no frames"
            return
        begun = datetime.fromtimestamp(self.first_us / 1e6, UTC).isoformat(timespec="seconds")
        yield f"{sum(self.messages.values())} frames, {begun}, {_seconds(self)} s"
        for number, count in sorted(self.messages.items()):
            mark = ", position" if number in PLACES else ", may hold one" * (number in OPAQUE)
            yield f"  {MESSAGE_NAME.get(number, str(number))}: {count}{mark}"


def _seconds(contents: Contents) -> str:
    assert contents.first_us is not None
    assert contents.last_us is not None
    return f"{(contents.last_us - contents.first_us) / 1e6:.1f}"
