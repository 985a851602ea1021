"""Keeps the embedded broker running: starts it, and starts it again if it ends."""

import asyncio
import contextlib
import logging
import os
import sys
from typing import Final

import msgspec

from groundstation.aio.broker import READY, BrokerOptions

FIRST_WAIT_S: Final = 0.25
LONGEST_WAIT_S: Final = 15.0
STARTS_S: Final = 30.0
ENDS_S: Final = 3.0
_PROGRAM: Final = "from groundstation.aio.broker import main; main()"

_log = logging.getLogger(__name__)


class EmbeddedBroker:
    """The process; `run` goes on until it is cancelled, and the process ends with it."""

    def __init__(self, options: BrokerOptions) -> None:
        self._options = options
        self.pid: int | None = None
        self.serving = asyncio.Event()  # set when it first serves

    async def run(self) -> None:
        """Run the broker, again and again."""
        wait_s = FIRST_WAIT_S
        while True:
            if await self._run_once():
                wait_s = FIRST_WAIT_S
            _log.warning("mqtt: the embedded broker ended; starting it again")
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _run_once(self) -> bool:
        """Run it until it ends; return whether it had begun to serve."""
        # -P: nothing is imported from wherever the gateway was started; only from where it is.
        path = os.pathsep.join(entry for entry in sys.path if entry)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-c",
            _PROGRAM,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self.pid = process.pid
        try:
            # On stdin, because argv and the environment can be read by others.
            process.stdin.write(msgspec.json.encode(self._options) + b"\n")
            async with asyncio.timeout(STARTS_S):
                is_ready = await process.stdout.readline() == READY
            if is_ready:
                self.serving.set()
            await process.wait()
        except (TimeoutError, ConnectionError):
            return False
        else:
            return is_ready
        finally:
            self.pid = None
            process.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ENDS_S):
                    await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()
