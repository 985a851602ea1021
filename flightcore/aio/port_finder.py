"""Find the autopilot's serial port where `drone.toml` says ``auto``: opens devices and listens."""

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import serial
from serial.tools import list_ports

from flightcore.config import AutopilotConfig
from flightcore.port_scan import AUTO, BAUDS, PortScan, Trial
from wire.aio.alarm import monotonic_ns
from wire.aio.serial_line import SerialLine

_log = logging.getLogger(__name__)

AGAIN_S: Final = 1.0
LOST_S: Final = 20.0  # without an autopilot, before others are tried
_POLL_S: Final = 0.05
_PATTERNS: Final = ("serial/by-id/*", "serial0", "ttyAMA*", "ttyACM*", "ttyUSB*")


def candidates(*excluded: str, root: Path = Path("/dev")) -> list[str]:
    """Return the serial devices of this machine, those with a lasting name first.

    A device that has several names comes once; what is used for something else does not come.
    """
    named = [str(path) for pattern in _PATTERNS for path in sorted(root.glob(pattern))]
    named += sorted(port.device for port in list_ports.comports())
    seen = {Path(name).resolve() for name in excluded}
    devices = []
    for name in named:
        real = Path(name).resolve()
        if real not in seen:
            seen.add(real)
            devices.append(name)
    return devices


def find(
    config: AutopilotConfig,
    devices: Callable[[], Sequence[str]],
    is_stopped: Callable[[], bool] = lambda: False,
) -> Trial | None:
    """Return where the autopilot is after one pass over the devices, None if it was not heard.

    `devices` are tried if the configuration names none. Blocks for at most 1.3 s a speed, for 3 s
    where MAVLink is spoken, and for less when `is_stopped`.
    """
    if config.device != AUTO and config.baud != AUTO:
        return Trial(config.device, config.baud)
    tried = devices() if config.device == AUTO else [config.device]
    bauds = BAUDS if config.baud == AUTO else (config.baud,)
    scan = PortScan(tried, bauds, monotonic_ns())
    while scan.trial is not None and scan.found is None and not is_stopped():
        try:
            _listen(scan, scan.trial, is_stopped)
        except (serial.SerialException, OSError, ValueError) as error:
            _log.debug("%s at %d baud: %s", *scan.trial, error)
            scan.skip(monotonic_ns(), is_hopeless=not isinstance(error, ValueError))
    return scan.found


def _listen(scan: PortScan, trial: Trial, is_stopped: Callable[[], bool]) -> None:
    with serial.Serial(trial.device, trial.baud, timeout=_POLL_S, exclusive=True) as port:
        port.reset_input_buffer()
        while scan.trial == trial and scan.found is None and not is_stopped():
            data = port.read(max(1, port.in_waiting))
            now_ns = monotonic_ns()
            scan.receive(data, now_ns)
            scan.tick(now_ns)


class AutoLine:
    """A serial line that is found first, kept while an autopilot is on it, and else found again."""

    def __init__(
        self,
        config: AutopilotConfig,
        devices: Callable[[], Sequence[str]],
        on_bytes: Callable[[bytes], None],
        on_lost: Callable[[], None],
        is_heard: Callable[[], bool],
    ) -> None:
        """Prepare; `is_heard` tells whether what was given to `on_bytes` had an autopilot in it."""
        self._config = config
        self._devices = devices
        self._on_bytes = on_bytes
        self._on_lost = on_lost
        self._is_heard = is_heard
        self._loop = asyncio.get_running_loop()
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="port")
        self._stopped = threading.Event()
        self._search: asyncio.Future[Trial | None] | None = None
        self._line: SerialLine | None = None
        self._dropped = 0
        self._heard_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether the device is there."""
        return self._line is not None and self._line.is_open

    @property
    def unsent_dropped(self) -> int:
        """How many bytes were not sent."""
        return self._dropped + (0 if self._line is None else self._line.unsent_dropped)

    @property
    def is_scheduled(self) -> bool:
        """Whether something will read the line, or look for it."""
        if self._line is None:
            return self._search is not None or self._timer is not None
        return self._line.is_scheduled

    def describe(self) -> dict[str, str | int]:
        """Say where the line is."""
        if self._line is None:
            return {"device": self._config.device, "baud": self._config.baud}
        return self._line.describe()

    def start(self) -> None:
        """Begin to look for the autopilot."""
        if self._stopped.is_set():
            return
        search = functools.partial(find, self._config, self._devices, self._stopped.is_set)
        self._search = self._loop.run_in_executor(self._executor, search)
        self._search.add_done_callback(self._searched)

    def write(self, data: bytes) -> None:
        """Send, or drop and count."""
        if self._line is None:
            self._dropped += len(data)
        else:
            self._line.write(data)

    def close(self) -> None:
        """Close the line, or stop looking for it."""
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._line is not None:
            self._line.close()
        self._executor.shutdown(wait=True)

    def _searched(self, future: "asyncio.Future[Trial | None]") -> None:
        if self._stopped.is_set() or future.cancelled():
            return
        self._search = None
        found = future.result()
        if found is None:
            self._timer = self._loop.call_later(AGAIN_S, self.start)
            return
        _log.info("the autopilot is on %s at %d baud", *found)
        self._line = SerialLine(
            "autopilot.device", found.device, found.baud, self._on_bytes, self._on_lost
        )
        self._heard_at = self._loop.time()
        self._line.start()
        self._timer = self._loop.call_later(AGAIN_S, self._check)

    def _check(self) -> None:
        """Give a line up on which there has been no autopilot for long."""
        assert self._line is not None
        now = self._loop.time()
        if self._is_heard():
            self._heard_at = now
        if now - self._heard_at < LOST_S:
            self._timer = self._loop.call_later(AGAIN_S, self._check)
            return
        where = self._line.describe()
        _log.warning("no autopilot on %s for %d s: looking for it", where["device"], LOST_S)
        self._dropped += self._line.unsent_dropped
        self._line.close()
        self._line = None
        self._on_lost()
        self.start()
