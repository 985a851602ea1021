"""MAVLink FTP, as far as clients need it: list the root, read `@PARAM/param.pck`.

One session. A request with the sequence number of the last one gets the last reply again; that is
how a client recovers a lost reply. Writing is refused.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.outbox import Outbox
from sim.autopilot.parameters import Parameters

_HEADER: Final = struct.Struct("<HBBBBBBI")
_DATA_BYTES: Final = 239
_PAYLOAD_BYTES: Final = 251
_MAGIC_PLAIN: Final = 0x671B
_MAGIC_DEFAULTS: Final = 0x671C
_HAS_DEFAULT: Final = 1 << 4
_BURST_PACKETS: Final = 500
# A third of a 921,600 baud link.
_BURST_PER_S: Final = 110.0
_ROOT: Final = b"D.\0Dlogs\0D..\0Dterrain\0D@ROMFS\0D@SYS\0"
# ArduPilot's listing ends every entry with two zero bytes.
_LISTING: Final = _ROOT.replace(b"\0", b"\0\0")


class Op(IntEnum):
    """Opcodes that are answered with more than a refusal."""

    NONE = 0
    TERMINATE = 1
    RESET = 2
    LIST = 3
    OPEN_READ = 4
    READ = 5
    REMOVE = 8
    CHECKSUM = 14
    BURST_READ = 15
    ACK = 128
    NACK = 129


class Refusal(IntEnum):
    """Error codes of a Nack."""

    FAIL = 1
    END_OF_FILE = 6
    FILE_NOT_FOUND = 10


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its padding."""

    seq: int
    session: int
    opcode: int
    size: int
    offset: int
    data: bytes
    sender: tuple[int, int]


@dataclass(slots=True)
class Burst:
    """A burst read under way."""

    request: Request
    offset: int
    seq: int
    left: int
    credit: float = 0.0


class FileTransfer:
    """The server. The zero state has no open file."""

    def __init__(self, parameters: Parameters, outbox: Outbox) -> None:
        self._parameters = parameters
        self._outbox = outbox
        self._file: bytes | None = None
        self._burst: Burst | None = None
        self._last: tuple[int, int, bytes] | None = None
        self._table: dict[int, Callable[[Request], None]] = {
            Op.TERMINATE: self._terminate,
            Op.RESET: self._terminate,
            Op.LIST: self._list,
            Op.OPEN_READ: self._open,
            Op.READ: self._read,
            Op.BURST_READ: self._burst_read,
            Op.REMOVE: self._not_there,
            Op.CHECKSUM: self._not_there,
        }

    def receive(self, message: dialect.MAVLink_message) -> None:
        """Answer one FILE_TRANSFER_PROTOCOL message."""
        payload = bytes(message.payload)
        seq, session, opcode, size, _, _, _, offset = _HEADER.unpack_from(payload)
        sender = (message.get_srcSystem(), message.get_srcComponent())
        if opcode == Op.NONE or size > _DATA_BYTES:
            return
        if self._last is not None and self._last[:2] == (seq, session):
            self._send(sender, self._last[2])
            return
        data = payload[_HEADER.size : _HEADER.size + size]
        request = Request(seq, session, opcode, size, offset, data, sender)
        row = self._table.get(opcode)
        if row is None:
            self._refuse(request, Refusal.FAIL)
        else:
            row(request)

    def step(self, dt_s: float) -> None:
        """Send what the pace allows of a burst."""
        burst = self._burst
        if burst is None:
            return
        burst.credit += _BURST_PER_S * dt_s
        while burst.credit >= 1.0 and self._burst is not None:
            burst.credit -= 1.0
            self._burst_one(burst)

    def _terminate(self, request: Request) -> None:
        self._file = None
        self._burst = None
        self._accept(request, b"")

    def _list(self, request: Request) -> None:
        if request.data.rstrip(b"\0") != b"/":
            self._refuse(request, Refusal.FILE_NOT_FOUND)
        elif request.offset > 0:
            self._refuse(request, Refusal.END_OF_FILE)
        else:
            self._accept(request, _LISTING)

    def _not_there(self, request: Request) -> None:
        self._refuse(request, Refusal.FILE_NOT_FOUND)

    def _open(self, request: Request) -> None:
        if self._file is not None:
            self._refuse(request, Refusal.FAIL)
            return
        path, _, query = request.data.rstrip(b"\0").partition(b"?")
        if path != b"@PARAM/param.pck":
            self._refuse(request, Refusal.FILE_NOT_FOUND)
            return
        options = dict(option.partition(b"=")[::2] for option in query.split(b"&"))
        self._file = packed_parameters(
            self._parameters,
            with_defaults=options.get(b"withdefaults") == b"1",
            start=_number(options.get(b"start", b"0")),
            count=_number(options.get(b"count", b"65535")),
        )
        self._accept(request, struct.pack("<I", len(self._file)))

    def _read(self, request: Request) -> None:
        if self._file is None:
            self._refuse(request, Refusal.FILE_NOT_FOUND)
            return
        size = min(request.size or _DATA_BYTES, _DATA_BYTES)
        piece = self._file[request.offset : request.offset + size]
        if piece:
            self._accept(request, piece)
        else:
            self._refuse(request, Refusal.END_OF_FILE)

    def _burst_read(self, request: Request) -> None:
        if self._file is None:
            self._refuse(request, Refusal.FILE_NOT_FOUND)
            return
        self._burst = Burst(request, request.offset, request.seq, _BURST_PACKETS, 1.0)

    def _burst_one(self, burst: Burst) -> None:
        assert self._file is not None
        request = burst.request
        size = min(request.size or _DATA_BYTES, _DATA_BYTES)
        piece = self._file[burst.offset : burst.offset + size]
        burst.seq = (burst.seq + 1) & 0xFFFF
        burst.left -= 1
        if not piece:
            self._burst = None
            self._send(
                request.sender,
                _reply(burst.seq, request, Op.NACK, bytes([Refusal.END_OF_FILE]), burst.offset),
            )
            return
        complete = burst.left == 0
        if complete:
            self._burst = None
        self._send(
            request.sender,
            _reply(burst.seq, request, Op.ACK, piece, burst.offset, complete=complete),
        )
        burst.offset += len(piece)

    def _accept(self, request: Request, data: bytes) -> None:
        self._answer(request, _reply(request.seq + 1, request, Op.ACK, data, request.offset))

    def _refuse(self, request: Request, reason: Refusal) -> None:
        self._answer(
            request, _reply(request.seq + 1, request, Op.NACK, bytes([reason]), request.offset)
        )

    def _answer(self, request: Request, payload: bytes) -> None:
        self._last = (request.seq, request.session, payload)
        self._send(request.sender, payload)

    def _send(self, sender: tuple[int, int], payload: bytes) -> None:
        self._outbox.send(dialect.MAVLink_file_transfer_protocol_message(0, *sender, list(payload)))


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() else 0


def packed_parameters(
    parameters: Parameters, *, with_defaults: bool = False, start: int = 0, count: int = 0xFFFF
) -> bytes:
    """Return the table as `param.pck`: names share their beginning with the one before.

    With defaults, a parameter that differs from its own carries it after its value; `start` and
    `count` choose a part of the table.

    Source: ArduPilot, libraries/AP_Filesystem/README.md, "Parameter file".
    """
    chosen = list(parameters)[start : start + count]
    magic = _MAGIC_DEFAULTS if with_defaults else _MAGIC_PLAIN
    out = bytearray(struct.pack("<HHH", magic, len(chosen), len(parameters)))
    formats = {
        dialect.MAV_PARAM_TYPE_INT8: (1, "<b"),
        dialect.MAV_PARAM_TYPE_INT16: (2, "<h"),
        dialect.MAV_PARAM_TYPE_INT32: (3, "<i"),
        dialect.MAV_PARAM_TYPE_REAL32: (4, "<f"),
    }
    before = b""
    for name, value, kind in chosen:
        code, layout = formats[kind]
        encoded = name.encode()
        common = 0
        # At least one byte of the name is sent: its length is stored less one.
        while common < min(len(before), len(encoded) - 1, 15) and before[common] == encoded[common]:
            common += 1
        rest = encoded[common:]
        default = parameters.default(name)
        values = [value, default] if with_defaults and default != value else [value]
        flag = _HAS_DEFAULT if len(values) > 1 else 0
        out += bytes([code | flag, common | (len(rest) - 1) << 4]) + rest
        for each in values:
            out += struct.pack(layout, each if layout == "<f" else int(each))
        before = encoded
    return bytes(out)


def _reply(
    seq: int,
    request: Request,
    opcode: Op,
    data: bytes,
    offset: int,
    *,
    complete: bool = False,
) -> bytes:
    head = _HEADER.pack(
        seq & 0xFFFF, request.session, opcode, len(data), request.opcode, complete, 0, offset
    )
    return (head + data).ljust(_PAYLOAD_BYTES, b"\0")
