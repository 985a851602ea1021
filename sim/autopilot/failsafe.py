"""Failsafes: a ground station that falls silent, a battery that runs down, a fence breached."""

from typing import Final

from sim.autopilot.fence import Bound, fence_names
from sim.autopilot.flight import Sensed
from sim.autopilot.modes import TRAITS, Mode
from sim.autopilot.outbox import Outbox, Severity
from sim.autopilot.vehicle import Vehicle

_CONTINUE_AUTO: Final = 1 << 1
_CONTINUE_LANDING: Final = 1 << 3
_CONTINUE_PILOTED: Final = 1 << 4

# FS_GCS_ENABLE to the modes tried in turn. SmartRTL and the landing sequence do not exist here,
# so their fall-backs are what is flown.
_GCS_ACTIONS: Final[dict[int, tuple[Mode, ...]]] = {
    1: (Mode.RTL, Mode.LAND),
    2: (Mode.RTL, Mode.LAND),
    3: (Mode.RTL, Mode.LAND),
    4: (Mode.LAND,),
    5: (Mode.LAND,),
    6: (Mode.RTL, Mode.LAND),
    7: (Mode.BRAKE, Mode.LAND),
}
_BATTERY_ACTIONS: Final[dict[int, tuple[Mode, ...]]] = {
    1: (Mode.LAND,),
    2: (Mode.RTL, Mode.LAND),
    3: (Mode.RTL, Mode.LAND),
    4: (Mode.LAND,),
    6: (Mode.RTL, Mode.LAND),
    7: (Mode.BRAKE, Mode.LAND),
}


# FENCE_ACTION; SmartRTL does not exist here.
_FENCE_ACTIONS: Final[dict[int, tuple[Mode, ...]]] = {
    1: (Mode.RTL, Mode.LAND),
    2: (Mode.LAND,),
    3: (Mode.RTL, Mode.LAND),
    4: (Mode.BRAKE, Mode.LAND),
    5: (Mode.LAND,),
}
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
            self.active = True
            self._vehicle.sticks.clear()
            act(self._vehicle, self._outbox, "GCS", _GCS_ACTIONS.get(choice, _GCS_ACTIONS[1]))
        elif not silent and self.active:
            self.active = False
            self._outbox.text(Severity.WARNING, "GCS Failsafe Cleared")


class BatteryFailsafe:
    """Acts once when the pack has been low for BATT_LOW_TIMER or BATT_LOW_MAH is left."""

    def __init__(self, vehicle: Vehicle, outbox: Outbox) -> None:
        self._vehicle = vehicle
        self._outbox = outbox
        self._low_s = 0.0
        self._fired = False

    def step(self, sensed: Sensed, dt_s: float) -> None:
        """Watch voltage and charge."""
        parameters = self._vehicle.parameters
        if self._fired or not self._vehicle.flight.armed:
            return
        self._low_s = self._low_s + dt_s if sensed.volts < parameters["BATT_LOW_VOLT"] else 0.0
        left_mah = parameters["BATT_CAPACITY"] - sensed.consumed_mah
        if self._low_s >= parameters["BATT_LOW_TIMER"] or left_mah < parameters["BATT_LOW_MAH"]:
            self._fired = True
            text = f"Battery 1 is low {sensed.volts:.2f}V used {round(sensed.consumed_mah)} mAh"
            self._outbox.text(Severity.WARNING, text)
            actions = _BATTERY_ACTIONS.get(int(parameters["BATT_FS_LOW_ACT"]))
            if actions is not None:
                act(self._vehicle, self._outbox, "Battery", actions)


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
        if vehicle.ground.home is None:
            return
        before = fence.breached
        grounded = vehicle.flight.landed or not vehicle.flight.armed
        landing = vehicle.landing or grounded
        fresh = fence.step(sensed.motion.position_n, now_s, landing=landing)
        if before and not fence.breached and not vehicle.flight.landed:
            self._outbox.text(Severity.NOTICE, "Fence breach cleared")
        if fresh and vehicle.flight.armed:
            self._act(fresh)

    def _act(self, fresh: Bound) -> None:
        vehicle = self._vehicle
        choice = int(vehicle.parameters["FENCE_ACTION"])
        if vehicle.flight.landed:
            if choice != 0:
                vehicle.disarm(force=True)
            return
        self._outbox.text(Severity.NOTICE, f"{fence_names(fresh)} breached")
        if choice == 0:
            return
        modes = _FENCE_ACTIONS.get(choice, _FENCE_ACTIONS[1])
        if vehicle.fence.outside_m > _FENCE_GIVE_UP_M:
            modes = (Mode.LAND,)
        for mode in modes:
            if vehicle.set_mode(mode, of_own_accord=True):
                return


def act(vehicle: Vehicle, outbox: Outbox, cause: str, modes: tuple[Mode, ...]) -> None:
    """Announce a failsafe and fly the first of `modes` that can be entered."""
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
    for mode in wanted:
        if vehicle.set_mode(mode, of_own_accord=True):
            return
