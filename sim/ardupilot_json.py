"""Our physics behind the real ArduPilot: the JSON interface of its SITL, without the socket.

ArduPilot sends the pulse widths of its outputs and waits; the answer carries the state of the
vehicle, and its clock moves by what the timestamps say. Both sides so keep step whatever the wall
clock does. Facts in which the interface differs from its description, read in SIM_JSON.cpp of
ArduCopter 4.7: the answer is found between the last two newlines; keys are searched for as text,
so no space may follow a colon and "imu" must come before its keys; booleans are numbers; the
pulses are sent again, with the same frame count, after a second without an answer.

The answer to a frame is computed before the frame comes: pulses act one frame, under a
millisecond, after they were sent, and the physics runs while ArduPilot does.
"""

import math
import struct
from typing import Final, NamedTuple

from sim.airframe import GRAVITY, Airframe
from sim.battery import Battery
from sim.dynamics import BODY, body_axes
from sim.rigid_body import programs
from sim.wind import Flow, Passing, Wind

_SERVOS_16: Final = struct.Struct("<HHI16H")
_SERVOS_32: Final = struct.Struct("<HHI32H")
_MAGIC_16: Final = 18458
_MAGIC_32: Final = 29569
_RATES_HZ: Final = (100, 4000)
# Pulses of no and of full thrust: MOT_PWM_MIN and _MAX of 1000 and 2000, of which MOT_SPIN_MIN 0.15
# and MOT_SPIN_MAX 0.95 are used.
_PULSES_US: Final = (1150.0, 1950.0)
_SLOW_S: Final = 0.02
_REPLY: Final = (
    '\n{"timestamp":%.9f,"imu":{"gyro":[%.8f,%.8f,%.8f],"accel_body":[%.7f,%.7f,%.7f]},'
    '"position":[%.6f,%.6f,%.6f],"quaternion":[%.9f,%.9f,%.9f,%.9f],'
    '"velocity":[%.6f,%.6f,%.6f],"rng_1":%.3f}\n'
)


class Servos(NamedTuple):
    """What ArduPilot asks for: frames per second, its frame number, pulse widths [us]."""

    rate_hz: int
    frame: int
    pulses: tuple[int, ...]


def parse_servos_untrusted(packet: bytes) -> Servos | None:
    """Return what a packet asks for, None if it is none of ArduPilot's."""
    for layout, magic in ((_SERVOS_16, _MAGIC_16), (_SERVOS_32, _MAGIC_32)):
        if len(packet) == layout.size:
            found, rate_hz, frame, *pulses = layout.unpack(packet)
            if found == magic and _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1]:
                return Servos(rate_hz, frame, tuple(pulses))
    return None


class JsonPhysics:
    """One vehicle flown by ArduPilot. The zero state stands on the ground at time 0.

    Attributes:
        airframe: What flies.
        now_s: Simulated time. [s]
        frames: Frames answered.
        repeats: Frames that came again and were answered as before.
        restarts: Times ArduPilot began to count anew, and the vehicle was put back.
        gaps: Frames that never came.
        foreign: Packets that were none of ArduPilot's.
    """

    def __init__(self, airframe: Airframe, wind: Wind, flow: Flow, *, heading: float = 0.0) -> None:
        self.airframe = airframe
        self.now_s = 0.0
        self.frames = 0
        self.repeats = 0
        self.restarts = 0
        self.gaps = 0
        self.foreign = 0
        self._wind = wind
        self._flow = flow
        self._heading = heading
        self._rate_hz = 0
        self._last: Servos | None = None
        self._answered = b""
        self._rotors = len(airframe.rotors)
        self._state: tuple[float, ...] = ()
        self._contact: tuple[float, ...] = ()
        self._battery = Battery(airframe.pack)
        self._slow_s = 0.0
        self._due = False
        self._ready = b""
        self._place()

    @property
    def state(self) -> tuple[float, ...]:
        """Return the state as `sim.dynamics` defines it."""
        return self._state

    def receive(self, packet: bytes) -> bytes | None:
        """Return the answer to a packet, None if it is none of ArduPilot's.

        `advance` must be called after each answer has been sent.
        """
        servos = parse_servos_untrusted(packet)
        if servos is None:
            self.foreign += 1
            return None
        last = self._last
        if last is not None and servos.frame == last.frame:
            self.repeats += 1
            return self._answered
        if last is not None and servos.frame < last.frame:
            self.restarts += 1
            self._place()
        elif last is not None:
            self.gaps += servos.frame - last.frame - 1
        self._last = servos
        self.frames += 1
        self._answered = self._ready
        self._due = True
        return self._answered

    def advance(self) -> None:
        """Let the pulses that were answered last act for one frame."""
        servos = self._last
        if servos is None or not self._due:
            return
        self._due = False
        if servos.rate_hz != self._rate_hz:
            self._rate_hz = servos.rate_hz
            self._step = programs(self.airframe, 1.0 / servos.rate_hz)[0]
        dt_s = 1.0 / servos.rate_hz
        self.now_s += dt_s
        self._blow()
        volts = self._battery.volts_ratio
        command = [self._speed(pulse) * volts for pulse in servos.pulses[: self._rotors]]
        self._state, self._contact = self._step(self._state, command, self._wind.velocity)
        self._ready = self._reply()

    def _speed(self, pulse: int) -> float:
        """Return the share of full speed that an ESC gives for a pulse [us] to [-]."""
        low, high = _PULSES_US
        u = min(max((pulse - low) / (high - low), 0.0), 1.0)
        expo = self.airframe.thrust_expo
        return math.sqrt((1.0 - expo) * u + expo * u * u)

    def _blow(self) -> None:
        if self.now_s < self._slow_s:
            return
        self._slow_s += _SLOW_S
        shares = self._state[BODY:]
        self._battery.step(sum(s**3 for s in shares) / len(shares), _SLOW_S)
        vx, vy, vz = self._state[3:6]
        passing = Passing((vx, vy, vz), -self._state[2])
        self._wind.step(_SLOW_S, self.now_s, self._flow, passing)

    def _place(self) -> None:
        """Put the vehicle onto the ground. Time goes on: ArduPilot would not follow it back."""
        half = 0.5 * self._heading
        attitude = (math.cos(half), 0.0, 0.0, math.sin(half))
        self._state = (0.0,) * 6 + attitude + (0.0,) * (3 + self._rotors)
        self._contact = (1.0, 0.0, 0.0, 0.0, 0.0)
        self._battery = Battery(self.airframe.pack)
        self._slow_s = self.now_s
        self._due = False
        self._ready = self._reply()

    def _reply(self) -> bytes:
        x, y, z, vx, vy, vz, qw, qx, qy, qz, p, q, r = self._state[:BODY]
        _, _, ax, ay, az = self._contact
        az -= GRAVITY
        bx, by, bz = body_axes((qw, qx, qy, qz))
        force = [a[0] * ax + a[1] * ay + a[2] * az for a in (bx, by, bz)]
        upright = float(bz[2])  # type: ignore[arg-type]
        ranged = -z / upright if upright > 0.1 else 0.0
        text = _REPLY % (
            self.now_s, p, q, r, *force, x, y, z, qw, qx, qy, qz, vx, vy, vz, ranged
        )  # fmt: skip
        return text.encode()
