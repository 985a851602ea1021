"""Which serial device and speed the autopilot is on: tried one after the other, listening only.

Nothing is written to a device that may be something else. An autopilot says a heartbeat every
second, so a device that says nothing for longer has none at any speed, and one whose bytes make
frames, but no heartbeat of an autopilot, is something else.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from flightcore.autopilot import Autopilot

AUTO: Final = "auto"
LISTEN_NS: Final = 1_300_000_000
FRAMES_NS: Final = 3_000_000_000  # where frames come, but no heartbeat yet
# What autopilots are set to, the likeliest first. A USB device works at any.
BAUDS: Final = (921600, 115200, 57600, 460800, 230400, 500000, 1_500_000, 1_000_000, 38400)


class Trial(NamedTuple):
    """One way to listen."""

    device: str
    baud: int


class PortScan:
    """One pass over devices and speeds. `trial` is what to listen to now, None at the end.

    `found` is what an autopilot was heard on; then `trial` stays.
    """

    def __init__(self, devices: Sequence[str], bauds: Sequence[int], now_ns: int) -> None:
        self._trials = [Trial(device, baud) for device in devices for baud in bauds]
        self.found: Trial | None = None
        self._begin(now_ns)

    @property
    def trial(self) -> Trial | None:
        """What to listen to now."""
        return self._trials[0] if self._trials else None

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take what the device says."""
        self._has_spoken |= bool(data)
        self._autopilot.receive(data, now_ns)
        if self._autopilot.sysid is not None:
            self.found = self.trial

    def tick(self, now_ns: int) -> None:
        """Go on to the next speed or device when this one has had its time."""
        waited_ns = now_ns - self._began_ns
        has_frames = self._autopilot.frames > 0
        if self.found is not None or waited_ns < (FRAMES_NS if has_frames else LISTEN_NS):
            return
        self.skip(now_ns, is_hopeless=has_frames or not self._has_spoken)

    def skip(self, now_ns: int, *, is_hopeless: bool) -> None:
        """Go on to the next speed, or if this device is hopeless at any, to the next device."""
        device = self._trials[0].device
        del self._trials[0]
        if is_hopeless:
            self._trials = [trial for trial in self._trials if trial.device != device]
        self._begin(now_ns)

    def _begin(self, now_ns: int) -> None:
        self._began_ns = now_ns
        self._autopilot = Autopilot()
        self._has_spoken = False
