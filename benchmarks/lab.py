"""Both ends of the product as real processes, with throw-away keys in a temporary directory."""

import contextlib
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.datagrams import Address, drain, free_port
from benchmarks.program import ROOT, Program, ProgramError, run_once, running
from benchmarks.workload import heartbeat_frame

_NAME: Final = "bench-1"
_UP_WITHIN_S: Final = 20.0
# The first ratchet and the handshake it leads to are over by then; the next are ten minutes off.
FIRST_KEYS_S: Final = 3.0
_SEKISHO: Final = (sys.executable, "-m", "sekisho")


class Lab(NamedTuple):
    """The running product."""

    drone: Program
    ground: Program
    mavlink_udp: Address
    link: Address


@contextlib.contextmanager
def lab(device: str, tools_port: int) -> Iterator[Lab]:
    """Pair, configure and start `sekisho drone` on `device` and `sekisho ground` to the tools."""
    link, server = free_port(), free_port()
    with (
        tempfile.TemporaryDirectory(prefix="sekisho-bench-") as name,
        running("sekisho drone") as drone,
        running("sekisho ground") as ground,
    ):
        here = Path(name)
        env = {"XDG_RUNTIME_DIR": name}
        (here / "drone.toml").write_text(
            f'[autopilot]\ndevice = "{device}"\nbaud = 921600\n'
            f'[state]\ndir = "{here / "drone"}"\n'
            f'[link.udp]\nbind = "127.0.0.1:{link}"\n'
        )
        (here / "ground.toml").write_text(
            f'[state]\ndir = "{here / "ground"}"\n'
            f'[[drone]]\nname = "{_NAME}"\naddress = "127.0.0.1:{link}"\n'
            f'mavlink_out = ["127.0.0.1:{tools_port}"]\nmavlink_udp = "127.0.0.1:{server}"\n'
        )
        states = ["--drone-dir", str(here / "drone"), "--ground-dir", str(here / "ground")]
        run_once([*_SEKISHO, "pair", "lab", *states, "--name", _NAME])
        for program, kind in ((drone, "drone"), (ground, "ground")):
            config = ["--config", str(here / f"{kind}.toml")]
            program.start([*_SEKISHO, kind, *config], here / f"{kind}.log", ROOT, env)
        yield Lab(drone, ground, ("127.0.0.1", server), ("127.0.0.1", link))


def wait_until_forwarding(
    send: Callable[[bytes], object], tools: socket.socket, *programs: Program
) -> Address:
    """Send heartbeats until one comes out at the tools' end; return where it came from."""
    tools.settimeout(0.1)
    give_up = time.monotonic() + _UP_WITHIN_S
    seq = 0
    while time.monotonic() < give_up:
        for program in programs:
            program.check()
        beat = heartbeat_frame(seq)
        seq += 1
        with contextlib.suppress(ConnectionRefusedError):
            send(beat)
        with contextlib.suppress(TimeoutError, ConnectionRefusedError):
            data, address = tools.recvfrom(2048)
            if data[:1] == b"\xfd":
                time.sleep(0.3)
                drain(tools)
                return str(address[0]), int(address[1])
    raise ProgramError(f"{programs[0].name} forwards nothing within {_UP_WITHIN_S:.0f} s")
