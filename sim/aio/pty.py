"""The simulated UART: a pseudo-terminal that behaves like a serial line.

A UART does not care whether somebody listens: bytes nobody reads are lost, and plugging a reader
in or out breaks nothing. So one slave descriptor stays open here (else reads fail with EIO when
the last client leaves), writes never block, and the oldest bytes go first.
"""

import os
import termios
import tty
from collections import deque
from pathlib import Path
from typing import Final

_BACKLOG_BYTES: Final = 32_768
_READ_BYTES: Final = 65_536
_ABSENT_S: Final = 1.0


class LinkInUseError(Exception):
    """The path wanted for the symbolic link is something else that must not be replaced."""


class Pty:
    """A pty pair. `path` is where clients open it."""

    def __init__(self) -> None:
        self.fd, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.fd, False)
        self.path = Path(os.ttyname(self._slave))
        self.bytes_dropped = 0
        self._backlog: deque[bytes] = deque()
        self._backlog_bytes = 0
        self._taken_s = 0.0
        self._link: Path | None = None

    def link(self, link: Path) -> None:
        """Point `link` at the pty, replacing an older symbolic link.

        Raises:
            LinkInUseError: Something that is not a symbolic link is there.
        """
        if link.exists() and not link.is_symlink():
            raise LinkInUseError(f"{link} exists and is not a symbolic link")
        fresh = link.with_name(f".{link.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self.path)
        fresh.replace(link)
        self._link = link

    def read(self) -> bytes:
        """Return what the client wrote, empty if there is nothing."""
        try:
            return os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return b""

    def write(self, data: bytes, now_s: float) -> None:
        """Write as much as fits at monotonic time `now_s`; keep a little, drop the oldest."""
        if data:
            self._backlog.append(data)
            self._backlog_bytes += len(data)
        try:
            while self._backlog:
                first = self._backlog[0]
                written = os.write(self.fd, first)
                self._taken_s = now_s
                self._backlog_bytes -= written
                if written < len(first):
                    self._backlog[0] = first[written:]
                    break
                self._backlog.popleft()
        except BlockingIOError:
            pass
        if self._backlog_bytes > _BACKLOG_BYTES:
            self._drop_oldest(now_s)

    def _drop_oldest(self, now_s: float) -> None:
        """Drop the older half of the backlog, and what an absent client left unread.

        Without the latter, a client that comes later reads seconds of stale telemetry. It is not
        done to a client that is merely slow: between its poll and its read the data would vanish,
        which pyserial takes for an unplugged device.
        """
        while self._backlog_bytes > _BACKLOG_BYTES // 2:
            lost = self._backlog.popleft()
            self._backlog_bytes -= len(lost)
            self.bytes_dropped += len(lost)
        if now_s - self._taken_s > _ABSENT_S:
            termios.tcflush(self._slave, termios.TCIFLUSH)

    def close(self) -> None:
        """Remove the link if it is still ours, and close both ends."""
        if self._link is not None and self._link.is_symlink():
            if self._link.readlink() == self.path:
                self._link.unlink()
            self._link = None
        os.close(self.fd)
        os.close(self._slave)
