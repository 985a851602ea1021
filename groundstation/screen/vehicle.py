"""One drone on the screen: the newest value of everything with its age, messages, timers, track.

MAVLink frames go in as they come; what is shown is decoded when it is asked for.
"""

from collections import deque
from typing import Final, NamedTuple

from groundstation.screen.watched import WATCHED, Value, decode
from wire.mavlink import HEADER_BYTES, dialect, message_id

MAX_MESSAGES: Final = 200
MAX_TRACK: Final = 1800
_TRACK_EVERY_NS: Final = 1_000_000_000
_AUTOPILOT: Final = 1
_TEXT: Final = dialect.MAVLINK_MSG_ID_STATUSTEXT
_PLACE: Final = {
    number: {field.name: place for place, field in enumerate(watched.fields)}
    for number, watched in WATCHED.items()
}
_HEARTBEAT: Final = dialect.MAVLINK_MSG_ID_HEARTBEAT
_POSITION: Final = dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT
_BATTERY: Final = dialect.MAVLINK_MSG_ID_BATTERY_STATUS
_BATTERY_ID_AT: Final = HEADER_BYTES + 32
_FULL_TEXT: Final = 50
_ARMED: Final = 0x80
_SPOKEN_OF_NS: Final = 35_000_000_000  # ArduPilot repeats what fails every 30 s
_PREARM: Final = "PreArm: "
_REFUSED: Final = "Refused: "
_STALE: Final = "Refused: command is too old"


class Message(NamedTuple):
    """One text from the drone; `severity` is MAVLink's, 0 the worst.

    `number` names it for good, `version` says when it last grew.
    """

    number: int
    version: int
    seen_ns: int
    severity: int
    text: str


class _Seen(NamedTuple):
    version: int
    seen_ns: int
    frame: bytes


class VehicleScreen:
    """What one drone has said. The zero state has heard nothing.

    Invariant: `version` grows whenever something that is shown has come, and nothing is kept but
    the newest frame of each watched message, the last texts and a thinned track.
    """

    def __init__(self) -> None:
        self.version = 0
        self.sysid: int | None = None
        self.other_sysid: int | None = None
        self.messages: deque[Message] = deque(maxlen=MAX_MESSAGES)
        self.track: deque[tuple[Value, Value]] = deque(maxlen=MAX_TRACK)
        self.armed_ns: int | None = None
        self.flying_ns: int | None = None
        self.refused = self.stale_refused = 0
        self._seen: dict[int, _Seen] = {}
        self._decoded: dict[int, tuple[int, tuple[Value, ...]]] = {}
        self._numbers = 0
        self._open_text: tuple[int, int] | None = None
        self._track_ns = 0

    def receive(self, frame: bytes, seen_ns: int) -> None:
        """Take one frame of the drone, made no later than `seen_ns`."""
        number = message_id(frame)
        if number == _TEXT:
            self._receive_text(frame, seen_ns)
        elif frame[6] == _AUTOPILOT and number in WATCHED:
            if number == _HEARTBEAT:
                self._receive_heartbeat(frame, seen_ns)
            if frame[5] != self.sysid or _is_other_battery(number, frame):
                return
            self.version += 1
            self._seen[number] = _Seen(self.version, seen_ns, frame)
            if number == _POSITION and seen_ns - self._track_ns >= _TRACK_EVERY_NS:
                self._extend_track(seen_ns)

    def values(self, number: int) -> tuple[Value, ...] | None:
        """Return the fields of a watched message as `WATCHED` lists them; None if it never came."""
        seen = self._seen.get(number)
        if seen is None:
            return None
        decoded = self._decoded.get(number)
        if decoded is None or decoded[0] != seen.version:
            decoded = (seen.version, decode(number, seen.frame))
            self._decoded[number] = decoded
        return decoded[1]

    def value(self, number: int, name: str) -> Value:
        """Return one field of a watched message; None if it is unknown."""
        values = self.values(number)
        return None if values is None else values[_PLACE[number][name]]

    def seen_ns(self, number: int) -> int | None:
        """Return when the newest of a watched message was made at the latest; None if never."""
        seen = self._seen.get(number)
        return None if seen is None else seen.seen_ns

    def age_s(self, number: int, now_ns: int) -> float | None:
        """Return how old the newest of a watched message is; None if it never came."""
        seen_ns = self.seen_ns(number)
        return None if seen_ns is None else (now_ns - seen_ns) / 1e9

    def fresh(self, number: int, name: str, now_ns: int) -> Value:
        """Return one field if it is young enough to be taken for the present."""
        age_s = self.age_s(number, now_ns)
        is_fresh = age_s is not None and age_s <= WATCHED[number].stale_s
        return self.value(number, name) if is_fresh else None

    def since(self, version: int) -> dict[str, tuple[int, tuple[Value, ...]]]:
        """Return each group that came after `version`: when it was seen, and its values."""
        return {
            WATCHED[number].group: (seen.seen_ns, self.values(number) or ())
            for number, seen in self._seen.items()
            if seen.version > version
        }

    def prearm_texts(self, now_ns: int) -> list[str]:
        """Return what the autopilot said lately of failing pre-arm checks, each once."""
        texts = (
            message.text.removeprefix(_PREARM)
            for message in self.messages
            if message.text.startswith(_PREARM) and now_ns - message.seen_ns < _SPOKEN_OF_NS
        )
        return list(dict.fromkeys(texts))

    def _receive_heartbeat(self, frame: bytes, seen_ns: int) -> None:
        if self.sysid is None:
            self.sysid = frame[5]
        if frame[5] != self.sysid:
            self.other_sysid = frame[5]
            return
        payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(9, b"\0")
        armed, active = bool(payload[6] & _ARMED), payload[7] >= dialect.MAV_STATE_ACTIVE
        self.armed_ns = (self.armed_ns or seen_ns) if armed else None
        self.flying_ns = (self.flying_ns or seen_ns) if armed and active else None

    def _receive_text(self, frame: bytes, seen_ns: int) -> None:
        """Take a STATUSTEXT; one longer than 50 characters comes in several with one `id`."""
        payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(54, b"\0")
        text = payload[1:51].rstrip(b"\0").decode("utf-8", "replace")
        # Whoever made the text chose its characters: no control characters, no reversed writing.
        text = "".join(c if c.isprintable() else "?" for c in text)
        severity, chunk = payload[0] & 7, payload[53]
        identity = int.from_bytes(payload[51:53], "little")
        self.version += 1
        if identity and chunk and self._open_text == (identity, chunk - 1) and self.messages:
            last = self.messages.pop()
            self.messages.append(last._replace(version=self.version, text=last.text + text))
            self._open_text = (identity, chunk)
            return
        self._open_text = (identity, 0) if identity and len(text) >= _FULL_TEXT else None
        self._numbers += 1
        self.messages.append(Message(self._numbers, self.version, seen_ns, severity, text))
        self.refused += text.startswith(_REFUSED)
        self.stale_refused += text == _STALE

    def _extend_track(self, seen_ns: int) -> None:
        lat, lon, *_ = self.values(_POSITION) or (None, None)
        if lat and lon and (not self.track or self.track[-1] != (lat, lon)):
            self._track_ns = seen_ns
            self.track.append((lat, lon))


def _is_other_battery(number: int, frame: bytes) -> bool:
    return number == _BATTERY and frame[1] > 32 and frame[_BATTERY_ID_AT] != 0
