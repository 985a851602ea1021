"""What the benchmark `console` runs: a real gateway, and the process of its drones."""

import contextlib
import itertools
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from benchmarks.program import ROOT, Program, ProgramError, running
from crypto.aio.log_keys import install_recipient, save_log_keys
from crypto.aio.store import Store
from crypto.pair import Identity, PairNames, Role, pair_in_lab
from crypto.primitives import KEY_BYTES, XWingKeyPair
from sekisho.console_service import CONSOLE_REQUEST
from sekisho.runtime import query, socket_path

_UP_WITHIN_S: Final = 120.0
_PATIENCE: Final = 10
_GIVEN: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST: Final = 1024


class Stack(NamedTuple):
    """The running gateway and drones, with throw-away keys; `home` holds their state."""

    home: Path
    gateway: Program
    drones: Program

    def address(self) -> str:
        """Return where an operator opens the console."""
        answer = query(socket_path("ground", self.home / "ground"), CONSOLE_REQUEST + b"\n")
        addresses: dict[str, str] = msgspec.json.decode(answer)
        return addresses["operator"]

    def aloft(self) -> tuple[int, float]:
        """Return how many fly their square, and how far their clock has slipped [s]."""
        aloft, slipped_s = (self.home / "fleet").read_text().split()
        return int(aloft), float(slipped_s)

    def datagrams(self) -> int:
        """Return how many datagrams of drones the gateway has opened."""
        for _ in range(_PATIENCE):
            with contextlib.suppress(TimeoutError):  # the machine is busy
                status = msgspec.json.decode(query(socket_path("ground", self.home / "ground")))
                opened: int = status["link"]["datagrams_down"]
                return opened
        raise ProgramError(f"the gateway has not answered {_PATIENCE} times")

    def check(self) -> None:
        """Raise if a process has ended.

        Raises:
            ProgramError: One has.
        """
        self.gateway.check()
        self.drones.check()


@contextlib.contextmanager
def stack(count: int) -> Iterator[Stack]:
    """Pair, start and take off; yield when every drone flies.

    Raises:
        ProgramError: Something ended, or not all flew in time.
    """
    with (
        tempfile.TemporaryDirectory(prefix="sekisho-bench-") as name,
        running("sekisho ground") as gateway,
        running("the drones") as drones,
    ):
        home = Path(name)
        *ports, console = _free_ports(count + 1)
        _write(home, ports, console)
        # Sockets of the gateway lie below it.
        os.environ["XDG_RUNTIME_DIR"] = name
        made = Stack(home, gateway, drones)
        fleet = [sys.executable, "-m", "benchmarks.console_fleet", name, *map(str, ports)]
        drones.start(fleet, home / "drones.log", ROOT)
        ground = ["-m", "sekisho", "ground", "--config", str(home / "ground.toml")]
        gateway.start([sys.executable, *ground], home / "ground.log", ROOT)
        _await(made, count)
        yield made


def _await(made: Stack, count: int) -> None:
    give_up_s = time.monotonic() + _UP_WITHIN_S
    while time.monotonic() < give_up_s:
        made.check()
        with contextlib.suppress(OSError, ValueError):  # not there yet, or half written
            if made.aloft()[0] == count and made.address():
                return
        time.sleep(0.5)
    raise ProgramError(f"not every drone flew within {_UP_WITHIN_S:.0f} s: {made.aloft()[0]} do")


def _write(home: Path, ports: list[int], console: int) -> None:
    """Write keys and the configuration of the gateway."""
    store = Store(home / "ground")
    ground = store.load_or_create_identity(os.urandom)
    _, recipient = save_log_keys(home / "ground/log-keys", XWingKeyPair(os.urandom(KEY_BYTES)))
    install_recipient(recipient, home / "ground")
    tables = [f'[state]\ndir = "{home / "ground"}"\n[console]\nbind = "127.0.0.1:{console}"\n']
    for number, port in enumerate(ports):
        name = f"tsubame-{number + 1:02}"
        names = PairNames(name, "gateway", Role.COMMANDER)
        drone, record = pair_in_lab(Identity.create(os.urandom), ground, names, os.urandom)
        Store(home / f"drone-{number + 1}").save_pair(drone)
        store.save_pair(record)
        tables.append(
            f'[[drone]]\nname = "{name}"\naddress = "127.0.0.1:{port}"\nmavlink_out = []\n'
        )
    (home / "ground.toml").write_text("".join(tables))


def _free_ports(count: int) -> list[int]:
    """Return ports below those that the system gives to sockets which ask for none.

    The gateway has a socket to each drone, and would be given one of these now and then.
    """
    low = int(_GIVEN.read_text().split()[0])
    ports = (port for port in range(low - 1, _LOWEST, -1) if _is_free(port))
    return list(itertools.islice(ports, count))


def _is_free(port: int) -> bool:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        try:
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
