"""Publishes telemetry over MQTT with `sekisho ground`, if `[mqtt]` says so."""

import asyncio
import contextlib
import importlib.util
import logging
import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Final

import msgspec

from crypto.aio.files import read_private, write_private
from crypto.pair import PairRecord
from groundstation.aio.gateway import Gateway
from groundstation.config import (
    EMBEDDED,
    GATEWAY,
    OFF,
    GroundConfig,
    Mqtt,
    parse_broker,
)
from groundstation.mqtt import ROOT, Bulletin, gateway_topic
from sekisho.config_file import ConfigError
from wire.locality import NotAllowedError, parse_loopback

VIEWER: Final = "viewer"
VIEWER_FILE: Final = "mqtt-viewer.json"
MIN_PASSWORD: Final = 12
_INSTALL: Final = "pip install 'sekisho[mqtt]'"
_TOKEN_BYTES: Final = 24

_log = logging.getLogger(__name__)


class ViewerCredentials(msgspec.Struct):
    """How a program of this user gets into the embedded broker; worth nothing after a restart."""

    address: str
    user: str
    password: str
    topics: str


@contextlib.asynccontextmanager
async def serving_mqtt(
    config: GroundConfig, gateway: Gateway, pairs: Mapping[str, PairRecord]
) -> AsyncIterator[Callable[[], object]]:
    """Publish what a gateway hears until left; yields what describes it.

    Raises:
        ConfigError, NotAllowedError, StoreError: It was asked for, and cannot be done.
    """
    mqtt = config.mqtt
    if mqtt is None or mqtt.broker == OFF:
        yield lambda: None
        return
    _check_installed(mqtt)
    from groundstation.aio.mqtt import Broker, MqttPublisher  # noqa: PLC0415 - extra `mqtt`

    keys = {name: pair.peer_static_public for name, pair in pairs.items()}
    bulletin = Bulletin(mqtt.site, gateway.stations, keys)
    ready: asyncio.Event | None = None
    async with contextlib.AsyncExitStack() as stack:
        if mqtt.broker == EMBEDDED:
            address = parse_loopback(mqtt.bind)
            password = secrets.token_hex(_TOKEN_BYTES)
            broker = Broker(address, None, GATEWAY, password)
            await _check_free(mqtt.bind)
            ready = await stack.enter_async_context(_embedded(mqtt, config.state_dir, password))
        else:
            secret = None if mqtt.password_file is None else _password(mqtt.password_file)
            broker = Broker(parse_broker(mqtt.broker), _tls(mqtt), mqtt.user, secret)
        publisher = MqttPublisher(bulletin, gateway_topic(mqtt.site), broker)
        for name, vehicle in bulletin.vehicles.items():
            gateway.watch(name, vehicle.receive)
        await stack.enter_async_context(_running(_publish(publisher.run, ready)))
        _log.info("mqtt: publishing below %s/%s to %s", ROOT, mqtt.site, broker)
        yield publisher.status


@contextlib.asynccontextmanager
async def _embedded(mqtt: Mqtt, state_dir: Path, password: str) -> AsyncIterator[asyncio.Event]:
    from groundstation.aio.broker import BrokerOptions, Login  # noqa: PLC0415 - extra `mqtt`
    from groundstation.aio.embedded import EmbeddedBroker  # noqa: PLC0415

    site = f"{ROOT}/{mqtt.site}"
    logins = [Login(GATEWAY, password, write=(site,))]
    for subscriber in mqtt.subscriber:
        topics = tuple(f"{ROOT}/{topic}" for topic in subscriber.topics) or (site,)
        logins.append(Login(subscriber.name, _password(subscriber.password_file), topics))
    if not mqtt.subscriber:
        viewer = ViewerCredentials(mqtt.bind, VIEWER, secrets.token_hex(_TOKEN_BYTES), f"{site}/#")
        logins.append(Login(VIEWER, viewer.password, (site,)))
        path = state_dir / VIEWER_FILE
        write_private(path, msgspec.json.encode(viewer) + b"\n")
        _log.info("mqtt: %s lets a program of this user read until the next start", path)
    broker = EmbeddedBroker(BrokerOptions(mqtt.bind, tuple(logins)))
    async with _running(broker.run()):
        yield broker.serving


async def _publish(
    run: Callable[[], Coroutine[object, object, None]], ready: asyncio.Event | None
) -> None:
    if ready is not None:
        await ready.wait()
    await run()


@contextlib.asynccontextmanager
async def _running(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Run something beside the gateway, which goes on if it fails: flying does not need MQTT."""
    task = asyncio.get_running_loop().create_task(work)

    def failed(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and done.exception() is not None:
            context = {"message": "mqtt has failed", "exception": done.exception()}
            done.get_loop().call_exception_handler(context)

    task.add_done_callback(failed)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _check_installed(mqtt: Mqtt) -> None:
    needed = ["aiomqtt"] + ["amqtt"] * (mqtt.broker == EMBEDDED)
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f'[mqtt] needs {", ".join(missing)}: {_INSTALL}, or broker = "off"')


async def _check_free(bind: str) -> None:
    """Say at the start that a port is taken, rather than never."""
    host, port = parse_loopback(bind)
    try:
        server = await asyncio.start_server(lambda _r, _w: None, host, port)
    except OSError as error:
        allowed = f"a loopback address whose port is free ({error.strerror})"
        raise NotAllowedError("mqtt.bind", bind, allowed) from None
    server.close()
    await server.wait_closed()


def _password(file: str) -> str:
    path = Path(file).expanduser()
    try:
        password = read_private(path).decode().strip()
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: the password is no UTF-8") from None
    if len(password) < MIN_PASSWORD:
        raise ConfigError(f"{path}: the password is too short; allowed: {MIN_PASSWORD} characters")
    return password


def _tls(mqtt: Mqtt) -> ssl.SSLContext | None:
    if mqtt.ca is None or mqtt.cert is None or mqtt.key is None:
        return None
    try:
        context = ssl.create_default_context(cafile=Path(mqtt.ca).expanduser())
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"mqtt.ca = {mqtt.ca!r}: {error}; allowed: CA certificates, PEM"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        cert, key = Path(mqtt.cert).expanduser(), Path(mqtt.key).expanduser()
        context.load_cert_chain(cert, key, password=_no_passphrase)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"mqtt.cert = {mqtt.cert!r}, mqtt.key = {mqtt.key!r}: {error}; allowed: a certificate "
            "and its unencrypted private key, PEM"
        ) from None
    return context


def _no_passphrase() -> str:
    """Answer instead of a prompt that nobody would see."""
    return ""
