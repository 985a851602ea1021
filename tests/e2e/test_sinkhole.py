"""Nothing leaves the site (R17-R23): the drone in a namespace where the internet seems to work.

The other host of the namespace owns every address there is and answers every question. Whatever the
drone sends is captured; a leaky program is caught in the same place, or the harness proves nothing.

Mutants killed: a datagram sent elsewhere by the service, once, at its end; the link's TTL left at
64; TTL 254 accepted; the policy of the output chain, or of the forward chain, `accept`.
"""

import contextlib
import re
import shutil
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.e2e.network import Capture, Namespace, can_make_namespaces, join
from tests.e2e.pilot import Pilot
from tests.e2e.processes import Process, wait_until
from tests.e2e.stack import NAME, Stack
from tests.e2e.vehicles import EmbeddedAutopilot, Line

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(not can_make_namespaces(), reason="network namespaces take root"),
]

RULES = Path(__file__).parents[2] / "packaging/nftables/sekisho.nft"
IP_PKTINFO = 8
DRONE, GROUND = "192.168.50.1", "192.168.50.2"
# The drone, telling of every name that it has resolved.
WATCHED = """
import os, sys
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        os.write(2, b"RESOLVED %r\\n" % (arguments,))
sys.addaudithook(watch)
from sekisho.cli import main
sys.exit(main(sys.argv[1:]))
"""
LEAKS = """
import contextlib, socket
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for host, port in (("198.51.100.7", 443), ("192.168.50.2", 9), ("255.255.255.255", 9),
                   ("224.0.0.251", 5353), ("9.9.9.9", 53)):
    with contextlib.suppress(OSError):
        udp.sendto(b"position", (host, port))
with contextlib.suppress(OSError):
    socket.create_connection(("198.51.100.8", 80), 2).close()
with contextlib.suppress(OSError):
    socket.getaddrinfo("telemetry.example", 443)
"""


@pytest.fixture
def site():
    """The drone's host, and the world, where the ground station is too."""
    drone, world = Namespace("drone"), Namespace("world")
    try:
        join(drone, world)
        drone.ip(f"addr add {DRONE}/24 dev air")
        drone.ip(f"route add default via {GROUND}")
        world.ip(f"addr add {GROUND}/24 dev air")
        world.ip("route add local 0.0.0.0/0 dev lo")  # every address is here
        with answering(world):
            yield drone, world
    finally:
        drone.delete()
        world.delete()


@contextlib.contextmanager
def answering(world):
    """Answer whatever is asked on the ports that programs call home on."""
    with world.inside(), contextlib.ExitStack() as held:
        servers = []
        for kind, port in ((socket.SOCK_DGRAM, 53), (socket.SOCK_STREAM, 80)):
            server = held.enter_context(socket.socket(socket.AF_INET, kind))
            server.bind(("0.0.0.0", port))
            server.settimeout(0.02)
            servers.append(server)
        servers[0].setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        servers[1].listen()
        ended = threading.Event()

        def serve():
            dns, web = servers
            while not ended.is_set():
                with contextlib.suppress(OSError):
                    asked, info, _, sender = dns.recvmsg(2048, 64)
                    record = bytes.fromhex("c00c000100010000003c0004c6336407")
                    head = asked[:2] + b"\x81\x80" + asked[4:6] + b"\0\1\0\0\0\0"
                    # From the address that was asked, whichever that was.
                    asked_at = bytes(4) + info[0][2][8:12] + bytes(4)
                    info = [(socket.IPPROTO_IP, IP_PKTINFO, asked_at)]
                    dns.sendmsg([head + asked[12:] + record], info, 0, sender)
                with contextlib.suppress(OSError):
                    web.accept()[0].close()

        thread = threading.Thread(target=serve)
        thread.start()
        here = held.pop_all()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        here.close()


@pytest.fixture
def stack(tmp_path, site):
    """The product at that site; the pilot's ground software is on the ground's loopback."""
    drone, _ = site
    with drone.inside():
        vehicle = EmbeddedAutopilot(tmp_path)
    stack = Stack(tmp_path / "stack", vehicle.device)
    for config in stack.configs.values():
        text = config.read_text()
        config.write_text(
            text.replace(f"127.0.0.1:{stack.link_port}", f"{DRONE}:{stack.link_port}")
        )
    yield stack
    print(stack.report())
    vehicle.stop()


def start_drone(stack, host):
    argv = [sys.executable, "-c", WATCHED, "drone", "--config", stack.configs["drone"]]
    with host.inside():
        stack.processes["drone"] = Process("drone", argv, stack.configs["drone"].parent)
    wait_until(lambda: stack.try_status("drone"), 15, "drone answers")


def outside(frames, port):
    """What was sent to anyone but the ground station, on the link's port, as it should be."""
    return [
        frame
        for frame in frames
        if not (frame.interface == "air" and frame.ethertype == 0x0806)  # ARP
        and (frame.interface, frame.protocol, frame.source, frame.target[0], frame.ttl)
        != ("air", 17, (DRONE, port), GROUND, 255)
    ]


def fly(stack):
    with Pilot(f"tcp:127.0.0.1:{stack.tcp_port}") as pilot:
        pilot.connect()
        pilot.set_mode(4)
        pilot.arm(30)
        pilot.take_off(5, 30)
        pilot.set_mode(9)  # LAND
        pilot.until(lambda: not pilot.is_armed(), 40, "landed")


def test_nothing_leaves_from_boot_to_shutdown(site, stack):
    drone, world = site
    capture = Capture(drone)
    start_drone(stack, drone)
    time.sleep(2)  # idle, nobody there
    with world.inside():
        stack.start("ground")
        stack.await_link()
        stack.await_autopilot()
        fly(stack)
        # Error paths: strangers, garbage, the ground gone, a collector's port asked for nothing.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
            for size in range(0, 200, 7):
                stranger.sendto(b"\x01" * size, (DRONE, stack.link_port))
    ground = world.sockets()
    aboard = drone.sockets()
    stack.stop("ground", number=signal.SIGKILL)
    time.sleep(1.5)
    assert stack.stop("drone") == 0
    frames = capture.stop()
    assert len(frames) > 100
    assert outside(frames, stack.link_port) == []
    assert "RESOLVED" not in "".join(stack.said)
    # What listens (R19): the golden list. The world's own two servers are the harness's.
    here = f"{DRONE}:{stack.link_port}"
    (calling,) = (local for _, local, remote in ground if remote == here)
    assert aboard == {("udp", here, "0.0.0.0:0"), ("udp", here, calling)}
    listening = {(kind, local) for kind, local, remote in ground if remote == "0.0.0.0:0"}
    assert listening - {("udp", "0.0.0.0:53"), ("tcp", "0.0.0.0:80")} == {
        ("udp", f"127.0.0.1:{stack.udp_port}"),
        ("tcp", f"127.0.0.1:{stack.tcp_port}"),
        ("tcp", f"127.0.0.1:{stack.console_port}"),
    }
    called = {remote for kind, _, remote in ground if kind == "udp" and remote != "0.0.0.0:0"}
    assert called == {here, f"127.0.0.1:{stack.out_port}"}


def test_a_leaky_program_is_caught(site):
    drone, _ = site
    capture = Capture(drone)
    assert drone.run(sys.executable, "-c", LEAKS).returncode == 0
    time.sleep(0.3)
    leaked = outside(capture.stop(), 14610)
    assert {(frame.protocol, frame.target) for frame in leaked} >= {
        (17, ("198.51.100.7", 443)),
        (17, (GROUND, 9)),
        (17, ("255.255.255.255", 9)),
        (17, ("224.0.0.251", 5353)),
        (17, ("9.9.9.9", 53)),
        (6, ("198.51.100.8", 80)),
    }
    assert sum(frame.target[1] == 53 for frame in leaked) > 1, "no look-up was seen"


@pytest.fixture
def rules(tmp_path):
    """The shipped ruleset, for an interface and a port that are here."""
    if shutil.which("nft") is None:
        pytest.skip("no nft here (apt install nftables)")

    def write(port=14610, interface="air"):
        text, count = re.subn(
            r'(?s)"wlan0"(.*)link_port = 14610',
            rf'"{interface}"\1link_port = {port}',
            RULES.read_text(),
        )
        assert count == 1
        path = tmp_path / "sekisho.nft"
        path.write_text(text)
        return path

    return write


def test_behind_the_ruleset_a_hostile_program_sends_nothing(site, rules):
    drone, _ = site
    loaded = drone.run("nft", "-f", rules())
    assert (loaded.returncode, loaded.stderr) == (0, "")
    assert drone.run("nft", "-f", rules()).returncode == 0  # it replaces itself
    capture = Capture(drone)
    assert drone.run(sys.executable, "-c", LEAKS).returncode == 0
    time.sleep(0.3)
    assert [frame for frame in capture.stop() if frame.interface != "lo"] == []


def test_behind_the_ruleset_the_link_works_and_a_stranger_does_not(site, stack, rules):
    drone, world = site
    assert drone.run("nft", "-f", rules(stack.link_port)).returncode == 0
    start_drone(stack, drone)
    with world.inside():
        stack.start("ground")
        stack.await_link()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"x", (DRONE, stack.link_port))  # TTL 64
    time.sleep(0.3)
    assert "not_local" not in stack.dropped("drone")  # not even seen
    assert world.run("ping", "-c1", "-W1", DRONE).returncode != 0
    assert stack.status("ground")["peers"][NAME]["state"] == "live"


@pytest.mark.skipif(shutil.which("ping") is None, reason="no ping here")
def test_the_drone_is_no_router(site, rules):
    drone, world = site
    other = Namespace("other")
    try:
        join(drone, other, ("wired", "wired"))
        drone.ip("addr add 10.9.0.1/24 dev wired")
        other.ip("addr add 10.9.0.2/24 dev wired")
        other.ip("route add default via 10.9.0.1")
        world.ip("route del local 0.0.0.0/0 dev lo")
        world.ip(f"route add 10.9.0.0/24 via {DRONE}")
        drone.sysctl("net.ipv4.ip_forward", 1)  # as some other program may have set it
        assert other.run("ping", "-c1", "-W1", GROUND).returncode == 0, "control: it would route"
        assert drone.run("nft", "-f", rules()).returncode == 0
        assert other.run("ping", "-c1", "-W1", GROUND).returncode != 0
        assert world.run("ping", "-c1", "-W1", "10.9.0.2").returncode != 0
    finally:
        other.delete()


def test_whatever_a_router_has_passed_on_is_not_heard(site, tmp_path):
    """R21: an attacker one router away tries every TTL; a neighbour with the highest is heard."""
    drone, world = site
    attacker = Namespace("attacker")
    line = Line()
    stack = Stack(tmp_path / "stack", line.device)
    config = stack.configs["drone"]
    config.write_text(config.read_text().replace("127.0.0.1", DRONE))
    target = (DRONE, stack.link_port)

    def send(ttl):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            sender.sendto(b"\xfd" * 30, target)

    try:
        join(world, attacker, ("far", "far"))
        world.ip("addr add 10.8.0.1/24 dev far")
        attacker.ip("addr add 10.8.0.2/24 dev far")
        attacker.ip("route add default via 10.8.0.1")
        world.sysctl("net.ipv4.ip_forward", 1)
        world.ip("route del local 0.0.0.0/0 dev lo")
        start_drone(stack, drone)
        with attacker.inside():
            for ttl in range(1, 256):
                send(ttl)
        # With 1 the router itself ends it.
        wait_until(lambda: stack.dropped("drone").get("not_local", 0) >= 254, 5, "all have arrived")
        assert stack.dropped("drone") == {"not_local": 254}
        with world.inside():
            send(255)
        wait_until(
            lambda: "plaintext_mavlink" in stack.dropped("drone"), 5, "the neighbour is heard"
        )
        assert stack.dropped("drone") == {"not_local": 254, "plaintext_mavlink": 1}
    finally:
        print(stack.report())
        line.close()
        attacker.delete()
