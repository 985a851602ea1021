"""A trajectory as it travels: one document, planned on the ground and flown by the companion.

It says where the vehicle is as a function of time, in a local frame: pieces flown one after the
other, each three polynomials of time, or a centre with waves about it, and a heading. The bytes are
written out in docs/protocol.md; the same document always has the same bytes, so that eight bytes of
their hash name it.
"""

import hashlib
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias, TypeVar, assert_never

VERSION: Final = 1
IDENTITY_BYTES: Final = 8
MAX_BYTES: Final = 32_640  # 255 chunks of 128 bytes: what one transfer carries
MAX_PIECES: Final = 1_000
MAX_COEFFICIENTS: Final = 16
MAX_WAVES: Final = 8
MIN_PIECE_S: Final = 1e-6
MAX_DURATION_S: Final = 3_600.0
# Beyond what anything flies, and small enough that no derivative overflows.
MAX_NUMBER: Final = 1e6
MAX_RATE: Final = 100.0
_HEAD: Final = struct.Struct(">BiiiH")
_PIECE: Final = struct.Struct(">Bd")
_POLYNOMIAL, _WAVES = 1, 2
_TURNING, _FACING, _COURSE = 0, 1, 2

_T = TypeVar("_T")

Row: TypeAlias = tuple[float, ...]
"""Coefficients by powers of the time since the piece began, constant first; none is zero."""


class Reference(NamedTuple):
    """The point that the local frame hangs on: WGS 84, height above mean sea level."""

    latitude_e7: int
    longitude_e7: int
    altitude_mm: int


@dataclass(frozen=True, slots=True)
class Turning:
    """The heading is a polynomial. [rad], [rad/s^i]."""

    row: Row = ()


@dataclass(frozen=True, slots=True)
class Facing:
    """The nose points at a place. [m]."""

    north: float
    east: float


@dataclass(frozen=True, slots=True)
class AlongCourse:
    """The nose points where the vehicle goes; it must not stand still meanwhile."""


Heading: TypeAlias = Turning | Facing | AlongCourse


@dataclass(frozen=True, slots=True)
class Polynomial:
    """North, east and down as polynomials. [s], [m/s^i]."""

    duration: float
    heading: Heading
    rows: tuple[Row, Row, Row]


class Wave(NamedTuple):
    """amplitude * cos(rate * t + phase), t since the piece began. [m], [rad/s], [rad]."""

    amplitude: float
    rate: float
    phase: float


@dataclass(frozen=True, slots=True)
class Waves:
    """A centre, and waves about it on north, east and down. [s], [m]."""

    duration: float
    heading: Heading
    centre: tuple[float, float, float]
    waves: tuple[tuple[Wave, ...], tuple[Wave, ...], tuple[Wave, ...]]


Piece: TypeAlias = Polynomial | Waves


@dataclass(frozen=True, slots=True)
class Document:
    """Pieces flown one after the other, in the north, east, down frame at `reference`.

    Whether each piece begins where the last one ends is for whoever flies it to find out.
    """

    reference: Reference
    pieces: tuple[Piece, ...]

    @property
    def duration(self) -> float:
        """Return how long it lasts [s]."""
        return math.fsum(piece.duration for piece in self.pieces)

    @property
    def identity(self) -> bytes:
        """Return the eight bytes that name it."""
        return identity_of(encode(self))


class MalformedTrajectoryError(ValueError):
    """These bytes are no trajectory; the text says why."""


def identity_of(data: bytes) -> bytes:
    """Return the eight bytes that name a document, from its bytes, whatever they are."""
    return hashlib.sha256(data).digest()[:IDENTITY_BYTES]


def encode(document: Document) -> bytes:
    """Return the document's bytes.

    Raises:
        ValueError: It is out of bounds; the text says where.
    """
    reference = document.reference
    _check_reference(reference)
    if not 0 < len(document.pieces) <= MAX_PIECES:
        raise ValueError(f"{len(document.pieces)} pieces; allowed: 1 to {MAX_PIECES}")
    parts = [_HEAD.pack(VERSION, *reference, len(document.pieces))]
    for number, piece in enumerate(document.pieces, 1):
        try:
            parts.append(_encode_piece(piece))
        except ValueError as error:
            raise ValueError(f"piece {number}: {error}") from None
    if document.duration > MAX_DURATION_S:
        raise ValueError(f"it lasts {document.duration:g} s; allowed: {MAX_DURATION_S:g}")
    data = b"".join(parts)
    if len(data) > MAX_BYTES:
        raise ValueError(f"{len(data)} bytes; allowed: {MAX_BYTES}: fly it in several")
    return data


def decode_untrusted(data: bytes) -> Document:
    """Return the document that the bytes say.

    Raises:
        MalformedTrajectoryError: They say none, or one that is out of bounds.
    """
    if len(data) > MAX_BYTES:
        raise MalformedTrajectoryError(f"{len(data)} bytes; allowed: {MAX_BYTES}")
    read = _Reader(data)
    version, *place, count = read.take(_HEAD)
    if version != VERSION:
        raise MalformedTrajectoryError(f"version {version}; this is version {VERSION}")
    reference = Reference(*map(int, place))
    pieces = tuple(_decode_piece(read) for _ in range(min(int(count), MAX_PIECES + 1)))
    document = Document(reference, pieces)
    try:
        again = encode(document)
    except ValueError as error:
        raise MalformedTrajectoryError(str(error)) from None
    if again != data:
        raise MalformedTrajectoryError("bytes after the last piece")
    return document


def _encode_piece(piece: Piece) -> bytes:
    if not MIN_PIECE_S <= piece.duration <= MAX_DURATION_S:
        raise ValueError(
            f"lasts {piece.duration:g} s; allowed: {MIN_PIECE_S:g} to {MAX_DURATION_S:g}"
        )
    heading = _encode_heading(piece.heading)
    match piece:
        case Polynomial(rows=rows):
            head, axes = _PIECE.pack(_POLYNOMIAL, piece.duration), map(_encode_row, rows)
        case Waves(centre=centre, waves=waves):
            head, axes = _PIECE.pack(_WAVES, piece.duration), map(_encode_axis, centre, waves)
        case _:
            assert_never(piece)
    return head + heading + b"".join(axes)


def _encode_heading(heading: Heading) -> bytes:
    match heading:
        case Turning(row=row):
            return bytes((_TURNING,)) + _encode_row(row)
        case Facing(north=north, east=east):
            return bytes((_FACING,)) + _numbers((north, east))
        case AlongCourse():
            return bytes((_COURSE,))


def _encode_row(row: Row) -> bytes:
    if len(row) > MAX_COEFFICIENTS:
        raise ValueError(f"{len(row)} coefficients; allowed: {MAX_COEFFICIENTS}")
    return bytes((len(row),)) + _numbers(row)


def _encode_axis(centre: float, waves: tuple[Wave, ...]) -> bytes:
    if len(waves) > MAX_WAVES:
        raise ValueError(f"{len(waves)} waves; allowed: {MAX_WAVES}")
    for wave in waves:
        if not abs(wave.rate) <= MAX_RATE:
            raise ValueError(f"a wave of {wave.rate:g} rad/s; allowed: {MAX_RATE:g}")
    return _numbers((centre,)) + bytes((len(waves),)) + b"".join(map(_numbers, waves))


def _numbers(values: tuple[float, ...]) -> bytes:
    for value in values:
        if not abs(value) <= MAX_NUMBER:  # nor is what is not a number
            raise ValueError(f"{value:g}; allowed: -{MAX_NUMBER:g} to {MAX_NUMBER:g}")
    return struct.pack(f">{len(values)}d", *values)


def _check_reference(reference: Reference) -> None:
    latitude, longitude, altitude = reference
    if abs(latitude) > 900_000_000 or abs(longitude) > 1_800_000_000:
        raise ValueError(f"{latitude}, {longitude} (1e-7 degrees) is no place on Earth")
    if not -1_000_000 <= altitude <= 10_000_000:
        raise ValueError(f"altitude_mm = {altitude}; allowed: -1000000 to 10000000")


class _Reader:
    """Takes a document apart from its beginning."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, layout: struct.Struct) -> tuple[float, ...]:
        """Return the next values.

        Raises:
            MalformedTrajectoryError: The bytes end before.
        """
        end = self._at + layout.size
        if end > len(self._data):
            raise MalformedTrajectoryError("the bytes end in the middle of it")
        values = layout.unpack_from(self._data, self._at)
        self._at = end
        return values

    def byte(self) -> int:
        """Return the next byte."""
        return int(self.take(_BYTE)[0])

    def numbers(self, count: int) -> tuple[float, ...]:
        """Return the next numbers."""
        return self.take(struct.Struct(f">{count}d"))


_BYTE: Final = struct.Struct("B")


def _decode_piece(read: _Reader) -> Piece:
    kind, duration = read.take(_PIECE)
    heading = _decode_heading(read)
    if kind == _POLYNOMIAL:
        return Polynomial(duration, heading, _thrice(lambda: _decode_row(read)))
    if kind == _WAVES:
        north, east, down = _thrice(lambda: _decode_axis(read))
        return Waves(duration, heading, (north[0], east[0], down[0]), (north[1], east[1], down[1]))
    raise MalformedTrajectoryError(f"a piece of kind {kind:g}; allowed: 1, 2")


def _decode_heading(read: _Reader) -> Heading:
    match read.byte():
        case 0:
            return Turning(_decode_row(read))
        case 1:
            return Facing(*read.numbers(2))
        case 2:
            return AlongCourse()
        case other:
            raise MalformedTrajectoryError(f"a heading of kind {other}; allowed: 0, 1, 2")


def _decode_row(read: _Reader) -> Row:
    return read.numbers(read.byte())


def _decode_axis(read: _Reader) -> tuple[float, tuple[Wave, ...]]:
    (centre,) = read.numbers(1)
    return centre, tuple(Wave(*read.numbers(3)) for _ in range(read.byte()))


def _thrice(one: Callable[[], _T]) -> tuple[_T, _T, _T]:
    return one(), one(), one()
