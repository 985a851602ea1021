"""The machine's side of `sekisho doctor`: what is looked at, and the exact fix.

`root` is where /proc, /sys and /dev are found.
"""

import errno
import grp
import os
import pwd
import resource
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Final, NamedTuple

from crypto.aio.files import StoreError, private_directory
from crypto.aio.store import Store
from flightcore.config import UDP_DEVICE, DroneConfig
from flightcore.port_scan import AUTO, BAUDS
from wire.locality import parse_local

_LIBRARIES: Final = ("cryptography", "fastcrc", "msgspec", "pymavlink", "pyserial")
_EARLIEST_S: Final = 1_767_225_600  # 2026-01-01: a wall clock before that has not been set
_RTC_OFF_S: Final = 60
_CAP_SYS_NICE: Final = 1 << 23
_NETLINK_NETFILTER: Final = 12
_NFT_GET_TABLE: Final = 10 << 8 | 1
_REQUEST_DUMP: Final = 0x301
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3
_KERNEL_S: Final = 2.0


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


class Finding(NamedTuple):
    """One thing that was looked at; `fix` is empty if nothing has to be done."""

    name: str
    level: Level
    text: str
    fix: str = ""


Check = Callable[[DroneConfig, Path], Iterator[Finding]]


def state(config: DroneConfig, _: Path) -> Iterator[Finding]:
    """Look at the state directory and at who is paired."""
    directory = config.state_dir
    try:
        with private_directory(directory):
            peers = Store(directory).peers()
    except (OSError, StoreError) as error:
        fix = f"sudo install -d -m 700 -o {_user()} {directory}"
        yield Finding("state.dir", Level.WRONG, str(error), fix)
        return
    if os.access(directory, os.W_OK):
        yield Finding("state.dir", Level.OK, f"{directory}: private and writable")
    else:
        text = f"{directory}: cannot be written: neither keys nor who commands can change"
        yield Finding("state.dir", Level.WRONG, text, f"mount -o remount,rw {directory}")
    if peers:
        yield Finding("pairs", Level.OK, ", ".join(peers))
    else:
        fix = "sekisho pair drone --config drone.toml --listen ADDRESS:14611 --role commander"
        yield Finding("pairs", Level.WRONG, "no ground station is paired with this drone", fix)


def line(config: DroneConfig, root: Path, service_pid: int | None) -> Iterator[Finding]:
    """Look at the autopilot's serial device, which the running service may have open."""
    name, device = "autopilot.device", config.autopilot.device
    if device == AUTO or device.startswith(UDP_DEVICE):
        yield Finding(name, Level.OK, f"{device}: nothing to look at before it runs")
        return
    path = Path(device)
    if not path.exists():
        fix = "connect the autopilot; on a Raspberry Pi: raspi-config, serial port on, console off"
        yield Finding(name, Level.WRONG, f"{device}: there is no such device", fix)
        return
    if not stat.S_ISCHR(path.stat().st_mode):
        fix = "name a serial device, as /dev/serial0"
        yield Finding(name, Level.WRONG, f"{device}: is no serial device", fix)
        return
    if not os.access(path, os.R_OK | os.W_OK):
        group = _group(path.stat().st_gid)
        fix = f"sudo usermod -aG {group} {_user()}, then log in again"
        yield Finding(name, Level.WRONG, f"{device}: may not be opened by {_user()}", fix)
        return
    users = _users_of(path.resolve(), root, {os.getpid(), service_pid})
    if users:
        text = f"{device}: also open in {', '.join(users)}"
        fix = "stop what else uses it: a login console, ModemManager, another ground station"
        yield Finding(name, Level.WARNING, text, fix)
    else:
        yield Finding(name, Level.OK, f"{device}: there, and free")
    baud = config.autopilot.baud
    if baud == AUTO or baud in BAUDS:
        yield Finding("autopilot.baud", Level.OK, str(baud))
    else:
        fix = f"one of {', '.join(map(str, sorted(BAUDS)))}, as SERIALn_BAUD says"
        yield Finding("autopilot.baud", Level.WARNING, f"{baud} is no usual speed", fix)


def address(config: DroneConfig, *, is_running: bool) -> Iterator[Finding]:
    """Look at the address on which ground stations call; a running service has taken its port."""
    name, bind = "link.udp.bind", config.link.udp.bind
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(parse_local(bind))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and is_running:
                yield Finding(name, Level.OK, f"{bind}: the service is there")
            elif error.errno == errno.EADDRINUSE:
                fix = f"ss -ulpn sport = :{bind.rpartition(':')[2]} shows who has it"
                yield Finding(name, Level.WRONG, f"{bind}: the port is taken", fix)
            else:
                fix = "`ip -br address` shows the addresses: correct link.udp.bind or the interface"
                yield Finding(name, Level.WRONG, f"{bind}: {error.strerror}", fix)
            return
    yield Finding(name, Level.OK, f"{bind}: this machine's, and free")


def clock(_: DroneConfig, root: Path) -> Iterator[Finding]:
    """Look at the clocks. Only records use the wall's: no decision in flight does."""
    wall_s = time.time()
    fix = "set the clock (timedatectl set-time), or let the autopilot's GPS set it"
    if wall_s < _EARLIEST_S:
        yield Finding("clock", Level.WARNING, "the wall clock has not been set", fix)
        return
    rtc = root / "sys/class/rtc/rtc0/since_epoch"
    try:
        rtc_s = int(rtc.read_text())
    except (OSError, ValueError):
        text = "no real-time clock: records made before the clock is set carry a wrong date"
        yield Finding("clock", Level.WARNING, text, "add an RTC, or accept it")
        return
    if abs(rtc_s - wall_s) > _RTC_OFF_S:
        text = f"the real-time clock is {rtc_s - wall_s:+.0f} s off"
        yield Finding("clock", Level.WARNING, text, "sudo hwclock --systohc")
    else:
        yield Finding("clock", Level.OK, "wall and real-time clock agree")


def rights(_: DroneConfig, root: Path) -> Iterator[Finding]:
    """Look at what the scheduler and the memory let a service have."""
    unit = "packaging/systemd/sekisho-drone.service grants it"
    status = dict(
        entry.split(":\t", 1)
        for entry in (root / "proc/self/status").read_text().splitlines()
        if ":\t" in entry
    )
    may_nice = int(status.get("CapEff", "0"), 16) & _CAP_SYS_NICE
    if may_nice or resource.getrlimit(resource.RLIMIT_RTPRIO)[0] != 0:
        yield Finding("scheduling", Level.OK, "real-time priority is allowed")
    else:
        text = "no real-time priority here: a busy machine can delay the link"
        yield Finding("scheduling", Level.WARNING, text, f"LimitRTPRIO: {unit}")
    has_swap = len((root / "proc/swaps").read_text().splitlines()) > 1
    is_unlimited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
    if has_swap and not is_unlimited:
        text = "keys may be swapped to disk"
        yield Finding("swap", Level.WARNING, text, f"sudo swapoff -a; or LimitMEMLOCK: {unit}")
    else:
        yield Finding("swap", Level.OK, "keys stay in memory")


def core_dumps(_: DroneConfig, root: Path) -> Iterator[Finding]:
    """Look at where crashed programs would be written; the services themselves leave none."""
    pattern = (root / "proc/sys/kernel/core_pattern").read_text().strip()
    yield Finding("core dumps", Level.OK, f"the services leave none (core_pattern {pattern!r})")


def forwarding(_: DroneConfig, root: Path) -> Iterator[Finding]:
    """Look whether this machine is a router between the radio and anything else (R20)."""
    for version, key in (("IPv4", "net.ipv4.ip_forward"), ("IPv6", "net.ipv6.conf.all.forwarding")):
        path = root / "proc/sys" / key.replace(".", "/")
        if path.exists() and path.read_text().strip() != "0":
            fix = f"echo {key}=0 | sudo tee /etc/sysctl.d/90-sekisho.conf; sudo sysctl --system"
            yield Finding(f"{version} forwarding", Level.WRONG, "on: this is a router", fix)
        else:
            yield Finding(f"{version} forwarding", Level.OK, "off")


def firewall(_: DroneConfig, __: Path) -> Iterator[Finding]:
    """Look whether anything filters: ask the kernel for a table of nftables."""
    fix = "sudo nft -f packaging/nftables/sekisho.nft, with your address in it"
    try:
        has_table = _has_filter_table()
    except OSError as error:
        text = f"its rules cannot be seen by {_user()} ({error.strerror})"
        yield Finding("firewall", Level.WARNING, text, "repeat with sudo")
        return
    if has_table:
        yield Finding("firewall", Level.OK, "nftables has rules")
    else:
        yield Finding("firewall", Level.WARNING, "nftables has no rules", fix)


def _has_filter_table() -> bool:
    """Tell whether nftables has a table.

    Source: linux/netlink.h, linux/netfilter/nf_tables.h.

    Raises:
        OSError: The kernel does not say.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as kernel:
        kernel.settimeout(_KERNEL_S)
        request = struct.pack("=IHHIIBBH", 20, _NFT_GET_TABLE, _REQUEST_DUMP, 1, 0, 0, 0, 0)
        kernel.sendto(request, (0, 0))
        answer = kernel.recv(65536)
    kind = struct.unpack_from("=H", answer, 4)[0]
    if kind == _NLMSG_ERROR:
        number = -struct.unpack_from("=i", answer, 16)[0]
        raise OSError(number, os.strerror(number))
    return bool(kind != _NLMSG_DONE)


def versions(_: DroneConfig, __: Path) -> Iterator[Finding]:
    """Say what runs here."""
    found = [f"{name} {metadata.version(name)}" for name in _LIBRARIES]
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("versions", Level.OK, ", ".join([f"Python {python}", *found]))


CHECKS: Final[tuple[Check, ...]] = (
    state,
    clock,
    rights,
    core_dumps,
    forwarding,
    firewall,
    versions,
)


def _users_of(device: Path, root: Path, allowed: set[int | None]) -> list[str]:
    """Return the other processes that have a device open, as far as this user may see."""
    found = []
    for entry in sorted((root / "proc").iterdir()):
        if not entry.name.isdigit() or int(entry.name) in allowed:
            continue
        try:
            links = [descriptor.readlink() for descriptor in (entry / "fd").iterdir()]
            command = (entry / "comm").read_text().strip()
        except OSError:
            continue  # it has ended, or is another user's
        if device in links:
            found.append(f"{command} ({entry.name})")
    return found


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
