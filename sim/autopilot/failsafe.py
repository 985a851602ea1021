"""Failsafes: a ground station that falls silent, a battery that runs down, a fence breached."""

from dataclasses import dataclass
from typing import Final

from sim.autopilot.beacon import fence_status
from sim.autopilot.fence import Bound, fence_names
from sim.autopilot.flight import Sensed
from sim.autopilot.modes import TRAITS, Mode
from sim.autopilot.outbox import Outbox, Severity
from sim.autopilot.vehicle import Vehicle

_CONTINUE_AUTO: Final = 1 << 1
_CONTINUE_LANDING: Final = 1 << 3
_CONTINUE_PILOTED: Final = 1 << 4

# FS_GCS_ENABLE to the modes tried in turn. The landing sequence does not exist here, so its
# fall-back is what is flown.
_GCS_ACTIONS: Final[dict[int, tuple[Mode, ...]]] = {
    1: (Mode.RTL, Mode.LAND),
    2: (Mode.RTL, Mode.LAND),
    3: (Mode.SMART_RTL, Mode.RTL, Mode.LAND),
    4: (Mode.SMART_RTL, Mode.LAND),
    5: (Mode.LAND,),
    6: (Mode.RTL, Mode.LAND),
    7: (Mode.BRAKE, Mode.LAND),
}
_BATTERY_ACTIONS: Final[dict[int, tuple[Mode, ...]]] = {
    1: (Mode.LAND,),
    2: (Mode.RTL, Mode.LAND),
    3: (Mode.SMART_RTL, Mode.RTL, Mode.LAND),
    4: (Mode.SMART_RTL, Mode.LAND),
    6: (Mode.RTL, Mode.LAND),
    7: (Mode.BRAKE, Mode.LAND),
}


# FENCE_ACTION.
_FENCE_ACTIONS: Final[dict[int, tuple[Mode, ...]]] = {
    1: (Mode.RTL, Mode.LAND),
    2: (Mode.LAND,),
    3: (Mode.SMART_RTL, Mode.RTL, Mode.LAND),
    4: (Mode.BRAKE, Mode.LAND),
    5: (Mode.SMART_RTL, Mode.LAND),
}
# FS_GCS_ENABLE that asks for a landing sequence, and the mode that would fly it.
_LANDING_SEQUENCE: Final = 6
_AUTO_RTL: Final = 27
_FENCE_S: Final = 0.04
_FENCE_GIVE_UP_M: Final = 100.0


class GcsFailsafe:
    """Acts when the ground station falls silent. It sleeps until one has been heard.

    `pace` is how many vehicle seconds pass in a second of the ground station's: FS_GCS_TIMEOUT
    counts the latter, or an accelerated vehicle would not wait from one heartbeat to the next.
    """

    def __init__(self, vehicle: Vehicle, outbox: Outbox) -> None:
        self.pace = 1.0
        self._vehicle = vehicle
        self._outbox = outbox
        self._heard_s: float | None = None
        self.active = False

    def heard(self, now_s: float) -> None:
        """Note a HEARTBEAT, RC_CHANNELS_OVERRIDE or MANUAL_CONTROL of MAV_GCS_SYSID."""
        self._heard_s = now_s

    def step(self, now_s: float) -> None:
        """Compare the silence with FS_GCS_TIMEOUT."""
        choice = int(self._vehicle.parameters["FS_GCS_ENABLE"])
        if choice == 0 or self._heard_s is None:
            return
        timeout_s = self._vehicle.parameters["FS_GCS_TIMEOUT"] * self.pace
        silent = now_s - self._heard_s > timeout_s
        if silent and not self.active:
            self.active = self._vehicle.gcs_lost = True
            self._vehicle.sticks.clear()
            modes = _GCS_ACTIONS.get(choice, _GCS_ACTIONS[1])
            by_sequence = choice == _LANDING_SEQUENCE
            act(self._vehicle, self._outbox, "GCS", modes, by_sequence=by_sequence)
        elif not silent and self.active:
            self.active = self._vehicle.gcs_lost = False
            self._outbox.text(Severity.WARNING, "GCS Failsafe Cleared")


@dataclass(frozen=True, slots=True)
class _Level:
    """A level of the pack: its name, and the parameters of its limits and of what is done."""

    name: str
    volts: str
    mah: str
    action: str


_LEVELS: Final = (
    _Level("low", "BATT_LOW_VOLT", "BATT_LOW_MAH", "BATT_FS_LOW_ACT"),
    _Level("critical", "BATT_CRT_VOLT", "BATT_CRT_MAH", "BATT_FS_CRT_ACT"),
)


@dataclass(slots=True)
class _Guard:
    """What is known of a level: since when the pack is below it, and whether that was acted on."""

    level: _Level
    below_s: float = 0.0
    fired: bool = False


class BatteryFailsafe:
    """Acts once a level, when the pack has been below it for BATT_LOW_TIMER, or by its charge."""

    def __init__(self, vehicle: Vehicle, outbox: Outbox) -> None:
        self._vehicle = vehicle
        self._outbox = outbox
        self._guards = [_Guard(level) for level in _LEVELS]

    def step(self, sensed: Sensed, dt_s: float) -> None:
        """Watch voltage and charge."""
        if not self._vehicle.flight.armed:
            return
        for guard in self._guards:
            if not guard.fired and self._is_below(guard, sensed, dt_s):
                guard.fired = True
                self._act(guard.level, sensed)

    def _is_below(self, guard: _Guard, sensed: Sensed, dt_s: float) -> bool:
        p, level = self._vehicle.parameters, guard.level
        below = sensed.volts < p[level.volts]
        guard.below_s = guard.below_s + dt_s if below else 0.0
        left_mah = p["BATT_CAPACITY"] - sensed.consumed_mah
        long = below and guard.below_s >= p["BATT_LOW_TIMER"]
        return long or left_mah < p[level.mah]

    def _act(self, level: _Level, sensed: Sensed) -> None:
        used = f"{sensed.volts:.2f}V used {round(sensed.consumed_mah)} mAh"
        self._outbox.text(Severity.WARNING, f"Battery 1 is {level.name} {used}")
        choice = int(self._vehicle.parameters[level.action])
        act(self._vehicle, self._outbox, "Battery", _BATTERY_ACTIONS.get(choice, ()))


class FenceFailsafe:
    """Acts when the vehicle leaves its fence (ArduCopter's fence.cpp)."""

    def __init__(self, vehicle: Vehicle, outbox: Outbox) -> None:
        self._vehicle = vehicle
        self._outbox = outbox
        self._since_s = 0.0

    def step(self, sensed: Sensed, now_s: float, dt_s: float) -> None:
        """Look every 40 ms."""
        self._since_s += dt_s
        if self._since_s < _FENCE_S:
            return
        self._since_s = 0.0
        vehicle, fence = self._vehicle, self._vehicle.fence
        fence.follow()
        if vehicle.ground.home is None:
            return
        before = fence.breached
        grounded = vehicle.flight.landed or not vehicle.flight.armed
        landing = vehicle.landing or grounded
        if landing:
            self._say(fence.before_landing(), "auto-disabled")
        fresh = fence.step(sensed.motion.position_n, now_s, landing=landing)
        if before and not fence.breached and not vehicle.flight.landed:
            self._outbox.text(Severity.NOTICE, "Fence breach cleared")
        if fresh and vehicle.flight.armed:
            self._act(fresh)

    def _say(self, bounds: Bound, what: str) -> None:
        if bounds:
            self._outbox.text(Severity.NOTICE, f"{fence_names(bounds)} {what}")

    def _act(self, fresh: Bound) -> None:
        vehicle = self._vehicle
        choice = int(vehicle.parameters["FENCE_ACTION"])
        if vehicle.flight.landed:
            if choice != 0:
                vehicle.disarm(force=True)
            return
        self._say(fresh, "breached")
        self._outbox.send(fence_status(vehicle.fence))
        if choice == 0:
            return
        modes = _FENCE_ACTIONS.get(choice, _FENCE_ACTIONS[1])
        if vehicle.fence.outside_m > _FENCE_GIVE_UP_M:
            modes = (Mode.LAND,)
        for mode in modes:
            if vehicle.set_mode(mode, of_own_accord=True):
                return


def act(
    vehicle: Vehicle,
    outbox: Outbox,
    cause: str,
    modes: tuple[Mode, ...],
    *,
    by_sequence: bool = False,
) -> None:
    """Announce a failsafe and fly the first of `modes` that can be entered.

    `by_sequence`: a landing sequence is tried before, which is never there.
    """
    options = vehicle.parameters.bits("FS_OPTIONS")
    detail = ""
    wanted: tuple[Mode, ...] = ()
    if not vehicle.flight.armed:
        pass
    elif vehicle.flight.landed:
        vehicle.disarm(force=True)
        detail = " - Disarming"
    elif vehicle.landing and options & _CONTINUE_LANDING:
        detail = " - Continuing Landing"
    elif cause == "GCS" and vehicle.mode is Mode.AUTO and options & _CONTINUE_AUTO:
        detail = " - Continuing Auto Mode"
    elif cause == "GCS" and TRAITS[vehicle.mode].piloted and options & _CONTINUE_PILOTED:
        detail = " - Continuing Pilot Control"
    else:
        wanted = modes
    outbox.text(Severity.WARNING, f"{cause} Failsafe{detail}")
    if wanted and by_sequence:
        vehicle.set_mode_number(_AUTO_RTL)
        outbox.text(Severity.WARNING, "Trying RTL Mode")
    for mode in wanted:
        if vehicle.set_mode(mode, of_own_accord=True):
            return
