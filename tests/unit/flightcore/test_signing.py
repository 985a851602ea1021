"""Signing on the autopilot's line, with pymavlink and the simulator's own signing as referees.

Mutants killed: state changed before the signature is checked; a new stream taken whatever its time;
the floor on disk resumed without its margin; the wall clock allowed to move the start back; no
challenge to a genuine frame with an old time; an autopilot's far future followed without a bound;
the key in force kept after the offered one has been seen; a signature from the ground left on.
"""

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from flightcore.autopilot import Autopilot
from flightcore.signing import (
    LATEST,
    LINK_ID,
    MARGIN,
    SAVE_INTERVAL_NS,
    TICK_NS,
    BadSignature,
    Signing,
    SigningFloor,
    SigningKeys,
    SigningState,
    first_timestamp,
    stripped,
    timestamp_of,
)
from sim.autopilot.signing import LineSigning
from wire.mavlink import FrameSplitter, is_valid_frame

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
S = 10**9
NOW = 1_790_000_000 * S  # a wall clock that has been set
FIRST = timestamp_of(NOW)


def pack(message, sysid=1, compid=1, seq=0):
    mav = dialect.MAVLink(None, srcSystem=sysid, srcComponent=compid)
    mav.seq = seq
    return bytes(message.pack(mav))


HEARTBEAT = pack(dialect.MAVLink_heartbeat_message(2, 3, 81, 0, 3, 3))
SETUP = pack(dialect.MAVLink_setup_signing_message(1, 1, KEY, 5))
COMMAND = pack(dialect.MAVLink_command_long_message(1, 1, 400, 0, 1, 0, 0, 0, 0, 0, 0), 255, 190)


def on(first=FIRST, key=KEY):
    return Signing(SigningKeys(key=key), first, 0)


def pymavlink(key=KEY, timestamp=0, link_id=0, sysid=1, compid=1):
    mav = dialect.MAVLink(None, srcSystem=sysid, srcComponent=compid)
    mav.signing.secret_key, mav.signing.sign_outgoing = key, True
    mav.signing.timestamp, mav.signing.link_id = timestamp, link_id
    return mav


def signed(timestamp, key=KEY, frame=HEARTBEAT, link_id=1):
    referee = LineSigning((key, 0))
    referee.timestamp, referee._link_id = timestamp, link_id
    return referee.sign(frame)


def test_pymavlink_accepts_what_is_signed_here():
    signing, referee = on(), pymavlink(timestamp=FIRST)
    for seq in range(300):
        frame = pack(dialect.MAVLink_named_value_int_message(seq, b"n", -seq), 255, 190, seq % 256)
        sent = signing.sign(frame, seq * 10)
        assert is_valid_frame(sent)
        assert sent[-13] == LINK_ID
        assert referee.decode(bytearray(sent)).value == -seq
        with pytest.raises(dialect.MAVError):
            pymavlink(OTHER_KEY, FIRST).decode(bytearray(sent))
    assert referee.signing.timestamp == FIRST + 300


def test_what_pymavlink_signs_is_accepted_and_loses_its_signature():
    signing, referee = on(), pymavlink(timestamp=FIRST)
    for seq in range(300):
        message = dialect.MAVLink_named_value_int_message(seq, b"n", -seq)
        sent = bytes(message.pack(referee))
        assert signing.receive([sent], 0) == [pack(message, seq=0)]
        assert signing.receive([sent], 0) == []  # only once
    assert signing.verified == 300
    assert signing.dropped == {BadSignature.OLD: 300}


def test_unsigned_and_mavlink_1_are_refused_and_counted():
    autopilot = Autopilot(on())
    mavlink_1 = dialect.MAVLink(None, srcSystem=1, srcComponent=1)
    old = bytes(dialect.MAVLink_heartbeat_message(2, 3, 81, 0, 3, 3).pack(mavlink_1, True))
    assert old[0] == 0xFE
    radio = pack(dialect.MAVLink_radio_status_message(1, 1, 1, 1, 1, 1, 1))
    assert autopilot.receive(HEARTBEAT + old + radio, 0) == []
    assert autopilot.sysid is None
    assert autopilot.splitter.dropped == {"mavlink1": 1}
    assert autopilot.signing.dropped == {"unsigned": 2}
    assert autopilot.notices() == ["Unsigned frames of the autopilot are refused"]
    autopilot.receive(HEARTBEAT, 0)
    assert autopilot.notices() == []


def test_a_forged_frame_of_the_latest_time_locks_nobody_out():
    signing = on()
    assert signing.receive([signed(FIRST)], 0)
    forged = [signed((1 << 48) - 1, OTHER_KEY), signed((1 << 48) - 1)[:-1] + b"?"]
    assert signing.receive(forged, 0) == []
    assert signing.dropped == {"bad_signature": 2}
    assert signing.receive([signed(FIRST + 1)], 0) == [HEARTBEAT]
    assert int.from_bytes(signing.sign(COMMAND, 0)[-12:-6], "little") < FIRST + 100


@pytest.mark.parametrize("has_clock", [True, False])
@pytest.mark.parametrize("after_s", [0, 1, 29, 30, 59, 61, 3600])
def test_a_recording_is_nothing_to_a_receiver_that_was_restarted(has_clock, after_s):
    """Also 30 s later, and without a clock: there it was accepted by others."""
    autopilot, before = LineSigning((KEY, FIRST)), on()
    disk = SigningFloor(timestamp=FIRST)
    recorded = []
    for at_s in range(100):
        autopilot.accept(before.sign(COMMAND, at_s * S))
        recorded.append(autopilot.sign(HEARTBEAT))
        assert before.receive(recorded[-1:], at_s * S)
        before.tick(at_s * S)
        disk = next((s for s in before.to_save()), disk)
    clock = NOW + (100 + after_s) * S if has_clock else 0
    after = on(first_timestamp(disk, clock))
    for frame in recorded:
        assert after.receive([frame], 0) == []
    assert after.dropped == {"old_signature": 100}


def test_a_restarted_companion_and_its_autopilot_find_each_other_at_once():
    autopilot, before = LineSigning((KEY, FIRST)), on()
    for at_s in range(100):
        assert autopilot.accept(before.sign(COMMAND, at_s * S))
        assert before.receive([autopilot.sign(HEARTBEAT)], at_s * S)
        before.tick(at_s * S)
    (*_, floor) = before.to_save()
    after = Autopilot(on(first_timestamp(floor, 0)))
    assert after.receive(autopilot.sign(HEARTBEAT), 0) == []
    (request,) = after.challenges(0)
    assert after.challenges(0) == []
    assert autopilot.accept(request)
    question = dialect.MAVLink(None).decode(bytearray(stripped(request)))
    assert (question.command, question.param1) == (dialect.MAV_CMD_REQUEST_MESSAGE, 0)
    assert (question.get_srcSystem(), question.get_srcComponent()) == (1, 191)
    assert after.receive(autopilot.sign(HEARTBEAT), 0) == [HEARTBEAT]


def test_challenges_are_few_however_many_recordings_come():
    autopilot = Autopilot(on())
    asked = 0
    for at_ms in range(1000):
        autopilot.receive(signed(FIRST - 1 - at_ms), at_ms * 10**6)
        asked += len(autopilot.challenges(at_ms * 10**6))
    assert asked == 5
    for at_ms in range(1000):
        autopilot.receive(signed(FIRST - 1 - at_ms, OTHER_KEY), at_ms * 10**6 + S)
        assert autopilot.challenges(at_ms * 10**6 + S) == []


def test_an_autopilot_that_restarts_is_believed_and_believes():
    """Restarted before it stored its time it repeats itself: then it takes ours."""
    autopilot, companion, repeats = LineSigning((KEY, FIRST)), Autopilot(on()), 0
    for at_s in range(0, 3600, 7):
        assert all(map(autopilot.accept, companion.signed([COMMAND], at_s * S)))
        assert companion.receive(autopilot.sign(HEARTBEAT), at_s * S)
        autopilot.step(at_s * S)
        if at_s % 5 == 0:
            autopilot = LineSigning(autopilot.stored)
            if not companion.receive(autopilot.sign(HEARTBEAT), at_s * S):
                repeats += 1
                assert all(map(autopilot.accept, companion.challenges(at_s * S)))
                assert companion.receive(autopilot.sign(HEARTBEAT), at_s * S)
    assert repeats == 1


def test_a_companion_that_lost_its_time_catches_up_with_the_autopilot():
    """The disk was rolled back by a year and there is no clock."""
    autopilot = LineSigning((KEY, FIRST))
    assert autopilot.accept(on().sign(COMMAND, 0))
    signing = on(first_timestamp(SigningFloor(timestamp=1000), 0))
    assert not autopilot.accept(signing.sign(COMMAND, 0))
    assert signing.receive([autopilot.sign(HEARTBEAT)], 0)
    assert autopilot.accept(signing.sign(COMMAND, 0))


def test_nobody_is_followed_to_the_end_of_time():
    signing = on()
    assert signing.receive([signed((1 << 48) - 1)], 0) == [HEARTBEAT]  # it is genuine
    sent = int.from_bytes(signing.sign(COMMAND, 0)[-12:-6], "little")
    assert sent == LATEST + 1


def test_time_is_written_twice_a_minute_and_soon_after_a_jump():
    signing = on()
    assert signing.deadline_ns() == SAVE_INTERVAL_NS
    signing.tick(SAVE_INTERVAL_NS)
    signing.tick(SAVE_INTERVAL_NS + 1)
    assert signing.to_save() == [SigningFloor(timestamp=FIRST + SAVE_INTERVAL_NS // TICK_NS)]
    signing.tick(2 * SAVE_INTERVAL_NS)
    assert signing.to_save() == [SigningFloor(timestamp=FIRST + 60 * S // TICK_NS)]
    jumped = signed(FIRST + 100 * MARGIN)
    assert signing.receive([jumped], 61 * S)
    assert signing.deadline_ns() == 61 * S
    signing.tick(61 * S)
    (floor,) = signing.to_save()
    assert floor.timestamp == FIRST + 100 * MARGIN
    signing.not_saved(floor, 62 * S)
    assert signing.deadline_ns() == 63 * S
    signing.tick(63 * S)
    assert signing.to_save() == [floor]


def test_the_wall_clock_moves_the_start_forward_only():
    floor = SigningFloor(timestamp=FIRST)
    assert first_timestamp(floor, 0) == FIRST + MARGIN
    assert first_timestamp(floor, NOW - 10**6 * S) == FIRST + MARGIN
    assert first_timestamp(floor, NOW + 10**6 * S) == FIRST + 10**6 * S // TICK_NS
    assert first_timestamp(None, 0) == 1
    assert first_timestamp(None, 1_500_000_000 * S) == 1  # nobody has set it
    assert first_timestamp(None, 10**11 * S) == 1  # in the year 5138
    assert first_timestamp(SigningFloor(timestamp=(1 << 48) - 1), 0) == LATEST


def test_a_key_that_was_offered_holds_once_the_autopilot_signs_with_it():
    signing = Signing(SigningKeys(offered=KEY), FIRST, 0)
    assert signing.state is SigningState.OFFERED
    assert signing.receive([HEARTBEAT], 0) == [HEARTBEAT]
    assert signing.sign(COMMAND, 0) == COMMAND
    assert signing.receive([signed(FIRST - 9)], 0) == []  # genuine, and a recording perhaps
    assert signing.to_save() == [SigningKeys(key=KEY)]
    assert signing.state is SigningState.ON
    assert signing.receive([HEARTBEAT], 0) == []
    assert pymavlink(timestamp=FIRST).decode(bytearray(signing.sign(COMMAND, 0)))


def test_an_unfinished_change_of_key_ends_with_the_one_the_autopilot_has():
    for taken in (False, True):
        signing = Signing(SigningKeys(key=KEY, offered=OTHER_KEY), FIRST, 0)
        assert signing.receive([signed(FIRST, OTHER_KEY if taken else KEY)], 0) == [HEARTBEAT]
        assert signing.to_save() == ([SigningKeys(key=OTHER_KEY)] if taken else [])
        used = OTHER_KEY if taken else KEY
        assert pymavlink(used, FIRST).decode(bytearray(signing.sign(COMMAND, 0)))
        assert bool(signing.receive([signed(FIRST + 1)], 0)) is not taken


def test_without_keys_signatures_are_taken_off_and_said():
    autopilot = Autopilot()
    assert autopilot.receive(signed(5) + signed(4), 0) == [HEARTBEAT] * 2
    assert autopilot.notices() == ["Autopilot signs, and no key for it is here"]
    assert autopilot.signing.state is SigningState.OFF
    assert autopilot.signed([signed(9, OTHER_KEY, COMMAND)], 0) == [COMMAND]


def test_what_the_ground_signed_is_signed_anew():
    sent = on().sign(signed(FIRST * 2, OTHER_KEY, COMMAND), 0)
    assert stripped(sent) == COMMAND
    assert pymavlink(timestamp=FIRST).decode(bytearray(sent)).get_srcSystem() == 255


def test_a_key_on_the_line_is_for_nobody():
    autopilot = Autopilot()
    assert autopilot.receive(HEARTBEAT + SETUP + HEARTBEAT, 0) == [HEARTBEAT] * 2
    assert autopilot.dropped == {"setup_signing": 1}
    assert repr(SigningKeys(key=KEY)) == "SigningKeys(...)"


@pytest.mark.parametrize("key", [None, b"", bytes(31), bytes(33)])
def test_keys_of_the_wrong_length_are_refused(key):
    with pytest.raises(ValueError, match="key"):
        SigningKeys(key=key)


def test_more_streams_than_there_can_be_are_refused():
    signing = on()
    taken = [signing.receive([signed(FIRST, link_id=n)], 0) for n in range(100)]
    assert sum(map(bool, taken)) == 32
    assert signing.receive([signed(FIRST + 1, link_id=31)], 0)


def test_a_stream_that_was_never_met_may_be_a_minute_behind_and_no_more():
    signing = on()
    newest = FIRST + 10 * MARGIN
    assert signing.receive([signed(newest)], 0)
    signing.sign(COMMAND, 3600 * S)  # our own time is not the measure: theirs may stand still
    assert not signing.receive([signed(newest - MARGIN - 1, link_id=2)], 0)
    assert signing.receive([signed(newest - MARGIN, link_id=2)], 0)


def test_a_splitter_takes_signed_streams_apart():
    data = b"".join(signed(FIRST + n) for n in range(50))
    frames = FrameSplitter().receive(b"\xfd\x09noise" + data)
    assert on().receive(frames, 0) == [HEARTBEAT] * 50
