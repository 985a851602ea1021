"""A signing key given to the simulator's own signing and taken away, on a clock that tests move.

Mutants killed: the finding comes before the answer to the challenge; an armed vehicle is offered a
key; the offer is signed with no key where the old one is in force; the change is believed without a
frame signed with the new key; a foreign key is taken for ours.
"""

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from flightcore.key_change import GIVE_UP_NS, NO_KEY, SILENT_NS, Found, KeyChange
from flightcore.signing import SigningKeys, timestamp_of
from sim.autopilot.signing import LineSigning
from wire.mavlink import FrameSplitter, message_id

MS, S = 10**6, 10**9
OLD, NEW, OTHER = bytes(range(32)), bytes(range(1, 33)), bytes(range(2, 34))
FIRST = timestamp_of(1_790_000_000 * S)


class Bench:
    """An autopilot that heeds SETUP_SIGNING as ArduPilot does on a port other than USB."""

    def __init__(self, keys=None, held=bytes(32), *, armed=False, usb=False):
        self.now = 0
        self.signing = LineSigning((held, FIRST))
        self.armed, self.usb, self.is_deaf, self.is_silent = armed, usb, False, False
        self.set_up = []
        self.mav = dialect.MAVLink(None, srcSystem=7, srcComponent=1)
        self.splitter = FrameSplitter()
        self.change = KeyChange(keys, FIRST, 0)

    def run(self, is_enough, seconds=20):
        until = self.now + seconds * S
        while not is_enough() and self.now < until:
            self.now += 20 * MS
            if self.now % S == 0:
                self.beat()
            self.change.tick(self.now)
            for frame in self.splitter.receive(self.change.outgoing()):
                self.heed(frame)
        return self.change

    def beat(self):
        if not self.is_silent:
            mode = 81 | 128 * self.armed
            beat = bytes(dialect.MAVLink_heartbeat_message(2, 3, mode, 0, 3, 3).pack(self.mav))
            self.change.receive(self.signing.sign(beat), self.now)

    def heed(self, frame):
        if self.is_deaf or not (self.signing.accept(frame) or self.usb):
            return
        message = dialect.MAVLink(None).decode(bytearray(frame))
        if message_id(frame) == dialect.MAVLINK_MSG_ID_SETUP_SIGNING:
            assert not self.armed
            assert (message.get_srcSystem(), message.get_srcComponent()) == (7, 191)
            self.set_up.append(bytes(message.secret_key))
            self.signing.set_up(bytes(message.secret_key), message.initial_timestamp)
        else:
            self.beat()

    def find(self):
        return self.run(lambda: self.change.found is not None).found

    def offer(self, key):
        self.change.offer(key, self.now)
        return self.run(lambda: self.change.is_over).is_done


def test_a_first_key_is_taken():
    bench = Bench()
    assert bench.find() is Found.UNSIGNED
    assert bench.change.sysid == 7
    assert bench.offer(NEW)
    assert bench.signing.stored[0] == NEW
    assert set(bench.set_up) == {NEW}


@pytest.mark.parametrize("keys", [SigningKeys(key=OLD), SigningKeys(key=OTHER, offered=OLD)])
def test_a_key_is_changed_under_the_one_in_force(keys):
    bench = Bench(keys, OLD)
    assert bench.find() is Found.OURS
    assert bench.change.key == OLD
    assert bench.offer(NEW)
    assert bench.signing.stored[0] == NEW
    after = Bench(SigningKeys(key=NEW), NEW)
    assert after.find() is Found.OURS


def test_a_key_is_taken_away():
    bench = Bench(SigningKeys(key=OLD), OLD)
    assert bench.find() is Found.OURS
    assert bench.offer(NO_KEY)
    assert not bench.signing.is_on
    assert bench.set_up == [NO_KEY]


def test_nothing_is_offered_to_an_armed_vehicle():
    bench = Bench(armed=True)
    assert bench.find() is Found.ARMED
    with pytest.raises(AssertionError):
        bench.change.offer(NEW, bench.now)
    late = Bench()
    late.find()
    late.armed = late.is_deaf = True
    began = late.now
    assert not late.offer(NEW)
    assert late.now - began <= S + 100 * MS  # the first heartbeat that says so ends it


def test_silence_is_no_autopilot():
    bench = Bench()
    bench.is_silent = True
    assert bench.find() is Found.SILENT
    assert bench.now <= SILENT_NS + S
    with pytest.raises(AssertionError):
        bench.change.offer(NEW, bench.now)


@pytest.mark.parametrize("keys", [None, SigningKeys(key=OTHER)])
def test_a_foreign_key_is_replaced_over_usb_only(keys):
    for usb in (False, True):
        bench = Bench(keys, OLD, usb=usb)
        assert bench.find() is Found.FOREIGN
        assert bench.change.key is None
        assert bench.offer(NEW) is usb
        assert bench.signing.stored[0] == (NEW if usb else OLD)
        assert bench.change.is_answered


def test_an_autopilot_that_lost_its_key_is_unsigned():
    bench = Bench(SigningKeys(key=OLD))
    assert bench.find() is Found.UNSIGNED
    assert bench.change.key is None
    assert bench.offer(NEW)


def test_an_offer_that_is_not_heeded_ends():
    bench = Bench()
    bench.find()
    bench.is_deaf = True
    began = bench.now
    assert not bench.offer(NEW)
    assert bench.change.is_answered
    assert bench.now - began <= GIVE_UP_NS + S
    mute = Bench()
    mute.find()
    mute.is_silent = True
    mute.change.offer(NEW, mute.now)
    mute.run(lambda: mute.change.is_over)
    assert not mute.change.is_answered
