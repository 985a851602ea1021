"""The console's door: who gets in. Every route goes through it, files and WebSocket alike.

The printed address carries a token that lives as long as the gateway does. Opening it sets a cookie
and hands the page a key of its own. The cookie opens the files. It alone does not open the
WebSocket, where everything is: browsers give the cookies of 127.0.0.1 to every port of it, so a
service of another user of this machine may come to see the cookie. The key it cannot see, since a
page's storage belongs to one port.
"""

import hmac
import re
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Final, NamedTuple

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundstation.talk import Role

MAX_KNOWN: Final = 64
COOKIE: Final = "sekisho-console"
ENTER: Final = "/enter/"
_TOKEN_BYTES: Final = 32
_ENTERING: Final = re.compile(re.escape(ENTER) + "[A-Za-z0-9_-]+")  # and nothing further inside
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types default"
)
_HEADERS: Final = tuple(
    (name.encode(), value.encode())
    for name, value in {
        "content-security-policy": _POLICY,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), usb=(), serial=()",
        "cache-control": "no-store",
    }.items()
)


class Known(NamedTuple):
    """A browser that has come in."""

    role: Role
    key: str


class Door:
    """Tokens of this start and the browsers that have shown one. The zero state knows nobody.

    Invariant: a request reaches the rooms behind only if it names this very host, comes from no
    other site and shows a cookie that was given here; or if it opens with a token.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self.tokens = {role: secrets.token_urlsafe(_TOKEN_BYTES) for role in Role}
        self._known: dict[str, Known] = {}

    def url(self, role: Role) -> str:
        """Return the address that lets a browser in."""
        return f"http://{self.host}{ENTER}{self.tokens[role]}"

    def enter(self, token: str) -> tuple[str, Known] | None:
        """Return a new cookie and what belongs to it; None if the token is none of ours."""
        for role, ours in self.tokens.items():
            if hmac.compare_digest(ours.encode(), token.encode()):
                cookie = secrets.token_urlsafe(_TOKEN_BYTES)
                while len(self._known) >= MAX_KNOWN:
                    del self._known[next(iter(self._known))]
                self._known[cookie] = Known(role, secrets.token_urlsafe(_TOKEN_BYTES))
                return cookie, self._known[cookie]
        return None

    def known(self, headers: Headers) -> Known | None:
        """Return who shows this cookie."""
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return None
        morsel = cookies.get(COOKIE)
        return None if morsel is None else self._known.get(morsel.value)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return why a request does not come in, None if it does."""
        headers = Headers(scope=scope)
        if headers.getlist("host") != [self.host]:
            return 421, f"This console is at http://{self.host} and nowhere else."
        origin = headers.get("origin")
        is_socket = scope["type"] == "websocket"
        if origin != f"http://{self.host}" and (is_socket or origin is not None):
            return 403, "Another site's page may not ask for this."
        is_entering = not is_socket and _ENTERING.fullmatch(scope["path"]) is not None
        # A link in another page may lead to the door, but may fetch nothing behind it.
        site = headers.get("sec-fetch-site", "none")
        if site not in ("none", "same-origin") and not is_entering:
            return 403, "Another site's page may not ask for this."
        if not is_entering and self.known(headers) is None:
            return 401, "Open the address that `sekisho ground` or `sekisho console` prints."
        return None


class Guard:
    """Stands before the whole application, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        refusal = self._door.refusal(scope)
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": refusal[1]})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        app = self._app if refusal is None else PlainTextResponse(refusal[1] + "\n", refusal[0])
        await app(scope, receive, with_headers)
