"""Serves the console: files from memory, one WebSocket per page, the beat of ten pictures a second.

Imported only where the console is switched on: it needs the extra `ground`.
"""

import asyncio
import contextlib
import hmac
import html
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

import groundstation
from crypto.aio.files import StoreError
from groundstation.aio.door import COOKIE, ENTER, Door, Guard
from groundstation.aio.drafts import Drafts
from groundstation.aio.flights import Library
from groundstation.aio.gateway import Gateway
from groundstation.aio.routes import Routes
from groundstation.aio.tiles import Tiles
from groundstation.console import MAX_FAULTS, Console, Session
from groundstation.flights import Flights
from groundstation.plan.route import Make
from groundstation.talk import (
    MAX_BYTES,
    MAX_HELLO_BYTES,
    Hello,
    NotUnderstoodError,
    Role,
    parse_untrusted,
)
from wire.aio.alarm import monotonic_ns
from wire.locality import Address
from wire.parameter_notes import document

PICTURE_S: Final = 0.1
HELLO_S: Final = 5.0
SEND_S: Final = 10.0
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
    "LICENSE": "text/plain; charset=utf-8",
}
# Close codes of RFC 6455 that the page tells apart.
_POLICY_VIOLATION: Final = 1008
_TRY_LATER: Final = 1013

_log = logging.getLogger(__name__)


class WebConsole:
    """The console of one gateway, on one loopback address."""

    def __init__(
        self, gateway: Gateway, address: Address, state: Path, library: Library, make: Make
    ) -> None:
        self.door = Door(f"{address[0]}:{address[1]}")
        self._gateway = gateway
        self._console = Console(gateway.stations, gateway.station_names)
        self._files = dict(_files())
        self._tiles = Tiles(state / "maps")
        self._library = library
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recordings")
        self._reading: set[asyncio.Task[None]] = set()
        self._tick_task: asyncio.Task[None] | None = None
        self._drafts = Drafts(state / "plans", self._console.planning)
        self._drafts.load(self._console.drones)
        self._routes = Routes(self._console.planning, make, self._tick)
        for name in self._console.drones:
            gateway.watch(name, partial(self._receive, name))
        self._app = Guard(
            Starlette(
                routes=[
                    Route(ENTER + "{token}", self._enter),
                    WebSocketRoute("/live", self._live),
                    Route("/tiles/{name}/{zoom:int}/{column:int}/{row:int}", self._tile),
                    Route("/{path:path}", self._file),
                ]
            ),
            self.door,
        )

    @contextlib.asynccontextmanager
    async def serving(self, sock: socket.socket) -> AsyncIterator[None]:
        """Serve on a socket that listens, until left."""
        server = _Server(
            uvicorn.Config(
                self._app,
                log_config=None,
                log_level="warning",
                access_log=False,  # it would hold the token
                lifespan="off",
                http="h11",
                ws="websockets-sansio",
                ws_max_size=MAX_BYTES,
                ws_per_message_deflate=False,
                server_header=False,
                proxy_headers=False,
                h11_max_incomplete_event_size=16384,
                limit_concurrency=100,
                timeout_graceful_shutdown=1,
            )
        )
        async with asyncio.TaskGroup() as tasks:
            serve = tasks.create_task(server.serve(sockets=[sock]))
            tick = tasks.create_task(self._tick_forever())
            try:
                yield
            finally:
                tick.cancel()
                self._tiles.close()
                self._reader.shutdown(wait=False, cancel_futures=True)
                self._drafts.close()
                self._routes.close()
                server.should_exit = True
                await asyncio.wait([serve])

    async def _tick_forever(self) -> None:
        while True:
            self._tick()
            await asyncio.sleep(PICTURE_S)

    def _receive(self, name: str, plain: bytes, now_ns: int) -> None:
        drone = self._console.drones[name]
        drone.receive(plain, now_ns)
        answers = drone.answers(now_ns)
        if answers:
            self._gateway.send(name, answers)

    def _tick(self) -> None:
        for name, frames in self._console.tick(monotonic_ns()).items():
            self._gateway.send(name, frames)
        self._drafts.save()
        self._routes.begin()
        for name in self._console.planning.asked():
            self._gateway.pump(name)
        for event in self._console.events():
            self._gateway.note(event)
        for name in self._console.drones:
            self._console.show_recorder(name, self._gateway.recorder(name))

    async def _read(self, session: Session, wanted: Flights) -> None:
        """Read what a page wants from the disk, one thing after the other."""
        run = asyncio.get_running_loop().run_in_executor
        written = (self._gateway.recorder(name).get("file") for name in self._console.drones)
        try:
            if wanted.do == "list":
                being_written = frozenset(str(file) for file in written if file is not None)
                rows, note = await run(self._reader, self._library.rows, being_written)
                session.flights.listed(rows, note)
            else:
                session.flights.opened(await run(self._reader, self._library.open, wanted.name))
        except (OSError, StoreError) as error:
            session.flights.failed(str(error))

    def _begin_reading(self, session: Session) -> None:
        wanted = session.flights.wanted()
        if wanted is not None:
            task = asyncio.create_task(self._read(session, wanted))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)

    async def _enter(self, request: Request) -> Response:
        entered = self.door.enter(request.path_params["token"])
        if entered is None:
            return PlainTextResponse(
                "This address is of an earlier start: `sekisho console` prints the present one.\n",
                401,
            )
        cookie, known = entered
        page = self._files["enter.html"][0].decode().replace("$KEY", html.escape(known.key))
        response = HTMLResponse(page)
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", path="/")
        return response

    async def _file(self, request: Request) -> Response:
        found = self._files.get(request.path_params["path"] or "index.html")
        if found is None:
            return PlainTextResponse("There is no such page.\n", 404)
        return Response(found[0], media_type=found[1])

    async def _tile(self, request: Request) -> Response:
        found = self._tiles.get(**request.path_params)
        if found is None:
            return PlainTextResponse("There is no such tile.\n", 404)
        return Response(found[0], media_type=found[1])

    async def _live(self, socket: WebSocket) -> None:
        known = self.door.known(socket.headers)
        assert known is not None  # or the guard would not have let it in
        await socket.accept()
        with contextlib.suppress(WebSocketDisconnect, TimeoutError):
            hello = await asyncio.wait_for(_said(socket), HELLO_S)
            if not _is_hello(hello, known.key):
                await socket.close(_POLICY_VIOLATION, "not the page that was let in")
                return
            await self._serve_page(socket, known.role)

    async def _serve_page(self, socket: WebSocket, role: Role) -> None:
        session = self._console.open(role)
        if session is None:
            await socket.close(_TRY_LATER, "too many pages")
            return
        _log.info("console: %s comes", session.name)
        self._tick()  # so that its first picture is whole
        replies: asyncio.Queue[object] = asyncio.Queue(MAX_FAULTS)
        show = asyncio.create_task(self._show(socket, session, replies))
        try:
            await self._listen(socket, session, replies, show)
        finally:
            self._console.close(session)
            show.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, TimeoutError):
                await show
            _log.info("console: %s leaves", session.name)

    async def _show(
        self, socket: WebSocket, session: Session, replies: "asyncio.Queue[object]"
    ) -> None:
        """Send pictures and answers; a page that does not read them is let go."""
        maps = [(tiles.name, tiles.min_zoom, tiles.max_zoom) for tiles in self._tiles.sets.values()]
        await _send(socket, {**self._console.welcome(session, monotonic_ns()), "maps": maps})
        while True:
            await _send(socket, self._console.picture(session, monotonic_ns()))
            for tiding in self._console.tidings(session, monotonic_ns()):
                await _send(socket, tiding)
            with contextlib.suppress(TimeoutError):
                reply = await asyncio.wait_for(replies.get(), PICTURE_S)
                await _send(socket, reply)

    async def _listen(
        self,
        socket: WebSocket,
        session: Session,
        replies: "asyncio.Queue[object]",
        show: "asyncio.Task[None]",
    ) -> None:
        while not show.done():
            said = asyncio.ensure_future(_said(socket))
            await asyncio.wait([said, show], return_when=asyncio.FIRST_COMPLETED)
            if not said.done():
                said.cancel()
                return
            now_ns = monotonic_ns()
            is_flooding = session.is_flooding(now_ns)
            reply = self._console.receive_untrusted(session, said.result(), now_ns)
            if is_flooding or session.faults > MAX_FAULTS or replies.full():
                await socket.close(_POLICY_VIOLATION, "too many messages")
                return
            if reply is not None:
                replies.put_nowait(reply)
            self._begin_reading(session)
            self._tick()  # so that an order leaves at once


class _Server(uvicorn.Server):
    """A server that leaves the signals to the service it is part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _said(socket: WebSocket) -> str | bytes:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    text: str | bytes | None = message.get("text")
    return text if text is not None else message.get("bytes") or b""


async def _send(socket: WebSocket, reply: Any) -> None:  # noqa: ANN401 - of JSON
    async with asyncio.timeout(SEND_S):
        await socket.send_text(msgspec.json.encode(reply).decode())


def _is_hello(text: str | bytes, key: str) -> bool:
    if len(text) > MAX_HELLO_BYTES:
        return False
    try:
        said = parse_untrusted(text)
    except NotUnderstoodError:
        return False
    return isinstance(said, Hello) and hmac.compare_digest(said.key.encode(), key.encode())


def _files() -> Iterator[tuple[str, tuple[bytes, str]]]:
    """Yield every file of the page by its path; what is not here cannot be asked for."""

    def walk(place: Traversable, prefix: str) -> Iterator[tuple[str, tuple[bytes, str]]]:
        for entry in place.iterdir():
            if entry.is_dir():
                yield from walk(entry, f"{prefix}{entry.name}/")
            else:
                kind = _TYPES.get(entry.name.rpartition(".")[2])
                if kind is not None:
                    yield prefix + entry.name, (entry.read_bytes(), kind)

    yield "parameter-notes.json", (document(), _TYPES["json"])
    yield from walk(files(groundstation) / "static", "")
