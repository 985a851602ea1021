"""Trajectories and their verbs on the wire, against a second reading of docs/protocol.md.

Claims: a document comes back as it went; the second reading finds the same numbers; bytes are
either refused by the one named error or are exactly what their document is written as; what is
encoded stays within bounds, at every bound and just beyond it.

Mutants killed: bytes after the last piece not looked for; a number at its bound refused, one that
is none taken; the bound of a rate, of the duration left out; the least duration taken for 0; any
text taken in a status; longitude bounded as latitude is.
"""

import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.reference import trajectory as slow
from wire.tasking import (
    MAX_TEXT_BYTES,
    FlyAnswer,
    FlyReason,
    FlyRequest,
    FlyState,
    FlyStatus,
    FlyVerb,
)
from wire.trajectory import (
    MAX_BYTES,
    MAX_COEFFICIENTS,
    MAX_DURATION_S,
    MAX_NUMBER,
    MAX_PIECES,
    MAX_RATE,
    MAX_WAVES,
    MIN_PIECE_S,
    AlongCourse,
    Document,
    Facing,
    MalformedTrajectoryError,
    Polynomial,
    Reference,
    Turning,
    Wave,
    Waves,
    decode_untrusted,
    encode,
    identity_of,
)

EDGES = [0.0, -0.0, 1.0, -MAX_NUMBER, MAX_NUMBER, 5e-324, math.pi]
NUMBERS = st.sampled_from(EDGES) | st.floats(-MAX_NUMBER, MAX_NUMBER)
RATES = st.sampled_from([0.0, MAX_RATE, -MAX_RATE]) | st.floats(-MAX_RATE, MAX_RATE)
DURATIONS = st.sampled_from([MIN_PIECE_S, 1.0, 600.0]) | st.floats(MIN_PIECE_S, 600.0)
ROWS = st.lists(NUMBERS, max_size=MAX_COEFFICIENTS).map(tuple)
HEADINGS = st.one_of(ROWS.map(Turning), st.builds(Facing, NUMBERS, NUMBERS), st.just(AlongCourse()))
WAVES = st.lists(st.builds(Wave, NUMBERS, RATES, NUMBERS), max_size=MAX_WAVES).map(tuple)
PIECES = st.one_of(
    st.builds(Polynomial, DURATIONS, HEADINGS, st.tuples(ROWS, ROWS, ROWS)),
    st.builds(
        Waves,
        DURATIONS,
        HEADINGS,
        st.tuples(NUMBERS, NUMBERS, NUMBERS),
        st.tuples(WAVES, WAVES, WAVES),
    ),
)
REFERENCES = st.builds(
    Reference,
    st.integers(-900_000_000, 900_000_000),
    st.integers(-1_800_000_000, 1_800_000_000),
    st.integers(-1_000_000, 10_000_000),
)
DOCUMENTS = st.builds(Document, REFERENCES, st.lists(PIECES, min_size=1, max_size=6).map(tuple))
HERE = Reference(-353_632_610, 1_491_652_300, 584_090)
HOVER = Polynomial(1.0, Turning((0.5,)), ((), (), (-5.0,)))


@given(DOCUMENTS)
@example(Document(HERE, (HOVER,) * 600))
def test_document_comes_back(document):
    data = encode(document)
    again = decode_untrusted(data)
    assert repr(again) == repr(document)  # 0.0 is not -0.0 here
    assert again.identity == identity_of(data)
    assert slow.read(data) == slow.shown(document)


@given(DOCUMENTS, st.data())
def test_bytes_are_refused_or_canonical(document, data):
    raw = bytearray(encode(document))
    for _ in range(data.draw(st.integers(1, 4))):
        match data.draw(st.sampled_from(["set", "cut", "add", "copy"])):
            case "set" if raw:
                at = data.draw(st.integers(0, min(len(raw), 60) - 1) | st.integers(0, len(raw) - 1))
                raw[at] = data.draw(st.sampled_from([0, 1, 2, 17, 127, 128, 255]))
            case "cut":
                del raw[data.draw(st.integers(0, len(raw))) :]
            case "add":
                raw += data.draw(st.binary(max_size=9))
            case _:
                raw += raw[17:90]
    try:
        found = decode_untrusted(bytes(raw))
    except MalformedTrajectoryError:
        with pytest.raises(slow.Bad):
            slow.read(bytes(raw))
    else:
        assert encode(found) == raw
        assert slow.read(bytes(raw)) == slow.shown(found)


def pieces(piece, **changes):
    return Document(HERE, (HOVER, type(piece)(**{**fields(piece), **changes})))


def fields(piece):
    return {name: getattr(piece, name) for name in piece.__slots__}


CIRCLE = Waves(9.0, Facing(0.0, 0.0), (0.0, 0.0, -5.0), ((Wave(3.0, 1.0, 0.0),), (), ()))
BEYOND = math.nextafter(MAX_NUMBER, math.inf)
AT_BOUNDS = [
    pieces(HOVER, duration=MIN_PIECE_S),
    pieces(HOVER, duration=MAX_DURATION_S - 1.0),
    pieces(HOVER, rows=((-MAX_NUMBER,) * MAX_COEFFICIENTS, (), ())),
    pieces(CIRCLE, waves=((Wave(MAX_NUMBER, -MAX_RATE, 0.0),) * MAX_WAVES, (), ())),
    Document(Reference(-900_000_000, 1_800_000_000, 10_000_000), (HOVER,)),
    Document(Reference(900_000_000, -1_800_000_000, -1_000_000), (HOVER,)),
]
OUT_OF_BOUNDS = [
    Document(HERE, ()),
    Document(HERE, (Polynomial(0.5, AlongCourse(), ((), (), ())),) * (MAX_PIECES + 1)),
    Document(HERE, (Polynomial(0.5, Turning((0.0,) * 16), ((1.0,) * 16,) * 3),) * 64),
    *(pieces(HOVER, duration=d) for d in (0.0, -1.0, math.nan, math.inf, MAX_DURATION_S)),
    pieces(HOVER, duration=math.nextafter(MIN_PIECE_S, 0.0)),
    *(pieces(HOVER, rows=((), (n,), ())) for n in (math.nan, math.inf, BEYOND, -BEYOND)),
    pieces(HOVER, rows=((0.0,) * (MAX_COEFFICIENTS + 1), (), ())),
    pieces(HOVER, heading=Turning((math.nan,))),
    pieces(HOVER, heading=Facing(0.0, math.inf)),
    pieces(CIRCLE, centre=(0.0, 0.0, BEYOND)),
    pieces(CIRCLE, waves=((), (), (Wave(1.0, 1.0, 0.0),) * (MAX_WAVES + 1))),
    *(
        pieces(CIRCLE, waves=((), (Wave(1.0, rate, 0.0),), ()))
        for rate in (math.nan, math.nextafter(MAX_RATE, 200.0), -101.0)
    ),
    Document(Reference(900_000_001, 0, 0), (HOVER,)),
    Document(Reference(0, -1_800_000_001, 0), (HOVER,)),
    Document(Reference(0, 0, -1_000_001), (HOVER,)),
    Document(Reference(0, 0, 10_000_001), (HOVER,)),
]


@pytest.mark.parametrize("document", AT_BOUNDS)
def test_bounds_belong(document):
    assert decode_untrusted(encode(document)) == document


@pytest.mark.parametrize("document", OUT_OF_BOUNDS)
def test_beyond_bounds_is_refused_on_both_ends(document):
    with pytest.raises(ValueError, match=r"allowed|place"):
        encode(document)
    with pytest.raises(MalformedTrajectoryError):
        decode_untrusted(slow.written(document))


def test_size_is_bounded():
    big = Polynomial(0.5, Turning(), ((1.0,) * 16,) * 3)
    size = len(encode(Document(HERE, (big,)))) - 15
    assert len(encode(Document(HERE, (big,) * ((MAX_BYTES - 15) // size)))) <= MAX_BYTES
    with pytest.raises(ValueError, match="32640"):
        encode(Document(HERE, (big,) * ((MAX_BYTES - 15) // size + 1)))
    with pytest.raises(MalformedTrajectoryError, match="32640"):
        decode_untrusted(bytes(MAX_BYTES + 1))


TEXTS = st.text(st.characters(categories=["L", "N", "P", "Zs"]).filter(str.isprintable))
STATUSES = st.builds(
    FlyStatus,
    st.integers(0, 2**32 - 1),
    st.sampled_from(FlyAnswer),
    st.sampled_from(FlyState),
    st.sampled_from(FlyReason),
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=8, max_size=8),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**16 - 1),
    TEXTS,
)


@given(STATUSES)
def test_status_comes_back(status):
    value = status.encode()
    found = FlyStatus.parse(value)
    assert found is not None
    assert found[:-1] == status[:-1]
    assert status.text.startswith(found.text)
    assert len(found.text.encode()) > MAX_TEXT_BYTES - 4 or found.text == status.text
    assert struct.unpack(">IBBB8s8sIIHH", value[:35]) == status[:-1]
    assert len(value) <= 155


@given(st.binary(max_size=160))
def test_other_status_is_none(value):
    found = FlyStatus.parse(value)
    assert found is None or found.encode() == value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (bytes(34), "short"),
        (bytes(35) + b"x" * 121, "long"),
        (bytes((0, 0, 0, 0, 6)) + bytes(30), "answer"),
        (bytes((0, 0, 0, 0, 0, 7)) + bytes(29), "state"),
        (bytes((0, 0, 0, 0, 0, 0, 8)) + bytes(28), "reason"),
        (bytes(35) + b"\xff", "no text"),
        (bytes(35) + b"\x1b[2J", "steers a terminal"),
    ],
)
def test_malformed_status(value, why):
    assert FlyStatus.parse(value) is None, why


@given(st.sampled_from(FlyVerb), st.integers(1, 2**32 - 1), st.binary(min_size=8, max_size=8))
def test_request_comes_back(verb, number, identity):
    request = FlyRequest(verb, number, identity)
    assert request.encode() == bytes((verb,)) + number.to_bytes(4, "big") + identity
    assert FlyRequest.parse(request.encode()) == request


@pytest.mark.parametrize(
    "value", [b"", b"\1" * 12, b"\1" * 14, bytes(13), b"\6" * 13, b"\1" + bytes(12)]
)
def test_malformed_request(value):
    assert FlyRequest.parse(value) is None
