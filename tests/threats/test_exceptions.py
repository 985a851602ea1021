"""What peers, lines and tools may send, and what must not raise out of a core because of it.

Mutants killed: an operation of any length is challenged; the armed bit is read without asking
whether it came; a challenge is sent to a station that has been shut out since.
"""

import dataclasses

import pytest
from fastcrc.crc16 import mcrf4xx

from crypto.pair import Role
from flightcore.options import DEFAULT_OPTIONS
from flightcore.policy import BUILT_IN, Policy
from flightcore.policy.override import Change, overridden
from flightcore.policy.rows import Does
from tests.world import World, command
from wire.authority import Request, Verb
from wire.locality import RADIO, UDP
from wire.mavlink import CRC_EXTRA, message_id
from wire.records import AUTHORITY, encode_record

RTL = command(20)
FORCE_DISARM = command(400, 0, 21196)
ASKED = Change(verdict=Does.TWO_STEP, freshness="transfer")
WRITE = bytes((0xFD, 254, 0, 0, 0, 255, 190, 110, 0, 0, 0, 1, 1, 0, 0, 0, 7))
DUAL = dataclasses.replace(DEFAULT_OPTIONS, dual_control=True)


def with_payload(frame, size):
    """Return the frame with its payload cut, or filled up with ones, to a size; checksum good."""
    payload = frame[10 : 10 + min(frame[1], size)].ljust(size, b"\1")
    header = bytes((0xFD, size)) + frame[2:10]
    checksum = mcrf4xx(header[1:] + payload + CRC_EXTRA[message_id(frame)])
    return header + payload + checksum.to_bytes(2, "little")


@pytest.mark.parametrize("way", [UDP, RADIO])
@pytest.mark.parametrize("size", [33, 34, 178, 179, 180, 190, 235, 236, 255])
def test_a_frame_longer_than_its_message(random_bytes, way, size):
    """Nobody has judged what is in the fields that are not known here."""
    world = World(random_bytes, paths=(way,))
    world.run(3000)
    world.station().send([with_payload(FORCE_DISARM, size)], world.now)
    world.run(500)
    assert world.line == []
    is_asked = world.station().command.challenge(world.now) is not None
    assert is_asked == (size == 33)
    assert world.executes(RTL, ms=500)


WRITES_ARE_ASKED = dataclasses.replace(
    DEFAULT_OPTIONS,
    policy=Policy(overridden(BUILT_IN.table, {"file": {"WriteFile": ASKED}})),
)


@pytest.mark.parametrize("way", [UDP, RADIO])
@pytest.mark.parametrize("size", [178, 179, 180, 190, 235, 236, 254])
def test_a_frame_too_long_to_be_asked_back(random_bytes, way, size):
    world = World(random_bytes, paths=(way,), options=WRITES_ARE_ASKED)
    world.run(3000)
    world.station().send([with_payload(WRITE, size)], world.now)
    world.run(500)
    assert world.line == []
    is_asked = world.station().command.challenge(world.now) is not None
    assert is_asked == (size <= 178)
    assert world.executes(RTL, ms=500)


@pytest.mark.parametrize("size", [1, 6, 7, 9])
def test_a_heartbeat_whose_last_bytes_are_zero_and_not_sent(random_bytes, size):
    world = World(random_bytes)
    world.run(3000)
    heartbeat = bytes((0xFD, 9, 0, 0, 0, 1, 1, 0, 0, 0)) + bytes(11)
    world.companion.receive_line(with_payload(heartbeat, size), world.now)
    world.run(500)
    assert world.grounds["a"].tools.count(with_payload(heartbeat, size)) == 1
    assert world.executes(RTL)


@pytest.mark.parametrize("way", [UDP, RADIO])
def test_a_station_shut_out_by_the_datagram_that_asks_it(random_bytes, way):
    """Under dual control both get the challenge; the same datagram suspends one of them."""
    roles = {"s": Role.SUPERVISOR, "b": Role.COMMANDER}
    world = World(random_bytes, roles, options=DUAL, paths=(way,))
    world.up = lambda name, datagram, path: [datagram] if name == "s" else []
    world.run(2000)
    world.up = lambda name, datagram, path: [datagram]
    world.run(2000)
    suspend = Request(Verb.SUSPEND, 1, world.grounds["b"].disk.gcs_id).encode()
    records = FORCE_DISARM + encode_record(AUTHORITY, suspend)
    world.receive_up("s", world.station("s")._link.seal(records, world.now), way)
    world.run(1000)
    assert list(world.companion.stations) == ["s"]
    assert world.station("s").command.challenge(world.now)
    assert world.executes(RTL, "s", ms=500)
