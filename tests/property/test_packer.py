"""Frames packed beforehand against those that pymavlink packs, for every message of the dialect.

Mutants killed: fields in the order they are declared in; zeros left at the end; a payload of zeros
cut to nothing; text after its first zero lost; an array's first number for all of it.
"""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.mavlink import dialect, is_valid_frame
from wire.packer import pack

RANGES = {
    f"{sign}int{bits}_t": (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for sign in ("u", "")
    for bits in (8, 16, 32, 64)
}
BYTES = st.integers(0, 255)


def number(kind):
    if kind in ("float", "double"):
        return st.floats(width=32)
    if kind == "char":
        return BYTES.map(lambda value: bytes((value,)))
    low, high = RANGES[kind.removesuffix("_mavlink_version")]
    return st.one_of(st.sampled_from([0, low, high]), st.integers(low, high))


def field(kind, size):
    if size and kind == "char":
        return st.one_of(st.just(bytes(size)), st.binary(max_size=size))
    return st.lists(number(kind), min_size=size, max_size=size) if size else number(kind)


@settings(max_examples=5)
@given(st.data())
@pytest.mark.parametrize("kind", dialect.mavlink_map.values(), ids=lambda kind: kind.msgname)
def test_every_message_is_packed_as_pymavlink_does(kind, data):
    sizes = dict(zip(kind.ordered_fieldnames, kind.array_lengths, strict=True))
    types = zip(kind.fieldnames, kind.fieldtypes, strict=True)
    values = [data.draw(field(type_, sizes[name])) for name, type_ in types]
    sysid, compid, sequence = (data.draw(BYTES) for _ in range(3))
    mavlink = dialect.MAVLink(None, sysid, compid)
    mavlink.seq = sequence
    frame = pack(kind(*values), sysid, compid, sequence)
    assert frame == bytes(kind(*values).pack(mavlink))
    assert is_valid_frame(frame)


def test_what_does_not_fit_is_refused_alike():
    message = dialect.MAVLink_heartbeat_message(256, 0, 0, 0, 0, 3)
    for way in (lambda: pack(message, 1, 1, 0), lambda: message.pack(dialect.MAVLink(None))):
        with pytest.raises(struct.error):
            way()
