"""Network namespaces on this machine: a place that looks like the internet, and who is on the air.

Whoever makes namespaces is root, or `unshare -rn` gave it one of its own.
"""

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_CLONE_NEWNET = 0x40000000
_ETH_P_ALL = 3
_libc = ctypes.CDLL(None, use_errno=True)


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, timeout=10)


def can_make_namespaces() -> bool:
    """Tell whether this process may make network namespaces joined by veth."""
    name = f"sekisho-try-{os.getpid()}"
    try:
        _run("ip", "netns", "add", name)
        _run("ip", "-n", name, "link", "add", "name", "one", "type", "veth")
    except (OSError, subprocess.CalledProcessError):
        return False
    finally:
        with contextlib.suppress(OSError):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return True


class Namespace:
    """One host. Sockets and processes made `inside` it are its own."""

    def __init__(self, name: str) -> None:
        self.name = f"sekisho-{os.getpid()}-{name}"
        _run("ip", "netns", "add", self.name)
        # The kernel's own IPv6 chatter is not what is looked for.
        self.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        self.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        self.ip("link set lo up")

    def ip(self, command: str) -> None:
        _run("ip", "-n", self.name, *command.split())

    def run(self, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program in it to its end."""
        argv = ("ip", "netns", "exec", self.name, *map(str, argv))
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)

    def sysctl(self, key: str, value: int) -> None:
        path = f"/proc/sys/{key.replace('.', '/')}"
        with self.inside():
            Path(path).write_text(str(value))

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Let this thread, and what it starts meanwhile, be in the namespace."""
        here = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            _enter(there)
            yield
        finally:
            _enter(here)
            os.close(here)
            os.close(there)

    def sockets(self) -> set[tuple[str, str, str]]:
        """Return (kind, local, remote) of every Internet socket, as a listing would show it."""
        found = set()
        with self.inside():
            # The thread's own view: /proc/net follows the process's first thread.
            own = Path(f"/proc/self/task/{threading.get_native_id()}/net")
            for kind in ("udp", "tcp", "udp6", "tcp6", "raw", "raw6"):
                with contextlib.suppress(FileNotFoundError):
                    for line in (own / kind).read_text().splitlines()[1:]:
                        _, local, remote = line.split()[:3]
                        found.add((kind, _address(local), _address(remote)))
        return found

    def delete(self) -> None:
        _run("ip", "netns", "del", self.name)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _address(text: str) -> str:
    host, port = text.split(":")
    if len(host) == 8:
        host = socket.inet_ntoa(struct.pack("=I", int(host, 16)))
    return f"{host}:{int(port, 16)}"


def join(one: Namespace, other: Namespace, interfaces: tuple[str, str] = ("air", "air")) -> None:
    """Lay a cable between two hosts."""
    near, far = interfaces
    one.ip(f"link add name {near} type veth peer name {far} netns {other.name}")
    for host, interface in ((one, near), (other, far)):
        host.ip(f"link set {interface} up")


class Frame(NamedTuple):
    """What was sent, as the link layer saw it; ports are 0 where there are none."""

    interface: str
    ethertype: int
    protocol: int
    source: tuple[str, int]
    target: tuple[str, int]
    ttl: int
    size: int


class Capture:
    """Every frame that one host sends, and everything on its loopback, from now on."""

    def __init__(self, host: Namespace) -> None:
        with host.inside():
            kind = socket.SOCK_RAW
            self._socket = socket.socket(socket.AF_PACKET, kind, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 25)
        self._socket.settimeout(0.1)
        self.frames: list[Frame] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        while True:
            try:
                frame, (interface, ethertype, direction, *_) = self._socket.recvfrom(65536)
            except TimeoutError:
                if self._ended.is_set():
                    return
                continue
            if direction == socket.PACKET_OUTGOING:
                self.frames.append(_parse(interface, ethertype, frame))

    def stop(self) -> list[Frame]:
        """Stop; return what was sent."""
        self._ended.set()
        self._thread.join()
        self._socket.close()
        return self.frames


def _parse(interface: str, ethertype: int, frame: bytes) -> Frame:
    if ethertype != 0x0800:
        return Frame(interface, ethertype, 0, ("", 0), ("", 0), 0, len(frame))
    ip = frame[14:]
    header = (ip[0] & 15) * 4
    ports = struct.unpack_from("!HH", ip, header) if ip[9] in (6, 17) else (0, 0)
    hosts = socket.inet_ntoa(ip[12:16]), socket.inet_ntoa(ip[16:20])
    ends = tuple(zip(hosts, ports, strict=True))
    return Frame(interface, ethertype, ip[9], ends[0], ends[1], ip[8], len(frame))
