"""An operation that a drone asks back, in words for whoever is to confirm it."""

from typing import Final

from wire.authority import NOBODY, Request
from wire.mavlink import dialect, is_valid_frame, message_id
from wire.records import AUTHORITY, RECORD_HEADER_BYTES, encode_record

_COMMANDS: Final = frozenset(
    (dialect.MAVLINK_MSG_ID_COMMAND_LONG, dialect.MAVLINK_MSG_ID_COMMAND_INT)
)
_PARSER: Final = dialect.MAVLink(None)


def describe(operation: bytes) -> str | None:
    """Say in words what a challenge would carry out, on one printable line; None if in none."""
    request = Request.parse(operation[RECORD_HEADER_BYTES:])
    if request is not None and operation == encode_record(AUTHORITY, request.encode()):
        verb = request.verb.name.lower().replace("_", " ")
        return verb if request.station == NOBODY else f"{verb}, station {request.station.hex()}"
    if not is_valid_frame(operation):
        return None
    try:
        message = _PARSER.decode(bytearray(operation))
    except (dialect.MAVError, ValueError):
        return None
    fields = message.to_dict()
    name = fields.pop("mavpackettype")
    if message_id(operation) in _COMMANDS:
        name = f"{_command_name(fields.pop('command'))} ({name})"
    text = f"{name}: " + ", ".join(f"{key} {value}" for key, value in fields.items())
    # Whoever asked chose the text in it, and it must not steer the terminal.
    return "".join(c if c.isprintable() else "?" for c in text)


def _command_name(command: int) -> str:
    known = dialect.enums["MAV_CMD"].get(command)
    return f"MAV_CMD {command}" if known is None else f"{known.name}, {command}"
