"""A program under test: started and stopped here, its CPU time and memory read from /proc."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
_STOP_S: Final = 5.0
_PROC = Path("/proc")


class ProgramError(Exception):
    """The program under test ended or never worked; the text holds the end of its log."""


class Program:
    """One or more processes that together do one job."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._processes: list[tuple[subprocess.Popen[bytes], Path]] = []

    def start(
        self, argv: Sequence[str], log: Path, cwd: Path, env: Mapping[str, str] | None = None
    ) -> None:
        """Start one process of the job."""
        with log.open("wb") as file:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=cwd,
                env={**os.environ, **(env or {})},
            )
        self._processes.append((process, log))

    def check(self) -> None:
        """Raise if a process has ended.

        Raises:
            ProgramError: One has.
        """
        for process, log in self._processes:
            if process.poll() is not None:
                tail = log.read_text(errors="replace")[-600:]
                raise ProgramError(f"{self.name} ended with {process.returncode}: {tail}")

    def pids(self) -> list[int]:
        """Return the processes and their descendants."""
        return [pid for process, _ in self._processes for pid in _with_descendants(process.pid)]

    def cpu_s(self) -> float:
        """Return the CPU time used so far, all threads of all processes."""
        return sum(map(_cpu_s, self.pids()))

    def rss_mib(self) -> float:
        """Return the resident memory of all processes."""
        return sum(map(_rss_kib, self.pids())) / 1024

    def confine(self, cores: set[int]) -> None:
        """Let every thread run on these cores only."""
        for pid in self.pids():
            for task in (_PROC / str(pid) / "task").iterdir():
                os.sched_setaffinity(int(task.name), cores)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process of the job."""
        for pid in self.pids():
            os.kill(pid, number)

    def stop(self) -> None:
        """End what was started."""
        for process, _ in self._processes:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process, _ in self._processes:
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def running(name: str) -> Iterator[Program]:
    """Yield an empty job whose processes are ended on the way out."""
    program = Program(name)
    try:
        yield program
    finally:
        program.stop()


def run_once(argv: Sequence[str]) -> None:
    """Run a command of the product to its end.

    Raises:
        ProgramError: It failed.
    """
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ProgramError(f"{' '.join(argv[1:])} ended with {done.returncode}: {done.stderr}")


def machine_busy_s() -> float:
    """Return the CPU time that everything on this machine has used since it started."""
    fields = [int(x) for x in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def cpu_of_s(pids: Iterable[int]) -> float:
    """Return the CPU time used by processes that are not the program's."""
    return sum(map(_cpu_s, pids))


def waited_of_s(pids: Iterable[int]) -> float:
    """Return for how long threads of processes were ready to run and had no core."""
    return sum(_scheduled_s(pid, 1) for pid in pids)


def rss_of_mib(pids: Iterable[int]) -> float:
    """Return the resident memory of processes that are not the program's."""
    return sum(map(_rss_kib, pids)) / 1024


def _with_descendants(pid: int) -> list[int]:
    found = [pid]
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in (_PROC / str(pid) / "task").iterdir():
            for child in (task / "children").read_text().split():
                found += _with_descendants(int(child))
    return found


def _cpu_s(pid: int) -> float:
    return _scheduled_s(pid, 0)


def _scheduled_s(pid: int, field: int) -> float:
    """Return a count of the scheduler: 0 is time on a core, 1 time waiting for one."""
    total = 0
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                total += int((task / "schedstat").read_text().split()[field])
    return total / 1e9


def _rss_kib(pid: int) -> int:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in (_PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0
