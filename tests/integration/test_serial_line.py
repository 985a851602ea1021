"""The autopilot's serial line over a real pseudo-terminal, whose far end the test holds.

Mutants killed: what waits is sent however late; what the system holds of a hung line stays there; a
slow line counts as a hung one; the line is read again only after what it said has been dealt with.
"""

import asyncio
import logging
import os
import random
import time

from tests.e2e.vehicles import Line
from wire.aio.serial_line import MAX_LATE_S, SerialLine

BAUD = 921_600


async def until(condition, timeout_s=5.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


def test_what_a_line_that_hung_would_execute_late_is_not_sent():
    """Every frame passed as fresh, and then waited here: an autopilot must not obey it later."""

    async def hang():
        far = Line()
        line = SerialLine("autopilot.device", str(far.device), BAUD, print, print)
        line.start()
        begun = random.Random(1).randbytes(60_000)
        line.write(begun)  # more than the system takes
        assert line._unsent
        stale = b"STALE" * 100
        line.write(stale)
        await asyncio.sleep(MAX_LATE_S + 0.2)
        received = b""
        for attempt in range(200):
            if attempt == 20:
                line.write(b"fresh")
            received += far.read()
            await asyncio.sleep(0.005)
        line.close()
        far.close()
        # All that is left is what the far end had in its hands; a pty says nothing of the rest.
        assert received.endswith(b"fresh")
        assert begun.startswith(received.removesuffix(b"fresh"))
        assert len(received) < 5_000
        assert line.unsent_dropped > 30_000

    asyncio.run(hang())


def test_what_a_slow_line_has_begun_is_not_cut_off():
    """As long as bytes leave, what was written in time arrives whole."""

    async def trickle():
        far = Line()
        line = SerialLine("autopilot.device", str(far.device), BAUD, print, print)
        line.start()
        begun = random.Random(1).randbytes(60_000)
        line.write(begun)
        received = b""
        while len(received) < len(begun):
            await asyncio.sleep(0.05)
            received += os.read(far.fileno(), 2_000)
        line.close()
        far.close()
        assert received == begun
        assert line.unsent_dropped == 0

    asyncio.run(trickle())


def test_a_fault_in_what_reads_does_not_silence_the_line(caplog):
    """An exception of ours costs what it was about, not the line for the rest of the flight."""

    async def fail():
        far, heard = Line(), []

        def hear(data):
            heard.append(data)
            if data == b"a":
                far.write(b"!")  # so that it is read by the clock, as on a busy line
            if data == b"!":
                raise RuntimeError("a fault of ours")

        line = SerialLine("autopilot.device", str(far.device), BAUD, hear, print)
        line.start()
        far.write(b"a")
        await until(lambda: b"!" in heard)
        far.write(b"b")
        await until(lambda: b"b" in heard)
        line.close()
        far.close()

    with caplog.at_level(logging.CRITICAL, "asyncio"):
        asyncio.run(fail())
