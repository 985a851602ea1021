"""The services under a service manager, which is the test: told, fed, hung, ended, started again.

Also what a collector reads on loopback, and a drone whose network comes up after it.

Mutants killed: no traceback when aborted; the address not taken before it exists.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from sekisho.runtime import query, socket_path
from tests.e2e.between import BenchAutopilot
from tests.e2e.processes import ENVIRONMENT, Process, wait_until
from tests.e2e.stack import NAME, free_ports

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PATIENCE_S = 1.2
# A service whose loop hangs, busily and for ever, when it is told to.
HANGS = """
import signal, sys
def hang(*_):
    while True: pass
signal.signal(signal.SIGUSR1, hang)
from sekisho.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Manager:
    """What systemd would be: it listens, and knows when it was last told that all is well."""

    def __init__(self, path: Path, monkeypatch) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0)
        self.said: list[str] = []
        monkeypatch.setitem(ENVIRONMENT, "NOTIFY_SOCKET", str(path))
        monkeypatch.setitem(ENVIRONMENT, "WATCHDOG_USEC", str(int(PATIENCE_S * 1e6)))

    def read(self) -> list[str]:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.said += self._socket.recv(4096).decode().split("\n")
        return self.said

    def starve(self) -> float:
        """Wait until nothing has come for as long as the patience lasts; return when."""
        begin = last = time.monotonic()
        count = len(self.read())
        while time.monotonic() - last < PATIENCE_S:
            assert time.monotonic() - begin < 10, "it is fed for ever"
            time.sleep(0.02)
            if len(self.read()) != count:
                count, last = len(self.said), time.monotonic()
        return time.monotonic() - begin

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path, monkeypatch):
    manager = Manager(tmp_path / "notify", monkeypatch)
    yield manager
    manager.close()


@pytest.mark.parametrize("kind", ["drone", "ground"])
def test_told_fed_and_told_of_the_end(kind, bench, manager):
    bench.start(kind)
    wait_until(lambda: manager.read().count("WATCHDOG=1") > 2, 5, "it feeds the watchdog")
    assert manager.said[0] == "READY=1"
    assert manager.said[1].startswith("STATUS=")
    assert manager.said.count("READY=1") == 1
    if kind == "drone":
        assert "autopilot silent; link; 0 of 1 stations live; in command: nobody" in manager.said[1]
    assert bench.stop(kind) == 0
    assert "STOPPING=1" in manager.read()


def test_ready_means_that_the_link_is_open(bench, manager):
    argv = [sys.executable, "-m", "sekisho", "drone", "--config", bench.configs["drone"]]
    bench.processes["drone"] = Process("drone", argv, bench.configs["drone"].parent)
    wait_until(lambda: "READY=1" in manager.read(), 15, "ready", every_s=0)
    taken = Path("/proc/net/udp").read_text()
    assert f"0100007F:{bench.link_port:04X}" in taken
    assert bench.try_status("drone")["autopilot"]["line"] == "open"


def test_stopped_it_is_not_fed_and_continued_it_is_again(bench, manager):
    bench.start("drone")
    wait_until(lambda: "WATCHDOG=1" in manager.read(), 5, "fed")
    bench.processes["drone"].send_signal(signal.SIGSTOP)
    assert manager.starve() < PATIENCE_S + 0.5
    bench.processes["drone"].send_signal(signal.SIGCONT)
    count = len(manager.said)
    wait_until(lambda: "WATCHDOG=1" in manager.read()[count:], 5, "fed again")
    assert bench.status("drone")["service"]["late_s"] > PATIENCE_S / 2


@pytest.mark.parametrize("kind", ["drone", "ground"])
def test_a_loop_that_hangs_is_ended_and_says_where_it_was(kind, bench, manager, line):
    with BenchAutopilot(line):
        bench.start({"drone": "ground", "ground": "drone"}[kind])
        argv = [sys.executable, "-c", HANGS, kind, "--config", bench.configs[kind]]
        bench.processes[kind] = Process(kind, argv, bench.configs[kind].parent)
        wait_until(lambda: bench.try_status(kind), 15, f"{kind} answers")
        bench.await_link()
        manager.read()
        bench.processes[kind].send_signal(signal.SIGUSR1)
        # The other one is fed all along: tell them apart by who still works.
        time.sleep(PATIENCE_S)
        bench.processes[kind].send_signal(signal.SIGABRT)
        assert bench.processes[kind].wait() == -signal.SIGABRT
        said = bench.processes[kind].output
        assert "Fatal Python error: Aborted" in said
        assert "in hang" in said
        assert not list(bench.configs[kind].parent.glob("core*"))
        bench.stop(kind)
        bench.start(kind)
        bench.await_link()


def test_a_hung_loop_feeds_nothing(bench, manager):
    argv = [sys.executable, "-c", HANGS, "drone", "--config", bench.configs["drone"]]
    bench.processes["drone"] = Process("drone", argv, bench.configs["drone"].parent)
    wait_until(lambda: manager.read().count("WATCHDOG=1") > 1, 15, "fed")
    bench.processes["drone"].send_signal(signal.SIGUSR1)
    assert manager.starve() < PATIENCE_S + 0.5
    assert bench.stop("drone", number=signal.SIGKILL) == -signal.SIGKILL


def scrape(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")
    }


def test_a_collector_reads_what_status_says_and_no_secret(bench, line):
    ports = dict(zip(("drone", "ground"), free_ports(2), strict=True))
    for kind, port in ports.items():
        with bench.configs[kind].open("a") as config:
            config.write(f'[service]\nmetrics = "127.0.0.1:{port}"\nlog = "json"\n')
    with BenchAutopilot(line), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        bench.start()
        bench.await_link()
        bench.await_autopilot()
        for _ in range(7):
            stranger.sendto(b"\xfd" + bytes(20), ("127.0.0.1", bench.link_port))
        wait_until(lambda: bench.dropped("drone").get("plaintext_mavlink") == 7, 5, "counted")
        drone, ground = scrape(ports["drone"]), scrape(ports["ground"])
        texts = [
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
            for port in ports.values()
        ]
    assert drone['sekisho_drone_link_dropped_total{reason="plaintext_mavlink"}'] == 7
    assert drone['sekisho_drone_autopilot_state{value="disarmed"}'] == 1
    assert drone["sekisho_drone_autopilot_frames_total"] > 0
    assert ground[f'sekisho_ground_peers_state{{peer="{NAME}",value="live"}}'] == 1
    for table in ("authority", "failsafe", "monitor", "recorder", "link", "service"):
        assert any(name.startswith(f"sekisho_drone_{table}_") for name in drone), table
    secrets = [
        word
        for state in (bench.drone_state, bench.ground_state)
        for path in state.rglob("*.*")
        if path.suffix in (".key", ".pair")
        for word in re.findall(r'"([A-Za-z0-9+/]{43}=)"', path.read_text())
    ]
    assert len(secrets) > 4
    bench.stop()
    logs = [line for said in bench.said for line in said.splitlines()[1:]]
    assert all(set(json.loads(line)) >= {"ts", "level", "logger", "message"} for line in logs)
    assert any("waiting for 1 paired" in line for line in logs)
    assert [word for word in secrets for text in (*texts, *logs) if word in text] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="an address is added to an interface: takes root")
def test_a_drone_that_starts_before_its_network(bench, line, manager):
    def in_namespace(*argv):
        return ["ip", "netns", "exec", name, *argv]

    name = f"sekisho-{os.getpid()}"
    address = "169.254.77.1"
    config = bench.configs["drone"]
    there, waits = config.read_text().replace("127.0.0.1", address), "wait_for_address = true"
    config.write_text(there)
    refused = subprocess.run(
        [sys.executable, "-m", "sekisho", "drone", "--config", config],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (refused.returncode, waits in refused.stderr) == (2, True), refused.stderr
    config.write_text(there.replace("[link.udp]", f"[link.udp]\n{waits}"))
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(in_namespace("ip", "link", "set", "lo", "up"), check=True)
    try:
        argv = in_namespace(sys.executable, "-m", "sekisho", "drone", "--config", config)
        bench.processes["drone"] = Process("drone", argv, config.parent)
        wait_until(lambda: "READY=1" in manager.read(), 15, "ready")
        waiting = f"waiting for the address {address}:{bench.link_port}"
        assert any(waiting in said for said in manager.said), manager.said
        assert json.loads(query(socket_path("drone", bench.drone_state)))["address"] == "absent"
        subprocess.run(in_namespace("ip", "addr", "add", f"{address}/32", "dev", "lo"), check=True)
        wait_until(lambda: waiting not in [s for s in manager.read() if "STATUS" in s][-1], 5, "up")
        knock = (
            "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
            f"s.sendto(b'x', ('{address}', {bench.link_port}))"
        )
        subprocess.run(in_namespace(sys.executable, "-c", knock), check=True)
        # Not from 127/8 and with an ordinary TTL: a router may have seen it.
        wait_until(lambda: bench.dropped("drone") == {"not_local": 1}, 5, "heard, and refused")
        assert bench.status("drone")["address"] == "present"
    finally:
        bench.stop()
        subprocess.run(["ip", "netns", "del", name], check=True)
