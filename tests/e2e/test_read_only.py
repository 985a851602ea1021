"""A disk that has become read-only, as a worn-out card does: both ends restart and fly on.

Mutant killed: a start that cannot be counted is none.
"""

import os
import subprocess
import sys

import pytest

from tests.e2e.between import BenchAutopilot
from tests.e2e.pilot import Pilot
from tests.e2e.processes import wait_until
from tests.e2e.stack import NAME

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def can_mount(path):
    argv = ("unshare", "-m", "sh", "-c", READ_ONLY, path, "true")
    return os.geteuid() == 0 and not subprocess.run(argv, capture_output=True).returncode


def is_obeyed(autopilot, pilot):
    pilot.connection.mav.command_long_send(1, 1, 20, 0, 0, 0, 0, 0, 0, 0, 0)
    return [m for m in autopilot.take() if m.get_type() == "COMMAND_LONG"]


def test_who_was_in_command_flies_on(bench, line, tmp_path, monkeypatch):
    if not can_mount(tmp_path):
        pytest.skip("a read-only mount takes root")
    with BenchAutopilot(line) as autopilot:
        bench.start()
        bench.await_link()
        wait_until(lambda: bench.status("drone")["authority"]["holder_id"], 5, "command is taken")
        bench.stop()
        states = {"drone": bench.drone_state, "ground": bench.ground_state}
        for kind, state in states.items():
            prefix = (
                "unshare",
                "-m",
                "sh",
                "-c",
                READ_ONLY,
                state,
                sys.executable,
                "-m",
                "sekisho",
            )
            monkeypatch.setattr("tests.e2e.stack.SEKISHO", prefix)
            bench.start(kind)
        bench.await_link()
        bench.await_autopilot()
        with Pilot(f"udpout:127.0.0.1:{bench.udp_port}") as pilot:
            pilot.until(lambda: "HEARTBEAT" in pilot.latest, 10, "a heartbeat")
            wait_until(lambda: is_obeyed(autopilot, pilot), 10, "a command is carried out", 0.5)
        assert bench.status("ground")["peers"][NAME]["drone_boot_count"] == 0
        for kind in states:
            said = bench.processes[kind].output
            assert "boot_count" in said
            assert "Read-only file system" in said
            assert "Traceback" not in said
