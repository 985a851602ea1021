"""Who may read and write which topics of the embedded broker.

A right is a prefix of whole levels, spelled out: no wildcard stands for any of them. A filter is
allowed if it begins with exactly those levels, so whatever its wildcards match lies below them.
"""

from collections.abc import Iterable
from typing import Final

MAX_TOPIC_BYTES: Final = 512


def may_subscribe(topic_filter: str, prefixes: Iterable[str]) -> bool:
    """Tell whether everything that a filter matches lies below one of the prefixes.

    Invariant: if so, no topic that MQTT 3.1.1 (section 4.7) matches with it lies elsewhere.
    """
    levels = topic_filter.split("/")
    if len(topic_filter.encode("utf-8", "replace")) > MAX_TOPIC_BYTES or "\0" in topic_filter:
        return False
    for place, level in enumerate(levels):
        if level == "#" and place != len(levels) - 1:
            return False
        if level not in ("#", "+") and ("#" in level or "+" in level):
            return False
    return _is_below(levels, prefixes)


def may_use(topic: str, prefixes: Iterable[str]) -> bool:
    """Tell whether one topic lies below one of the prefixes."""
    if "#" in topic or "+" in topic or "\0" in topic:
        return False
    return _is_below(topic.split("/"), prefixes)


def _is_below(levels: list[str], prefixes: Iterable[str]) -> bool:
    for prefix in prefixes:
        fixed = prefix.split("/")
        if levels[: len(fixed)] == fixed:
            return True
    return False
