"""Other programs that forward MAVLink, run on the same work where they are installed."""

import contextlib
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.datagrams import bound, free_port
from benchmarks.forwarder import Forwarder
from benchmarks.lab import wait_until_forwarding
from benchmarks.program import running


class Peer(NamedTuple):
    """How a peer is started: `{0}` is the port it listens on, `{1}` the one it delivers to."""

    program: str
    arguments: Sequence[str]


PEERS: Final[dict[str, Peer]] = {
    "MAVProxy": Peer(
        "mavproxy.py",
        (
            "--master=udpin:127.0.0.1:{0}",
            "--out=udpout:127.0.0.1:{1}",
            "--daemon",
            "--non-interactive",
            "--nodtr",
            "--streamrate=-1",
            "--dialect=ardupilotmega",
            "--mav20",
            "--default-modules=link",
        ),
    ),
    "mavlink-router": Peer("mavlink-routerd", ("-e", "127.0.0.1:{1}", "127.0.0.1:{0}")),
    "mavp2p": Peer(
        "mavp2p",
        (
            "udps:127.0.0.1:{0}",
            "udpc:127.0.0.1:{1}",
            "--hb-disable",
            "--streamreq-disable",
            "-q",
        ),
    ),
}


def installed() -> list[str]:
    """Return the peers that are on PATH."""
    return [name for name, peer in PEERS.items() if shutil.which(peer.program)]


@contextlib.contextmanager
def peer(name: str) -> Iterator[Forwarder]:
    """Start one peer between two sockets of ours."""
    which = shutil.which(PEERS[name].program)
    assert which is not None
    port = free_port()
    with (
        tempfile.TemporaryDirectory(prefix="peer-bench-") as directory,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line,
        bound() as tools,
        running(name) as program,
    ):
        arguments = [a.format(port, tools.getsockname()[1]) for a in PEERS[name].arguments]
        here = Path(directory)
        program.start([which, *arguments], here / "log", here, {"HOME": directory})
        line.connect(("127.0.0.1", port))
        source = wait_until_forwarding(line.send, tools, program)
        # A tool that listens answers to where frames come from, out of the socket it listens on.
        with tools.dup() as client:
            yield Forwarder(name, {name: program}, line, tools, source, client, can_pause=True)
