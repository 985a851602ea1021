"""The pilot's sticks: neutral as the simulator reports them, or overridden from the ground."""

from typing import Final

from sim.control.vector import clamp

# ArduPilot's own simulator reports these when no transmitter is attached: the throttle is down,
# so LOITER and ALT_HOLD descend, and channels 5 and 8 are switches.
_NEUTRAL: Final = (1500, 1500, 1000, 1500, 1800, 1000, 1000, 1800)
_OVERRIDE_S: Final = 3.0
_AXIS: Final = 1000
_THROTTLE: Final = 2
_IGNORE: Final = 0xFFFF


class Sticks:
    """Eight channels. An override lapses when it is not renewed for RC_OVERRIDE_TIME."""

    def __init__(self) -> None:
        self._override: dict[int, tuple[int, float]] = {}

    def override(self, values: tuple[int, ...], now_s: float) -> None:
        """Take RC_CHANNELS_OVERRIDE: 0 releases a channel, 65535 leaves it as it is [us]."""
        for channel, value in enumerate(values[: len(_NEUTRAL)]):
            if value == 0:
                self._override.pop(channel, None)
            elif value != _IGNORE:
                self._override[channel] = (value, now_s + _OVERRIDE_S)

    def manual(self, axes: tuple[int, int, int, int], now_s: float) -> None:
        """Take MANUAL_CONTROL: pitch, roll, throttle, yaw [-1000..1000, throttle 0..1000].

        An axis beyond that is left as it is.
        """
        x, y, z, r = axes
        values = (1500 + y // 2, 1500 - x // 2, 1000 + z, 1500 + r // 2)
        for channel, (axis, value) in enumerate(zip((y, x, z, r), values, strict=True)):
            if abs(axis) <= _AXIS and not (channel == _THROTTLE and axis < 0):
                self._override[channel] = (int(clamp(value, 1000, 2000)), now_s + _OVERRIDE_S)

    def clear(self) -> None:
        """Release every channel, as a ground-station failsafe does."""
        self._override.clear()

    def channels(self, now_s: float) -> tuple[int, ...]:
        """Return the pulse widths in force [us]."""
        if not self._override:
            return _NEUTRAL
        for channel in [c for c, (_, until) in self._override.items() if now_s > until]:
            del self._override[channel]
        return tuple(
            self._override[c][0] if c in self._override else neutral
            for c, neutral in enumerate(_NEUTRAL)
        )

    def demand(self, now_s: float) -> tuple[float, float, float, float]:
        """Return roll, pitch, throttle and yaw: -1 to 1, throttle 0 to 1 [-]."""
        roll, pitch, throttle, yaw = self.channels(now_s)[:4]
        return (
            clamp((roll - 1500) / 500.0, -1.0, 1.0),
            clamp((pitch - 1500) / 500.0, -1.0, 1.0),
            clamp((throttle - 1000) / 1000.0, 0.0, 1.0),
            clamp((yaw - 1500) / 500.0, -1.0, 1.0),
        )
