"""The autopilot as the companion knows it: its byte stream, its identity, whether it is armed."""

from typing import Final

from flightcore.policy import FlightState, decode
from wire.mavlink import FrameSplitter, dialect

COMPANION_COMPID: Final = dialect.MAV_COMP_ID_ONBOARD_COMPUTER
AUTOPILOT_COMPID: Final = dialect.MAV_COMP_ID_AUTOPILOT1
SILENCE_NS: Final = 3_000_000_000
_HEARTBEAT_ID = bytes(3)


class Autopilot:
    """Split what the autopilot sends and follow its heartbeats.

    The zero state has heard nothing: no system id and an unknown flight state, under which the
    policy lets nothing pass.
    """

    def __init__(self) -> None:
        self.splitter = FrameSplitter()
        self.sysid: int | None = None
        self.state = FlightState.UNKNOWN
        self.custom_mode: int | None = None
        self.heard_ns: int | None = None
        self.is_flying = False  # armed, and by its own word not on the ground
        self.frames = 0
        self._packer = dialect.MAVLink(None, srcComponent=COMPANION_COMPID)

    def receive(self, data: bytes, now_ns: int) -> list[bytes]:
        """Take bytes from the line; return the whole frames in them."""
        frames = self.splitter.receive(data)
        self.frames += len(frames)
        for frame in frames:
            if frame[7:10] == _HEARTBEAT_ID and frame[6] == AUTOPILOT_COMPID:
                self._receive_heartbeat(frame, now_ns)
        return frames

    def is_heard(self, now_ns: int) -> bool:
        """Tell whether a heartbeat came in the last 3 s."""
        return self.heard_ns is not None and now_ns - self.heard_ns < SILENCE_NS

    def flight_state(self, now_ns: int) -> FlightState:
        """Return what it said of itself, unknown once it has fallen silent."""
        return self.state if self.is_heard(now_ns) else FlightState.UNKNOWN

    def forget(self) -> None:
        """The line is gone: what comes back may be another autopilot in another state."""
        self.splitter = FrameSplitter()
        self.sysid = self.custom_mode = self.heard_ns = None
        self.state = FlightState.UNKNOWN
        self.is_flying = False

    def pack(self, message: dialect.MAVLink_message, compid: int) -> bytes:
        """Return `message` as a frame from a component of this vehicle."""
        assert self.sysid is not None
        self._packer.srcSystem = self.sysid
        self._packer.srcComponent = compid
        frame: bytes = bytes(message.pack(self._packer))
        self._packer.seq = (self._packer.seq + 1) % 256
        return frame

    def _receive_heartbeat(self, frame: bytes, now_ns: int) -> None:
        heartbeat = decode(frame)
        if heartbeat.autopilot == dialect.MAV_AUTOPILOT_INVALID:
            return
        self.sysid = frame[5]
        self.heard_ns = now_ns
        self.custom_mode = heartbeat.custom_mode
        armed = heartbeat.base_mode & dialect.MAV_MODE_FLAG_SAFETY_ARMED
        self.state = FlightState.ARMED if armed else FlightState.DISARMED
        # ArduCopter stands by while it is landed, whatever it may be armed for.
        self.is_flying = bool(armed) and heartbeat.system_status != dialect.MAV_STATE_STANDBY
