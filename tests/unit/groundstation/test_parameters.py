"""Reading and writing parameters, over links that lose a third of everything.

Mutants killed: a file with a piece missing is taken; a late answer to another request is taken; the
list ends with one missing; a write is done when it was announced; the old value ends a write; a
write goes on after nobody is present; half of a batch is begun when one of it cannot be; a damaged
file raises; a default is the value of the parameter before; the old value ends one asked back.
"""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from groundstation.parameters.aboard import ParametersAboard
from groundstation.parameters.message import Parameters
from groundstation.parameters.packed import PackedError, parse_untrusted
from groundstation.parameters.table import as_sent, shown, why_not
from sim.autopilot.ftp import packed_parameters
from sim.autopilot.parameters import Parameters as Table
from tests.unit.groundstation.parameter_link import Far, pack

NAME = "tsubame-1"


def ask(aboard, far, do, **more):
    why, told = aboard.ask(Parameters(1, NAME, 0, do, **more), 1, far.now)
    return why, told


def read(far, seconds=120):
    aboard = ParametersAboard(NAME)
    assert ask(aboard, far, "read") == ("", [])
    took = far.run(aboard, seconds, lambda: not aboard.is_reading)
    return aboard, took


def values(aboard):
    return {name: parameter.value for name, parameter in aboard.table.items()}


def aboard_of(far):
    return {name: value for name, value, _ in far.table}


@pytest.fixture
def table():
    far = Far()
    aboard, took = read(far)
    assert took < 3
    return aboard, far


def test_the_whole_table_with_its_defaults(table):
    _, far = table
    far.table.store("RTL_ALT", 4000)
    again, _ = read(far)
    assert values(again) == aboard_of(far)
    changed = {name for name, each in again.table.items() if each.is_changed}
    assert changed == {"RTL_ALT"}
    assert again.table["RTL_ALT"].default == far.table.default("RTL_ALT")
    assert again.shown()["said"] == "as a file"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("delay_ms", [0, 30, 400])
def test_a_third_lost_as_a_file(seed, delay_ms):
    far = Far(seed, loss=0.3, delay_ns=delay_ms * 1_000_000)
    aboard, _ = read(far)
    assert values(aboard) == aboard_of(far)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_third_lost_one_by_one(seed):
    far = Far(seed, loss=0.3, delay_ns=20_000_000, has_files=False)
    aboard, _ = read(far)
    assert values(aboard) == aboard_of(far)
    assert aboard.shown()["said"] == "one by one, without defaults"


def test_a_file_that_is_left_open_is_closed_first(table):
    _, far = table
    other = ParametersAboard("other")
    ask(other, far, "read")
    far.run(other, 10, lambda: other.shown()["reading"][1] > 0)  # and then it is gone
    aboard, _ = read(far)
    assert values(aboard) == aboard_of(far)
    assert aboard.shown()["said"] == "as a file"


def test_what_another_program_reads_is_not_taken():
    """QGroundControl calls itself as the console does; its answers come here as well."""
    far = Far(loss=0.3, seed=5)
    other = dialect.MAVLink(None, 1, 1)

    def disturb():
        false = struct.pack("<HBBBBBBI", 60_000, 0, 128, 239, 5, 0, 0, 239 * disturb.piece)
        disturb.piece = (disturb.piece + 1) % 100
        payload = list((false + b"?" * 239).ljust(251, b"\0"))
        message = dialect.MAVLink_file_transfer_protocol_message(0, 255, 190, payload)
        aboard.receive(bytes(message.pack(other)), far.now)

    disturb.piece = 0
    aboard = ParametersAboard(NAME)
    ask(aboard, far, "read")
    far.run(aboard, 60, lambda: not aboard.is_reading, disturb)
    assert aboard.shown()["said"] == "as a file"
    assert values(aboard) == aboard_of(far)


def test_a_silent_drone_leaves_the_table_as_it_was(table):
    aboard, far = table
    before = dict(aboard.table)
    far.loss = 1.0
    ask(aboard, far, "read")
    far.run(aboard, 60, lambda: not aboard.is_reading)
    assert aboard.table == before
    assert "then no answer" in aboard.shown()["said"]


def write(aboard, far, changes, seconds=60, operation=None):
    assert ask(aboard, far, "write", changes=changes) == ("", [])
    far.run(aboard, seconds, lambda: not aboard.is_writing, operation)
    return [(name, outcome, why) for name, _, _, outcome, why in aboard.shown()["writes"]]


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_writes_are_read_back(table, loss):
    aboard, far = table
    far.loss = loss
    wanted = {"RTL_ALT": 4000.0, "WPNAV_SPEED": 712.5, "ATC_RAT_RLL_P": 0.1}
    assert write(aboard, far, wanted) == [(name, "written", "") for name in wanted]
    for name, value in wanted.items():
        assert aboard_of(far)[name] == aboard.table[name].value == as_sent(value)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (dialect.MAV_PARAM_ERROR_PERMISSION_DENIED, "the drone's policy does not allow it now"),
        (dialect.MAV_PARAM_ERROR_VALUE_OUT_OF_RANGE, "out of range"),
        (77, "error 77"),
        (None, "no answer"),
    ],
)
def test_a_refusal_is_told_and_the_next_goes_on(table, error, why):
    aboard, far = table
    far.refused["RTL_ALT"] = error
    old = aboard_of(far)["RTL_ALT"]
    assert write(aboard, far, {"RTL_ALT": 4000.0, "WPNAV_SPEED": 700.0}) == [
        ("RTL_ALT", "refused", why),
        ("WPNAV_SPEED", "written", ""),
    ]
    assert aboard.table["RTL_ALT"].value == old


def test_what_the_vehicle_keeps_for_itself_is_no_success(table):
    aboard, far = table
    name = next(name for name in aboard.table if name.endswith("_DEVID"))
    value = aboard.table[name].value
    assert write(aboard, far, {name: value + 1})[0][1:] == ("refused", f"it is still {value:g}")


def test_a_value_that_does_not_last_is_no_success(table):
    aboard, far = table

    def undo():
        if aboard.shown()["writes"][0][3] == "reading back":
            far.table.store("RTL_ALT", 1500)

    assert write(aboard, far, {"RTL_ALT": 4000.0}, operation=undo) == [
        ("RTL_ALT", "refused", "read back as 1500")
    ]


def test_the_old_value_on_its_way_is_no_answer(table):
    aboard, far = table
    ask(aboard, far, "write", changes={"RTL_ALT": 4000.0})
    aboard.outgoing(1, None, far.now, pack)
    aboard.receive(bytes(far.table.message("RTL_ALT").pack(dialect.MAVLink(None, 1, 1))), far.now)
    assert aboard.shown()["writes"][0][3] == "sent"


@pytest.mark.parametrize("says_yes", [True, False, None])
def test_one_that_is_asked_back_waits_for_the_operator(table, says_yes):
    aboard, far = table
    far.refused["FS_GCS_ENABLE"] = None  # until it is confirmed
    ask(aboard, far, "write", changes={"FS_GCS_ENABLE": 2.0, "RTL_ALT": 4000.0})
    (frame,) = aboard.outgoing(1, None, far.now, pack)
    assert aboard.is_asked_for(frame)
    until = far.now + 8_000_000_000
    far.run(aboard, 20, lambda: far.now >= until, lambda: frame)
    assert [each[3] for each in aboard.shown()["writes"]] == ["asked back", "waiting"]
    if says_yes is None:  # the drone itself says that the time is over
        denied = dialect.MAV_PARAM_ERROR_PERMISSION_DENIED
        far.answer(dialect.MAVLink_param_error_message(255, 190, b"FS_GCS_ENABLE", -1, denied))
    if says_yes:
        del far.refused["FS_GCS_ENABLE"]
        far.table.store("FS_GCS_ENABLE", 2)
        far.answer(far.table.message("FS_GCS_ENABLE"))
    far.run(aboard, 20, lambda: not aboard.is_writing)
    first, second = aboard.shown()["writes"]
    assert first[3:] == (("written", "") if says_yes else ("refused", "not confirmed in time"))
    assert second[3] == "written"


def test_what_was_confirmed_in_the_last_moment_is_not_called_refused(table):
    """The line is slow: question and first reading find the old value, the news gets lost."""
    aboard, far = table
    far.refused["FS_GCS_ENABLE"] = None
    ask(aboard, far, "write", changes={"FS_GCS_ENABLE": 2.0})
    (frame,) = aboard.outgoing(1, None, far.now, pack)
    until = far.now + 1_000_000_000
    far.run(aboard, 20, lambda: far.now >= until, lambda: frame)
    until = far.now + 4_000_000_000
    far.run(aboard, 20, lambda: far.now >= until)
    assert aboard.shown()["writes"][0][3] == "reading back"
    far.table.store("FS_GCS_ENABLE", 2)
    far.run(aboard, 20, lambda: not aboard.is_writing)
    assert aboard.shown()["writes"][0][3:] == ("written", "")
    assert aboard.table["FS_GCS_ENABLE"].value == 2


def test_what_is_not_done_when_nobody_may_send_is_not_done_later(table):
    aboard, far = table
    ask(aboard, far, "write", changes={"RTL_ALT": 4000.0, "WPNAV_SPEED": 700.0})
    aboard.outgoing(1, None, far.now, pack)
    aboard.stop("the link is lost")
    assert not aboard.is_writing
    assert [each[3] for each in aboard.shown()["writes"]] == ["refused", "not sent"]
    assert aboard.outgoing(1, None, far.now + 10**10, pack) == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"RTL_ALT": 4000.0, "NO_SUCH": 1.0}, "NO_SUCH: this drone has no such parameter"),
        ({"RTL_ALT": 4000.0, "FRAME_CLASS": 300.0}, "FRAME_CLASS = 300: out of range"),
        ({"FRAME_CLASS": 1.5}, "FRAME_CLASS = 1.5: no whole number"),
        ({"WPNAV_SPEED": float("nan")}, "no finite number"),
        ({}, "0 changes; allowed: 1 to 200 at a time"),
    ],
)
def test_all_of_a_batch_can_be_sent_or_none_is(table, changes, why):
    aboard, far = table
    assert why in ask(aboard, far, "write", changes=changes)[0]
    assert aboard.outgoing(1, None, far.now, pack) == []
    assert not aboard.is_writing


def test_what_others_set_is_followed(table):
    aboard, far = table
    far.table.store("RTL_ALT", 2222)
    far.answer(far.table.message("RTL_ALT"))
    before = aboard.version
    far.run(aboard, 1, lambda: aboard.version > before)
    assert aboard.table["RTL_ALT"].value == 2222


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_file_is_named_and_nothing_else(data):
    whole = packed_parameters(SMALL, with_defaults=data.draw(st.booleans()))
    hurt = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 3))):
        if hurt:
            hurt[data.draw(st.integers(0, len(hurt) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = parse_untrusted(bytes(hurt))
    except PackedError:
        return
    assert len(found) == struct.unpack_from("<H", hurt, 2)[0]


class Small(Table):
    def __init__(self):
        super().__init__()
        self.names = self.names[:40]
        self.store(self.names[7], 3)


SMALL = Small()


@given(st.booleans())
def test_a_file_is_what_was_packed(with_defaults):
    found = parse_untrusted(packed_parameters(SMALL, with_defaults=with_defaults))
    expected = [
        (name, value, kind, SMALL.default(name) if with_defaults else None)
        for name, value, kind in list(SMALL)[:40]
    ]
    assert [tuple(each) for each in found] == expected


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_value_is_shown_so_that_it_can_be_read_again(value):
    assert as_sent(float(shown(value))) == value


@pytest.mark.parametrize(
    ("value", "kind", "allowed"),
    [
        (127, 2, True),
        (128, 2, False),
        (-128, 2, True),
        (-129, 2, False),
        (32768, 4, False),
        (2**24, 6, True),
        (2**24 + 1, 6, False),
        (2.0**31, 6, False),
        (0.5, 9, True),
        (1e39, 9, False),
    ],
)
def test_what_a_kind_can_hold(value, kind, allowed):
    assert (why_not(value, kind) == "") == allowed
