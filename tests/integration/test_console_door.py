"""The console's door, by real requests: nothing without a token, whatever is asked for.

Mutants killed: the Host is not looked at; a WebSocket without an Origin; the cookie alone opens the
WebSocket; files need no cookie; a HEAD or POST comes in; the token of another start; a header is
missing; a page that does not read is kept for ever.
"""

import asyncio
import contextlib
import http.client
import importlib.resources
import json
import os
import re
import socket

import pytest
import websockets

import groundstation
from crypto.aio.store import Store
from crypto.pair import Identity, PairNames, Role, pair_in_lab
from groundstation.aio import web
from groundstation.aio.flights import Library
from groundstation.aio.gateway import Gateway
from groundstation.aio.web import WebConsole
from groundstation.config import Drone, GroundConfig
from groundstation.talk import Role as PageRole
from sekisho.plan_flight import make

FILES = sorted(
    str(path.relative_to(importlib.resources.files(groundstation) / "static"))
    for path in (importlib.resources.files(groundstation) / "static").rglob("*")
    if path.is_file()
)


class Served:
    """A gateway with one drone that never answers, and its console on a free port."""

    def __init__(self, directory):
        self._directory = directory

    async def __aenter__(self):
        store = Store(self._directory)
        ground = store.load_or_create_identity(os.urandom)
        names = PairNames("tsubame-1", "ground", Role.COMMANDER)
        _, pair = pair_in_lab(Identity.create(os.urandom), ground, names, os.urandom)
        config = GroundConfig([Drone("tsubame-1", "127.0.0.1:9", mavlink_out=())])
        self._gateway = Gateway(config, store, {"tsubame-1": pair}, 1)
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setblocking(False)
        self.port = sock.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        library = Library(self._directory / "logs", self._directory / "log-private.key")
        address = ("127.0.0.1", self.port)
        self.web = WebConsole(self._gateway, address, self._directory, library, make)
        self._stack = contextlib.AsyncExitStack()
        await self._gateway.start()
        await self._stack.enter_async_context(self.web.serving(sock))
        return self

    async def __aexit__(self, *error):
        try:
            await self._stack.__aexit__(*error)
        finally:
            self._gateway.close()

    async def ask(self, path, method="GET", **headers):
        """Send one request; return its status, headers and body."""

        def send():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            headers.setdefault("Host", self.host)
            connection.putrequest(method, path, skip_host=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer.status, answer.headers, body.decode(errors="replace")

        return await asyncio.to_thread(send)

    async def enter(self, role=PageRole.OPERATOR):
        """Return the cookie and the page's key."""
        path = self.web.door.url(role).removeprefix(f"http://{self.host}")
        status, headers, body = await self.ask(path)
        assert status == 200
        cookie = headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        return cookie.partition(";")[0], re.search('content="([^"]{40,})"', body)[1]

    def connect(self, cookie, origin=""):
        """Open the WebSocket; `origin` None sends none, "" the console's own."""
        headers = {"Cookie": cookie} if cookie else {}
        return websockets.connect(
            f"ws://{self.host}/live",
            origin=f"http://{self.host}" if origin == "" else origin,
            additional_headers=headers,
            proxy=None,
        )


def with_console(body):
    """Run a test's coroutine with a console served."""

    def test(tmp_path):
        async def run():
            async with Served(tmp_path / "ground") as served:
                await body(served)

        asyncio.run(asyncio.wait_for(run(), 30))

    test.__name__ = body.__name__
    return test


@with_console
async def test_nothing_without_a_token(served):
    for path in [
        "/",
        "/live",
        "/enter/",
        "/enter/x",
        "/enter/../main.js",
        "/enter/x/main.js",
        "/nowhere",
        *[f"/{name}" for name in FILES],
    ]:
        status, headers, body = await served.ask(path)
        assert status == 401, path
        assert len(body) < 120
        assert "default-src 'none'" in headers["content-security-policy"]
    with pytest.raises(websockets.InvalidStatus):
        await served.connect(None)


@with_console
async def test_everything_with_one(served):
    cookie, _ = await served.enter()
    for path in ["/", *[f"/{name}" for name in FILES]]:
        status, headers, _ = await served.ask(path, Cookie=cookie)
        assert status == 200, path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
    for path in ("/../pyproject.toml", "/%2e%2e/config.py", "//etc/passwd", "/vendor/"):
        status, _, _ = await served.ask(path, Cookie=cookie)
        assert status == 404, path


@with_console
async def test_other_names_of_this_machine(served):
    cookie, _ = await served.enter()
    for host in ("localhost", "evil.example", f"localhost:{served.port}", "127.0.0.1", ""):
        for path in ("/", served.web.door.url(PageRole.OPERATOR).partition(served.host)[2]):
            status, _, _ = await served.ask(path, Cookie=cookie, Host=host)
            assert status in (400, 421), host


@with_console
async def test_other_sites(served):
    cookie, _ = await served.enter()
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{served.port + 1}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},  # another port of this machine
    ):
        status, _, _ = await served.ask("/main.js", Cookie=cookie, **headers)
        assert status == 403, headers
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        status, _, _ = await served.ask("/", method, Cookie=cookie)
        assert status == 405
    for origin in (None, "http://evil.example", "null", f"https://{served.host}"):
        with pytest.raises(websockets.InvalidStatus):
            await served.connect(cookie, origin=origin)


@with_console
async def test_bad_cookies(served):
    cookie, _ = await served.enter()
    name = cookie.partition("=")[0]
    for bad in (f"{name}=", f"{name}=x", cookie[:-1], f"{name}={'x' * 5000}", 'a="', "\x7f=;;=="):
        status, _, _ = await served.ask("/", Cookie=bad)
        assert status == 401, bad


@with_console
async def test_the_cookie_alone_opens_no_socket(served):
    cookie, key = await served.enter()
    _, other_key = await served.enter()
    for hello in ("", "{}", '{"type":"hello","key":""}', '{"type":"here","visible":true}',
                  json.dumps({"type": "hello", "key": other_key})):  # fmt: skip
        async with served.connect(cookie) as page:
            await page.send(hello)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await page.recv()
            assert closed.value.rcvd.code == 1008
    async with served.connect(cookie) as page:
        await page.send(json.dumps({"type": "hello", "key": key}))
        welcome = json.loads(await page.recv())
        assert (welcome["t"], welcome["role"]) == ("welcome", "operator")
        assert json.loads(await page.recv())["drones"]["tsubame-1"]["word"][0] == "NOT CONNECTED"


@with_console
async def test_roles_have_tokens_of_their_own(served):
    cookie, key = await served.enter(PageRole.VIEWER)
    async with served.connect(cookie) as page:
        await page.send(json.dumps({"type": "hello", "key": key}))
        assert json.loads(await page.recv())["role"] == "viewer"


@with_console
async def test_bad_messages_are_named_and_many_end_it(served):
    cookie, key = await served.enter()
    async with served.connect(cookie) as page:
        await page.send(json.dumps({"type": "hello", "key": key}))
        await page.send('{"type":"fly"}')
        while (reply := json.loads(await page.recv()))["t"] != "error":
            pass
        assert "fly" in reply["why"]
        for _ in range(60):
            await page.send("{")
        with pytest.raises(websockets.ConnectionClosed):
            [_ async for _ in page]
    async with served.connect(cookie) as page:
        await page.send("x" * 100_000)
        with pytest.raises(websockets.ConnectionClosed):
            await page.recv()


def test_a_page_that_does_not_read_is_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr(web, "SEND_S", 0.5)
    monkeypatch.setattr(web, "PICTURE_S", 0.002)

    async def run():
        async with Served(tmp_path / "ground") as served:
            cookie, key = await served.enter()
            page = await served.connect(cookie).__aenter__()
            await page.send(json.dumps({"type": "hello", "key": key}))
            await page.recv()
            page.transport.pause_reading()
            console = served.web._console
            drone = console.drones["tsubame-1"]
            drone._sections["plan0"] = (10**9, [[16, 35.0, 139.0, 20.0, 0.0]] * 2000)
            (session,) = console._sessions
            while console._sessions:
                session.cursors.clear()  # everything is new again: its buffers fill
                await asyncio.sleep(0.002)
            page.transport.abort()

    asyncio.run(asyncio.wait_for(run(), 30))
