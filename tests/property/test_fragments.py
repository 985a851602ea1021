"""Reassembly against the obvious slow model, which looks at everything that ever arrived.

Mutants killed: the window off by one either way, distance not taken modulo 256, `total` not checked
against later indices, a second last part, a part twice, the size limit absent or off by one, the
checksum not checked, the age of the first or last part instead of the oldest, parts joined in the
order they came, ids that do not move on, a frame cut that fits.
"""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from wire.fragments import (
    MAX_RECORD_BYTES,
    WINDOW,
    BadFragment,
    Fragmenter,
    Reassembler,
)
from wire.mavlink import MAX_FRAME_BYTES
from wire.records import FRAGMENT, parse_records

_MAV = dialect.MAVLink(None, srcSystem=1, srcComponent=1)


def signing_as(mav, *, signed=True):
    mav.signing.secret_key = b"k" * 32 if signed else None
    mav.signing.sign_outgoing = signed
    return mav


def file_transfer(number, size=251, *, signed=False):
    """A frame that no other number has, of `size` bytes of payload behind its three addresses."""
    signing_as(_MAV, signed=signed)
    body = struct.pack("<I", number) + bytes(size - 5) + b"\1"
    payload = list(body.ljust(251, b"\0"))
    return bytes(dialect.MAVLink_file_transfer_protocol_message(0, 1, 1, payload).pack(_MAV))


def values(frame, fragmenter):
    out = []
    for record in fragmenter.cut(frame):
        assert len(record) <= MAX_RECORD_BYTES
        frames, ((kind, value),) = parse_records(record)
        assert not frames
        assert kind == FRAGMENT
        out.append(value)
    return out


def in_parts(frame, frame_id, count):
    """Another implementation's choice: `count` parts, about equal."""
    cuts = [len(frame) * i // count for i in range(count + 1)]
    last = count - 1
    return [
        bytes((frame_id, i | (0x80 if i == last else 0))) + frame[cuts[i] : cuts[i + 1]]
        for i in range(count)
    ]


@given(st.integers(30, 251), st.booleans())
@example(185, False)
@example(186, False)
@example(251, True)
def test_a_frame_is_cut_only_if_it_must_be(size, signed):
    frame = file_transfer(7, size, signed=signed)
    fragmenter = Fragmenter()
    if len(frame) <= MAX_RECORD_BYTES:
        assert fragmenter.cut(frame) == [frame]
        return
    reassembler = Reassembler()
    first, second = values(frame, fragmenter)
    assert reassembler.receive(first, 5) is None
    assert reassembler.receive(second, 9) == (frame, 5)
    assert not reassembler.dropped


# Frames as near each other as they may be, and a little further.
NUMBERS = st.sampled_from((0, 1, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW))
# The id of frame 0: mostly such that some of the others' wrap.
STARTS = st.one_of(st.integers(0xFF - 2 * WINDOW, 0xFF), st.integers(0, 0xFF))


@given(
    STARTS,
    st.integers(1, 3),
    st.lists(st.tuples(NUMBERS, st.integers(0, 2)), unique=True, max_size=18),
)
@example(0, 2, [(0, 0), (WINDOW - 1, 0), (0, 1)])
@example(0, 2, [(0, 0), (WINDOW, 0), (0, 1)])
@example(0xFF, 2, [(WINDOW, 0), (0, 0), (WINDOW, 1)])
@example(0xFF, 2, [(WINDOW - 1, 0), (0, 0), (WINDOW - 1, 1)])
def test_agrees_with_everything_that_ever_arrived(start, count, arrivals):
    # Unique, as the replay window lets no datagram in twice.
    arrivals = [(number, part) for number, part in arrivals if part < count]
    reassembler = Reassembler()
    for at, (number, part) in enumerate(arrivals):
        value = in_parts(file_transfer(number), (start + number) & 0xFF, count)[part]
        out = reassembler.receive(value, 1_000 - at)
        # Obvious and slow: go back over the arrivals until one was too far away.
        since = at
        while since > 0 and abs(arrivals[since - 1][0] - number) < WINDOW:
            since -= 1
        parts = {p for n, p in arrivals[since : at + 1] if n == number}
        if len(parts) == count:
            assert out == (file_transfer(number), 1_000 - at)
        else:
            assert out is None
        assert len(reassembler._partial) <= 2 * WINDOW - 1
    assert not reassembler.dropped[BadFragment.MALFORMED]
    assert not reassembler.dropped[BadFragment.BAD_FRAME]


@given(st.permutations(range(4)), st.lists(st.integers(0, 1000), min_size=4, max_size=4))
def test_a_frame_is_as_old_as_its_oldest_part(order, made_ns):
    reassembler = Reassembler()
    frame = file_transfer(1)
    parts = in_parts(frame, 0, 4)
    *early, last = [reassembler.receive(parts[i], made_ns[i]) for i in order]
    assert early == [None] * 3
    assert last == (frame, min(made_ns))


VALUES = st.one_of(
    st.tuples(
        st.integers(0, 9), st.sampled_from((0, 1, 2, 0x80, 0x81, 0xFF)), st.binary(max_size=3)
    ).map(lambda v: bytes(v[:2]) + v[2] * 80),
    st.binary(max_size=253),
)


@given(st.lists(VALUES, max_size=60))
def test_nonsense_from_a_peer_is_bounded_and_never_comes_out(nonsense):
    reassembler = Reassembler()
    for value in nonsense:
        assert reassembler.receive(value, 0) is None
        held = reassembler._partial.values()
        assert len(held) <= 2 * WINDOW - 1
        for partial in held:
            assert sum(map(len, partial.parts.values())) <= MAX_FRAME_BYTES
            assert partial.total is None or max(partial.parts) < partial.total


@pytest.mark.parametrize(
    "sequence",
    [
        [b"\0\0"],
        [b""],
        [b"\0\0x", b"\0\0x"],
        [b"\0\x81x", b"\0\2x"],
        [b"\0\2x", b"\0\x81x"],
        [b"\0\x83x", b"\0\x82x"],
        [b"\0\x82x", b"\0\x83x"],
        [b"\0\0" + b"x" * 200, b"\0\1" + b"x" * 81],
    ],
)
def test_a_contradiction_ends_its_frame_and_is_counted_once(sequence):
    reassembler = Reassembler()
    for value in sequence:
        assert reassembler.receive(value, 0) is None
    assert reassembler.dropped == {BadFragment.MALFORMED: 1}
    assert not reassembler._partial


def test_halves_of_two_frames_do_not_pass_as_one():
    reassembler = Reassembler()
    first, _ = values(file_transfer(1), Fragmenter())
    _, second = values(file_transfer(2), Fragmenter())  # the sender has started anew
    assert reassembler.receive(first, 0) is None
    assert reassembler.receive(second, 0) is None
    assert reassembler.dropped == {BadFragment.BAD_FRAME: 1}


def test_the_longest_frame_there_is():
    frame = bytes(dialect.MAVLink_encapsulated_data_message(1, [255] * 253).pack(signing_as(_MAV)))
    assert len(frame) == MAX_FRAME_BYTES
    reassembler = Reassembler()
    first, second = values(frame, Fragmenter())
    assert reassembler.receive(second, 0) is None
    assert reassembler.receive(first, 0) == (frame, 0)


def test_a_lost_part_loses_its_frame_only():
    reassembler, fragmenter = Reassembler(), Fragmenter()
    out = []
    for number in range(600):  # the id wraps twice
        parts = values(file_transfer(number), fragmenter)
        if number % 3 == 0:
            del parts[number % 2]
        out += [a.frame for value in parts if (a := reassembler.receive(value, 0))]
    assert out == [file_transfer(n) for n in range(600) if n % 3]
    assert reassembler.dropped == {BadFragment.INCOMPLETE: 199}  # the last is still awaited
    assert len(reassembler._partial) == 1


def test_our_own_frame_must_be_one():
    with pytest.raises(ValueError, match="no MAVLink frame"):
        Fragmenter().cut(bytes(MAX_FRAME_BYTES + 1))
