"""Run a service: signals, the local status socket, and one instance per state directory."""

import asyncio
import contextlib
import gc
import hashlib
import os
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

EXIT_INTERRUPTED: Final = 130
# What `sekisho revoke trust` and `apply` say to a service whose state directory it has changed.
RELOAD_REVOCATIONS: Final = b"revocations"
_CONNECT_S: Final = 2.0


class AlreadyRunningError(Exception):
    """Another instance uses this state directory."""


class OperationFailedError(Exception):
    """What was asked for was not done; the text says why and what to do."""


def runtime_dir() -> Path:
    """Return the private directory of this user's status sockets, making it if need be.

    Raises:
        PermissionError: It exists and belongs to someone else or is open to others.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and Path(base).is_dir():
        path = Path(base) / "sekisho"
    elif os.geteuid() == 0:
        path = Path("/run/sekisho")
    else:
        path = Path(f"/tmp/sekisho-{os.geteuid()}")  # noqa: S108 - ownership is checked below
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise PermissionError(f"{path} is not a private directory of this user; remove it")
    return path


def socket_path(kind: str, state_dir: Path) -> Path:
    """Return where the service `kind` of a state directory answers."""
    name = hashlib.blake2s(str(state_dir.resolve()).encode(), digest_size=6).hexdigest()
    return runtime_dir() / f"{kind}-{name}.sock"


def query(path: Path, request: bytes = b"") -> bytes:
    """Return what a service answers to one line; to none, its status.

    Raises:
        OSError: No service answers there.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_CONNECT_S)
        connection.connect(str(path))
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        chunks = []
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks)


def refuse_if_running(path: Path) -> Path:
    """Return `path` if no service answers there.

    Raises:
        AlreadyRunningError: One does.
    """
    try:
        query(path)
    except OSError:
        return path
    raise AlreadyRunningError(f"already running: a service with this state answers at {path}")


async def serve_until_stopped(path: Path, answer: Callable[[bytes], bytes]) -> int:
    """Answer this user's queries until SIGINT or SIGTERM; return the exit status.

    `answer` gets what was asked: one line, empty for the status.
    """
    path.unlink(missing_ok=True)  # what a killed service left behind

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, ValueError):
            request = await asyncio.wait_for(reader.readline(), _CONNECT_S)
            writer.write(answer(request.strip()))
            await writer.drain()
        writer.close()

    previous = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(serve, path)
    finally:
        os.umask(previous)
    stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop, EXIT_INTERRUPTED)
    loop.add_signal_handler(signal.SIGTERM, stop, 0)
    # What exists now lives until the end: keep the collector from walking it again and again.
    gc.collect()
    gc.freeze()
    try:
        return await stopped
    finally:
        server.close()
        path.unlink(missing_ok=True)
