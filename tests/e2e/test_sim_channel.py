"""`sekisho channel` between two real sockets: what it does to them, and how it fails."""

import json
import signal
import socket
import sys
import time

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
    argv = ["channel", "--script", path, "--listen", "127.0.0.1:0", "--json", *arguments]
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
