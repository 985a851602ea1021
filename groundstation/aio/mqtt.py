"""Publishes a gateway's bulletin to a broker: connects, comes back, waits for nobody.

The only module that knows the client library (aiomqtt 2, MQTT 3.1.1). Nothing is ever subscribed,
and what a broker sends all the same is thrown away.
"""

import asyncio
import contextlib
import logging
import random
import ssl
import time
from typing import Final, NamedTuple

import aiomqtt
import msgspec

from groundstation.mqtt import Bulletin, conn
from wire.aio.alarm import monotonic_ns
from wire.locality import Address

TICK_S: Final = 0.1
ANSWER_S: Final = 5.0
GOODBYE_S: Final = 1.0
KEEPALIVE_S: Final = 10
FIRST_WAIT_S: Final = 0.25
LONGEST_WAIT_S: Final = 15.0
CLIENT: Final = "sekisho-gateway"

_log = logging.getLogger(__name__)
_library_log = logging.getLogger("sekisho.mqtt.library")
_library_log.setLevel(logging.CRITICAL)  # what matters of it is raised, and said once here


class Broker(NamedTuple):
    """A broker and how to get in."""

    address: Address
    tls: ssl.SSLContext | None = None
    user: str | None = None
    password: str | None = None

    def __str__(self) -> str:
        scheme = "mqtt" if self.tls is None else "mqtts"
        return f"{scheme}://{self.address[0]}:{self.address[1]}"


class MqttStatus(msgspec.Struct):
    """Publishing, for `sekisho status`."""

    broker: str
    connected: bool
    connections: int
    published: int
    telemetry_replaced: int
    events_lost: int


class MqttPublisher:
    """Publishes one bulletin; `run` goes on until it is cancelled."""

    def __init__(self, bulletin: Bulletin, will_topic: str, broker: Broker) -> None:
        self._bulletin = bulletin
        self._outbox = bulletin.outbox
        self._will = aiomqtt.Will(will_topic, conn("broken"), qos=1, retain=True)
        self._broker = broker
        self._woken = asyncio.Event()
        self._is_connected = False
        self._connections = 0

    def status(self) -> MqttStatus:
        """Describe everything that is counted."""
        counted = self._outbox.counted
        return MqttStatus(
            broker=str(self._broker),
            connected=self._is_connected,
            connections=self._connections,
            published=counted["published"],
            telemetry_replaced=counted["telemetry_replaced"],
            events_lost=counted["events_lost"],
        )

    async def run(self) -> None:
        """Publish for ever; the bulletin is kept up to date whether or not there is a broker."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tick_forever())
            tasks.create_task(self._connect_forever())

    async def _tick_forever(self) -> None:
        while True:
            self._bulletin.tick(monotonic_ns(), time.time_ns() // 1_000_000)
            self._woken.set()
            await asyncio.sleep(TICK_S)

    async def _connect_forever(self) -> None:
        wait_s, said = FIRST_WAIT_S, ""
        while True:
            try:
                async with self._client() as client:
                    _log.info("mqtt: connected to %s", self._broker)
                    wait_s, said = FIRST_WAIT_S, ""
                    self._is_connected = True
                    self._connections += 1
                    self._outbox.connected()
                    await self._publish(client)
            except* aiomqtt.MqttError as errors:
                # The library has words for what hinders a connection, none for its end.
                why = "connection lost" if self._is_connected else str(errors.exceptions[0])
                if why != said:
                    said = why
                    _log.warning("mqtt: %s: %s; trying again", self._broker, said)
            self._is_connected = False
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _publish(self, client: aiomqtt.Client) -> None:
        """Publish until the connection is lost, or until cancelled: then say goodbye."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_throw_away(client))
                tasks.create_task(self._send_forever(client))
        except asyncio.CancelledError:
            self._bulletin.farewell()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self._send_waiting(client)
            raise

    async def _send_forever(self, client: aiomqtt.Client) -> None:
        while True:
            await self._send_waiting(client)
            self._woken.clear()
            await self._woken.wait()

    async def _send_waiting(self, client: aiomqtt.Client) -> None:
        while (message := self._outbox.head()) is not None:
            await client.publish(
                message.topic, message.payload, qos=message.qos, retain=message.retain
            )
            self._outbox.sent(message)

    def _client(self) -> aiomqtt.Client:
        host, port = self._broker.address
        return aiomqtt.Client(
            host,
            port,
            username=self._broker.user,
            password=self._broker.password,
            logger=_library_log,
            identifier=f"{CLIENT}-{self._will.topic.split('/')[2]}",
            protocol=aiomqtt.ProtocolVersion.V311,
            will=self._will,
            clean_session=True,
            timeout=ANSWER_S,
            keepalive=KEEPALIVE_S,
            max_queued_incoming_messages=1,
            tls_context=self._broker.tls,
        )


async def _throw_away(client: aiomqtt.Client) -> None:
    """Read what nobody has asked for; raises as soon as the connection is lost."""
    async for _ in client.messages:
        pass
