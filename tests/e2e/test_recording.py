"""The recorder in the service: a real flight, killed in the air, read on the ground (R35, R38).

Mutants that died here: frames up left out; the half minute before the arming left out.
"""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

import pytest
from pymavlink import mavutil

from crypto.aio.log_files import list_logs
from crypto.aio.log_keys import load_log_private, load_or_create_log_signer
from crypto.aio.secret_files import SecretFiles
from crypto.log_chain import Known, LogState
from crypto.log_reader import open_sealed_log
from crypto.sealed_log import HEADER_BYTES
from tests.e2e.pilot import Pilot, mavlink
from tests.e2e.processes import ENVIRONMENT, wait_until
from tests.e2e.stack import NAME, SEKISHO, Stack
from tests.e2e.vehicles import HOME, EmbeddedAutopilot
from wire.mavlink import FrameSplitter

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

COMMANDS = int(os.environ.get("SEKISHO_COMMANDS", "60"))


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


def configure(stack, kind="drone", **settings):
    config = stack.configs[kind]
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    config.write_text("\n".join([config.read_text(), "[recorder]", *lines, ""]))


def private_key(stack):
    return stack.ground_state / "log-keys/log-private.key"


def flights(stack):
    return list_logs(stack.drone_state / "logs/flights")


def opened(stack, path, state_dir=None):
    secrets = SecretFiles(state_dir or stack.drone_state)
    signer = load_or_create_log_signer(secrets, os.urandom).public
    key = load_log_private(private_key(stack))
    chunks, verdict = open_sealed_log(key, path.read_bytes(), Known(signer))
    return b"".join(chunk.data for chunk in chunks), verdict


def logs(stack, *argv):
    return subprocess.run(
        [*SEKISHO, "logs", *map(str, argv)],
        capture_output=True,
        text=True,
        timeout=60,
        env=ENVIRONMENT,
    )


def frames_of(tlog):
    """Return (stamp, frame) of a .tlog, read the slow way."""
    at, found = 0, []
    while at < len(tlog):
        size = 12 + tlog[at + 9]
        found.append((struct.unpack_from(">Q", tlog, at)[0], tlog[at + 8 : at + 8 + size]))
        at += 8 + size
    return found


def place_of(part, whole):
    """Return where `part` begins in `whole`."""
    starts = [at for at in range(len(whole)) if whole[at : at + 30] == part[:30]]
    assert len(starts) == 1, f"{len(part)} frames are {len(starts)} times in {len(whole)}"
    return starts[0]


def test_a_flight_killed_in_the_air_is_recorded_as_the_ground_saw_it(stack, tmp_path):
    stack.start()
    stack.await_link()
    stack.await_autopilot()
    assert stack.status("drone")["recorder"]["state"] == "idle"
    with Pilot(f"tcp:127.0.0.1:{stack.tcp_port}") as pilot:
        pilot.connect()
        before = len(pilot.plain)
        pilot.set_mode(4)
        pilot.arm(20)
        pilot.take_off(10, 30)
        state = stack.status("drone")["recorder"]
        assert state["state"] == "recording"
        wait_until(lambda: stack.status("drone")["recorder"]["chunks"] > 5, 10, "chunks")
        stack.stop("drone", number=signal.SIGKILL)
        killed = bytes(pilot.plain)
        stack.start("drone")
        wait_until(lambda: len(flights(stack)) == 2, 20, "a new file, for it is armed")
        wait_until(lambda: stack.link_state("drone") == "ok", 20, "the link")
        # The ground knows how far the recording had come when the keys were made.
        pilot.set_mode(9)
        pilot.until(lambda: not pilot.is_armed(), 40, "landed and disarmed")
        wait_until(lambda: stack.status("drone")["recorder"]["state"] == "idle", 15, "its end")
    stack.stop()

    first, second = flights(stack)
    (tlog, verdict), (_, last) = opened(stack, first), opened(stack, second)
    assert (verdict.state, last.state) == (LogState.CUT_SHORT, LogState.CLEAN)
    recorded = frames_of(tlog)
    assert [stamp for stamp, _ in recorded] == sorted(stamp for stamp, _ in recorded)
    assert abs(recorded[-1][0] / 1e6 - first.stat().st_mtime) < 5

    # What came down: as the ground saw it, from before the arming to about a second before the end.
    # Answers to the companion stay aboard, and the ground's numbering does without them.
    def of_autopilot(frames):
        mine = [frame for frame in frames if frame[5:7] == b"\1\1"]
        to_ground = [f for f in mine if f[7:10] != b"\x4d\0\0" or f[18:20] != b"\x01\xbf"]
        return [frame[:4] + frame[5:-2] for frame in to_ground]

    seen = of_autopilot(FrameSplitter().receive(killed))
    down = of_autopilot(frame for _, frame in recorded)
    at = place_of(seen, down)
    both = min(len(seen), len(down) - at)
    assert both > 500
    assert both > len(seen) - 1500
    assert down[at : at + both] == seen[:both]
    assert before > 0
    # What went up: the arming, and nothing that the companion refused.
    up = [frame for _, frame in recorded if frame[5] == 255]
    commands = [frame for frame in up if frame[7:10] == b"\x4c\0\0"]
    assert any(frame[10 + 28 : 10 + 30] == b"\x90\x01" for frame in commands)

    check_export(stack, first, tlog, tmp_path / "flight.tlog")
    check_nothing_shows_the_place(stack, tlog)
    check_audit(stack)


def check_export(stack, path, tlog, out):
    """Through the command, and read by a stranger's software."""
    done = logs(stack, "export", path, "--key", private_key(stack), "--out", out)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == tlog
    with contextlib.closing(mavutil.mavlink_connection(str(out))) as read:
        strange = []
        while (message := read.recv_match()) is not None:
            strange.append(bytes(message.get_msgbuf()))
    assert strange == [frame for _, frame in frames_of(tlog)]


def check_nothing_shows_the_place(stack, tlog):
    """No file aboard has latitude and longitude side by side, as the recording has."""
    latitude, longitude = (struct.pack("<i", int(place * 1e7))[2:] for place in HOME[:2])
    position = re.compile(b".." + re.escape(latitude) + b".." + re.escape(longitude), re.DOTALL)
    assert position.search(tlog)
    files = [path for path in stack.drone_state.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not [path for path in files if position.search(path.read_bytes())]


def check_audit(stack):
    """Both runs, each in a file of its own."""
    events = stack.audit()
    assert {"service", "session", "authority", "key"} <= {event["topic"] for event in events}
    runs = [event["text"] for event in events if event["topic"] == "service"]
    assert runs == ["start 1", "start 2", "stop"]


def test_a_drone_without_a_key_to_seal_to_says_so_and_flies(stack):
    (stack.drone_state / "log-public.key").unlink()
    stack.start()
    stack.await_link()
    status = stack.status("drone")["recorder"]
    assert status["state"] == "unavailable"
    assert "log-public.key" in status["reason"]
    assert "nothing is recorded" in stack.processes["drone"].output
    assert not (stack.drone_state / "logs").exists()


def test_the_ground_is_told_the_head(stack, tmp_path):
    configure(stack, when="always")
    stack.start()
    stack.await_link()
    wait_until(lambda: stack.status("drone")["recorder"]["chunks"] > 3, 20, "chunks")
    stack.stop("ground")
    stack.start("ground")
    stack.await_link()
    head = stack.status("ground")["peers"][NAME]["log_head"]
    assert f"recording, boot 1, head {head}" in stack.processes["ground"].output
    stack.stop()
    (path,) = flights(stack)
    assert logs(stack, "verify", path, "--head", head).returncode == 0
    cut = tmp_path / "0000000001.slog"
    cut.write_bytes(path.read_bytes()[:HEADER_BYTES])
    assert logs(stack, "verify", cut, "--head", head, "--json").stdout.count("HEAD_MISSING") == 1


def test_a_real_recording_cut_anywhere_opens_up_to_there(stack):
    """Two hundred places of a file that the service wrote; every byte: test_sealed_log."""
    configure(stack, when="always")
    stack.start()
    wait_until(lambda: stack.status("drone")["recorder"]["chunks"] > 3, 20, "chunks")
    stack.stop()
    (path,) = flights(stack)
    whole, key = path.read_bytes(), load_log_private(private_key(stack))
    tlog = b"".join(chunk.data for chunk in open_sealed_log(key, whole)[0])
    lengths = set()
    for size in random.Random(4).sample(range(len(whole)), 200):
        chunks, verdict = open_sealed_log(key, whole[:size])
        assert verdict.state is LogState.CUT_SHORT
        opened_part = b"".join(chunk.data for chunk in chunks)
        assert tlog.startswith(opened_part)
        frames_of(opened_part)  # whole frames, or this raises
        lengths.add(len(chunks))
    assert len(lengths) > 3


def test_where_recording_is_required_arming_waits_for_it(stack):
    configure(stack, required=True)
    key = stack.drone_state / "log-public.key"
    key.rename(key.with_suffix(".aside"))
    for is_there in (False, True):
        if is_there:
            key.with_suffix(".aside").rename(key)
        stack.start()
        stack.await_link()
        stack.await_autopilot()
        with Pilot(f"tcp:127.0.0.1:{stack.tcp_port}") as pilot:
            pilot.connect()
            if is_there:
                pilot.arm(30)
            else:
                pilot.set_mode(4)
                pilot.until(
                    lambda pilot=pilot: (
                        pilot.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1)
                        and any("recorder: " in text for text in pilot.texts)
                    ),
                    20,
                    "refused, and why",
                )
                assert not pilot.is_armed()
        stack.stop()


def round_trips(pilot, count):
    """Return how long commands take through everything, sorted. [s]"""
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        pilot.command(mavlink.MAV_CMD_REQUEST_MESSAGE, mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION)
        taken.append(time.perf_counter() - started)
    return sorted(taken)


@pytest.fixture
def disk(tmp_path):
    """A file system of 4 MiB that can be filled, and frozen so that every write to it hangs."""
    image, path = tmp_path / "image", tmp_path / "disk"
    if os.geteuid() != 0 or not all(map(shutil.which, ("mkfs.ext4", "fsfreeze"))):
        pytest.skip("needs root, mkfs.ext4 and fsfreeze")
    path.mkdir()
    image.write_bytes(bytes(4 << 20))
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, path], check=False).returncode:
        pytest.skip("this machine lets nobody mount")
    yield path
    subprocess.run(["fsfreeze", "-u", path], check=False, capture_output=True)
    subprocess.run(["umount", "-l", path], check=True)


def fill(disk):
    """Leave not one byte free; return the file that takes them."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    return ballast


@pytest.mark.parametrize("side", ["drone", "ground"])
def test_a_full_or_frozen_disk_does_not_delay_commands(stack, disk, side):
    settings = {"when": "always", "keep_free_mb": 0, "delete_oldest": False}
    configure(stack, side, dir=str(disk / "logs"), **settings)
    stack.start()
    stack.await_link()

    def recorder():
        status = stack.status(side)
        return (status if side == "drone" else status["peers"][NAME])["recorder"]

    with Pilot(f"tcp:127.0.0.1:{stack.tcp_port}") as pilot:
        pilot.connect()
        taken = {"idle": round_trips(pilot, COMMANDS)}
        ballast = fill(disk)
        wait_until(lambda: recorder()["state"] == "stopped", 10, "the disk is full")
        taken["full"] = round_trips(pilot, COMMANDS)
        if side == "drone":
            pilot.until(
                lambda: any(text.startswith("recorder: recording stopped") for text in pilot.texts),
                5,
                "the operator is told",
            )
        assert recorder()["dropped_frames"] > 0
        ballast.unlink()
        wait_until(lambda: recorder()["state"] == "recording", 15, "it records again")
        subprocess.run(["fsfreeze", "-f", disk], check=True)
        wait_until(lambda: recorder()["waiting"] > 0, 10, "the disk hangs")
        taken["frozen"] = round_trips(pilot, COMMANDS)
        assert recorder()["waiting"] > 0
        subprocess.run(["fsfreeze", "-u", disk], check=True)
        wait_until(lambda: recorder()["waiting"] == 0, 10, "it has caught up")
    stack.stop()
    for name, times in taken.items():
        p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
        print(f"{name}: p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms")
        # Twice the idle one, and room for a busy machine's hiccups: a disk costs seconds here.
        assert p50 < 2 * taken["idle"][len(times) // 2] + 0.01
        assert p99 < 0.5
    directory = disk / "logs" / ("flights" if side == "drone" else f"flights-{NAME}")
    state_dir = stack.drone_state if side == "drone" else stack.ground_state
    states = [opened(stack, path, state_dir)[1].state for path in list_logs(directory)]
    assert states == [LogState.CLEAN, LogState.CLEAN]


WAYPOINT = (-35.3123457, 149.2345679)  # nowhere near


def memory_of(pid):
    """Return what a process has in memory, as its kernel lets root see it."""
    found = []
    regions = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for region in regions:
            span, access = region.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if access.startswith("rw"):
                with contextlib.suppress(OSError, OverflowError, ValueError):
                    memory.seek(start)
                    found.append(memory.read(end - start))
    return b"".join(found)


def test_after_landing_the_mission_is_gone(stack):
    configure(stack, purge_after_landing=True)
    stack.start()
    stack.await_link()
    stack.await_autopilot()
    place = struct.pack("<ii", *(round(part * 1e7) for part in WAYPOINT))
    with Pilot(f"tcp:127.0.0.1:{stack.tcp_port}") as pilot:
        pilot.connect()
        mav, target = pilot.connection.mav, pilot.connection.target_system
        mav.mission_count_send(target, 1, 2)
        for number in range(2):
            pilot.latest.pop("MISSION_REQUEST_INT", None)
            pilot.until(
                lambda number=number: (
                    "MISSION_REQUEST_INT" in pilot.latest or "MISSION_REQUEST" in pilot.latest
                ),
                5,
                "the autopilot asks",
            )
            x, y = struct.unpack("<ii", place)
            mav.mission_item_int_send(target, 1, number, 6, 16, 0, 1, 0, 0, 0, 0, x, y, 10)
            pilot.latest.pop("MISSION_REQUEST", None)
        pilot.until(lambda: "MISSION_ACK" in pilot.latest, 5, "the mission is there")
        pilot.set_mode(4)
        pilot.arm(20)
        pilot.take_off(5, 30)
        pilot.set_mode(9)
        pilot.until(lambda: not pilot.is_armed(), 40, "landed and disarmed")
        gone = "purge: mission, fence and rally points gone"
        pilot.until(lambda: gone in pilot.texts, 10, "the purge")
        pilot.latest.pop("MISSION_COUNT", None)
        mav.mission_request_list_send(target, 1)
        pilot.until(lambda: "MISSION_COUNT" in pilot.latest, 5, "the count")
        assert pilot.latest["MISSION_COUNT"].count <= 1, "home alone"
        wait_until(lambda: stack.status("drone")["recorder"]["state"] == "idle", 15, "its end")
    if os.geteuid() == 0:
        # Python frees memory without wiping it: this is measured, not promised.
        memory = memory_of(stack.processes["drone"].pid)
        assert gone.encode() in memory, "what it said last is found, so the search works"
        left = memory.count(place)
        print(f"copies of the waypoint left in {len(memory) >> 20} MiB of memory: {left}")
    stack.stop()
    tlog = b"".join(opened(stack, path)[0] for path in flights(stack))
    assert place not in tlog, "uploaded before the arming, and nothing from before is kept"
    files = [path for path in stack.drone_state.rglob("*") if path.is_file()]
    assert not [path for path in files if place in path.read_bytes()]
