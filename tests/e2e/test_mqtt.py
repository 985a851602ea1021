"""MQTT as it is run: the real gateway and a drone, Debian's Mosquitto with mutual TLS and its ACL.

To be tried: the gateway needs no certificate of the broker; the will is not retained; states are
not sent again; the publisher waits for its first connection for ever; a message from the broker is
taken for one of ours; the gateway stops with its broker; a lost broker is a goodbye.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import struct
import threading
import time
import warnings

import pytest

from tests.e2e.mosquitto import MOSQUITTO, Authority, Mosquitto
from tests.e2e.processes import wait_until
from tests.e2e.stack import NAME, Stack, free_ports
from tests.e2e.vehicles import EmbeddedAutopilot

aiomqtt = pytest.importorskip("aiomqtt", reason="no aiomqtt: pip install '.[mqtt]'")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto: apt-get install mosquitto"),
]
NORTH = "sekisho/v1/north"


@pytest.fixture(scope="module")
def vehicle(tmp_path_factory):
    vehicle = EmbeddedAutopilot(tmp_path_factory.mktemp("vehicle"))
    yield vehicle
    vehicle.stop()


class Site:
    """A stack of the site `north`, its broker and its certificates."""

    def __init__(self, directory, vehicle):
        (self.port,) = free_ports(1)
        self.authority = Authority(directory / "ca")
        self.mosquitto = Mosquitto(directory / "broker", self.port, self.authority)
        self.stack = Stack(directory / "stack", vehicle.device)
        cert, key = self.authority.issue("gateway-north")
        self.configure(
            f'site = "north"\nbroker = "mqtts://127.0.0.1:{self.port}"\n'
            f'ca = "{self.authority.file}"\ncert = "{cert}"\nkey = "{key}"\n'
        )

    def configure(self, mqtt):
        config = self.stack.configs["ground"]
        config.write_text(config.read_text().partition("[mqtt]")[0] + "[mqtt]\n" + mqtt)

    def status(self):
        return self.stack.status("ground")["mqtt"]

    def await_connected(self, count=1):
        wait_until(
            lambda: self.status()["connected"] and self.status()["connections"] >= count,
            60,
            "the gateway has its broker",
        )

    def client(self, name, authority=None, **more):
        """A client with a certificate of that name, None for none."""
        context = ssl.create_default_context(cafile=self.authority.file)
        if name is not None:
            context.load_cert_chain(*(authority or self.authority).issue(name))
        return aiomqtt.Client("127.0.0.1", self.port, tls_context=context, timeout=20, **more)


@pytest.fixture
def site(tmp_path, vehicle):
    site = Site(tmp_path, vehicle)
    try:
        site.mosquitto.start()
        yield site
    finally:
        print(site.stack.report())
        if site.mosquitto.process is not None:
            site.mosquitto.process.stop()
            print(site.mosquitto.process.output[-3000:])


def run(scenario, timeout_s=120):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # paho's, of refused connections
        return asyncio.run(asyncio.wait_for(scenario, timeout_s))


async def gather(client, *filters, until, timeout_s=40):
    """Subscribe, and return what comes until there is enough: topic -> payloads."""
    got = {}
    for each in filters:
        await client.subscribe(each, qos=1)
    async with asyncio.timeout(timeout_s):
        while not until(got):
            message = await anext(aiter(client.messages))
            payload = json.loads(message.payload or b"null")
            got.setdefault(str(message.topic), []).append(payload)
    return got


def vehicle_of(got):
    (found,) = {topic.split("/")[3] for topic in got} - {"gateway"}
    return found


def test_telemetry_reaches_whoever_may_see_it_and_nobody_else(site):
    site.stack.start()
    site.stack.await_link()
    site.stack.await_autopilot()
    site.await_connected()

    async def watch():
        async with site.client("desk-north") as desk, site.client("gateway-south") as south:
            await south.subscribe("#", qos=1)
            got = await gather(
                desk,
                "#",
                until=lambda got: (
                    {"position", "attitude", "battery", "gnss", "link"}
                    <= {topic.rpartition("/")[2] for topic in got}
                ),
            )
            base = f"{NORTH}/{vehicle_of(got)}"
            # Another site's gateway can forge neither a drone nor the gateway of this one.
            for topic in (f"{base}/conn", f"{base}/state", f"{NORTH}/gateway/conn"):
                await south.publish(topic, json.dumps({"state": "counterfeit"}), qos=1, retain=True)
            await desk.publish(
                f"{base}/conn", json.dumps({"state": "counterfeit"}), qos=1, retain=True
            )
            await asyncio.sleep(3)
            assert len(south.messages) == 0
            while len(desk.messages):
                message = await anext(aiter(desk.messages))
                assert b"counterfeit" not in message.payload
            return got

    got = run(watch())
    base = f"{NORTH}/{vehicle_of(got)}"
    assert vehicle_of(got).startswith(f"{NAME}-")
    assert got[f"{NORTH}/gateway/conn"] == [{"schema": 1, "state": "online"}]
    assert got[f"{base}/conn"][-1]["state"] == "online"
    assert got[f"{base}/info"][-1]["system_id"] == 1
    (position, *_) = got[f"{base}/telemetry/position"]
    assert position["latitude_deg"] == pytest.approx(-35.363, abs=0.01)
    assert abs(position["ts"] / 1000 - time.time()) < 60
    assert 0 <= position["age_s"] < 2


@pytest.mark.parametrize("who", ["nobody", "stranger"])
def test_who_has_no_certificate_of_this_site_is_refused(site, tmp_path, who):
    stranger = Authority(tmp_path / "stranger", "other CA")

    async def come():
        client = site.client(None) if who == "nobody" else site.client("desk-north", stranger)
        async with client:
            await client.subscribe("#")

    with pytest.raises(aiomqtt.MqttError):
        run(come())


def test_the_gateway_refuses_a_broker_of_another_authority(site, tmp_path):
    stranger = Authority(tmp_path / "stranger", "other CA")
    config = site.stack.configs["ground"]
    config.write_text(config.read_text().replace(str(site.authority.file), str(stranger.file)))
    site.stack.start("ground")
    site.stack.processes["ground"].expect("certificate verify failed", 20)
    assert not site.status()["connected"]


def test_the_will_and_the_goodbye(site):
    site.stack.start("ground")
    site.await_connected()

    async def conn(until):
        async with site.client("desk-north") as desk:
            topic = f"{NORTH}/gateway/conn"
            got = await gather(
                desk, topic, until=lambda got: got.get(topic, [{}])[-1].get("state") == until
            )
            return got[topic]

    assert run(conn("online"))
    os.kill(site.stack.processes["ground"].pid, signal.SIGKILL)
    run(conn("broken"))
    site.stack.processes.pop("ground").stop()
    site.stack.start("ground")
    run(conn("online"))
    assert site.stack.stop("ground") == 0
    run(conn("offline"))


def test_a_broker_that_is_killed_loses_nothing_and_blocks_nothing(site):
    site.stack.start()
    site.stack.await_link()
    site.await_connected()
    retained = ("conn", "info", "state")

    async def all_retained():
        async with site.client("desk-north") as desk:
            return await gather(
                desk,
                f"{NORTH}/#",
                until=lambda got: (
                    {*retained} <= {topic.rpartition("/")[2] for topic in got}
                    and any(is_online(got, topic) for topic in got if "gateway" not in topic)
                ),
            )

    def is_online(got, topic):
        return topic.endswith("/conn") and got[topic][-1]["state"] == "online"

    run(all_retained())
    for number in (signal.SIGKILL, signal.SIGSTOP):
        connections = site.status()["connections"]
        frames = site.stack.status("ground")["link"]["frames_down"]
        os.kill(site.mosquitto.process.pid, number)
        wait_until(lambda: not site.status()["connected"], 40, "the loss is noticed")
        # Flying goes on as if nothing had been.
        wait_until(
            lambda frames=frames: site.stack.status("ground")["link"]["frames_down"] > frames + 50,
            20,
            "frames come down",
        )
        assert site.stack.link_state("ground") == "live"
        assert site.stack.status("ground")["service"]["late_s"] < 1
        assert site.stack.status("ground")["service"]["exceptions"] == 0
        os.kill(site.mosquitto.process.pid, signal.SIGKILL)
        site.mosquitto.process.stop()
        site.mosquitto.start()  # it has forgotten everything
        site.await_connected(connections + 1)
        got = run(all_retained())
        assert got[f"{NORTH}/{vehicle_of(got)}/conn"][0]["state"] == "online"


class FalseBroker:
    """Lets the gateway in, and sends it every message that might be taken for an order."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.sent = 0
        self.heard = b""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, contextlib.suppress(OSError):
                    self._serve(connection)

    def _serve(self, connection):
        connection.settimeout(0.05)
        self.heard += connection.recv(4096)
        connection.sendall(b"\x20\x02\x00\x00")
        arm = bytes.fromhex("fd20000000ffbe4c0000") + bytes(28) + b"\x90\x01\x01\x01" + bytes(2)
        while True:
            for topic in ("cmd", "cmd/arm", "mavlink", "state", "conn"):
                body = arm if topic == "mavlink" else b'{"action": "arm"}'
                name = f"{NORTH}/{NAME}/{topic}".encode()
                packet = struct.pack("!H", len(name)) + name + body
                connection.sendall(b"\x31" + bytes([len(packet)]) + packet)
                self.sent += 1
            with contextlib.suppress(TimeoutError):
                self.heard += connection.recv(65536)

    def close(self):
        self._socket.close()


def test_nothing_that_a_broker_says_reaches_the_drone(tmp_path, vehicle):
    stack = Stack(tmp_path / "stack", vehicle.device)
    broker = FalseBroker()
    config = stack.configs["ground"]
    config.write_text(
        config.read_text() + f'[mqtt]\nsite = "north"\nbroker = "mqtt://127.0.0.1:{broker.port}"\n'
    )
    try:
        stack.start()
        stack.await_link()
        wait_until(lambda: broker.sent > 500, 60, "the broker has given its orders")
        ground, drone = stack.status("ground"), stack.status("drone")
        assert ground["link"]["frames_up"] == drone["link"]["frames_up"] == 0
        assert ground["service"]["exceptions"] == 0
        assert b"\x82" not in {broker.heard[:1]}
        # Of all that the gateway says nothing is a subscription.
        assert set(packet_kinds(broker.heard)) <= {1, 3, 12, 14}
    finally:
        print(stack.report())
        broker.close()


def packet_kinds(data):
    """Yield the type of each MQTT packet of a stream."""
    at = 0
    while at < len(data):
        kind, size, shift, place = data[at] >> 4, 0, 0, at + 1
        while place < len(data):
            size |= (data[place] & 0x7F) << shift
            shift += 7
            place += 1
            if not data[place - 1] & 0x80:
                break
        yield kind
        at = place + size


def test_the_embedded_broker_lets_a_program_of_this_user_read(tmp_path, vehicle):
    stack = Stack(tmp_path / "stack", vehicle.device)
    (port,) = free_ports(1)
    config = stack.configs["ground"]
    config.write_text(config.read_text() + f'[mqtt]\nsite = "north"\nbind = "127.0.0.1:{port}"\n')
    path = stack.ground_state / "mqtt-viewer.json"
    try:
        stack.start()
        stack.await_link()
        assert path.stat().st_mode & 0o777 == 0o600
        viewer = json.loads(path.read_text())
        wait_until(lambda: stack.status("ground")["mqtt"]["connected"], 60, "it is served")

        async def watch():
            client = aiomqtt.Client(
                "127.0.0.1", port, username=viewer["user"], password=viewer["password"]
            )
            async with client:
                return await gather(
                    client,
                    viewer["topics"],
                    until=lambda got: any("telemetry/position" in topic for topic in got),
                )

        got = run(watch())
        assert got[f"{NORTH}/{vehicle_of(got)}/conn"][-1]["state"] == "online"
        os.kill(stack.processes["ground"].pid, signal.SIGKILL)
        with pytest.raises(ConnectionError):  # the broker ends with it
            wait_until(lambda: not knock(port), 20, "")
    finally:
        stack.processes.pop("ground").stop()
        print(stack.report())


def knock(port):
    """Connect to a port of loopback; raises if nobody listens."""
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
