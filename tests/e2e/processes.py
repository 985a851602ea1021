"""Child processes of a test: started, watched, waited for, always ended."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# Children run the tree that is tested, whatever is installed.
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "PYTHONUNBUFFERED": "1",
}


def wait_until(condition: Callable[[], T], timeout_s: float, what: str, every_s: float = 0.05) -> T:
    """Return the first true value of `condition`; fail with `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{timeout_s:g} s passed, still not true: {what}"
        time.sleep(every_s)


class Process:
    """One child process. Its output, stdout and stderr as they came, is kept in `output`."""

    def __init__(self, name: str, argv: Sequence[str | Path], directory: Path) -> None:
        self.name = name
        self._arrived = threading.Condition()
        self._output = bytearray()
        self._child = subprocess.Popen(
            [str(argument) for argument in argv],
            cwd=directory,
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while chunk := self._child.stdout.read1(65536):
            with self._arrived:
                self._output += chunk
                self._arrived.notify_all()
        with self._arrived:
            self._arrived.notify_all()

    @property
    def output(self) -> str:
        with self._arrived:
            return self._output.decode(errors="replace")

    @property
    def pid(self) -> int:
        return self._child.pid

    def is_running(self) -> bool:
        return self._child.poll() is None

    def say(self, line: str) -> int:
        """Type a line; returns the place in the output from which an answer may come."""
        place = len(self.output)
        self._child.stdin.write(line.encode() + b"\n")
        self._child.stdin.flush()
        return place

    def expect(self, text: str, timeout_s: float, after: int = 0) -> None:
        """Wait until `text` is in the output, not earlier than at `after`."""
        wait_until(
            lambda: text in self.output[after:] or not self.is_running(),
            timeout_s,
            f"{self.name} says {text!r}; it said:\n{self.output[-3000:]}",
        )
        assert text in self.output[after:], f"{self.name} ended, having said:\n{self.output}"

    def wait(self, timeout_s: float = 10) -> int:
        code = self._child.wait(timeout_s)
        self._reader.join(timeout_s)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 10) -> int:
        """End the process, by force if it does not listen; returns its exit status."""
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.close()
        if self.is_running():
            self.send_signal(number)
        try:
            code = self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
            code = self._child.wait(timeout_s)
        # MAVProxy leaves a process of its own behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._reader.join(timeout_s)
        self._child.stdout.close()
        return code
