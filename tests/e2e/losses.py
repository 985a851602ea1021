"""Ways to lose the operator in flight, and how long it takes the autopilot to notice.

Real processes at the wall's own pace: gateway, a path that can be cut and flooded, companion, a tap
that records every byte on the serial line with its time, autopilot. T0 is when the last frame of
the station in command that counts reached the companion.
"""

import os
import random
import select
import signal
import socket
import threading
import time
import tty
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from tests.e2e.between import LOOPBACK, LinkProxy
from tests.e2e.pilot import Pilot
from tests.e2e.stack import Stack
from tests.e2e.vehicles import Line, Vehicle
from wire.mavlink import FrameSplitter, message_id

T1_S, GCS_TIMEOUT_S, MARGIN_S = 1.0, 5.0, 1.0
BOUND_S = T1_S + GCS_TIMEOUT_S + MARGIN_S
PRESENCE_AGE_S = T1_S
MODES = {"GUIDED": 4, "AUTO": 3, "LOITER": 5}
ENDS = (6, 9, 21, 27)
PRESENCE = frozenset(
    (
        mavlink.MAVLINK_MSG_ID_HEARTBEAT,
        mavlink.MAVLINK_MSG_ID_RC_CHANNELS_OVERRIDE,
        mavlink.MAVLINK_MSG_ID_MANUAL_CONTROL,
    )
)
_ASKED = frozenset(("MISSION_REQUEST", "MISSION_REQUEST_INT", "MISSION_ACK"))
_FLOOD_PER_S = 4000  # asked for; the result says how many were sent


class Way(StrEnum):
    """How the operator is lost."""

    CUT = "cut"
    KILLED = "kill -9"
    STOPPED = "kill -STOP"
    FLOODED = "cut, flooded"


class Result(NamedTuple):
    vehicle: str
    mode: str
    way: Way
    noticed_s: float  # from T0 to the mode that ends the flight
    presence_s: float  # from T0 to the last presence on the line; negative: before it
    presence: int  # frames of presence on the line, each as the ground sent it
    flood: int  # datagrams


class CuttablePath(LinkProxy):
    """Cuts both ways, floods the drone, and knows when the last datagram went up."""

    def __init__(self) -> None:
        self.is_cut = False
        self.last_up_s = 0.0
        self.flooded = 0
        self._flooding = threading.Event()
        super().__init__()

    def to_drone(self, datagram: bytes) -> None:
        if not self.is_cut:
            self.last_up_s = time.monotonic()
            super().to_drone(datagram)

    def to_ground(self, datagram: bytes) -> None:
        if not self.is_cut:
            super().to_ground(datagram)

    def flood(self) -> None:
        """Send garbage, forgeries with a valid header and replays until closed."""
        real = [c.datagram for c in self.captured if c.is_up][-400:]
        threading.Thread(target=self._flood, args=(real,), daemon=True).start()

    def _flood(self, real: list[bytes]) -> None:
        rng = random.Random(17)
        hostile = []
        for _ in range(3000):
            datagram = bytearray(rng.choice(real))
            match rng.randrange(3):
                case 0:
                    datagram = bytearray(rng.randbytes(240))
                case 1:
                    datagram[-1 - rng.randrange(16)] ^= 1 << rng.randrange(8)
                case _:
                    pass
            hostile.append(bytes(datagram))
        begun_s = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not self._flooding.wait(0.005):
                while self.flooded < (time.monotonic() - begun_s) * _FLOOD_PER_S:
                    datagram = hostile[self.flooded % len(hostile)]
                    sender.sendto(datagram, (LOOPBACK, self.drone_port))
                    self.flooded += 1

    def close(self) -> None:
        self._flooding.set()
        super().close()


class Tap:
    """Between the autopilot and the companion's serial device: records frames with their times."""

    def __init__(self, autopilot: Path) -> None:
        self._line = Line()
        self._far = os.open(autopilot, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._far)
        self.device = self._line.device
        self.up: list[tuple[float, bytes]] = []
        self.down: list[tuple[float, bytes]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        splitters = FrameSplitter(), FrameSplitter()
        while not self._ended.is_set():
            for readable in select.select([self._line, self._far], [], [], 0.1)[0]:
                now_s = time.monotonic()
                if readable is self._line:
                    data = self._line.read()
                    os.write(self._far, data)
                    self.up += [(now_s, frame) for frame in splitters[0].receive(data)]
                else:
                    data = os.read(self._far, 65536)
                    self._line.write(data, timeout_s=0)  # nobody may be there
                    self.down += [(now_s, frame) for frame in splitters[1].receive(data)]

    def modes(self, since_s: float) -> list[tuple[float, int]]:
        """Return what the autopilot's heartbeats said of its mode, with the times."""
        parser = mavlink.MAVLink(None)
        return [
            (when, parser.decode(bytearray(frame)).custom_mode)
            for when, frame in list(self.down)
            if when >= since_s and message_id(frame) == 0 and frame[6] == 1
        ]

    def presence(self) -> list[tuple[float, bytes]]:
        """Return what ArduPilot takes for the operator's presence."""
        return [(when, frame) for when, frame in list(self.up) if message_id(frame) in PRESENCE]

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        os.close(self._far)
        self._line.close()


class LoggedPilot(Pilot):
    """Remembers when it sent what, and holds the throttle in the middle."""

    def __init__(self, url: str) -> None:
        self.sent: dict[bytes, float] = {}
        super().__init__(url)
        write = self.connection.write

        def log_and_write(frame: bytes) -> None:
            self.sent[bytes(frame)] = time.monotonic()
            write(frame)

        self.connection.write = log_and_write
        self._sticks_at = 0.0
        self.has_sticks = False

    def listen(self, timeout_s: float = 0.05):
        if self.has_sticks and time.monotonic() >= self._sticks_at:
            self._sticks_at = time.monotonic() + 0.1
            self.connection.mav.rc_channels_override_send(1, 1, *(1500,) * 4, *(0,) * 4)
        return super().listen(timeout_s)

    def upload(self, height: float) -> None:
        """Give it a mission that leads away, long enough."""
        home = self.latest["GLOBAL_POSITION_INT"]
        items = [(16, 0, 0), (22, 0, 0), (16, 4000, 0), (16, 4000, 4000)]
        self.connection.mav.mission_count_send(1, 1, len(items), 0)
        while True:
            self.latest.clear()
            self.until(lambda: not _ASKED.isdisjoint(self.latest), 10, "a request")
            if "MISSION_ACK" in self.latest:
                assert self.latest["MISSION_ACK"].type == 0
                return
            seq = next(self.latest[name].seq for name in _ASKED if name in self.latest)
            command, north, east = items[seq]
            self.connection.mav.mission_item_int_send(
                *(1, 1, seq, 3, command, 0, 1, 0, 0, 0, 0),
                *(home.lat + north, home.lon + east, height, 0),
            )


def lose(vehicle: Vehicle, mode: str, way: Way, directory: Path, *, height: float = 12) -> Result:
    """Fly in a mode, lose the operator, and measure; the vehicle is left in its failsafe."""
    with ExitStack() as held:
        tap = Tap(vehicle.device)
        held.callback(tap.close)
        path = CuttablePath()
        held.callback(path.close)
        stack = Stack(directory, tap.device, called=path.port)
        held.callback(lambda: print(stack.report()))
        path.drone_port = stack.link_port
        stack.start()
        stack.await_link()
        stack.await_autopilot(60)
        pilot = held.enter_context(LoggedPilot(f"udpout:127.0.0.1:{stack.udp_port}"))
        _take_off(pilot, mode, height)
        begun_s = time.monotonic()
        t0_s = _lose(stack, path, way)
        end_s = t0_s + BOUND_S + 3
        pilot.until(lambda: _ended(tap, t0_s) or time.monotonic() > end_s, 30, "time")
        if way is Way.STOPPED:  # what has waited meanwhile must not count when it goes on
            stack.processes["drone"].send_signal(signal.SIGCONT)
            still_s = time.monotonic() + 2
            pilot.until(lambda: time.monotonic() > still_s, 10, "time")
        ended = _ended(tap, t0_s)
        assert ended, f"{way}: no failsafe within {BOUND_S + 3:g} s: {tap.modes(begun_s)}"
        during = [when for when, _ in tap.presence() if when < ended[0]]
        result = Result(
            *(vehicle.name, mode, way, ended[0] - t0_s, max(during) - t0_s),
            *(_check_presence(tap, pilot), path.flooded),
        )
        pilot.has_sticks = False
        return result


def _take_off(pilot: LoggedPilot, mode: str, height: float) -> None:
    pilot.connect()
    pilot.set_mode(MODES["GUIDED"])
    if mode == "AUTO":
        pilot.upload(height)
        pilot.until(lambda: "HEARTBEAT" in pilot.latest, 5, "a heartbeat")
        pilot.until(lambda: "GLOBAL_POSITION_INT" in pilot.latest, 5, "a position")
    pilot.arm(timeout_s=120)
    pilot.set_mode(MODES["GUIDED"])  # an autopilot that was still starting has forgotten it
    pilot.take_off(height, timeout_s=60)
    if mode == "LOITER":
        pilot.has_sticks = True
    if mode != "GUIDED":
        pilot.set_mode(MODES[mode])
    settled_s = time.monotonic() + 1.5
    pilot.until(lambda: time.monotonic() > settled_s, 10, "time")


def _lose(stack: Stack, path: CuttablePath, way: Way) -> float:
    """Lose the operator; return T0."""
    if way in (Way.CUT, Way.FLOODED):
        path.is_cut = True
        if way is Way.FLOODED:
            path.flood()
        return path.last_up_s
    number = signal.SIGKILL if way is Way.KILLED else signal.SIGSTOP
    now_s = time.monotonic()
    stack.processes["drone"].send_signal(number)
    if way is Way.KILLED:
        stack.processes.pop("drone").stop()
    return now_s


def _ended(tap: Tap, t0_s: float) -> tuple[float, int] | None:
    return next(((when, mode) for when, mode in tap.modes(t0_s) if mode in ENDS), None)


def _check_presence(tap: Tap, pilot: LoggedPilot) -> int:
    """Check that each presence on the line is the ground's own, byte for byte, and was fresh."""
    seen = tap.presence()
    for when, frame in seen:
        assert frame in pilot.sent, f"nobody on the ground sent {frame.hex()}"
        age_s = when - pilot.sent[frame]
        # The age that counts ends where the companion judges it; the line comes after.
        assert age_s <= PRESENCE_AGE_S + 0.5, f"{age_s:.2f} s old"
    return len(seen)
