"""A second ground station of one drone, with a gateway of its own, and the commands people type."""

import json
import subprocess
from pathlib import Path

from tests.e2e.processes import ENVIRONMENT, Process, wait_until
from tests.e2e.stack import NAME, SEKISHO, Stack, free_ports


class Second:
    """Another ground station of the same drone, paired when made, running once started."""

    def __init__(self, bench: Stack, directory: Path, role: str) -> None:
        self.state = directory / "ground-2"
        self.config = directory / "ground-2.toml"
        self.process: Process | None = None
        self._directory = directory
        argv = ["pair", "lab", "--drone-dir", bench.drone_state, "--ground-dir", self.state]
        argv += ["--name", NAME, "--role", role]
        subprocess.run([*SEKISHO, *argv], check=True, capture_output=True, timeout=30)
        listing = [*SEKISHO, "keys", "list", "--json", "--state-dir", self.state]
        listed = subprocess.run(listing, check=True, capture_output=True, timeout=30)
        self.id = json.loads(listed.stdout)["pairs"][0]["gcs_id"]
        self.port, console_port = free_ports(2)
        self.config.write_text(
            f'[state]\ndir = "{self.state}"\n'
            f'[[drone]]\nname = "{NAME}"\naddress = "127.0.0.1:{bench.link_port}"\n'
            f'mavlink_out = []\nmavlink_udp = "127.0.0.1:{self.port}"\n'
            f'[console]\nbind = "127.0.0.1:{console_port}"\n'
        )

    def start(self) -> None:
        argv = [*SEKISHO, "ground", "--config", self.config]
        self.process = Process("second", argv, self._directory)

    def stop(self) -> None:
        if self.process is not None:
            self.process.stop()
            print(self.process.output)


def type_command(config, *words, stdin=""):
    """Run a command that asks the gateway of a configuration."""
    return subprocess.run(
        [*SEKISHO, *words, "--config", str(config)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        env=ENVIRONMENT,
        check=False,
    )


def peer_status(config) -> dict:
    """Return what a gateway says of the drone; nothing while it does not answer."""
    done = type_command(config, "status", "--json")
    return json.loads(done.stdout)["peers"][NAME] if done.returncode == 0 else {"state": "none"}


def own_id(config) -> str:
    return peer_status(config)["authority"]["own_id"]


def await_both(bench: Stack, second: Second) -> None:
    """Wait until both stations are there, and know who is in command."""
    wait_until(
        lambda: (
            peer_status(second.config)["state"] == "live"
            and peer_status(second.config)["authority"]["holder_id"]
            and [p["state"] for p in bench.status("drone")["peers"].values()] == ["live"] * 2
        ),
        20,
        "both stations are there",
        0.2,
    )
