"""The autopilot as the companion knows it: its byte stream, its identity, whether it is armed."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from flightcore.policy import FlightState, decode
from flightcore.signing import Signing
from wire.mavlink import FrameSplitter, dialect, with_sequence
from wire.packer import pack
from wire.summary import merge_drops

COMPANION_COMPID: Final = dialect.MAV_COMP_ID_ONBOARD_COMPUTER
AUTOPILOT_COMPID: Final = dialect.MAV_COMP_ID_AUTOPILOT1
SILENCE_NS: Final = 3_000_000_000
_HEARTBEAT_ID = bytes(3)
_COMMAND_ACK_ID = dialect.MAVLINK_MSG_ID_COMMAND_ACK.to_bytes(3, "little")
_SETUP_SIGNING_ID = dialect.MAVLINK_MSG_ID_SETUP_SIGNING.to_bytes(3, "little")
_ACK_TARGET = slice(18, 20)  # target_system and target_component of a COMMAND_ACK
_NO_SIGNING_START = 1
_OTHERS_NAMED = 3  # there are 254 to forge
KEY_FROM_LINE = "setup_signing"
OTHER_AUTOPILOT = "other_autopilot"


class Autopilot:
    """Split what the autopilot sends, follow its heartbeats, and sign both ways if it does.

    The first autopilot that is heard is the one: another system id on the same line, be it a second
    vehicle that it forwards or a forgery, is counted and not believed. It becomes the one when the
    first has been silent for 3 s, and then as if it had just been connected.

    Nothing is ever said to the autopilot of the companion's own accord that ArduPilot takes for the
    operator's presence: no heartbeat, no stick.

    The zero state has heard nothing: no system id and an unknown flight state, under which the
    policy lets nothing pass.
    """

    def __init__(self, signing: Signing | None = None) -> None:
        self.splitter = FrameSplitter()
        self.dropped: Counter[str] = Counter()
        self.signing = Signing(None, _NO_SIGNING_START, 0) if signing is None else signing
        self.sysid: int | None = None
        self.state = FlightState.UNKNOWN
        self.custom_mode: int | None = None
        self.heard_ns: int | None = None
        self.is_flying = False  # armed, and by its own word not on the ground
        self.frames = 0
        self._others: set[int] = set()  # the first autopilots that are not this one
        self._notices: list[str] = []
        self._withheld = 0
        self._sequence = 0

    def receive(self, data: bytes, now_ns: int) -> list[bytes]:
        """Take bytes from the line; return the whole frames in them, without signatures."""
        frames = self.signing.receive(self.splitter.receive(data), now_ns)
        self.frames += len(frames)
        for frame in frames:
            kind = frame[7:10]
            if kind == _HEARTBEAT_ID and frame[6] == AUTOPILOT_COMPID:
                self._receive_heartbeat(frame, now_ns)
            elif kind == _SETUP_SIGNING_ID:  # it holds a key: not for anybody's eyes
                self.dropped[KEY_FROM_LINE] += 1
                frames = [f for f in frames if f[7:10] != _SETUP_SIGNING_ID]
        return frames

    def for_ground(self, frames: Sequence[bytes]) -> list[bytes]:
        """Return what is not an answer to the companion's own commands.

        Ground software would take it for the answer to the same command of its own. What follows is
        numbered without it: a gap in the autopilot's sequence would count as a loss on the link.
        """
        if self.sysid is None:
            return list(frames)
        autopilot = bytes((self.sysid, AUTOPILOT_COMPID))
        own = bytes((self.sysid, COMPANION_COMPID))
        out = []
        for frame in frames:
            if frame[5:7] != autopilot:
                out.append(frame)
            elif frame[7:10] == _COMMAND_ACK_ID and frame[_ACK_TARGET] == own:
                self._withheld += 1
            elif self._withheld & 0xFF:
                out.append(with_sequence(frame, frame[4] - self._withheld))
            else:
                out.append(frame)
        return out

    def signed(self, frames: Sequence[bytes], now_ns: int) -> list[bytes]:
        """Return frames as they go to the autopilot."""
        return [self.signing.sign(frame, now_ns) for frame in frames]

    def challenges(self, now_ns: int) -> list[bytes]:
        """Return what makes an autopilot that signs, but with an old time, show that it is there.

        It takes over our time with it, and answers with a heartbeat.
        """
        sysid = self.signing.challenge()
        if sysid is None:
            return []
        request = dialect.MAVLink_command_long_message(
            sysid,
            AUTOPILOT_COMPID,
            dialect.MAV_CMD_REQUEST_MESSAGE,
            *(0, dialect.MAVLINK_MSG_ID_HEARTBEAT, 0, 0, 0, 0, 0, 0),
        )
        return self.signed([self._pack(request, sysid, COMPANION_COMPID)], now_ns)

    def all_dropped(self) -> dict[str, int]:
        """Return what of the line was dropped, counted by reason."""
        return merge_drops(self.splitter.dropped, self.dropped, self.signing.dropped)

    def notices(self) -> list[str]:
        """Return what the operators should hear of the line."""
        out, self._notices = self._notices + self.signing.notices, []
        self.signing.notices.clear()
        return out

    def is_heard(self, now_ns: int) -> bool:
        """Tell whether a heartbeat came in the last 3 s."""
        return self.heard_ns is not None and now_ns - self.heard_ns < SILENCE_NS

    @property
    def is_armed(self) -> bool | None:
        """What it said last; None if it is not known."""
        return None if self.state is FlightState.UNKNOWN else self.state is FlightState.ARMED

    def flight_state(self, now_ns: int) -> FlightState:
        """Return what it said of itself, unknown once it has fallen silent."""
        return self.state if self.is_heard(now_ns) else FlightState.UNKNOWN

    def forget(self) -> None:
        """The line is gone: what comes back may be another autopilot in another state."""
        self.splitter = FrameSplitter(self.splitter.dropped)
        self.sysid = self.custom_mode = self.heard_ns = None
        self.state = FlightState.UNKNOWN
        self._others.clear()
        self._withheld = 0
        self.is_flying = False

    def pack(self, message: dialect.MAVLink_message, compid: int) -> bytes:
        """Return `message` as a frame from a component of this vehicle."""
        assert self.sysid is not None
        return self._pack(message, self.sysid, compid)

    def _pack(self, message: dialect.MAVLink_message, sysid: int, compid: int) -> bytes:
        frame = pack(message, sysid, compid, self._sequence)
        self._sequence = (self._sequence + 1) % 256
        return frame

    def _receive_heartbeat(self, frame: bytes, now_ns: int) -> None:
        heartbeat = decode(frame)
        if heartbeat.autopilot == dialect.MAV_AUTOPILOT_INVALID:
            return
        if self.sysid not in (None, frame[5]) and self.is_heard(now_ns):
            self.dropped[OTHER_AUTOPILOT] += 1
            if frame[5] not in self._others and len(self._others) < _OTHERS_NAMED:
                self._others.add(frame[5])
                self._notices.append(f"Another autopilot, system {frame[5]}, is ignored")
            return
        self.sysid = frame[5]
        self.heard_ns = now_ns
        self.custom_mode = heartbeat.custom_mode
        armed = heartbeat.base_mode & dialect.MAV_MODE_FLAG_SAFETY_ARMED
        self.state = FlightState.ARMED if armed else FlightState.DISARMED
        # ArduCopter stands by while it is landed, whatever it may be armed for.
        self.is_flying = bool(armed) and heartbeat.system_status != dialect.MAV_STATE_STANDBY
