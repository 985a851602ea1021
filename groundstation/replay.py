"""A recorded flight, played again: the same screen, fed with frames that came long ago.

A recording is one piece of memory with an index; where a replay stands is a time in it. A jump
rebuilds the screen from the newest frame of each message before it, so it costs the same anywhere.
"""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from groundstation.flight_data import FlightData
from groundstation.screen.changes import changes_since, page_ms
from groundstation.screen.vehicle import MAX_MESSAGES, VehicleScreen
from groundstation.screen.watched import WATCHED
from wire.mavlink import dialect, frame_bytes_untrusted, message_id
from wire.tlog import STAMP

SPEEDS: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_AUTOPILOT: Final = dialect.MAV_COMP_ID_AUTOPILOT1
_HEARTBEAT: Final = dialect.MAVLINK_MSG_ID_HEARTBEAT
_TEXT: Final = dialect.MAVLINK_MSG_ID_STATUSTEXT
_TRACK_STEP_S: Final = 0.5
_TRACK_POINTS: Final = 5000
# A screen takes 0 for "never": the first frame comes a moment after it.
_ZERO_NS: Final = 1_000_000


class RecordingName(NamedTuple):
    """Which recording it is, and what its seal says: `level` 1 whole, 2 cut short, 3 damaged."""

    name: str
    drone: str
    summary: str
    level: int


class Recording:
    """A whole .tlog in memory, with where each frame begins. Times are ns since the first."""

    def __init__(self, tlog: bytes, title: RecordingName) -> None:
        self.title = title
        self.flight = FlightData()
        self._tlog = tlog
        self._times = array("q")
        self._starts = array("q")
        self._newest: dict[int, array[int]] = {}

    def index(self, at: int, frames: int) -> int | None:
        """Index some frames from a place on; return where to go on, None at the end."""
        tlog, flight = self._tlog, self.flight
        for _ in range(frames):
            start = at + STAMP.size
            size = frame_bytes_untrusted(tlog, start)
            if size is None or start + size > len(tlog):
                flight.finish()
                return None
            frame = tlog[start : start + size]
            us = STAMP.unpack_from(tlog, at)[0]
            flight.write(us, frame)
            at = start + size
            number = message_id(frame)
            if frame[5] != flight.sysid or not (number in WATCHED or number == _TEXT):
                continue
            place = len(self._times)
            self._times.append((us - (flight.first_us or us)) * 1000)
            self._starts.append(start)
            if frame[6] == _AUTOPILOT or number == _TEXT:
                self._newest.setdefault(number, array("q")).append(place)
        return at

    @property
    def length_ns(self) -> int:
        """How long it is."""
        return round(self.flight.duration_s * 1e9)

    def place(self, at_ns: int) -> int:
        """Return how many of the frames that the screen takes have come at a time."""
        return bisect_right(self._times, at_ns)

    def frames(self, first: int, last: int) -> list[tuple[int, bytes]]:
        """Return the frames of these places with their times."""
        return [self._frame(place) for place in range(first, last)]

    def before(self, place: int) -> list[tuple[int, bytes]]:
        """Return what makes the screen before a place: few frames, wherever it is."""
        places: set[int] = set()
        for number, all_places in self._newest.items():
            end = bisect_right(all_places, place - 1)
            begin = 0 if number == _HEARTBEAT else max(0, end - self._kept(number))
            places.update(all_places[begin:end])
        return [self._frame(each) for each in sorted(places)]

    def track(self) -> list[tuple[float, float, float, float]]:
        """Return the thinned path: seconds, degrees, metres above home."""
        kept: list[tuple[float, float, float, float]] = []
        step_s = max(_TRACK_STEP_S, self.flight.duration_s / _TRACK_POINTS)
        for fix in self.flight.path:
            if not kept or fix.time_s - kept[-1][0] >= step_s:
                kept.append((round(fix.time_s, 2), fix.lat, fix.lon, round(fix.height, 1)))
        return kept

    def _frame(self, place: int) -> tuple[int, bytes]:
        start = self._starts[place]
        size = frame_bytes_untrusted(self._tlog, start)
        assert size is not None
        return self._times[place], self._tlog[start : start + size]

    @staticmethod
    def _kept(number: int) -> int:
        return MAX_MESSAGES if number == _TEXT else 1


class Replay:
    """One recording at one page: where it stands, how fast it goes.

    Invariant: the screen shows what had come up to `at_ns` and nothing later.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.at_ns = 0
        self.speed = 1.0
        self.is_playing = False
        self._screen = VehicleScreen()
        self._place = 0
        self._cursor = 0
        self._is_new = True
        self._now_ns = 0
        self._shown: tuple[object, ...] = ()
        self.seek(0)

    def seek(self, at_ns: int) -> None:
        """Go to a time."""
        self.at_ns = min(max(0, at_ns), self.recording.length_ns)
        self._screen = VehicleScreen()
        self._cursor = 0
        self._is_new = True
        self._place = self.recording.place(self.at_ns)
        self._feed(self.recording.before(self._place))

    def play(self, speed: float, now_ns: int) -> None:
        """Go on from where it stands, or from the beginning if that is the end."""
        if self.at_ns >= self.recording.length_ns:
            self.seek(0)
        self.speed = speed
        self.is_playing = True
        self._now_ns = now_ns

    def pause(self) -> None:
        """Stand still."""
        self.is_playing = False

    def picture(self, now_ns: int) -> dict[str, Any] | None:
        """Go on by the time that has passed; return what has changed, None if nothing."""
        if self.is_playing:
            self._advance(round((now_ns - self._now_ns) * self.speed))
            self._now_ns = now_ns
        screen = self._screen
        shown = (self.at_ns, self.is_playing, self.speed, self._is_new)
        if shown == self._shown:
            return None
        is_new, self._is_new = self._is_new, False
        self._shown = (self.at_ns, self.is_playing, self.speed, False)
        changes = changes_since(screen, self._cursor)
        self._cursor = screen.version
        changes["timers"] = (page_ms(screen.armed_ns), page_ms(screen.flying_ns))
        return {
            "at": page_ms(_ZERO_NS + self.at_ns),
            "playing": self.is_playing,
            "speed": self.speed,
            "fresh": is_new,
            "changes": changes,
        }

    def _advance(self, by_ns: int) -> None:
        self.at_ns = min(self.at_ns + by_ns, self.recording.length_ns)
        place = self.recording.place(self.at_ns)
        self._feed(self.recording.frames(self._place, place))
        self._place = place
        if self.at_ns >= self.recording.length_ns:
            self.is_playing = False

    def _feed(self, frames: Sequence[tuple[int, bytes]]) -> None:
        for time_ns, frame in frames:
            self._screen.receive(frame, _ZERO_NS + time_ns)
