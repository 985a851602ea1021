"""What is on the serial line: the embedded autopilot, the real ArduCopter, or a test itself."""

import contextlib
import math
import os
import select
import shutil
import sys
import threading
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from tests.e2e.processes import Process, wait_until

HOME: Final = (-35.363262, 149.165237, 584.0)

METRES_PER_DEGREE: Final = 111_319.5


def distance(lat_a_deg: float, lon_a_deg: float, lat_b_deg: float, lon_b_deg: float) -> float:
    """Return the horizontal distance of two places that are near each other. [m]"""
    north = lat_a_deg - lat_b_deg
    east = (lon_a_deg - lon_b_deg) * math.cos(math.radians(lat_a_deg))
    return math.hypot(north, east) * METRES_PER_DEGREE


# What must be set before the real ArduCopter flies a quadcopter and will arm it.
COPTER_PARAMETERS: Final = """\
FRAME_CLASS 1
FRAME_TYPE 0
BATT_MONITOR 4
COMPASS_OFS_X 5
COMPASS_OFS_Y 13
COMPASS_OFS_Z -18
COMPASS_OFS2_X 5
COMPASS_OFS2_Y 13
COMPASS_OFS2_Z -18
COMPASS_OFS3_X 5
COMPASS_OFS3_Y 13
COMPASS_OFS3_Z -18
INS_ACCOFFS_X 0.001
INS_ACCOFFS_Y 0.001
INS_ACCOFFS_Z 0.001
INS_ACCSCAL_X 1.001
INS_ACCSCAL_Y 1.001
INS_ACCSCAL_Z 1.001
INS_ACC2OFFS_X 0.001
INS_ACC2OFFS_Y 0.001
INS_ACC2OFFS_Z 0.001
INS_ACC2SCAL_X 1.001
INS_ACC2SCAL_Y 1.001
INS_ACC2SCAL_Z 1.001
MOT_THST_EXPO 0.65
MOT_THST_HOVER 0.39
"""
# And before the companion will. The vehicle counts its own seconds, operators those of the wall.
GCS_TIMEOUT_S: Final = 5
SAFE_PARAMETERS: Final = """\
FS_GCS_ENABLE 1
FS_OPTIONS 0
FENCE_ENABLE 1
"""


def timeout_parameter(speedup: float) -> str:
    """Return the line that makes the autopilot wait for its operator as long as in real time."""
    return f"FS_GCS_TIMEOUT {GCS_TIMEOUT_S * speedup:g}\n"


class Line:
    """A pty that a test holds by the far end: `device` is what the companion opens."""

    def __init__(self) -> None:
        self._far, self._near = os.openpty()
        # Holding the near end too keeps the far end from failing while nobody is connected.
        tty.setraw(self._near)
        os.set_blocking(self._far, False)
        self.device = Path(os.ttyname(self._near))

    def fileno(self) -> int:
        return self._far

    def read(self) -> bytes:
        """Return what has come from the device so far, perhaps nothing."""
        received = bytearray()
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._far, 65536):
                received += chunk
        return bytes(received)

    def write(self, data: bytes, timeout_s: float = 2) -> bool:
        """Write all of it; False, with the rest lost as on a real line, if nobody reads."""
        while data:
            if not select.select([], [self._far], [], timeout_s)[1]:
                return False
            data = data[os.write(self._far, data) :]
        return True

    def close(self) -> None:
        os.close(self._far)
        os.close(self._near)


class Vehicle(Protocol):
    """A flying autopilot on a serial device."""

    name: str
    device: Path
    speedup: float
    parameters: int  # it has at least so many

    def stop(self) -> None: ...


class EmbeddedAutopilot:
    """`sekisho sim`."""

    name = "embedded"
    parameters = 100

    def __init__(
        self,
        directory: Path,
        speedup: float = 5,
        *,
        is_safe: bool = True,
        ekf_ready_s: float = 9,
        more: str = "",
    ) -> None:
        self.speedup = speedup
        self.device = directory / "autopilot"
        home = ",".join(map(str, (*HOME, 0)))
        parameters = directory / "sim.parm"
        parameters.write_text(timeout_parameter(1) + more)  # of the ground, whatever the speedup
        argv = ["--tty", self.device, "--speedup", str(speedup), f"--home={home}"]
        argv += ["--ekf-ready", str(ekf_ready_s)]
        argv += ["--parameters", parameters] if is_safe else ["--factory-parameters"]
        self._process = Process("sim", [sys.executable, "-m", "sekisho", "sim", *argv], directory)
        try:
            wait_until(self.device.exists, 10, f"sim makes its tty\n{self._process.output}")
        except BaseException:
            self.stop()
            raise

    @property
    def output(self) -> str:
        return self._process.output

    def stop(self) -> None:
        self._process.stop()


class ArduCopter:
    """The real ArduCopter SITL: one serial port is a pty, joined to another for the companion.

    Port 0 is its USB, where it takes unsigned frames whatever its key; the others are UARTs. `usb`
    is the far end of port 0 if the companion is on another.
    """

    name = "arducopter"
    parameters = 1300
    model = "quad"

    def __init__(
        self,
        directory: Path,
        speedup: float = 4,
        port: int = 0,
        *,
        is_safe: bool = True,
        more: str = "",
    ) -> None:
        self.speedup = speedup
        parameters = directory / "copter.parm"
        safe = SAFE_PARAMETERS + timeout_parameter(speedup) if is_safe else ""
        parameters.write_text(COPTER_PARAMETERS + safe + more)
        self._autopilot, self._companion, self.usb = Line(), Line(), Line()
        self.device = self._companion.device
        self._ways = {self._autopilot: self._companion, self._companion: self._autopilot}
        self._ended = threading.Event()
        self._pump = threading.Thread(target=self._join_lines, daemon=True)
        self._pump.start()
        argv = [self.binary(), "--model", self.model, "--defaults", parameters, "-w"]
        lines = {0: self.usb, port: self._autopilot}
        for number in range(3):
            line = lines.get(number)
            where = "none" if line is None else f"uart:{line.device}:921600"
            argv += [f"--serial{number}", where]
        argv += ["--speedup", str(speedup)]
        argv += ["--home", ",".join(map(str, (*HOME, 0)))]
        self._process = Process("arducopter", argv, directory)

    @staticmethod
    def binary() -> Path | None:
        """Return where the ArduCopter SITL is, None if this machine has none."""
        named = os.environ.get("SEKISHO_ARDUCOPTER") or shutil.which("arducopter")
        return Path(named).resolve() if named else None

    def _join_lines(self) -> None:
        lines = [self._autopilot, self._companion, self.usb]
        while not self._ended.is_set():
            for readable in select.select(lines, [], [], 0.2)[0]:
                data = readable.read()
                if readable in self._ways:
                    self._ways[readable].write(data, timeout_s=0.1)

    @contextlib.contextmanager
    def on_usb(self) -> Iterator[str]:
        """Put the companion's line onto port 0 for a while."""
        ways = self._ways
        self._ways = {self.usb: self._companion, self._companion: self.usb}
        try:
            yield str(self.device)
        finally:
            self._ways = ways

    @property
    def output(self) -> str:
        return self._process.output

    def stop(self) -> None:
        self._process.stop()
        self._ended.set()
        self._pump.join()
        for line in (self._autopilot, self._companion, self.usb):
            line.close()


class ArduCopterOnOurPhysics(ArduCopter):
    """The real ArduCopter, flying `sekisho sim --ardupilot-json`."""

    name = "arducopter-json"
    model = "JSON"

    def __init__(self, directory: Path, speedup: float = 4) -> None:
        argv = [sys.executable, "-m", "sekisho", "sim", "--ardupilot-json"]
        self._physics = Process("physics", argv, directory)
        self._physics.expect("127.0.0.1:9002", 20)
        super().__init__(directory, speedup, more="FRAME_TYPE 1\n")

    def stop(self) -> None:
        # ArduPilot first: without physics it does not hear SIGTERM.
        super().stop()
        self._physics.stop()
