"""UDP in batches, by sendmmsg and recvmmsg: the load must cost little beside what it loads.

Linux only. The sink runs in a process of its own, so that it never waits for the sender.
"""

import ctypes
import errno
import multiprocessing
import os
import socket
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

_libc = ctypes.CDLL(None, use_errno=True)
_MSG_DONTWAIT: Final = 0x40
_BATCH: Final = 256
_DATAGRAM_BYTES: Final = 2048
_QUIET_S: Final = 0.2
_RETRY: Final = (errno.EAGAIN, errno.ENOBUFS, errno.ECONNREFUSED)

Address = tuple[str, int]


class _IoVec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]  # type: ignore[mutable-override]


class _MsgHdr(ctypes.Structure):
    _fields_ = [  # type: ignore[mutable-override]
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.POINTER(_IoVec)),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class _MMsgHdr(ctypes.Structure):
    _fields_ = [("hdr", _MsgHdr), ("len", ctypes.c_uint)]  # type: ignore[mutable-override]


class _Batch:
    """An array of message headers over buffers that live as long as it does."""

    def __init__(self, buffers: Sequence["ctypes.Array[ctypes.c_char]"]) -> None:
        self._buffers = buffers
        self._iov = (_IoVec * len(buffers))()
        self.headers = (_MMsgHdr * len(buffers))()
        for buffer, iov, header in zip(buffers, self._iov, self.headers, strict=True):
            iov.base, iov.len = ctypes.addressof(buffer), len(buffer)
            header.hdr.iov, header.hdr.iovlen = ctypes.pointer(iov), 1


class Sender:
    """Send prepared datagrams over a connected socket, round and round."""

    def __init__(self, sock: socket.socket, frames: Sequence[bytes]) -> None:
        self.frames = frames
        self.position = 0
        self._fd = sock.fileno()
        self._batch = _Batch([ctypes.create_string_buffer(f, len(f)) for f in frames])
        self._base = ctypes.addressof(self._batch.headers)

    def send(self, count: int) -> None:
        """Send the next `count` datagrams, each one frame."""
        left = count
        while left > 0:
            wanted = min(left, len(self.frames) - self.position, _BATCH)
            start = ctypes.c_void_p(self._base + self.position * ctypes.sizeof(_MMsgHdr))
            sent = _libc.sendmmsg(self._fd, start, wanted, 0)
            if sent <= 0:
                number = ctypes.get_errno()
                if number not in _RETRY:
                    raise OSError(number, os.strerror(number))
                continue
            left -= sent
            self.position = (self.position + sent) % len(self.frames)


class Received(NamedTuple):
    """What a sink has taken since it was last asked."""

    datagrams: int
    data: bytes
    first: float  # perf_counter
    last: float


class Sink:
    """Take whatever arrives on a socket, in another process, and hand it over when asked."""

    def __init__(self, sock: socket.socket) -> None:
        context = multiprocessing.get_context("fork")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_sink, args=(theirs, sock), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def clear(self) -> None:
        """Forget what has been taken."""
        self.collect()

    def collect(self) -> Received:
        """Wait until nothing has arrived for a while; return everything since the last time."""
        self._connection.send(None)
        received = self._connection.recv()
        assert isinstance(received, Received)
        return received

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join()


def _sink(connection: Connection, sock: socket.socket) -> None:
    buffers = [ctypes.create_string_buffer(_DATAGRAM_BYTES) for _ in range(_BATCH)]
    batch = _Batch(buffers)
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    fd, headers = sock.fileno(), batch.headers
    chunks: list[bytes] = []
    first = last = 0.0
    asked = False
    quiet_since = 0.0
    while True:
        count = _libc.recvmmsg(fd, headers, _BATCH, _MSG_DONTWAIT, None)
        now = time.perf_counter()
        if count > 0:
            chunks += [bytes(views[i][: headers[i].len]) for i in range(count)]
            first, last, quiet_since = first or now, now, now
            continue
        if not asked and connection.poll(0.0004):
            connection.recv()
            asked, quiet_since = True, now
        elif asked and now - quiet_since >= _QUIET_S:
            connection.send(Received(len(chunks), b"".join(chunks), first, last))
            chunks, first, last, asked = [], 0.0, 0.0, False
        elif asked:
            time.sleep(0.0004)


def bound(port: int = 0) -> socket.socket:
    """Return a UDP socket on loopback with a large receive buffer."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sock.bind(("127.0.0.1", port))
    return sock


def free_port() -> int:
    """Return a UDP port of loopback that nobody holds now."""
    with bound() as sock:
        port: int = sock.getsockname()[1]
    return port


def drain(sock: socket.socket) -> None:
    """Throw away what waits on a socket."""
    timeout = sock.gettimeout()
    sock.settimeout(0)
    while True:
        try:
            sock.recv(_DATAGRAM_BYTES)
        except BlockingIOError:
            break
        except ConnectionRefusedError:
            continue
    sock.settimeout(timeout)
