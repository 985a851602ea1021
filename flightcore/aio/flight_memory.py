"""The memory that service and control loop share: four boxes, a histogram, a track.

Each box has one writer and one reader and holds the latest value only. A reader never waits: it
takes a value that is whole or, meeting a write, none, and asks again at its next tick. The count
before and after tells whether a write was under way, the checksum also where a processor shows
another's writes out of order.
"""

import mmap
import os
import struct
import zlib
from collections.abc import Sequence
from typing import Final

from flightcore.offboard.motion import Motion
from flightcore.offboard.pilot import Orders, Step
from flightcore.offboard.schedule import Schedule
from flightcore.offboard.setpoints import (
    AttitudeTarget,
    Brake,
    MotionTarget,
    PositionTarget,
    Setpoint,
    Vec,
)
from flightcore.trajectory.sampled import Array

BINS: Final = 10_001  # of lateness, 1 us each; the last one for all that is later
_BOX_BYTES: Final = 256
_HEAD: Final = struct.Struct("<QI")  # writes begun and ended, checksum
_HISTOGRAM_AT: Final = 4 * _BOX_BYTES
_TRACK_AT: Final = (_HISTOGRAM_AT + 8 * (BINS + 4) + 4095) // 4096 * 4096
_MOTION: Final = struct.Struct("<11d")
_ORDERS: Final = struct.Struct("<6d")
_STEP: Final = struct.Struct("<q14d")  # kind, error, and up to 13 numbers


class Box:
    """The latest value of one writer, for one reader, in bytes of fixed size."""

    def __init__(self, memory: mmap.mmap, at: int, size: int) -> None:
        assert _HEAD.size + size <= _BOX_BYTES
        self._memory = memory
        self._at = at
        self._size = size
        self._written = self._seen = 0

    def put(self, value: bytes) -> None:
        """Write; odd counts mean that it is under way."""
        at, memory = self._at, self._memory
        self._written += 2
        _HEAD.pack_into(memory, at, self._written - 1, 0)
        memory[at + _HEAD.size : at + _HEAD.size + self._size] = value
        _HEAD.pack_into(memory, at, self._written, zlib.crc32(value))

    def take(self) -> bytes | None:
        """Return a value that has not been taken yet, if there is a whole one."""
        at, memory = self._at, self._memory
        count, checksum = _HEAD.unpack_from(memory, at)
        if count == self._seen or count % 2:
            return None
        value = memory[at + _HEAD.size : at + _HEAD.size + self._size]
        if _HEAD.unpack_from(memory, at)[0] != count or zlib.crc32(value) != checksum:
            return None
        self._seen = count
        return value


class FlightMemory:
    """The shared memory of one track."""

    def __init__(self, descriptor: int) -> None:
        """Map what `create` made.

        Args:
            descriptor: Of the memory; it stays open and the caller's.
        """
        size = os.fstat(descriptor).st_size
        self._memory = mmap.mmap(descriptor, size)
        self._motion = Box(self._memory, 0, _MOTION.size)
        self._orders = Box(self._memory, _BOX_BYTES, _ORDERS.size)
        self._step = Box(self._memory, 2 * _BOX_BYTES, _STEP.size)
        self._view = memoryview(self._memory)
        self.lateness = self._view[_HISTOGRAM_AT : _HISTOGRAM_AT + 8 * (BINS + 4)].cast("Q")
        self.track = self._view[_TRACK_AT:].cast("d")

    def put_motion(self, motion: Motion) -> None:
        """Let the loop know of the vehicle."""
        self._motion.put(
            _MOTION.pack(motion.time_s, *motion.position_n, *motion.velocity_n, *motion.q_nb)
        )

    def take_motion(self) -> Motion | None:
        """Return the vehicle's motion if it is new."""
        value = self._motion.take()
        if value is None:
            return None
        t, px, py, pz, vx, vy, vz, *q = _MOTION.unpack(value)
        return Motion(t, (px, py, pz), (vx, vy, vz), (q[0], q[1], q[2], q[3]))

    def put_orders(self, orders: Orders) -> None:
        """Let the loop know what to do."""
        self._orders.put(_ORDERS.pack(*orders.schedule, orders.is_flying))

    def take_orders(self) -> Orders | None:
        """Return what to do if it is new."""
        value = self._orders.take()
        if value is None:
            return None
        *schedule, is_flying = _ORDERS.unpack(value)
        return Orders(Schedule(*schedule), bool(is_flying))

    def put_step(self, step: Step) -> None:
        """Let the service know what to say."""
        numbers = _numbers(step.setpoint)
        filled = (*numbers, *(0.0,) * (13 - len(numbers)))
        self._step.put(_STEP.pack(_kind(step.setpoint), step.error, *filled))

    def take_step(self) -> Step | None:
        """Return what to say if it is new."""
        value = self._step.take()
        if value is None:
            return None
        kind, error, *numbers = _STEP.unpack(value)
        return Step(_setpoint(kind, numbers), error)

    def close(self) -> None:
        """Give it back."""
        self.lateness.release()
        self.track.release()
        self._view.release()
        self._memory.close()


def create(rows: Array) -> int:
    """Return the descriptor of a new memory that holds the rows of a track."""
    descriptor = os.memfd_create("sekisho-flight", os.MFD_CLOEXEC)
    os.truncate(descriptor, _TRACK_AT + rows.nbytes)
    os.pwrite(descriptor, rows.tobytes(), _TRACK_AT)
    return descriptor


def _kind(setpoint: Setpoint | None) -> int:
    return 0 if setpoint is None else 1 + _KINDS.index(type(setpoint))


def _numbers(setpoint: Setpoint | None) -> tuple[float, ...]:
    match setpoint:
        case PositionTarget(position_n=p, yaw=yaw):
            return (*p, yaw)
        case MotionTarget(position_n=p, velocity_n=v, acceleration_n=a):
            return (*p, *v, *a, setpoint.yaw, setpoint.yaw_rate)
        case AttitudeTarget(q_nb=q, thrust=thrust):
            return (*q, thrust)
        case Brake() | None:
            return ()


def _setpoint(kind: int, n: Sequence[float]) -> Setpoint | None:
    match kind:
        case 1:
            return PositionTarget(_vec(n, 0), n[3])
        case 2:
            return MotionTarget(_vec(n, 0), _vec(n, 3), _vec(n, 6), n[9], n[10])
        case 3:
            return AttitudeTarget((n[0], n[1], n[2], n[3]), n[4])
        case 4:
            return Brake()
        case _:
            return None


_KINDS: Final = (PositionTarget, MotionTarget, AttitudeTarget, Brake)


def _vec(n: Sequence[float], first: int) -> Vec:
    return n[first], n[first + 1], n[first + 2]
