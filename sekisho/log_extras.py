"""What a recording is written out as with a library of its own: Parquet tables, MCAP."""

import json
import math
from pathlib import Path
from typing import Any, Final

from crypto.aio.files import StoreError
from sekisho.log_outputs import row_of
from wire.mavlink import dialect
from wire.mavlink import message_id as id_of

_GROUP_ROWS: Final = 10_000
# Source: foxglove.LocationFix of Foxglove's published schemas.
_STAMP_SCHEMA: Final = {
    "type": "object",
    "title": "time",
    "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}},
}
_LOCATION_FIX: Final = "foxglove.LocationFix"
_LOCATION_SCHEMA: Final = {
    "type": "object",
    "title": _LOCATION_FIX,
    "properties": {
        "timestamp": _STAMP_SCHEMA,
        "frame_id": {"type": "string"},
        "latitude": {"type": "number"},
        "longitude": {"type": "number"},
        "altitude": {"type": "number"},
        "position_covariance": {"type": "array", "items": {"type": "number"}},
        "position_covariance_type": {"type": "integer"},
    },
}


class ParquetOutput:
    """A directory with a Parquet table for each type of message."""

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow  # noqa: PLC0415 - an extra
            from pyarrow import parquet  # noqa: PLC0415
        except ImportError:
            raise _needs("parquet", "pyarrow") from None
        path.mkdir(mode=0o700)
        self._path = path
        self._arrow, self._parquet = pyarrow, parquet
        self._parser = dialect.MAVLink(None)
        self._rows: dict[str, list[dict[str, float | str]]] = {}
        self._writers: dict[str, Any] = {}

    def write(self, us: int, frame: bytes) -> None:
        """Write one row."""
        message = self._parser.decode(bytearray(frame))
        rows = self._rows.setdefault(message.get_type(), [])
        rows.append(row_of(us, frame, message))
        if len(rows) >= _GROUP_ROWS:
            self._write_group(message.get_type(), rows)

    def finish(self) -> None:
        """Complete the tables."""
        for name, rows in self._rows.items():
            if rows:
                self._write_group(name, rows)
        for writer in self._writers.values():
            writer.close()

    def _write_group(self, name: str, rows: list[dict[str, float | str]]) -> None:
        arrow = self._arrow
        if name not in self._writers:
            kinds = {int: arrow.int64(), float: arrow.float64(), str: arrow.string()}
            schema = arrow.schema([(key, kinds[type(value)]) for key, value in rows[0].items()])
            where = self._path / f"{name}.parquet"
            self._writers[name] = self._parquet.ParquetWriter(where, schema)
        writer = self._writers[name]
        # What is no number there, such as an unsigned field of 64 bits above the signed, is a gap.
        table = arrow.Table.from_pylist(
            [{k: v if _fits(v) else None for k, v in row.items()} for row in rows],
            schema=writer.schema,
        )
        writer.write_table(table)
        rows.clear()


class McapOutput:
    """One MCAP file: a topic for each type of message in JSON, and the place for maps."""

    def __init__(self, path: Path) -> None:
        try:
            from mcap.writer import Writer  # noqa: PLC0415 - an extra
        except ImportError:
            raise _needs("mcap", "mcap") from None
        self._file = path.open("xb")
        self._writer = Writer(self._file)
        self._writer.start("", "sekisho")
        self._channels: dict[str, int] = {}
        self._parser = dialect.MAVLink(None)

    def write(self, us: int, frame: bytes) -> None:
        """Write one message, and where the vehicle is if it says so."""
        message = self._parser.decode(bytearray(frame))
        name = message.get_type()
        fields = {"sysid": frame[5], "compid": frame[6], **message.to_dict()}
        del fields["mavpackettype"]
        self._add(f"mavlink/{name}", f"mavlink.{name}", _schema_of(name, fields), us, fields)
        if id_of(frame) == dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT and (
            message.lat or message.lon
        ):
            place = {
                "timestamp": {"sec": us // 1_000_000, "nsec": us % 1_000_000 * 1000},
                "frame_id": f"vehicle {frame[5]}",
                "latitude": message.lat / 1e7,
                "longitude": message.lon / 1e7,
                "altitude": message.alt / 1e3,
                "position_covariance": [0.0] * 9,
                "position_covariance_type": 0,
            }
            self._add("location", _LOCATION_FIX, _LOCATION_SCHEMA, us, place)

    def finish(self) -> None:
        """Complete the file."""
        self._writer.finish()  # type: ignore[no-untyped-call]
        self._file.close()

    def _add(
        self, topic: str, schema: str, definition: object, us: int, fields: dict[str, Any]
    ) -> None:
        channel = self._channels.get(topic)
        if channel is None:
            number = self._writer.register_schema(
                schema, "jsonschema", json.dumps(definition).encode()
            )
            channel = self._channels[topic] = self._writer.register_channel(topic, "json", number)
        # A float that is none has no place in JSON.
        clean = {key: value if value == value else None for key, value in fields.items()}
        data = json.dumps(clean).encode()
        self._writer.add_message(channel, log_time=us * 1000, publish_time=us * 1000, data=data)


def _fits(value: float | str) -> bool:
    return not isinstance(value, int) or -(1 << 63) <= value < 1 << 63


def _finite(value: Any) -> Any:  # noqa: ANN401 - of JSON
    """Return a value without floats that are no numbers: JSON has no place for them."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _schema_of(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    def kind(value: object) -> dict[str, Any]:
        if isinstance(value, list):
            return {"type": "array", "items": {"type": "number"}}
        return {"type": "string" if isinstance(value, str) else "number"}

    properties = {key: kind(value) for key, value in fields.items()}
    return {"type": "object", "title": name, "properties": properties}


def _needs(name: str, package: str) -> StoreError:
    return StoreError(f"--format {name} needs {package}: pip install 'sekisho[{name}]'")
