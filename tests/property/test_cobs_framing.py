"""The splitter of a serial radio against a decoder written from the paper, byte by byte.

Mutants killed: the rest not truncated (memory), truncated at the limit instead of one above it
(an oversized frame passes), the limit off by one either way, the rest not cleared after a frame,
DecodeError not caught, the empty datagram passed on, no delimiter at the end.
"""

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wire.cobs_framing import (
    FRAMING_BYTES,
    MAX_DATAGRAM_BYTES,
    BadFrame,
    DatagramSplitter,
    encode,
)

# Edge-weighted: runs of zeros and of other bytes, and lengths at the limit.
RUNS = st.tuples(st.sampled_from((b"\0", b"\1", b"\xfd", b"\xff")), st.integers(0, 243))
BYTES = st.one_of(
    st.binary(max_size=12),
    st.lists(RUNS, max_size=3).map(lambda runs: b"".join(b * n for b, n in runs)),
)
DATAGRAMS = st.one_of(
    BYTES.filter(lambda d: 0 < len(d) <= MAX_DATAGRAM_BYTES),
    st.binary(min_size=MAX_DATAGRAM_BYTES - 1, max_size=MAX_DATAGRAM_BYTES),
)
CUTS = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 300)), max_size=30)


def cobs_from_the_paper(frame):
    """Each code says how many bytes come before the next zero; 255 says that no zero follows."""
    out, at = bytearray(), 0
    while at < len(frame):
        code = frame[at]
        block = frame[at + 1 : at + code]
        if code == 0 or len(block) < code - 1:
            return None
        out += block
        at += code
        if code < 255 and at < len(frame):
            out.append(0)
    return bytes(out)


def model(stream):
    """All of the stream at once: what comes out and why the rest does not."""
    out, dropped = [], Counter()
    for frame in stream.split(b"\0")[:-1]:
        datagram = cobs_from_the_paper(frame)
        if len(frame) > 241:
            dropped[BadFrame.OVERSIZED] += 1
        elif datagram is None:
            dropped[BadFrame.UNDECODABLE] += 1
        elif not datagram:
            dropped[BadFrame.EMPTY] += 1
        else:
            out.append(datagram)
    return out, dropped


def feed(splitter, stream, cuts):
    out = []
    for cut in cuts:
        out += splitter.receive(stream[:cut])
        stream = stream[cut:]
        assert len(splitter._rest) <= MAX_DATAGRAM_BYTES + 2
    return out + splitter.receive(stream)


@given(st.lists(DATAGRAMS, max_size=6), CUTS)
def test_datagrams_come_out_as_they_went_in(datagrams, cuts):
    splitter = DatagramSplitter()
    stream = b"\0" + b"".join(map(encode, datagrams))
    assert feed(splitter, stream, cuts) == datagrams
    assert splitter.dropped == {BadFrame.EMPTY: 1}


@given(DATAGRAMS)
def test_the_overhead_is_two_bytes_and_the_only_zero_ends_the_frame(datagram):
    on_line = encode(datagram)
    assert len(on_line) == len(datagram) + FRAMING_BYTES
    assert on_line.index(0) == len(on_line) - 1


@given(st.lists(BYTES, max_size=8).map(b"".join), CUTS)
@example(b"\xff" * 300 + b"\0" + encode(b"next"), [100, 100])
@example(b"\xf2" + b"x" * 241 + b"\0", [])
@example(b"\xf1" + b"x" * 240 + b"\0", [240])
@example(b"\xf1" + b"x" * 241 + b"\0", [242])
@example(b"\1\0\0\3x\0", [])
def test_any_bytes_agree_with_the_model(stream, cuts):
    splitter = DatagramSplitter()
    assert (feed(splitter, stream, cuts), splitter.dropped) == model(stream)


@given(BYTES, st.lists(DATAGRAMS, min_size=1, max_size=4))
def test_noise_costs_at_most_the_datagram_behind_it(noise, datagrams):
    out = DatagramSplitter().receive(noise + b"".join(map(encode, datagrams)))
    assert out[len(out) - len(datagrams) + 1 :] == datagrams[1:]


@pytest.mark.parametrize("size", [0, MAX_DATAGRAM_BYTES + 1])
def test_our_own_datagram_must_fit(size):
    with pytest.raises(ValueError, match="serial radio"):
        encode(b"x" * size)
