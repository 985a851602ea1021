"""The recorder's core: what is in the recordings is what went by, in order, however it is cut.

Mutants that died here: the oldest of the half minute forgotten; chunks cut without their last
batch; the second flight in the first one's file; SETUP_SIGNING kept; a tail twice as long;
`always` not going on after a flight; a stamp for the first frame of a batch only; no bound on what
waits; something kept before an arming all the same; the newest deleted first, or in vain.
"""

import struct

from hypothesis import example, given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.quota import Budget, make_room
from wire.recorder import (
    BEFORE_BYTES,
    BEFORE_NS,
    CHUNK_NS,
    TAIL_NS,
    Batch,
    Chunk,
    End,
    Recorder,
    When,
    encode_tlog,
)

S = 1_000_000_000


def frame(number, size=20, message=30):
    """A frame as the recorder sees it: only message id and length matter to it."""
    head = bytes((0xFD, size, 0, 0, number % 256, 1, 1)) + message.to_bytes(3, "little")
    return head + number.to_bytes(4, "big") + bytes(size - 2)


SIGNING = frame(0, message=dialect.MAVLINK_MSG_ID_SETUP_SIGNING)
STATES = st.sampled_from((True, False, None))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("frames"), st.integers(1, 4), st.sampled_from([10, 255])),
        st.tuples(st.just("many"), st.just(100), st.just(255)),
        st.tuples(st.just("signing"), st.just(1), st.just(10)),
        st.tuples(st.just("state"), STATES, st.none()),
        st.tuples(
            st.just("wait"),
            st.sampled_from([0, 1, CHUNK_NS - 1, CHUNK_NS, TAIL_NS - 1, TAIL_NS, BEFORE_NS, 1]),
            st.none(),
        ),
    ),
    max_size=40,
)


class Slow:
    """The obvious model: every frame is noted, and each flight is a list."""

    def __init__(self, when):
        self.when = when
        self.before, self.flights = [], []
        self.recording, self.armed, self.end = False, False, None

    def begin(self):
        self.flights.append([*self.before])
        self.before = []
        self.recording = True

    def finish(self):
        self.recording, self.end = False, None

    def frame(self, data, now):
        if self.when is When.OFF:
            return
        if self.when is When.ALWAYS and not self.recording:
            self.begin()
        if self.recording:
            self.flights[-1].append((now, data))
        else:
            self.before = [(t, f) for t, f in [*self.before, (now, data)] if t >= now - BEFORE_NS]

    def state(self, state, now):
        if self.when is When.OFF:
            return
        if state is True and not self.armed:
            self.armed = True
            if self.end is not None:
                self.finish()
            if not self.recording:
                self.begin()
        if state is False and self.armed:
            self.armed, self.end = False, now + TAIL_NS

    def tick(self, now):
        if self.end is not None and now >= self.end:
            self.finish()


@given(st.sampled_from(When), STEPS)
@example(When.ARMED, [("frames", 2, 10), ("wait", BEFORE_NS, None), ("state", True, 0)])
@example(  # armed again while the tail is being recorded
    When.ARMED,
    [
        ("state", True, 0),
        ("frames", 1, 10),
        ("state", False, 0),
        ("frames", 1, 10),
        ("state", True, 0),
        ("frames", 1, 10),
    ],
)
@example(  # the tail is as long as it is said to be
    When.ARMED,
    [
        ("state", True, 0),
        ("state", False, 0),
        ("wait", TAIL_NS - 1, 0),
        ("frames", 1, 10),
        ("wait", 1, 0),
        ("frames", 1, 10),
    ],
)
@example(
    When.ALWAYS,
    [
        ("frames", 1, 10),
        ("state", True, 0),
        ("state", False, 0),
        ("wait", TAIL_NS, 0),
        ("frames", 1, 10),
    ],
)
def test_recordings_hold_what_went_by_in_order(when, steps):
    recorder, slow = Recorder(when), Slow(when)
    now, number, out = 7 * S, 0, []
    for what, how, size in steps:
        match what:
            case "frames" | "many":
                frames = [frame(number + i, size) for i in range(how)]
                number += how
                recorder.receive(frames, now)
                for each in frames:
                    slow.frame(each, now)
            case "signing":
                recorder.receive([SIGNING], now)
            case "state":
                recorder.follow(how, now)
                slow.state(how, now)
            case "wait":
                now += how
                deadline = recorder.deadline_ns()
                while deadline is not None and deadline <= now:
                    slow.tick(deadline)
                    recorder.tick(deadline)
                    deadline = recorder.deadline_ns()
                slow.tick(now)
                recorder.tick(now)
        out += recorder.outgoing()
    assert recorder.is_recording == slow.recording
    recorder.finish()
    out += recorder.outgoing()
    flights = {}
    for item in out:
        if isinstance(item, Chunk):
            flight = flights.setdefault(item.flight, [])
            flight += [(batch.now_ns, f) for batch in item.batches for f in batch.frames]
            assert item.batches
            assert item.batches[-1].now_ns - item.batches[0].now_ns <= BEFORE_NS
    expected = {n: flight for n, flight in enumerate(slow.flights, 1) if flight}
    assert flights == expected
    ended = [item.flight for item in out if isinstance(item, End)]
    assert ended == list(range(1, len(slow.flights) + 1))


def split_tlog(data):
    """The slow way to read a .tlog: a stamp, a header, the length it says."""
    at, found = 0, []
    while at < len(data):
        (stamp,) = struct.unpack_from(">Q", data, at)
        size = 12 + data[at + 9]
        found.append((stamp, data[at + 8 : at + 8 + size]))
        at += 8 + size
    return found


@given(
    st.lists(st.tuples(st.integers(0, S), st.integers(1, 3)), max_size=20),
    st.integers(-S, 10**18),
)
def test_a_tlog_is_monotone_and_holds_every_frame(steps, offset):
    now, batches, expected = 10 * S, [], []
    for step, count in steps:
        now += step
        frames = [frame(len(expected) + i) for i in range(count)]
        batches.append(Batch(now, frames))
        expected += [((now + offset) // 1000, each) for each in frames]
    found = split_tlog(encode_tlog(batches, offset))
    assert found == expected
    assert [stamp for stamp, _ in found] == sorted(stamp for stamp, _ in found)


def test_what_waits_for_an_arming_is_bounded():
    recorder = Recorder(When.ARMED)
    for number in range(200):
        recorder.receive([frame(number, 255)] * 100, 1)
    recorder.follow(True, 1)
    recorder.finish()
    chunks = [item for item in recorder.outgoing() if isinstance(item, Chunk)]
    size = sum(len(encode_tlog(chunk.batches, 0)) for chunk in chunks)
    assert BEFORE_BYTES - 30_000 < size <= BEFORE_BYTES
    assert chunks[-1].batches[-1].frames[0] == frame(199, 255)


def test_with_nothing_kept_before_a_recording_begins_with_the_arming():
    recorder = Recorder(When.ARMED, keeps_before=False)
    recorder.receive([frame(1)], 1)
    recorder.receive([frame(2)], 2)
    recorder.follow(True, 2)
    recorder.finish()
    assert recorder.outgoing() == [Chunk(1, [Batch(2, [frame(2)])]), End(1)]


@given(
    st.lists(st.integers(1, 50), max_size=6),
    st.integers(0, 50),
    st.integers(0, 200),
    st.integers(0, 50),
    st.integers(1, 200),
    st.integers(0, 50),
    st.booleans(),
)
@example([1, 50], 0, 200, 10, 52, 0, True)
@example([50, 1], 0, 200, 10, 52, 0, True)
def test_room_is_made_by_deleting_no_more_than_needed(
    finished, current, free, needed, total, keep_free, may_delete
):
    room = make_room(Budget(total, keep_free, may_delete), finished, current, free, needed)

    def fits(deleted):
        gone = sum(finished[:deleted])
        used = sum(finished) - gone + current + needed
        return used <= total and free + gone - needed >= keep_free

    most = len(finished) if may_delete else 0
    possible = [n for n in range(most + 1) if fits(n)]
    assert room.fits == bool(possible)
    assert room.delete == (possible[0] if possible else 0)
    # What it says is left can be written too, and not one byte more.
    if room.fits:
        again = Budget(total, keep_free, may_delete)
        assert make_room(again, finished, current, free, needed + room.left).fits
        assert not make_room(again, finished, current, free, needed + room.left + 1).fits
