"""Signing against a model that remembers every frame it ever took, and pymavlink's checksum.

Mutants killed: the table of checksum changes one byte short or long; `>` and `>=` swapped for a
known stream and for a new one; a new stream that need not be newer than the start; the time of a
restart without the margin; a frame refused for its age that leaves its timestamp behind; a floor of
what was sent last and not of what would be sent now.
"""

from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from flightcore.signing import (
    LATEST,
    NEW_STREAM_AGE,
    TICK_NS,
    Signing,
    SigningFloor,
    SigningKeys,
    first_timestamp,
    stripped,
)
from sim.autopilot.signing import LineSigning
from wire.mavlink import CRC_EXTRA

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
S = 10**9
FIRST = 10**13


@st.composite
def frames(draw):
    """Any checksummed frame, whatever its payload."""
    number = draw(st.sampled_from(sorted(CRC_EXTRA)))
    length = draw(st.sampled_from((0, 1, 2, 9, 254, 255)) | st.integers(0, 255))
    payload = draw(st.binary(min_size=length, max_size=length))
    header = bytes((0xFD, length, 0)) + draw(st.binary(min_size=4, max_size=4))
    body = header + number.to_bytes(3, "little") + payload
    checksum = dialect.x25crc(body[1:] + CRC_EXTRA[number]).crc
    return body + checksum.to_bytes(2, "little")


@given(frames(), st.binary(min_size=32, max_size=32).filter(any), st.integers(0, 10**15))
def test_a_signature_goes_on_and_comes_off_any_frame(frame, key, now_ns):
    referee = LineSigning((key, 0))
    referee.timestamp, referee._link_id = FIRST + now_ns // TICK_NS, 191
    sent = Signing(SigningKeys(key=key), FIRST, 0).sign(frame, now_ns)
    if now_ns < TICK_NS:
        referee.timestamp += 1  # the first frame is one step after the start
    assert sent == referee.sign(frame)
    assert stripped(sent) == frame


STREAMS = [(1, 1, 0), (1, 1, 1), (1, 154, 0), (2, 1, 0)]
near = st.sampled_from((-NEW_STREAM_AGE - 1, -NEW_STREAM_AGE, -NEW_STREAM_AGE + 1, -1, 0, 1, 2))
events = st.lists(
    st.one_of(
        st.tuples(st.just("frame"), st.sampled_from(STREAMS), near, st.booleans()),
        st.tuples(st.just("again"), st.integers(0, 30)),
        st.tuples(st.just("send"), st.sampled_from((0, 29 * S, 61 * S, 89 * S))),
        st.tuples(st.just("restart"), st.sampled_from((0, 0, FIRST // 2, FIRST * 2))),
    ),
    max_size=60,
)


def make(stream, timestamp, *, is_genuine):
    heartbeat = dialect.MAVLink_heartbeat_message(2, 3, 81, 0, 3, 3)
    mav = dialect.MAVLink(None, srcSystem=stream[0], srcComponent=stream[1])
    referee = LineSigning((KEY if is_genuine else OTHER_KEY, 0))
    referee.timestamp, referee._link_id = timestamp, stream[2]
    return referee.sign(bytes(heartbeat.pack(mav)))


@given(events)
def test_nothing_is_taken_twice_nor_time_sent_twice(steps):
    """Timestamps near every edge, copies, pauses, restarts with any wall clock."""
    disk = SigningFloor(timestamp=FIRST)
    first, now = FIRST, 0
    signing = Signing(SigningKeys(key=KEY), first, now)
    last, newest, taken, made, sent = {}, first, [], [], [first]

    def offer(frame, stream, timestamp, is_genuine):
        nonlocal newest
        bound = last[stream] + 1 if stream in last else max(first, newest - NEW_STREAM_AGE)
        expected = is_genuine and timestamp >= bound
        assert bool(signing.receive([frame], now)) is expected
        if expected:
            last[stream], newest = timestamp, max(newest, timestamp)
            taken.append(frame)

    for kind, *values in steps:
        if kind == "frame":
            stream, offset, is_genuine = values
            base = newest if stream not in last or offset < -1 else last[stream]
            timestamp = min(max(0, base + offset), LATEST)
            if not is_genuine:
                timestamp = (1 << 48) - 1
            made.append((make(stream, timestamp, is_genuine=is_genuine), stream, timestamp))
            offer(*made[-1], is_genuine)
        elif kind == "again" and made:
            frame, stream, timestamp = made[values[0] % len(made)]
            offer(frame, stream, timestamp, timestamp < 1 << 47)
        elif kind == "send":
            until = now + values[0]
            while (due := signing.deadline_ns()) <= until:
                now = max(now, due)
                signing.tick(now)
                (disk,) = signing.to_save()
            now = until
            frame = signing.sign(make((255, 190, 0), 0, is_genuine=True), now)
            sent.append(int.from_bytes(frame[-12:-6], "little"))
        elif kind == "restart":
            first = max(first_timestamp(disk, 0), values[0])  # the wall clock may be anything
            disk = SigningFloor(timestamp=first)
            signing = Signing(SigningKeys(key=KEY), first, now)
            last, newest = {}, first
            sent.append(first)
    assert len(set(taken)) == len(taken)
    assert sent == sorted(set(sent))
