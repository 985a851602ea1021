"""What a disk does to the recorder, and what it does not do to anything else (R41).

Real file systems where the machine allows mounting one; the service's own thread and queue.

Mutants that died here: the queue unbounded; a full queue waited for; close waiting for a disk that
hangs; flights in one file; no second try after a fault; the newest deleted; a file without a name
written on; nobody told; a file not completed; a header left behind that did not fit.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import threading
import time

import pytest

from crypto.aio import log_series
from crypto.aio.log_files import LogFile, LogOrigin, list_logs
from crypto.aio.log_series import LogSeries
from crypto.log_chain import Known, LogState
from crypto.log_reader import open_sealed_log
from crypto.primitives import Ed25519, XWingKeyPair
from crypto.quota import Budget
from crypto.sealed_log import LogContent
from flightcore.aio.recorder import RecorderThread
from wire.recorder import Batch, Chunk, End, encode_tlog

KEY = XWingKeyPair(bytes(range(32)))
SIGNER = Ed25519(bytes(range(32)))
ORIGIN = LogOrigin(KEY.public, SIGNER, bytes(16), 1)
MIB = 1 << 20
S = 1_000_000_000
AMPLE = Budget(1 << 30, 0, may_delete=True)
FRAME = bytes((0xFD, 200)) + bytes(210)


def contents(path):
    chunks, verdict = open_sealed_log(KEY, path.read_bytes(), Known(SIGNER.public))
    return b"".join(chunk.data for chunk in chunks), verdict.state


def chunk(flight, number, frames=50):
    return Chunk(flight, [Batch(number * S, [FRAME] * frames)])


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root to mount a small file system")
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def series(directory, budget=AMPLE, told=None):
    told = [] if told is None else told
    return LogSeries(directory, LogContent.TLOG, ORIGIN, budget, told.append)


def fill(log, size, now_ns=0):
    return log.append(lambda _: bytes(size), now_ns)


def test_the_oldest_go_first_and_the_present_one_never(tmp_path):
    told = []
    log = series(tmp_path, Budget(100_000, 0, may_delete=True), told)
    for _ in range(5):
        assert fill(log, 30_000)
        log.finish()
    assert [int(path.stem) for path in list_logs(tmp_path)] == [3, 4, 5]
    assert sum(path.stat().st_size for path in list_logs(tmp_path)) <= 100_000
    assert log.status.files_deleted == 2
    # One that never ends goes on in another file, and the newest is kept.
    for number in range(20):
        assert log.append(lambda _, number=number: b"%02d" % number * 5_000, 0)
        assert sum(path.stat().st_size for path in list_logs(tmp_path)) <= 100_000
    log.finish()
    kept = b"".join(contents(path)[0] for path in list_logs(tmp_path))
    assert kept == b"".join(b"%02d" % number * 5_000 for number in range(12, 20))
    # What can never fit deletes nothing.
    before = list_logs(tmp_path)
    assert not fill(log, 100_000)
    assert list_logs(tmp_path) == before
    assert told[-1] == "recording stopped: no room left"


def test_what_must_not_be_deleted_is_not(tmp_path):
    told = []
    log = series(tmp_path, Budget(100_000, 0, may_delete=False), told)
    written = sum(fill(log, 8_000) for _ in range(20))
    assert 9 <= written <= 12
    assert told == ["disk nearly full: 0 MiB left", "recording stopped: no room left"]
    assert {state for _, state in map(contents, list_logs(tmp_path))} == {LogState.CLEAN}
    # Somebody fetches it: there is room again, but not before the next try.
    list_logs(tmp_path)[0].unlink()
    assert not fill(log, 8_000, 4 * S)
    assert fill(log, 8_000, 5 * S)
    assert told[-1] == "recording again"
    assert log.status.fault is None


def test_a_full_disk_keeps_what_it_has_and_is_used_again_when_there_is_room(small_disk):
    told = []
    log = series(small_disk / "logs", told=told)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(400_000))
    written = sum(fill(log, 16_000) for _ in range(60))
    assert 20 < written < 60
    assert told[-1] == "recording stopped: no room left"
    ballast.unlink()
    assert fill(log, 16_000, 6 * S)
    log.finish()
    first, second = map(contents, list_logs(small_disk / "logs"))
    assert first == (bytes(16_000 * written), LogState.CLEAN)
    assert second == (bytes(16_000), LogState.CLEAN)


def test_space_taken_between_the_look_and_the_write(small_disk, monkeypatch):
    """The system says that there is room, and then there is none."""
    told = []
    log = series(small_disk / "logs", told=told)
    assert fill(log, 1000)
    really = os.statvfs

    class Roomy:
        f_bavail, f_frsize = 1 << 30, 4096

    monkeypatch.setattr(log_series.os, "statvfs", lambda _: Roomy)
    (small_disk / "ballast").write_bytes(bytes(really(small_disk).f_bavail * 4096))
    assert not all(fill(log, 8000) for _ in range(3))
    assert told[-1].endswith("No space left on device")
    before = list_logs(small_disk / "logs")
    assert not fill(log, 8000, 6 * S)
    assert list_logs(small_disk / "logs") == before, "a header without room for it is taken away"
    data, state = contents(before[0])
    assert data.startswith(bytes(1000))
    assert state is LogState.CUT_SHORT


def test_a_directory_that_vanishes_or_takes_no_writes(tmp_path, small_disk):
    told = []
    directory = small_disk / "logs"
    log = series(directory, told=told)
    assert fill(log, 1000)
    shutil.rmtree(directory)
    assert not fill(log, 1000)
    assert told[-1].endswith("gone")
    assert fill(log, 1000, 6 * S)
    log.finish()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert not fill(log, 1000, 7 * S)
    assert told[-1].endswith("Read-only file system")
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert fill(log, 1000, 20 * S)
    assert told.count("recording again") == 2


def recorder_on(directory, told, heads, budget=AMPLE):
    return RecorderThread(directory, ORIGIN, budget, told.append, heads.append)


def test_flights_are_files_and_the_head_is_told(tmp_path):
    told, heads = [], []

    async def fly():
        recorder = recorder_on(tmp_path, told, heads)
        recorder.put(chunk(1, 1))
        recorder.put(chunk(1, 2))
        recorder.put(End(1))
        recorder.put(chunk(2, 3))  # and no end: it was dropped
        recorder.put(chunk(3, 4))
        recorder.close()
        await asyncio.sleep(0.1)

    asyncio.run(fly())
    paths = list_logs(tmp_path / "flights")
    sizes = [len(contents(path)[0]) // (50 * (len(FRAME) + 8)) for path in paths]
    assert sizes == [2, 1, 1]
    assert told == []
    for path, head in zip(paths[-1:], heads[-1:], strict=True):
        assert open_sealed_log(KEY, path.read_bytes(), Known(head=head))[1].state is LogState.CLEAN


def test_a_disk_that_hangs_holds_up_nobody(tmp_path, monkeypatch):
    """A write that does not return: the queue fills, the rest is counted, close comes soon."""
    hang, hanging = threading.Event(), threading.Event()
    write = LogFile.append

    def slow(self, data, now_ns):
        hanging.set()
        hang.wait(20)
        return write(self, data, now_ns)

    monkeypatch.setattr(LogFile, "append", slow)
    told, heads, waits = [], [], []

    async def fly():
        recorder = recorder_on(tmp_path, told, heads)
        recorder.put(chunk(1, 0))
        assert await asyncio.to_thread(hanging.wait, 5)
        for number in range(1, 5000):
            started = time.perf_counter()
            recorder.put(chunk(1, number, 1))
            waits.append(time.perf_counter() - started)
        status = recorder.status()
        assert status["waiting"] == 1024
        assert status["dropped_chunks"] == status["dropped_frames"] == 5000 - 1 - 1024
        started = time.monotonic()
        recorder.close()
        assert time.monotonic() - started < 4
        hang.set()
        with contextlib.suppress(RuntimeError):
            await asyncio.to_thread(recorder.close)

    asyncio.run(fly())
    assert told == ["recorder: disk too slow, frames are missing"]
    waits.sort()
    assert waits[len(waits) // 2] < 100e-6
    assert waits[-1] < 0.1


def test_one_offset_for_a_file_whatever_the_wall_clock_does(tmp_path, monkeypatch):
    wall = iter([10**18, 5 * 10**17])
    monkeypatch.setattr(log_series.time, "time_ns", lambda: next(wall))
    log = series(tmp_path)
    for now in (S, 2 * S):
        assert log.append(lambda offset, now=now: encode_tlog([Batch(now, [b"x"])], offset), now)
    log.finish()
    assert log.append(lambda offset: encode_tlog([Batch(3 * S, [b"x"])], offset), 3 * S)
    log.finish()
    first, second = (contents(path)[0] for path in list_logs(tmp_path))
    stamps = [int.from_bytes(first[at : at + 8], "big") for at in (0, 9)]
    assert stamps == [10**15, 10**15 + 10**6]
    assert int.from_bytes(second[:8], "big") == 5 * 10**14
