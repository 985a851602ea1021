"""The send queue against an obvious slow model, and what it promises, over whole afternoons.

Mutants killed: pacing rounded down, the line free a nanosecond early, credit kept while idle, the
budget off by one byte either way, the newest dropped instead of the oldest, the oldest whatever its
message, a message known by its id without its source, a frame begun dropped first, the best class
dropped first, the last remaining frame dropped, lateness off by one either way, BULK dropped as
late, BULK not paced or not charged, BULK charged for others, a batch a byte too long or too short,
bytes of dropped or sent frames kept on the account, the memory of messages unbounded or not in the
order of use.
"""

from collections import Counter
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wire.fragments import MAX_RECORD_BYTES, Reassembler
from wire.mavlink import HEADER_BYTES, dialect
from wire.priority import Priority, priority_of
from wire.records import encode_record, parse_records
from wire.send_queue import MAX_DELAY_NS, MIN_RATE, SendQueue

S = 1_000_000_000
RATE = 5760
ROOM = 219
OVERHEAD = 23
LONGEST_NS = 242 * S // RATE


def a_frame(kind, size, number):
    """What the queue takes for a MAVLink frame: only its header's source and id matter."""
    return (b"\xfd\0\0\0\0\1\1" + kind.to_bytes(3, "little")).ljust(size - 4, b"-") + (
        number.to_bytes(4, "big")
    )


class Waiting(NamedTuple):
    priority: Priority
    kind: int
    frame: bytes
    put_ns: int


class Model:
    """Everything in one list, in the order it was put; times are exact fractions."""

    def __init__(self, rate):
        self.rate = rate
        self.waiting: list[Waiting] = []
        self.line_free = Fraction(0)
        self.bulk_free = Fraction(0)
        self.sent: list[int] = []  # kinds, in the order they were sent
        self.dropped: Counter[str] = Counter()

    def put(self, priority, kind, frame, now):
        self.waiting.append(Waiting(priority, kind, frame, now))
        bulk = [w for w in self.waiting if w.priority is Priority.BULK]
        if len(bulk) > 8:
            self.drop(bulk[0])
        while len(self.prompt()) > 1 and sum(len(w.frame) for w in self.prompt()) * S > (
            self.rate * MAX_DELAY_NS
        ):
            worst = max(w.priority for w in self.prompt())
            candidates = [w for w in self.waiting if w.priority == worst]
            when = {
                w.kind: len(self.sent) - self.sent[::-1].index(w.kind) if w.kind in self.sent else 0
                for w in candidates
            }
            latest = max(when.values())
            self.drop(next(w for w in candidates if when[w.kind] == latest))

    def prompt(self):
        return [w for w in self.waiting if w.priority is not Priority.BULK]

    def drop(self, item):
        self.waiting.remove(item)
        self.dropped[f"not_sent_{item.priority.name.lower()}"] += 1

    def take(self, room, now, overhead):
        if now < self.line_free:
            return []
        for item in self.prompt():
            if now - item.put_ns > MAX_DELAY_NS + 242 * S // self.rate:
                self.drop(item)
        if not self.waiting:
            return []
        best = min((w.priority for w in self.prompt()), default=None)
        has_bulk = len(self.prompt()) < len(self.waiting) and now >= self.bulk_free
        if has_bulk and best in (None, Priority.TELEMETRY):
            best = Priority.BULK
        if best is None:
            return []
        batch = []
        for item in [w for w in self.waiting if w.priority == best]:
            if sum(map(len, batch)) + len(item.frame) > room:
                break
            batch.append(item.frame)
            self.waiting.remove(item)
            self.sent.append(item.kind)
        size = sum(map(len, batch)) + overhead
        self.line_free = now + Fraction(size * S, self.rate)
        if best is Priority.BULK:
            self.bulk_free = now + Fraction(size * S, self.rate // 20)
        return batch


def a_put(size, priority=Priority.TELEMETRY):
    return ("put", priority, 0, size)


PUTS = st.tuples(
    st.just("put"),
    st.sampled_from(Priority),
    st.integers(0, 3),
    st.one_of(st.sampled_from((14, 100, MAX_RECORD_BYTES)), st.integers(14, MAX_RECORD_BYTES)),
)
# When to take: after so long, or at the deadline and a nanosecond to either side of it.
TAKES = st.tuples(
    st.just("take"),
    st.sampled_from((None, -1, 0, 0, 1)),
    st.one_of(
        st.sampled_from((0, 1, MAX_DELAY_NS + LONGEST_NS, MAX_DELAY_NS + LONGEST_NS + 1)),
        st.integers(0, 5 * S // 10),
    ),
    st.one_of(st.sampled_from((ROOM, MAX_RECORD_BYTES)), st.integers(MAX_RECORD_BYTES, 1200)),
)


@settings(max_examples=300)
@given(
    st.sampled_from((RATE, MIN_RATE, 960, 5761, 92160)),
    st.lists(st.one_of(PUTS, PUTS, TAKES), max_size=80),
)
@example(RATE, [a_put(200)] * 4 + [a_put(64)])
@example(RATE, [a_put(200)] * 4 + [a_put(65)])
@example(RATE, [a_put(64), ("take", None, MAX_DELAY_NS + LONGEST_NS, ROOM)])
@example(RATE, [a_put(64), ("take", None, MAX_DELAY_NS + LONGEST_NS + 1, ROOM)])
@example(RATE, [a_put(100), a_put(119), ("take", None, 0, ROOM)])
@example(RATE, [a_put(100), a_put(120), ("take", None, 0, ROOM)])
def test_agrees_with_the_model(rate, steps):
    queue, model, now = SendQueue(rate), Model(rate), 0
    for number, step in enumerate(steps):
        if step[0] == "put":
            _, priority, kind, size = step
            frame = a_frame(kind, size, number)
            queue.put(priority, frame, now)
            model.put(priority, kind, frame, now)
        else:
            _, beside, after, room = step
            deadline = queue.deadline_ns()
            if beside is None or deadline is None:
                now += after
            else:
                now = max(now, deadline + beside)
            batch = queue.take(room, now)
            assert batch == model.take(room, now, OVERHEAD)
            if batch:
                queue.spent(sum(map(len, batch)) + OVERHEAD, now)
        assert queue.dropped == model.dropped
        for priority in Priority:
            assert queue.waiting(priority) == sum(w.priority == priority for w in model.waiting)
        deadline = queue.deadline_ns()
        if not model.waiting:
            assert deadline is None
        elif min(w.priority for w in model.waiting) is Priority.BULK:
            assert 0 <= deadline - max(model.line_free, model.bulk_free) < 1
        else:
            assert 0 <= deadline - model.line_free < 1


class Sent(NamedTuple):
    at_ns: int
    size: int
    priority: Priority
    frames: list[bytes]


def serve(queue, puts):
    """Put everything at its time, `puts` being in order; send as soon as the queue lets us."""
    sent: list[Sent] = []
    of_frame = {frame: priority for _, priority, frame in puts}

    def until(end_ns):
        while (deadline := queue.deadline_ns()) is not None and (at := max(deadline, now)) < end_ns:
            batch = queue.take(ROOM, at)
            if batch:
                size = sum(map(len, batch)) + OVERHEAD
                queue.spent(size, at)
                sent.append(Sent(at, size, of_frame[batch[0]], batch))

    now = 0
    for at_ns, priority, frame in puts:
        until(at_ns)
        now = at_ns
        queue.put(priority, frame, now)
    until(now + 60 * S)
    return sent


LOADS = st.lists(
    st.tuples(
        st.one_of(
            st.just(0), st.integers(0, S // 100), st.sampled_from((LONGEST_NS, S // 20, 2 * S))
        ),
        st.sampled_from(Priority),
        st.integers(0, 3),
        st.integers(14, MAX_RECORD_BYTES),
    ),
    min_size=1,
    max_size=150,
)


@settings(max_examples=200)
@given(LOADS)
def test_what_it_promises(load):
    puts, now = [], 0
    for number, (after, priority, kind, size) in enumerate(load):
        now += after
        puts.append((now, priority, a_frame(kind, size, number)))
    queue = SendQueue(RATE)
    sent = serve(queue, puts)
    put_ns = {frame: (at, priority) for at, priority, frame in puts}

    # Everything put was sent, once, or counted.
    frames = [frame for batch in sent for frame in batch.frames]
    assert len(frames) == len(set(frames))
    assert len(frames) + queue.dropped.total() == len(puts)
    # Never above the rate of the line: each starts when the one before it has been sent.
    for one, following in pairwise(sent):
        assert (following.at_ns - one.at_ns) * RATE >= one.size * S
    # Bulk: at most 5 % of the time.
    bulk = [b for b in sent if b.priority is Priority.BULK]
    for one, following in pairwise(bulk):
        assert (following.at_ns - one.at_ns) * RATE >= 20 * one.size * S
    for batch in sent:
        assert len({put_ns[f][1] for f in batch.frames}) == 1
        for frame in batch.frames:
            at, priority = put_ns[frame]
            if priority is Priority.BULK:
                continue
            assert batch.at_ns - at <= MAX_DELAY_NS + LONGEST_NS
            # What kept it waiting: one datagram of any class at most, then its betters and equals.
            ahead = [b for b in sent if at < b.at_ns < batch.at_ns]
            assert all(b.priority <= priority or b.priority is Priority.BULK for b in ahead)
            if priority < Priority.TELEMETRY:
                assert all(b.priority <= priority for b in ahead)
            busy = sum(b.size for b in ahead) * S / RATE
            assert batch.at_ns - at <= LONGEST_NS + busy + len(ahead) + 1


@pytest.mark.parametrize("interval_ns", [S // 10, S // 10 + 7, S // 20, S])
def test_every_message_gets_through_whatever_the_rhythm(interval_ns):
    """Bursts in a fixed order at three times the rate: the same ones must not always lose."""
    kinds = 12
    size = 3 * RATE * interval_ns // S // kinds
    count = max(1, -(-size // 100))  # frames of each kind in a burst
    puts, number = [], 0
    for burst in range(60 * S // interval_ns):
        for kind in range(kinds):
            for _ in range(count):
                frame = a_frame(kind, size // count, number)
                puts.append((burst * interval_ns, Priority.TELEMETRY, frame))
                number += 1
    sent = serve(SendQueue(RATE), puts)
    heard = Counter(f[7] for b in sent for f in b.frames)
    assert len(heard) == kinds
    assert min(heard.values()) >= 0.5 * heard.total() / kinds


def test_the_freshest_of_a_message_is_sent():
    queue = SendQueue(RATE)
    queue.spent(576, 0)  # the line is busy for 0.1 s
    for number in range(100):
        queue.put(Priority.TELEMETRY, a_frame(30, 40, number), number * S // 1000)
    newest = [f[-1] for f in queue.take(1200, S // 10)]
    assert newest == list(range(79, 100))  # 21 of 40 bytes are 864 and less


def test_a_long_frame_goes_in_parts_and_a_command_goes_between_them():
    queue, reassembler = SendQueue(RATE), Reassembler()
    payload = [7] * 251
    long = bytes(
        dialect.MAVLink_file_transfer_protocol_message(0, 1, 1, payload).pack(
            dialect.MAVLink(None, 1, 1)
        )
    )
    queue.put(Priority.TELEMETRY, long, 0)
    (first,) = queue.take(ROOM, 0)
    queue.spent(ROOM, 0)
    # The overload that comes now must not cost the half of the frame that has been paid for.
    for number in range(50):
        queue.put(Priority.TELEMETRY, a_frame(1, 60, number), 1)
    command = a_frame(76, 45, 1)
    queue.put(Priority.COMMAND, command, 1)
    now = queue.deadline_ns()
    assert queue.take(ROOM, now) == [command]
    second, *others = queue.take(ROOM, now)
    assert others
    out = [reassembler.receive(parse_records(p)[1][0][1], 0) for p in (first, second)]
    assert out[0] is None
    assert out[1].frame == long


def test_a_long_frame_is_never_too_long_for_a_slow_line():
    queue = SendQueue(MIN_RATE)  # 150 ms are 18 bytes
    queue.put(Priority.TELEMETRY, a_frame(110, 280, 1), 0)
    assert len(queue.take(ROOM, 0)) == 1


def test_after_a_standstill_nothing_old_leaves():
    queue = SendQueue(RATE)
    for priority in Priority:
        queue.put(priority, a_frame(priority, 40, 1), 0)
    assert queue.take(ROOM, 10 * S) == [a_frame(Priority.BULK, 40, 1)]
    assert queue.dropped.total() == 4
    assert queue.deadline_ns() is None


def test_memory_is_bounded_in_messages_too():
    queue = SendQueue(RATE)
    for number in range(4000):
        kind = number // 2 if number % 2 else 7  # every other one is the same
        queue.put(Priority.TELEMETRY, a_frame(kind, 40, number), number)
        assert queue.take(ROOM, number)
        assert a_frame(7, 40, 0)[5:10] in queue._last_sent
    recent = [7, *range(2000 - 255, 2000)]
    assert set(queue._last_sent) == {a_frame(kind, 40, 0)[5:10] for kind in recent}


def test_bulk_pays_for_itself_only():
    queue = SendQueue(RATE)
    queue.put(Priority.BULK, a_frame(0, 77, 0), 0)
    assert queue.take(ROOM, 0)
    queue.spent(100, 0)
    queue.spent(84, 0)  # a handshake
    queue.put(Priority.BULK, a_frame(0, 77, 1), 0)
    assert queue.deadline_ns() == -(-100 * 20 * S // RATE)


def test_our_own_mistakes_raise():
    with pytest.raises(ValueError, match="too slow"):
        SendQueue(MIN_RATE - 1)
    queue = SendQueue(RATE)
    with pytest.raises(ValueError, match="at least 200"):
        queue.take(MAX_RECORD_BYTES - 1, 0)
    with pytest.raises(ValueError, match="200 at most"):
        queue.put(Priority.BULK, encode_record(5, bytes(MAX_RECORD_BYTES - 1)), 0)


def test_classes_of_messages():
    classes = {
        message.msgname: priority_of(
            b"\xfd" + bytes(6) + number.to_bytes(3, "little") + bytes(HEADER_BYTES)
        )
        for number, message in dialect.mavlink_map.items()
    }
    named = {p: {n for n, c in classes.items() if c is p} for p in Priority}
    assert "MANUAL_CONTROL" in named[Priority.CONTROL]
    assert {n for n in classes if n.startswith("SET_POSITION_TARGET")} <= named[Priority.CONTROL]
    assert {"COMMAND_LONG", "COMMAND_ACK", "SET_MODE", "PARAM_SET"} <= named[Priority.COMMAND]
    assert {n for n in classes if n.startswith("MISSION_ITEM")} - named[Priority.COMMAND] == {
        "MISSION_ITEM_REACHED"
    }
    assert named[Priority.STATUS] == {"HEARTBEAT", "STATUSTEXT"}
    assert {"ATTITUDE", "PARAM_VALUE", "FILE_TRANSFER_PROTOCOL"} <= named[Priority.TELEMETRY]
    assert not named[Priority.BULK]
