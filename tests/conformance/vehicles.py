"""The two autopilots under test, each as a line to write to and to hear from."""

import contextlib
import select
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from sim.geodesy import Place
from sim.simulation import Simulation, World
from tests.e2e.processes import Process
from tests.e2e.vehicles import COPTER_PARAMETERS, HOME, ArduCopter, Line

START: Final = Place(round(HOME[0] * 1e7), round(HOME[1] * 1e7), HOME[2])
_TICKS: Final = 4
_SPEEDUP: Final = 60
# What the recorded vehicle had besides, so that both start with the same table.
_LIKE_THE_TABLE: Final = """\
ARSPD_BUS 2
ARSPD_PIN 1
ATC_RAT_YAW_I 0.02
ATC_RAT_YAW_P 0.3
FENCE_RADIUS 150
FLTMODE1 7
FLTMODE2 9
FLTMODE3 6
FLTMODE4 3
FLTMODE5 5
FLTMODE6 0
FS_THR_ENABLE 1
MOT_BAT_VOLT_MAX 12.8
MOT_BAT_VOLT_MIN 9.6
RC7_OPTION 7
SIM_BARO_RND 0
""" + "".join(f"RC{n}_MAX 2000\nRC{n}_MIN 1000\nRC{n}_TRIM 1500\n" for n in range(1, 9))


class Connection(Protocol):
    """A vehicle on a line. `hear` waits a little for vehicle time to pass."""

    name: str

    def write(self, data: bytes) -> None: ...

    def hear(self) -> bytes: ...

    def close(self) -> None: ...


class Embedded:
    """The embedded autopilot in this process; its time passes only while it is listened to."""

    name = "embedded"

    def __init__(self) -> None:
        self.simulation = Simulation(World(START), np.random.default_rng(7))

    def write(self, data: bytes) -> None:
        self.simulation.receive(data)

    def hear(self) -> bytes:
        for _ in range(_TICKS):
            self.simulation.step()
        return b"".join(self.simulation.outgoing())

    def close(self) -> None:
        pass


class RealCopter:
    """The real ArduCopter on its own physics, much faster than the clock."""

    name = "arducopter"

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="conformance-"))
        parameters = self._directory / "copter.parm"
        parameters.write_text(COPTER_PARAMETERS + _LIKE_THE_TABLE)
        self._line = Line()
        binary = ArduCopter.binary()
        assert binary is not None
        argv = [binary, "--model", "quad", "--defaults", parameters, "-w"]
        argv += ["--serial0", f"uart:{self._line.device}:921600"]
        argv += ["--serial1", "none", "--serial2", "none", "--speedup", str(_SPEEDUP)]
        argv += ["--home", ",".join(map(str, (*HOME, 0)))]
        self._process = Process("arducopter", argv, self._directory)
        self._deadline = time.monotonic() + 60.0

    def write(self, data: bytes) -> None:
        assert self._line.write(data), "nobody reads the line"

    def hear(self) -> bytes:
        select.select([self._line], [], [], 0.05)
        data = self._line.read()
        now = time.monotonic()
        if data:
            self._deadline = now + 60.0
        assert now < self._deadline, self._process.output[-2000:]
        assert self._process.is_running(), self._process.output[-2000:]
        return data

    def close(self) -> None:
        self._process.stop()
        self._line.close()
        shutil.rmtree(self._directory, ignore_errors=True)


VEHICLES: Final[dict[str, Callable[[], Connection]]] = {
    "embedded": Embedded,
    "arducopter": RealCopter,
}


@contextlib.contextmanager
def connected(name: str):
    """Start a vehicle; end it."""
    connection = VEHICLES[name]()
    try:
        yield connection
    finally:
        connection.close()
