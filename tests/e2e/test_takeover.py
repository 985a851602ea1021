"""Row 12: the drone's interface goes down and somebody else takes its address and port.

Three network namespaces on one bridge: ground, drone and attacker, with real interfaces. Mutant
killed: the gateway has one socket, connected at its start, for as long as it runs.
"""

import os
import re
import shutil
import subprocess
import sys
import time

import pytest

from tests.e2e.between import BenchAutopilot
from tests.e2e.processes import wait_until
from tests.e2e.stack import NAME

PORT = 14650
DRONE = "10.99.7.2"
# Answers everything that comes to the drone's address: with what it got, with junk, with MAVLink.
IMPOSTOR = f"""
import random, socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)  # a neighbour, as the drone is
sock.bind(("{DRONE}", {PORT}))
print("bound", flush=True)
while True:
    data, sender = sock.recvfrom(65536)
    print("got", len(data), data[0], flush=True)
    for answer in (data, bytes((2, *data[1:])) + bytes(8), random.randbytes(96), b"\\xfd" + data):
        sock.sendto(answer, sender)
"""


def ip(*arguments):
    return subprocess.run(("ip", *arguments), check=True, capture_output=True, timeout=10)


@pytest.fixture
def net():
    """Namespaces `g`, `d` and `a`, each with an interface `e` on one bridge."""
    tag = f"sk{os.getpid() % 100_000}"
    spaces = {name: f"{tag}{name}" for name in "gda"}
    try:
        ip("link", "add", f"{tag}br", "type", "bridge")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("network namespaces take root and the bridge module")
    try:
        ip("link", "set", f"{tag}br", "up")
        for number, (name, space) in enumerate(spaces.items(), 1):
            ip("netns", "add", space)
            outer = f"{tag}{name}"
            ip("link", "add", outer, "type", "veth", "peer", "name", "e", "netns", space)
            ip("link", "set", outer, "master", f"{tag}br", "up")
            address = f"10.99.7.{number}/24" if name != "a" else f"{DRONE}/24"
            ip("-n", space, "addr", "add", address, "dev", "e")
            ip("-n", space, "link", "set", "lo", "up")
            # The attacker takes the drone's hardware address as well.
            mac = f"02:00:00:00:07:0{2 if name == 'a' else number}"
            ip("-n", space, "link", "set", "e", "address", mac)
            if name != "a":
                ip("-n", space, "link", "set", "e", "up")
        yield spaces
    finally:
        for space in spaces.values():
            subprocess.run(("ip", "netns", "del", space), capture_output=True, timeout=10)
        ip("link", "del", f"{tag}br")


def start_in(net, bench, monkeypatch):
    """Start drone and ground, each in its own namespace."""
    drone, ground = bench.configs["drone"], bench.configs["ground"]
    drone.write_text(re.sub(r'bind = ".*"', f'bind = "{DRONE}:{PORT}"', drone.read_text()))
    ground.write_text(
        re.sub(r'\naddress = ".*"', f'\naddress = "{DRONE}:{PORT}"', ground.read_text())
    )
    for kind in ("drone", "ground"):
        prefix = ("ip", "netns", "exec", net[kind[0]], sys.executable, "-m", "sekisho")
        monkeypatch.setattr("tests.e2e.stack.SEKISHO", prefix)
        bench.start(kind)


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ip") is None, reason="no `ip`")
def test_threat_12_takeover_of_the_address(net, bench, line, monkeypatch):
    with BenchAutopilot(line) as autopilot:
        start_in(net, bench, monkeypatch)
        bench.await_link()
        bench.await_autopilot()
        generation = bench.status("ground")["link"]["generation"]

        ip("-n", net["d"], "link", "set", "e", "down")
        ip("-n", net["a"], "link", "set", "e", "up")
        argv = ("ip", "netns", "exec", net["a"], sys.executable, "-uc", IMPOSTOR)
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as impostor:
            try:
                wait_until(lambda: bench.link_state("ground") == "lost", 5, "the ground notices")
                for _ in range(40):
                    time.sleep(0.1)
                    assert bench.link_state("ground") == "lost"
                ip("-n", net["a"], "link", "set", "e", "down")
                ip("-n", net["d"], "link", "set", "e", "up")
            finally:
                impostor.kill()
            said = impostor.stdout.read().decode()
        up_again = time.monotonic()
        bench.await_link(30)
        print(f"back after {time.monotonic() - up_again:.1f} s")
        assert said.count("got") > 5, "the ground did send to the impostor"
        dropped = bench.status("ground")["peers"][NAME]["link"]["dropped"]
        assert dropped["plaintext_mavlink"] > 0
        assert dropped["bad_mac"] > 0 or dropped["malformed"] > 0
        assert bench.status("ground")["link"]["generation"] >= generation
        assert autopilot.take() == []


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ip") is None, reason="no `ip`")
def test_the_ground_has_no_address_at_first_and_then_another(net, bench, line, monkeypatch):
    """A laptop on Wi-Fi: the gateway starts before the network, which then gives it a new lease."""
    ip("-n", net["g"], "addr", "del", "10.99.7.1/24", "dev", "e")
    with BenchAutopilot(line):
        start_in(net, bench, monkeypatch)
        ip("-n", net["g"], "addr", "add", "10.99.7.1/24", "dev", "e")
        bench.await_link(10)
        ip("-n", net["g"], "addr", "del", "10.99.7.1/24", "dev", "e")
        wait_until(lambda: bench.link_state("ground") == "lost", 5, "the ground notices")
        ip("-n", net["g"], "addr", "add", "10.99.7.77/24", "dev", "e")
        bench.await_link(10)
