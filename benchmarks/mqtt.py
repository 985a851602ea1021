"""`mqtt`: what brokers carry of 1, 20 and 50 drones' telemetry, and how late it comes.

A publisher as the gateway has it (one connection, one message at a time) and three subscribers to
everything, all in this process; the broker in its own: the embedded one, and Debian's Mosquitto if
it is there. No TLS. First at the drones' own pace, then as fast as it goes.
"""

import asyncio
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import aiomqtt
import msgspec

from benchmarks.program import cpu_of_s, running
from benchmarks.report import Options, Spread, figure, table
from groundstation.aio.broker import BrokerOptions, Login
from groundstation.aio.embedded import EmbeddedBroker
from groundstation.mqtt import ROOT, TELEMETRY

FLEETS: Final = (1, 20, 50)
SUBSCRIBERS: Final = 3
FASTEST: Final = 5000  # messages as fast as they go
PER_DRONE: Final = sum(topic.rate_hz for topic in TELEMETRY) + 2  # messages/s; link and state
_FILLER: Final = b' "north_m_s": 0.12, "east_m_s": -3.4, "heading_deg": 271.3' * 4
_PASSWORD: Final = "benchmark-only"
_SITE: Final = f"{ROOT}/bench"
_LAST: Final = f"{_SITE}/gateway/conn"
_WAIT_S: Final = 30.0


class MqttResult(msgspec.Struct):
    """One broker with one fleet; `broker_share` is its CPU of one core at the drones' pace."""

    published_per_s: float
    lost: int
    latency: Spread
    broker_share: float
    fastest_per_s: float
    fastest_lost: int


class _Served(NamedTuple):
    port: int
    pid: int


def run(options: Options) -> dict[str, dict[str, MqttResult]]:
    """Measure each broker with each fleet."""
    seconds = 2.0 if options.quick else 20.0
    brokers: dict[str, Callable[[], AbstractAsyncContextManager[_Served]]] = {"embedded": _embedded}
    if _mosquitto() is not None:
        brokers["mosquitto"] = _debian
    results: dict[str, dict[str, MqttResult]] = {}
    for name, serve in brokers.items():
        results[name] = {
            f"{drones} drones": asyncio.run(_measure(serve, drones, seconds)) for drones in FLEETS
        }
    _print(results)
    return results


async def _measure(
    serve: Callable[[], AbstractAsyncContextManager[_Served]], drones: int, seconds: float
) -> MqttResult:
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serve())
        readers = []
        for _ in range(SUBSCRIBERS):
            client = await stack.enter_async_context(_client(served.port, "desk"))
            await client.subscribe(f"{_SITE}/#", qos=1)
            readers.append(reader := _Reader(client))
            stack.callback(reader.close)
        publisher = await stack.enter_async_context(_client(served.port, "gateway"))
        topics = [f"{_SITE}/d{drone}/telemetry/position" for drone in range(drones)]
        before = cpu_of_s([served.pid])
        count, took_s = await _paced(publisher, topics, seconds)
        share = (cpu_of_s([served.pid]) - before) / took_s
        late = await _collect(publisher, readers)
        lost = SUBSCRIBERS * count - len(late)
        started = time.perf_counter()
        for number in range(FASTEST):
            await publisher.publish(topics[number % drones], _payload(), qos=0)
        arrived = len(await _collect(publisher, readers))
        fastest_s = max(reader.last_ns for reader in readers) / 1e9 - started
        return MqttResult(
            published_per_s=round(count / took_s, 1),
            lost=lost,
            latency=Spread.of(late, "ms"),
            broker_share=round(share, 4),
            fastest_per_s=round(FASTEST / fastest_s, 1),
            fastest_lost=SUBSCRIBERS * FASTEST - arrived,
        )


async def _paced(publisher: aiomqtt.Client, topics: list[str], seconds: float) -> tuple[int, float]:
    """Publish a tenth of a second's messages ten times a second, as the gateway's beat does."""
    started = time.perf_counter()
    count = 0
    while (elapsed := time.perf_counter() - started) < seconds:
        due = round(elapsed * PER_DRONE * len(topics))
        while count < due:
            await publisher.publish(topics[count % len(topics)], _payload(), qos=0)
            count += 1
        await asyncio.sleep(0.1)
    return count, time.perf_counter() - started


class _Reader:
    """Notes how late each message comes [ms]."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self.late: list[float] = []
        self.last_ns = 0
        self._marked = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._read())

    async def take(self) -> list[float]:
        """Return what came before the mark."""
        async with asyncio.timeout(_WAIT_S):
            await self._marked.wait()
        self._marked.clear()
        late, self.late = self.late, []
        return late

    def close(self) -> None:
        """Read no more."""
        self._task.cancel()

    async def _read(self) -> None:
        async for message in self._client.messages:
            if str(message.topic) == _LAST:
                self._marked.set()
                continue
            assert isinstance(message.payload, bytes)
            sent_ns = int(message.payload[:20])
            self.last_ns = time.perf_counter_ns()
            self.late.append((self.last_ns - sent_ns) / 1e6)


async def _collect(publisher: aiomqtt.Client, readers: list[_Reader]) -> list[float]:
    """Mark the end, once what was on its way has come, and return what came."""
    before = -1
    while before != (came := sum(len(reader.late) for reader in readers)):
        before = came
        await asyncio.sleep(0.5)
    await publisher.publish(_LAST, b"end", qos=1)
    return [late for reader in readers for late in await reader.take()]


def _payload() -> bytes:
    return b"%020d" % time.perf_counter_ns() + _FILLER


def _client(port: int, user: str) -> aiomqtt.Client:
    return aiomqtt.Client("127.0.0.1", port, username=user, password=_PASSWORD, timeout=_WAIT_S)


@asynccontextmanager
async def _embedded() -> AsyncIterator[_Served]:
    port = _free_port()
    logins = (
        Login("gateway", _PASSWORD, write=(_SITE,)),
        Login("desk", _PASSWORD, read=(_SITE,)),
    )
    broker = EmbeddedBroker(BrokerOptions(f"127.0.0.1:{port}", logins))
    task = asyncio.get_running_loop().create_task(broker.run())
    try:
        async with asyncio.timeout(_WAIT_S):
            await broker.serving.wait()
        assert broker.pid is not None
        yield _Served(port, broker.pid)
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def _debian() -> AsyncIterator[_Served]:
    port, program = _free_port(), _mosquitto()
    assert program is not None
    with tempfile.TemporaryDirectory() as name, running("mosquitto") as mosquitto:
        home = Path(name)
        config = home / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        mosquitto.start([program, "-c", str(config)], home / "log", home)
        async with asyncio.timeout(_WAIT_S):
            while not _answers(port):
                mosquitto.check()
                await asyncio.sleep(0.05)
        yield _Served(port, mosquitto.pids()[0])


def _answers(port: int) -> bool:
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _mosquitto() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def _print(results: dict[str, dict[str, MqttResult]]) -> None:
    rows = [
        [
            f"{broker}, {fleet}",
            figure(result.published_per_s),
            figure(result.latency.p50),
            figure(result.latency.p99),
            f"{100 * result.broker_share:.1f} %",
            str(result.lost),
            figure(result.fastest_per_s),
        ]
        for broker, fleets in results.items()
        for fleet, result in fleets.items()
    ]
    head = ["MQTT", "msg/s in", "p50 ms", "p99 ms", "broker CPU", "lost", "fastest msg/s"]
    table(f"MQTT, {SUBSCRIBERS} subscribers to everything, QoS 0, no TLS", head, rows)
