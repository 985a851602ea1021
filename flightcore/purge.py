"""After a flight, clear what says where it was to go: mission, fence and rally points.

Home cannot be taken from ArduPilot: it is set anew at the next arming and lost with its power.
"""

from typing import Final

from flightcore.autopilot import COMPANION_COMPID, Autopilot
from flightcore.policy import FlightState
from flightcore.voice import Voice
from wire.mavlink import HEADER_BYTES, dialect, message_id

ANSWER_NS: Final = 1_000_000_000
MAX_TRIES: Final = 5
_STATUS_AT: Final = 7  # system_status of a HEARTBEAT
_PAYLOAD_BYTES: Final = 9  # of the longer of the two messages; trailing zeros are left out
_KINDS: Final = {
    dialect.MAV_MISSION_TYPE_MISSION: "mission",
    dialect.MAV_MISSION_TYPE_FENCE: "fence",
    dialect.MAV_MISSION_TYPE_RALLY: "rally points",
}
# It has none of the kind, or cannot: nothing is left to be cleared.
_DONE: Final = (dialect.MAV_MISSION_ACCEPTED, dialect.MAV_MISSION_UNSUPPORTED)


class Purge:
    """Clear the autopilot's stores once it has flown, landed and disarmed.

    Invariant: nothing is said while the vehicle is armed. The zero state has seen no flight.
    """

    watched = frozenset((dialect.MAVLINK_MSG_ID_HEARTBEAT, dialect.MAVLINK_MSG_ID_MISSION_ACK))

    def __init__(self, autopilot: Autopilot, voice: Voice) -> None:
        self._autopilot = autopilot
        self._voice = voice
        self._has_flown = False
        self._tries: dict[int, int] = {}  # what is still to be cleared
        self._due_ns: int | None = None

    def receive(self, frame: bytes, now_ns: int) -> None:
        """Take one frame of the autopilot."""
        payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(_PAYLOAD_BYTES, b"\0")
        if message_id(frame) == dialect.MAVLINK_MSG_ID_MISSION_ACK:
            self._receive_ack(payload)
        elif self._autopilot.state is FlightState.ARMED:
            self._tries, self._due_ns = {}, None
            self._has_flown |= payload[_STATUS_AT] == dialect.MAV_STATE_ACTIVE
        elif self._autopilot.state is FlightState.DISARMED and self._has_flown:
            self._has_flown = False
            self._tries, self._due_ns = dict.fromkeys(_KINDS, 0), now_ns

    def deadline_ns(self) -> int | None:
        """Return when something is to be asked, or asked again."""
        return self._due_ns

    def tick(self, now_ns: int) -> None:
        """Ask for what is not cleared yet."""
        if self._due_ns is None or now_ns < self._due_ns:
            return
        for kind, tries in list(self._tries.items()):
            if tries == MAX_TRIES:
                del self._tries[kind]
                text = f"purge: {_KINDS[kind]} not cleared"
                self._voice.tell(dialect.MAV_SEVERITY_WARNING, text)
                continue
            self._tries[kind] += 1
            assert self._autopilot.sysid is not None
            self._voice.command(
                dialect.MAVLink_mission_clear_all_message(self._autopilot.sysid, 1, kind)
            )
        self._due_ns = now_ns + ANSWER_NS if self._tries else None

    def forget(self) -> None:
        """The autopilot has gone; what it holds cannot be cleared now."""
        self._tries, self._due_ns = {}, None

    def _receive_ack(self, payload: bytes) -> None:
        _, component, result, kind = payload[:4]
        if component != COMPANION_COMPID or kind not in self._tries or result not in _DONE:
            return
        del self._tries[kind]
        if not self._tries:
            self._due_ns = None
            self._voice.tell(
                dialect.MAV_SEVERITY_INFO, "purge: mission, fence and rally points gone"
            )
