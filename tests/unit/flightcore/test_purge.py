"""After landing, what says where the vehicle was to go is cleared: once, never while armed (R40).

Mutants that died here: cleared after any disarming; cleared while armed; never given up; an answer
to someone else taken for ours; the first answer taken for all three; a short message raising.
"""

import dataclasses

import pytest
from fastcrc.crc16 import mcrf4xx
from pymavlink.dialects.v20 import ardupilotmega as dialect

from flightcore.companion import Companion
from flightcore.options import DEFAULT_OPTIONS
from flightcore.purge import ANSWER_NS, MAX_TRIES
from wire.mavlink import CRC_EXTRA, FrameSplitter

S = 10**9
PURGES = dataclasses.replace(DEFAULT_OPTIONS, purges=True)
MAV = dialect.MAVLink(None, srcSystem=1, srcComponent=1)
ACTIVE, STANDBY = dialect.MAV_STATE_ACTIVE, dialect.MAV_STATE_STANDBY
CLEAR = dialect.MAVLINK_MSG_ID_MISSION_CLEAR_ALL


def heartbeat(*, armed, status):
    mode = 1 | (128 if armed else 0)
    return bytes(dialect.MAVLink_heartbeat_message(2, 3, mode, 0, status, 3).pack(MAV))


def ack(kind, result=0, component=191):
    return bytes(dialect.MAVLink_mission_ack_message(1, component, result, kind).pack(MAV))


class Aboard:
    """A companion with the test in the autopilot's place."""

    def __init__(self, random_bytes, options=PURGES):
        self.now = S
        self.companion = Companion([], 1, random_bytes, options=options)
        self.splitter = FrameSplitter()

    def hears(self, *frames, after=0):
        """Return which kinds the companion asks the autopilot to clear."""
        self.now += after
        self.companion.receive_line(b"".join(frames), self.now)
        self.companion.tick(self.now)
        written = self.splitter.receive(self.companion.outgoing_line())
        messages = [MAV.decode(bytearray(frame)) for frame in written]
        return [m.mission_type for m in messages if m.get_msgId() == CLEAR]

    def flies(self):
        asked = self.hears(heartbeat(armed=True, status=STANDBY))
        asked += self.hears(heartbeat(armed=True, status=ACTIVE), after=S)
        return asked + self.hears(heartbeat(armed=True, status=STANDBY), after=S)

    def notes(self):
        return [note for note in self.companion.outgoing_notes() if "purge" in note]


@pytest.fixture
def aboard(random_bytes):
    return Aboard(random_bytes)


DISARMED = heartbeat(armed=False, status=STANDBY)


def test_cleared_after_landing_and_once(aboard):
    assert aboard.flies() == []
    assert aboard.hears(DISARMED, after=S) == [0, 1, 2]
    assert aboard.hears(ack(0), ack(1), ack(2, result=dialect.MAV_MISSION_UNSUPPORTED)) == []
    assert aboard.notes() == ["purge: mission, fence and rally points gone"]
    assert aboard.hears(DISARMED, after=5 * S) == []


def test_asked_again_for_what_was_not_answered_and_not_for_ever(aboard):
    aboard.flies()
    aboard.hears(DISARMED, after=S)
    # To somebody else, about something else, or a refusal: no answer.
    assert aboard.hears(ack(0, component=190), ack(1), ack(2, result=1)) == []
    asked = [aboard.hears(after=ANSWER_NS) for _ in range(MAX_TRIES + 3)]
    assert asked == [[0, 2]] * (MAX_TRIES - 1) + [[]] * 4
    assert aboard.notes() == ["purge: mission not cleared", "purge: rally points not cleared"]


def test_never_while_armed(aboard):
    aboard.flies()
    aboard.hears(DISARMED, after=S)
    assert aboard.hears(heartbeat(armed=True, status=STANDBY), after=S) == []
    assert aboard.hears(after=S) == []


def test_not_without_a_flight_and_not_unless_chosen(random_bytes):
    aboard = Aboard(random_bytes)
    aboard.hears(heartbeat(armed=True, status=STANDBY))
    assert aboard.hears(DISARMED, after=S) == []
    other = Aboard(random_bytes, DEFAULT_OPTIONS)
    assert other.flies() + other.hears(DISARMED, after=S) == []


def test_a_lost_line_ends_it(aboard):
    aboard.flies()
    aboard.hears(DISARMED, after=S)
    aboard.companion.line_lost()
    assert aboard.hears(after=ANSWER_NS) == []


def test_short_messages_do_no_harm(aboard):
    for number in (dialect.MAVLINK_MSG_ID_MISSION_ACK,):
        covered = bytes((1, 0, 0, 0, 1, 1)) + number.to_bytes(3, "little") + b"\1"
        checksum = mcrf4xx(covered + CRC_EXTRA[number])
        aboard.hears(DISARMED, b"\xfd" + covered + checksum.to_bytes(2, "little"))
