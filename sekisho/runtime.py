"""Run a service: signals, the local status socket, and one instance per state directory."""

import asyncio
import contextlib
import faulthandler
import fcntl
import gc
import hashlib
import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from crypto.aio.files import make_private_directory, private_directory, read_private
from sekisho.watchdog import Watchdog

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


def own_socket_path(kind: str, state_dir: Path) -> Path:
    """Return where the service `kind` of a state directory answers if this process starts it."""
    name = hashlib.blake2s(str(state_dir.resolve()).encode(), digest_size=6).hexdigest()
    return runtime_dir() / f"{kind}-{name}.sock"


def socket_path(kind: str, state_dir: Path) -> Path:
    """Return where the service `kind` of a state directory answers, whoever started it.

    A service manager and a person's shell need not agree on where sockets lie: the service says it
    in the file it holds.
    """
    held = state_dir / f"{kind}.lock"
    if not held.is_file():
        return own_socket_path(kind, state_dir)
    return Path(os.fsdecode(read_private(held)))


@contextlib.contextmanager
def holding(kind: str, state_dir: Path) -> Iterator[Path]:
    """Be the only service `kind` of a state directory; yields where it may answer.

    The kernel lets go when the process ends, however it ends. On a disk that has become read-only
    what an earlier start left is held, and goes on saying where that one answered.

    Raises:
        AlreadyRunningError: Another process is that.
        StoreError: The directory is not private.
    """
    path = own_socket_path(kind, state_dir)
    held = state_dir / f"{kind}.lock"
    make_private_directory(state_dir)
    with private_directory(state_dir) as directory:
        is_writable = not os.fstatvfs(directory).f_flag & os.ST_RDONLY
        flags = os.O_RDWR | os.O_CREAT if is_writable else os.O_RDONLY
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(held.name, flags, 0o600, dir_fd=directory)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(held)) from None
    with os.fdopen(descriptor, "r+b" if is_writable else "rb", buffering=0) as file:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(
                f"{state_dir}: in use: already running is `sekisho {kind}` or `sekisho keys` "
                f"(it holds {held}); stop it first"
            ) from None
        if is_writable:
            file.write(os.fsencode(path))
            file.truncate()
        yield path


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


def is_answering(path: Path) -> bool:
    """Tell whether a service answers there, rather than having left its socket behind."""
    try:
        query(path)
    except OSError:
        return False
    return True


async def serve_until_stopped(
    path: Path, answer: Callable[[bytes], bytes], watchdog: Watchdog
) -> int:
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
    # A service manager that finds us hung sends SIGABRT: say where each thread stood.
    faulthandler.enable()
    watchdog.start()
    try:
        return await stopped
    finally:
        watchdog.stop()
        server.close()
        path.unlink(missing_ok=True)
