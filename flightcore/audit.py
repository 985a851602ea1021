"""The words by which the audit log calls what was asked of the drone."""

import struct
from typing import Final

from flightcore.policy import COMMAND_MESSAGES
from wire.mavlink import HEADER_BYTES, MAGIC_V2, MESSAGE_NAME, dialect, message_id

# In COMMAND_LONG and COMMAND_INT alike the command stands behind 28 bytes of parameters.
_COMMAND: Final = struct.Struct("<H")
_COMMAND_AT: Final = 28
_PARAM_SET: Final = struct.Struct("<fBB16s")


def describe_operation(operation: bytes) -> str:
    """Return what a frame, or a record of the link, would do, in the words of the dialect."""
    if operation[0] != MAGIC_V2:
        return "a request for authority"
    number = message_id(operation)
    name = MESSAGE_NAME.get(number, str(number))
    # Trailing zeros of a payload are left out on the way; a refused one may hold anything.
    payload = operation[HEADER_BYTES : HEADER_BYTES + operation[1]].ljust(255, b"\0")
    if number in COMMAND_MESSAGES:
        (command,) = _COMMAND.unpack_from(payload, _COMMAND_AT)
        known = dialect.enums["MAV_CMD"].get(command)
        return f"{name} {command if known is None else known.name}"
    if number == dialect.MAVLINK_MSG_ID_PARAM_SET:
        value, _, _, name_bytes = _PARAM_SET.unpack_from(payload)
        parameter = name_bytes.split(b"\0")[0].decode("ascii", "replace")
        return f"{name} {parameter} = {value:g}"
    return name
