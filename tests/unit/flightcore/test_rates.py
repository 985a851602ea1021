"""Message rates on a clock that the test moves, and an autopilot that does as it is told.

Mutants killed: the rate is judged before anything can have come; what comes faster than wanted is
asked for too; an answer to somebody else's request is taken for ours; a refused message is asked
for in every window; requests leave without waiting for the answer; a silent autopilot is asked;
backing off is not undone by a restart.
"""

from collections import Counter

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from flightcore.autopilot import Autopilot
from flightcore.rates import SELDOM_NS, WANTED, WINDOW_NS, Rates
from flightcore.voice import Voice

MS = 10**6
S = 10**9
ATTITUDE, FENCE = dialect.MAVLINK_MSG_ID_ATTITUDE, dialect.MAVLINK_MSG_ID_FENCE_STATUS


class Flight:
    """An autopilot that sends messages every so many ms, and the part of the companion."""

    def __init__(self):
        self.now = 0
        self.autopilot = Autopilot()
        self.voice = Voice(self.autopilot)
        self.rates = Rates(self.autopilot, self.voice)
        self.mav = dialect.MAVLink(None, srcSystem=1, srcComponent=1)
        self.intervals = {}  # what it was asked for, and does
        self.refused = {}
        self.absent = set()  # asked for with success, and never sent
        self.is_silent = False
        self.answers = True
        self.requests = []  # (time, message)
        self.said, self.notes = [], []

    def frame(self, number):
        payload = bytes(8) + b"\1"
        head = bytes((0xFD, len(payload), 0, 0, 0, 1, 1)) + number.to_bytes(3, "little")
        return head + payload + b"??"  # the checksum is somebody else's affair

    def run(self, seconds):
        for _ in range(round(seconds * 100)):
            self.now += 10 * MS
            if not self.is_silent:
                if self.now % S == 0:
                    beat = dialect.MAVLink_heartbeat_message(2, 3, 81, 0, 3, 3)
                    data = bytes(beat.pack(self.mav))
                    self.give(*self.autopilot.receive(data, self.now))
                for number, interval_ms in self.intervals.items():
                    if number not in self.absent and self.now % (interval_ms * MS) == 0:
                        self.give(self.frame(number))
            deadline_ns = self.rates.deadline_ns()
            if deadline_ns is not None and deadline_ns <= self.now:
                self.rates.tick(self.now)
                assert self.rates.deadline_ns() > self.now
            self.obey()

    def give(self, *frames):
        for frame in frames:
            self.rates.receive(frame, self.now)

    def obey(self):
        said = self.voice.outgoing()
        self.notes += said.notes
        self.said += [dialect.MAVLink(None).decode(bytearray(f)).text for f in said.to_ground]
        assert len(said.to_line) <= 1
        for frame in said.to_line:
            asked = dialect.MAVLink(None).decode(bytearray(frame))
            assert (asked.get_srcSystem(), asked.get_srcComponent()) == (1, 191)
            assert (asked.target_system, asked.target_component, asked.param3) == (1, 1, 0)
            assert asked.command == dialect.MAV_CMD_SET_MESSAGE_INTERVAL
            number = int(asked.param1)
            self.requests.append((self.now, number))
            result = self.refused.get(number, 0)
            if not self.is_silent and self.answers:
                if not result:
                    self.intervals[number] = round(asked.param2 / 1000)
                self.give(self.ack(result, 1, 191))

    def ack(self, result, system, component):
        ack = dialect.MAVLink_command_ack_message(511, result, 0, 0, system, component)
        return bytes(ack.pack(self.mav))

    def asked(self, since=0):
        return Counter(number for at, number in self.requests if at > since)


def test_everything_is_asked_for_once_and_then_left_alone():
    flight = Flight()
    flight.run(60)
    assert flight.asked() == Counter(WANTED.keys())
    assert flight.intervals == {n: wanted.interval_ms for n, wanted in WANTED.items()}
    assert flight.rates.short == {}
    assert flight.notes == []
    assert max(at for at, _ in flight.requests) < 4 * S


def test_few_distinct_intervals_are_used():
    assert len({wanted.interval_ms for wanted in WANTED.values()}) <= 4


def test_what_comes_as_often_or_more_often_is_not_asked_for():
    flight = Flight()
    flight.intervals = {n: min(wanted.interval_ms, 500) // 5 * 5 for n, wanted in WANTED.items()}
    flight.intervals[ATTITUDE] = 20
    flight.run(60)
    assert flight.requests == []


def test_a_restart_and_a_slower_tool_are_undone_within_seconds():
    flight = Flight()
    flight.run(10)
    before = flight.now
    flight.intervals[ATTITUDE] = 250  # a tool that wants 4 Hz
    flight.run(7)
    assert flight.asked(before) == {ATTITUDE: 1}
    before = flight.now
    flight.is_silent, flight.intervals = True, {}
    flight.run(10)
    assert flight.asked(before) == {}
    flight.is_silent = False
    flight.run(2 * WINDOW_NS / S)
    assert flight.asked(before) == Counter(WANTED.keys())
    assert flight.notes == []


def test_a_tool_that_insists_gets_no_more_than_one_request_a_window():
    flight = Flight()
    flight.run(10)
    before = flight.now
    for _ in range(300):
        flight.intervals[ATTITUDE] = 1000
        flight.run(0.2)
    assert flight.asked(before)[ATTITUDE] <= 60 * S / WINDOW_NS
    assert flight.asked(before).keys() == {ATTITUDE}


@pytest.mark.parametrize("result", [dialect.MAV_RESULT_DENIED, dialect.MAV_RESULT_UNSUPPORTED])
def test_a_refusal_is_said_and_respected(result):
    flight = Flight()
    flight.refused[FENCE] = result
    flight.run(120)
    assert 3 <= flight.asked()[FENCE] <= 1 + 120 * S / SELDOM_NS
    assert flight.notes == [
        f"FENCE_STATUS: 0.0 of 1 Hz, refused with result {result}",
        "1 messages of the autopilot are too rare",
    ]
    assert flight.said == ["1 messages of the autopilot are too rare"]
    assert flight.rates.short == {"FENCE_STATUS": 0.0}


def test_what_is_granted_and_has_nothing_to_say_is_for_the_log_only():
    flight = Flight()
    flight.absent.add(FENCE)
    flight.run(120)
    assert flight.asked()[FENCE] <= 3 + 120 * S / SELDOM_NS
    assert flight.notes == ["FENCE_STATUS: 0.0 of 1 Hz, granted: there is none to send"]
    assert flight.said == []
    flight.absent.clear()
    flight.run(10)
    assert flight.rates.short == {}


def test_an_autopilot_that_does_not_answer_is_asked_less_and_less():
    flight = Flight()
    flight.answers = False
    flight.run(600)
    assert max(flight.asked().values()) <= 4 + 600 * S / SELDOM_NS
    assert flight.said == [f"{len(WANTED)} messages of the autopilot are too rare"]
    gaps = [b - a for (a, _), (b, _) in zip(flight.requests, flight.requests[1:], strict=False)]
    assert min(gaps) >= 300 * MS


def test_after_a_restart_what_was_given_up_is_asked_for_again():
    flight = Flight()
    flight.refused = dict.fromkeys(WANTED, 3)
    flight.run(20)
    flight.refused, flight.is_silent = {}, True
    flight.run(8)
    flight.is_silent = False
    flight.run(7)
    assert flight.rates.short == {}


def test_answers_to_others_are_not_ours():
    flight = Flight()
    flight.answers = False
    flight.run(2.6)
    asked = len(flight.requests)
    for system, component in ((255, 190), (1, 0), (0, 191), (1, 190)):
        flight.give(flight.ack(0, system, component))
        flight.obey()
    other = dialect.MAVLink_command_ack_message(400, 0, 0, 0, 1, 191)
    flight.give(bytes(other.pack(flight.mav)))
    flight.obey()
    assert len(flight.requests) == asked
    flight.give(flight.ack(0, 1, 191))
    flight.obey()
    assert len(flight.requests) == asked + 1


def test_nothing_is_asked_of_nobody():
    flight = Flight()
    flight.is_silent = True
    flight.run(60)
    assert flight.rates.deadline_ns() is None
    flight.is_silent = False
    flight.run(5)
    assert flight.requests
    flight.rates.forget()
    assert flight.rates.deadline_ns() is None
