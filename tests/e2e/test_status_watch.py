"""`sekisho status --watch` on a terminal and in a pipe.

To be tried: the terminal stays on its other screen after Ctrl-C; escapes reach a pipe; NO_COLOR
is not looked at; it ends when the gateway does.
"""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios

import pytest

from tests.e2e.processes import ENVIRONMENT, wait_until
from tests.e2e.stack import NAME, SEKISHO, Stack

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


class Terminal:
    """A terminal of 80 by 24 with the command on it."""

    def __init__(self, stack, **environment):
        self._far, near = pty.openpty()
        fcntl.ioctl(near, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        argv = [*SEKISHO, "status", "--watch", "--config", stack.configs["ground"]]
        env = {**ENVIRONMENT, "TERM": "xterm", **environment}
        self.child = subprocess.Popen(argv, stdin=near, stdout=near, stderr=near, env=env)
        os.close(near)
        os.set_blocking(self._far, False)
        self.said = ""

    def read(self):
        try:
            self.said += os.read(self._far, 65536).decode()
        except (BlockingIOError, OSError):
            return self.said
        return self.said

    def expect(self, text):
        wait_until(lambda: text in self.read(), 60, f"{text!r} is shown")

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        os.close(self._far)


@pytest.fixture
def stack(line, tmp_path):
    stack = Stack(tmp_path, line.device)
    try:
        stack.start()
        stack.await_link()
        yield stack
    finally:
        print(stack.report())


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["ctrl-c", "sigterm"]
)
def test_on_a_terminal(stack, number, code):
    terminal = Terminal(stack)
    try:
        terminal.expect(f"{NAME}    live")
        assert terminal.said.startswith("\x1b[?1049h")
        terminal.child.send_signal(number)
        assert terminal.child.wait(30) == code
        assert terminal.read().endswith("\x1b[?25h\x1b[?1049l")
        assert "Traceback" not in terminal.said
    finally:
        terminal.close()


def test_without_colour_and_without_a_gateway(stack):
    terminal = Terminal(stack, NO_COLOR="1")
    try:
        terminal.expect(f"{NAME}    live")
        stack.stop("ground")
        terminal.expect("ALARM    no service answers")
        stack.start("ground")
        terminal.expect("\x1b[H")
        assert not any(f"\x1b[{colour}m" in terminal.said for colour in ("32", "33;1", "41;97;1"))
    finally:
        terminal.close()


def test_in_a_pipe(stack):
    argv = [*SEKISHO, "status", "--watch", "--config", stack.configs["ground"]]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, env={**ENVIRONMENT, "TERM": "xterm"})
    said = b""
    while NAME.encode() not in said:
        said += child.stdout.readline()
    child.send_signal(signal.SIGINT)
    rest, _ = child.communicate(timeout=30)
    assert child.returncode == 130
    assert b"\x1b" not in said + rest
