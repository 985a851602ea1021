"""Two processes, and a wall clock that jumps by twenty years under both: the link stays.

The preloaded library itself now and then holds a process up for a second, whether the clock jumps
or not (seen with a clock that stood still); so a gap is allowed, and not that it lasts.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest

from tests.e2e.between import BenchAutopilot
from tests.e2e.pilot import Pilot
from tests.e2e.processes import ENVIRONMENT, wait_until
from tests.e2e.stack import NAME

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("faketime") is None, reason="no libfaketime: apt `faketime`"),
]
YEARS_S = 20 * 365 * 86_400


@pytest.fixture
def jump(tmp_path):
    """Return what moves the wall clock of every child by some seconds, at once."""
    (library,) = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))[:1]
    offset = tmp_path / "offset"

    def jump(seconds):
        new = tmp_path / "new"
        new.write_text(f"{seconds:+d}s\n")
        new.replace(offset)

    jump(0)
    faked = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with mock.patch.dict(ENVIRONMENT, faked):
        yield jump


def wall_clock():
    """Return the wall clock of a child, as far as it is from ours. [s]"""
    argv = [sys.executable, "-c", "import time; print(time.time())"]
    done = subprocess.run(argv, capture_output=True, timeout=20, check=True, env=ENVIRONMENT)
    return float(done.stdout) - time.time()


@pytest.mark.slow
def test_threat_11_clock_jumps_under_running_processes(bench, line, jump):
    with BenchAutopilot(line) as autopilot:
        bench.start()
        bench.await_link()
        bench.await_autopilot()
        wait_until(
            lambda: bench.status("ground")["peers"][NAME]["psk_generation"] == 1, 10, "the ratchet"
        )
        with Pilot(f"tcp:127.0.0.1:{bench.tcp_port}") as pilot:
            for seconds in (YEARS_S, -YEARS_S, YEARS_S, 0):
                jump(seconds)
                assert abs(wall_clock() - seconds) < 10
                for _ in range(5):
                    time.sleep(0.2)
                    bench.await_link(3)
                autopilot.take()
                pilot.until(lambda: autopilot.take(), 5, "a frame of the pilot's arrives")
        dropped = bench.dropped("drone")
        assert "stale" not in dropped, dropped
        assert bench.status("ground")["peers"][NAME]["state"] == "live"
