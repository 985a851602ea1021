"""The control loop without its process: the same pilot, on the clock of a test."""

from flightcore.offboard.pilot import Pilot, Tuning
from flightcore.offboard.track import track_of


class InlineLoop:
    """Does for an `Offboard` what the loop's process does; `is_stalled` stops it."""

    def __init__(self, offboard, period_s):
        self._offboard = offboard
        self._period_s = period_s
        self._flight = None
        self._motion = None
        self.is_stalled = False

    def run(self, now_ns):
        flight = self._offboard.flight
        if flight is not self._flight:
            self._flight = flight
            if flight is not None:
                track = track_of(flight.rows, flight.duration_s)
                self.pilot = Pilot(track, flight.form, flight.craft, Tuning(), self._period_s)
                self._offboard.loop_ready(now_ns)
        if flight is None or self.is_stalled:
            return
        motion = self._offboard.sight.motion
        if motion is not None and motion is not self._motion:
            self._motion = motion
            self.pilot.receive(motion)
        self._offboard.receive_step(self.pilot.step(now_ns * 1e-9, self._offboard.orders), now_ns)
