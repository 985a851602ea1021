"""Switches the console on with `sekisho ground`, if it is installed and not switched off."""

import contextlib
import importlib.util
import logging
import socket
import sys
from collections.abc import AsyncIterator
from typing import Final

from groundstation.aio.gateway import Gateway
from groundstation.config import OFF, Console, GroundConfig
from sekisho.config_file import ConfigError
from wire.locality import NotAllowedError, parse_loopback

CONSOLE_REQUEST: Final = b"console"
_NEEDED: Final = ("starlette", "uvicorn", "websockets")
_INSTALL: Final = "pip install 'sekisho[ground]'"

_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def serving_console(config: GroundConfig, gateway: Gateway) -> AsyncIterator[dict[str, str]]:
    """Serve the console of a gateway until left; yields the addresses, or why there are none.

    Raises:
        ConfigError, NotAllowedError: It was asked for, and cannot be served.
    """
    console = config.console or Console()
    why = "the console is switched off: [console] bind"
    sock = None
    if console.bind != OFF:
        try:
            sock = _listen(console.bind)
        except (ConfigError, NotAllowedError) as error:
            if config.console is not None:
                raise
            why = f"no console: {error}"
            _log.warning("%s", why)
    if sock is None:
        yield {"why": why}
        return
    from groundstation.aio.flights import Library  # noqa: PLC0415
    from groundstation.aio.web import WebConsole  # noqa: PLC0415 - needs the extra `ground`
    from groundstation.talk import Role  # noqa: PLC0415
    from sekisho.plan_flight import make  # noqa: PLC0415 - the control core, for a console only

    library = Library(config.logs_dir, config.log_key)
    web = WebConsole(gateway, parse_loopback(console.bind), config.state_dir, library, make)
    urls = {role.value: web.door.url(role) for role in Role}
    async with web.serving(sock):
        # The address opens the console: it is shown to a person, and kept out of a journal.
        if sys.stderr.isatty():
            print(f"console: {urls['operator']}", file=sys.stderr, flush=True)
        else:
            _log.info("console on %s; `sekisho console` prints its address", console.bind)
        yield urls


def console_is_installed() -> bool:
    """Tell whether what the console needs is there."""
    return not _missing()


def _missing() -> list[str]:
    return [name for name in _NEEDED if importlib.util.find_spec(name) is None]


def _listen(bind: str) -> socket.socket:
    missing = _missing()
    if missing:
        raise ConfigError(f'[console] needs {", ".join(missing)}: {_INSTALL}, or bind = "off"')
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(parse_loopback(bind))
        sock.listen(64)
    except OSError as error:
        sock.close()
        allowed = f"a loopback address whose port is free ({error.strerror})"
        raise NotAllowedError("console.bind", bind, allowed) from None
    sock.setblocking(False)  # noqa: FBT003 - its only way
    return sock
