"""Whether the position can be believed: the GNSS monitor as a part of the watch."""

from typing import Final

from flightcore.monitor.gnss import WATCHED, GnssMonitor, Status
from flightcore.voice import Voice
from wire.mavlink import dialect

REMIND_NS: Final = 10_000_000_000


class Navigation:
    """Watch for GNSS deception; say it, and go on saying it until the commander clears the alarm.

    The alarm outlives the autopilot's line: a reboot in the air is no proof of honest signals.
    """

    watched = WATCHED

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._monitor = GnssMonitor()
        self._remind_ns: int | None = None

    @property
    def is_suspect(self) -> bool:
        """Tell whether an alarm is raised."""
        return self._monitor.alarm is not None

    def receive(self, frame: bytes, now_ns: int) -> None:
        """Take one frame of the autopilot."""
        alarm = self._monitor.receive(frame, now_ns)
        if alarm is not None:
            self._remind_ns = now_ns + REMIND_NS
            self._voice.tell(dialect.MAV_SEVERITY_CRITICAL, alarm.text)
            self._voice.note(
                f"navigation alarm: {alarm.detector} {alarm.value:.3g}, allowed {alarm.threshold:g}"
            )

    def deadline_ns(self) -> int | None:
        """Return when the operators are reminded."""
        return self._remind_ns

    def tick(self, now_ns: int) -> None:
        """Remind the operators of an alarm that stands."""
        alarm = self._monitor.alarm
        if alarm is not None and self._remind_ns is not None and now_ns >= self._remind_ns:
            self._remind_ns = now_ns + REMIND_NS
            self._voice.tell(dialect.MAV_SEVERITY_CRITICAL, alarm.text)

    def forget(self) -> None:
        """Leave everything as it is: the monitor notices a reboot by the vehicle's clock."""

    def clear(self, made_ns: int, now_ns: int) -> bool:
        """Take back an alarm raised before `made_ns`; tell whether there was one."""
        alarm = self._monitor.alarm
        if alarm is None or alarm.alarm_ns > made_ns:
            return False
        self._monitor.clear(now_ns)
        self._remind_ns = None
        self._voice.tell(dialect.MAV_SEVERITY_NOTICE, "navigation alarm cleared by the commander")
        return True

    def status(self, now_ns: int) -> Status:
        """Describe the monitor."""
        return self._monitor.status(now_ns)
