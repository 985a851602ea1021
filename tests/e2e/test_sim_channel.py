"""`sekisho channel` between real sockets and terminals: what it does to them, how it fails."""

import json
import os
import signal
import socket
import sys
import time
import tty

import pytest

from tests.e2e.processes import Process

pytestmark = pytest.mark.e2e

SCRIPT = """
seed = 3
[[phase]]
at = 0
conditions = {}
[[phase]]
at = 1
ways = ["forth"]
conditions = { blackout = true }
[[phase]]
at = 2
conditions = { replay_per_s = 100 }
"""


def channel(directory, script: str, *arguments: str) -> Process:
    path = directory / "script.toml"
    path.write_text(script)
    argv = ["channel", "--script", path, "--json", *arguments]
    if "--to" in arguments:
        argv += ["--listen", "127.0.0.1:0"]
    return Process("channel", [sys.executable, "-m", "sekisho", *argv], directory)


@pytest.fixture
def ends():
    near, far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for end in (near, far):
        end.bind(("127.0.0.1", 0))
        end.settimeout(5.0)
    yield near, far
    near.close()
    far.close()


def drain(end: socket.socket, seconds: float) -> list[bytes]:
    got, until = [], time.monotonic() + seconds
    end.settimeout(0.1)
    while time.monotonic() < until:
        try:
            got.append(end.recv(2048))
        except TimeoutError:
            continue
    return got


def test_datagrams_pass_vanish_and_return(tmp_path, ends):
    near, far = ends
    kept = tmp_path / "kept"
    port = far.getsockname()[1]
    proxy = channel(tmp_path, SCRIPT, "--to", f"127.0.0.1:{port}", "--keep", str(kept))
    proxy.expect("127.0.0.1:", 20)
    host, _, number = proxy.output.split()[0].rpartition(":")
    address = (host, int(number))
    near.sendto(b"up", address)
    data, sender = far.recvfrom(2048)
    assert data == b"up"
    far.sendto(b"down", sender)
    assert near.recv(2048) == b"down"
    time.sleep(1.2)
    near.sendto(b"lost", address)
    assert drain(far, 0.5) == []
    got = drain(far, 2.0)
    assert len(got) > 20  # heard once, played a hundred times a second
    assert set(got) == {b"up"}
    assert proxy.stop(signal.SIGINT) == 130
    told = json.loads(proxy.output[proxy.output.index("{") :])
    assert told["counts"]["blacked out"] == 1
    assert told["counts"]["replayed"] > 20
    assert kept.read_text().splitlines() == ["forth 7570", "back 646f776e"]


@pytest.mark.parametrize(
    ("script", "wrong"),
    [
        ("[[phase]]\nat = 0\nconditions = { los = 0.1 }", "los = 0.1: unknown key"),
        ("[[phase]]\nat = 0\nconditions = { loss = 1.5 }", "loss = 1.5"),
        ("[[phase]]\nat = 2\nconditions = {}\n[[phase]]\nat = 1\nconditions = {}", "later"),
    ],
)
def test_a_wrong_script_is_named(tmp_path, script, wrong):
    proxy = channel(tmp_path, script, "--to", "127.0.0.1:9")
    assert proxy.wait(20) == 2
    assert "script.toml" in proxy.output
    assert wrong in proxy.output
    proxy.stop()


LINE = """
[[phase]]
at = 0
conditions = { bytes_per_s = 2000, buffer_bytes = 4096 }
[[phase]]
at = 3
conditions = { blackout = true }
[[phase]]
at = 5
conditions = { flip = 1.0 }
"""


def opened(path):
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(fd)
    os.set_blocking(fd, False)
    return fd


def take(fd, size, seconds):
    """Read up to `size` bytes; return them and how long it took [s]."""
    data, begun = b"", time.monotonic()
    while len(data) < size and time.monotonic() < begun + seconds:
        try:
            data += os.read(fd, size - len(data))
        except BlockingIOError:
            time.sleep(0.005)
    return data, time.monotonic() - begun


def test_a_radio_between_two_terminals_is_slow_cut_and_noisy(tmp_path):
    near, far = tmp_path / "near", tmp_path / "far"
    proxy = channel(tmp_path, LINE, "--listen-tty", str(near), "--to-tty", str(far))
    proxy.expect(str(far), 20)
    ends = [opened(near), opened(far)]
    sent = bytes(range(200)) * 15
    os.write(ends[0], sent)  # 3,000 bytes at 2,000 a second
    begun = time.monotonic()
    got, took = take(ends[1], len(sent), 30.0)
    assert got == sent
    assert took > 1.2
    time.sleep(max(0.0, begun + 3.5 - time.monotonic()))
    os.write(ends[0], b"cut")
    assert take(ends[1], 3, 0.5)[0] == b""
    time.sleep(max(0.0, begun + 5.5 - time.monotonic()))
    os.write(ends[1], bytes(64))
    noisy, _ = take(ends[0], 64, 10.0)
    assert len(noisy) == 64
    assert 1 <= sum(byte.bit_count() for byte in noisy) <= 3
    for fd in ends:
        os.close(fd)
    assert proxy.stop(signal.SIGTERM) == 0
    assert json.loads(proxy.output[proxy.output.index("{") :])["counts"]["blacked out"] == 1
    assert not near.is_symlink()


@pytest.mark.parametrize(
    "arguments", [(), ("--to", "127.0.0.1:9", "--to-tty", "/tmp/x"), ("--listen-tty", "/tmp/x")]
)
def test_half_a_link_is_refused(tmp_path, arguments):
    proxy = channel(tmp_path, SCRIPT, *arguments)
    assert proxy.wait(20) == 2
    assert "--listen-tty and --to-tty" in proxy.output
    proxy.stop()


def test_a_file_is_no_link_to_be_replaced(tmp_path):
    (tmp_path / "near").write_text("precious")
    proxy = channel(
        tmp_path, SCRIPT, "--listen-tty", str(tmp_path / "near"), "--to-tty", str(tmp_path / "far")
    )
    assert proxy.wait(20) == 2
    assert "not a symbolic link" in proxy.output
    assert (tmp_path / "near").read_text() == "precious"
    proxy.stop()
