"""What cannot be taken back takes two steps; under dual control, two stations."""

import dataclasses
import json

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.pair import Role
from flightcore.options import DEFAULT_OPTIONS
from tests.world import World, command, heartbeat
from wire.authority import NOBODY, Verb

DISARM = command(400, 0, 21196)
DUAL = dataclasses.replace(DEFAULT_OPTIONS, dual_control=True)


def a_world(random_bytes, options=DEFAULT_OPTIONS):
    roles = {"a": Role.COMMANDER, "b": Role.COMMANDER, "o": Role.OBSERVER}
    world = World(random_bytes, roles, options=options)
    world.up = lambda name, datagram, path: [datagram] if name == "a" else []
    world.run(1000)
    world.up = lambda name, datagram, path: [datagram]
    world.run(4000)
    assert world.executes(command(20), "a")
    world.line.clear()
    return world


def challenge_of(world, name):
    return world.station(name).command.challenge(world.now)


def messages(world, name="a"):
    return dialect.MAVLink(None).parse_buffer(world.grounds[name].tools) or []


def test_confirmed_it_is_carried_out_once(random_bytes):
    world = a_world(random_bytes)
    world.station("a").send([DISARM], world.now)
    world.run(200)
    assert world.line == []
    challenge = challenge_of(world, "a")
    assert challenge.operation == DISARM
    assert world.station("a").command.confirm(challenge.nonce, world.now)
    world.run(200)
    assert world.line == [DISARM]
    assert not world.station("a").command.confirm(challenge.nonce, world.now)
    world.run(4000)
    assert world.line == [DISARM]


def test_unconfirmed_it_is_denied_after_3_s(random_bytes):
    world = a_world(random_bytes)
    world.grounds["a"].tools = b""
    world.station("a").send([DISARM], world.now)
    world.run(500)
    results = [m.result for m in messages(world) if m.get_type() == "COMMAND_ACK"]
    assert results == [dialect.MAV_RESULT_IN_PROGRESS]
    nonce = challenge_of(world, "a").nonce
    world.run(3000)
    results = [m.result for m in messages(world) if m.get_type() == "COMMAND_ACK"]
    assert results == [dialect.MAV_RESULT_IN_PROGRESS, dialect.MAV_RESULT_DENIED]
    assert not world.station("a").command.confirm(nonce, world.now)
    assert world.line == []


def test_what_was_safe_when_asked_is_judged_again(random_bytes):
    """Restarting the autopilot is for the ground; it took off between the two steps."""
    world = a_world(random_bytes)
    world.station("a").send([command(246, 1)], world.now)
    world.run(200)
    challenge = challenge_of(world, "a")
    world.companion.receive_line(heartbeat(armed=True), world.now)
    world.station("a").command.confirm(challenge.nonce, world.now)
    world.run(200, armed=True)
    assert world.line == []
    assert world.companion.stations["a"].uplink.dropped["not_on_ground"] == 1


def test_the_newer_operation_takes_the_place_of_the_older(random_bytes):
    world = a_world(random_bytes)
    world.station("a").send([DISARM], world.now)
    world.run(100)
    old = challenge_of(world, "a")
    world.station("a").send([command(207, 0)], world.now)
    world.run(100)
    assert challenge_of(world, "a").operation == command(207, 0)
    world.station("a").command.confirm(challenge_of(world, "a").nonce, world.now)
    world.run(200)
    assert world.line == [command(207, 0)]
    assert not world.station("a").command.confirm(old.nonce, world.now)


def test_under_dual_control_the_asker_cannot_confirm(random_bytes):
    world = a_world(random_bytes, DUAL)
    world.station("a").send([DISARM], world.now)
    world.run(200)
    assert challenge_of(world, "o") is None
    other = challenge_of(world, "b")
    assert other.operation == DISARM
    world.station("a").command.confirm(challenge_of(world, "a").nonce, world.now)
    world.run(200)
    assert world.line == []
    assert world.companion.stations["a"].uplink.dropped["needs_another_station"] == 1
    world.station("b").command.confirm(other.nonce, world.now)
    world.run(200)
    assert world.line == [DISARM]


def test_both_identities_are_kept(random_bytes):
    """In the audit log: who asked, who confirmed; who commands, who did; and who was refused."""
    world = a_world(random_bytes, DUAL)
    world.station("a").send([DISARM], world.now)
    world.run(200)
    world.station("b").command.confirm(challenge_of(world, "b").nonce, world.now)
    world.run(200)
    a, b = world.station("a").command, world.station("b").command
    a.request(Verb.HAND_OVER, world.companion.stations["b"].station, world.now)
    world.run(1000)
    b.request(Verb.ACCEPT, NOBODY, world.now)
    world.run(1000)
    world.station("a").send([command(20)], world.now)
    world.run(200)
    kept = [json.loads(line.text) for line in world.companion.trail.outgoing()]
    confirmed = [event for event in kept if event["topic"] == "confirmed"]
    what = "b confirms for a: COMMAND_LONG MAV_CMD_COMPONENT_ARM_DISARM"
    assert confirmed == [{"topic": "confirmed", "text": what, "by": "a", "confirmed_by": "b"}]
    changes = [event for event in kept if event.get("text") == "command: b, epoch 1"]
    assert [(event["by"], event["previous"]) for event in changes] == [("b", "a")]
    refused = {event["text"]: event["by"] for event in kept if event["topic"] == "refused"}
    assert refused == {"COMMAND_LONG MAV_CMD_NAV_RETURN_TO_LAUNCH: not_holder": "a"}


@pytest.mark.parametrize("number", [400, 185, 246, 207])
def test_an_observer_is_not_even_asked_back(random_bytes, number):
    world = a_world(random_bytes)
    world.station("o").send([command(number, 1, 21196 if number == 400 else 0)], world.now)
    world.run(300)
    assert challenge_of(world, "o") is None
    assert world.line == []
