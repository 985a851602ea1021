"""The gateway's own recorder: a real flight, the gateway killed in the air, read afterwards.

Mutants that died here: frames up left out; the flight not ended by the disarming.
"""

import contextlib
import json
import signal
import struct
import subprocess

import pytest
from pymavlink import mavutil

from crypto.aio.log_files import list_logs
from crypto.aio.log_keys import load_log_private, load_or_create_log_signer
from crypto.aio.secret_files import SecretFiles
from crypto.log_chain import Known, LogState
from crypto.log_reader import open_sealed_log
from tests.e2e.pilot import Pilot
from tests.e2e.processes import ENVIRONMENT, wait_until
from tests.e2e.stack import NAME, SEKISHO, Stack
from tests.e2e.vehicles import EmbeddedAutopilot
from wire.mavlink import FrameSplitter

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def vehicle(tmp_path):
    vehicle = EmbeddedAutopilot(tmp_path)
    yield vehicle
    vehicle.stop()


@pytest.fixture
def stack(tmp_path, vehicle):
    stack = Stack(tmp_path / "stack", vehicle.device)
    yield stack
    print(stack.report())


def flights(stack):
    return list_logs(stack.ground_state / "logs" / f"flights-{NAME}")


def opened(stack, path):
    signer = load_or_create_log_signer(SecretFiles(stack.ground_state), bytes).public
    key = load_log_private(stack.ground_state / "log-keys/log-private.key")
    chunks, verdict = open_sealed_log(key, path.read_bytes(), Known(signer))
    return b"".join(chunk.data for chunk in chunks), verdict.state


def frames_of(tlog):
    """Return (stamp, frame) of a .tlog, read the slow way."""
    at, found = 0, []
    while at < len(tlog):
        size = 12 + tlog[at + 9]
        found.append((struct.unpack_from(">Q", tlog, at)[0], tlog[at + 8 : at + 8 + size]))
        at += 8 + size
    return found


def events(stack):
    lines = []
    for path in list_logs(stack.ground_state / "logs/audit"):
        lines += [json.loads(line) for line in opened(stack, path)[0].splitlines()]
    return lines


def recorder(stack):
    return stack.status("ground")["peers"][NAME]["recorder"]


def logs(*argv):
    return subprocess.run(
        [*SEKISHO, "logs", *map(str, argv)],
        capture_output=True,
        text=True,
        timeout=120,
        env=ENVIRONMENT,
    )


def test_a_flight_is_recorded_though_the_gateway_is_killed_in_the_air(stack, tmp_path):
    stack.start()
    stack.await_link()
    stack.await_autopilot()
    assert recorder(stack)["state"] == "idle"
    with Pilot(f"tcp:127.0.0.1:{stack.tcp_port}") as pilot:
        pilot.connect()
        pilot.set_mode(4)
        pilot.arm(20)
        pilot.take_off(10, 30)
        wait_until(lambda: (recorder(stack)["chunks"] or 0) > 5, 20, "chunks")
        assert recorder(stack)["state"] == "recording"
        seen = bytes(pilot.plain)
        stack.stop("ground", number=signal.SIGKILL)
    stack.start("ground")
    stack.await_link(30)
    wait_until(lambda: len(flights(stack)) == 2, 30, "a new file, for it is armed")
    with Pilot(f"tcp:127.0.0.1:{stack.tcp_port}") as pilot:
        pilot.connect()
        pilot.set_mode(9)
        pilot.until(lambda: not pilot.is_armed(), 60, "landed and disarmed")
        wait_until(lambda: recorder(stack)["state"] == "idle", 30, "its end")
    stack.stop()

    first, second = flights(stack)
    (tlog, state), (_, last) = opened(stack, first), opened(stack, second)
    assert (state, last) == (LogState.CUT_SHORT, LogState.CLEAN)
    recorded = frames_of(tlog)
    assert [stamp for stamp, _ in recorded] == sorted(stamp for stamp, _ in recorded)
    # Down: exactly what the tool was given, from before the arming to a second before the end.
    given = FrameSplitter().receive(seen)
    down = [frame for _, frame in recorded if frame[5] == 1]
    at = next(i for i in range(len(down)) if down[i : i + 30] == given[:30])
    both = min(len(given), len(down) - at)
    assert both > 500
    assert down[at : at + both] == given[:both]
    # Up: the arming.
    up = [frame for _, frame in recorded if frame[5] == 255]
    assert any(f[7:10] == b"\x4c\0\0" and f[38:40] == b"\x90\x01" for f in up)

    check_export(stack, first, tlog, tmp_path / "flight.tlog")
    check_commands(stack, first, second)
    check_events(stack, recorded)
    check_report(stack, first, tmp_path / "report.html")


def check_export(stack, first, tlog, out):
    """Through the command, and read by a stranger's software."""
    key = stack.ground_state / "log-keys/log-private.key"
    done = logs("export", first, "--key", key, "--out", out)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == tlog
    read = []
    with contextlib.closing(mavutil.mavlink_connection(str(out))) as reader:
        while (message := reader.recv_msg()) is not None:
            read.append(bytes(message.get_msgbuf()))
    assert read == [frame for _, frame in frames_of(tlog)]


def check_commands(stack, first, second):
    key = stack.ground_state / "log-keys/log-private.key"
    # One command lists aboard and ground alike, and verifies both.
    listed = json.loads(logs("list", stack.ground_state / "logs", "--json").stdout)
    assert len(listed["logs"]) >= 4
    assert logs("verify", "--key", key, second).returncode == 0
    assert logs("verify", "--key", key, first).returncode == 1


def check_events(stack, recorded):
    topics = {(event["topic"], event["text"].split()[0]) for event in events(stack)}
    assert {("link", "up,"), ("flight", "recording"), ("service", "start")} <= topics
    begun = next(e for e in events(stack) if e["topic"] == "flight")
    assert begun["drone"] == NAME
    assert abs(begun["us"] - next(s for s, f in recorded if f[7:10] == b"\x4c\0\0")) < 60e6


def check_report(stack, first, page):
    key = stack.ground_state / "log-keys/log-private.key"
    # The flight as one page, from the recording alone.
    done = logs("report", first, "--key", key, "--out", page)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert "cut short" in text
    assert "<svg" in text
    assert "link" in text


def test_without_a_key_the_gateway_says_so_and_flies(stack):
    (stack.ground_state / "log-public.key").unlink()
    stack.start()
    stack.await_link()
    state = recorder(stack)
    assert state["state"] == "unavailable"
    assert "log-public.key" in state["reason"]
