"""A trajectory document as docs/protocol.md, section 11, says it: read and written step by step."""

import hashlib
import math
import struct

from tests.reference.sl1 import Bad, need

NUMBER, RATE = 1e6, 100.0


def read(data):
    """Return reference and pieces as plain tuples, or raise `Bad`."""
    need(len(data) <= 32_640, "too long")
    rest = bytes(data)

    def take(size):
        nonlocal rest
        need(len(rest) >= size, "cut short")
        piece, rest = rest[:size], rest[size:]
        return piece

    def number(bound=NUMBER):
        (value,) = struct.unpack(">d", take(8))
        need(math.isfinite(value) and -bound <= value <= bound, "a number out of bounds")
        return value

    def row():
        count = take(1)[0]
        need(count <= 16, "coefficients")
        return [number() for _ in range(count)]

    need(take(1) == b"\1", "version")
    latitude = int.from_bytes(take(4), "big", signed=True)
    longitude = int.from_bytes(take(4), "big", signed=True)
    altitude = int.from_bytes(take(4), "big", signed=True)
    need(-(9 * 10**8) <= latitude <= 9 * 10**8, "latitude")
    need(-(18 * 10**8) <= longitude <= 18 * 10**8, "longitude")
    need(-(10**6) <= altitude <= 10**7, "altitude")
    pieces = []
    count = int.from_bytes(take(2), "big")
    need(1 <= count <= 1000, "pieces")
    for _ in range(count):
        kind = take(1)[0]
        duration = number()
        need(1e-6 <= duration <= 3600, "duration")
        heading = take(1)[0]
        need(heading in (0, 1, 2), "heading")
        if heading == 0:
            nose = ("turning", row())
        elif heading == 1:
            nose = ("facing", [number(), number()])
        else:
            nose = ("course", [])
        need(kind in (1, 2), "kind")
        axes = []
        for _ in range(3):
            if kind == 1:
                axes.append(row())
            else:
                centre = number()
                waves = take(1)[0]
                need(waves <= 8, "waves")
                axes.append([centre, *([number(), number(RATE), number()] for _ in range(waves))])
        pieces.append((kind, duration, *nose, axes))
    need(not rest, "more than a document")
    need(math.fsum(piece[1] for piece in pieces) <= 3600, "too long a flight")
    return repr(((latitude, longitude, altitude), pieces))


def _plain(document):
    pieces = []
    for piece in document.pieces:
        name = type(piece.heading).__name__
        if name == "Turning":
            nose = ("turning", list(piece.heading.row))
        elif name == "Facing":
            nose = ("facing", [piece.heading.north, piece.heading.east])
        else:
            nose = ("course", [])
        if type(piece).__name__ == "Polynomial":
            pieces.append((1, piece.duration, *nose, [list(row) for row in piece.rows]))
        else:
            axes = zip(piece.centre, piece.waves, strict=True)
            told = [[centre, *map(list, waves)] for centre, waves in axes]
            pieces.append((2, piece.duration, *nose, told))
    return tuple(document.reference), pieces


def shown(document):
    """Return what `read` returns for a document of the product's."""
    return repr(_plain(document))


def write(reference, pieces):
    """Return a document's bytes, whatever its bounds, as far as the fields can say them."""
    out = b"\1" + b"".join(x.to_bytes(4, "big", signed=True) for x in reference)
    out += len(pieces).to_bytes(2, "big")

    def row(values):
        return bytes([len(values)]) + b"".join(struct.pack(">d", v) for v in values)

    for kind, duration, nose, numbers, axes in pieces:
        out += bytes([kind]) + struct.pack(">d", duration)
        if nose == "turning":
            out += b"\0" + row(numbers)
        elif nose == "facing":
            out += b"\1" + row(numbers)[1:]
        else:
            out += b"\2"
        for axis in axes:
            if kind == 1:
                out += row(axis)
            else:
                flat = [value for wave in axis[1:] for value in wave]
                out += struct.pack(">d", axis[0]) + bytes([len(axis) - 1])
                out += row(flat)[1:] if flat else b""
    return out


def written(document):
    """Return what `write` makes of a document of the product's."""
    return write(*_plain(document))


def example():
    """A document of every kind of piece and heading, its name, a request, and statuses."""
    pieces = [
        (1, 4.0, "turning", [0.5, 0.25], [[0.0, 2.0], [1.0, 0.0, -0.125], [-5.0]]),
        (2, 9.5, "facing", [3.0, -4.0], [[8.0, [2.0, 0.5, 0.0]], [-1.0, [2.0, 0.5, -1.5]], [-5.0]]),
        (1, 1.0, "course", [], [[10.0, 1.0], [], [-5.0]]),
    ]
    document = write((-353_632_610, 1_491_652_300, 584_090), pieces)
    name = hashlib.sha256(document).digest()[:8]
    request = b"\1" + (0xFEDCBA98).to_bytes(4, "big") + name
    head = (0xFEDCBA98).to_bytes(4, "big")
    clocks = (4_250).to_bytes(4, "big") + (14_500).to_bytes(4, "big")
    flown = head + bytes([1, 3, 0]) + name + bytes(8) + clocks + b"\0\x0c" + b"\0\x37"
    back = (
        head
        + bytes([2, 6, 4])
        + name
        + bytes(8)
        + clocks
        + b"\xff" * 4
        + "verloren \u2013 x".encode()
    )
    return {
        "document": document,
        "identity": name,
        "start": request,
        "running": flown,
        "handed_back": back,
    }


__all__ = ["Bad", "example", "read", "shown", "write", "written"]
