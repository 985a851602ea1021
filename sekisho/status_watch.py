"""`sekisho status --watch`: the screen again and again, until Ctrl-C."""

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from sekisho.status_screen import Level, Line, StatusScreen, fitted

EVERY_S: Final = 1.0
PLAIN_EVERY_S: Final = 5.0
_COLOURS: Final = {Level.GOOD: "32", Level.CAUTION: "33;1", Level.ALARM: "41;97;1"}
# The terminal's other screen, so that what was there before comes back; and no cursor.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


def watch(answers: Callable[[], Sequence[bytes]]) -> int:
    """Show what services answer for ever: on a terminal in place, otherwise as plain lines.

    Raises:
        KeyboardInterrupt: Ctrl-C, once the terminal is as it was.
    """
    is_terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    screen = StatusScreen()

    def look() -> list[Line]:
        parsed = [json.loads(answer) for answer in answers()]
        return screen.lines(parsed, time.monotonic_ns())

    with contextlib.suppress(BrokenPipeError), _ending_on_sigterm():
        if is_terminal:
            _in_place(look, has_colour=not os.environ.get("NO_COLOR"))
        else:
            _line_by_line(look)
    return 0


def _in_place(look: Callable[[], list[Line]], *, has_colour: bool) -> None:
    out = sys.stdout
    out.write(_ENTER)
    try:
        while True:
            width, height = shutil.get_terminal_size()
            head = Line(f"sekisho status   {_now()}   Ctrl-C ends")
            drawn = fitted([head, *look()], width, height)
            text = "\x1b[K\r\n".join(_coloured(line, has_colour=has_colour) for line in drawn)
            out.write(f"\x1b[H{text}\x1b[K\x1b[J")
            out.flush()
            time.sleep(EVERY_S)
    finally:
        out.write(_LEAVE)
        out.flush()


def _line_by_line(look: Callable[[], list[Line]]) -> None:
    while True:
        print(_now(), *(line.text for line in look()), sep="\n", flush=True)
        time.sleep(PLAIN_EVERY_S)


def _coloured(line: Line, *, has_colour: bool) -> str:
    colour = _COLOURS.get(line.level)
    return f"\x1b[{colour}m{line.text}\x1b[0m" if has_colour and colour else line.text


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@contextlib.contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Leave the terminal as it was also when told to end."""

    def end(number: int, frame: object) -> None:  # noqa: ARG001 - the signal's signature
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
