"""What both ends report of a link, in the names that `cli.md`'s JSON summaries promise."""

from collections import Counter
from collections.abc import Mapping

import msgspec


class LinkSummary(msgspec.Struct):
    """Totals of one link since the service started; `down` is drone to ground."""

    frames_down: int = 0
    frames_up: int = 0
    datagrams_down: int = 0
    datagrams_up: int = 0
    bytes_down: int = 0
    bytes_up: int = 0
    dropped: dict[str, int] = msgspec.field(default_factory=dict)
    handshakes: int = 0
    generation: int = 0


def merge_drops(*counters: Mapping[str, int]) -> dict[str, int]:
    """Add counters of drops by reason, leaving out the reasons that never occurred."""
    total: Counter[str] = Counter()
    for counter in counters:
        total.update({str(reason): count for reason, count in counter.items() if count})
    return dict(sorted(total.items()))
