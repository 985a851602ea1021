"""What an operator is shown before confirming: what came, in words, whatever a drone sends.

Mutants killed: text of a frame goes to the terminal as it came; what cannot be shown can be
confirmed; whose claim it is is not said.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from groundstation.operation import describe
from tests.world import command
from wire.authority import NOBODY, Request, Verb
from wire.records import AUTHORITY, encode_record


def parameter_set(name):
    mav = dialect.MAVLink(None, srcSystem=255, srcComponent=190)
    return bytes(dialect.MAVLink_param_set_message(1, 1, name, 1.5, 9).pack(mav))


def test_what_is_shown():
    shown = describe(command(400, 0, 21196))
    assert shown.startswith("MAV_CMD_COMPONENT_ARM_DISARM, 400 (COMMAND_LONG): target_system 1")
    assert "param1 0.0, param2 21196.0, param3 0.0" in shown
    assert "param_id FENCE_ENABLE, param_value 1.5" in describe(parameter_set(b"FENCE_ENABLE"))
    claim = encode_record(AUTHORITY, Request(Verb.CLAIM, 1, NOBODY).encode())
    assert describe(claim) == "claim"
    offer = encode_record(AUTHORITY, Request(Verb.HAND_OVER, 1, b"\xab" * 16).encode())
    assert describe(offer) == "hand over, station " + "ab" * 16


@pytest.mark.parametrize(
    "name", [b"FS_\x1b[2K\rok", b"FS_\nConfirm", b"FS_\xc2\x9b1m", b"FS_\x07\x08"]
)
def test_text_of_a_frame_cannot_steer_the_terminal(name):
    shown = describe(parameter_set(name))
    assert "FS_" in shown
    assert shown.isprintable()


@pytest.mark.parametrize(
    "operation", [b"", b"\xfd", b"\x10\x12", command(400)[:-1], command(400)[:20], bytes(60)]
)
def test_what_cannot_be_shown_cannot_be_confirmed(operation):
    assert describe(operation) is None


@given(st.binary(max_size=60).map(lambda tail: command(400)[:10] + tail) | st.binary(max_size=190))
def test_any_bytes(operation):
    shown = describe(operation)
    assert shown is None or shown.isprintable()
