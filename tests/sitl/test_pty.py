"""The simulator as a process sees it: a terminal, real time, unmodified pymavlink."""

import asyncio
import contextlib
import os
import threading
import time
from pathlib import Path

import pytest
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.aio.pty import LinkInUseError, Pty
from sim.aio.service import SimConfig, SimSummary, run

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


@contextlib.contextmanager
def simulator(tty: Path, **settings):
    """Run the service in a thread; yields a list that receives its summary at the end."""
    ready = threading.Event()
    ended: list[SimSummary] = []
    control: dict = {}

    async def main() -> None:
        control["loop"] = asyncio.get_running_loop()
        control["stop"] = asyncio.Event()
        ended.append(
            await run(SimConfig(tty=tty, **settings), lambda _path: ready.set(), control["stop"])
        )

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        assert ready.wait(5.0)
        yield ended
    finally:
        control["loop"].call_soon_threadsafe(control["stop"].set)
        thread.join(5.0)
        assert not thread.is_alive()


@pytest.fixture
def connect(monkeypatch):
    monkeypatch.setenv("MAVLINK20", "1")
    opened = []

    def connect(tty: Path):
        link = mavutil.mavlink_connection(str(tty), baud=921600, dialect="ardupilotmega")
        opened.append(link)
        return link

    yield connect
    for link in opened:
        link.close()


def test_a_script_arms_takes_off_and_lands(tmp_path, connect):
    tty = tmp_path / "fc"
    with simulator(tty, speedup=6.0) as ended:
        link = connect(tty)
        link.wait_heartbeat(timeout=5)
        assert (link.target_system, link.sysid_state[1].mav_type) == (1, 2)
        link.mav.request_data_stream_send(1, 1, dialect.MAV_DATA_STREAM_POSITION, 10, 1)
        deadline = time.monotonic() + 10.0
        while time.monotonic() < deadline and not link.motors_armed():
            link.set_mode("GUIDED")
            link.arducopter_arm()
            link.recv_match(type="HEARTBEAT", blocking=True, timeout=1)
        assert link.motors_armed()
        link.mav.command_long_send(1, 1, dialect.MAV_CMD_NAV_TAKEOFF, 0, 0, 0, 0, 0, 0, 0, 8)

        def altitude() -> float:
            message = link.recv_match(type="GLOBAL_POSITION_INT", blocking=True, timeout=2)
            return message.relative_alt * 1e-3

        while altitude() < 7.5:
            assert time.monotonic() < deadline + 5.0
        link.set_mode("LAND")
        while link.motors_armed():
            link.recv_match(type="HEARTBEAT", blocking=True, timeout=2)
            assert time.monotonic() < deadline + 15.0
    (summary,) = ended
    assert summary.speedup == pytest.approx(6.0, rel=0.2)
    assert not tty.is_symlink()


def test_garbage_is_dropped_and_readers_come_and_go(tmp_path, connect):
    tty = tmp_path / "fc"
    tty.symlink_to("/dev/pts/none")  # left over from a crash
    with simulator(tty, speedup=4.0) as ended:
        for _ in range(3):
            link = connect(tty)
            link.write(os.urandom(3000))
            link.write(b"\xfd\x09\x00\x00")  # the beginning of a frame that never ends
            assert link.wait_heartbeat(timeout=3) is not None
            link.close()
    assert sum(ended[0].noise.values()) > 8000


def test_nobody_listening_costs_bytes_not_time(tmp_path, connect):
    tty = tmp_path / "fc"
    with simulator(tty, speedup=2.0) as ended:
        link = connect(tty)
        link.wait_heartbeat(timeout=3)
        link.mav.request_data_stream_send(1, 1, dialect.MAV_DATA_STREAM_ALL, 50, 1)
        before_ms = link.recv_match(type="ATTITUDE", blocking=True, timeout=3).time_boot_ms
        time.sleep(4.0)  # not reading
        gap_ms, newest_ms, end_s = 0, before_ms, time.monotonic() + 0.5
        while time.monotonic() < end_s:
            message = link.recv_match(type="ATTITUDE", blocking=True, timeout=1)
            if message is not None:
                gap_ms = max(gap_ms, message.time_boot_ms - newest_ms)
                newest_ms = message.time_boot_ms
    (summary,) = ended
    assert summary.bytes_dropped > 0
    # By the vehicle's own clock, whatever speedup a busy machine reaches: the most was skipped, and
    # what is read is not seconds old.
    assert gap_ms > (newest_ms - before_ms) / 2
    assert summary.vehicle_s * 1000 - newest_ms < 2000


def test_a_file_in_the_way_is_not_replaced(tmp_path):
    tty = tmp_path / "fc"
    tty.write_text("precious")
    pty = Pty()
    with pytest.raises(LinkInUseError):
        pty.link(tty)
    pty.close()
    assert tty.read_text() == "precious"


def test_three_drones_have_three_terminals(tmp_path, connect):
    with simulator(tmp_path / "fc", drones=3, sysid=7) as ended:
        for number in (1, 2, 3):
            link = connect(tmp_path / f"fc{number}")
            assert link.wait_heartbeat(timeout=10) is not None
            assert link.target_system == 6 + number
    assert not list(tmp_path.iterdir())
    assert ended[0].bytes_out > 0
