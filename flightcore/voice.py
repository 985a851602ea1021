"""What the companion says of its own accord: to the autopilot, to the operators, to the log."""

from typing import NamedTuple

from flightcore.autopilot import COMPANION_COMPID, Autopilot
from wire.mavlink import dialect
from wire.packer import pack

_TEXT_BYTES = 50


class Said(NamedTuple):
    """What is to be passed on: MAVLink frames for the line and for every station, log lines."""

    to_line: list[bytes]
    to_ground: list[bytes]
    notes: list[str]


class Voice:
    """Collect what the parts of the companion have to say.

    Every frame comes from the companion's own component of the vehicle, and none of them is what
    ArduPilot takes for the presence of an operator. Before the autopilot has been heard nobody can
    be spoken for: only notes are kept. The zero state has said nothing.
    """

    def __init__(self, autopilot: Autopilot) -> None:
        self._autopilot = autopilot
        # Two listeners, two sequences: who counts gaps in one does not see what the other was told.
        self._sequence = 0
        self._said = Said([], [], [])

    def command(self, message: dialect.MAVLink_message) -> None:
        """Say something to the autopilot."""
        assert message.id not in _PRESENCE
        if self._autopilot.sysid is not None:
            frame = pack(message, self._autopilot.sysid, COMPANION_COMPID, self._sequence)
            self._sequence = (self._sequence + 1) % 256
            self._said.to_line.append(frame)

    def tell(self, severity: int, text: str) -> None:
        """Say something to whoever watches, in at most 50 characters, and to the log."""
        self.note(text)
        if self._autopilot.sysid is not None:
            message = dialect.MAVLink_statustext_message(severity, text[:_TEXT_BYTES].encode())
            self._said.to_ground.append(self._autopilot.pack(message, COMPANION_COMPID))

    def note(self, text: str) -> None:
        """Say something to the log."""
        self._said.notes.append(text)

    def outgoing(self) -> Said:
        """Return what has been said since the last time."""
        said, self._said = self._said, Said([], [], [])
        return said


# What ArduPilot takes for the presence of an operator, whoever sends it.
_PRESENCE = frozenset(
    (
        dialect.MAVLINK_MSG_ID_HEARTBEAT,
        dialect.MAVLINK_MSG_ID_RC_CHANNELS_OVERRIDE,
        dialect.MAVLINK_MSG_ID_MANUAL_CONTROL,
    )
)
