"""Orders: when they are possible, what they become, and what becomes of them.

Mutants killed: the holder is not asked for; an altitude without bounds; goto without a known place;
force-arm without the name; repeated after the answer; a second step before the first is accepted;
an acknowledgement for another station or another command counts; repeated after five seconds; an
order that is replaced goes on.
"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from groundstation.orderly import GIVE_UP_NS, REPEAT_NS, Order, Orderly, Outcome
from groundstation.orders import ACTIONS, Action, Arguments, Craft, consequence, why_not

S = 10**9
GROUND = Craft("t", True, True, False, False, 0, 35.0, 139.0, 3, True)
ARMED = GROUND._replace(armed=True, mode=4)
FLYING = ARMED._replace(flying=True)
PARSER = dialect.MAVLink(None)


def possible(craft):
    return {action for action in Action if not why_not(action, craft)}


def test_what_is_possible():
    assert possible(GROUND) == {Action.ARM, Action.MODE}
    assert possible(GROUND._replace(prearm_good=False)) == {
        Action.ARM,
        Action.MODE,
        Action.FORCE_ARM,
    }
    on_ground = {Action.TAKEOFF, Action.DISARM, Action.MISSION, Action.STOP, Action.MODE}
    assert possible(ARMED) == on_ground
    in_flight = {Action.PAUSE, Action.RTL, Action.LAND, Action.GOTO, Action.ALTITUDE, Action.SPEED}
    assert possible(FLYING) == in_flight | {Action.MISSION, Action.STOP, Action.MODE}
    assert Action.PAUSE not in possible(FLYING._replace(mode=17))
    assert Action.RTL not in possible(FLYING._replace(mode=6))


@pytest.mark.parametrize("change", [{"live": False}, {"is_holder": False}, {"armed": None}])
def test_nothing_is_possible(change):
    assert possible(FLYING._replace(**change)) == set()


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        (Action.TAKEOFF, {}),
        (Action.TAKEOFF, {"altitude": 0.9}),
        (Action.TAKEOFF, {"altitude": 501}),
        (Action.TAKEOFF, {"altitude": math.nan}),
        (Action.ALTITUDE, {"altitude": math.inf}),
        (Action.SPEED, {"speed": 0.4}),
        (Action.MODE, {"mode": 0}),
        (Action.MODE, {"mode": 28}),
        (Action.GOTO, {"lat": 35.0, "lon": 139.0}),
        (Action.GOTO, {"lat": 91.0, "lon": 139.0, "altitude": 10}),
        (Action.GOTO, {"lat": math.nan, "lon": 139.0, "altitude": 10}),
        (Action.GOTO, {"lat": 35.1, "lon": 139.0, "altitude": 10}),
        (Action.FORCE_ARM, {"typed": "T"}),
    ],
)
def test_bad_arguments(action, arguments):
    assert ACTIONS[action].refused(FLYING, Arguments(**arguments))


def test_nowhere_to_go_from():
    there = Arguments(lat=35.0, lon=139.0, altitude=10)
    assert not ACTIONS[Action.GOTO].refused(FLYING, there)
    assert ACTIONS[Action.GOTO].refused(FLYING._replace(lat=None, lon=None), there)


def test_words_name_the_drone_and_the_numbers():
    said = consequence(Action.TAKEOFF, GROUND, Arguments(altitude=12.5))
    assert said == "t climbs to 12.5 m above home and holds there."
    assert consequence(Action.MODE, GROUND, Arguments(mode=5)) == "t changes to LOITER."
    assert "{" not in "".join(
        consequence(action, GROUND, Arguments(altitude=1, speed=1, mode=4)) for action in Action
    )


def give(orderly, craft, action, now_ns=0, **arguments):
    order = Order(1, action, "", "operator 1", now_ns, now_ns, 0)
    orderly.give(order, ACTIONS[action].steps(craft, Arguments(**arguments)), 7, now_ns)
    return order


def ack(command, result, sysid=255, compid=190):
    message = dialect.MAVLink_command_ack_message(command, result, 0, 0, sysid, compid)
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=7, srcComponent=1)))


def sent(orderly, now_ns):
    return [PARSER.decode(bytearray(frame)) for frame in orderly.outgoing(now_ns)]


def test_an_order_of_two_steps():
    orderly = Orderly()
    order = give(orderly, GROUND, Action.ARM)
    (mode,) = sent(orderly, 0)
    assert (mode.command, mode.param1, mode.param2) == (dialect.MAV_CMD_DO_SET_MODE, 1, 4)
    assert (mode.target_system, mode.get_srcSystem(), mode.get_srcComponent()) == (7, 255, 190)
    orderly.receive_ack(ack(400, 0), 1)  # not what has been asked
    assert sent(orderly, 1) == []
    orderly.receive_ack(ack(176, 0), 2)
    (arm,) = sent(orderly, 2)
    assert (arm.command, arm.param1, arm.param2) == (400, 1, 0)
    assert order.outcome is Outcome.SENT
    orderly.receive_ack(ack(400, 0), 3)
    assert (order.outcome, order.result, order.changed_ns) == (
        Outcome.DONE,
        "MAV_RESULT_ACCEPTED",
        3,
    )
    assert sent(orderly, 10 * S) == []


def test_an_order_that_is_refused():
    orderly = Orderly()
    order = give(orderly, FLYING, Action.RTL)
    sent(orderly, 0)
    orderly.receive_ack(ack(20, 2), 1)
    assert (order.outcome, order.result) == (Outcome.REFUSED, "MAV_RESULT_DENIED")
    assert sent(orderly, 2 * S) == []


@pytest.mark.parametrize("source", [{"sysid": 254}, {"compid": 230}])
def test_an_answer_to_somebody_else(source):
    orderly = Orderly()
    order = give(orderly, FLYING, Action.RTL)
    sent(orderly, 0)
    orderly.receive_ack(ack(20, 0, **source), 1)
    assert order.outcome is Outcome.SENT


def test_silence_ends_an_order():
    orderly = Orderly()
    order = give(orderly, FLYING, Action.LAND)
    times = [now for now in range(0, 10 * S, S // 10) if sent(orderly, now)]
    assert times == [0, S, 2 * S, 3 * S, 4 * S]
    assert order.outcome is Outcome.SILENCE


def test_a_newer_order_takes_the_place():
    orderly = Orderly()
    first = give(orderly, ARMED._replace(mode=0), Action.TAKEOFF, altitude=10)
    sent(orderly, 0)
    give(orderly, FLYING, Action.LAND, 1)
    assert first.outcome is Outcome.REPLACED
    assert [message.command for message in sent(orderly, 1)] == [21]
    orderly.receive_ack(ack(176, 0), 2)
    assert sent(orderly, 3) == []


def test_a_second_step_is_waited_for():
    orderly = Orderly()
    order = give(orderly, FLYING, Action.STOP)
    (frame,) = orderly.outgoing(0)
    orderly.receive_ack(ack(185, 5), 1)
    assert order.outcome is Outcome.IN_PROGRESS
    assert orderly.outgoing(2 * S) == []  # no second challenge
    assert orderly.is_asked_for(frame)
    assert not orderly.is_asked_for(frame[:-1])
    assert orderly.open_action is Action.STOP


def test_a_place_goes_up_in_whole_numbers():
    orderly = Orderly()
    give(orderly, FLYING, Action.GOTO, lat=-35.1234567, lon=149.7654321, altitude=20)
    (message,) = sent(orderly, 0)
    assert (message.get_type(), message.frame) == ("COMMAND_INT", 6)
    assert (message.x, message.y, message.z) == (-351234567, 1497654321, 20)
    assert (message.param1, message.param2) == (-1, 1)
    assert math.isnan(message.param4)


EVENTS = st.lists(
    st.tuples(st.sampled_from(["ack", "busy", "other", "tick"]), st.integers(0, 3 * S)), max_size=12
)


@given(EVENTS)
def test_nothing_is_sent_late(events):
    """Against the rule itself: a step is sent within 5 s of its beginning, in order."""
    orderly = Orderly()
    give(orderly, GROUND, Action.ARM)
    now, begun, step = 0, 0, 0
    commands = (176, 400)
    for kind, after in [("tick", 0), *events]:
        now += after
        open_before = orderly.open_action is not None
        for message in sent(orderly, now):
            assert message.command == commands[step]
            assert now - begun < GIVE_UP_NS
        if now - begun >= GIVE_UP_NS and open_before:
            assert orderly.open_action is None
        if orderly.open_action is None:
            break
        if kind == "ack":
            orderly.receive_ack(ack(commands[step], 0), now)
            begun, step = now, step + 1
        elif kind == "busy":
            orderly.receive_ack(ack(commands[step], 5), now)
            begun = now
        elif kind == "other":
            orderly.receive_ack(ack(999, 0), now)
        if step == len(commands):
            break
    if step == len(commands):
        assert orderly.orders[-1].outcome is Outcome.DONE
        assert sent(orderly, now + REPEAT_NS) == []
