"""A serial device that may vanish and come back: the line of the autopilot, or of a radio."""

import asyncio
import contextlib
import fcntl
import logging
import math
import os
import sys
import termios
from collections import deque
from collections.abc import Callable
from typing import Final

import serial

_log = logging.getLogger(__name__)

REOPEN_S: Final = 0.5
GATHER_S: Final = 0.004
MAX_UNSENT_BYTES: Final = 1 << 16
MAX_LATE_S: Final = 0.4
_STALL_POLL_S: Final = 0.1
_READ_BYTES = 4096
_OVERDUE_S = 1.0
_BITS_PER_BYTE = 10


class SerialLine:
    """A serial device, reopened for ever.

    Reading is paced to the line rate: a UART cannot exceed it, and a pseudo-terminal that does is
    held back by its own buffer rather than by losses further down. A busy line is read
    every few milliseconds, in chunks and not frame by frame; an idle one as soon as a byte comes.

    What the system does not take within `MAX_LATE_S` is dropped: it was judged fresh when it was
    written, and a line that hung must not carry it out later. What the system has taken and not
    sent is dropped too when nothing moves for so long, frames that were begun included.
    """

    def __init__(
        self,
        setting: str,
        device: str,
        baud: int,
        on_bytes: Callable[[bytes], None],
        on_lost: Callable[[], None],
        *,
        greeting: bytes = b"",
        max_unsent_bytes: int = MAX_UNSENT_BYTES,
    ) -> None:
        """Prepare the line.

        Args:
            setting: The key of the configuration that names the device, for messages.
            device: Path of the device.
            baud: Bits a second; 8 data bits, no parity, 1 stop bit, no flow control.
            on_bytes: Called with what comes.
            on_lost: Called when the device has gone.
            greeting: Sent first whenever the device has been opened.
            max_unsent_bytes: How much may wait here when the system takes no more.
        """
        self.is_open = False
        self.unsent_dropped = 0
        self._setting = setting
        self._device = device
        self._baud = baud
        self._on_bytes = on_bytes
        self._on_lost = on_lost
        self._greeting = greeting
        self._max_unsent_bytes = max_unsent_bytes
        self._loop = asyncio.get_running_loop()
        self._serial: serial.Serial | None = None
        self._unsent: deque[tuple[float, bytes]] = deque()  # when it was put there
        self._unsent_bytes = 0
        self._written_bytes = 0  # since it was opened
        self._left_bytes = 0  # of these, how many have surely left the system's buffer
        self._left_at = 0.0
        self._output_timer: asyncio.TimerHandle | None = None
        self._rate = baud / _BITS_PER_BYTE
        self._allowance = 0.0
        self._allowance_at = 0.0
        self._is_busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._complained = False

    def describe(self) -> dict[str, str | int]:
        """Say where the line is."""
        return {"device": self._device, "baud": self._baud}

    @property
    def is_scheduled(self) -> bool:
        """Whether something will read the line, or try to open it."""
        if self.is_open and not self._is_busy:
            return True  # as soon as a byte comes
        return self._timer is not None and self._timer.when() > self._loop.time() - _OVERDUE_S

    def start(self) -> None:
        """Open the device, or try again shortly until it is there."""
        self._timer = None
        try:
            self._serial = serial.Serial(self._device, self._baud, timeout=0, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            if not self._complained:
                self._complained = True
                number = getattr(error, "errno", None)
                reason = str(error) if number is None else os.strerror(number)
                _log.warning(
                    "%s = %r cannot be opened: %s; trying again every %s s",
                    self._setting,
                    self._device,
                    reason,
                    REOPEN_S,
                )
            self._timer = self._loop.call_later(REOPEN_S, self.start)
            return
        self.is_open = True
        self._complained = self._is_busy = False
        self._allowance, self._allowance_at = _READ_BYTES, self._loop.time()
        self._loop.add_reader(self._serial.fileno(), self._readable)
        _log.info("%s %s is open at %d baud", self._setting, self._device, self._baud)
        self.write(self._greeting)

    def write(self, data: bytes) -> None:
        """Send, or drop and count when the line does not keep up."""
        if self._serial is None or self._unsent_bytes + len(data) > self._max_unsent_bytes:
            self.unsent_dropped += len(data)
            return
        self._unsent.append((self._loop.time(), data))
        self._unsent_bytes += len(data)
        if len(self._unsent) == 1:
            self._writable()
        if self._output_timer is None and self._serial is not None and self._is_output_waiting():
            self._left_at = self._loop.time()
            self._output_timer = self._loop.call_later(_STALL_POLL_S, self._watch_output)

    def close(self) -> None:
        """Close the line for good."""
        self._release()

    def _readable(self) -> None:
        assert self._serial is not None
        now = self._loop.time()
        earned = (now - self._allowance_at) * self._rate
        self._allowance = max(1.0, min(self._allowance + earned, _READ_BYTES + self._rate / 50))
        self._allowance_at = now
        try:
            data = os.read(self._serial.fileno(), min(int(self._allowance), _READ_BYTES))
        except BlockingIOError:
            data = b""
        except OSError as error:
            self._lose(error.strerror or str(error))
            return
        if not data:
            if self._is_busy:  # no more for now: wait for the next byte
                self._is_busy = False
                self._loop.add_reader(self._serial.fileno(), self._readable)
            else:  # readable, and yet nothing there: the other side has gone
                self._lose("end of file")
            return
        self._allowance -= len(data)
        if not self._is_busy:
            self._is_busy = True
            self._loop.remove_reader(self._serial.fileno())
        # First of all: whatever becomes of these bytes, the line goes on.
        self._timer = self._loop.call_later(GATHER_S, self._readable)
        self._on_bytes(data)

    def _writable(self) -> None:
        assert self._serial is not None
        fd = self._serial.fileno()
        oldest = self._loop.time() - MAX_LATE_S
        while self._unsent:
            put_at, data = self._unsent[0]
            if put_at < oldest:
                self._unsent.popleft()
                self._unsent_bytes -= len(data)
                self.unsent_dropped += len(data)
                continue
            try:
                sent = os.write(fd, data)
            except BlockingIOError:
                self._loop.add_writer(fd, self._writable)
                return
            except OSError as error:
                self._lose(error.strerror or str(error))
                return
            self._unsent_bytes -= sent
            self._written_bytes += sent
            if sent < len(data):
                self._unsent[0] = (math.inf, data[sent:])  # begun: the rest must follow
            else:
                self._unsent.popleft()
        self._loop.remove_writer(fd)

    def _in_system(self) -> int:
        """Return how many bytes the system holds back: 0 where its driver does not tell."""
        assert self._serial is not None
        try:
            buffer = fcntl.ioctl(self._serial.fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:  # it has gone: reading will tell
            return 0
        return int.from_bytes(buffer, sys.byteorder)

    def _is_output_waiting(self) -> bool:
        return bool(self._unsent) or self._in_system() > 0

    def _watch_output(self) -> None:
        """Drop what waits in the system when none of it has moved for long."""
        self._output_timer = None
        assert self._serial is not None
        if not self._is_output_waiting():
            return
        left = self._written_bytes - self._in_system()
        now = self._loop.time()
        if left > self._left_bytes:
            self._left_bytes, self._left_at = left, now
        elif now - self._left_at >= MAX_LATE_S:
            self._drop_output()
            return
        self._output_timer = self._loop.call_later(_STALL_POLL_S, self._watch_output)

    def _drop_output(self) -> None:
        assert self._serial is not None
        self.unsent_dropped += self._unsent_bytes + self._in_system()
        _flush_output(self._serial.fileno())
        self._left_bytes = self._written_bytes
        self._unsent.clear()
        self._unsent_bytes = 0
        self._loop.remove_writer(self._serial.fileno())
        _log.warning("%s %s takes nothing: what waited is dropped", self._setting, self._device)

    def _lose(self, reason: str) -> None:
        _log.warning("%s %s is gone: %s", self._setting, self._device, reason)
        self._complained = True
        self._release()
        self._on_lost()
        self._timer = self._loop.call_later(REOPEN_S, self.start)

    def _release(self) -> None:
        for timer in (self._timer, self._output_timer):
            if timer is not None:
                timer.cancel()
        self._output_timer = None
        if self._serial is None:
            return
        self.is_open = False
        fd = self._serial.fileno()
        self._loop.remove_reader(fd)
        self._loop.remove_writer(fd)
        # Closing waits for what is unsent, for as long as 30 s where the device hangs.
        _flush_output(fd)
        with contextlib.suppress(OSError, serial.SerialException):
            self._serial.close()
        self._serial = None
        self._written_bytes = self._left_bytes = 0
        self._unsent.clear()
        self._unsent_bytes = 0


def _flush_output(descriptor: int) -> None:
    """Drop what the system has taken and not sent; of a device that has gone that is nothing."""
    with contextlib.suppress(termios.error):
        termios.tcflush(descriptor, termios.TCOFLUSH)
