"""`sekisho logs erase` against services: refused, forced, cut short (R39, R42).

Mutants that died here: erased under a running service; a killed service's lock not waited for; y
taken for the typed word.
"""

import json
import os
import pty
import select
import signal
import subprocess
import time

import pytest

from crypto.aio import erasing
from tests.e2e.processes import ENVIRONMENT, wait_until
from tests.e2e.stack import SEKISHO

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def erase(*argv):
    done = subprocess.run(
        [*SEKISHO, "logs", "erase", *map(str, argv)],
        capture_output=True,
        text=True,
        timeout=30,
        env=ENVIRONMENT,
        start_new_session=True,  # no terminal
    )
    assert "Traceback" not in done.stderr
    return done


def files_of(directory):
    """What is there, but for what is just being written: it takes its name when it is whole."""
    return sorted(path for path in directory.rglob("*") if path.suffix != ".new")


def test_a_running_service_is_left_alone_unless_forced(bench):
    bench.start()
    bench.await_link()
    before = files_of(bench.drone_state)
    refused = erase("--config", bench.configs["drone"], "--yes")
    assert refused.returncode == 1
    assert "in use" in refused.stderr
    assert files_of(bench.drone_state) == before
    assert not erasing.is_pending(bench.drone_state)

    done = erase("--config", bench.configs["drone"], "--yes", "--all", "--force", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    print("erased under a running service in", report["seconds"], "s")
    assert report["ok"]
    assert report["seconds"] < 2
    assert list(bench.drone_state.iterdir()) == []
    wait_until(lambda: not bench.processes["drone"].is_running(), 5, "it was ended")
    assert bench.processes.pop("drone").stop() == -signal.SIGKILL

    again = erase("--state-dir", bench.drone_state, "--yes", "--all")
    assert again.returncode == 2
    assert "holds no keys" in again.stderr
    refused = bench.run("drone")
    assert refused.returncode == 2
    assert "no ground station is paired" in refused.stderr


def test_a_service_completes_what_was_cut_short(bench):
    erasing.announce(bench.drone_state, bench.drone_state / "logs", everything=False)
    (bench.drone_state / "device.key").unlink()
    refused = bench.run("drone")
    assert refused.returncode == 2
    assert "its erasure had been cut short, and is complete now" in refused.stderr
    assert "no ground station is paired" in refused.stderr
    assert {path.name for path in bench.drone_state.iterdir()} == {"log-public.key", "drone.lock"}


@pytest.mark.parametrize(("typed", "goes"), [("y", False), ("erase", True)])
def test_it_asks_for_the_word(bench, typed, goes):
    pid, terminal = pty.fork()
    if pid == 0:
        argv = [*SEKISHO, "logs", "erase", "--state-dir", str(bench.drone_state)]
        os.execve(argv[0], argv, ENVIRONMENT)
    said = b""
    deadline = time.monotonic() + 20
    while b"type erase" not in said and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            said += os.read(terminal, 1000)
    os.write(terminal, typed.encode() + b"\n")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == (0 if goes else 1)
    os.close(terminal)
    assert (bench.drone_state / "device.key").exists() != goes


def test_there_is_nobody_to_ask(bench):
    refused = erase("--state-dir", bench.drone_state)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert (bench.drone_state / "device.key").exists()
