"""A ground station's real end of the link, and the autopilot's end of the line, in one loop.

The station is the core that the gateway runs, on a socket of its own: it sends any bytes that the
test wants sealed, which no gateway would. What arrives on the line is kept byte for byte.
"""

import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fastcrc.crc16 import mcrf4xx
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from crypto.aio.store import Store
from groundstation.station import Station
from sekisho.runtime import query, socket_path
from tests.aboard import SAFE, parameter_value
from tests.e2e.processes import ENVIRONMENT, Process
from tests.e2e.stack import NAME, SEKISHO, free_ports
from tests.e2e.vehicles import Line
from wire.mavlink import FrameSplitter

VEHICLE, COMPANION = 1, 191
HEARTBEAT_S = 0.3
ARMED, DISARMED, SILENT = "armed", "disarmed", "silent"


def frame_of(number, payload, extra, sysid=255, compid=190, incompat=0, sequence=0):
    """Return a MAVLink 2 frame made by hand: any payload, any header, a good checksum."""
    head = bytes((len(payload), incompat, 0, sequence, sysid, compid))
    body = head + number.to_bytes(3, "little") + payload
    return b"\xfd" + body + mcrf4xx(body + bytes((extra,))).to_bytes(2, "little")


def pack(message, sysid=255, compid=190):
    return bytes(message.pack(mavlink.MAVLink(None, srcSystem=sysid, srcComponent=compid)))


class LinkEnd:
    """`sekisho drone` with a pty behind it and one station paired to it, in a role."""

    def __init__(self, directory: Path, role: str, policy: str = "") -> None:
        self.line = Line()
        self.state = DISARMED
        self.arrived = bytearray()
        self.told = bytearray()
        (port,) = free_ports(1)
        self._drone = ("127.0.0.1", port)
        self._states = {end: directory / f"{end}-state" for end in ("drone", "ground")}
        pairing = ["--drone-dir", self._states["drone"], "--ground-dir", self._states["ground"]]
        argv = [*SEKISHO, "pair", "lab", *pairing, "--name", NAME, "--role", role]
        subprocess.run(argv, check=True, capture_output=True, timeout=30, env=ENVIRONMENT)
        config = directory / "drone.toml"
        config.write_text(
            f'[autopilot]\ndevice = "{self.line.device}"\n'
            f'[state]\ndir = "{self._states["drone"]}"\n'
            f'[link.udp]\nbind = "127.0.0.1:{port}"\n{policy}'
        )
        self.process = Process("drone", [*SEKISHO, "drone", "--config", config], directory)
        self._store = Store(self._states["ground"])
        pair = self._store.load_pair(NAME)
        self.station = Station(pair, self._store.next_boot_count(), os.urandom)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self._heartbeat_at = 0.0
        self._splitter = FrameSplitter()
        self._packer = mavlink.MAVLink(None, srcSystem=VEHICLE, srcComponent=1)
        self._number = 0

    def close(self) -> None:
        self.process.stop()
        self._socket.close()
        self.line.close()
        print(self.process.output)

    def pump(self, done: Callable[[], object], timeout_s: float, what: str) -> None:
        """Let both ends live until something is true."""
        deadline = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < deadline, f"not in {timeout_s:g} s: {what}"
            self._step()

    def rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self.pump(lambda: time.monotonic() >= until, seconds + 1, "a rest")

    def become(self, state: str) -> None:
        """Let the autopilot be armed, disarmed or silent, and wait until the companion knows."""
        self.state = state
        shown = {SILENT: "silent"}.get(state, state)
        self.pump(lambda: self.status()["autopilot"]["state"] == shown, 15, f"it is {state}")
        self.rest(1)  # arming changes the session's keys

    def status(self) -> dict:
        try:
            return json.loads(query(socket_path("drone", self._states["drone"])))
        except OSError:
            return {"autopilot": {"state": "absent"}}

    def dropped(self, reason: str) -> int:
        return self.status()["link"]["dropped"].get(reason, 0)

    def send(self, frames: Sequence[bytes]) -> None:
        self.station.send(list(frames), time.monotonic_ns())

    def exchange(self, frames: Sequence[bytes], together: int = 25) -> bytes:
        """Send frames; return exactly the bytes that arrive on the line because of them."""
        self.arrived.clear()
        for at in range(0, len(frames) or 1, together):
            self.send(frames[at : at + together])
            last = self.sentinel()
            self.send([last])
            self.pump(lambda last=last: self.arrived.endswith(last), 5, "the sentinel arrives")
            del self.arrived[-len(last) :]
        return bytes(self.arrived)

    def sentinel(self) -> bytes:
        """Return a PING that nobody else sends: it passes in every state."""
        self._number += 1
        return pack(mavlink.MAVLink_ping_message(self._number, 0, 0, 0), compid=99)

    def answers(self) -> list[mavlink.MAVLink_message]:
        """Return what the drone has told the operator's tools since the last time."""
        told, self.told = self.told, bytearray()
        return mavlink.MAVLink(None).parse_buffer(told) or []

    def _answer(self, asked: mavlink.MAVLink_message) -> None:
        """Be an autopilot that is set up as the pre-arm gate wants it.

        The companion asks of its own accord for parameters and message rates, and nothing else.
        """
        if asked.get_type() == "COMMAND_LONG":
            assert asked.command == mavlink.MAV_CMD_SET_MESSAGE_INTERVAL
            return
        assert asked.get_type() == "PARAM_REQUEST_READ"
        if asked.param_id in SAFE:
            self.line.write(parameter_value(asked.param_id, SAFE[asked.param_id]))

    def _step(self) -> None:
        if self.state != SILENT and time.monotonic() >= self._heartbeat_at:
            self._heartbeat_at = time.monotonic() + HEARTBEAT_S
            mode = 81 | (128 if self.state == ARMED else 0)
            message = mavlink.MAVLink_heartbeat_message(2, 3, mode, 0, 3, 3)
            self.line.write(bytes(message.pack(self._packer)), timeout_s=0.1)
        readable = select.select([self._socket, self.line], [], [], 0.005)[0]
        if self.line in readable:
            for frame in self._splitter.receive(self.line.read()):
                if frame[5:7] == bytes((VEHICLE, COMPANION)):
                    self._answer(mavlink.MAVLink(None).decode(bytearray(frame)))
                else:
                    self.arrived += frame
            assert not self._splitter.dropped
        now_ns = time.monotonic_ns()
        while self._socket in readable:
            try:
                datagram = self._socket.recv(2048)
            except (BlockingIOError, ConnectionRefusedError):
                break
            self.told += self.station.receive_link(datagram, now_ns)
        self.station.tick(now_ns)
        for record in self.station.custody.outgoing_saves():
            self._store.update_pair(record)
            self.station.custody.saved(record)
        for datagram, _ in self.station.outgoing():
            self._socket.sendto(datagram, self._drone)
