"""Reading what the drone has aboard, over a line that loses, doubles and reorders.

Mutants killed: an item that was not asked for is taken; a list that is incomplete is shown; a list
of the other kind is taken; asked for without end; items stay in the order in which they came.
"""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from groundstation.plan.onboard import OnboardItem
from groundstation.plan.reader import ASK_AGAIN_NS, GIVE_UP_NS, Reader

S = 10**9


def pack(message):
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=1, srcComponent=1)))


class Aboard:
    """A drone with a list, as the protocol describes it."""

    def __init__(self, kind, places):
        self.kind = kind
        self.places = places

    def answer(self, message):
        if message.get_type() == "MISSION_REQUEST_LIST":
            count = dialect.MAVLink_mission_count_message(255, 190, len(self.places), self.kind)
            return pack(count)
        x, y = self.places[message.seq]
        item = dialect.MAVLink_mission_item_int_message(
            255, 190, message.seq, 3, 16, 0, 1, 5, 0, 0, 0, x, y, 20, self.kind
        )
        return pack(item)


def read(reader, aboard, chance, seconds=3000):
    """Exchange until the reader is done; `chance()` tells what becomes of each answer."""
    held = []
    for now in range(0, seconds * S, S // 2):
        for message in reader.outgoing(1, now):
            held += [aboard.answer(message)] * chance()
        random.Random(now).shuffle(held)
        while held:
            frame = held.pop()
            reader.receive_count(frame, now) if frame[7] == 44 else reader.receive_item(frame, now)
        if not reader.is_reading:
            return


PLACES = [(350_000_000 + n, 1_390_000_000 - n) for n in range(12)]


@given(st.integers(0, 2**32), st.integers(0, 12))
def test_a_lossy_line_makes_it_slow_not_wrong(seed, count):
    rng = random.Random(seed)
    reader = Reader(1)
    for _ in range(20):  # it may give up, and is asked again
        reader.begin(0)
        read(reader, Aboard(1, PLACES[:count]), lambda: rng.choice((0, 1, 1, 1, 2)))
        if reader.items is not None:
            break
    assert reader.items == [OnboardItem(16, 3, (5, 0, 0, 0), x, y, 20) for x, y in PLACES[:count]]


def test_the_old_list_stays_until_the_new_one_is_complete():
    reader = Reader(0)
    reader.begin(0)
    read(reader, Aboard(0, PLACES[:2]), lambda: 1)
    before = reader.items
    reader.begin(0)
    answers = iter([1, 1, 1])
    read(reader, Aboard(0, PLACES), lambda: next(answers, 0))
    assert reader.items is before
    assert not reader.is_reading


def test_silence_is_asked_a_few_times():
    reader = Reader(0)
    reader.begin(0)
    asked = [now for now in range(0, 60 * S, S // 4) for _ in reader.outgoing(1, now)]
    assert len(asked) == GIVE_UP_NS // ASK_AGAIN_NS
    assert not reader.is_reading
    assert reader.failed


@pytest.mark.parametrize("places", [PLACES, []])
def test_another_kind_is_not_ours(places):
    reader = Reader(0)
    reader.begin(0)
    read(reader, Aboard(1, places), lambda: 1, 5)
    assert reader.items is None


def test_an_item_that_was_not_asked_for():
    reader, aboard = Reader(0), Aboard(0, PLACES)
    reader.begin(0)
    reader.receive_count(aboard.answer(*reader.outgoing(1, 0)), 0)
    later = dialect.MAVLink_mission_request_int_message(1, 1, 11, 0)
    reader.receive_item(aboard.answer(later), 0)
    assert [asked.seq for asked in reader.outgoing(1, 0)] == [0, 1, 2, 3, 4]
    first = dialect.MAVLink_mission_request_int_message(1, 1, 0, 0)
    reader.receive_item(Aboard(1, PLACES).answer(first), 0)  # of the fence
    assert reader.progress == (0, 12)


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=60))))
def test_any_bytes(frames):
    reader = Reader(0)
    reader.begin(0)
    for is_count, payload in frames:
        frame = bytes((0xFD, len(payload), *bytes(8))) + payload + b"\0\0"
        reader.receive_count(frame, 1) if is_count else reader.receive_item(frame, 1)
