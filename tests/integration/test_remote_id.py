"""With `prearm.remote_id` arming waits for the remote identification transmitter's word.

Mutants killed: not asked; a fault passes; a silence passes, or one of 3 s does not; another
vehicle's word is taken, another component's, an autopilot's is not; what was said outlives the
line; taken though nobody asks for it; unprintable letters reach the operator.
"""

import dataclasses

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from flightcore.options import DEFAULT_OPTIONS
from flightcore.prearm import PrearmOptions
from flightcore.remote_id import SILENT_NS, RemoteId
from tests.world import World, command

ARM, DISARM = command(400, 1), command(400, 0)
REQUIRED = dataclasses.replace(DEFAULT_OPTIONS, prearm=PrearmOptions(requires_remote_id=True))


def arm_status(fault=b"", sysid=1, compid=236):
    message = dialect.MAVLink_open_drone_id_arm_status_message(1 if fault else 0, fault)
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=sysid, srcComponent=compid)))


@pytest.fixture
def world(random_bytes):
    world = World(random_bytes, options=REQUIRED)
    world.run(3000)
    return world


def hear(world, frame):
    world.companion.receive_line(frame, world.now)


def refusals(world):
    messages = dialect.MAVLink(None).parse_buffer(bytearray(world.grounds["a"].tools)) or []
    return [message.text for message in messages if message.get_type() == "STATUSTEXT"]


def test_arming_waits_until_it_is_ready(world):
    assert not world.executes(ARM)
    assert refusals(world) == ["Refused: remote ID: not heard"]
    assert world.executes(DISARM)
    world.run(1000)  # the same reason is told once a second
    hear(world, arm_status(b"no operator location"))
    assert not world.executes(ARM)
    assert refusals(world)[-1] == "Refused: remote ID: no operator location"
    assert world.companion.status(world.now).prearm.hindrance == "remote ID: no operator location"
    hear(world, arm_status())
    assert world.executes(ARM)
    assert world.companion.status(world.now).prearm.open


@pytest.mark.parametrize("compid", [1, 236, 237, 238])
def test_who_may_say_it(world, compid):
    hear(world, arm_status(compid=compid))
    assert world.executes(ARM)


@pytest.mark.parametrize(("sysid", "compid"), [(2, 236), (1, 235), (1, 239), (1, 191), (255, 190)])
def test_who_may_not(world, sysid, compid):
    hear(world, arm_status(sysid=sysid, compid=compid))
    assert not world.executes(ARM)


def test_a_silence_holds_arming_again(world):
    hear(world, arm_status())
    world.run(2900)
    assert world.executes(ARM)
    world.run(200)
    assert not world.executes(ARM)


def test_what_was_said_goes_with_the_line(world):
    hear(world, arm_status())
    world.companion.line_lost()
    world.run(2500)  # parameters are read anew within less
    assert not world.executes(ARM)
    assert refusals(world) == ["Refused: remote ID: not heard"]


def test_nobody_else_waits_for_it(random_bytes):
    world = World(random_bytes)
    world.run(3000)
    hear(world, arm_status(b"no operator location"))
    assert world.executes(ARM)


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        (b"A" * 50, "A" * 28),
        (b"\xff\x1b[2J", "??[2J"),
        (b" ", "not ready"),
    ],
)
def test_what_it_says_is_cut_and_printable(fault, shown):
    remote_id = RemoteId()
    remote_id.receive(arm_status(fault), 0)
    assert remote_id.hindrance(0) == f"remote ID: {shown}"
    assert remote_id.hindrance(SILENT_NS + 1) == "remote ID: not heard"
