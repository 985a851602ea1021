"""The secure link over a serial radio: datagrams out and in, and never a queue behind the queue."""

from collections import Counter
from collections.abc import Callable
from typing import Final

from wire.aio.serial_line import SerialLine
from wire.cobs_framing import (
    DELIMITER,
    FRAMING_BYTES,
    MAX_DATAGRAM_BYTES,
    DatagramSplitter,
    encode,
)

_BITS_PER_BYTE = 10
# Two clocks may differ by some percent: what the queue sends faster than the UART does would
# gather in the system's buffer, a few milliseconds every second, until commands wait for seconds.
_UART_SHARE: Final = 0.97


def line_rate(baud: int) -> int:
    """Return how many bytes a second a UART at `baud` surely sends, for `SendQueue`."""
    return int(baud / _BITS_PER_BYTE * _UART_SHARE)


class SerialLink:
    """A radio on a serial device, reopened for ever; it must be in raw (transparent) mode.

    When the system takes no more, one datagram waits, perhaps begun; what follows is dropped and
    counted. The pacing is the send queue's, and behind a line that hangs nothing gathers.
    """

    def __init__(
        self, setting: str, device: str, baud: int, on_datagram: Callable[[bytes], None]
    ) -> None:
        """Prepare the link; `setting` is the key that names `device`, for messages."""
        self.dropped: Counter[str] = Counter()
        self._on_datagram = on_datagram
        self._splitter = DatagramSplitter(self.dropped)
        self._line = SerialLine(
            setting,
            device,
            baud,
            self._receive,
            self._forget,
            greeting=DELIMITER,  # ends whatever noise came before us
            max_unsent_bytes=MAX_DATAGRAM_BYTES + FRAMING_BYTES,
        )

    @property
    def is_open(self) -> bool:
        """Whether the device is there."""
        return self._line.is_open

    def describe(self) -> dict[str, str | int]:
        """Return what a status says of it: is the device there, and what was dropped on the way."""
        dropped = {str(reason): count for reason, count in self.dropped.items()}
        return {
            "line": "open" if self.is_open else "absent",
            "unsent_bytes": self._line.unsent_dropped,
            **dropped,
        }

    def start(self) -> None:
        """Open the device, now or as soon as it is there."""
        self._line.start()

    def write(self, datagram: bytes) -> None:
        """Send a datagram, or drop and count when the line does not keep up or is not there."""
        self._line.write(encode(datagram))

    def close(self) -> None:
        """Close the device for good."""
        self._line.close()

    def _receive(self, data: bytes) -> None:
        for datagram in self._splitter.receive(data):
            self._on_datagram(datagram)

    def _forget(self) -> None:
        self._splitter = DatagramSplitter(self.dropped)
