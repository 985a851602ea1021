"""The embedded broker: amqtt with its traps closed, as a process of its own.

Its own process, so that no subscriber's load delays a link. It is told on stdin what to serve, and
ends with stdin, however the gateway ends.

What amqtt 0.12 leaves open, and is closed here (docs/decisions/0031-mqtt.md): it listens on every
address and lets everybody in; its list of rights takes `+` for `#`; before it asks who is there it
gives him the session, the will and the name of whoever has the same client id; it sends whoever
connects everything retained that anybody subscribes to; it reads packets of 256 MB, waits for ever
for a CONNECT, and keeps what a subscriber does not read.
"""

import asyncio
import hmac
import logging
import secrets
import signal
import sys
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from amqtt.adapters import ReaderAdapter, StreamReaderAdapter, WriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import Action, BaseContext
from amqtt.errors import MQTTError
from amqtt.mqtt.connack import NOT_AUTHORIZED, ConnackPacket
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from groundstation.topic_rules import may_subscribe, may_use

MAX_PACKET_BYTES: Final = 65_536
MAX_CONNECTIONS: Final = 64
CONNECT_S: Final = 5.0
MAX_WAITING_BYTES: Final = 1 << 20  # for one subscriber
READY: Final = b"ready\n"


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may come in, and the prefixes of what he may read and write."""

    name: str
    password: str
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()


class BrokerOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the gateway says on the first line of stdin."""

    bind: str
    logins: tuple[Login, ...]


@dataclass
class _Logins:
    """What amqtt hands to its plugins; it copies plain values only."""

    logins: dict[str, dict[str, list[str]]] = field(default_factory=dict)


class EverybodyInside(BaseAuthPlugin):  # type: ignore[misc] # amqtt has no types
    """amqtt asks a plugin once more; whoever has come so far has been let in by `GuardedBroker`."""

    async def authenticate(self, *, session: Session) -> bool:
        """Let in."""
        return session.username is not None


class Rights(BaseTopicPlugin):  # type: ignore[misc] # amqtt has no types
    """Each login's prefixes, and nothing else."""

    Config = _Logins

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._logins: dict[str, dict[str, list[str]]] = self.config.logins

    async def topic_filtering(
        self,
        *,
        session: Session | None = None,
        topic: str | None = None,
        action: Action | None = None,
    ) -> bool:
        """Tell whether a session may do that with a topic."""
        rights = self._logins.get(session.username) if session is not None else None
        if rights is None or not topic:
            return False
        match action:
            case Action.SUBSCRIBE:
                return may_subscribe(topic, rights["read"])
            case Action.RECEIVE:
                return may_use(topic, rights["read"])
            case Action.PUBLISH:
                return may_use(topic, rights["write"])
            case _:
                return False


class _ShortPackets(StreamReaderAdapter):  # type: ignore[misc] # amqtt has no types
    """Reads no packet that no honest client sends."""

    async def read(self, n: int = -1) -> bytes:
        if n > MAX_PACKET_BYTES:
            raise MQTTError("the packet is too long")
        data: bytes = await super().read(n)
        return data


class GuardedBroker(Broker):  # type: ignore[misc] # amqtt has no types
    """The broker, which knows who is there before anything happens to a session.

    Invariant: every session has a client id of its own that nobody else can name, ends with its
    connection, and has a will only if it may write.
    """

    def __init__(self, options: BrokerOptions) -> None:
        self._known = {login.name: login for login in options.logins}
        rights = {
            login.name: {"read": list(login.read), "write": list(login.write)}
            for login in options.logins
        }
        super().__init__(
            {
                "listeners": {
                    "default": {
                        "type": "tcp",
                        "bind": options.bind,
                        "max_connections": MAX_CONNECTIONS,
                    }
                },
                "session_expiry_interval": 60,
                "plugins": {
                    f"{__name__}.{EverybodyInside.__name__}": {},
                    f"{__name__}.{Rights.__name__}": {"logins": rights},
                },
            }
        )

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        """Serve one connection."""
        transport = writer.transport
        transport.set_write_buffer_limits(high=MAX_WAITING_BYTES)
        try:
            await super().stream_connected(reader, writer, listener_name)
        finally:
            transport.abort()

    async def _client_connected(
        self, listener_name: str, reader: ReaderAdapter, writer: WriterAdapter
    ) -> None:
        short = _ShortPackets(reader._reader)  # noqa: SLF001 - amqtt's is not to be had
        await super()._client_connected(listener_name, short, writer)

    async def _initialize_client_session(
        self,
        reader: ReaderAdapter,
        writer: WriterAdapter,
        remote_address: str,  # noqa: ARG002 - amqtt's signature
        remote_port: int,  # noqa: ARG002
    ) -> tuple[BrokerProtocolHandler, Session]:
        try:
            async with asyncio.timeout(CONNECT_S):
                handler, session = await BrokerProtocolHandler.init_from_connect(
                    reader, writer, self.plugins_manager
                )
        except (TimeoutError, ValueError, AttributeError) as error:  # amqtt's on malformed packets
            raise MQTTError(f"no CONNECT: {error}") from None
        login = self._known.get(session.username or "")
        expected = secrets.token_hex() if login is None else login.password
        is_right = hmac.compare_digest((session.password or "").encode(), expected.encode())
        if login is None or not is_right:
            await ConnackPacket.build(0, NOT_AUTHORIZED).to_stream(writer)
            await writer.close()
            raise MQTTError("refused: wrong name or password")
        session.client_id = secrets.token_hex(8)
        session.clean_session = True
        session.parent = 0
        if not may_use(session.will_topic or "", login.write):
            session.will_flag = False
        return handler, session

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        """Send what is retained to whoever has just subscribed to it, and to nobody else."""
        own = self._subscriptions.get(subscription[0], ())
        if any(each is session for each, _ in own):
            await super()._publish_retained_messages_for_subscription(subscription, session)

    def _get_handler(self, session: Session) -> BrokerProtocolHandler | None:
        """Return what writes to a subscriber; one that does not read is let go instead."""
        handler = super()._get_handler(session)
        if handler is None or handler.writer is None:
            return None
        transport = handler.writer._writer.transport  # noqa: SLF001 - amqtt's is not to be had
        if transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            transport.abort()
            return None
        return handler

    def forget_done(self) -> None:
        """Drop deliveries that are over, whichever is still waiting before them."""
        tasks = self._tasks_queue
        waiting = [task for task in tasks if not task.done()]
        for task in tasks:
            if task.done() and not task.cancelled():
                task.exception()  # a subscriber that went away
        tasks.clear()
        tasks.extend(waiting)


async def _serve(options: BrokerOptions, stdin: asyncio.StreamReader) -> None:
    broker = GuardedBroker(options)
    await broker.start()
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    end = asyncio.ensure_future(stdin.read())
    while not end.done():
        await asyncio.wait([end], timeout=1)
        broker.forget_done()
    await broker.shutdown()


async def _run() -> None:
    stdin = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_say_nothing)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    options = msgspec.json.decode(await stdin.readline(), type=BrokerOptions)
    await _serve(options, stdin)


def _say_nothing(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A connection that breaks within amqtt is no event."""


def main() -> None:
    """Serve until stdin ends: a signal to the whole group is for the gateway."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    logging.basicConfig(level=logging.CRITICAL)
    asyncio.run(_run())
