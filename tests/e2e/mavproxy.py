"""MAVProxy, driven as a person drives it: by typing and reading."""

import re
import sys
import time
from pathlib import Path
from typing import NamedTuple

from tests.e2e.processes import Process
from tests.e2e.vehicles import distance


class Position(NamedTuple):
    latitude_deg: float
    longitude_deg: float
    height: float


class MavProxy:
    """A MAVProxy listening where the gateway sends."""

    def __init__(self, directory: Path, port: int, transport: str = "udp") -> None:
        script = Path(sys.executable).with_name("mavproxy.py")
        argv = [script, "--master", f"{transport}:127.0.0.1:{port}", "--state-basedir", directory]
        self.process = Process("mavproxy", [sys.executable, *argv], directory)

    def type(self, line: str, expect: str, timeout_s: float = 10) -> None:
        """Type a line and wait for the answer."""
        self.process.expect(expect, timeout_s, after=self.process.say(line))

    def insist(self, line: str, expect: str, timeout_s: float) -> None:
        """Type a line again and again until the answer is the expected one."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self.type(line, expect, timeout_s=1.5)
            except AssertionError:
                if time.monotonic() > deadline or not self.process.is_running():
                    raise

    def position(self) -> Position:
        """Ask where the vehicle is, by MAVProxy's own memory."""
        self.type("status GLOBAL_POSITION_INT", "hdg")
        said = self.process.output.rpartition("GLOBAL_POSITION_INT {")[2]
        lat, lon, height = (
            int(re.search(rf"\b{field} : (-?\d+)", said)[1])
            for field in ("lat", "lon", "relative_alt")
        )
        return Position(lat * 1e-7, lon * 1e-7, height * 1e-3)

    def distance_to(self, latitude_deg: float, longitude_deg: float) -> float:
        position = self.position()
        return distance(position.latitude_deg, position.longitude_deg, latitude_deg, longitude_deg)

    def stop(self) -> None:
        self.process.stop()
