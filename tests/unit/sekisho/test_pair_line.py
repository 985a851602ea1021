"""Frames of a pairing on the line.

Mutants killed: an empty frame delivered, no limit on what is held or on a frame, a bad frame
delivered as something, `_rest` not kept.
"""

from hypothesis import given
from hypothesis import strategies as st

from crypto.pairing_messages import MAX_MESSAGE_BYTES
from sekisho.pair_line import FrameReader, encode_frame

MESSAGES = st.one_of(
    st.binary(min_size=1, max_size=600),
    st.integers(1, MAX_MESSAGE_BYTES).map(lambda size: b"\0" * size),
    st.integers(253, MAX_MESSAGE_BYTES).map(lambda size: b"\xff" * size),
    st.just(bytes(MAX_MESSAGE_BYTES)),
)


@given(st.lists(MESSAGES, max_size=4), st.lists(st.integers(1, 700), min_size=1))
def test_messages_come_out_whole_however_the_line_cuts_them(messages, sizes):
    reader, stream, out = FrameReader(), b"".join(map(encode_frame, messages)), []
    while stream:
        for size in sizes:
            out += reader.receive_untrusted(stream[:size])
            stream = stream[size:]
    assert out == messages


@given(st.lists(st.one_of(st.binary(max_size=300), MESSAGES), max_size=20))
def test_anything_may_come_and_nothing_piles_up(chunks):
    reader = FrameReader()
    for chunk in chunks:
        for message in reader.receive_untrusted(chunk):
            assert len(message) <= MAX_MESSAGE_BYTES
        assert len(reader._rest) < MAX_MESSAGE_BYTES + 10
        assert b"\0" not in reader._rest
    reader.receive_untrusted(b"\0")
    assert reader.receive_untrusted(encode_frame(b"good")) == [b"good"]


def test_what_is_no_frame_or_too_long_comes_out_as_nothing_good():
    assert FrameReader().receive_untrusted(b"\x05ab\0") == [b""]
    long = encode_frame(b"x" * (MAX_MESSAGE_BYTES + 300))
    assert FrameReader().receive_untrusted(long) == [b""]
    assert FrameReader().receive_untrusted(b"x" * 5000) == [b""]


def test_an_empty_frame_is_nothing_at_all():
    assert FrameReader().receive_untrusted(b"\0\0\0") == []
