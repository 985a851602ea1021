"""Rights to topics, against every topic that a filter matches.

Mutants killed: `+` stands for a level of the prefix (amqtt's own fault); a prefix matches half a
level (`north` gives `north-east`); `#` in the middle; a filter shorter than its prefix passes.
"""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundstation.topic_rules import may_subscribe, may_use

LEVELS = ("a", "b", "ab", "", "$x")
TOPICS = ["/".join(t) for size in (1, 2, 3, 4) for t in itertools.product(LEVELS, repeat=size)]
FILTERS = st.lists(st.sampled_from((*LEVELS, "+", "#", "a+", "#a")), min_size=1, max_size=4)
PREFIXES = st.lists(st.sampled_from(("a", "a/b", "ab", "b/a/b")), max_size=2)


def matches(topic, topic_filter):
    """MQTT 3.1.1, section 4.7, level by level."""
    topic, wanted = topic.split("/"), topic_filter.split("/")
    if topic[0].startswith("$") and wanted[0] in ("+", "#"):
        return False
    for place, level in enumerate(wanted):
        if level == "#":
            return place <= len(topic)
        if place >= len(topic) or (level not in ("+", topic[place])):
            return False
    return len(topic) == len(wanted)


def is_below(topic, prefixes):
    return any(topic == prefix or topic.startswith(prefix + "/") for prefix in prefixes)


@given(FILTERS, PREFIXES)
def test_what_a_filter_matches_lies_below_a_prefix(levels, prefixes):
    topic_filter = "/".join(levels)
    if may_subscribe(topic_filter, prefixes):
        assert all(is_below(t, prefixes) for t in TOPICS if matches(t, topic_filter))


@pytest.mark.parametrize("prefix", ["a", "a/b"])
@pytest.mark.parametrize("rest", ["", "/#", "/+", "/+/#", "/b", "/b/+/a"])
def test_what_is_below_may_be_subscribed_to(prefix, rest):
    assert may_subscribe(prefix + rest, (prefix,))


@pytest.mark.parametrize(
    "topic_filter",
    [
        "#",
        "+",
        "+/#",
        "+/b",
        "a/+",
        "a/#",
        "$SYS/#",
        "$share/g/a/b",
        "",
        "a/b/#/c",
        "a/bc",
        "a/bc/#",
    ],
)
def test_what_is_not_may_not(topic_filter):
    assert not may_subscribe(topic_filter, ("a/b",))


@given(st.sampled_from(TOPICS), PREFIXES)
def test_a_topic(topic, prefixes):
    assert may_use(topic, prefixes) == is_below(topic, prefixes)


@pytest.mark.parametrize("topic", ["a/+", "a/#", "a/b\0", "ab", "ab/a"])
def test_no_topic_has_wildcards(topic):
    assert not may_use(topic, ("a",))
