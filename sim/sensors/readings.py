"""What the sensors of one vehicle say: plain numbers, from the physics to the autopilot."""

import msgspec

from sim.control.vector import Vec3


class Fix(msgspec.Struct, frozen=True, gc=False):
    """What the receiver said last. NED.

    Attributes:
        epoch: Counts fixes, so that each is used once.
        time_s: When it came, since power-up. [s]
        locked: Whether it is a fix at all.
        position_n: Place reported, as of the receiver's lag ago. [m]
        velocity_n: Velocity reported. [m/s]
        position_error_n: By how much the place is off from the true one of then. [m]
        velocity_error_n: The same of velocity. [m/s]
        satellites: In use.
        accuracy: Horizontal accuracy claimed. [m]
        speed_accuracy: Accuracy of velocity claimed. [m/s]
        late_s: By how much its clock is wrong: a deceiver's delay. [s]
    """

    epoch: int
    time_s: float
    locked: bool
    position_n: Vec3
    velocity_n: Vec3
    position_error_n: Vec3
    velocity_error_n: Vec3
    satellites: int
    accuracy: float
    speed_accuracy: float
    late_s: float


class Readings(msgspec.Struct, frozen=True, gc=False):
    """One sample of everything.

    Attributes:
        force_b: Specific force, FRD. [m/s2]
        rate_b: Angular rate, FRD. [rad/s]
        force_error_n: What a filter cannot know of `force_b`: its bias, in NED. [m/s2]
        field_b: Magnetic field, FRD. [mG]
        baro_height: Height above where the vehicle started. [m]
        baro_error: By how much it is off, without noise. [m]
        distance: To the ground along body z; None where nothing comes back. [m]
        shaking: Root mean square of vibration. [m/s2]
        clipped: Samples of the accelerometer out of range so far.
        fix: The last word of the receiver.
    """

    force_b: Vec3
    rate_b: Vec3
    force_error_n: Vec3
    field_b: Vec3
    baro_height: float
    baro_error: float
    distance: float | None
    shaking: float
    clipped: int
    fix: Fix
