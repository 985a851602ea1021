"""The processes of the demonstration: keys, configurations, start, watch, stop."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from crypto.aio.log_keys import install_recipient, save_log_keys
from crypto.aio.store import Store
from crypto.pair import PairNames, Role, pair_in_lab
from crypto.primitives import KEY_BYTES, XWingKeyPair
from sekisho.console_service import CONSOLE_REQUEST, console_is_installed
from sekisho.demo_attack import HostileRelay
from sekisho.runtime import query, socket_path
from wire.summary import LinkSummary

QGROUNDCONTROL: Final = "127.0.0.1:14550"  # where it listens by default
MAX_DRONES: Final = 8
_START_S: Final = 30.0
_STOP_S: Final = 5.0
_GCS_TIMEOUT_S: Final = 5.0
_ATTACKED_TIMEOUT_S: Final = 120.0  # while attacks are counted the operator is silent
_BAUD: Final = 3_000_000  # of a pseudo-terminal: leaves room for an accelerated vehicle


class DemoError(Exception):
    """A part of the stack did not start or ended by itself."""


class DemoDrone(msgspec.Struct):
    """One drone of the demonstration and the ports it uses."""

    name: str
    sysid: int
    link_port: int
    tools_port: int
    relay: HostileRelay | None = None

    @property
    def called_port(self) -> int:
        """Where the gateway calls: the companion, or the hostile relay in front of it."""
        return self.link_port if self.relay is None else self.relay.port


class Stack:
    """A gateway, and a simulator and a companion for each drone, with throw-away keys."""

    def __init__(self, home: Path, count: int, speedup: float, *, attack: bool) -> None:
        *ports, self._console_port = _free_ports(2 * count + 1)
        self.drones = [
            DemoDrone(f"demo-{i + 1}", i + 1, ports[2 * i], ports[2 * i + 1]) for i in range(count)
        ]
        if attack:
            for drone in self.drones:
                drone.relay = HostileRelay(("127.0.0.1", drone.link_port))
        self._home = home
        self._speedup = speedup
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, *, for_people: bool, verbose: bool) -> None:
        """Write keys and configurations, then start the processes."""
        self._write_files(for_people=for_people)
        commands = [["ground", "--config", str(self._home / "ground.toml")]]
        for drone in self.drones:
            directory = self._home / drone.name
            simulator = ["sim", "--tty", str(directory / "autopilot"), "--sysid", str(drone.sysid)]
            simulator += ["--parameters", str(directory / "demo.parm")]
            commands.append([*simulator, "--speedup", str(self._speedup)])
            commands.append(["drone", "--config", str(directory / "drone.toml")])
        for command in commands:
            self._processes.append(
                subprocess.Popen(  # noqa: S603 - our own command, no shell
                    [sys.executable, "-m", "sekisho", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=None if verbose else subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for us: we stop them in order
                )
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop every process, whatever happened."""
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for drone in self.drones:
            if drone.relay is not None:
                drone.relay.close()

    def check_alive(self) -> None:
        """Raise if a process has ended by itself.

        Raises:
            DemoError: One has.
        """
        for process in self._processes:
            if process.poll() is not None:
                assert isinstance(process.args, list)
                raise DemoError(
                    f"`sekisho {process.args[3]}` ended with status {process.returncode}; "
                    "--verbose-stack shows why"
                )

    def await_link(self) -> None:
        """Wait until the gateway hears every drone.

        Raises:
            DemoError: It did not in time.
        """
        deadline_s = time.monotonic() + _START_S
        while time.monotonic() < deadline_s:
            self.check_alive()
            peers = self._status("ground", self._home / "ground").get("peers", {})
            if peers and all(peer["state"] == "live" for peer in peers.values()):
                return
            time.sleep(0.1)
        raise DemoError(f"the link did not come up within {_START_S:.0f} s; try --verbose-stack")

    def console(self) -> dict[str, str]:
        """Return the addresses of the console by role, or why there is none."""
        path = socket_path("ground", self._home / "ground")
        addresses: dict[str, str] = msgspec.json.decode(query(path, CONSOLE_REQUEST + b"\n"))
        return addresses

    def link(self, drone: DemoDrone) -> LinkSummary:
        """Return what the companion of one drone has counted; zeros if it does not answer."""
        status = self._status("drone", self._home / drone.name)
        return msgspec.convert(status.get("link", {}), LinkSummary)

    def forwarded(self, drone: DemoDrone) -> Callable[[], int]:
        """Return a counter of the frames that have reached one autopilot.

        It raises `DemoError` if the companion does not answer: an attack that stops it is no
        attack that failed.
        """

        def count() -> int:
            status = self._status("drone", self._home / drone.name)
            if not status:
                raise DemoError(f"{drone.name}: the companion does not answer")
            return msgspec.convert(status["link"], LinkSummary).frames_up

        return count

    def _status(self, kind: str, state_dir: Path) -> dict[str, Any]:
        try:
            status: dict[str, Any] = msgspec.json.decode(query(socket_path(kind, state_dir)))
        except OSError:
            return {}
        return status

    def _write_files(self, *, for_people: bool) -> None:
        home = self._home
        is_attacked = any(drone.relay is not None for drone in self.drones)
        timeout_s = _ATTACKED_TIMEOUT_S if is_attacked else _GCS_TIMEOUT_S
        ground_store = Store(home / "ground")
        ground = ground_store.load_or_create_identity(os.urandom)
        console = f"127.0.0.1:{self._console_port}" if for_people else "off"
        _, log_key = save_log_keys(home / "ground/log-keys", XWingKeyPair(os.urandom(KEY_BYTES)))
        install_recipient(log_key, home / "ground")
        tables = [f'[state]\ndir = "{home / "ground"}"\n']
        if not for_people or console_is_installed():
            tables.append(f'[console]\nbind = "{console}"\n')
        for drone in self.drones:
            directory = home / drone.name
            drone_store = Store(directory)
            identity = drone_store.load_or_create_identity(os.urandom)
            names = PairNames(drone=drone.name, ground="demo-ground", role=Role.COMMANDER)
            for_drone, for_ground = pair_in_lab(identity, ground, names, os.urandom)
            drone_store.save_pair(for_drone)
            install_recipient(log_key, directory)
            ground_store.save_pair(for_ground)
            (directory / "drone.toml").write_text(
                f'[vehicle]\nname = "{drone.name}"\n'
                f'[autopilot]\ndevice = "{directory / "autopilot"}"\nbaud = {_BAUD}\n'
                f'[state]\ndir = "{directory}"\n'
                f'[link.udp]\nbind = "127.0.0.1:{drone.link_port}"\n'
                f"[prearm]\ngcs_timeout_max_s = {timeout_s:g}\n"
            )
            (directory / "demo.parm").write_text(f"FS_GCS_TIMEOUT,{timeout_s:g}\n")
            tables.append(
                f'[[drone]]\nname = "{drone.name}"\naddress = "127.0.0.1:{drone.called_port}"\n'
                f"mavlink_out = {[QGROUNDCONTROL] if for_people else []}\n"
                f'mavlink_tcp = "127.0.0.1:{drone.tools_port}"\n'
            )
        (home / "ground.toml").write_text("".join(tables))


def _free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports
