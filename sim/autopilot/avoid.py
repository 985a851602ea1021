"""Slowing down before the fence: what is left of a velocity that leads towards it.

As AC_Avoid does with AVOID_BEHAVE 0 ("slide"): the part towards a boundary is held to the speed
from which the vehicle can still stop FENCE_MARGIN short of it; the part along it is kept.
"""

import math
from typing import Final

from sim.autopilot.fence import Fence
from sim.autopilot.parameters import Parameters
from sim.control.vector import Vec3

_BY_FENCE: Final = 1
_DECELERATION: Final = 2.5
_GAIN: Final = 1.0


def slowed(velocity_n: Vec3, position_n: Vec3, fence: Fence, parameters: Parameters) -> Vec3:
    """Return a velocity that stops before the fence. NED [m/s]."""
    if not parameters.bits("AVOID_ENABLE") & _BY_FENCE or not fence.enabled:
        return velocity_n
    margin = parameters["FENCE_MARGIN"]
    north, east, down = velocity_n
    for (out_north, out_east), left in fence.sides((position_n[0], position_n[1])):
        towards = north * out_north + east * out_east
        allowed = _stopping_speed(left - margin)
        if towards > allowed:
            north -= (towards - allowed) * out_north
            east -= (towards - allowed) * out_east
    room = fence.headroom(position_n[2])
    if room is not None:
        down = max(down, -_stopping_speed(room - margin))
    return north, east, down


def _stopping_speed(room: float) -> float:
    """Return the speed at which to approach: in proportion to what is left, then by the root."""
    linear = _DECELERATION / _GAIN**2
    if room <= linear:
        return max(room, 0.0) * _GAIN
    return math.sqrt(2.0 * _DECELERATION * (room - 0.5 * linear))
