"""The splitter and the record parser against arbitrary cuts, garbage and corruption."""

from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from wire.mavlink import FrameSplitter, is_valid_frame
from wire.records import MalformedRecordsError, encode_record, parse_records

_MAV = dialect.MAVLink(None, srcSystem=1, srcComponent=1)


def _packed(message, *, signed=False):
    _MAV.signing.secret_key = b"k" * 32 if signed else None
    _MAV.signing.sign_outgoing = signed
    return bytes(message.pack(_MAV))


FRAMES = st.sampled_from(
    [
        _packed(dialect.MAVLink_heartbeat_message(2, 3, 81, 0, 4, 3)),
        _packed(dialect.MAVLink_attitude_message(1, 0.1, 0.2, 0.3, 0, 0, 0)),
        _packed(dialect.MAVLink_statustext_message(6, b"\xfd" * 50)),
        _packed(dialect.MAVLink_param_set_message(1, 1, b"RTL_ALT", 1500.0, 9), signed=True),
        _packed(dialect.MAVLink_file_transfer_protocol_message(0, 1, 1, list(range(251)))),
        _packed(dialect.MAVLink_ping_message(1, 2, 0, 0)),
    ]
)
# No magic bytes, so that garbage cannot begin a frame that swallows the next one.
HARMLESS = st.binary(max_size=20).map(lambda b: b.replace(b"\xfd", b"").replace(b"\xfe", b""))


def _feed(splitter, data, cuts):
    out = []
    at = 0
    for cut in cuts:
        out += splitter.receive(data[at : at + cut])
        at += cut
    return out + splitter.receive(data[at:])


@given(st.lists(st.tuples(HARMLESS, FRAMES), max_size=8), HARMLESS, st.lists(st.integers(1, 40)))
def test_every_frame_comes_out_once_however_the_stream_is_cut(parts, tail, cuts):
    data = b"".join(noise + frame for noise, frame in parts) + tail
    splitter = FrameSplitter()
    assert _feed(splitter, data, cuts) == [frame for _, frame in parts]
    noise = sum(len(n) for n, _ in parts) + len(tail)
    held = len(splitter._rest)
    assert splitter.dropped.total() == noise - held


@given(st.binary(max_size=600), st.lists(st.integers(1, 40)))
def test_arbitrary_bytes_never_raise_and_only_valid_frames_come_out(data, cuts):
    splitter = FrameSplitter()
    for frame in _feed(splitter, data, cuts):
        assert is_valid_frame(frame)
        assert frame in data


@given(FRAMES, st.data())
def test_a_flipped_bit_is_never_passed_on(frame, data):
    bit = data.draw(st.integers(0, (len(frame) - 14) * 8 if frame[2] else len(frame) * 8 - 1))
    damaged = bytearray(frame)
    damaged[bit // 8] ^= 1 << bit % 8
    for out in FrameSplitter().receive(bytes(damaged) + bytes(300)):
        assert out != bytes(damaged)


@given(FRAMES, st.lists(FRAMES, max_size=3))
def test_resynchronises_after_a_damaged_frame(damaged, following):
    broken = bytearray(damaged)
    broken[10] ^= 0x55  # the first payload byte
    splitter = FrameSplitter()
    # A magic byte inside the damaged frame may hold up what follows until more bytes come.
    out = splitter.receive(bytes(broken) + b"".join(following) + bytes(300))
    assert out[len(out) - len(following) :] == following
    assert splitter.dropped["bad_checksum"] >= 1


def test_mavlink_1_is_recognised_and_refused():
    mav = dialect.MAVLink(None, srcSystem=1, srcComponent=1)
    v1 = dialect.MAVLink_heartbeat_message(2, 3, 81, 0, 4, 3).pack(mav, force_mavlink1=True)
    after = _packed(dialect.MAVLink_ping_message(1, 2, 0, 0))
    splitter = FrameSplitter()
    assert splitter.receive(v1 + b"noise" + v1 + after) == [after]
    assert splitter.dropped == {"mavlink1": 2, "garbage_bytes": 5}


def test_unknown_message_is_counted():
    frame = bytearray(_packed(dialect.MAVLink_ping_message(1, 2, 0, 0)))
    frame[7:10] = (9_999_999).to_bytes(3, "little")
    splitter = FrameSplitter()
    assert splitter.receive(bytes(frame)) == []
    assert splitter.dropped["unknown_message"] == 1


RECORDS = st.tuples(st.integers(1, 0x7F), st.binary(max_size=255))


@given(st.lists(st.one_of(FRAMES, RECORDS), max_size=10))
def test_records_come_out_as_they_went_in(items):
    payload = b"".join(i if isinstance(i, bytes) else encode_record(*i) for i in items)
    frames, records = parse_records(payload)
    assert list(frames) == [i for i in items if isinstance(i, bytes)]
    assert list(records) == [i for i in items if not isinstance(i, bytes)]


@given(st.binary(max_size=80))
def test_records_parse_whole_or_not_at_all(payload):
    try:
        frames, records = parse_records(payload)
    except MalformedRecordsError:
        return
    used = sum(map(len, frames)) + sum(2 + len(v) for _, v in records)
    assert not any(payload[used:])  # what follows the last record is padding
    assert used == len(payload) or payload[used] == 0
