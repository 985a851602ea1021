"""What the companion sees of the vehicle that it flies, and what it asks to see."""

import math
from typing import Final

from flightcore.autopilot import AUTOPILOT_COMPID, Autopilot
from flightcore.offboard.frames import ORIGIN_ID, origin_untrusted
from flightcore.offboard.motion import ATTITUDE_ID, POSITION_ID, Motion, MotionReader
from flightcore.offboard.pilot import STALE_S
from flightcore.offboard.setpoints import PositionTarget
from flightcore.voice import Voice
from wire.mavlink import dialect, message_id
from wire.trajectory import Reference

GUIDED: Final = 4
_INTERVAL_US: Final = 20_000
_ENOUGH: Final = 30  # motions between two heartbeats, of 50


class Sight:
    """Motion, and where its frame hangs. The zero state has seen nothing.

    ArduPilot follows whoever asked last for a rate: what comes too seldom is asked for again with
    each heartbeat, while `is_watching`.
    """

    watched = frozenset((ORIGIN_ID, dialect.MAVLINK_MSG_ID_HEARTBEAT, *MotionReader.watched))

    def __init__(self, autopilot: Autopilot, voice: Voice) -> None:
        self.origin: Reference | None = None
        self.motion: Motion | None = None
        self.is_watching = False
        self._autopilot = autopilot
        self._voice = voice
        self._reader = MotionReader(autopilot.dropped)
        self._count = 0

    def forget(self) -> None:
        """Forget everything: the line is gone."""
        self.origin = self.motion = None
        self._reader = MotionReader(self._autopilot.dropped)

    def receive(self, frame: bytes, now_ns: int) -> None:
        """Take a frame of `watched`."""
        number = message_id(frame)
        if number == ORIGIN_ID:
            self.origin = origin_untrusted(frame) or self.origin
        elif number != dialect.MAVLINK_MSG_ID_HEARTBEAT:
            motion = self._reader.receive(frame, now_ns)
            if motion is not None:
                self.motion = motion
                self._count += 1
        elif self.is_watching:
            if self._count < _ENOUGH:
                self.ask_motion()
            self._count = 0

    def ask_motion(self) -> None:
        """Ask for position and attitude at 50 Hz: one interval for both."""
        for number in (POSITION_ID, ATTITUDE_ID):
            self._command(dialect.MAV_CMD_SET_MESSAGE_INTERVAL, number, _INTERVAL_US)

    def locate(self) -> None:
        """Ask for the origin of the estimator's frame, unless it is known."""
        if self.origin is None:
            self._command(dialect.MAV_CMD_REQUEST_MESSAGE, ORIGIN_ID)

    def is_guided(self) -> bool:
        """Tell whether the vehicle is in GUIDED by its last word."""
        return self._autopilot.custom_mode == GUIDED

    def is_fresh(self, now_ns: int) -> bool:
        """Tell whether the vehicle's motion is known as it is now."""
        return self.motion is not None and now_ns * 1e-9 - self.motion.time_s <= STALE_S

    def distance(self, place: PositionTarget) -> float:
        """Return how far a place is from the vehicle, whose motion is known [m]."""
        assert self.motion is not None
        return math.dist(place.position_n, self.motion.position_n)

    def _command(self, command: int, *values: float) -> None:
        if self._autopilot.sysid is not None:
            padded = (*values, *(0.0,) * (7 - len(values)))
            self._voice.command(
                dialect.MAVLink_command_long_message(
                    self._autopilot.sysid, AUTOPILOT_COMPID, command, 0, *padded
                )
            )
