"""Both ends of a physical pairing as two processes, and people played through their pipes."""

import re
import select
import threading
from pathlib import Path

from tests.e2e.processes import Process, wait_until
from tests.e2e.stack import SEKISHO, free_ports
from tests.e2e.vehicles import Line

TOKEN = re.compile(r"\b[0-9A-Z]{4}(?:-[0-9A-Z]{4}){7}\b")
CODE = re.compile(r"show (\d{3} \d{3})\?")


class Cable:
    """Two ptys joined as a serial cable joins two devices; `cut` it and bytes are lost."""

    def __init__(self) -> None:
        self.ends = Line(), Line()
        self._ended = threading.Event()
        self._pump = threading.Thread(target=self._join, daemon=True)
        self._pump.start()

    def _join(self) -> None:
        ways = dict(zip(self.ends, reversed(self.ends), strict=True))
        while not self._ended.is_set():
            for readable in select.select(list(ways), [], [], 0.1)[0]:
                ways[readable].write(readable.read(), timeout_s=0.1)

    def close(self) -> None:
        self._ended.set()
        self._pump.join()
        for end in self.ends:
            end.close()


class Pair:
    """A drone's and a ground's state, and how they are joined."""

    def __init__(self, directory: Path, cable: Cable | None = None) -> None:
        self.directory = directory
        self.drone_state, self.ground_state = directory / "drone", directory / "ground"
        self.drone_record = self.drone_state / "pairs" / "station-a.pair"
        self.ground_record = self.ground_state / "pairs" / "tsubame-1.pair"
        self._cable = cable
        self.port = free_ports(1)[0]
        self.processes: list[Process] = []

    def _line(self, option: str, end: int) -> list[str]:
        if self._cable is not None:
            return ["--serial", str(self._cable.ends[end].device)]
        return [option, f"127.0.0.1:{self.port}"]

    def start(self, *argv: str | Path) -> Process:
        process = Process(str(argv[1]), [*SEKISHO, *argv], self.directory)
        self.processes.append(process)
        return process

    def drone(self, *extra: str | Path, role: str = "commander", place: tuple = ()) -> Process:
        place = place or ("--state-dir", self.drone_state, "--no-autopilot")
        line = self._line("--listen", 0)
        return self.start(
            *("pair", "drone", *place, *line, "--role", role, "--name", "station-a", *extra)
        )

    def ground(self, token: str | None, *extra: str) -> Process:
        line = self._line("--connect", 1)
        state = ("--state-dir", self.ground_state, "--name", "tsubame-1")
        process = self.start("pair", "ground", *state, *line, *extra)
        if token is not None:
            process.say(token)
        return process

    def until_code(self, *extra: str, **drone: object) -> tuple[Process, Process]:
        """Start both and return them when both show a code, which must be the same."""
        aboard = self.drone(*extra, **drone)
        below = self.ground(token_of(aboard), *[e for e in extra if e == "--replace"])
        assert code_of(aboard) == code_of(below)
        return aboard, below

    def close(self) -> None:
        """End what still runs; another round may follow."""
        while self.processes:
            self.processes.pop().stop()


def found(process: Process, pattern: re.Pattern[str], timeout_s: float = 15) -> str:
    def look() -> re.Match[str] | None:
        match = pattern.search(process.output)
        assert match or process.is_running(), process.output
        return match

    return wait_until(look, timeout_s, f"{pattern.pattern} in {process.output}")[0]


def token_of(process: Process) -> str:
    return found(process, TOKEN)


def code_of(process: Process) -> str:
    return found(process, CODE)
