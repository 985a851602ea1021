"""The audit log: bounded whatever is thrown at it, and nothing is lost without being counted.

Mutants that died here: a purse that is never empty, or grows without end; one purse for all topics;
suppressed lines not counted; repetitions not counted; a refusal of one station counted as
another's; a command read from a payload shorter than it; sums since the start, not since the last.
"""

import json
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from flightcore.audit import describe_operation
from wire.trail import (
    PURSE_BYTES,
    PURSE_PER_HOUR,
    SUM_NS,
    Event,
    Line,
    Topic,
    Trail,
    encode_lines,
)

S = 1_000_000_000
EVENTS = st.builds(
    Event,
    topic=st.sampled_from([topic for topic in Topic if topic is not Topic.DROPPED]),
    text=st.sampled_from(["a", "b", "x" * 400]),
    by=st.sampled_from([None, "one", "two"]),
)


def lines_of(trail):
    return [(line.now_ns, json.loads(line.text)) for line in trail.outgoing()]


@given(st.lists(st.tuples(EVENTS, st.sampled_from([0, 1, S, SUM_NS]), st.integers(1, 400))))
@settings(max_examples=60)
def test_bounded_and_everything_counted(steps):
    trail, now, counts = Trail(), S, Counter()
    added, written, size, began = Counter(), Counter(), Counter(), {}
    dropped = 0

    def drain():
        nonlocal dropped
        for line in trail.outgoing():
            event = json.loads(line.text)
            topic = event["topic"]
            size[topic] += len(line.text) + 24
            began.setdefault(topic, line.now_ns)
            hours = (now - began[topic]) / (3600 * S)
            assert size[topic] <= PURSE_BYTES + hours * PURSE_PER_HOUR + 1e-6
            if topic == "dropped" and "bad" in event.get("counts", {}):
                dropped += event["counts"]["bad"]
            elif "counts" in event:
                written[topic] += sum(event["counts"].values())
            else:
                written[topic] += 1

    for event, pause, repeat in steps:
        now += pause
        for _ in range(repeat):
            trail.add(event, now)
            added[str(event.topic)] += 1
        if trail.deadline_ns() <= now:
            counts["bad"] += 1
            trail.sum_up(counts, now)
        drain()
    for _ in range(3):  # by then every purse has filled again
        now += 3600 * S
        trail.sum_up(counts, now)
        drain()
    for topic in set(added) - {"refused"}:
        assert written[topic] == added[topic]
    # A sum that was itself suppressed counts as one line.
    assert written["refused"] <= added["refused"]
    assert dropped <= counts["bad"]


def test_refusals_alike_are_counted_for_each_station():
    trail = Trail()
    for by in ("one", "one", "two", "one"):
        trail.add(Event(Topic.REFUSED, "x", by), S)
    trail.sum_up({}, 2 * S)
    assert [event for _, event in lines_of(trail)] == [
        {"topic": "refused", "text": "x", "by": "one"},
        {"topic": "refused", "text": "x", "by": "two"},
        {"topic": "refused", "text": "x", "by": "one", "counts": {"repeated": 2}},
    ]
    trail.add(Event(Topic.REFUSED, "x", "one"), 3 * S)
    assert len(lines_of(trail)) == 1, "a new minute"


def test_drops_are_sums_since_the_last_time():
    trail = Trail()
    trail.sum_up({"a": 3}, S)
    trail.sum_up({"a": 3}, 2 * S)
    trail.sum_up({"a": 4, "b": 2}, 3 * S)
    counts = [event["counts"] for _, event in lines_of(trail)]
    assert counts == [{"a": 3}, {"a": 1, "b": 2}]


def test_a_line_is_one_json_object_with_its_time():
    line = Line(5_000, json.dumps({"topic": "note", "text": "a\nb"}).encode())
    data = encode_lines([line, line], 7_000_000)
    assert data.count(b"\n") == 2
    for each in data.splitlines():
        assert json.loads(each) == {"us": 7_005, "topic": "note", "text": "a\nb"}


@given(
    st.one_of(st.sampled_from([11, 20, 23, 75, 76, 256]), st.integers(0, (1 << 24) - 1)),
    st.binary(max_size=255),
)
def test_any_refused_frame_can_be_described(number, payload):
    frame = bytes((0xFD, len(payload), 0, 0, 0, 255, 190)) + number.to_bytes(3, "little") + payload
    assert describe_operation(frame + b"\0\0")


def test_operations_are_called_what_the_dialect_calls_them():
    mav = dialect.MAVLink(None, srcSystem=255)

    def named(message):
        return describe_operation(bytes(message.pack(mav)))

    disarm = dialect.MAVLink_command_long_message(1, 1, 400, 0, 0, 21196, 0, 0, 0, 0, 0)
    assert named(disarm) == "COMMAND_LONG MAV_CMD_COMPONENT_ARM_DISARM"
    reboot = dialect.MAVLink_command_int_message(1, 1, 0, 246, 0, 0, 1, 0, 0, 0, 0, 0, 0)
    assert named(reboot) == "COMMAND_INT MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN"
    setting = dialect.MAVLink_param_set_message(1, 1, b"FENCE_ENABLE", 0, 9)
    assert named(setting) == "PARAM_SET FENCE_ENABLE = 0"
    key = dialect.MAVLink_setup_signing_message(1, 1, list(b"k" * 32), 1)
    assert named(key) == "SETUP_SIGNING"
    assert describe_operation(b"\x05\x00") == "a request for authority"


def test_a_day_of_silence_saves_up_no_more_than_a_full_purse():
    trail = Trail()
    trail.add(Event(Topic.REFUSED, "first"), S)
    trail.outgoing()
    now = 24 * 3600 * S
    for number in range(1000):
        trail.add(Event(Topic.SESSION, f"{number:4} {'x' * 200}"), now)
        trail.add(Event(Topic.REFUSED, f"{number:4} {'x' * 200}"), now)
    size = Counter()
    for line in trail.outgoing():
        size[json.loads(line.text)["topic"]] += len(line.text)
    assert all(0.8 * PURSE_BYTES < total <= PURSE_BYTES for total in size.values())
    assert len(size) == 2
