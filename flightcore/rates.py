"""The message rates that the companion itself needs, asked of the autopilot and watched.

ArduPilot sends nothing but heartbeats until it is asked, forgets what it was asked when it
restarts, and follows whoever asked last; it has ten distinct intervals a link, so few are used
here. What comes often enough is left alone: a ground tool that wants more gets more, one that
wants less gets its way for some seconds.

Source: https://mavlink.io/en/messages/common.html#MAV_CMD_SET_MESSAGE_INTERVAL and ArduPilot's
libraries/GCS_MAVLink, where param3 must be 0.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final, NamedTuple

from flightcore.autopilot import AUTOPILOT_COMPID, COMPANION_COMPID, Autopilot
from flightcore.voice import Voice
from wire.mavlink import MESSAGE_NAME, dialect, message_id

FIRST_WINDOW_NS: Final = 1_500_000_000
WINDOW_NS: Final = 3_000_000_000
ANSWER_NS: Final = 300_000_000
SELDOM_NS: Final = 30_000_000_000
PATIENCE: Final = 4  # requests without effect, after which it is said and asked but seldom
ENOUGH: Final = 0.6  # of the rate that is wanted

_SECOND_NS = 1_000_000_000
_ACK_ID = dialect.MAVLINK_MSG_ID_COMMAND_ACK
_HEARTBEAT_ID = dialect.MAVLINK_MSG_ID_HEARTBEAT
_REFUSALS = (dialect.MAV_RESULT_DENIED, dialect.MAV_RESULT_UNSUPPORTED)
_UNANSWERED = -1


class Wanted(NamedTuple):
    """How far apart a message may be, and who needs it."""

    interval_ms: int
    reason: str


WANTED: Final = {
    dialect.MAVLINK_MSG_ID_ATTITUDE: Wanted(50, "GNSS prediction: where the accelerations point"),
    dialect.MAVLINK_MSG_ID_RAW_IMU: Wanted(50, "GNSS prediction: the accelerations"),
    dialect.MAVLINK_MSG_ID_GPS_RAW_INT: Wanted(100, "GNSS: what the receiver says"),
    dialect.MAVLINK_MSG_ID_EKF_STATUS_REPORT: Wanted(100, "GNSS: the filter's innovations"),
    dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: Wanted(100, "GNSS: the filter's position"),
    dialect.MAVLINK_MSG_ID_LOCAL_POSITION_NED: Wanted(100, "GNSS: the filter's resets"),
    dialect.MAVLINK_MSG_ID_SCALED_PRESSURE: Wanted(200, "GNSS: height by the barometer"),
    dialect.MAVLINK_MSG_ID_VFR_HUD: Wanted(200, "GNSS: height and climb of the filter"),
    dialect.MAVLINK_MSG_ID_SYSTEM_TIME: Wanted(1000, "GNSS time; a restart of the autopilot"),
    dialect.MAVLINK_MSG_ID_SYS_STATUS: Wanted(1000, "failsafe: sensor health, pre-arm check"),
    dialect.MAVLINK_MSG_ID_EXTENDED_SYS_STATE: Wanted(1000, "recorder: landed or not"),
    dialect.MAVLINK_MSG_ID_HOME_POSITION: Wanted(1000, "failsafe: where a return would lead"),
    dialect.MAVLINK_MSG_ID_BATTERY_STATUS: Wanted(1000, "recorder: the battery"),
    dialect.MAVLINK_MSG_ID_VIBRATION: Wanted(1000, "GNSS prediction: how far to trust the IMU"),
    dialect.MAVLINK_MSG_ID_FENCE_STATUS: Wanted(1000, "failsafe: a breach to be cross-checked"),
    dialect.MAVLINK_MSG_ID_MISSION_CURRENT: Wanted(1000, "recorder: progress of the mission"),
}


@dataclass(slots=True)
class _Stream:
    """How one message has come, and what became of asking for it."""

    rate: float = 0.0  # in the last whole window [Hz]
    requests: int = 0  # since it last came often enough
    result: int = _UNANSWERED
    ask_after_ns: int = 0


class Rates:
    """Measure in windows of some seconds, and ask for what is short: one request at a time.

    The zero state has heard nothing. Invariant: nothing is asked of an autopilot that is silent,
    nor while everything comes often enough, nor the same more than once a window.
    """

    watched = frozenset((*WANTED, _HEARTBEAT_ID, _ACK_ID))

    def __init__(self, autopilot: Autopilot, voice: Voice) -> None:
        self._autopilot = autopilot
        self._voice = voice
        self._start()

    def _start(self) -> None:
        self._streams = {number: _Stream() for number in WANTED}
        self._counts: Counter[int] = Counter()
        self._began_ns: int | None = None
        self._ends_ns = 0
        self._to_ask: list[int] = []
        self._asked: int | None = None
        self._answer_due_ns = 0
        self._is_said = False

    @property
    def short(self) -> dict[str, float]:
        """The rates of what does not come often enough, in Hz."""
        return {
            MESSAGE_NAME[number]: round(stream.rate, 1)
            for number, stream in self._streams.items()
            if stream.requests
        }

    def receive(self, frame: bytes, now_ns: int) -> None:
        """Count one frame of the autopilot, or take its answer."""
        number = message_id(frame)
        if number == _ACK_ID:
            self._receive_answer(frame, now_ns)
            return
        if self._began_ns is None:
            self._began_ns, self._ends_ns = now_ns, now_ns + FIRST_WINDOW_NS
        self._counts[number] += 1

    def deadline_ns(self) -> int | None:
        """Return when the window ends, or an answer has not come."""
        if self._began_ns is None:
            return None
        return self._ends_ns if self._asked is None else min(self._ends_ns, self._answer_due_ns)

    def tick(self, now_ns: int) -> None:
        """Judge a window that has ended; go on asking."""
        if self._began_ns is None:
            return
        if self._asked is not None and now_ns >= self._answer_due_ns:
            self._ask_next(now_ns)
        if now_ns >= self._ends_ns:
            self._judge(now_ns - self._began_ns, now_ns)
            self._counts.clear()
            self._began_ns, self._ends_ns = now_ns, now_ns + WINDOW_NS
            if self._asked is None:
                self._ask_next(now_ns)

    def forget(self) -> None:
        """Forget the autopilot: its line is gone."""
        self._start()

    def _judge(self, elapsed_ns: int, now_ns: int) -> None:
        if not self._counts[_HEARTBEAT_ID]:  # silent, or restarting: it will have forgotten all
            for stream in self._streams.values():
                stream.requests = stream.ask_after_ns = 0
            self._to_ask.clear()
            return
        for number, stream in self._streams.items():
            count, expected = (
                self._counts[number],
                elapsed_ns / (WANTED[number].interval_ms * 10**6),
            )
            stream.rate = count * _SECOND_NS / elapsed_ns
            if count >= ENOUGH * expected:
                stream.requests = stream.ask_after_ns = 0
            elif now_ns >= stream.ask_after_ns and number not in self._to_ask:
                self._to_ask.append(number)
        self._say()

    def _ask_next(self, now_ns: int) -> None:
        self._asked = self._to_ask.pop(0) if self._to_ask else None
        if self._asked is None or self._autopilot.sysid is None:
            return
        number, stream = self._asked, self._streams[self._asked]
        stream.requests += 1
        stream.result = _UNANSWERED
        seldom = stream.requests >= PATIENCE
        stream.ask_after_ns = now_ns + (SELDOM_NS if seldom else WINDOW_NS)
        self._answer_due_ns = now_ns + ANSWER_NS
        interval_us = WANTED[number].interval_ms * 1000
        self._voice.command(
            dialect.MAVLink_command_long_message(
                self._autopilot.sysid,
                AUTOPILOT_COMPID,
                dialect.MAV_CMD_SET_MESSAGE_INTERVAL,
                *(0, number, interval_us, 0, 0, 0, 0, 0),
            )
        )

    def _receive_answer(self, frame: bytes, now_ns: int) -> None:
        ack = frame[10:20]
        is_own = len(frame) >= 22 and ack[8:10] == bytes((frame[5], COMPANION_COMPID))
        command = ack[0] | ack[1] << 8
        if self._asked is None or not is_own or command != dialect.MAV_CMD_SET_MESSAGE_INTERVAL:
            return
        stream = self._streams[self._asked]
        stream.result = ack[2]
        if ack[2] in _REFUSALS:
            stream.requests = max(stream.requests, PATIENCE)
            stream.ask_after_ns = now_ns + SELDOM_NS
        self._ask_next(now_ns)

    def _say(self) -> None:
        """Say once what asking does not help: all of it in the log, to operators what matters.

        What is granted and not sent at all has nothing to say yet: no position before the filter
        has one, no fence while it is off.
        """
        short = {n: s for n, s in self._streams.items() if s.requests}
        given_up = {n: s for n, s in short.items() if s.requests >= PATIENCE}
        if self._is_said or not given_up or len(given_up) < len(short):
            return
        self._is_said = True
        for number, stream in given_up.items():
            wanted = 1000 / WANTED[number].interval_ms
            self._voice.note(
                f"{MESSAGE_NAME[number]}: {stream.rate:.1f} of {wanted:g} Hz, {_why(stream)}"
            )
        missing = [n for n, s in given_up.items() if s.rate or s.result != _ACCEPTED]
        if missing:
            text = f"{len(missing)} messages of the autopilot are too rare"
            self._voice.tell(dialect.MAV_SEVERITY_NOTICE, text)


_ACCEPTED = dialect.MAV_RESULT_ACCEPTED


def _why(stream: _Stream) -> str:
    if stream.result == _UNANSWERED:
        return "requests are not answered"
    if stream.result != _ACCEPTED:
        return f"refused with result {stream.result}"
    return "granted: the line is too slow" if stream.rate else "granted: there is none to send"
