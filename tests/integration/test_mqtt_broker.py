"""The embedded broker as a process, against clients of a library that is not the broker's.

Mutants killed: anybody may come in; a right with `+` gives `#`; whoever takes another's client id
gets his session; retained topics of others' subscriptions are sent on connecting; whoever reads
may publish; a will needs no right; the process outlives its parent; a subscriber that does not
read is kept; packets of any length are read.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import struct
import warnings

import aiomqtt
import pytest

from groundstation.aio.broker import BrokerOptions, Login
from groundstation.aio.embedded import EmbeddedBroker
from tests.e2e.stack import free_ports

pytestmark = pytest.mark.slow
GIVEN, REFUSED = 0, 128
NORTH, SOUTH = "sekisho/v1/north", "sekisho/v1/south"


class Served:
    """A broker with two gateways and two desks, one for each site, and one for one drone."""

    def __init__(self):
        (self.port,) = free_ports(1)
        logins = (
            Login("gateway", "g" * 12, write=(NORTH,)),
            Login("gateway-south", "s" * 12, write=(SOUTH,)),
            Login("desk", "d" * 12, read=(NORTH,)),
            Login("desk-south", "e" * 12, read=(SOUTH,)),
            Login("one", "o" * 12, read=(f"{NORTH}/d1",)),
        )
        self._passwords = {login.name: login.password for login in logins}
        self.broker = EmbeddedBroker(BrokerOptions(f"127.0.0.1:{self.port}", logins))

    async def __aenter__(self):
        self._task = asyncio.create_task(self.broker.run())
        async with asyncio.timeout(60):
            await self.broker.serving.wait()
        return self

    async def __aexit__(self, *error):
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def client(self, user, password=None, **more):
        password = self._passwords.get(user) if password is None else password
        return aiomqtt.Client(
            "127.0.0.1", self.port, username=user, password=password, timeout=20, **more
        )

    async def publish(self, topic, payload, user="gateway", retain=False):
        async with self.client(user) as client:
            await client.publish(topic, payload, qos=1, retain=retain)


async def heard(client, until=b"end"):
    """Return what comes until the payload that ends it."""
    got = []
    async with asyncio.timeout(30):
        async for message in client.messages:
            if message.payload == until:
                return got
            got.append((str(message.topic), message.payload, message.retain))
    raise AssertionError


async def subscribe(client, *filters):
    return [(await client.subscribe(each, qos=1))[0].value for each in filters]


def run(scenario):
    async def whole():
        async with Served() as served:
            await scenario(served)

    with warnings.catch_warnings():
        # paho leaves the socket of a connection that was refused to the collector.
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(asyncio.wait_for(whole(), 120))
        gc.collect()


@pytest.mark.parametrize(
    ("user", "password"),
    [(None, None), ("desk", ""), ("desk", "wrong"), ("nobody", "d" * 12), ("", "d" * 12)],
)
def test_who_is_not_known_is_refused(user, password):
    async def scenario(served):
        with pytest.raises(
            aiomqtt.MqttError, match=r"(?i)not authorized|refused|disconnection|code:13"
        ):
            async with served.client(user, password):
                pass

    run(scenario)


def test_a_subscriber_sees_its_site_only():
    async def scenario(served):
        await served.publish(f"{NORTH}/d1/state", "n1", retain=True)
        await served.publish(f"{SOUTH}/d9/state", "s9", "gateway-south", retain=True)
        async with served.client("desk") as desk, served.client("desk-south") as south:
            allowed = (f"{NORTH}/#", f"{NORTH}/+/state", NORTH)
            refused = ("#", "+/#", "sekisho/#", "sekisho/v1/#", "sekisho/v1/+", "sekisho/v1/+/#")
            more = (f"{SOUTH}/#", f"{SOUTH}/d9/state", "$SYS/#", "sekisho/+/north/#", "north/#")
            assert await subscribe(desk, *allowed) == [1] * 3
            assert await subscribe(desk, *refused, *more) == [REFUSED] * 11
            assert await subscribe(south, f"{SOUTH}/#") == [1]
            await served.publish(f"{SOUTH}/d9/event", "live", "gateway-south")
            await served.publish(f"{SOUTH}/d9/event", "end", "gateway-south")
            await served.publish(f"{NORTH}/d1/event", "live")
            await served.publish(f"{NORTH}/d1/event", "end")
            topics = {topic for topic, _, _ in await heard(desk)}
            assert topics == {f"{NORTH}/d1/state", f"{NORTH}/d1/event"}
            assert {topic for topic, _, _ in await heard(south)} == {
                f"{SOUTH}/d9/state",
                f"{SOUTH}/d9/event",
            }

    run(scenario)


def test_who_may_see_one_drone_sees_no_other():
    async def scenario(served):
        async with served.client("one") as one:
            assert await subscribe(one, f"{NORTH}/d1/#", f"{NORTH}/+/state", f"{NORTH}/#") == [
                1,
                REFUSED,
                REFUSED,
            ]
            await served.publish(f"{NORTH}/d10/state", "other")
            await served.publish(f"{NORTH}/d1/state", "end")
            assert await heard(one) == []

    run(scenario)


def test_nobody_but_its_gateway_publishes_for_a_site():
    async def scenario(served):
        async with served.client("desk") as desk:
            await subscribe(desk, f"{NORTH}/#")
            for user in ("desk", "desk-south", "gateway-south"):
                for topic in (f"{NORTH}/d1/state", f"{NORTH}/gateway/conn"):
                    await served.publish(topic, "forged", user, retain=True)
            await served.publish("elsewhere", "forged")
            await served.publish(f"{NORTH}/d1/event", "end")
            assert await heard(desk) == []
        async with served.client("desk") as desk:
            await subscribe(desk, f"{NORTH}/#")
            await served.publish(f"{NORTH}/d1/event", "end")
            assert await heard(desk) == []  # nothing forged has been retained

    run(scenario)


def test_a_will_needs_the_right_to_write():
    async def die(client):
        async with client:
            client._client._sock.shutdown(socket.SHUT_RDWR)
            await asyncio.sleep(0.5)

    async def scenario(served):
        async with served.client("desk") as desk:
            await subscribe(desk, f"{NORTH}/#")
            for user in ("desk", "desk-south", "gateway-south", "gateway"):
                will = aiomqtt.Will(f"{NORTH}/gateway/conn", f"by {user}", 1, retain=True)
                with contextlib.suppress(aiomqtt.MqttError):
                    await die(served.client(user, will=will))
            async with asyncio.timeout(30):
                message = await anext(aiter(desk.messages))
            assert message.payload == b"by gateway"
            await served.publish(f"{NORTH}/d1/event", "end")
            assert await heard(desk) == []

    run(scenario)


def test_a_client_id_gives_nothing_of_its_other_owner():
    """amqtt hands over the session, its subscriptions and its will before it looks at passwords."""

    async def scenario(served):
        await served.publish(f"{NORTH}/d1/state", "kept", retain=True)
        desk = served.client("desk", identifier="desk-id", clean_session=False)
        async with desk:
            await subscribe(desk, f"{NORTH}/#")
            assert (await anext(aiter(desk.messages))).payload == b"kept"
            for user, password in (("desk-south", None), ("desk", "wrong"), ("gateway", "wrong")):
                thief = served.client(
                    user, password, identifier="desk-id", clean_session=False,
                    will=aiomqtt.Will(f"{NORTH}/gateway/conn", "stolen", 1, retain=True),
                )  # fmt: skip
                with contextlib.suppress(aiomqtt.MqttError):
                    async with thief:
                        await served.publish(f"{NORTH}/d1/event", "secret")
                        await asyncio.sleep(0.5)
                        assert len(thief.messages) == 0
            await served.publish(f"{NORTH}/d1/event", "end")
            got = await heard(desk)  # it is still there, and may still read
            assert {payload for _, payload, _ in got} == {b"secret"}

    run(scenario)


def test_whoever_connects_gets_nothing_it_did_not_ask_for():
    async def scenario(served):
        await served.publish(f"{NORTH}/d1/state", "kept", retain=True)
        async with served.client("desk") as desk:
            await subscribe(desk, f"{NORTH}/#")
            async with served.client("desk-south") as south, served.client("desk") as other:
                await asyncio.sleep(1)
                assert len(south.messages) == 0
                assert len(other.messages) == 0

    run(scenario)


def test_bytes_that_are_no_mqtt_hurt_nobody():
    async def scenario(served):
        connect = b"\x00\x04MQTT\x04"
        hostile = (
            b"",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x10\xff\xff\xff\x7f" + b"x" * 100,  # a CONNECT of 256 MB
            b"\x10\x05" + connect[:5],
            b"\x10\x0c" + connect + b"\xff\x00\x3c\x00\x00",
            b"\x10\x00",
            b"\xf0\x00",
            os.urandom(300),
        )
        held = []
        for data in hostile:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(data)
            held.append((reader, writer))
        async with served.client("desk") as desk:
            assert await subscribe(desk, f"{NORTH}/#") == [1]
        for reader, writer in held:
            async with asyncio.timeout(30):  # each is let go, also who says nothing
                with contextlib.suppress(ConnectionError):
                    await reader.read()
            writer.close()

    run(scenario)


def test_no_packet_is_long():
    async def scenario(served):
        async with served.client("gateway") as gateway:
            await gateway.publish(f"{NORTH}/d1/state", b"x" * 60_000, qos=1)
            with pytest.raises(aiomqtt.MqttError):
                await gateway.publish(f"{NORTH}/d1/state", b"x" * 70_000, qos=1)

    run(scenario)


def test_a_subscriber_that_does_not_read_is_let_go():
    async def scenario(served):
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", served.port))

        def text(value):
            return struct.pack("!H", len(value)) + value

        body = text(b"MQTT") + b"\x04\xc2\x00\x00" + text(b"x") + text(b"desk") + text(b"d" * 12)
        deaf.sendall(b"\x10" + bytes([len(body)]) + body)
        assert deaf.recv(4) == b"\x20\x02\x00\x00"
        body = b"\x00\x01" + text(f"{NORTH}/#".encode()) + b"\x00"
        deaf.sendall(b"\x82" + bytes([len(body)]) + body)
        async with served.client("gateway") as gateway, served.client("desk") as desk:
            await subscribe(desk, f"{NORTH}/#")
            for number in range(400):  # who reads has everything
                await gateway.publish(f"{NORTH}/d1/state", b"%16000d" % number, qos=0)
                async with asyncio.timeout(30):
                    assert int((await anext(aiter(desk.messages))).payload) == number
        deaf.settimeout(30)
        taken = 0
        with contextlib.suppress(ConnectionError):
            while data := await asyncio.to_thread(deaf.recv, 65536):
                taken += len(data)
        assert taken < 5_000_000
        deaf.close()

    run(scenario)


def test_it_comes_back_and_ends_with_its_parent():
    async def scenario(served):
        first = served.broker.pid
        os.kill(first, signal.SIGTERM)  # for the gateway: it ends with stdin
        async with served.client("desk"):
            pass
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(aiomqtt.MqttError):
                    async with served.client("desk"):
                        break
                await asyncio.sleep(0.1)
            assert served.broker.pid != first
        served.last = served.broker.pid
        await served.__aexit__()
        with pytest.raises(ProcessLookupError):
            os.kill(served.last, 0)
        served._task = asyncio.create_task(asyncio.sleep(0))

    run(scenario)
