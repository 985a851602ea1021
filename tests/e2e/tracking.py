"""How well a trajectory is followed in truth: planned, uploaded, started and flown by the stack.

Everything is real: ground station, sealed link, companion with its control loop, and an autopilot
whose simulator says where the vehicle is (SIM_STATE). The reference is where it should have been at
that moment by the companion's own word; the time of each message is that of the vehicle's clock.
"""

import math
import re
import statistics
import subprocess
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flightcore.flown import Flown, document_of
from flightcore.offboard.aboard import take
from flightcore.offboard.frames import offset
from flightcore.offboard.motion import VehicleClock
from flightcore.offboard.outer import Craft
from flightcore.offboard.pilot import Form
from flightcore.offboard.worth import DEFAULT_ABILITY
from flightcore.trajectory.harmonic import Harmonic, lemniscate, orbit
from flightcore.trajectory.polynomial import Piecewise, joined, line
from tests.e2e.losses import Tap
from tests.e2e.pilot import Pilot
from tests.e2e.processes import ENVIRONMENT
from tests.e2e.stack import NAME, SEKISHO, Stack
from tests.e2e.vehicles import HOME, Vehicle
from wire.mavlink import dialect, message_id
from wire.trajectory import Document, Reference, encode

WIND = 5.0
# Between two forms the companion is started again, and its operator's presence pauses.
PARAMETERS = f"GUID_OPTIONS 8\nSIM_WIND_SPD {WIND:g}\nFS_GCS_TIMEOUT 30\n"
HEIGHT = 12.0
FORMS = {"position": Form.POSITION, "motion": Form.MOTION, "attitude": Form.ATTITUDE}
_SIM_STATE, _POSITION = 108, 32
TRIES = 3
BUSY = ("its telemetry stopped", "control loop: silent")


def square(side: float = 10.0, speed: float = 2.0) -> Piecewise:
    d = -HEIGHT
    points = [(0.0, 0.0, d), (side, 0.0, d), (side, side, d), (0.0, side, d), (0.0, 0.0, d)]
    return joined([line(a, b, speed, 1.5, 0.0) for a, b in pairwise(points)])


def circle(radius: float = 10.0, speed: float = 5.0) -> Harmonic:
    return orbit((0.0, 0.0, -HEIGHT), radius, speed, turns=3.0)


def figure_of_eight(length: float = 12.0, speed: float = 4.0) -> Harmonic:
    """Gerono's lemniscate, fastest at its crossing; two rounds."""
    fastest = length * math.sqrt(2.0)  # of rate 1: length and width are equal
    rate = speed / fastest
    return lemniscate((0.0, 0.0, -HEIGHT), length, length, rate, 4.0 * math.pi / rate)


TRAJECTORIES = {"square 2 m/s": square, "circle 5 m/s": circle, "lemniscate 4 m/s": figure_of_eight}


class Result(NamedTuple):
    """One flight, in m: `rmse` is in space and of the truth, `estimated` the estimator's own."""

    vehicle: str
    trajectory: str
    form: str
    rmse: float
    level: float
    down: float
    worst: float
    estimated: float
    lateness_p99_us: int | None
    truth: np.ndarray  # north, east, down [m]
    reference: np.ndarray


class Range:
    """One vehicle in the air, flown by the stack in one form after the other."""

    def __init__(self, held: ExitStack, vehicle: Vehicle, directory: Path) -> None:
        self._vehicle = vehicle
        self.tap = Tap(vehicle.device)
        held.callback(self.tap.close)
        self.stack = Stack(directory, self.tap.device)
        held.callback(lambda: print(self.stack.report()))
        self._directory = directory
        self._form = ""
        self.stack.start()
        self.stack.await_link()
        self.stack.await_autopilot(60)
        self.pilot = held.enter_context(Pilot(f"udpout:127.0.0.1:{self.stack.udp_port}"))

    def take_off(self) -> None:
        self.pilot.connect()
        self.pilot.set_mode(4)
        self.pilot.arm(timeout_s=150)
        self.pilot.set_mode(4)  # an autopilot that was still starting has forgotten it
        self.pilot.take_off(HEIGHT, timeout_s=90)
        self._interval(_SIM_STATE)

    def use(self, form: str) -> None:
        """Let the companion speak in another form: it is started again, the vehicle holds."""
        if form == self._form:
            return
        self._form = form
        config = self.stack.configs["drone"]
        text = re.sub(r"\n\[flight\]\n.*\n", "\n", config.read_text())
        config.write_text(f'{text}\n[flight]\nsetpoints = "{form}"\n')
        self.stack.stop("drone")
        self.stack.start("drone")
        self.stack.await_link(30)
        self.stack.await_autopilot(60)
        self._pause(2.0)

    def fly(self, name: str, form: str) -> Result:
        self.use(form)
        motion = TRAJECTORIES[name]()
        document = document_of([motion], _home())
        path = self._directory / f"{document.identity.hex()}.traj"
        path.write_bytes(encode(document))
        for _ in range(TRIES):
            self._command("upload", NAME, str(path))
            self._command("start", NAME)
            begun = len(self.tap.down)
            elapsed = self._follow()
            if elapsed:
                return self._result(name, form, document, elapsed, list(self.tap.down)[begun:])
        raise AssertionError(f"{name}, {form}: handed back {TRIES} times")

    def _follow(self) -> list[tuple[float, float]]:
        """Wait until it has been flown; return (time, time along it), read while it was.

        Nothing if the machine was too busy for a while: then the vehicle is handed back.
        """
        seen: list[tuple[float, float, float]] = []
        end_s = time.monotonic() + 300
        while True:
            before_s = time.monotonic()
            flight = self.stack.status("drone")["flight"]
            after_s = time.monotonic()
            if flight["state"] == "running":
                seen.append((after_s - before_s, 0.5 * (before_s + after_s), flight["elapsed_s"]))
            if flight["state"] == "handed_back":
                print(flight["reason"])
                assert flight["reason"] in BUSY, flight
                return []
            assert flight["state"] in ("approaching", "running", "finished"), flight
            if flight["state"] == "finished":
                break
            assert before_s < end_s, flight
            self._pause(0.2)
        quick = statistics.median(entry[0] for entry in seen)
        return [(at_s, along) for took, at_s, along in seen if took <= quick]

    def _result(
        self,
        name: str,
        form: str,
        document: Document,
        elapsed: list[tuple[float, float]],
        frames: list[tuple[float, bytes]],
    ) -> Result:
        flown = Flown(document)
        aboard = take(
            flown, (0.0, 0.0, 0.0), bytes(8), DEFAULT_ABILITY, FORMS[form], Craft(hover=0.36)
        )
        assert not isinstance(aboard, str), aboard
        margin = aboard.pace_s + 0.5  # where the pace changes nothing is judged
        full = [at - along for at, along in elapsed if margin < along < flown.duration - margin]
        begin_s = statistics.median(full)
        assert max(full) - min(full) < 0.1, full
        truth, estimated = positions(frames, document.reference)
        status = self.stack.status("drone")["control_loop"]
        errors = {}
        kept = {}
        for what, rows in (("truth", truth), ("estimated", estimated)):
            along = rows[:, 0] - begin_s
            inside = (along > margin) & (along < flown.duration - margin)
            reference = flown.sample(along[inside])[:3].T
            kept[what] = rows[inside, 1:], reference
            errors[what] = rows[inside, 1:] - reference
        # The estimator's frame hangs on its own origin: what is constant is no error of control.
        off = errors["truth"]
        errors["estimated"] += np.median(off, axis=0) - np.median(errors["estimated"], axis=0)
        return Result(
            self._vehicle.name,
            name,
            form,
            _rms(off),
            _rms(off[:, :2]),
            _rms(off[:, 2:]),
            float(np.linalg.norm(off, axis=1).max()),
            _rms(errors["estimated"]),
            None if status is None else status["lateness_p99_us"],
            *kept["truth"],
        )

    def _command(self, *words: str) -> None:
        """Type a command at the ground station, its pilot's software still running."""
        config = self.stack.configs["ground"]
        argv = [*SEKISHO, "trajectory", *words, "--config", config]
        process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT
        )
        self.pilot.until(lambda: process.poll() is not None, 90, " ".join(words))
        said = process.communicate()[0]
        assert process.returncode == 0, (words, said, self.pilot.texts[-5:])

    def _interval(self, number: int) -> None:
        assert self.pilot.command(dialect.MAV_CMD_SET_MESSAGE_INTERVAL, number, 20_000) == 0

    def _pause(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        self.pilot.until(lambda: time.monotonic() > end_s, seconds + 10, "time")


def positions(
    frames: list[tuple[float, bytes]], reference: Reference
) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and estimate as rows of time, north, east and down; times of the vehicle."""
    clock, parser = VehicleClock(), dialect.MAVLink(None)
    late_s = None
    truth, estimated = [], []
    for arrived_s, frame in frames:
        if frame[6] != 1 or message_id(frame) not in (_SIM_STATE, _POSITION):
            continue
        message = parser.decode(bytearray(frame))
        if message_id(frame) == _POSITION:
            at_s = clock.local_s(message.time_boot_ms, arrived_s)
            late_s = arrived_s - at_s
            estimated.append((at_s, message.x, message.y, message.z))
        elif late_s is not None:
            place = Reference(message.lat_int, message.lon_int, round(message.alt * 1e3))
            truth.append((arrived_s - late_s, *offset(place, reference)))
    return np.array(truth), np.array(estimated)


def _home() -> Reference:
    latitude, longitude, altitude = HOME
    return Reference(round(latitude * 1e7), round(longitude * 1e7), round(altitude * 1e3))


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).sum(axis=1).mean()))


def as_json(result: Result) -> dict[str, object]:
    """Return what is kept of a flight; of the ways every fifth point."""
    kept: dict[str, object] = result._asdict()
    for key in ("truth", "reference"):
        kept[key] = np.round(getattr(result, key)[::5], 3).tolist()
    return {key: round(v, 4) if isinstance(v, float) else v for key, v in kept.items()}


def row(result: Result) -> str:
    """Return one line of the table."""
    return (
        f"{result.vehicle:11} {result.trajectory:17} {result.form:9} {result.rmse:7.3f} "
        f"{result.level:7.3f} {result.down:7.3f} {result.worst:7.3f} {result.estimated:7.3f}"
    )


HEAD = "vehicle     trajectory        setpoints    rmse   level    down   worst  estimated [m]"
