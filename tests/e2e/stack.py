"""The product as its users run it: `sekisho drone` and `sekisho ground`, two processes."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from crypto.aio.log_files import list_logs
from crypto.aio.log_keys import load_log_private
from crypto.log_reader import open_sealed_log
from sekisho.runtime import query, socket_path
from tests.e2e.processes import ENVIRONMENT, Process, wait_until
from tests.e2e.vehicles import Vehicle

NAME: Final = "tsubame-1"
SEKISHO: Final = (sys.executable, "-m", "sekisho")


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback address that are free for UDP and TCP."""
    with ExitStack() as held:
        ports = []
        while len(ports) < count:
            tcp = held.enter_context(socket.socket())
            tcp.bind(("127.0.0.1", 0))
            udp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            ports.append(tcp.getsockname()[1])
    return ports


def pair_lab(drone: Path, ground: Path, *, replace: bool = False) -> None:
    argv = [*SEKISHO, "pair", "lab", "--drone-dir", drone, "--ground-dir", ground, "--name", NAME]
    argv += ["--replace"] * replace
    subprocess.run(argv, check=True, capture_output=True, timeout=30, env=ENVIRONMENT)


class Stack:
    """One drone and one ground station, paired, with what they need in `directory`.

    `called` is the port that the ground station calls, for a test that puts something between.
    """

    def __init__(self, directory: Path, device: Path, called: int | None = None) -> None:
        directory.mkdir(exist_ok=True)
        self._directory = directory
        ports = free_ports(5)
        self.link_port, self.out_port, self.udp_port, self.tcp_port, self.console_port = ports
        self.drone_state, self.ground_state = directory / "drone", directory / "ground"
        self.configs = {"drone": directory / "drone.toml", "ground": directory / "ground.toml"}
        self.configs["drone"].write_text(
            f'[vehicle]\nname = "{NAME}"\n'
            f'[autopilot]\ndevice = "{device}"\nbaud = 921600\n'
            f'[state]\ndir = "{self.drone_state}"\n'
            f'[link.udp]\nbind = "127.0.0.1:{self.link_port}"\n'
            "[prearm]\ngcs_timeout_max_s = 30\n"  # vehicles here are faster than the wall
        )
        self.configs["ground"].write_text(
            f'[state]\ndir = "{self.ground_state}"\n'
            f'[[drone]]\nname = "{NAME}"\naddress = "127.0.0.1:{called or self.link_port}"\n'
            f'mavlink_out = ["127.0.0.1:{self.out_port}"]\n'
            f'mavlink_udp = "127.0.0.1:{self.udp_port}"\n'
            f'mavlink_tcp = "127.0.0.1:{self.tcp_port}"\n'
            f'[console]\nbind = "127.0.0.1:{self.console_port}"\n'
        )
        pair_lab(self.drone_state, self.ground_state)
        self.processes: dict[str, Process] = {}
        self.said: list[str] = []

    def set_device(self, device: Path) -> None:
        """Put the companion on another serial line, from its next start on."""
        config = self.configs["drone"]
        config.write_text(re.sub("(?m)^device = .*", f'device = "{device}"', config.read_text()))

    def start(self, *kinds: str) -> None:
        """Start the services, both unless told which, and wait until each answers."""
        for kind in kinds or ("drone", "ground"):
            argv = [*SEKISHO, kind, "--config", self.configs[kind]]
            self.processes[kind] = Process(kind, argv, self._directory)
            wait_until(lambda kind=kind: self.try_status(kind), 15, f"{kind} answers")

    def await_link(self, timeout_s: float = 15) -> None:
        """Wait until the ground hears the drone, and hears who is in command.

        What a tool sends before is refused: nobody commands until that is on the drone's disk.
        """

        def is_up() -> bool:
            peer = self.status("ground")["peers"][NAME]
            return peer["state"] == "live" and bool(
                (peer["authority"]["holder_id"] or "").strip("0")
            )

        wait_until(is_up, timeout_s, "link up")

    def await_autopilot(self, timeout_s: float = 30) -> None:
        """Wait until the companion hears the autopilot."""
        wait_until(
            lambda: self.status("drone")["autopilot"]["state"] in ("armed", "disarmed"),
            timeout_s,
            "the autopilot is heard",
        )

    def try_status(self, kind: str) -> dict | None:
        """Ask a service for its status as `sekisho status` does; None if it does not answer.

        Fails if the service has ended.
        """
        process = self.processes[kind]
        assert process.is_running(), f"{kind} ended, having said:\n{process.output}"
        state = self.drone_state if kind == "drone" else self.ground_state
        try:
            return json.loads(query(socket_path(kind, state)))
        except OSError:
            return None

    def status(self, kind: str) -> dict:
        answer = self.try_status(kind)
        assert answer, f"{kind} does not answer; it said:\n{self.processes[kind].output}"
        return answer

    def dropped(self, kind: str) -> dict[str, int]:
        """Return what a service has dropped, counted by reason."""
        return self.status(kind)["link"]["dropped"]

    def check_counters(self) -> None:
        """Check that what went up arrived, and that nothing was dropped but what is explained.

        Call it when the tools are silent.
        """
        wait_until(
            lambda: (
                self.status("drone")["link"]["frames_up"]
                == self.status("ground")["link"]["frames_up"]
            ),
            3,
            "every frame that went up has passed",
        )
        print("flight:", *(json.dumps(self.status(kind)["link"]) for kind in self.processes))
        # Before the first session nobody is there to hear; a serial line starts with text.
        unexplained = {
            reason: count
            for kind in self.processes
            for reason, count in self.dropped(kind).items()
            if reason not in ("no_session", "autopilot_garbage_bytes", "not_sent")
            and not reason.startswith("tools_")
        }
        assert unexplained == {}

    def link_state(self, kind: str) -> str:
        """Return what a service says of the link as it is now."""
        status = self.status(kind)
        return status["peers"][NAME]["state"] if kind == "ground" else status["failsafe"]["link"]

    def audit(self) -> list[dict]:
        """Return what the audit log of the drone says, with the key of `sekisho pair lab`."""
        key = load_log_private(self.configs["ground"].parent / "ground/log-keys/log-private.key")
        chunks = [
            chunk
            for path in list_logs(self.drone_state / "logs/audit")
            for chunk in open_sealed_log(key, path.read_bytes())[0]
        ]
        return [json.loads(line) for chunk in chunks for line in chunk.data.splitlines()]

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command that is expected to end by itself, on the drone's side if in doubt."""
        config = self.configs.get(command, self.configs["drone"])
        argv = [*SEKISHO, command, "--config", config, *arguments]
        return subprocess.run(argv, capture_output=True, text=True, timeout=15, env=ENVIRONMENT)

    def stop(self, *kinds: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop services, all unless told which; returns the exit status of the last."""
        code = 0
        for kind in kinds or tuple(self.processes):
            process = self.processes.pop(kind)
            code = process.stop(number)
            self.said.append(f"--- {kind}\n{process.output}")
        return code

    def report(self) -> str:
        """Return what the services say and count, for a failed test; then stop them."""
        for kind in self.processes:
            if self.processes[kind].is_running():
                self.said.append(f"--- {kind}\n{json.dumps(self.try_status(kind), indent=1)}")
        self.stop()
        return "\n".join(self.said)


@contextmanager
def running(stack: Stack, vehicle: Vehicle) -> Iterator[Stack]:
    """Start a stack, wait until it is linked and its vehicle heard; end both."""
    try:
        stack.start()
        stack.await_link()
        stack.await_autopilot()
        yield stack
    finally:
        print(stack.report())
        vehicle.stop()
